//! [`SubmitError`]: why a job could not be handed over, looked at or ended.

use flinkproc_core::{DataprocJobId, ErrorCode, Explain, FailureKind, GcsUri, RetryHint};
use flinkproc_dataproc::{JobError, JobState};
use flinkproc_plan::launcher::LauncherError;
use flinkproc_ssh::ShellError;
use flinkproc_staging::StagingError;

/// A job that could not be handed over, looked at or ended.
///
/// Every call of a submission method may be repeated for the same attempt: starting again finds the first start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// The job cannot be put into the launcher's files.
    #[error(transparent)]
    Launcher(#[from] LauncherError),
    /// The way to the master failed.
    #[error("cannot {action} the job on the master")]
    Shell {
        /// `start`, `observe`, `cancel` or `fence`.
        action: &'static str,
        /// What the connection said.
        source: ShellError,
    },
    /// The attempt was fenced and may not start any more.
    #[error("the attempt {tag} may not start any more")]
    Fenced {
        /// The attempt's tag.
        tag: String,
    },
    /// The attempt was started before, with other files.
    #[error("the attempt {tag} was started before with another job")]
    Conflict {
        /// The attempt's tag.
        tag: String,
    },
    /// The master cannot hold or run the launcher.
    #[error("the master cannot {action} the job: {problem}")]
    Refused {
        /// `start`, `observe`, `cancel` or `fence`.
        action: &'static str,
        /// What the master said.
        problem: String,
    },
    /// The launcher's answer cannot be read.
    #[error("the launcher's answer cannot be read: {problem}")]
    Garbled {
        /// What is wrong with it.
        problem: String,
    },
    /// Dataproc's Jobs API failed.
    #[error("cannot {action} the job through Dataproc's Jobs API")]
    Jobs {
        /// `start`, `observe`, `cancel` or `act`.
        action: &'static str,
        /// What the service said.
        source: JobError,
    },
    /// The deployment's place in the bucket could not be read or written.
    #[error("cannot {action} the job through the bucket")]
    Mirror {
        /// `start`, `observe`, `cancel`, `fence` or `act`.
        action: &'static str,
        /// What the service said.
        source: StagingError,
    },
    /// The Dataproc job ended before it got to the launcher.
    #[error("the Dataproc job {id} ended as {state:?} before the launcher began: {detail}")]
    DriverFailed {
        /// The Dataproc job.
        id: DataprocJobId,
        /// Its state.
        state: JobState,
        /// What the service says about it, and where the driver's output lies.
        detail: String,
    },
    /// A name that a kind of Dataproc job would read as something else.
    #[error("the name `{name}` does not pass through {through}: {problem}")]
    UnsafeName {
        /// The name.
        name: String,
        /// Which syntax it would pass through.
        through: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The native method cannot hand this job over as it is.
    #[error("the method `native` cannot hand over {what}: {problem}")]
    NotNative {
        /// The part of the job.
        what: String,
        /// Why not.
        problem: String,
    },
    /// There is no method of this name.
    #[error("there is no submission method `{name}`")]
    UnknownMethod {
        /// The name.
        name: String,
    },
}

impl SubmitError {
    /// An object of a run whose address is too long.
    pub(crate) fn place(folder: &GcsUri) -> Self {
        Self::UnsafeName {
            name: folder.to_string(),
            through: "Cloud Storage",
            problem: "with an object's name behind it, it is longer than 1024 bytes",
        }
    }

    /// Whether a new connection may help.
    #[must_use]
    pub fn is_connection_lost(&self) -> bool {
        match self {
            Self::Shell { source, .. } => {
                source.is_typical_of_young_machines() || source.retry() != RetryHint::Never
            }
            Self::Garbled { .. } => true,
            Self::Jobs { source, .. } => source.retry() != RetryHint::Never,
            Self::Mirror { source, .. } => source.retry() != RetryHint::Never,
            _ => false,
        }
    }
}

impl Explain for SubmitError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Launcher(error) => error.code(),
            Self::Shell { .. } => ErrorCode::new("SUB001"),
            Self::Fenced { .. } => ErrorCode::new("SUB002"),
            Self::Conflict { .. } => ErrorCode::new("SUB003"),
            Self::Refused { .. } => ErrorCode::new("SUB004"),
            Self::Garbled { .. } => ErrorCode::new("SUB005"),
            Self::Jobs { .. } => ErrorCode::new("SUB006"),
            Self::Mirror { .. } => ErrorCode::new("SUB007"),
            Self::DriverFailed { .. } => ErrorCode::new("SUB008"),
            Self::UnsafeName { .. } => ErrorCode::new("SUB009"),
            Self::NotNative { .. } => ErrorCode::new("SUB010"),
            Self::UnknownMethod { .. } => ErrorCode::new("SUB011"),
        }
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::Launcher(error) => error.kind(),
            Self::Shell { source, .. } => source.kind(),
            Self::Jobs { source, .. } => source.kind(),
            Self::Mirror { source, .. } => source.kind(),
            Self::Fenced { .. }
            | Self::Conflict { .. }
            | Self::Refused { .. }
            | Self::DriverFailed { .. } => FailureKind::Submission,
            Self::UnsafeName { .. } | Self::NotNative { .. } | Self::UnknownMethod { .. } => {
                FailureKind::Input
            }
            Self::Garbled { .. } => FailureKind::Unknown,
        }
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Launcher(error) => return error.help(),
            Self::Shell { source, .. } => return source.help(),
            Self::Jobs { source, .. } => return source.help(),
            Self::Mirror { source, .. } => return source.help(),
            Self::Fenced { .. } => {
                "Ask YARN for the attempt's tag; when it knows nothing, start a new attempt."
            }
            Self::Conflict { .. } => {
                "What runs there was started from another plan. Look at it, or start a new deployment."
            }
            Self::Refused { .. } => {
                "Log in to the master and repair what it names: the directory's owner, the disk, or the missing program."
            }
            Self::Garbled { .. } => {
                "Look again. If it stays so, something in the login's start-up files writes where it should not."
            }
            Self::DriverFailed { .. } => {
                "Read the driver's output with `gcloud dataproc jobs wait`; a component that the image lacks (`PIG` from image 2.3 on) or a service account that may not read the bucket are the usual causes."
            }
            Self::UnsafeName { .. } => {
                "Use a staging bucket and prefix of letters, digits and `._/-=,@:+` only, or another submission method."
            }
            Self::NotNative { .. } => {
                "Use another submission method: all others bring the job to the cluster without Flink reading any of it."
            }
            Self::UnknownMethod { .. } => "Use `ssh`, `pig`, `pyspark`, `hadoop` or `native`.",
        };
        Some(help.to_owned())
    }

    fn retry(&self) -> RetryHint {
        match self {
            Self::Shell { source, .. } => source.retry(),
            Self::Jobs { source, .. } => source.retry(),
            Self::Mirror { source, .. } => source.retry(),
            Self::Garbled { .. } => RetryHint::CheckFirst,
            _ => RetryHint::Never,
        }
    }
}
