//! The whole sandbox: storage server, API and clusters, started and ended as one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dataproc_emulator::Emulator;
use flinkproc_core::{BucketName, Clock};

use crate::cluster::remove;
use crate::error::SandboxError;
use crate::folder::{ALL, CLUSTERS, Folder};
use crate::parts::Parts;
use crate::prerequisites::Environment;
use crate::progress::ProgressSink;
use crate::runtime::SandboxRuntime;
use crate::servers::{ServerOptions, Servers};

/// What a sandbox is started with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SandboxOptions {
    /// The values of the process environment that it needs.
    pub environment: Environment,
    /// Below it, in `sandbox/`, each running sandbox has its folder.
    pub state: PathBuf,
    /// How the servers are opened.
    pub servers: ServerOptions,
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
            servers: ServerOptions::default(),
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
    servers: Servers,
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
            servers,
            clock,
            progress,
        } = options;
        let parts = Parts::ensure(&environment, Arc::clone(&clock), progress.clone()).await?;
        let folder = Folder::claim(&state.join(ALL), clock.as_ref(), &progress).await?;
        let (clusters, user) = (folder.path.join(CLUSTERS), environment.user.as_str());
        let runtime =
            |storage: &str| SandboxRuntime::new(parts, clusters, user, storage, clock, progress);
        match Servers::open(&servers, &folder.path, runtime).await {
            Ok((servers, runtime)) => Ok(Self {
                servers,
                runtime: Guard(runtime),
                user: environment.user,
                folder,
            }),
            Err(error) => {
                // The failure that matters is the first one.
                remove(&folder.path).ok();
                Err(error)
            }
        }
    }

    /// The endpoint of Dataproc's API, such as `http://127.0.0.1:8081`.
    #[must_use]
    pub fn dataproc_url(&self) -> String {
        self.servers.api.url()
    }

    /// The endpoint of Compute Engine's API.
    #[must_use]
    pub fn compute_url(&self) -> String {
        self.servers.api.url()
    }

    /// The endpoint of Cloud Storage's JSON API.
    #[must_use]
    pub fn storage_url(&self) -> String {
        self.servers.storage.url()
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
        &self.servers.api
    }

    /// The folder in which it keeps what is its own: each cluster's below `clusters/`, objects below `storage/`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder.path
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
        self.servers.ensure_bucket(bucket)
    }

    /// Ends every cluster and both servers, and removes the sandbox's folder.
    ///
    /// # Errors
    /// When a process cannot be ended or the folder cannot be removed; everything else is ended all the same.
    pub async fn stop(self) -> Result<(), SandboxError> {
        let Self {
            servers,
            runtime,
            folder,
            ..
        } = self;
        servers.api.stop().await;
        let ended = runtime.0.end().await;
        servers.storage.stop().await;
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
