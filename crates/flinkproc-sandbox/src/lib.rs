//! A Dataproc on this machine with real YARN, Flink and OpenSSH.
//!
//! [`Sandbox::start`] looks what the machine has, fetches the parts that are not in the user's cache (YARN by Maven, Flink by
//! pip), and opens the two servers of a Google Cloud in small: Cloud Storage and the Dataproc and Compute APIs. A cluster that is
//! made through the API is a ResourceManager, NodeManagers and OpenSSH's server on a loopback address of its own.
//!
//! It refuses to listen on any address but loopback, to let anybody in without a key that the API was told of, to leave a process
//! behind, and to take an interrupted download for whole. It does not read the environment: [`Environment`] brings what it needs.
//!
//! ```
//! use flinkproc_sandbox::{Environment, Needs, Prerequisites};
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! # runtime.block_on(async {
//! // A machine with nothing on its path: all that is missing is named at once, and nothing is downloaded.
//! let folder = std::env::temp_dir();
//! let bare = Environment::new("/nowhere", &folder, "someone", &folder);
//! let error = Prerequisites::find(&bare, Needs::EVERYTHING).await.unwrap_err();
//! assert!(error.to_string().contains("Maven"));
//! # });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! In reading order: [`prerequisites`] (what the machine must have), [`progress`] (what is told meanwhile), `cache` and [`parts`]
//! (what is downloaded), [`machine`] (what the kernel says of processes and sockets), `process` (starting and ending), [`address`],
//! `layout`, `xml`, `yarn`, `flink`, `sshd` (one service each), `cluster` (all of them together), [`runtime`] (clusters as the
//! emulator wants them), [`sandbox`] (everything at once), [`error`].

pub mod address;
mod cache;
mod cluster;
pub mod error;
mod flink;
mod layout;
pub mod machine;
pub mod parts;
pub mod prerequisites;
mod process;
pub mod progress;
pub mod runtime;
pub mod sandbox;
mod sshd;
mod xml;
mod yarn;

pub use address::ssh_port;
pub use error::SandboxError;
pub use parts::Parts;
pub use prerequisites::{Environment, Interpreter, Missing, Needs, Prerequisites};
pub use progress::{PartName, Progress, ProgressSink};
pub use runtime::SandboxRuntime;
pub use sandbox::{Sandbox, SandboxOptions};
