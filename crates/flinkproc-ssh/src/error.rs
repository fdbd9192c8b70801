//! [`ShellError`]: what can go wrong between this machine and a host, by what the caller can do about it.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use flinkproc_core::{ErrorCode, Explain, FailureKind, RetryHint};

/// A cause from below whose type is nobody's business.
pub type Cause = Box<dyn Error + Send + Sync>;

/// A connection, a command or a transfer that failed.
///
/// While a machine is young, [`Unreachable`](Self::Unreachable), [`NoAnswer`](Self::NoAnswer), [`Refused`](Self::Refused),
/// [`Handshake`](Self::Handshake) and [`Denied`](Self::Denied) are part of its coming up: try again until a deadline of your
/// own. [`OutcomeUnknown`](Self::OutcomeUnknown) is the only one after which a command may have run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShellError {
    /// A command that no shell can run; nothing was sent.
    #[error("the command {problem}")]
    InvalidCommand {
        /// What is wrong with it.
        problem: &'static str,
    },

    /// The host's name is not known, or there is no way to its address.
    #[error("cannot reach {host}:{port}")]
    Unreachable {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// What the system said.
        source: io::Error,
    },

    /// The host said nothing in the time given.
    #[error("{host}:{port} did not answer within {limit:?}")]
    NoAnswer {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// How long was waited.
        limit: Duration,
    },

    /// The machine is there, but nothing listens on the port.
    #[error("{host}:{port} refused the connection")]
    Refused {
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },

    /// Somebody listens, but the connection ended before it was secured.
    #[error("the SSH handshake with {host}:{port} failed")]
    Handshake {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// What the protocol said.
        source: Cause,
    },

    /// The host does not let this user in with this key.
    #[error("{host} does not let `{user}` in with {identity}")]
    Denied {
        /// The host.
        host: String,
        /// The login name.
        user: String,
        /// Which key was shown, in words.
        identity: String,
    },

    /// The host shows another key than the one pinned for it.
    #[error("the host key of `{alias}` changed: {pinned} is pinned, {presented} was shown")]
    HostKeyChanged {
        /// The name the key is pinned under.
        alias: String,
        /// Fingerprint of the pinned key.
        pinned: String,
        /// Fingerprint of the key that was shown.
        presented: String,
        /// The file with the pinned key.
        file: PathBuf,
    },

    /// The host shows a key that is none of those it should have.
    #[error("the host key {presented} is none of those expected")]
    HostKeyUnexpected {
        /// Fingerprint, or kind, of the key that was shown.
        presented: String,
    },

    /// The user's known-hosts files do not know a host that they are to vouch for.
    #[error("the host key of `{host}` is not known: {presented} was shown")]
    HostKeyUnknown {
        /// The host.
        host: String,
        /// Fingerprint of the key that was shown.
        presented: String,
    },

    /// The user's SSH configuration cannot be followed.
    #[error("the SSH configuration {} {problem}", .file.display())]
    Config {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        problem: String,
    },

    /// The known-hosts file cannot be used.
    #[error("the known-hosts file {} {problem}", .file.display())]
    KnownHosts {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        problem: String,
    },

    /// The user's private key cannot be used.
    #[error("the private key {} {problem}", .file.display())]
    UnusableKey {
        /// The key file.
        file: PathBuf,
        /// What is wrong.
        problem: String,
    },

    /// The user's private key is locked with a passphrase.
    #[error("the private key {} is encrypted", .file.display())]
    EncryptedKey {
        /// The key file.
        file: PathBuf,
    },

    /// No key can be had from the SSH agent.
    #[error("the SSH agent at {} {problem}", .socket.display())]
    Agent {
        /// The agent's socket.
        socket: PathBuf,
        /// What is wrong.
        problem: String,
    },

    /// The system gave no random numbers for a key or a file name.
    #[error("the system gave no random numbers")]
    NoRandomness {
        /// What the system said.
        source: Cause,
    },

    /// The command was not started: the host took no more of them, or the connection was already gone.
    #[error("the command was not started")]
    NotStarted {
        /// Why.
        source: Cause,
    },

    /// The command was sent and the connection broke before it was known how it ended.
    #[error("the connection broke after the command was sent")]
    OutcomeUnknown {
        /// Why.
        source: Cause,
    },

    /// The connection broke during something that may simply be done again.
    #[error("the connection broke during {during}")]
    ConnectionLost {
        /// What was going on, such as `an upload`.
        during: &'static str,
        /// Why.
        source: Cause,
    },

    /// There is no such file on the host.
    #[error("there is no file `{path}` on the host")]
    RemoteFileMissing {
        /// The file, as it was asked for.
        path: String,
    },

    /// The host could not read or write a file.
    #[error("the host cannot {action} `{path}`: {problem}")]
    RemoteFile {
        /// `read` or `write`.
        action: &'static str,
        /// The file, as it was asked for.
        path: String,
        /// What the host said.
        problem: String,
    },

    /// A file of this machine cannot be read or written.
    #[error("cannot {action} {}", .path.display())]
    LocalFile {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// This machine gives no loopback port or shell.
    #[error("this machine cannot {action}")]
    LocalMachine {
        /// What it was asked to do.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl ShellError {
    /// Whether a machine that is still coming up fails like this.
    ///
    /// ```
    /// # use flinkproc_ssh::ShellError;
    /// let error = ShellError::Refused { host: "10.0.0.2".to_owned(), port: 22 };
    /// assert!(error.is_typical_of_young_machines());
    /// ```
    #[must_use]
    pub const fn is_typical_of_young_machines(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::NoAnswer { .. }
                | Self::Refused { .. }
                | Self::Handshake { .. }
                | Self::Denied { .. }
        )
    }
}

