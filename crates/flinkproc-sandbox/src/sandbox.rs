//! The whole sandbox: storage server, API and clusters, started and ended as one.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dataproc_emulator::{Emulator, EmulatorOptions};
use flinkproc_core::{BucketName, Clock};

use crate::cluster::{make_closed, remove};
use crate::error::SandboxError;
use crate::parts::Parts;
use crate::prerequisites::Environment;
use crate::process::end_family;
use crate::progress::{Progress, ProgressSink};
use crate::runtime::SandboxRuntime;

const LOCK: &str = "lock";
const CLUSTERS: &str = "clusters";

/// What a sandbox is started with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SandboxOptions {
    /// The values of the process environment that it needs.
    pub environment: Environment,
    /// Below it, in `sandbox/`, each running sandbox has its folder.
    pub state: PathBuf,
    /// Where the storage server keeps its objects; in the sandbox's own folder, and gone with it, when `None`.
    pub storage: Option<PathBuf>,
    /// The system's clock: real daemons keep real time.
    pub clock: Arc<dyn Clock>,
    /// Takes what happens.
    pub progress: ProgressSink,
}

impl SandboxOptions {
    /// A sandbox that leaves nothing behind, and tells nobody what it does.
    #[must_use]
    pub fn new(environment: Environment, state: &Path, clock: Arc<dyn Clock>) -> Self {
        Self {
            environment,
            state: state.to_owned(),
            storage: None,
            clock,
            progress: ProgressSink::silent(),
        }
    }
}

/// A running sandbox.
///
/// [`stop`](Self::stop) ends it and waits for the end. Dropping it ends its processes too, without waiting; so does the death of
/// the process that holds it.
#[derive(Debug)]
pub struct Sandbox {
    storage: gcs_emulator::Emulator,
    api: Emulator,
    runtime: Guard,
    user: String,
    folder: Folder,
}

impl Sandbox {
    /// Fetches the parts that are not there, cleans up what killed sandboxes left, and starts the two servers.
    ///
    /// No cluster exists yet: those are made through the API. Dropping the future leaves nothing running.
    ///
    /// # Errors
    /// When the machine lacks something, a part cannot be fetched, or a server cannot be opened.
    pub async fn start(options: SandboxOptions) -> Result<Self, SandboxError> {
        let SandboxOptions {
            environment,
            state,
            storage,
            clock,
            progress,
        } = options;
        let parts = Parts::ensure(&environment, Arc::clone(&clock), progress.clone()).await?;
        let folder = Folder::claim(&state.join("sandbox"), clock.as_ref(), &progress).await?;
        let root = storage.unwrap_or_else(|| folder.path.join("storage"));
        let storage = gcs_emulator::Emulator::start(gcs_emulator::Options::new(root))
            .await
            .map_err(|error| not_served("storage server", error))?;
        let runtime = Arc::new(SandboxRuntime::new(
            parts,
            folder.path.join(CLUSTERS),
            &environment.user,
            &storage.url(),
            clock,
            progress,
        ));
        let options = EmulatorOptions::default().storage(storage.url());
        let api = Emulator::start(runtime.clone(), options)
            .await
            .map_err(|error| not_served("Dataproc API", error))?;
        Ok(Self {
            storage,
            api,
            runtime: Guard(runtime),
            user: environment.user,
            folder,
        })
    }

    /// The endpoint of Dataproc's API, such as `http://127.0.0.1:8081`.
    #[must_use]
    pub fn dataproc_url(&self) -> String {
        self.api.url()
    }

    /// The endpoint of Compute Engine's API.
    #[must_use]
    pub fn compute_url(&self) -> String {
        self.api.url()
    }

    /// The endpoint of Cloud Storage's JSON API.
    #[must_use]
    pub fn storage_url(&self) -> String {
        self.storage.url()
    }

    /// The port of OpenSSH's server on every master: 22, or 2222 where this user may not bind that.
    #[must_use]
    pub fn ssh_port(&self) -> u16 {
        self.runtime.0.ssh_port()
    }

    /// The login name on every master: that of whoever runs the sandbox.
    #[must_use]
    pub fn login_user(&self) -> &str {
        &self.user
    }

    /// The API's own handle: its clock, its fault rules, its clusters.
    #[must_use]
    pub const fn api(&self) -> &Emulator {
        &self.api
    }

    /// The clusters' runtime: their processes, their commands.
    #[must_use]
    pub fn runtime(&self) -> &SandboxRuntime {
        &self.runtime.0
    }

    /// Makes a bucket; one that is there already is no error.
    ///
    /// # Errors
    /// When the storage server refuses it.
    pub fn ensure_bucket(&self, bucket: &BucketName) -> Result<(), SandboxError> {
        match self.storage.create_bucket(bucket.as_str()) {
            Ok(()) | Err(gcs_emulator::Failure::Conflict(_)) => Ok(()),
            Err(failure) => Err(SandboxError::Bucket {
                bucket: bucket.to_string(),
                detail: failure.to_string(),
            }),
        }
    }

    /// Ends every cluster and both servers, and removes the sandbox's folder.
    ///
    /// # Errors
    /// When a process cannot be ended or the folder cannot be removed; everything else is ended all the same.
    pub async fn stop(self) -> Result<(), SandboxError> {
        let Self {
            storage,
            api,
            runtime,
            folder,
            ..
        } = self;
        api.stop().await;
        let ended = runtime.0.end().await;
        storage.stop().await;
        ended?;
        remove(&folder.path)
    }
}

/// Ends the clusters' processes when the sandbox is dropped.
#[derive(Debug)]
struct Guard(Arc<SandboxRuntime>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.kill();
    }
}

fn not_served(
    server: &'static str,
    source: impl std::error::Error + Send + Sync + 'static,
) -> SandboxError {
    SandboxError::NotServed {
        server,
        source: Box::new(source),
    }
}

/// A sandbox's own folder, held by a lock that goes with the process.
#[derive(Debug)]
struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Cleans up after sandboxes that are gone, then makes a new folder below `all`.
    async fn claim(
        all: &Path,
        clock: &dyn Clock,
        progress: &ProgressSink,
    ) -> Result<Self, SandboxError> {
        make_closed(all)?;
        // While one sandbox looks and claims, another waits, so that no folder is seen before it is locked.
        let gate = Self::locked(&all.join(LOCK))?;
        gate.lock().map_err(SandboxError::file("lock", all))?;
        let mut number = 1;
        let entries = fs::read_dir(all).map_err(SandboxError::file("read", all))?;
        for entry in entries.flatten().filter(|entry| entry.path().is_dir()) {
            let old = entry.path();
            let name = entry.file_name();
            let taken = name.to_string_lossy().parse::<u32>().unwrap_or_default();
            let lock = Self::locked(&old.join(LOCK))?;
            if lock.try_lock().is_ok() {
                let processes = clean_up(&old, clock).await?;
                progress.tell(Progress::CleanedUp { processes });
            } else {
                number = number.max(taken + 1);
            }
        }
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

/// Ends what runs for the clusters below a sandbox's folder and removes the folder.
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
