//! Where the sandboxes that stay are written down: a folder for each name in the state directory.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use flinkproc_core::Secret;
use flinkproc_sandbox::usage::end_scripted_machines;
use flinkproc_sandbox::{ProgressSink, clean_up_killed};

use super::record::{Record, Wish};
use super::teller::Teller;
use crate::App;
use crate::clock::SystemClock;
use crate::error::AppError;
use crate::report::Problem;

const RECORD: &str = "running.json";
const WISH: &str = "wish.json";
const TOKEN: &str = "token";
const LOG: &str = "log";
const MACHINES: &str = "machines";

/// All sandboxes of a state directory that stay.
#[derive(Clone, Debug)]
pub(crate) struct Shelf {
    folder: PathBuf,
    state: PathBuf,
}

impl Shelf {
    pub(crate) fn new(app: &App) -> Result<Self, AppError> {
        let state = app.environment.state();
        let state =
            std::path::absolute(&state).map_err(AppError::file("the state directory", &state))?;
        Ok(Self {
            folder: state.join("sandboxes"),
            state,
        })
    }

    /// The place of one name.
    pub(crate) fn place(&self, name: &str) -> Result<Place, AppError> {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let sound = name.len() <= 30
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(inner);
        if !sound {
            return Err(AppError::Argument {
                text: name.to_owned(),
                what: "name of a sandbox",
                how: "write at most 30 lower-case letters, digits and hyphens, a letter first"
                    .to_owned(),
            });
        }
        Ok(Place {
            name: name.to_owned(),
            folder: self.folder.join(name),
            lock: self.folder.join(format!("{name}.lock")),
        })
    }

    /// The sandbox of a name, if it runs.
    pub(crate) fn running(&self, name: &str) -> Result<Option<Record>, AppError> {
        let place = self.place(name)?;
        Ok(place.record().filter(Record::is_alive))
    }

    /// Every place that was used, by name.
    pub(crate) fn places(&self) -> Result<Vec<Place>, AppError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(AppError::file("the directory", &self.folder)(error)),
        };
        let names = entries
            .flatten()
            .filter(|entry| entry.path().is_dir())
            .filter_map(|entry| entry.file_name().into_string().ok());
        let mut places: Vec<Place> = names.filter_map(|name| self.place(&name).ok()).collect();
        places.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(places)
    }

    /// Ends what killed sandboxes left, those that stay and those that were to pass, and says so.
    pub(crate) async fn clean_up(&self, app: &App) -> Result<(), Problem> {
        for place in self.places()? {
            let Some(dead) = place.record().filter(|record| !record.is_alive()) else {
                continue;
            };
            // Somebody starts or ends it now, and will see to it.
            let Some(_held) = place.try_hold()? else {
                continue;
            };
            app.stdio.tell(&format!(
                "the sandbox {} (process {}) was killed; its log is {}",
                place.name,
                dead.pid,
                place.log().display()
            ));
            end_scripted_machines(&place.machines());
            place.forget();
        }
        let teller = Teller::new(app.stdio);
        let sink = ProgressSink::new(move |progress| teller.show(progress));
        Ok(clean_up_killed(&self.state, &SystemClock, &sink).await?)
    }

    pub(crate) fn state(&self) -> &Path {
        &self.state
    }
}

/// What belongs to one name.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) name: String,
    folder: PathBuf,
    lock: PathBuf,
}

impl Place {
    /// Makes the folder, which nobody else can look into.
    pub(crate) fn make(&self) -> Result<(), AppError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(self.machines())
            .map_err(AppError::file("the directory", &self.folder))
    }

    /// Holds the name for starting or ending its sandbox, waiting for whoever does so now.
    pub(crate) async fn hold(&self, app: &App) -> Result<File, AppError> {
        if let Some(held) = self.try_hold()? {
            return Ok(held);
        }
        app.stdio.tell(&format!(
            "another `flinkproc sandbox up` or `down` is busy with {}; waiting for it",
            self.name
        ));
        let lock = self.lock.clone();
        let waiting = tokio::task::spawn_blocking(move || {
            let file = File::create(&lock)?;
            file.lock().map(|()| file)
        });
        let held = waiting.await.map_err(|error| AppError::Defect {
            what: format!("a lock: {error}"),
        })?;
        held.map_err(AppError::file("the lock", &self.lock))
    }

    fn try_hold(&self) -> Result<Option<File>, AppError> {
        if let Some(folder) = self.lock.parent() {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .map_err(AppError::file("the directory", folder))?;
        }
        let file = File::create(&self.lock).map_err(AppError::file("the lock", &self.lock))?;
        Ok(file.try_lock().is_ok().then_some(file))
    }

    /// What the sandbox wrote down; it may be gone.
    pub(crate) fn record(&self) -> Option<Record> {
        let text = fs::read(self.folder.join(RECORD)).ok()?;
        // One that another version wrote, or half of one, is as good as none.
        serde_json::from_slice(&text).ok()
    }

    pub(crate) fn write_record(&self, record: &Record) -> Result<(), AppError> {
        self.write(RECORD, &to_json(record)?)
    }

    pub(crate) fn write_wish(&self, wish: &Wish) -> Result<(), AppError> {
        self.write(WISH, &to_json(wish)?)
    }

    pub(crate) fn wish(&self) -> Result<Wish, AppError> {
        let path = self.folder.join(WISH);
        let text = fs::read(&path).map_err(AppError::file("the wish", &path))?;
        serde_json::from_slice(&text).map_err(|error| AppError::Defect {
            what: format!("{}: {error}", path.display()),
        })
    }

    /// Writes the token down, for its owner alone, and says where.
    pub(crate) fn write_token(&self, token: &Secret<String>) -> Result<PathBuf, AppError> {
        self.write(TOKEN, token.reveal())?;
        Ok(self.folder.join(TOKEN))
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join(LOG)
    }

    /// Where scripted machines have their files; nobody else is told of it.
    pub(crate) fn machines(&self) -> PathBuf {
        self.folder.join(MACHINES)
    }

    /// The log, new and empty.
    pub(crate) fn new_log(&self) -> Result<File, AppError> {
        closed(&self.log()).map_err(AppError::file("the log", self.log()))
    }

    /// Takes back what says that it runs; the log stays.
    pub(crate) fn forget(&self) {
        for name in [RECORD, WISH, TOKEN] {
            // What is not there need not be removed, and what cannot be is seen as stale by its process.
            fs::remove_file(self.folder.join(name)).ok();
        }
        fs::remove_dir_all(self.machines()).ok();
    }

    /// Removes everything, the log too.
    pub(crate) fn remove(&self) -> Result<(), AppError> {
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(AppError::file("the directory", &self.folder)(error))
            }
            _ => Ok(()),
        }
    }

    /// Whole or not at all: others read it at any time.
    fn write(&self, name: &str, text: &str) -> Result<(), AppError> {
        let (path, new) = (
            self.folder.join(name),
            self.folder.join(format!("{name}.new")),
        );
        closed(&new)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .and_then(|()| fs::rename(&new, &path))
            .map_err(AppError::file("the file", &path))
    }
}

/// A new file that nobody else can read.
fn closed(path: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)
}

fn to_json(value: &impl serde::Serialize) -> Result<String, AppError> {
    serde_json::to_string_pretty(value).map_err(|error| AppError::Defect {
        what: format!("it cannot be written as JSON: {error}"),
    })
}
