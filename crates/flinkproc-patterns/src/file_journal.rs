//! A journal of files: one directory for each deployment, one JSON line for each record.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use flinkproc_core::DeploymentId;

use crate::journal::{Entry, Hold, Journal, JournalError, Record, Scope};

/// The name of the file that holds the records.
const RECORDS: &str = "journal.jsonl";
/// The name of the file that the running process locks.
const LOCK: &str = "lock";

/// Journals below a directory: `<root>/<id>/journal.jsonl`, readable by their owner alone.
///
/// Each record is one line. Intents are on the disk (`fsync`) before [`Journal::append`] returns; what was done is there with the
/// next intent at the latest, since it can be found out again. A last line that a crash tore is taken for never written. Holds are `flock`s, which the kernel ends with their process; on a network file system they are only
/// as good as its locks.
#[derive(Clone, Debug)]
pub struct FileJournal {
    root: PathBuf,
}

impl FileJournal {
    /// Journals below `root`, which is made when it is needed.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The directory of one deployment.
    #[must_use]
    pub fn directory(&self, id: &DeploymentId) -> PathBuf {
        self.root.join(id.as_str())
    }

    /// Whether some process runs this deployment now. Changes nothing; a moment later it may be otherwise.
    #[must_use]
    pub fn is_held(&self, id: &DeploymentId) -> bool {
        File::open(self.directory(id).join(LOCK))
            .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}

fn io_error(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> JournalError {
    let path = path.to_owned();
    move |source| JournalError::Io {
        path,
        action,
        source,
    }
}

fn make_directory(path: &Path) -> Result<(), JournalError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(io_error(path, "made"))
}

/// Runs what blocks where blocking is allowed.
async fn blocking<T: Send + 'static>(
    path: PathBuf,
    work: impl FnOnce() -> Result<T, JournalError> + Send + 'static,
) -> Result<T, JournalError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(ended) => Err(JournalError::Io {
            path,
            action: "reached",
            source: io::Error::other(ended),
        }),
    }
}

fn hold(root: &Path, scope: &Scope) -> Result<Hold, JournalError> {
    let path = match scope {
        Scope::Admission => root.join("admission.lock"),
        Scope::Deployment(id) => root.join(id.as_str()).join(LOCK),
    };
    make_directory(path.parent().unwrap_or(root))?;
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(io_error(&path, "opened"))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // The number is a courtesy: without it the refusal stands all the same.
            let _ = file.read_to_string(&mut holder);
            let holder = match holder.trim() {
                "" => String::new(),
                pid => format!(" (process {pid})"),
            };
            let scope = scope.clone();
            return Err(JournalError::Held { scope, holder });
        }
        Err(TryLockError::Error(source)) => return Err(io_error(&path, "locked")(source)),
    }
    let written = file
        .set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()));
    written.map_err(io_error(&path, "written"))?;
    Ok(Hold::new(file))
}

fn append(directory: &Path, mut line: Vec<u8>, durable: bool) -> Result<(), JournalError> {
    let path = directory.join(RECORDS);
    make_directory(directory)?;
    let fresh = !path.exists();
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(&path)
        .map_err(io_error(&path, "opened"))?;
    // An action on a job writes its lines beside the process that carries the deployment out.
    file.lock().map_err(io_error(&path, "locked"))?;
    cut_torn_tail(&mut file).map_err(io_error(&path, "mended"))?;
    line.push(b'\n');
    file.write_all(&line).map_err(io_error(&path, "written"))?;
    if !durable {
        return Ok(());
    }
    file.sync_data().map_err(io_error(&path, "written"))?;
    if fresh {
        // A file's name is durable only when its directory is.
        for parent in [Some(directory), directory.parent()].into_iter().flatten() {
            let synced = File::open(parent).and_then(|it| it.sync_all());
            synced.map_err(io_error(parent, "written"))?;
        }
    }
    Ok(())
}

/// Drops what a crash left behind the last line break, so that the next record gets a line of its own.
fn cut_torn_tail(file: &mut File) -> io::Result<()> {
    let length = file.seek(SeekFrom::End(0))?;
    if length == 0 {
        return Ok(());
    }
    let mut last = [0];
    file.seek(SeekFrom::Start(length - 1))?;
    file.read_exact(&mut last)?;
    if last == *b"\n" {
        return Ok(());
    }
    let mut content = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut content)?;
    let whole = content
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |at| at + 1);
    file.set_len(u64::try_from(whole).unwrap_or(0))
}

fn load(path: &Path) -> Result<Vec<Record>, JournalError> {
    let content = match std::fs::read(path) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io_error(path, "read")(error)),
    };
    let whole = content
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |at| at + 1);
    let lines = content
        .get(..whole)
        .unwrap_or_default()
        .split(|b| *b == b'\n');
    let mut records = Vec::new();
    for (index, line) in lines.enumerate() {
        if line.is_empty() {
            continue;
        }
        let record = serde_json::from_slice(line).map_err(|source| JournalError::Corrupt {
            path: path.to_owned(),
            line: index + 1,
            source,
        })?;
        records.push(record);
    }
    Ok(records)
}

fn list(root: &Path) -> Result<Vec<DeploymentId>, JournalError> {
    let entries = match std::fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io_error(root, "read")(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(io_error(root, "read"))?;
        let id = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        if let Some(id) = id
            && entry.path().join(RECORDS).is_file()
        {
            found.push(id);
        }
    }
    found.sort();
    Ok(found)
}

#[async_trait]
impl Journal for FileJournal {
    async fn hold(&self, scope: &Scope) -> Result<Hold, JournalError> {
        let (root, scope) = (self.root.clone(), scope.clone());
        blocking(self.root.clone(), move || hold(&root, &scope)).await
    }

    async fn append(&self, id: &DeploymentId, record: &Record) -> Result<(), JournalError> {
        let directory = self.directory(id);
        let line = serde_json::to_vec(record).map_err(|source| JournalError::Io {
            path: directory.join(RECORDS),
            action: "written",
            source: source.into(),
        })?;
        let durable = !matches!(record.entry, Entry::Done { .. });
        blocking(directory.clone(), move || append(&directory, line, durable)).await
    }

    async fn load(&self, id: &DeploymentId) -> Result<Vec<Record>, JournalError> {
        let path = self.directory(id).join(RECORDS);
        blocking(path.clone(), move || load(&path)).await
    }

    async fn list(&self) -> Result<Vec<DeploymentId>, JournalError> {
        let root = self.root.clone();
        blocking(root.clone(), move || list(&root)).await
    }
}
