//! Waiting: polls at an adaptive pace, survives failed polls, and lets the cluster's state decide.
//!
//! An operation that has ended well is no proof of a usable cluster (it may be in state `ERROR`, or somebody may be deleting it),
//! and a failed poll is no failed operation. So the cluster is read again after each operation, and only that reading counts.
//! Dropping any of these futures ends the waiting and nothing else.

use std::time::Duration;

use flinkproc_core::{
    Clock, ClusterRef, ClusterUuid, DataprocJobId, ErrorCode, Explain, FailureKind, ProjectId,
    Region, RetryHint,
};
use jiff::Timestamp;

use crate::clusters::{
    Cluster, ClusterApi, ClusterState, Operation, OperationName, OperationState,
};
use crate::error::{ApiError, Subject};
use crate::jobs::{Job, JobApi};

/// Why a wait ended without an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The control plane gave an answer that waiting does not change.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The deadline passed first; whatever was waited for goes on.
    #[error("{subject} was not done by {deadline}")]
    Deadline {
        /// What was waited for.
        subject: Subject,
        /// The deadline.
        deadline: Timestamp,
        /// The last failed poll, if the polls failed at the end.
        #[source]
        last: Option<Box<ApiError>>,
    },
}

impl Explain for WaitError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Api(error) => error.code(),
            Self::Deadline { .. } => ErrorCode::new("DPR013"),
        }
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::Api(error) => error.kind(),
            Self::Deadline { .. } => FailureKind::Deadline,
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Api(error) => error.help(),
            Self::Deadline { .. } => {
                Some("Give it a later deadline; the operation itself was not stopped.".to_owned())
            }
        }
    }

    fn retry(&self) -> RetryHint {
        match self {
            Self::Api(error) => error.retry(),
            Self::Deadline { .. } => RetryHint::Safe,
        }
    }
}

/// How a cluster stands once no operation is under way.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ClusterOutcome {
    /// It can be used.
    Running(Cluster),
    /// Its machines are stopped.
    Stopped(Cluster),
    /// It is in state `ERROR`: it cannot be used, still costs money, and keeps its name and quota until it is deleted.
    Error {
        /// The cluster.
        cluster: Cluster,
        /// Why, sorted: quota, stockout or what else the service said.
        cause: ApiError,
    },
    /// It is being deleted, by us or by somebody else; [`wait_gone`] waits for the end of it.
    Deleting(Cluster),
    /// There is none.
    Gone,
}

/// What [`wait_cluster`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct Settled {
    /// What the cluster's state says: this decides.
    pub outcome: ClusterOutcome,
    /// How the operation failed, if it did. A failed update leaves a cluster that runs as it was.
    pub failure: Option<ApiError>,
    /// What the service warned of.
    pub warnings: Vec<String>,
}

impl Settled {
    /// The cluster, if it runs.
    ///
    /// # Errors
    /// Why it does not: the operation's failure or the state's detail, sorted; [`ApiError::Busy`] when it is stopped or being
    /// deleted; [`ApiError::NotFound`] when it is gone and nobody said why.
    pub fn into_running(self, cluster: &ClusterRef) -> Result<Cluster, ApiError> {
        let subject = Subject::Cluster(cluster.clone());
        let busy = |message: &str| ApiError::Busy {
            subject: subject.clone(),
            message: message.to_owned(),
        };
        match self.outcome {
            ClusterOutcome::Running(cluster) => Ok(cluster),
            ClusterOutcome::Error { cause, .. } => Err(cause),
            ClusterOutcome::Stopped(_) => Err(busy("it is stopped")),
            ClusterOutcome::Deleting(_) => Err(busy("it is being deleted")),
            ClusterOutcome::Gone => Err(self.failure.unwrap_or(ApiError::NotFound { subject })),
        }
    }
}

const FIRST: Duration = Duration::from_millis(20);
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// The pause before the next poll: a fifteenth of the time waited so far, so that an end is noticed within a few hundredths of
/// the time it took. At the very beginning it doubles, for what is done at once.
fn pause(waited: Duration) -> Duration {
    if waited < SHORTEST {
        return waited.max(FIRST);
    }
    (waited / 15).clamp(SHORTEST, LONGEST)
}

/// The pause after so many failed polls in a row: doubling, so that a service that is short of breath gets some.
fn backoff(failures: u32) -> Duration {
    let doubled = SHORTEST.saturating_mul(1 << failures.min(6));
    doubled.min(LONGEST)
}

