//! What a deployment came to: verdict, times, ids, logs, result, and what is left that costs money.

use std::path::PathBuf;

use flinkproc_core::{
    ClusterRef, ClusterUuid, DeploymentId, FailureKind, FlinkJobId, GcsUri, YarnApplicationId,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cause::Cause;
use crate::step::{Failure, Step};
use crate::verdict::{Evidence, Verdict};

/// Why a deployment goes to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// The run is over and has its verdict.
    Finished,
    /// A step failed.
    Failed,
    /// The deadline passed.
    Deadline,
    /// Somebody interrupted the run and wants everything gone.
    Interrupted,
    /// Somebody took the deployment down.
    Down,
}

/// How a run of this process left the deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conclusion {
    /// The deployment is over; the verdict is that of the job.
    Ended {
        /// Why it went to its end.
        ending: Ending,
        /// How the job ended; [`None`] when it never started.
        verdict: Option<Verdict>,
    },
    /// The deployment goes on without us.
    Detached,
    /// We left at once, whatever was under way.
    Left,
    /// The step that was to be the last one is done.
    Reached(Step),
}

/// What a deployment came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The deployment.
    pub deployment: DeploymentId,
    /// How it was left.
    pub conclusion: Conclusion,
    /// What was seen of the run; the three witnesses are shown where they disagree.
    pub evidence: Option<Evidence>,
    /// The first failure; failures of the clean-up never take its place.
    pub failure: Option<Failure>,
    /// Why the job failed, as far as its output tells.
    pub cause: Option<Cause>,
    /// When the deployment began.
    pub began: Timestamp,
    /// How long each step took.
    pub phases: Vec<Phase>,
    /// The cluster.
    pub cluster: Option<ClusterRef>,
    /// The cluster's UUID.
    pub cluster_uuid: Option<ClusterUuid>,
    /// The YARN applications.
    pub applications: Vec<YarnApplicationId>,
    /// The Flink jobs.
    pub jobs: Vec<FlinkJobId>,
    /// The directory that holds the saved logs.
    pub logs: Option<PathBuf>,
    /// The objects of the job's result.
    pub result: Vec<ResultObject>,
    /// What was done to end the run, and what of it worked.
    pub endings: Vec<EndingStep>,
    /// What is left that we know of.
    pub remains: Vec<Remainder>,
}

/// How long a step took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// The step.
    pub step: Step,
    /// When it began.
    pub began: Timestamp,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// One object of the result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultObject {
    /// Where it lies.
    pub uri: GcsUri,
    /// Its size in bytes.
    pub size: u64,
    /// The local copy, if it was fetched: large results are listed and not fetched.
    pub local: Option<PathBuf>,
}

/// One thing that was done to end the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndingStep {
    /// What was done, such as `cancel Flink job 0123…`.
    pub what: String,
    /// Whether it worked.
    pub worked: bool,
    /// What was said, when it did not.
    pub detail: Option<String>,
}

/// Something that is left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remainder {
    /// What it is.
    pub what: String,
    /// Whether it costs money as long as it is there.
    pub costs: bool,
    /// Why it is still there.
    pub why: String,
    /// The command that ends it.
    pub command: String,
}

impl Outcome {
    /// The class of the failure; `None` when everything went as it was meant to.
    ///
    /// A job that failed stays the reason whatever the clean-up did. A job that ended well with a failure afterwards has that
    /// failure's class: something was left behind or not fetched.
    #[must_use]
    pub fn kind(&self) -> Option<FailureKind> {
        match &self.conclusion {
            Conclusion::Reached(_) => None,
            Conclusion::Detached | Conclusion::Left => Some(FailureKind::Interrupted),
            Conclusion::Ended { ending, verdict } => match ending {
                Ending::Deadline => Some(FailureKind::Deadline),
                Ending::Interrupted => Some(FailureKind::Interrupted),
                Ending::Down => self.leftover(),
                Ending::Failed => Some(
                    self.failure
                        .as_ref()
                        .map_or(FailureKind::Internal, |failure| failure.kind),
                ),
                Ending::Finished => match verdict {
                    Some(verdict) => {
                        let kind = verdict.kind();
                        let raised = kind == Some(FailureKind::Submission)
                            && self.cause.as_ref().is_some_and(Cause::is_the_programs_own);
                        if raised {
                            Some(FailureKind::Job)
                        } else {
                            kind.or_else(|| self.later_failure())
                        }
                    }
                    None => Some(FailureKind::Unknown),
                },
            },
        }
    }

    /// The exit code of the process: 0 only when the job succeeded and nothing failed after it.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.kind().map_or(0, FailureKind::exit_code)
    }

    /// How the job ended, if the deployment is over and the job had started.
    #[must_use]
    pub const fn verdict(&self) -> Option<&Verdict> {
        match &self.conclusion {
            Conclusion::Ended { verdict, .. } => verdict.as_ref(),
            _ => None,
        }
    }

    fn leftover(&self) -> Option<FailureKind> {
        let left = self.remains.iter().any(|one| one.costs);
        left.then_some(FailureKind::Cluster)
    }

    fn later_failure(&self) -> Option<FailureKind> {
        let failed = self.failure.as_ref().map(|failure| failure.kind);
        failed.or_else(|| self.leftover())
    }
}
