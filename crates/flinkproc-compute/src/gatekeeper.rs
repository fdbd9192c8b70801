//! The trait [`Gatekeeper`] and its values.

use std::fmt::Debug;
use std::net::IpAddr;

use async_trait::async_trait;
use flinkproc_core::MachineRef;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::GateError;

/// Where a machine is, and who may enter it.
#[async_trait]
pub trait Gatekeeper: Debug + Send + Sync + 'static {
    /// Reads a machine; `None` when there is none of that name. Idempotent.
    async fn find(&self, machine: &MachineRef) -> Result<Option<Machine>, GateError>;

    /// Lets a public key in until a time.
    ///
    /// Idempotent for one key; the keys of others are kept, ours that have expired are taken out. If the answer is lost, call
    /// again. Refused with [`GateError::OsLoginRequired`] where the machine does not read keys from its metadata.
    async fn admit(&self, machine: &MachineRef, key: &AdmittedKey) -> Result<(), GateError>;

    /// Takes a public key out again; also when it, or the machine, is gone. Idempotent.
    async fn expel(&self, machine: &MachineRef, key: &AdmittedKey) -> Result<(), GateError>;

    /// The host keys that the machine has published, as OpenSSH public key lines; empty where it publishes none. Idempotent.
    async fn host_keys(&self, machine: &MachineRef) -> Result<Vec<String>, GateError>;
}

/// A machine as the service sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Which machine.
    pub machine: MachineRef,
    /// The service's number for it.
    pub id: String,
    /// Its state, in the service's own word, such as `RUNNING`.
    pub status: String,
    /// Its address inside the network.
    pub internal: Option<IpAddr>,
    /// Its address outside, where it has one.
    pub external: Option<IpAddr>,
    /// Whether OS Login decides who enters (from the instance's metadata, else the project's); `false` also where the project's
    /// may not be read, in which case [`Gatekeeper::admit`] is refused.
    pub os_login: bool,
}

/// A key that may enter until a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdmittedKey {
    /// The login name.
    pub user: String,
    /// The public key as OpenSSH writes it: `ssh-ed25519 AAAA…`, without a comment.
    pub public_key: String,
    /// When it stops being accepted.
    pub expires: Timestamp,
}
