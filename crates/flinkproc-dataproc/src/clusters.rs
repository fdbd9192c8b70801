//! Clusters and the operations on them: the trait and its values.

use std::collections::BTreeMap;
use std::fmt::Debug;

use async_trait::async_trait;
use flinkproc_core::{ClusterRef, ClusterUuid, ProjectId, Region, RequestId, Zone};
use serde::{Deserialize, Serialize};

use crate::error::ClusterError;

/// The Dataproc control plane for clusters.
///
/// Starting an operation and waiting for it are two things: the operation's name can be journaled between them
/// ([`crate::wait`] waits). A failed poll is not a failed operation. Absence is `None`; deleting the absent succeeds.
#[async_trait]
pub trait ClusterApi: Debug + Send + Sync + 'static {
    /// Reads a cluster; `None` when there is none of that name. Idempotent.
    async fn find(&self, cluster: &ClusterRef) -> Result<Option<Cluster>, ClusterError>;

    /// Lists the clusters of a region, in no particular order. Idempotent.
    ///
    /// `filter` is in the service's own filter language, such as `labels.flinkproc = deployment-1`; empty for all.
    async fn list(
        &self,
        project: &ProjectId,
        region: &Region,
        filter: &str,
    ) -> Result<Vec<Cluster>, ClusterError>;

    /// Starts to make a cluster.
    ///
    /// Idempotent for one `request`: repeated, it answers with the first call's operation. If the answer is lost, call again
    /// with the same request id. Another request for a name that is taken is [`ClusterError::AlreadyExists`].
    async fn start_create(
        &self,
        spec: &ClusterSpec,
        request: &RequestId,
    ) -> Result<OperationName, ClusterError>;

    /// Starts to change the fields that `update.mask` names. Idempotent for one `request`.
    async fn start_update(
        &self,
        cluster: &ClusterRef,
        update: &ClusterUpdate,
        request: &RequestId,
    ) -> Result<OperationName, ClusterError>;

    /// Starts to delete a cluster; `None` when there is none (any more), or when it is being deleted already.
    ///
    /// With `uuid`, a younger cluster of the same name is left alone. Idempotent.
    async fn start_delete(
        &self,
        cluster: &ClusterRef,
        uuid: Option<&ClusterUuid>,
        request: &RequestId,
    ) -> Result<Option<OperationName>, ClusterError>;

    /// Starts to stop the machines of a cluster; its disks stay. Idempotent for one `request`.
    async fn start_stop(
        &self,
        cluster: &ClusterRef,
        request: &RequestId,
    ) -> Result<OperationName, ClusterError>;

    /// Starts the machines of a stopped cluster. Idempotent for one `request`.
    async fn start_start(
        &self,
        cluster: &ClusterRef,
        request: &RequestId,
    ) -> Result<OperationName, ClusterError>;

    /// Starts to collect a cluster's diagnosis; the operation's [`Operation::output_uri`] names it when done.
    async fn start_diagnose(&self, cluster: &ClusterRef) -> Result<OperationName, ClusterError>;

    /// Reads an operation once. Idempotent.
    async fn operation(&self, name: &OperationName) -> Result<Operation, ClusterError>;
}

/// The name of a long-running operation: `projects/P/regions/R/operations/ID`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OperationName(pub String);

impl OperationName {
    /// The region in the name; `None` when the name is of another form.
    #[must_use]
    pub fn region(&self) -> Option<Region> {
        let mut parts = self.0.split('/').skip_while(|part| *part != "regions");
        parts.nth(1)?.parse().ok()
    }
}

/// What became of an operation so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its name.
    pub name: OperationName,
    /// Whether it has ended, and how.
    pub state: OperationState,
    /// What the service warned of.
    pub warnings: Vec<String>,
    /// Where a diagnosis was written.
    pub output_uri: Option<String>,
}

/// How an operation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperationState {
    /// Not ended.
    Running,
    /// Ended well.
    Done,
    /// Ended badly.
    Failed {
        /// The `google.rpc.Code` number.
        code: i32,
        /// The service's own words.
        message: String,
    },
}

/// The cluster to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterSpec {
    /// Project, region and name.
    pub cluster: ClusterRef,
    /// The Dataproc v1 `Cluster` resource in the API's JSON (lowerCamelCase, enums by name).
    ///
    /// `projectId` and `clusterName` in it are replaced by those of `cluster`. Fields that this version of Google's client
    /// does not know are passed on untouched.
    pub resource: serde_json::Value,
}

/// A change of a cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterUpdate {
    /// The `Cluster` resource with the new values, in the API's JSON.
    pub resource: serde_json::Value,
    /// The paths to be changed, such as `config.worker_config.num_instances`.
    pub mask: Vec<String>,
    /// How long running work may go on where machines are taken away; `None` takes them at once.
    pub graceful_decommission: Option<flinkproc_core::Span>,
}

/// A cluster as the service sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// Project, region and name.
    pub cluster: ClusterRef,
    /// Tells this cluster from another one of the same name.
    pub uuid: ClusterUuid,
    /// Its state.
    pub state: ClusterState,
    /// What the service says about the state.
    pub detail: Option<String>,
    /// RFC 3339 time of the state's begin.
    pub state_since: Option<String>,
    /// Its zone, once known.
    pub zone: Option<Zone>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The image, as the service names it.
    pub image: Option<String>,
    /// The names of the master machines; the first is `…-m` (`…-m-0` with three masters).
    pub masters: Vec<String>,
    /// The names of the worker machines.
    pub workers: Vec<String>,
    /// The bucket that the service stages to.
    pub config_bucket: Option<String>,
    /// The whole resource as JSON.
    pub resource: serde_json::Value,
}

/// The states of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ClusterState {
    /// Not told, or a state younger than this crate.
    Unknown,
    /// Being made.
    Creating,
    /// Ready.
    Running,
    /// Broken; it still costs money.
    Error,
    /// Broken while it was changed; it still runs.
    ErrorDueToUpdate,
    /// On its way out.
    Deleting,
    /// Being changed; it still runs.
    Updating,
    /// Its machines are being stopped.
    Stopping,
    /// Its machines are stopped; disks still cost money.
    Stopped,
    /// Its machines are being started.
    Starting,
    /// Being repaired.
    Repairing,
    /// Waiting for its turn to be made.
    Scheduled,
}
