//! The two servers in front of a sandbox's clusters: Cloud Storage, and everything else that a deployment calls.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dataproc_emulator::runtime::ClusterRuntime;
use dataproc_emulator::{Emulator, EmulatorOptions, FaultRule};
use flinkproc_core::{BucketName, Secret};

use crate::error::SandboxError;

/// How the servers are opened.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ServerOptions {
    /// The port of the API; 0 for any free one.
    pub port: u16,
    /// The port of the storage server; 0 for any free one.
    pub storage_port: u16,
    /// Where the storage server keeps its objects; in the sandbox's own folder, and gone with it, when `None`.
    pub storage: Option<PathBuf>,
    /// What every call must bring; without it every local user may call.
    pub token: Option<Secret<String>>,
    /// The login name of the machines, which OS Login gives every account; derived from the account when `None`.
    pub login_user: Option<String>,
    /// A file of rules by which calls go wrong, as JSON; each server takes those that it knows.
    pub faults: Option<PathBuf>,
}

/// Both servers.
#[derive(Debug)]
pub(crate) struct Servers {
    pub(crate) storage: gcs_emulator::Emulator,
    pub(crate) api: Emulator,
}

impl Servers {
    /// Opens the storage server, has the runtime made for it, and opens the API in front of that.
    pub(crate) async fn open<R: ClusterRuntime>(
        options: &ServerOptions,
        folder: &Path,
        runtime: impl FnOnce(&str) -> R,
    ) -> Result<(Self, Arc<R>), SandboxError> {
        let rules = options.faults.as_deref().map(Rules::read).transpose()?;
        let rules = rules.unwrap_or_default();
        let root = options.storage.clone();
        let root = root.unwrap_or_else(|| folder.join("storage"));
        let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut wish = gcs_emulator::Options::new(root).listen(at(options.storage_port));
        if let Some(token) = &options.token {
            wish = wish.token(token.reveal());
        }
        wish = wish.faults(rules.storage);
        let storage = gcs_emulator::Emulator::start(wish)
            .await
            .map_err(|error| not_served("storage server", error))?;
        let runtime = Arc::new(runtime(&storage.url()));
        let mut wish = EmulatorOptions::default()
            .listen(at(options.port))
            .storage(storage.url());
        if let Some(token) = &options.token {
            wish = wish.token(token.reveal());
        }
        wish.login_user = options.login_user.clone();
        wish.ca_folder = Some(folder.to_owned());
        let api = Emulator::start(runtime.clone(), wish)
            .await
            .map_err(|error| not_served("Dataproc API", error))?;
        for rule in rules.api {
            api.faults().add(rule);
        }
        Ok((Self { storage, api }, runtime))
    }

    pub(crate) fn ensure_bucket(&self, bucket: &BucketName) -> Result<(), SandboxError> {
        match self.storage.create_bucket(bucket.as_str()) {
            Ok(()) | Err(gcs_emulator::Failure::Conflict(_)) => Ok(()),
            Err(failure) => Err(SandboxError::Bucket {
                bucket: bucket.to_string(),
                detail: failure.to_string(),
            }),
        }
    }
}

/// Fault rules of both servers: the effects on answers are the same, those on clusters the API's alone.
#[derive(Debug, Default)]
struct Rules {
    api: Vec<FaultRule>,
    storage: Vec<gcs_emulator::FaultRule>,
}

impl Rules {
    fn read(path: &Path) -> Result<Self, SandboxError> {
        let text = fs::read(path).map_err(SandboxError::file("read the fault rules", path))?;
        let wrong = |source| SandboxError::FaultRules {
            path: path.to_owned(),
            source,
        };
        let values: Vec<serde_json::Value> = serde_json::from_slice(&text).map_err(wrong)?;
        let mut rules = Self::default();
        for value in values {
            rules
                .storage
                .extend(serde_json::from_value::<gcs_emulator::FaultRule>(
                    value.clone(),
                ));
            rules
                .api
                .push(serde_json::from_value(value).map_err(wrong)?);
        }
        Ok(rules)
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
