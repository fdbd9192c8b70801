//! Flink's JobManager: the trait and its values.

use std::collections::BTreeMap;
use std::fmt::Debug;

use async_trait::async_trait;
use flinkproc_core::FlinkJobId;

use crate::error::RestError;
use crate::flink_values::{
    Checkpoints, ConfigEntry, Exceptions, JobDetail, JobOverview, Metric, Overview,
    SavepointStatus, TaskManager, TriggerId,
};

/// The JobManager's REST interface. Reading is idempotent.
#[async_trait]
pub trait FlinkApi: Debug + Send + Sync + 'static {
    /// Version, slots and job counts.
    async fn overview(&self) -> Result<Overview, RestError>;
    /// All jobs with their states.
    async fn jobs(&self) -> Result<Vec<JobOverview>, RestError>;
    /// One job; `None` when the JobManager does not know it.
    async fn job(&self, id: &FlinkJobId) -> Result<Option<JobDetail>, RestError>;
    /// The job's root exception and history.
    async fn exceptions(&self, id: &FlinkJobId) -> Result<Exceptions, RestError>;
    /// Checkpoint counts and the latest ones.
    async fn checkpoints(&self, id: &FlinkJobId) -> Result<Checkpoints, RestError>;
    /// The job's plan as Flink's JSON.
    async fn plan(&self, id: &FlinkJobId) -> Result<serde_json::Value, RestError>;
    /// Metrics of the job by name; all names when `names` is empty (then without values).
    async fn metrics(&self, id: &FlinkJobId, names: &[&str]) -> Result<Vec<Metric>, RestError>;
    /// The job's own parameters (Flink's `pipeline.global-job-parameters`), which it keeps from its submission to its end.
    ///
    /// Empty when it has none, and when the JobManager does not know the job.
    async fn parameters(&self, id: &FlinkJobId) -> Result<BTreeMap<String, String>, RestError>;
    /// The JobManager's configuration.
    async fn config(&self) -> Result<Vec<ConfigEntry>, RestError>;
    /// The TaskManagers.
    async fn task_managers(&self) -> Result<Vec<TaskManager>, RestError>;
    /// Asks for the job's cancellation; idempotent while it runs. Must go to the JobManager itself, not through YARN's proxy.
    async fn cancel(&self, id: &FlinkJobId) -> Result<(), RestError>;
    /// Starts to stop the job with a savepoint below `target`; `drain` ends its state for good.
    ///
    /// Not idempotent: if the answer is lost, read the job before asking again.
    async fn stop(
        &self,
        id: &FlinkJobId,
        target: Option<&str>,
        drain: bool,
    ) -> Result<TriggerId, RestError>;
    /// How a savepoint stands.
    async fn savepoint(
        &self,
        id: &FlinkJobId,
        trigger: &TriggerId,
    ) -> Result<SavepointStatus, RestError>;
}
