//! The traits [`Connect`] and [`RemoteShell`] and their values.

use std::fmt::{self, Debug};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::command::RemoteCommand;
use crate::error::ShellError;
use crate::identity::Identity;
use crate::known_hosts::HostKeyPolicy;

/// Opens connections.
#[async_trait]
pub trait Connect: Debug + Send + Sync + 'static {
    /// Opens a connection to `target`. Dropping the shell closes it; what it started with `setsid` lives on.
    async fn connect(&self, target: &SshTarget) -> Result<Arc<dyn RemoteShell>, ShellError>;

    /// The same over a stream that leads to the target's SSH server already, such as one through Identity-Aware Proxy. The
    /// target's host and port are names then, and its jumps are not made.
    async fn connect_over(
        &self,
        target: &SshTarget,
        stream: Box<dyn ByteStream>,
    ) -> Result<Arc<dyn RemoteShell>, ShellError>;
}

/// A stream of bytes, both ways.
pub trait ByteStream: AsyncRead + AsyncWrite + Debug + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Debug + Send + Unpin + ?Sized> ByteStream for T {}

/// A place to connect to.
#[derive(Clone, Debug)]
pub struct SshTarget {
    /// Name or address of the host.
    pub host: String,
    /// The port, usually 22.
    pub port: u16,
    /// The login name.
    pub user: String,
    /// The key that opens the door.
    pub identity: Identity,
    /// Which host keys are believed.
    pub host_keys: HostKeyPolicy,
    /// Hosts to go through, the first one first; each is entered with its own key and its own host key is judged. Only the last
    /// one has to know a way to the target.
    pub jumps: Vec<SshTarget>,
    /// How long opening the connection may take; the connector's own limit when absent.
    pub connect_timeout: Option<Duration>,
}

/// A connection to a host: many commands and files share it, side by side.
#[async_trait]
pub trait RemoteShell: Debug + Send + Sync + 'static {
    /// Runs a command to its end and keeps what it said.
    ///
    /// As idempotent as the command. [`ShellError::OutcomeUnknown`] when the connection broke after the command was sent.
    async fn run(&self, command: &RemoteCommand) -> Result<Output, ShellError>;

    /// Starts a command whose output is read while it runs. Dropping the process closes its channel; the remote process may live on.
    async fn spawn(&self, command: &RemoteCommand) -> Result<Box<dyn RemoteProcess>, ShellError>;

    /// Writes a file: first beside `to` under another name, then renamed, so that `to` is whole or absent. Idempotent.
    async fn upload(&self, content: &Content, to: &str, mode: FileMode) -> Result<(), ShellError>;

    /// Reads a file into a local one, bounded in memory. Idempotent.
    async fn download(&self, from: &str, to: &Path) -> Result<u64, ShellError>;

    /// Listens on a free loopback port and carries each connection to `host:port` as seen from the remote host.
    /// Dropping the forward ends it.
    async fn forward(&self, host: &str, port: u16) -> Result<Forward, ShellError>;
}

/// A remote process whose output is read piece by piece.
#[async_trait]
pub trait RemoteProcess: Debug + Send + 'static {
    /// The next piece; `None` after [`ProcessEvent::Exited`] was handed out.
    async fn next(&mut self) -> Result<Option<ProcessEvent>, ShellError>;
}

/// What a remote process said or did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProcessEvent {
    /// Bytes on standard output.
    Stdout(Bytes),
    /// Bytes on standard error.
    Stderr(Bytes),
    /// The end; nothing follows.
    Exited(ExitStatus),
}

/// How a remote command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// With a status; 0 is success.
    Code(u32),
    /// By a signal, named without `SIG`, such as `TERM`.
    Signal(String),
}

impl ExitStatus {
    /// Whether the status is 0.
    #[must_use]
    pub const fn success(&self) -> bool {
        matches!(self, Self::Code(0))
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "status {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// What a command said, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// Everything on standard output.
    pub stdout: Bytes,
    /// Everything on standard error.
    pub stderr: Bytes,
}

impl Output {
    /// Reads a process to its end and keeps what it says.
    ///
    /// # Errors
    /// As [`RemoteProcess::next`].
    pub async fn collect(process: &mut dyn RemoteProcess) -> Result<Self, ShellError> {
        let (mut stdout, mut stderr) = (BytesMut::new(), BytesMut::new());
        while let Some(event) = process.next().await? {
            match event {
                ProcessEvent::Stdout(bytes) => stdout.extend_from_slice(&bytes),
                ProcessEvent::Stderr(bytes) => stderr.extend_from_slice(&bytes),
                ProcessEvent::Exited(status) => {
                    return Ok(Self {
                        status,
                        stdout: stdout.freeze(),
                        stderr: stderr.freeze(),
                    });
                }
            }
        }
        Err(ShellError::OutcomeUnknown {
            source: "the process said nothing of its end".into(),
        })
    }
}

/// What is to be written to the remote host.
#[derive(Clone, Debug)]
pub enum Content {
    /// A local file, read while it is sent.
    File(PathBuf),
    /// Bytes in memory.
    Bytes(Bytes),
}

/// Permission bits of a file, such as `0o600`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileMode(pub u32);

/// A local door to a remote port; dropping it closes the door.
#[derive(Debug)]
pub struct Forward {
    address: SocketAddr,
    _guard: Box<dyn Guard>,
}

/// Whatever has to live as long as a [`Forward`]; its `Drop` ends the forwarding.
pub trait Guard: Debug + Send + Sync {}
impl<T: Debug + Send + Sync> Guard for T {}

impl Forward {
    /// Wraps the loopback address that is listened on, and what ends the listening when dropped.
    pub fn new(address: SocketAddr, guard: impl Guard + 'static) -> Self {
        Self {
            address,
            _guard: Box::new(guard),
        }
    }

    /// The loopback address to connect to.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}
