//! A folder of parts: each made once, whole or not at all, by one process at a time.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use flinkproc_core::Clock;
use sha2::{Digest, Sha256};

use crate::error::SandboxError;
use crate::progress::{PartName, Progress, ProgressSink};

const WHOLE: &str = ".whole";
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Where the parts lie.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    progress: ProgressSink,
}

impl Cache {
    pub(crate) const fn new(
        folder: PathBuf,
        clock: Arc<dyn Clock>,
        progress: ProgressSink,
    ) -> Self {
        Self {
            folder,
            clock,
            progress,
        }
    }

    /// Below it lies everything.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where a part made by this recipe lies, or would lie: another recipe makes another folder.
    pub(crate) fn path(&self, part: PartName, recipe: &str) -> PathBuf {
        let digest = Sha256::digest(recipe.as_bytes());
        let version: String = digest
            .iter()
            .take(6)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let name = part.as_str().to_lowercase().replace(' ', "-");
        self.folder.join(format!("{name}-{version}"))
    }

    /// Whether the part is there and whole.
    pub(crate) fn has(&self, part: PartName, recipe: &str) -> bool {
        self.path(part, recipe).join(WHOLE).is_file()
    }

    /// The part's folder, made by `make` if it is not there.
    ///
    /// `make` fills an empty folder that only then gets its name: an interrupted download is never taken for whole. Of several
    /// processes one makes the part and the others wait. Dropping the future leaves a folder that the next run removes.
    pub(crate) async fn ensure<F>(
        &self,
        part: PartName,
        recipe: &str,
        make: impl FnOnce(PathBuf) -> F + Send,
    ) -> Result<PathBuf, SandboxError>
    where
        F: Future<Output = Result<(), SandboxError>> + Send,
    {
        let path = self.path(part, recipe);
        if self.has(part, recipe) {
            return Ok(path);
        }
        fs::create_dir_all(&self.folder)
            .map_err(SandboxError::file("create the folder", &self.folder))?;
        let _lock = self.lock(part, &path.with_extension("lock")).await?;
        if self.has(part, recipe) {
            return Ok(path);
        }
        self.progress.tell(Progress::PartStarted(part));
        let staged = path.with_extension("part");
        for old in [&staged, &path] {
            remove(old).map_err(SandboxError::file("remove", old))?;
        }
        fs::create_dir_all(&staged).map_err(SandboxError::file("create the folder", &staged))?;
        self.watched(part, &staged, make(staged.clone())).await?;
        let marker = staged.join(WHOLE);
        File::create(&marker)
            .and_then(|file| file.sync_all())
            .map_err(SandboxError::file("write", &marker))?;
        fs::rename(&staged, &path).map_err(SandboxError::file("rename to", &path))?;
        self.progress.tell(Progress::PartDone(part));
        Ok(path)
    }

    async fn lock(&self, part: PartName, path: &Path) -> Result<File, SandboxError> {
        let file = File::create(path).map_err(SandboxError::file("open the lock", path))?;
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => {
                    return Err(SandboxError::file("lock", path)(error));
                }
            }
            if !told {
                self.progress.tell(Progress::PartWaiting(part));
                told = true;
            }
            self.clock.sleep(LOOK_AGAIN).await;
        }
    }

    /// Waits for `work` and tells meanwhile how much of it is on disk.
    async fn watched(
        &self,
        part: PartName,
        folder: &Path,
        work: impl Future<Output = Result<(), SandboxError>> + Send,
    ) -> Result<(), SandboxError> {
        let tell = async {
            loop {
                self.clock.sleep(LOOK_AGAIN).await;
                let folder = folder.to_owned();
                let bytes = tokio::task::spawn_blocking(move || size(&folder)).await;
                self.progress
                    .tell(Progress::PartBytes(part, bytes.unwrap_or_default()));
            }
        };
        tokio::select! {
            done = work => done,
            () = tell => Ok(()),
        }
    }
}

fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let data = entry.metadata().ok()?;
            Some(if data.is_dir() {
                size(&entry.path())
            } else {
                data.len()
            })
        })
        .sum()
}

fn remove(folder: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};

    use flinkproc_core::ManualClock;
    use jiff::Timestamp;
    use tokio::sync::Notify;

    use super::Cache;
    use crate::error::SandboxError;
    use crate::progress::{PartName, Progress, ProgressSink};

    fn cache(folder: &Path) -> (Cache, Arc<Mutex<Vec<Progress>>>, Arc<ManualClock>) {
        let told = Arc::new(Mutex::new(Vec::new()));
        let sink = ProgressSink::new({
            let told = Arc::clone(&told);
            move |one| told.lock().expect("not poisoned").push(one)
        });
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let cache = Cache::new(folder.join("parts"), clock.clone(), sink);
        (cache, told, clock)
    }

    #[tokio::test]
    async fn a_part_is_made_once_and_again_when_its_recipe_changes() {
        let folder = tempfile::tempdir().expect("made");
        let (cache, ..) = cache(folder.path());
        let made = AtomicUsize::new(0);
        for recipe in ["one", "one", "two", "one"] {
            let make = |folder: std::path::PathBuf| {
                made.fetch_add(1, Ordering::Relaxed);
                async move {
                    std::fs::write(folder.join("jar"), recipe).expect("written");
                    Ok(())
                }
            };
            let path = cache
                .ensure(PartName::Yarn, recipe, make)
                .await
                .expect("made");
            let text = std::fs::read_to_string(path.join("jar")).expect("read");
            assert_eq!(text, recipe);
        }
        assert_eq!(made.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn an_interrupted_part_is_not_taken_for_whole() {
        let folder = tempfile::tempdir().expect("made");
        let (cache, ..) = cache(folder.path());
        let fail = |folder: std::path::PathBuf| async move {
            std::fs::write(folder.join("half"), "").expect("written");
            Err(SandboxError::NoAddress { tried: 0 })
        };
        assert!(cache.ensure(PartName::Yarn, "r", fail).await.is_err());
        assert!(!cache.has(PartName::Yarn, "r"));
        let whole = |folder: std::path::PathBuf| async move {
            assert!(
                !folder.join("half").exists(),
                "the rest of the first try is gone"
            );
            Ok(())
        };
        cache
            .ensure(PartName::Yarn, "r", whole)
            .await
            .expect("made");
        assert!(cache.has(PartName::Yarn, "r"));
    }

    #[tokio::test]
    async fn two_first_runs_at_once_make_a_part_once() {
        let folder = tempfile::tempdir().expect("made");
        let (first, ..) = cache(folder.path());
        let (second, told, clock) = cache(folder.path());
        let go_on = Arc::new(Notify::new());
        let begun = Arc::new(Notify::new());
        let maker = tokio::spawn({
            let (go_on, begun) = (Arc::clone(&go_on), Arc::clone(&begun));
            async move {
                let make = |_| async move {
                    begun.notify_one();
                    go_on.notified().await;
                    Ok(())
                };
                first.ensure(PartName::PyFlink, "r", make).await
            }
        });
        begun.notified().await;
        let waiter = tokio::spawn(async move {
            let refuse = |_| async { Err(SandboxError::NoAddress { tried: 0 }) };
            second.ensure(PartName::PyFlink, "r", refuse).await
        });
        while clock.sleepers() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(
            *told.lock().expect("not poisoned"),
            [Progress::PartWaiting(PartName::PyFlink)]
        );
        go_on.notify_one();
        let made = maker.await.expect("no panic").expect("made");
        clock.advance(super::LOOK_AGAIN);
        let found = waiter.await.expect("no panic").expect("found");
        assert_eq!(made, found);
    }
}
