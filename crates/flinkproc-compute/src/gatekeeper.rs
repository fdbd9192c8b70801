//! The trait [`Gatekeeper`] and its values.

use std::fmt::Debug;
use std::net::IpAddr;

use async_trait::async_trait;
use flinkproc_core::MachineRef;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::error::GateError;

/// Where a machine is, and who may enter it.
#[async_trait]
pub trait Gatekeeper: Debug + Send + Sync + 'static {
    /// Reads a machine; `None` when there is none of that name. Idempotent.
    async fn find(&self, machine: &MachineRef) -> Result<Option<Machine>, GateError>;

    /// Lets a public key in until a time, by the key's [`Door`], and answers the login name that it opens: the key's own where
    /// the metadata decides, that of the caller's profile where OS Login does.
    ///
    /// Idempotent for one key; the keys of others are kept, ours that have expired are taken out. If the answer is lost, call
    /// again. A key for the metadata is refused with [`GateError::OsLoginRequired`] where the machine does not read it.
    async fn admit(&self, machine: &MachineRef, key: &AdmittedKey) -> Result<String, GateError>;

    /// Takes a public key out again, by the key's [`Door`]; also when it, or the machine, is gone. Idempotent.
    async fn expel(&self, machine: &MachineRef, key: &AdmittedKey) -> Result<(), GateError>;

    /// The host keys that the machine has published, as OpenSSH public key lines; empty where it publishes none. Idempotent.
    async fn host_keys(&self, machine: &MachineRef) -> Result<Vec<String>, GateError>;

    /// Opens a stream to a port of the machine through Identity-Aware Proxy, which needs no way to the machine's network.
    ///
    /// Each call is a connection of its own, so it may be repeated; dropping the stream closes it. A relay that breaks off is
    /// gone back to without loss where the service still knows the stream. One attempt: who waits for a machine repeats while
    /// [`GateError::is_typical_of_young_machines`].
    async fn open_tunnel(
        &self,
        machine: &MachineRef,
        port: u16,
    ) -> Result<Box<dyn Tunnel>, GateError>;
}

/// A stream of bytes to a port of a machine, both ways.
pub trait Tunnel: AsyncRead + AsyncWrite + Debug + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Debug + Send + Unpin> Tunnel for T {}

/// Who decides whether a key opens a machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Door {
    /// The machine's metadata.
    #[default]
    Metadata,
    /// The caller's OS Login profile, which counts on every machine that the caller may enter.
    OsLogin,
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
    /// may not be read, in which case [`Gatekeeper::admit`] is refused by the metadata.
    pub os_login: bool,
}

impl Machine {
    /// Who decides whether a key opens this machine.
    #[must_use]
    pub const fn door(&self) -> Door {
        if self.os_login {
            Door::OsLogin
        } else {
            Door::Metadata
        }
    }
}

/// A key that may enter until a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdmittedKey {
    /// The login name; OS Login has its own and does not look at this one.
    pub user: String,
    /// The public key as OpenSSH writes it: `ssh-ed25519 AAAA…`, without a comment.
    pub public_key: String,
    /// When it stops being accepted.
    pub expires: Timestamp,
    /// Who is to accept it.
    #[serde(default)]
    pub door: Door,
}
