//! `flinkproc sandbox logs`: what a sandbox or the daemons of a cluster said.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use flinkproc_core::Clock;

use crate::App;
use crate::args::LogsSandbox;
use crate::clock::SystemClock;
use crate::error::AppError;
use crate::report::Problem;
use crate::sandbox::{Record, Shelf};
use crate::signals::{Signals, Wish};

const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Shows the logs, and what comes to them where that was asked for.
pub(crate) async fn run(app: &App, args: &LogsSandbox) -> Result<u8, Problem> {
    let shelf = Shelf::new(app)?;
    let place = shelf.place(&args.named.name)?;
    let record = shelf.running(&place.name)?;
    let mut read = Reading::default();
    let files = || match (&args.cluster, &record) {
        (Some(cluster), Some(record)) => of_cluster(record, cluster),
        // What a killed sandbox said is still there.
        (None, _) if place.log().exists() => Ok(vec![place.log()]),
        _ => Err(AppError::NoSandbox {
            name: place.name.clone(),
        }),
    };
    read.show(app, &files()?)?;
    let Some(record) = record.as_ref().filter(|_| args.follow) else {
        return Ok(0);
    };
    let mut signals = Signals::listen().map_err(|error| AppError::Defect {
        what: format!("signals cannot be listened to: {error}"),
    })?;
    loop {
        tokio::select! {
            wish = signals.next() => if wish == Wish::Interrupt { return Ok(0) },
            () = SystemClock.sleep(LOOK_AGAIN) => {}
        }
        let over = !record.is_alive();
        match files() {
            Ok(files) => read.show(app, &files)?,
            // The cluster, or the whole sandbox, has gone.
            Err(_) => return Ok(0),
        }
        if over {
            return Ok(0);
        }
    }
}

/// How much of each file was shown.
#[derive(Debug, Default)]
struct Reading {
    seen: BTreeMap<PathBuf, u64>,
    last: Option<PathBuf>,
}

impl Reading {
    fn show(&mut self, app: &App, files: &[PathBuf]) -> Result<(), AppError> {
        for path in files {
            let from = self.seen.get(path).copied().unwrap_or_default();
            let mut text = Vec::new();
            let read = File::open(path).and_then(|mut file| {
                file.seek(SeekFrom::Start(from))?;
                file.read_to_end(&mut text)
            });
            match read {
                Ok(_) => {}
                // It went with its cluster meanwhile.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(AppError::file("the log", path)(error)),
            }
            if text.is_empty() {
                continue;
            }
            self.seen.insert(
                path.clone(),
                from.saturating_add(u64::try_from(text.len()).unwrap_or(u64::MAX)),
            );
            if files.len() > 1 && self.last.as_ref() != Some(path) {
                app.stdio.tell(&format!("==> {}", path.display()));
                self.last = Some(path.clone());
            }
            app.stdio.result(&String::from_utf8_lossy(&text));
        }
        Ok(())
    }
}

/// The logs of a cluster's daemons.
fn of_cluster(record: &Record, cluster: &str) -> Result<Vec<PathBuf>, AppError> {
    let missing = || AppError::UnknownCluster {
        name: cluster.to_owned(),
        region: format!("the sandbox {}", record.name),
    };
    let clusters = fs::read_dir(record.folder.join("clusters")).map_err(|_| missing())?;
    let start = format!("{cluster}-");
    // A cluster's folder is its name and its UUID.
    let is_its = |name: &str| {
        name.strip_prefix(&start)
            .is_some_and(|uuid| uuid.len() == 36)
    };
    let folder = clusters
        .flatten()
        .find(|entry| entry.file_name().to_str().is_some_and(is_its))
        .ok_or_else(missing)?;
    let mut files = Vec::new();
    for place in ["log", "flink-log"] {
        collect(&folder.path().join(place), &mut files);
    }
    files.sort();
    Ok(files)
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.is_file() {
            found.push(path);
        }
    }
}
