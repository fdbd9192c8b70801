//! The spec file, and the plan of a deployment as plain values.

pub mod launcher;
pub mod plan;

pub use plan::{
    ClusterPlan, DefaultTaken, EntryPoint, FileRole, IdentityPlan, JobPlan, OnFailure, OnInterrupt,
    Plan, RemoteFile, SpecSource, SshPlan, StagingPlan, UploadPlan, WatchPlan,
};
