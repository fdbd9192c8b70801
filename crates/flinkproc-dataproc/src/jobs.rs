//! Jobs of Dataproc's Jobs API: the trait and its values.

use std::fmt::Debug;

use async_trait::async_trait;
use flinkproc_core::{ClusterRef, DataprocJobId, ProjectId, Region, RequestId};
use serde::{Deserialize, Serialize};

use crate::error::JobError;

/// Dataproc's Jobs API.
///
/// Driver output is a URI in the answer; who wants the text reads it from Cloud Storage.
#[async_trait]
pub trait JobApi: Debug + Send + Sync + 'static {
    /// Submits a job under an id of ours.
    ///
    /// Idempotent for one `request`; another request for an id that is taken is [`JobError::AlreadyExists`].
    /// If the answer is lost, [`JobApi::find`] tells whether the job is there.
    async fn submit(&self, job: &JobSpec, request: &RequestId) -> Result<Job, JobError>;

    /// Reads a job; `None` when there is none of that id. Idempotent.
    async fn find(
        &self,
        project: &ProjectId,
        region: &Region,
        id: &DataprocJobId,
    ) -> Result<Option<Job>, JobError>;

    /// Lists the jobs of a region, those of one cluster if it is given. Idempotent.
    async fn list(
        &self,
        project: &ProjectId,
        region: &Region,
        cluster: Option<&ClusterRef>,
    ) -> Result<Vec<Job>, JobError>;

    /// Asks for a job's end; `false` when there is none of that id or it has ended. Idempotent.
    async fn cancel(
        &self,
        project: &ProjectId,
        region: &Region,
        id: &DataprocJobId,
    ) -> Result<bool, JobError>;
}

/// The job to be submitted.
#[derive(Clone, Debug, PartialEq)]
pub struct JobSpec {
    /// The cluster that runs it.
    pub cluster: ClusterRef,
    /// Its id, chosen by us.
    pub id: DataprocJobId,
    /// The Dataproc v1 `Job` resource in the API's JSON; `reference` and `placement` are filled in from the fields above.
    pub resource: serde_json::Value,
}

/// A job as the service sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Its id.
    pub id: DataprocJobId,
    /// The name of the cluster that runs it.
    pub cluster: String,
    /// Its state.
    pub state: JobState,
    /// What the service says about the state.
    pub detail: Option<String>,
    /// Where the driver's output is written, in numbered objects: `<uri>.000000000`, ….
    pub driver_output: Option<String>,
    /// The whole resource as JSON.
    pub resource: serde_json::Value,
}

/// The states of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobState {
    /// Not told, or a state younger than this crate.
    Unknown,
    /// Received.
    Pending,
    /// Set up on the cluster.
    SetupDone,
    /// Running.
    Running,
    /// Its end was asked for.
    CancelPending,
    /// Its end is under way.
    CancelStarted,
    /// Ended on request.
    Cancelled,
    /// Ended well.
    Done,
    /// Ended badly.
    Error,
    /// Failed and will be started again.
    AttemptFailure,
}

impl JobState {
    /// Whether the job has ended for good.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Cancelled | Self::Done | Self::Error)
    }
}
