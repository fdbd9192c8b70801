//! Command lines for Apache Flink, built and read per version, 1.12 to 2.2.
//!
//! Typed settings become the arguments of `flink` and `yarn-session.sh` in one spelling, `-t TARGET -Dkey=value`
//! ([`RunSettings`], [`SessionSettings`], [`StopSettings`] and their like; [`Command`] holds any of them). Flink's answers become
//! ids, lists and paths ([`answers`]). A line that somebody wrote is read as Flink's own parsers would read it ([`reading`]), and
//! what is wrong with it is told ([`diagnosis`], [`mod@lint`]).
//!
//! It starts no process, quotes nothing for a shell and never guesses: what a version lacks, drops or misreads is refused, with
//! the version that has it and what to use instead. The judge among the tests asks Flink's own classes of every minor version,
//! for generated lines and for all that is built here; no difference is the bar.
//!
//! ```
//! use flinkproc_core::YarnMode;
//! use flinkproc_flink_cli::{ClusterTarget, Program, RunSettings, StopSettings};
//!
//! let version = "1.17.0".parse()?;
//! let settings = RunSettings::new(version, YarnMode::PerJob, Program::script("/srv/etl.py"))
//!     .parallelism(4)
//!     .config("taskmanager.numberOfTaskSlots", "2");
//! assert_eq!(
//!     settings.argv()?.join(" "),
//!     "run -t yarn-per-job -Dtaskmanager.numberOfTaskSlots=2 -p 4 -py /srv/etl.py",
//! );
//!
//! let target = ClusterTarget::new(YarnMode::PerJob, "application_1795358092534_0001");
//! let stop = StopSettings::new(target, "4f0d1c3b2a49587766554433221100ff").drain();
//! assert_eq!(
//!     stop.argv(version)?.join(" "),
//!     "stop -t yarn-per-job -Dyarn.application.id=application_1795358092534_0001 --drain 4f0d1c3b2a49587766554433221100ff",
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! In reading order. Building: [`settings`] (what a run is told), [`run`] (settings → argv), [`session`], [`jobs`], [`command`],
//! [`config_keys`] and [`memory_model`] (what to say about a configuration). Reading: [`grammar`] (which version has which
//! option), [`words`] (words → options), [`reading`] (options → configuration), [`memory`], [`diagnosis`], [`mod@lint`],
//! [`answers`]. And [`error`].
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
