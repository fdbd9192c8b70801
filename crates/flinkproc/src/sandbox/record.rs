//! What a sandbox that stays was asked to be, and what it says of itself once it is.

use std::path::{Path, PathBuf};

use flinkproc_core::Secret;
use flinkproc_sandbox::machine::ProcessRef;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::clients::Endpoints;
use crate::error::AppError;

/// What its clusters are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// YARN, Flink and OpenSSH.
    Real,
    /// Names alone.
    ControlPlane,
    /// Names, each with a scripted machine.
    ScriptedMachines,
}

impl Kind {
    /// The flags that ask for it.
    pub(crate) const fn flags(self) -> &'static str {
        match self {
            Self::Real => "a real one",
            Self::ControlPlane => "--control-plane-only",
            Self::ScriptedMachines => "--control-plane-only --scripted-machines",
        }
    }
}

/// What a sandbox is to be; paths are absolute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wish {
    pub(crate) kind: Kind,
    pub(crate) port: u16,
    pub(crate) storage_port: u16,
    pub(crate) storage_root: Option<PathBuf>,
    pub(crate) faults: Option<PathBuf>,
    /// Whether it asks for the token.
    pub(crate) closed: bool,
    /// Where a token lies. One that is not asked for is there too: gcloud's tunnel does not go without.
    pub(crate) token_file: PathBuf,
}

impl Wish {
    /// The token that it asks for.
    pub(crate) fn token(&self) -> Result<Option<Secret<String>>, AppError> {
        self.closed
            .then(|| read_token(&self.token_file))
            .transpose()
    }
}

/// A sandbox that runs, as its own process wrote it down. No secret is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) name: String,
    pub(crate) pid: u32,
    /// When the process started, in clock ticks since the machine did: tells it from a later one with the same id.
    pub(crate) started: u64,
    pub(crate) since: Timestamp,
    pub(crate) wish: Wish,
    pub(crate) dataproc: String,
    pub(crate) compute: String,
    pub(crate) storage: String,
    /// The address of the tunnel into machines, and the authority that its certificate is signed by.
    pub(crate) iap: Tunnel,
    /// The port of OpenSSH's server on every master, where there are machines.
    pub(crate) ssh_port: Option<u16>,
    pub(crate) login_user: String,
    /// Its own folder, gone when it ends.
    pub(crate) folder: PathBuf,
}

/// Identity-Aware Proxy's place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tunnel {
    pub(crate) url: String,
    pub(crate) ca_file: PathBuf,
}

impl Record {
    pub(crate) const fn process(&self) -> ProcessRef {
        ProcessRef {
            pid: self.pid,
            started: self.started,
        }
    }

    /// Whether the process that wrote this runs.
    pub(crate) fn is_alive(&self) -> bool {
        self.process().is_alive()
    }

    /// The token that it asks for.
    pub(crate) fn token(&self) -> Result<Option<Secret<String>>, AppError> {
        self.wish.token()
    }

    /// Where its services are.
    pub(crate) fn endpoints(&self) -> Result<Endpoints, AppError> {
        let token = self.token()?;
        Ok(Endpoints {
            dataproc: Some(self.dataproc.clone()),
            compute: Some(self.compute.clone()),
            storage: Some(self.storage.clone()),
            iap: Some(self.iap.url.clone()),
            iap_ca: Some(self.iap.ca_file.clone()),
            // Nobody could be asked whose the token is.
            account: Some(super::ACCOUNT.to_owned()),
            anonymous: token.is_none(),
            token,
            ..Endpoints::default()
        })
    }
}

/// Reads the file in which a token stands alone.
pub(crate) fn read_token(path: &Path) -> Result<Secret<String>, AppError> {
    let text = std::fs::read_to_string(path).map_err(AppError::file("the token", path))?;
    Ok(Secret::new(text.trim().to_owned()))
}
