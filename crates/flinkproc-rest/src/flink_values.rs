//! What Flink's JobManager says, as typed values.
//!
//! Names and units are those of Flink's "REST API" page; times and durations are milliseconds, sizes bytes.
//! Answers were taken from a running 1.20.5. Flink leaves fields out and adds others from version to version, so only
//! what every version from 1.12 on has is required.

use std::collections::BTreeMap;
use std::fmt;

use flinkproc_core::FlinkJobId;
use serde::{Deserialize, Serialize};

/// The JobManager's sums.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Overview {
    /// TaskManagers that take part.
    pub taskmanagers: u32,
    /// Slots in all.
    pub slots_total: u32,
    /// Slots that are free.
    pub slots_available: u32,
    /// Jobs that run.
    pub jobs_running: u32,
    /// Jobs that ended well.
    pub jobs_finished: u32,
    /// Jobs that were cancelled.
    pub jobs_cancelled: u32,
    /// Jobs that failed.
    pub jobs_failed: u32,
    /// Flink's version.
    pub flink_version: String,
}

/// One job in short.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct JobOverview {
    /// Its id.
    #[serde(rename = "jid")]
    pub id: FlinkJobId,
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: FlinkJobState,
    /// When it began.
    pub start_time: i64,
    /// When it ended; -1 before.
    pub end_time: i64,
    /// How many of its tasks are in which state; `total` is one of the keys.
    #[serde(default)]
    pub tasks: BTreeMap<String, u32>,
}

/// The states of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FlinkJobState {
    /// The JobMaster is being started.
    Initializing,
    /// Known, not scheduled.
    Created,
    /// Running.
    Running,
    /// A task failed; the others are being ended.
    Failing,
    /// Failed.
    Failed,
    /// Being cancelled.
    Cancelling,
    /// Cancelled.
    Canceled,
    /// Ended well.
    Finished,
    /// Being started again after a failure.
    Restarting,
    /// Left to another JobManager.
    Suspended,
    /// Being taken over from another JobManager.
    Reconciling,
    /// A word that this crate does not know.
    #[serde(other)]
    Unknown,
}

impl FlinkJobState {
    /// Whether the job has ended for good.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Failed | Self::Canceled | Self::Finished)
    }
}

/// One job in full.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct JobDetail {
    /// Its id.
    #[serde(rename = "jid")]
    pub id: FlinkJobId,
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: FlinkJobState,
    /// When it began.
    pub start_time: i64,
    /// When it ended; -1 before.
    pub end_time: i64,
    /// How long it has run.
    pub duration: i64,
    /// Its operators, chained as they run.
    pub vertices: Vec<Vertex>,
}

/// One vertex of a job: a chain of operators.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Vertex {
    /// Its id.
    pub id: String,
    /// Its operators' names.
    pub name: String,
    /// How many tasks it has.
    pub parallelism: i32,
    /// The state of its tasks together.
    pub status: String,
}

/// Why a job failed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Exceptions {
    /// The stack trace of the first cause; none when nothing failed.
    pub root_exception: Option<String>,
    /// When it happened.
    pub timestamp: Option<i64>,
    /// Earlier and concurrent failures, newest first.
    #[serde(rename = "exceptionHistory", default)]
    pub history: ExceptionHistory,
}

/// The failures of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct ExceptionHistory {
    /// One entry for each restart.
    #[serde(default)]
    pub entries: Vec<ExceptionEntry>,
    /// Whether older ones were dropped.
    #[serde(default)]
    pub truncated: bool,
}

/// One failure.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExceptionEntry {
    /// The exception's class.
    pub exception_name: String,
    /// Its stack trace.
    pub stacktrace: String,
    /// When it happened.
    pub timestamp: i64,
    /// The task that failed.
    #[serde(default)]
    pub task_name: Option<String>,
}

/// The checkpoints of a job.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Checkpoints {
    /// How many there were.
    pub counts: CheckpointCounts,
    /// The latest of each kind.
    pub latest: LatestCheckpoints,
}

/// How many checkpoints there were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct CheckpointCounts {
    /// In all.
    pub total: u64,
    /// Under way.
    pub in_progress: u64,
    /// Ended well.
    pub completed: u64,
    /// Failed.
    pub failed: u64,
    /// Restored from.
    pub restored: u64,
}

/// The latest checkpoint of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct LatestCheckpoints {
    /// The latest that ended well.
    pub completed: Option<Checkpoint>,
    /// The latest savepoint.
    pub savepoint: Option<Checkpoint>,
    /// The latest that failed.
    pub failed: Option<Checkpoint>,
    /// The one that the job started from.
    pub restored: Option<Checkpoint>,
}

/// One checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Checkpoint {
    /// Its number.
    pub id: u64,
    /// Where it lies; none when it failed.
    #[serde(default)]
    pub external_path: Option<String>,
    /// Why it failed.
    #[serde(default)]
    pub failure_message: Option<String>,
    /// When it was triggered.
    #[serde(default)]
    pub trigger_timestamp: Option<i64>,
}

/// One metric.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Metric {
    /// Its name.
    pub id: String,
    /// Its value as Flink writes it; none where only names were asked for.
    #[serde(default)]
    pub value: Option<String>,
}

/// One entry of the JobManager's configuration; Flink hides the values of secret keys itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ConfigEntry {
    /// The key.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// One TaskManager.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskManager {
    /// Its id; on YARN its container.
    pub id: String,
    /// Its slots.
    pub slots_number: u32,
    /// Those that are free.
    pub free_slots: u32,
}

/// Tells one triggered savepoint from another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TriggerId(pub String);

impl fmt::Display for TriggerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a savepoint stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SavepointStatus {
    /// Under way.
    InProgress,
    /// Written.
    Completed {
        /// Where it lies.
        location: String,
    },
    /// Failed.
    Failed {
        /// Flink's stack trace.
        cause: String,
    },
}
