//! The Dataproc API, and what else a deployment calls, on one machine.

pub mod runtime;

pub use runtime::{
    ClusterFacts, ClusterRuntime, JobEnd, JobFacts, Machine, Machines, MetadataKey, RuntimeError,
};
