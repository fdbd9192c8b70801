//! [`RunError`]: why a step of a deployment failed, or why a deployment does not begin.

use flinkproc_compute::GateError;
use flinkproc_core::{ClusterRef, DeploymentId, ErrorCode, Explain, FailureKind, RetryHint};
use flinkproc_dataproc::{ClusterError, ClusterState, WaitError};
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
    /// A part of flinkproc broke.
    #[error("a part of the run broke: {what}")]
    Broke {
        /// Which, and how.
        what: String,
    },
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
            | Self::Local { .. } => FailureKind::Input,
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
            Self::NoSuchMethod { .. } => "Use `ssh`.".to_owned(),
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