impl Explain for ShellError {
    fn code(&self) -> ErrorCode {
        ErrorCode::new(match self {
            Self::InvalidCommand { .. } => "SSH001",
            Self::Unreachable { .. } => "SSH002",
            Self::NoAnswer { .. } => "SSH003",
            Self::Refused { .. } => "SSH004",
            Self::Handshake { .. } => "SSH005",
            Self::Denied { .. } => "SSH006",
            Self::HostKeyChanged { .. } => "SSH007",
            Self::HostKeyUnexpected { .. } => "SSH008",
            Self::KnownHosts { .. } => "SSH009",
            Self::UnusableKey { .. } => "SSH010",
            Self::EncryptedKey { .. } => "SSH011",
            Self::Agent { .. } => "SSH012",
            Self::NoRandomness { .. } => "SSH013",
            Self::NotStarted { .. } => "SSH014",
            Self::OutcomeUnknown { .. } => "SSH015",
            Self::ConnectionLost { .. } => "SSH016",
            Self::RemoteFileMissing { .. } => "SSH017",
            Self::RemoteFile { .. } => "SSH018",
            Self::LocalFile { .. } => "SSH019",
            Self::LocalMachine { .. } => "SSH020",
            Self::HostKeyUnknown { .. } => "SSH021",
            Self::Config { .. } => "SSH022",
        })
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::InvalidCommand { .. }
            | Self::KnownHosts { .. }
            | Self::HostKeyUnknown { .. }
            | Self::Config { .. }
            | Self::UnusableKey { .. }
            | Self::EncryptedKey { .. }
            | Self::LocalFile { .. } => FailureKind::Input,
            Self::Denied { .. } | Self::Agent { .. } => FailureKind::Credentials,
            Self::Unreachable { .. }
            | Self::NoAnswer { .. }
            | Self::Refused { .. }
            | Self::Handshake { .. }
            | Self::HostKeyChanged { .. }
            | Self::HostKeyUnexpected { .. }
            | Self::NotStarted { .. }
            | Self::ConnectionLost { .. } => FailureKind::Cluster,
            Self::RemoteFileMissing { .. } | Self::RemoteFile { .. } => FailureKind::Submission,
            Self::OutcomeUnknown { .. } => FailureKind::Unknown,
            Self::NoRandomness { .. } | Self::LocalMachine { .. } => FailureKind::Internal,
        }
    }

    fn retry(&self) -> RetryHint {
        match self {
            Self::OutcomeUnknown { .. } => RetryHint::CheckFirst,
            Self::NotStarted { .. } | Self::ConnectionLost { .. } => RetryHint::Safe,
            other if other.is_typical_of_young_machines() => RetryHint::Safe,
            _ => RetryHint::Never,
        }
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::InvalidCommand { .. } => {
                "Put what is long or binary into a file, upload it, and name the file in the command."
            }
            Self::Unreachable { .. } => {
                "Check the host's name, and that this machine has a way to its network (external address, VPN or IAP)."
            }
            Self::NoAnswer { .. } => {
                "A firewall that drops packets looks like this: allow TCP port 22 from here to the machine, \
                 or use its other address."
            }
            Self::Refused { .. } => {
                "The machine is up, its SSH server is not: while it boots, wait; later, check the port."
            }
            Self::Handshake { .. } => {
                "While a machine boots this passes; later, check that an SSH server answers on that port."
            }
            Self::Denied { .. } => {
                "A key that was let in a moment ago takes some seconds to arrive on the machine; \
                 after that, check the login name and whether OS Login decides who enters."
            }
            Self::HostKeyChanged { file, alias, .. } => {
                return Some(format!(
                    "Nothing was sent. Either the machine was made anew under the same identity, or somebody is in between. \
                     Compare the fingerprint with the machine's serial console; if it is right, remove the line `{alias}` from {}.",
                    file.display()
                ));
            }
            Self::HostKeyUnexpected { .. } => {
                "Nothing was sent. Compare the fingerprint with the machine's serial console or guest attributes."
            }
            Self::HostKeyUnknown { .. } => {
                "Nothing was sent. Connect to it once with `ssh` and compare the fingerprint, so that your known_hosts file holds it."
            }
            Self::Config { .. } => {
                "Change the line, or give what it says in the spec's section [ssh] and leave `ssh.config` out."
            }
            Self::KnownHosts { .. } => {
                "Repair or remove the file; without it the first key that a host shows is pinned again."
            }
            Self::UnusableKey { .. } => {
                "An ed25519 or ECDSA key is read from a file; an RSA key works through an SSH agent (`ssh-add`)."
            }
            Self::EncryptedKey { .. } => {
                "Unlock it into an SSH agent with `ssh-add` and choose the agent, or let an ephemeral key be made."
            }
            Self::Agent { .. } => {
                "Start an agent and add a key with `ssh-add`, or let an ephemeral key be made."
            }
            Self::NoRandomness { .. } => "The operating system's random number source has to work.",
            Self::NotStarted { .. } => "Connect again and repeat the command.",
            Self::OutcomeUnknown { .. } => {
                "The command may have run, or still be running: connect again and look before it is repeated."
            }
            Self::ConnectionLost { .. } => {
                "Connect again and repeat: no half-written file is left in the file's place."
            }
            Self::RemoteFileMissing { .. } => {
                "Relative paths start at the login directory; `~` is not expanded."
            }
            Self::RemoteFile { .. } => {
                "Check that the folder exists, who may write there, and that the disk is not full."
            }
            Self::LocalFile { .. } => {
                "Check that the file or its folder exists and who may use it."
            }
            Self::LocalMachine { .. } => {
                "Check the limits of this machine: open files, processes, loopback ports."
            }
        };
        Some(help.to_owned())
    }
}
