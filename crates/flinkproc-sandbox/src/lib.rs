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
//! Workers are machines of their own as far as files go, where the kernel lets us (see `worker`; [`Progress::WorkersShareFiles`]
//! says where not): they see neither the master's home nor its temporary folder. What stands for HDFS is shared: staged files,
//! aggregated logs, archives of finished jobs. Where workers share the master's files, Flink's application mode does not run a
//! job either: its JobManager looks for its own servers at `localhost`.
//!
//! Jobs of the Jobs API run as programs of the master, in a folder of their own, with the environment of a login:
//!
//! | type | what runs |
//! |---|---|
//! | `pigJob` | Pig 0.18: `sh`, `fs` and its other commands; relations fail, for Maven's jar of Pig lacks its copy of a bitmap library |
//! | `hadoopJob` | Hadoop's `RunJar`, or a class; MapReduce runs inside the driver, for its shuffle service listens on every address |
//! | `pysparkJob` | `spark-submit` of Spark 3.5 on YARN, client mode, one executor unless its properties say otherwise |
//! | `flinkJob` | `flink run` in the mode that the property `execution.target` names; else per-job, and application mode on Flink 2 |
//! | `pyflinkJob` | the same with a Python program, whose files are shipped to the containers in application mode |
//!
//! Other types are refused as not emulated, and Pig jobs where the image has Pig as an optional component only and the cluster
//! was made without it. Each application carries the job's YARN tag. A cancelled job's driver and all programs of its process
//! group get SIGTERM, 30 seconds later SIGKILL; once the driver has ended, its applications are ended. Log levels have no effect
//! on Flink jobs; `continueOnFailure` only leaves Pig's `-stop_on_failure` out.
//!
//! In reading order: [`prerequisites`] (what the machine must have), [`progress`] (what is told meanwhile), `cache` and [`parts`]
//! (what is downloaded), [`machine`] (what the kernel says of processes and sockets), `process` (starting and ending), [`address`],
//! [`image`], `layout`, `xml`, `yarn`, `resource_manager`, `worker`, `nodes`, `flink`, `history`, `sshd` (one service each), `cluster` (all of
//! them together), `jobs` (drivers of the Jobs API), `diagnosis`, [`runtime`] (clusters as the emulator wants them), [`folder`] and [`servers`] (what every sandbox has), [`sandbox`] (everything at once),
//! [`control_plane`] (the servers alone), [`usage`] (what a sandbox takes), [`error`].

pub mod address;
mod cache;
mod cluster;
pub mod control_plane;
mod diagnosis;
pub mod error;
mod flink;
pub mod folder;
mod history;
pub mod image;
mod jobs;
mod layout;
pub mod machine;
mod nodes;
pub mod parts;
pub mod prerequisites;
mod process;
pub mod progress;
mod resource_manager;
pub mod runtime;
pub mod sandbox;
pub mod servers;
mod sshd;
pub mod usage;
mod worker;
mod xml;
mod yarn;

pub use address::ssh_port;
pub use control_plane::{ControlPlane, ControlPlaneOptions};
pub use error::SandboxError;
pub use folder::clean_up_killed;
pub use image::DEFAULT_IMAGE;
pub use parts::Parts;
pub use prerequisites::{Environment, Interpreter, Missing, Needs, Prerequisites};
pub use progress::{PartName, Progress, ProgressSink};
pub use runtime::SandboxRuntime;
pub use sandbox::{Sandbox, SandboxOptions};
pub use servers::ServerOptions;
pub use usage::Usage;
