//! The Dataproc control plane behind two small traits.

pub mod clusters;
pub mod error;
mod faulty;
pub mod jobs;
pub mod memory;
mod memory_jobs;
mod resource;

pub use clusters::{
    Cluster, ClusterApi, ClusterSpec, ClusterState, ClusterUpdate, Operation, OperationName,
    OperationState,
};
pub use error::{ApiError, ClusterError, JobError, Subject};
pub use jobs::{Job, JobApi, JobSpec, JobState};
pub use memory::{Creation, MemoryDataproc};
pub use memory_jobs::JobRun;
