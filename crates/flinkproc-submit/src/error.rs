//! [`SubmitError`]: why a job could not be handed over, looked at or ended.

use flinkproc_core::{ErrorCode, Explain, FailureKind, RetryHint};
use flinkproc_plan::launcher::LauncherError;
use flinkproc_ssh::ShellError;

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
}

impl SubmitError {
    /// Whether a new connection may help.
    #[must_use]
    pub fn is_connection_lost(&self) -> bool {
        match self {
            Self::Shell { source, .. } => {
                source.is_typical_of_young_machines() || source.retry() != RetryHint::Never
            }
            Self::Garbled { .. } => true,
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
        }
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::Launcher(error) => error.kind(),
            Self::Shell { source, .. } => source.kind(),
            Self::Fenced { .. } | Self::Conflict { .. } | Self::Refused { .. } => {
                FailureKind::Submission
            }
            Self::Garbled { .. } => FailureKind::Unknown,
        }
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Launcher(error) => return error.help(),
            Self::Shell { source, .. } => return source.help(),
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
        };
        Some(help.to_owned())
    }

    fn retry(&self) -> RetryHint {
        match self {
            Self::Shell { source, .. } => source.retry(),
            Self::Garbled { .. } => RetryHint::CheckFirst,
            _ => RetryHint::Never,
        }
    }
}
