//! The Dataproc control plane behind two small traits.
//!
//! [`ClusterApi`] and [`JobApi`] hold the calls that a deployment makes; [`GoogleDataproc`] makes them with Google's own client,
//! [`MemoryDataproc`] keeps the same contract in memory. Every call that changes something carries a request id of the caller's,
//! so that it can be repeated when its answer is lost. Starting an operation and waiting for it ([`wait`]) are two things, so that
//! the operation's name can be written down between them; and after an operation the cluster is read again: its state decides,
//! not the operation.
//!
//! It refuses to choose: no credentials are discovered, no default project or region is known, nothing is created again under
//! another name. Resources are the API's own JSON; what a cluster should look like is `flinkproc-plan`'s business.
//!
//! ```
//! use flinkproc_core::{ClusterRef, ManualClock};
//! use flinkproc_dataproc::{ClusterApi, ClusterSpec, MemoryDataproc, wait_cluster, wait_gone};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let api = MemoryDataproc::new().with_polls(3);
//! let clock = ManualClock::eager("2026-11-22T12:00:00Z".parse()?);
//! let deadline = "2026-11-22T12:15:00Z".parse()?;
//! let cluster = ClusterRef {
//!     project: "my-project".parse()?,
//!     region: "europe-west4".parse()?,
//!     name: "batch-1".parse()?,
//! };
//! let resource = serde_json::json!({"config": {"workerConfig": {"numInstances": 2}}});
//! let spec = ClusterSpec { cluster: cluster.clone(), resource };
//!
//! let operation = api.start_create(&spec, &"create-1".parse()?).await?;
//! let settled = wait_cluster(&api, &clock, &cluster, Some(&operation), deadline).await?;
//! let running = settled.into_running(&cluster)?;
//! assert_eq!(running.masters, ["batch-1-m"]);
//!
//! let operation = api.start_delete(&cluster, Some(&running.uuid), &"delete-1".parse()?).await?;
//! let uuid = Some(&running.uuid);
//! wait_gone(&api, &clock, &cluster, uuid, operation.as_ref(), deadline).await?;
//! assert!(ClusterApi::find(&api, &cluster).await?.is_none());
//! # Ok(())
//! # }
//! ```
//!
//! In reading order: [`clusters`] and [`jobs`] (the traits and their values), [`error`] (failures by what the caller can do),
//! [`wait`], [`memory`] (the double; `Faulty<MemoryDataproc>` fails on demand), `contract` (the suite that every implementation
//! passes, behind the feature of that name), and Google's client behind the feature `google`.

pub mod clusters;
#[cfg(any(feature = "contract", test))]
pub mod contract;
pub mod error;
mod faulty;
#[cfg(feature = "google")]
mod google;
#[cfg(feature = "google")]
mod google_calls;
#[cfg(feature = "google")]
mod google_clusters;
#[cfg(feature = "google")]
mod google_jobs;
pub mod jobs;
pub mod memory;
mod memory_jobs;
mod resource;
pub mod wait;

pub use clusters::{
    Cluster, ClusterApi, ClusterSpec, ClusterState, ClusterUpdate, Operation, OperationName,
    OperationState,
};
pub use error::{ApiError, ClusterError, JobError, Subject};
#[cfg(feature = "google")]
pub use google::GoogleDataproc;
pub use jobs::{Job, JobApi, JobSpec, JobState};
pub use memory::{Creation, MemoryDataproc};
pub use memory_jobs::JobRun;
pub use wait::{
    ClusterOutcome, Settled, WaitError, wait_cluster, wait_gone, wait_job, wait_operation,
};
