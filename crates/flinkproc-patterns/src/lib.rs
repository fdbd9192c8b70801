//! The deployment patterns as journaled steps: make the cluster, stage, submit, watch, bring the logs home, leave nothing running.
//!
//! A [`Deployment`] carries out a plan over [`Clients`], each of which can be replaced. Before anything with an outside effect is
//! done, the intent is in the [`Journal`] with every id chosen for it, so that a run can be carried on from wherever it stopped.
//! What happens is told as [`Events`]; what it came to is an [`Outcome`], whose exit code is 0 only for a job that succeeded.
//!
//! It refuses to: take YARN's state, or a client's exit status alone, for success; retry a submission blindly; delete a cluster
//! that the deployment did not make, end a session that it found or a job in it that is not its own; keep a cluster alive because
//! a step, a key or a journal failed; print; read the wall clock or the environment; find credentials.
//!
//! ```
//! use flinkproc_patterns::{Evidence, Verdict};
//!
//! // Nothing seen is never success.
//! assert!(matches!(Evidence::none().verdict(), Verdict::Unknown { .. }));
//! assert_eq!(Evidence::none().verdict().kind().map(|kind| kind.exit_code()), Some(10));
//! ```
//!
//! `examples/deploy_on_doubles.rs` deploys a plan from beginning to end without any service.
//!
//! In reading order: [`step`] (the steps and what is written down of them), [`journal`] with `file_journal` and `memory_journal`
//! (where), `progress` (how far a deployment has come), [`clients`], [`options`], [`deployment`] (the door), `run` (the order of the
//! steps), then one file for each: `stage`, `environment`, `cluster`, `site` with `way`, `submit`, `watch` with `output`, `sightings` (what
//! YARN and Flink say) and `hearing` (until they have said it), `cancel`, `logs`, `teardown`, `results`; `ending` (the way out), [`verdict`] and [`cause`] (how the job ended and why), [`outcome`], [`events`],
//! [`actions`] (savepoint, stop and cancel from beside), [`sessions`] (of a cluster, apart from deployments), [`admission`] (run
//! keys), [`status`] (what is known of deployments), [`forward_route`] (into the cluster's network), [`error`].

pub mod actions;
pub mod admission;
mod cancel;
pub mod cause;
pub mod clients;
mod cluster;
pub mod deployment;
mod ending;
mod environment;
pub mod error;
pub mod events;
mod file_journal;
pub mod forward_route;
mod hearing;
pub mod journal;
mod logs;
mod memory_journal;
pub mod options;
pub mod outcome;
mod output;
mod progress;
mod results;
mod run;
pub mod sessions;
mod sightings;
mod site;
mod stage;
pub mod status;
pub mod step;
mod submit;
mod teardown;
pub mod verdict;
mod watch;
mod way;

pub use actions::{ActionDone, JobSeen};
pub use admission::{Admission, admit};
pub use cause::{Cause, CauseKind, find_cause};
pub use clients::{Clients, OpenFlink, OpenMethod, OpenYarn, Reachable};
pub use deployment::{Canceller, Deployment, Handle, Interrupt, Started};
pub use error::RunError;
pub use events::{Event, EventKind, Events, Stream};
pub use file_journal::FileJournal;
pub use forward_route::ForwardRoute;
pub use journal::{Entry, Hold, Journal, JournalError, Record, Scope};
pub use memory_journal::MemoryJournal;
pub use options::Options;
pub use outcome::{Conclusion, Ending, EndingStep, Outcome, Phase, Remainder, ResultObject};
pub use sessions::{SessionFound, SessionPlace, SessionStarted};
pub use status::{DeploymentStatus, LabelledCluster, labelled_clusters};
pub use step::{ClusterFacts, Failure, GateKey, Intent, Output, ProvidedEnvironment, Step};
pub use verdict::{ApplicationWord, Evidence, FlinkWord, LauncherWord, Verdict, Witness, YarnWord};
