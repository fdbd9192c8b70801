//! [`RunError`]: why a step of a deployment failed, or why a deployment does not begin.

use flinkproc_compute::GateError;
use flinkproc_core::{
    ClusterRef, DeploymentId, ErrorCode, Explain, FailureKind, FlinkJobId, GcsUri, RetryHint,
};
use flinkproc_dataproc::{ClusterError, ClusterState, WaitError};
use flinkproc_env::EnvError;
use flinkproc_rest::RestError;
use flinkproc_ssh::ShellError;
use flinkproc_staging::StagingError;
use flinkproc_submit::SubmitError;
use jiff::Timestamp;

use crate::journal::JournalError;

/// Why a step failed, or why a deployment does not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Cloud Storage failed.
    #[error(transparent)]
    Staging(#[from] StagingError),
    /// Dataproc failed.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// Waiting for Dataproc was in vain.
    #[error(transparent)]
    Wait(#[from] WaitError),
    /// The machine could not be found, or its door not opened.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// The connection failed.
    #[error(transparent)]
    Shell(#[from] ShellError),
    /// YARN or Flink failed to answer.
    #[error(transparent)]
    Rest(#[from] RestError),
    /// The launcher failed.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// A run of the same spec goes on, and nobody said whether this is the same one.
    #[error("deployment `{running}` of the same spec, begun {since}, is not finished")]
    Unfinished {
        /// The one that goes on.
        running: DeploymentId,
        /// When it began.
        since: Timestamp,
    },
    /// The journal does not know the deployment.
    #[error("no deployment `{id}` is known here")]
    UnknownDeployment {
        /// Its id.
        id: DeploymentId,
    },
    /// A cluster of that name is there, and it is not ours.
    #[error("cluster `{}` exists and was not made by this deployment", cluster.name)]
    NotOurs {
        /// The cluster.
        cluster: ClusterRef,
    },
    /// The cluster that the job was to run on is not there.
    #[error("cluster `{}` does not exist (any more)", cluster.name)]
    ClusterGone {
        /// The cluster.
        cluster: ClusterRef,
    },
    /// The cluster is there and cannot run a job now.
    #[error("cluster `{}` is in state {state:?}{}", cluster.name, detail.as_ref().map_or_else(String::new, |text| format!(": {text}")))]
    ClusterNotRunning {
        /// The cluster.
        cluster: ClusterRef,
        /// Its state.
        state: ClusterState,
        /// What the service says.
        detail: Option<String>,
    },
    /// The service does not name the cluster's master or zone.
    #[error("the master of cluster `{}` cannot be found", cluster.name)]
    NoMaster {
        /// The cluster.
        cluster: ClusterRef,
    },
    /// Nobody knows how to submit by this method.
    #[error("there is no submission method `{name}`")]
    NoSuchMethod {
        /// Its name.
        name: String,
    },
    /// A local file is not the one that was planned.
    #[error("`{path}` is not the file that was planned: {what}")]
    Drifted {
        /// The file.
        path: String,
        /// What differs.
        what: String,
    },
    /// A file of the deployment's own directory cannot be written or read.
    #[error("{path} cannot be {action}")]
    Local {
        /// The file.
        path: String,
        /// `written` or `read`.
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The launcher vanished again and again.
    #[error("the launcher vanished {attempts} times without a word")]
    LauncherLost {
        /// How often.
        attempts: u32,
    },
    /// The plan says that nobody enters the master, and what was asked for needs that.
    #[error("nobody enters the master of this deployment (`ssh.access = \"never\"`)")]
    NobodyEnters,
    /// Nothing of the deployment runs that something could be done to.
    #[error("no job of deployment `{id}` runs: {why}")]
    NothingRuns {
        /// The deployment.
        id: DeploymentId,
        /// Why not.
        why: String,
    },
    /// Flink's client did not do what it was told.
    #[error("the action `{action}` ended with status {status}: {said}")]
    ActionFailed {
        /// `savepoint`, `stop` or `cancel`.
        action: &'static str,
        /// The client's exit status.
        status: u8,
        /// The end of what it said.
        said: String,
    },
    /// The Python environment could not be built.
    #[error(transparent)]
    Environment(#[from] EnvError),
    /// Nobody here builds Python environments by this name.
    #[error("there is no builder `{name}` of Python environments")]
    NoSuchBuilder {
        /// Its name.
        name: String,
    },
    /// A pointer to an environment in the bucket cannot be read.
    #[error("`{pointer}` names no Python environment: {problem}")]
    BadPointer {
        /// The object.
        pointer: GcsUri,
        /// What is wrong with it.
        problem: String,
    },
    /// A session could not be started.
    #[error("the session `{name}` did not start: {problem}")]
    SessionFailed {
        /// Its name.
        name: String,
        /// What was said.
        problem: String,
    },
    /// A session is to be ended in which jobs run.
    #[error("the session `{name}` is busy with {}", count(jobs.len()))]
    SessionBusy {
        /// Its name.
        name: String,
        /// The jobs.
        jobs: Vec<FlinkJobId>,
    },
    /// There is no session of that name.
    #[error("no session `{name}` runs on cluster `{}`", cluster.name)]
    NoSuchSession {
        /// Its name.
        name: String,
        /// The cluster.
        cluster: ClusterRef,
    },
    /// A part of flinkproc broke.
    #[error("a part of the run broke: {what}")]
    Broke {
        /// Which, and how.
        what: String,
    },
}

fn count(jobs: usize) -> String {
    match jobs {
        1 => "1 job".to_owned(),
        more => format!("{more} jobs"),
    }
}

impl RunError {
    /// The error below, where this one only passes it on.
    fn inner(&self) -> Option<&dyn Explain> {
        Some(match self {
            Self::Journal(error) => error,
            Self::Staging(error) => error,
            Self::Cluster(error) => error,
            Self::Wait(error) => error,
            Self::Gate(error) => error,
            Self::Shell(error) => error,
            Self::Rest(error) => error,
            Self::Submit(error) => error,
            Self::Environment(error) => error,
            _ => return None,
        })
    }
}

impl Explain for RunError {
    fn code(&self) -> ErrorCode {
        if let Some(inner) = self.inner() {
            return inner.code();
        }
        ErrorCode::new(match self {
            Self::Unfinished { .. } => "RUN004",
            Self::UnknownDeployment { .. } => "RUN005",
            Self::NotOurs { .. } => "RUN006",
            Self::ClusterGone { .. } => "RUN007",
            Self::ClusterNotRunning { .. } => "RUN008",
            Self::NoMaster { .. } => "RUN009",
            Self::NoSuchMethod { .. } => "RUN010",
            Self::Drifted { .. } => "RUN011",
            Self::Local { .. } => "RUN012",
            Self::LauncherLost { .. } => "RUN013",
            Self::NobodyEnters => "RUN015",
            Self::NothingRuns { .. } => "RUN016",
            Self::ActionFailed { .. } => "RUN017",
            Self::NoSuchBuilder { .. } => "RUN018",
            Self::BadPointer { .. } => "RUN019",
            Self::SessionFailed { .. } => "RUN020",
            Self::SessionBusy { .. } => "RUN021",
            Self::NoSuchSession { .. } => "RUN022",
            _ => "RUN014",
        })
    }

    fn kind(&self) -> FailureKind {
        if let Some(inner) = self.inner() {
            return inner.kind();
        }
        match self {
            Self::Unfinished { .. }
            | Self::UnknownDeployment { .. }
            | Self::NotOurs { .. }
            | Self::NoSuchMethod { .. }
            | Self::Drifted { .. }
            | Self::NobodyEnters
            | Self::NothingRuns { .. }
            | Self::NoSuchBuilder { .. }
            | Self::BadPointer { .. }
            | Self::SessionBusy { .. }
            | Self::NoSuchSession { .. }
            | Self::Local { .. } => FailureKind::Input,
            Self::ActionFailed { .. } | Self::SessionFailed { .. } => FailureKind::Job,
            Self::ClusterGone { .. } | Self::ClusterNotRunning { .. } | Self::NoMaster { .. } => {
                FailureKind::Cluster
            }
            Self::LauncherLost { .. } => FailureKind::Submission,
            _ => FailureKind::Internal,
        }
    }

    fn help(&self) -> Option<String> {
        if let Some(inner) = self.inner() {
            return inner.help();
        }
        Some(match self {
            Self::Unfinished { running, .. } => format!("Carry that one on with `flinkproc deploy --resume {running}`, end it with `flinkproc down {running}`, or name this run as another one with `--run-key`."),
            Self::UnknownDeployment { .. } => "`flinkproc status` lists those that are known.".to_owned(),
            Self::NotOurs { .. } => "Choose another cluster name, or a prefix so that each run gets a name of its own; the cluster was not touched.".to_owned(),
            Self::ClusterGone { cluster } => format!("Somebody deleted it, or its max-idle or max-age was over; `flinkproc cluster list` shows the clusters of {}.", cluster.region),
            Self::ClusterNotRunning { .. } => "`flinkproc cluster describe` shows its state; start or repair it, or let the deployment make one.".to_owned(),
            Self::NoMaster { .. } => "`flinkproc cluster describe` shows what the service knows of it.".to_owned(),
            Self::NoSuchMethod { .. } => "Use `ssh`, `pig`, `pyspark`, `hadoop` or `native`, or a flinkproc that has it.".to_owned(),
            Self::NobodyEnters => "Let the deployment enter (`ssh.access = \"auto\"`), or use what needs no way in: `flinkproc status`, `logs`, `job` and `down` of a deployment that was submitted through the Jobs API.".to_owned(),
            Self::NothingRuns { id, .. } => format!("`flinkproc status {id}` shows how it stands."),
            Self::ActionFailed { .. } => "The job goes on unless Flink says otherwise; `flinkproc job list ID` shows it. A job that is not RUNNING yet takes no savepoint: try again when it is.".to_owned(),
            Self::NoSuchBuilder { .. } => "Use `auto`, `local` or `uv`.".to_owned(),
            Self::BadPointer { pointer, .. } => format!("Delete it (`gcloud storage rm {pointer}`): the environment is then found by its lock or built again."),
            Self::SessionFailed { .. } => "YARN may lack memory for its JobManager, or the cluster's Flink refuse a setting; what it said is above. Nothing was left running that bears the session's tag, or `flinkproc cluster session list` shows it.".to_owned(),
            Self::SessionBusy { .. } => "Wait for the jobs, cancel them, or stop the session with `--force`, which ends them.".to_owned(),
            Self::NoSuchSession { .. } => "`flinkproc cluster session list CLUSTER` shows those that run.".to_owned(),
            Self::Drifted { .. } => "Plan again, so that the plan names the file as it is now.".to_owned(),
            Self::Local { .. } => "Check that the directory is yours and that its disk has room.".to_owned(),
            Self::LauncherLost { .. } => "The master may be short of memory: give it a larger machine; its system log tells what ended the process.".to_owned(),
            _ => "This is a defect of flinkproc: please report it with the journal of the deployment.".to_owned(),
        })
    }

    fn retry(&self) -> RetryHint {
        match self.inner() {
            Some(inner) => inner.retry(),
            None => RetryHint::Never,
        }
    }
}
