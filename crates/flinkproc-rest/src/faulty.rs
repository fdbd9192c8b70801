//! Failures on demand: [`Faulty`] is a [`YarnApi`] or [`FlinkApi`] again; methods are counted under their own names.

use std::collections::BTreeMap;

use async_trait::async_trait;
use flinkproc_core::{Fault, Faulty, FlinkJobId, YarnApplicationId};

use crate::error::RestError;
use crate::flink::FlinkApi;
use crate::flink_values::{
    Checkpoints, ConfigEntry, Exceptions, JobDetail, JobOverview, Metric, Overview,
    SavepointStatus, TaskManager, TriggerId,
};
use crate::yarn::YarnApi;
use crate::yarn_values::{Application, ApplicationAttempt, ClusterInfo, ClusterMetrics, Node};

/// Whether a call changes something, which decides what the loss of its answer means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Call {
    Reads,
    Acts,
}

/// Makes the call unless a fault forbids it, and loses the answer where a fault says so.
async fn suffer<T: Send>(
    fault: Option<Fault>,
    call: Call,
    method: &str,
    answer: impl Future<Output = Result<T, RestError>> + Send,
) -> Result<T, RestError> {
    let url = format!("injected:{method}");
    match fault {
        None => answer.await,
        Some(Fault::Before) => Err(RestError::Unreachable {
            url,
            source: "the connection was refused".into(),
        }),
        Some(Fault::AnswerLost) => {
            // The effect is what matters; what became of it is lost on purpose.
            drop(answer.await);
            let source = "the connection was dropped".into();
            Err(match call {
                Call::Reads => RestError::Unreachable { url, source },
                Call::Acts => RestError::OutcomeUnknown { url, source },
            })
        }
    }
}

/// Writes one forwarding call, so that the name that is counted cannot differ from the method's.
macro_rules! forward {
    ($self:ident, $call:ident, $method:ident($($argument:expr),*)) => {
        suffer(
            $self.strike(stringify!($method)),
            Call::$call,
            stringify!($method),
            $self.inner().$method($($argument),*),
        )
        .await
    };
}

#[async_trait]
impl<T: YarnApi> YarnApi for Faulty<T> {
    async fn info(&self) -> Result<ClusterInfo, RestError> {
        forward!(self, Reads, info())
    }

    async fn metrics(&self) -> Result<ClusterMetrics, RestError> {
        forward!(self, Reads, metrics())
    }

    async fn nodes(&self) -> Result<Vec<Node>, RestError> {
        forward!(self, Reads, nodes())
    }

    async fn applications(&self, tag: Option<&str>) -> Result<Vec<Application>, RestError> {
        forward!(self, Reads, applications(tag))
    }

    async fn application(&self, id: &YarnApplicationId) -> Result<Option<Application>, RestError> {
        forward!(self, Reads, application(id))
    }

    async fn attempts(&self, id: &YarnApplicationId) -> Result<Vec<ApplicationAttempt>, RestError> {
        forward!(self, Reads, attempts(id))
    }

    async fn kill(&self, id: &YarnApplicationId) -> Result<(), RestError> {
        forward!(self, Acts, kill(id))
    }
}

#[async_trait]
impl<T: FlinkApi> FlinkApi for Faulty<T> {
    async fn overview(&self) -> Result<Overview, RestError> {
        forward!(self, Reads, overview())
    }

    async fn jobs(&self) -> Result<Vec<JobOverview>, RestError> {
        forward!(self, Reads, jobs())
    }

    async fn job(&self, id: &FlinkJobId) -> Result<Option<JobDetail>, RestError> {
        forward!(self, Reads, job(id))
    }

    async fn exceptions(&self, id: &FlinkJobId) -> Result<Exceptions, RestError> {
        forward!(self, Reads, exceptions(id))
    }

    async fn checkpoints(&self, id: &FlinkJobId) -> Result<Checkpoints, RestError> {
        forward!(self, Reads, checkpoints(id))
    }

    async fn plan(&self, id: &FlinkJobId) -> Result<serde_json::Value, RestError> {
        forward!(self, Reads, plan(id))
    }

    async fn metrics(&self, id: &FlinkJobId, names: &[&str]) -> Result<Vec<Metric>, RestError> {
        forward!(self, Reads, metrics(id, names))
    }

    async fn parameters(&self, id: &FlinkJobId) -> Result<BTreeMap<String, String>, RestError> {
        forward!(self, Reads, parameters(id))
    }

    async fn config(&self) -> Result<Vec<ConfigEntry>, RestError> {
        forward!(self, Reads, config())
    }

    async fn task_managers(&self) -> Result<Vec<TaskManager>, RestError> {
        forward!(self, Reads, task_managers())
    }

    async fn cancel(&self, id: &FlinkJobId) -> Result<(), RestError> {
        forward!(self, Acts, cancel(id))
    }

    async fn stop(
        &self,
        id: &FlinkJobId,
        target: Option<&str>,
        drain: bool,
    ) -> Result<TriggerId, RestError> {
        forward!(self, Acts, stop(id, target, drain))
    }

    async fn savepoint(
        &self,
        id: &FlinkJobId,
        trigger: &TriggerId,
    ) -> Result<SavepointStatus, RestError> {
        forward!(self, Reads, savepoint(id, trigger))
    }
}

#[cfg(test)]
mod tests {
    use flinkproc_core::{Explain, Fault, Faulty, RetryHint, YarnApplicationId};

    use crate::memory::MemoryYarn;
    use crate::yarn::YarnApi;
    use crate::yarn_values::ApplicationState;

    #[tokio::test]
    async fn a_lost_answer_to_a_kill_may_have_killed() {
        let id: YarnApplicationId = "application_1_0001".parse().expect("valid");
        let yarn = MemoryYarn::new();
        yarn.put(MemoryYarn::running(id.clone(), "a"));
        let yarn = Faulty::new(yarn)
            .with("kill", 1, Fault::Before)
            .with("kill", 2, Fault::AnswerLost)
            .with("application", 2, Fault::AnswerLost);
        let unsent = yarn.kill(&id).await.expect_err("injected");
        assert_eq!(unsent.retry(), RetryHint::Safe);
        let found = yarn.application(&id).await.expect("read").expect("known");
        assert_eq!(found.state, ApplicationState::Running);
        let lost = yarn.kill(&id).await.expect_err("injected");
        assert_eq!(lost.retry(), RetryHint::CheckFirst);
        let unread = yarn.application(&id).await.expect_err("injected");
        assert_eq!(unread.retry(), RetryHint::Safe);
        let found = yarn.application(&id).await.expect("read").expect("known");
        assert_eq!(found.state, ApplicationState::Killed);
    }
}
