//! A sandbox without real parts: the APIs over clusters that are nothing but names, or scripted machines.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dataproc_emulator::{Addresses, Emulator, ScriptedOptions, ScriptedRuntime};
use flinkproc_core::{BucketName, Clock};

use crate::cluster::remove;
use crate::error::SandboxError;
use crate::folder::{ALL, Folder};
use crate::progress::ProgressSink;
use crate::servers::{ServerOptions, Servers};

/// What a control plane is started with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ControlPlaneOptions {
    /// Below it, in `sandbox/`, each running sandbox has its folder.
    pub state: PathBuf,
    /// How the servers are opened.
    pub servers: ServerOptions,
    /// The port of the scripted machines' OpenSSH servers; without it clusters have no machines.
    pub machines: Option<u16>,
    /// The system's clock.
    pub clock: Arc<dyn Clock>,
    /// Takes what happens.
    pub progress: ProgressSink,
}

impl ControlPlaneOptions {
    /// Clusters that are nothing but names.
    #[must_use]
    pub fn new(state: &Path, clock: Arc<dyn Clock>) -> Self {
        Self {
            state: state.to_owned(),
            servers: ServerOptions::default(),
            machines: None,
            clock,
            progress: ProgressSink::silent(),
        }
    }
}

/// The APIs of a sandbox, ready at once and without Java; a job does on it what its script says and no more.
///
/// ```
/// # use std::{sync::Arc, time::Duration};
/// # use flinkproc_core::ManualClock;
/// use flinkproc_sandbox::{ControlPlane, ControlPlaneOptions};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let clock = Arc::new(ManualClock::eager("2026-11-22T12:00:00Z".parse()?));
/// let state = tempfile::tempdir()?;
/// let plane = ControlPlane::start(ControlPlaneOptions::new(state.path(), clock)).await?;
/// assert!(plane.api().url().starts_with("http://127.0.0.1:"));
/// plane.stop().await?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ControlPlane {
    servers: Servers,
    folder: Folder,
}

impl ControlPlane {
    /// Cleans up what killed sandboxes left and opens the servers.
    ///
    /// # Errors
    /// When a folder cannot be made or a server cannot be opened.
    pub async fn start(options: ControlPlaneOptions) -> Result<Self, SandboxError> {
        let all = options.state.join(ALL);
        let folder = Folder::claim(&all, options.clock.as_ref(), &options.progress).await?;
        let machines = options.machines;
        let runtime = |_: &str| {
            let mut scripted = ScriptedOptions::default();
            scripted.machines = machines.is_some();
            if let Some(ssh_port) = machines {
                scripted.addresses = Addresses::Own { ssh_port };
            }
            ScriptedRuntime::new(scripted)
        };
        let opened = Servers::open(&options.servers, &folder.path, runtime).await;
        match opened {
            Ok((servers, _)) => Ok(Self { servers, folder }),
            Err(error) => {
                // The failure that matters is the first one.
                remove(&folder.path).ok();
                Err(error)
            }
        }
    }

    /// The API's own handle: its address, its clock, its fault rules, its clusters.
    #[must_use]
    pub const fn api(&self) -> &Emulator {
        &self.servers.api
    }

    /// The endpoint of Cloud Storage's JSON API.
    #[must_use]
    pub fn storage_url(&self) -> String {
        self.servers.storage.url()
    }

    /// The folder in which it keeps what is its own.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder.path
    }

    /// Makes a bucket; one that is there already is no error.
    ///
    /// # Errors
    /// When the storage server refuses it.
    pub fn ensure_bucket(&self, bucket: &BucketName) -> Result<(), SandboxError> {
        self.servers.ensure_bucket(bucket)
    }

    /// Ends every cluster and both servers, and removes the folder.
    ///
    /// # Errors
    /// When the folder cannot be removed; everything else is ended all the same.
    pub async fn stop(self) -> Result<(), SandboxError> {
        self.servers.api.stop().await;
        self.servers.storage.stop().await;
        remove(&self.folder.path)
    }
}
