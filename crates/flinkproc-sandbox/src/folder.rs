//! A sandbox's own folder: claimed when it starts, cleaned up by whoever comes next when it was killed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use flinkproc_core::Clock;

use crate::cluster::{make_closed, remove};
use crate::error::SandboxError;
use crate::process::end_family;
use crate::progress::{Progress, ProgressSink};

/// Below the state folder, each running sandbox has its folder here.
pub(crate) const ALL: &str = "sandbox";
/// Below a sandbox's folder, each cluster has its folder here.
pub(crate) const CLUSTERS: &str = "clusters";
const LOCK: &str = "lock";

/// A sandbox's own folder, held by a lock that goes with the process.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Cleans up after sandboxes that are gone, then makes a new folder below `all`.
    pub(crate) async fn claim(
        all: &Path,
        clock: &dyn Clock,
        progress: &ProgressSink,
    ) -> Result<Self, SandboxError> {
        make_closed(all)?;
        // While one sandbox looks and claims, another waits, so that no folder is seen before it is locked.
        let gate = Self::locked(&all.join(LOCK))?;
        gate.lock().map_err(SandboxError::file("lock", all))?;
        let number = end_dead(all, clock, progress).await? + 1;
        let path = all.join(number.to_string());
        make_closed(&path.join(CLUSTERS))?;
        let lock = Self::locked(&path.join(LOCK))?;
        lock.lock().map_err(SandboxError::file("lock", &path))?;
        Ok(Self { path, _lock: lock })
    }

    fn locked(path: &Path) -> Result<File, SandboxError> {
        File::create(path).map_err(SandboxError::file("open the lock", path))
    }
}

/// Cleans up after every sandbox below `state` whose process is gone: ends what still runs for it and removes its folder.
///
/// The next sandbox does the same when it starts; this is for those who want it without starting one. Idempotent.
///
/// # Errors
/// When a process cannot be ended or a folder cannot be removed.
pub async fn clean_up_killed(
    state: &Path,
    clock: &dyn Clock,
    progress: &ProgressSink,
) -> Result<(), SandboxError> {
    let all = state.join(ALL);
    if !all.is_dir() {
        return Ok(());
    }
    let gate = Folder::locked(&all.join(LOCK))?;
    gate.lock().map_err(SandboxError::file("lock", &all))?;
    end_dead(&all, clock, progress).await.map(|_| ())
}

/// Cleans up below `all`, whose gate the caller holds, and answers the highest number of a sandbox that runs.
async fn end_dead(
    all: &Path,
    clock: &dyn Clock,
    progress: &ProgressSink,
) -> Result<u32, SandboxError> {
    let mut highest = 0;
    let entries = fs::read_dir(all).map_err(SandboxError::file("read", all))?;
    for entry in entries.flatten().filter(|entry| entry.path().is_dir()) {
        let old = entry.path();
        let name = entry.file_name();
        let lock = Folder::locked(&old.join(LOCK))?;
        if lock.try_lock().is_ok() {
            let processes = clean_up(&old, clock).await?;
            progress.tell(Progress::CleanedUp { processes });
        } else {
            highest = highest.max(name.to_string_lossy().parse().unwrap_or_default());
        }
    }
    Ok(highest)
}

/// Ends what runs for a sandbox that is gone and removes its folder.
async fn clean_up(folder: &Path, clock: &dyn Clock) -> Result<usize, SandboxError> {
    let mut ended = 0;
    let entries = fs::read_dir(folder.join(CLUSTERS)).into_iter().flatten();
    for entry in entries.flatten() {
        ended += end_family(&entry.path(), clock).await?;
    }
    remove(folder)?;
    Ok(ended)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use flinkproc_core::ManualClock;

    use super::Folder;
    use crate::progress::ProgressSink;

    #[tokio::test]
    async fn nobody_else_looks_into_a_sandbox_and_two_have_a_folder_each() {
        let state = tempfile::tempdir().expect("a folder");
        let all = state.path().join("new/sandbox");
        let clock = ManualClock::eager("2026-11-22T12:00:00Z".parse().expect("valid"));
        let silent = ProgressSink::silent();
        let one = Folder::claim(&all, &clock, &silent).await.expect("claimed");
        let two = Folder::claim(&all, &clock, &silent).await.expect("claimed");
        assert_ne!(one.path, two.path);
        for folder in [&all, &one.path, &two.path] {
            let mode = fs::metadata(folder).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{}", folder.display());
        }
    }
}
