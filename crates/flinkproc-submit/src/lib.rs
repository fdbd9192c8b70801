//! Ways to hand a PyFlink job to a Dataproc cluster, one file each.
//!
//! The place that contributors extend: a way of submitting is the trait [`SubmissionMethod`] and passes the suite in
//! `contract`. All methods start the same launcher on the master (`flinkproc_plan::launcher`) and differ in who starts it.
//!
//! It refuses to: judge how a job fares (it never asks YARN or Flink), make connections, retry, or start an attempt twice.
//!
//! ```
//! use flinkproc_core::{Attempt, Span};
//! use flinkproc_submit::{InMemoryMethod, Offsets, RunRef, RunState, SubmissionMethod};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let run = RunRef { deployment: "etl-1".parse()?, attempt: Attempt::FIRST };
//! let method = InMemoryMethod::default();
//! let seen = method.observe(&run, Offsets::default(), Span::from_secs(0)).await?;
//! assert_eq!(seen.state, RunState::Absent);
//! # Ok(())
//! # }
//! ```
//!
//! In reading order: [`method`] (the trait and its values), [`ssh`] (over an SSH connection), [`dataproc_job`] (as a job of
//! Dataproc's Jobs API: `place`, `mirror` and `dataproc_act` are its parts) with the [`carrier`]s [`pig`], [`pyspark`] and
//! [`hadoop`], [`native`] (Dataproc runs Flink itself), [`builtin()`] (all of them by name), [`memory`] (a master in memory),
//! `faulty` (failures on demand), [`error`], and, behind the feature `contract`, the suite that every method passes.

mod answer;
pub mod builtin;
pub mod carrier;
#[cfg(feature = "contract")]
pub mod contract;
mod dataproc_act;
pub mod dataproc_job;
pub mod error;
mod faulty;
pub mod hadoop;
pub mod memory;
pub mod method;
mod mirror;
pub mod native;
mod native_job;
pub mod pig;
mod place;
pub mod pyspark;
pub mod ssh;

pub use builtin::{BUILTIN, builtin, check_job};
pub use carrier::{Carrier, Parcel};
pub use dataproc_job::DataprocJobMethod;
pub use error::SubmitError;
pub use hadoop::Hadoop;
pub use memory::{InMemoryMethod, Script};
pub use method::{
    Acted, JobAction, LauncherExit, Observation, Offsets, RunRef, RunState, SeenApplication,
    Sighting, SubmissionMethod,
};
pub use native::{NativeKind, NativeMethod};
pub use pig::Pig;
pub use place::DataprocPlace;
pub use pyspark::PySpark;
pub use ssh::SshMethod;
