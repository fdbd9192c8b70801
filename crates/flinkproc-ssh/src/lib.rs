//! An SSH connection to any host: run, spawn, upload, download and forward, over one multiplexed connection.
//!
//! The crate knows hosts, not clouds. It quotes: this is the only place where an argument becomes shell text, and an argument
//! arrives on the host byte for byte. It tells "never started" from "outcome unknown", because only one of them may be
//! repeated.
//!
//! It refuses to: look for keys, agents or known hosts by itself (paths are given); change `~/.ssh`, or use it unasked; believe a host key
//! that changed; ask for a passphrase or password; forward an agent; retry; listen beyond loopback; write a private key to
//! disk.
//!
//! ```
//! use flinkproc_ssh::{Answer, Content, FileMode, RemoteCommand, RemoteShell, ScriptedShell};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), flinkproc_ssh::ShellError> {
//! // A host in memory; `RusshConnector` opens a real one with the same trait.
//! let shell = ScriptedShell::new();
//! shell.on_program("flink", Answer::ok().stdout("Version: 1.20.1\n"));
//!
//! let script = Content::Bytes("print('hello')".into());
//! shell.upload(&script, "jobs/my etl.py", FileMode(0o600)).await?;
//! let output = shell.run(&RemoteCommand::new("flink").arg("--version")).await?;
//! assert!(output.status.success());
//! # Ok(())
//! # }
//! ```
//!
//! In reading order: [`shell`] (the traits [`Connect`] and [`RemoteShell`], their values), [`command`] and [`quote`](mod@quote) (what is run),
//! [`identity`] (whose key), [`known_hosts`] (which hosts), [`error`] (what goes wrong), [`local`] (this machine as a host),
//! [`scripted`] (a host in memory), `faulty` (failures on demand), `russh_connect` and `russh_shell` (real connections, feature
//! `client`, on by default), [`ssh_config`] (what the user's configuration says of a host), `prompt_stream` (their TCP), `transfer` (the
//! lines behind uploads), `part_file` and `abort_on_drop` (what cleans up after itself), `contract` (the suite that every
//! implementation passes, feature `contract`).

mod abort_on_drop;
pub mod command;
#[cfg(any(feature = "contract", test))]
pub mod contract;
pub mod error;
mod faulty;
pub mod identity;
pub mod known_hosts;
pub mod local;
mod part_file;
#[cfg(feature = "client")]
mod prompt_stream;
pub mod quote;
#[cfg(feature = "client")]
pub mod russh_connect;
#[cfg(feature = "client")]
pub mod russh_shell;
pub mod scripted;
pub mod shell;
pub mod ssh_config;
#[cfg(feature = "client")]
mod transfer;

pub use command::RemoteCommand;
pub use error::ShellError;
pub use identity::{EphemeralKey, Identity};
pub use known_hosts::{HostKey, HostKeyPolicy, InvalidHostKey, Verdict};
pub use local::LocalShell;
pub use quote::{quote, quote_line};
#[cfg(feature = "client")]
pub use russh_connect::{ConnectOptions, RusshConnector};
#[cfg(feature = "client")]
pub use russh_shell::RusshShell;
pub use scripted::{Answer, ScriptedConnector, ScriptedFile, ScriptedFiles, ScriptedShell};
pub use shell::{
    ByteStream, Connect, Content, ExitStatus, FileMode, Forward, Guard, Output, ProcessEvent,
    RemoteProcess, RemoteShell, SshTarget,
};
pub use ssh_config::{HostSettings, JumpLogin, SshConfig};
