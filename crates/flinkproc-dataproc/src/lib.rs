//! The Dataproc control plane behind two small traits.

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
