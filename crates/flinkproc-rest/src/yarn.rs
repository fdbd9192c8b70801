//! YARN's ResourceManager: the trait and its values.

use std::fmt::Debug;

use async_trait::async_trait;
use flinkproc_core::YarnApplicationId;

use crate::error::RestError;
use crate::yarn_values::{Application, ApplicationAttempt, ClusterInfo, ClusterMetrics, Node};

/// The ResourceManager's REST interface. Reading is idempotent, and so is [`YarnApi::kill`].
#[async_trait]
pub trait YarnApi: Debug + Send + Sync + 'static {
    /// Version, state and start time.
    async fn info(&self) -> Result<ClusterInfo, RestError>;
    /// Memory (MiB), cores, containers and applications in numbers.
    async fn metrics(&self) -> Result<ClusterMetrics, RestError>;
    /// The NodeManagers.
    async fn nodes(&self) -> Result<Vec<Node>, RestError>;
    /// The applications, those with the tag if one is given.
    async fn applications(&self, tag: Option<&str>) -> Result<Vec<Application>, RestError>;
    /// One application; `None` when YARN does not know it.
    async fn application(&self, id: &YarnApplicationId) -> Result<Option<Application>, RestError>;
    /// The attempts of an application; none when YARN does not know it.
    async fn attempts(&self, id: &YarnApplicationId) -> Result<Vec<ApplicationAttempt>, RestError>;
    /// Asks YARN to end an application; one that has ended, or that YARN does not know, is no error.
    ///
    /// YARN takes note of the wish and carries it out later: read the application to see it done.
    async fn kill(&self, id: &YarnApplicationId) -> Result<(), RestError>;
}
