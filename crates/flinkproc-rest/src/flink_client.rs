//! [`FlinkApi`] over HTTP: read through YARN's proxy, act on the JobManager's own address.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use flinkproc_core::{FlinkJobId, YarnApplicationId};
use reqwest::{Client, Method};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::RestError;
use crate::flink::FlinkApi;
use crate::flink_values::{
    Checkpoints, ConfigEntry, Exceptions, JobDetail, JobOverview, Metric, Overview,
    SavepointStatus, TaskManager, TriggerId,
};
use crate::http::{Caller, Endpoint, query_value};
use crate::route::Route;

/// A JobManager behind a route.
#[derive(Clone, Debug)]
pub struct HttpFlink {
    read: Caller,
    act: Option<Caller>,
}

impl HttpFlink {
    /// The JobManager of a YARN application, read through the ResourceManager's proxy.
    ///
    /// The proxy passes on GET and nothing else, so this one refuses to act until [`HttpFlink::acting_at`] names the
    /// JobManager's own address.
    #[must_use]
    pub fn behind_yarn(
        client: Client,
        route: Arc<dyn Route>,
        resource_manager: Endpoint,
        application: &YarnApplicationId,
    ) -> Self {
        let proxy = resource_manager.below(format!("/proxy/{application}"));
        Self {
            read: Caller::new(client, route, proxy),
            act: None,
        }
    }

    /// A JobManager that is reached at its own address for everything.
    #[must_use]
    pub fn at(client: Client, route: Arc<dyn Route>, job_manager: Endpoint) -> Self {
        let caller = Caller::new(client, route, job_manager);
        Self {
            read: caller.clone(),
            act: Some(caller),
        }
    }

    /// Acts on the JobManager's own address; Flink's client prints it as `Found Web Interface host:port`.
    #[must_use]
    pub fn acting_at(
        mut self,
        client: Client,
        route: Arc<dyn Route>,
        job_manager: Endpoint,
    ) -> Self {
        self.act = Some(Caller::new(client, route, job_manager));
        self
    }

    fn actor(&self) -> &Caller {
        self.act.as_ref().unwrap_or(&self.read)
    }
}

#[derive(Deserialize)]
struct Jobs {
    jobs: Vec<JobOverview>,
}

#[derive(Deserialize)]
struct TaskManagers {
    taskmanagers: Vec<TaskManager>,
}

#[derive(Deserialize)]
struct Plan {
    plan: Value,
}

#[derive(Deserialize)]
struct JobConfig {
    #[serde(rename = "execution-config")]
    execution: Option<ExecutionConfig>,
}

#[derive(Deserialize)]
struct ExecutionConfig {
    #[serde(rename = "user-config", default)]
    parameters: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct Triggered {
    #[serde(rename = "request-id")]
    request_id: TriggerId,
}

#[derive(Deserialize)]
struct Asynchronous {
    status: AsynchronousStatus,
    operation: Option<SavepointAnswer>,
}

#[derive(Deserialize)]
struct AsynchronousStatus {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct SavepointAnswer {
    location: Option<String>,
    failure_cause: Option<FailureCause>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct FailureCause {
    stack_trace: Option<String>,
    class: Option<String>,
}

impl From<Asynchronous> for SavepointStatus {
    fn from(answer: Asynchronous) -> Self {
        let operation = match answer.operation {
            Some(operation) if answer.status.id == "COMPLETED" => operation,
            _ => return Self::InProgress,
        };
        match (operation.location, operation.failure_cause) {
            (Some(location), None) => Self::Completed { location },
            (_, cause) => {
                let cause = cause.and_then(|cause| cause.stack_trace.or(cause.class));
                Self::Failed {
                    cause: cause.unwrap_or_default(),
                }
            }
        }
    }
}

#[async_trait]
impl FlinkApi for HttpFlink {
    async fn overview(&self) -> Result<Overview, RestError> {
        self.read.get("/overview").await
    }

    async fn jobs(&self) -> Result<Vec<JobOverview>, RestError> {
        Ok(self.read.get::<Jobs>("/jobs/overview").await?.jobs)
    }

    async fn job(&self, id: &FlinkJobId) -> Result<Option<JobDetail>, RestError> {
        self.read.find(&format!("/jobs/{id}")).await
    }

    async fn exceptions(&self, id: &FlinkJobId) -> Result<Exceptions, RestError> {
        self.read.get(&format!("/jobs/{id}/exceptions")).await
    }

    async fn checkpoints(&self, id: &FlinkJobId) -> Result<Checkpoints, RestError> {
        self.read.get(&format!("/jobs/{id}/checkpoints")).await
    }

    async fn plan(&self, id: &FlinkJobId) -> Result<Value, RestError> {
        Ok(self
            .read
            .get::<Plan>(&format!("/jobs/{id}/plan"))
            .await?
            .plan)
    }

    async fn metrics(&self, id: &FlinkJobId, names: &[&str]) -> Result<Vec<Metric>, RestError> {
        let query = if names.is_empty() {
            String::new()
        } else {
            format!("?get={}", query_value(&names.join(",")))
        };
        self.read.get(&format!("/jobs/{id}/metrics{query}")).await
    }

    async fn parameters(&self, id: &FlinkJobId) -> Result<BTreeMap<String, String>, RestError> {
        let found: Option<JobConfig> = self.read.find(&format!("/jobs/{id}/config")).await?;
        let execution = found.and_then(|job| job.execution);
        // Flink's own values are texts; what a program put there may be anything that it could write as JSON.
        let parameters = execution.map(|of| of.parameters).unwrap_or_default();
        let text = |value: Value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        let texts = parameters
            .into_iter()
            .map(|(key, value)| (key, text(value)));
        Ok(texts.collect())
    }

    async fn config(&self) -> Result<Vec<ConfigEntry>, RestError> {
        self.read.get("/jobmanager/config").await
    }

    async fn task_managers(&self) -> Result<Vec<TaskManager>, RestError> {
        Ok(self
            .read
            .get::<TaskManagers>("/taskmanagers")
            .await?
            .taskmanagers)
    }

    async fn cancel(&self, id: &FlinkJobId) -> Result<(), RestError> {
        let path = format!("/jobs/{id}?mode=cancel");
        self.actor()
            .act::<Value>(Method::PATCH, &path, json!({}))
            .await?;
        Ok(())
    }

    async fn stop(
        &self,
        id: &FlinkJobId,
        target: Option<&str>,
        drain: bool,
    ) -> Result<TriggerId, RestError> {
        let body = json!({"targetDirectory": target, "drain": drain});
        let answer: Triggered = self
            .actor()
            .act(Method::POST, &format!("/jobs/{id}/stop"), body)
            .await?;
        Ok(answer.request_id)
    }

    async fn savepoint(
        &self,
        id: &FlinkJobId,
        trigger: &TriggerId,
    ) -> Result<SavepointStatus, RestError> {
        let answer: Asynchronous = self
            .read
            .get(&format!("/jobs/{id}/savepoints/{trigger}"))
            .await?;
        Ok(answer.into())
    }
}