/// One wait: its pace, its deadline and the failed polls.
struct Wait<'a> {
    clock: &'a dyn Clock,
    subject: Subject,
    began: Timestamp,
    deadline: Timestamp,
    failures: u32,
    last: Option<ApiError>,
}

impl<'a> Wait<'a> {
    fn new(clock: &'a dyn Clock, subject: Subject, deadline: Timestamp) -> Self {
        let began = clock.now();
        Self {
            clock,
            subject,
            began,
            deadline,
            failures: 0,
            last: None,
        }
    }

    /// Takes a poll's answer: `None` when the poll itself failed in a way that passes.
    fn take<T>(&mut self, answer: Result<T, ApiError>) -> Result<Option<T>, WaitError> {
        match answer {
            Ok(value) => {
                self.failures = 0;
                self.last = None;
                Ok(Some(value))
            }
            Err(error) if error.is_transient() => {
                tracing::debug!(%error, "a poll failed; the wait goes on");
                self.failures = self.failures.saturating_add(1);
                self.last = Some(error);
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until the next poll is due.
    async fn pause(&self) -> Result<(), WaitError> {
        let now = self.clock.now();
        if now >= self.deadline {
            return Err(WaitError::Deadline {
                subject: self.subject.clone(),
                deadline: self.deadline,
                last: self.last.clone().map(Box::new),
            });
        }
        let mut span = pause(now.duration_since(self.began).unsigned_abs());
        if self.failures > 0 {
            span = span.max(backoff(self.failures));
        }
        let left = self.deadline.duration_since(now).unsigned_abs();
        self.clock.sleep(span.min(left)).await;
        Ok(())
    }
}

/// Polls an operation until it has ended, well or badly.
///
/// # Errors
/// [`WaitError::Deadline`], or an answer that waiting does not change, such as [`ApiError::Denied`] or, for an operation that the
/// service has forgotten, [`ApiError::NotFound`].
pub async fn wait_operation(
    api: &dyn ClusterApi,
    clock: &dyn Clock,
    name: &OperationName,
    deadline: Timestamp,
) -> Result<Operation, WaitError> {
    let mut wait = Wait::new(clock, Subject::Operation(name.clone()), deadline);
    loop {
        let answer = api.operation(name).await;
        if let Some(operation) = wait.take(answer)?
            && operation.state != OperationState::Running
        {
            return Ok(operation);
        }
        wait.pause().await?;
    }
}

/// Waits for an operation, if there is one to wait for, and gives its failure, sorted.
///
/// An operation that the service has forgotten counts as ended: the cluster's state tells the rest.
async fn end_of(
    api: &dyn ClusterApi,
    clock: &dyn Clock,
    cluster: &ClusterRef,
    operation: Option<&OperationName>,
    deadline: Timestamp,
) -> Result<(Option<ApiError>, Vec<String>), WaitError> {
    let Some(name) = operation else {
        return Ok((None, Vec::new()));
    };
    match wait_operation(api, clock, name, deadline).await {
        Ok(Operation {
            state: OperationState::Failed { code, message },
            warnings,
            ..
        }) => {
            let subject = Subject::Cluster(cluster.clone());
            Ok((Some(failure(subject, code, message)), warnings))
        }
        Ok(operation) => Ok((None, operation.warnings)),
        Err(WaitError::Api(ApiError::NotFound { .. })) => Ok((None, Vec::new())),
        Err(error) => Err(error),
    }
}

/// Sorts the failure of an operation that was taken up: what would be a passing failure of a call is the end here.
fn failure(subject: Subject, code: i32, message: String) -> ApiError {
    match ApiError::from_status(subject.clone(), code, message.clone()) {
        error if error.is_transient() => ApiError::Failed { subject, message },
        ApiError::NotFound { .. } | ApiError::AlreadyExists { .. } | ApiError::Busy { .. } => {
            ApiError::Failed { subject, message }
        }
        error => error,
    }
}

/// Waits until a cluster stands still and says how it stands.
///
/// With `operation`, that is waited for first. Without one, only the cluster is read, as after a resume that finds none journaled.
///
/// # Errors
/// As [`wait_operation`].
pub async fn wait_cluster(
    api: &dyn ClusterApi,
    clock: &dyn Clock,
    cluster: &ClusterRef,
    operation: Option<&OperationName>,
    deadline: Timestamp,
) -> Result<Settled, WaitError> {
    let (failure, warnings) = end_of(api, clock, cluster, operation, deadline).await?;
    let mut wait = Wait::new(clock, Subject::Cluster(cluster.clone()), deadline);
    loop {
        let answer = api.find(cluster).await;
        if let Some(found) = wait.take(answer)?
            && let Some(outcome) = settled(found, failure.as_ref())
        {
            return Ok(Settled {
                outcome,
                failure,
                warnings,
            });
        }
        wait.pause().await?;
    }
}

/// What a reading of a cluster means; `None` while it is on its way to another state.
fn settled(found: Option<Cluster>, failed: Option<&ApiError>) -> Option<ClusterOutcome> {
    let Some(cluster) = found else {
        return Some(ClusterOutcome::Gone);
    };
    match cluster.state {
        ClusterState::Running | ClusterState::ErrorDueToUpdate => {
            Some(ClusterOutcome::Running(cluster))
        }
        ClusterState::Stopped => Some(ClusterOutcome::Stopped(cluster)),
        ClusterState::Deleting => Some(ClusterOutcome::Deleting(cluster)),
        ClusterState::Error => {
            let subject = Subject::Cluster(cluster.cluster.clone());
            let cause = failed.cloned().unwrap_or_else(|| {
                let unsaid = || "the service gave no detail".to_owned();
                let detail = cluster.detail.clone().unwrap_or_else(unsaid);
                failure(subject, 13, detail)
            });
            Some(ClusterOutcome::Error { cluster, cause })
        }
        ClusterState::Unknown
        | ClusterState::Creating
        | ClusterState::Updating
        | ClusterState::Stopping
        | ClusterState::Starting
        | ClusterState::Repairing
        | ClusterState::Scheduled => None,
    }
}

/// Waits until a cluster is gone, or, with `uuid`, until the cluster of that name is another one.
///
/// # Errors
/// As [`wait_operation`]; and the failure of the deletion, when it failed and the cluster is still there.
pub async fn wait_gone(
    api: &dyn ClusterApi,
    clock: &dyn Clock,
    cluster: &ClusterRef,
    uuid: Option<&ClusterUuid>,
    operation: Option<&OperationName>,
    deadline: Timestamp,
) -> Result<(), WaitError> {
    let (failure, _) = end_of(api, clock, cluster, operation, deadline).await?;
    let mut wait = Wait::new(clock, Subject::Cluster(cluster.clone()), deadline);
    loop {
        let answer = api.find(cluster).await;
        match (wait.take(answer)?, &failure) {
            (Some(None), _) => return Ok(()),
            (Some(Some(found)), _) if uuid.is_some_and(|uuid| found.uuid != *uuid) => return Ok(()),
            (Some(Some(found)), Some(failure)) if found.state != ClusterState::Deleting => {
                return Err(failure.clone().into());
            }
            _ => wait.pause().await?,
        }
    }
}

/// Waits until a job has ended, well or badly.
///
/// # Errors
/// [`ApiError::NotFound`] when there is no such job; else as [`wait_operation`].
pub async fn wait_job(
    api: &dyn JobApi,
    clock: &dyn Clock,
    project: &ProjectId,
    region: &Region,
    id: &DataprocJobId,
    deadline: Timestamp,
) -> Result<Job, WaitError> {
    let mut wait = Wait::new(clock, Subject::Job(id.clone()), deadline);
    loop {
        let answer = api.find(project, region, id).await;
        match wait.take(answer)? {
            Some(Some(job)) if job.state.is_terminal() => return Ok(job),
            Some(None) => {
                let subject = Subject::Job(id.clone());
                return Err(ApiError::NotFound { subject }.into());
            }
            _ => wait.pause().await?,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use flinkproc_core::{Clock, ClusterRef, Explain, Fault, Faulty, ManualClock};
    use jiff::Timestamp;
    use serde_json::json;

    use super::{ClusterOutcome, Settled, WaitError, backoff, pause, wait_cluster, wait_gone};
    use crate::clusters::{ClusterApi, ClusterSpec, ClusterState};
    use crate::memory::{Creation, MemoryDataproc};

    fn cluster() -> ClusterRef {
        ClusterRef {
            project: "my-project".parse().expect("valid"),
            region: "europe-west4".parse().expect("valid"),
            name: "batch".parse().expect("valid"),
        }
    }

    fn clock() -> ManualClock {
        ManualClock::eager("2026-11-22T12:00:00Z".parse().expect("valid"))
    }

    fn deadline() -> Timestamp {
        "2026-11-22T12:10:00Z".parse().expect("valid")
    }

    async fn create(api: &dyn ClusterApi, clock: &dyn Clock) -> Result<Settled, WaitError> {
        let spec = ClusterSpec {
            cluster: cluster(),
            resource: json!({}),
        };
        let request = "r1".parse().expect("valid");
        let operation = api.start_create(&spec, &request).await?;
        wait_cluster(api, clock, &cluster(), Some(&operation), deadline()).await
    }

    #[test]
    fn the_end_is_noticed_soon_after_it_came_and_never_later_than_five_seconds() {
        let request = Duration::from_millis(50);
        for (takes, noticed) in [
            (0.0, 0.07),
            (0.1, 0.25),
            (0.5, 0.65),
            (3.0, 3.3),
            (60.0, 64.1),
            (600.0, 605.1),
        ] {
            let mut waited = Duration::ZERO;
            loop {
                waited += pause(waited) + request;
                if waited.as_secs_f64() >= takes {
                    break;
                }
            }
            assert!(
                waited.as_secs_f64() <= noticed,
                "{takes} was seen at {waited:?}"
            );
        }
        assert_eq!(backoff(1000), Duration::from_secs(5));
    }

    #[tokio::test]
    async fn failed_polls_do_not_end_the_wait() {
        let mut api = Faulty::new(MemoryDataproc::new().with_polls(8));
        for nth in 2..6 {
            api = api.with("operation", nth, Fault::Before);
        }
        api = api.with("find", 1, Fault::AnswerLost);
        let settled = create(&api, &clock()).await.expect("an answer");
        assert!(settled.into_running(&cluster()).is_ok());
    }

    #[tokio::test]
    async fn the_state_decides_and_not_the_operation() {
        let check = async |creation: Creation, expected: &str| {
            let api = MemoryDataproc::new().with_polls(3);
            api.next_creation(creation);
            let settled = create(&api, &clock()).await.expect("an answer");
            let error = settled
                .into_running(&cluster())
                .expect_err("no running cluster");
            assert_eq!(error.code().as_str(), expected, "{error}");
        };
        let detail = "Cannot start master".to_owned();
        check(Creation::Errs { detail }, "DPR012").await;
        check(Creation::Deleting, "DPR008").await;
        let message = "Insufficient 'CPUS' quota. Requested 24.0, available 8.0.".to_owned();
        check(Creation::Fails { code: 3, message }, "DPR005").await;
        let message = "ZONE_RESOURCE_POOL_EXHAUSTED".to_owned();
        check(Creation::Fails { code: 14, message }, "DPR006").await;
    }

    #[tokio::test]
    async fn an_operation_that_was_forgotten_leaves_the_cluster_to_be_read() {
        let api = MemoryDataproc::new().with_polls(3);
        let spec = ClusterSpec {
            cluster: cluster(),
            resource: json!({}),
        };
        let request = "r1".parse().expect("valid");
        api.start_create(&spec, &request).await.expect("started");
        let forgotten = crate::OperationName("projects/p/regions/r/operations/none".to_owned());
        let settled = wait_cluster(&api, &clock(), &cluster(), Some(&forgotten), deadline()).await;
        let settled = settled.expect("an answer");
        assert!(matches!(settled.outcome, ClusterOutcome::Running(_)));
    }

    #[tokio::test]
    async fn the_deadline_ends_the_wait_at_its_time_and_names_the_last_failure() {
        let api = MemoryDataproc::new().with_polls(u32::MAX);
        let clock = clock();
        let error = create(&api, &clock).await.expect_err("no end");
        assert_eq!(error.code().as_str(), "DPR013");
        assert_eq!(clock.now(), deadline());
    }

    #[tokio::test]
    async fn gone_is_gone_also_when_another_one_has_the_name() {
        let api = MemoryDataproc::new();
        let spec = ClusterSpec {
            cluster: cluster(),
            resource: json!({}),
        };
        api.plant(&spec);
        let other = "ffffffff-0000-4000-8000-000000000000"
            .parse()
            .expect("valid");
        let clock = clock();
        let gone = wait_gone(&api, &clock, &cluster(), Some(&other), None, deadline()).await;
        assert_eq!(gone, Ok(()));
        let request = "r2".parse().expect("valid");
        let operation = api
            .start_delete(&cluster(), None, &request)
            .await
            .expect("started");
        let gone = wait_gone(
            &api,
            &clock,
            &cluster(),
            None,
            operation.as_ref(),
            deadline(),
        )
        .await;
        assert_eq!(gone, Ok(()));
        assert!(api.clusters().is_empty());
        api.plant(&spec);
        api.set_state(&cluster(), ClusterState::Deleting, None);
        let gone = wait_gone(&api, &clock, &cluster(), None, None, deadline()).await;
        assert!(matches!(gone, Err(WaitError::Deadline { .. })));
    }
}
