//! Command lines for Apache Flink, built and read per version.
//!
//! Typed settings become an argv for Flink 1.12 to 2.2 in one spelling ([`RunSettings`]), Flink's answers become ids
//! ([`answers`]), and a hand-written command line is read as Flink's own parser would read it ([`mod@lint`]).
//!
//! It starts no process, quotes nothing for a shell and never guesses: what a version would silently drop or misread is
//! refused. Now it builds `run` in per-job mode; the other modes and actions are refused with the reason.
//!
//! ```
//! use flinkproc_core::YarnMode;
//! use flinkproc_flink_cli::{Program, RunSettings};
//!
//! let settings = RunSettings::new("1.17.0".parse()?, YarnMode::PerJob, Program::script("/srv/etl.py"))
//!     .parallelism(4)
//!     .config("taskmanager.numberOfTaskSlots", "2");
//! assert_eq!(
//!     settings.argv()?.join(" "),
//!     "run -t yarn-per-job -Dtaskmanager.numberOfTaskSlots=2 -p 4 -py /srv/etl.py",
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! In reading order: [`settings`] (the wish), [`run`] (settings → argv of `flink run`), [`options`] (which version knows
//! which option), [`mod@lint`] (what is wrong with a hand-written line), [`answers`] (ids in Flink's output), [`error`].
//!
//! Sources: the released jars' `CliFrontendParser`, `GenericCLI`, `PythonProgramOptions` and `FlinkYarnSessionCli`.

pub mod answers;
pub mod command;
mod config;
pub mod config_keys;
pub mod diagnosis;
pub mod error;
pub mod grammar;
pub mod jobs;
pub mod lint;
pub mod memory;
pub mod memory_model;
pub mod reading;
pub mod run;
pub mod session;
pub mod settings;
pub mod words;

pub use answers::{application_ids, job_ids};
pub use command::Command;
pub use error::FlinkCliError;
pub use jobs::{
    CancelSettings, CheckpointSettings, ClusterTarget, DisposeSettings, ListSettings,
    SavepointFormat, SavepointSettings, StopSettings, WhichJobs,
};
pub use lint::lint;
pub use run::InfoSettings;
pub use session::{AttachSettings, SessionSettings};
pub use settings::{Archive, ClaimMode, Containers, Program, Restore, RunSettings};
