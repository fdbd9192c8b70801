//! The trait [`SubmissionMethod`]: how a job is handed to a cluster and looked after there.

use std::fmt::Debug;

use async_trait::async_trait;
use bytes::Bytes;
use flinkproc_core::{Attempt, DeploymentId, FlinkJobId, Span, YarnApplicationId};
use flinkproc_plan::JobPlan;
pub use flinkproc_plan::launcher::JobAction;
use serde::{Deserialize, Serialize};

use crate::error::SubmitError;

/// One way to hand a job to a cluster.
///
/// A method knows the launcher and how to get to it; it never asks YARN or Flink how the job fares.
#[async_trait]
pub trait SubmissionMethod: Debug + Send + Sync + 'static {
    /// The method's name in specs and on the command line, such as `ssh`.
    fn name(&self) -> &str;

    /// Hands the job over.
    ///
    /// Idempotent for one [`RunRef`]: an attempt starts at most once, however often this is called. If the answer is lost, ask
    /// [`SubmissionMethod::observe`] first. A fenced attempt is [`SubmitError::Fenced`].
    async fn submit(&self, run: &RunRef, job: &JobPlan) -> Result<(), SubmitError>;

    /// Looks at a run: its state, its ids, and what its client program said from the given offsets on.
    ///
    /// Waits up to `patience` for something new. Idempotent.
    async fn observe(
        &self,
        run: &RunRef,
        from: Offsets,
        patience: Span,
    ) -> Result<Observation, SubmitError>;

    /// Asks the launcher to end the run: Flink's client first, then the YARN application of our tag. Idempotent.
    async fn cancel(&self, run: &RunRef) -> Result<(), SubmitError>;

    /// Makes sure that this attempt never starts (any more); a running one is not touched. Idempotent.
    async fn fence(&self, run: &RunRef) -> Result<(), SubmitError>;

    /// Does something to the Flink jobs of a run, by Flink's own client on the cluster.
    ///
    /// Not idempotent: a second savepoint is another one. If the answer is lost, the savepoint may have been made.
    async fn act(&self, run: &RunRef, action: &JobAction) -> Result<Acted, SubmitError>;
}

/// What came of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acted {
    /// The exit status of Flink's client.
    pub status: u8,
    /// Where the savepoint is, when one was made.
    pub savepoint: Option<String>,
    /// What Flink's client said.
    pub said: Bytes,
}

/// What the launcher saw of YARN and Flink, for those who cannot ask them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sighting {
    /// The YARN applications of the attempt's tag.
    pub applications: Vec<SeenApplication>,
    /// The Flink jobs and their states, in Flink's words.
    pub jobs: Vec<(FlinkJobId, String)>,
    /// When, in seconds since 1970.
    pub at: i64,
}

/// A YARN application as the launcher saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenApplication {
    /// Its id.
    pub id: YarnApplicationId,
    /// Its state, in YARN's words: `RUNNING`, `FINISHED`, ….
    pub state: String,
    /// Its final status, in YARN's words: `UNDEFINED`, `SUCCEEDED`, `FAILED`, `KILLED`.
    pub final_status: String,
    /// YARN's or Flink's reason.
    #[serde(default)]
    pub diagnostics: String,
}

/// One attempt of one deployment.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RunRef {
    /// The deployment.
    pub deployment: DeploymentId,
    /// Its attempt.
    pub attempt: Attempt,
}

impl RunRef {
    /// The YARN tag of this attempt.
    #[must_use]
    pub fn tag(&self) -> String {
        format!("flinkproc-{}-{}", self.deployment, self.attempt)
    }
}

/// How far the client program's output has been read, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offsets {
    /// On standard output.
    pub out: u64,
    /// On standard error.
    pub err: u64,
}

/// What was seen of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// How it stands.
    pub state: RunState,
    /// The YARN application, as soon as it is known.
    pub application: Option<YarnApplicationId>,
    /// The Flink jobs, as far as they are known.
    pub jobs: Vec<FlinkJobId>,
    /// Standard output from the asked offset on; a piece of it when there is much.
    pub out: Bytes,
    /// Standard error from the asked offset on; a piece of it when there is much.
    pub err: Bytes,
    /// What the launcher saw of YARN and Flink, where it looks.
    pub sighting: Option<Sighting>,
}

/// How a run stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunState {
    /// The launcher was never started here.
    Absent,
    /// The launcher holds its lock.
    Running,
    /// The launcher has written how its program ended. It is final once the output was read to its end.
    Ended(LauncherExit),
    /// The launcher is gone without a word.
    Lost,
}

/// How the launcher's program ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LauncherExit {
    /// The shell's exit status, 0 to 255; 128 and more for a signal.
    pub status: u8,
    /// What the launcher was doing: `fetch`, `verify`, `prepare` or `flink`.
    pub phase: String,
    /// Whether it was asked to end.
    pub cancelled: bool,
    /// When, in seconds since 1970.
    pub at: i64,
}
