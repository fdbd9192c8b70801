//! [`LauncherError`]: a job or an action that the launcher cannot be told about.

use flinkproc_core::{ErrorCode, Explain, FailureKind};
use flinkproc_flink_cli::FlinkCliError;

/// A job that the launcher cannot be told about.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LauncherError {
    /// Flink's command line cannot be built.
    #[error(transparent)]
    Flink(#[from] FlinkCliError),
    /// A file's name is no name of a file in one directory, or two files have the same.
    #[error("the file name `{name}` cannot be used on the master: {problem}")]
    InvalidFileName {
        /// The name.
        name: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// The entry point names a file that is not among the files.
    #[error("the script `{name}` is not among the job's files")]
    ScriptMissing {
        /// The name.
        name: String,
    },
    /// A Flink setting holds one of the two characters that the launcher replaces.
    #[error("the Flink setting `{setting}` holds a control character")]
    ControlCharacter {
        /// The setting, without the character.
        setting: String,
    },
    /// A digest that is none.
    #[error("`{digest}` is no SHA-256 in lower-case hexadecimal")]
    InvalidDigest {
        /// What stands there.
        digest: String,
    },
    /// A variable that the program cannot be given.
    #[error("the environment variable `{name}` cannot be set: {problem}")]
    InvalidVariable {
        /// Its name.
        name: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// The plan lacks or contradicts what this mode of Flink needs.
    #[error("the job cannot run like this: {problem}")]
    Unfit {
        /// What does not fit.
        problem: &'static str,
    },
}

impl Explain for LauncherError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Flink(error) => error.code(),
            Self::InvalidFileName { .. } => ErrorCode::new("LCH001"),
            Self::ScriptMissing { .. } => ErrorCode::new("LCH002"),
            Self::ControlCharacter { .. } => ErrorCode::new("LCH003"),
            Self::InvalidDigest { .. } => ErrorCode::new("LCH004"),
            Self::InvalidVariable { .. } => ErrorCode::new("LCH005"),
            Self::Unfit { .. } => ErrorCode::new("LCH006"),
        }
    }

    fn kind(&self) -> FailureKind {
        FailureKind::Input
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Flink(error) => error.help(),
            Self::InvalidFileName { .. } => Some("Rename the file.".to_owned()),
            Self::ScriptMissing { .. } | Self::InvalidDigest { .. } => Some(
                "The plan was changed by hand: make it again with `flinkproc plan`.".to_owned(),
            ),
            Self::InvalidVariable { .. } => Some(
                "Take another name: letters, digits and `_`, none of Python's or the launcher's own."
                    .to_owned(),
            ),
            Self::Unfit { .. } => Some(
                "Change the mode or what the message names, and make the plan again.".to_owned(),
            ),
            Self::ControlCharacter { .. } => {
                Some("Remove the character from the setting.".to_owned())
            }
        }
    }
}
