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
//! In reading order: [`method`] (the trait and its values), [`ssh`] (over an SSH connection), [`memory`] (a master in memory),
//! `faulty` (failures on demand), [`error`], and, behind the feature `contract`, the suite that every method passes.

mod answer;
#[cfg(feature = "contract")]
pub mod contract;
pub mod error;
mod faulty;
pub mod memory;
pub mod method;
pub mod ssh;

pub use error::SubmitError;
pub use memory::{InMemoryMethod, Script};
pub use method::{
    Acted, JobAction, LauncherExit, Observation, Offsets, RunRef, RunState, SeenApplication,
    Sighting, SubmissionMethod,
};
pub use ssh::SshMethod;
