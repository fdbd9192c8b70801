//! Why a Flink command line is refused.

use flinkproc_core::{ErrorCode, Explain, FailureKind, FlinkVersion};

/// A command line that Flink would refuse, misread or partly ignore.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FlinkCliError {
    /// Per-job mode is gone in Flink 2.
    #[error("Flink {version} has no per-job mode on YARN: it was removed in Flink 2.0")]
    PerJobRemoved {
        /// The Flink that was asked for.
        version: FlinkVersion,
    },
    /// An option that this version does not have.
    #[error("Flink {version} has no option `{option}`: {reason}")]
    UnsupportedOption {
        /// The Flink that would read the line.
        version: FlinkVersion,
        /// The option as written.
        option: String,
        /// What this version makes of it, or when the option came or went.
        reason: String,
    },
    /// Two families of options, of which Flink reads one and silently drops the other.
    #[error("Flink drops `{dropped}` silently beside `{chosen}`")]
    MixedOptions {
        /// The option that decides which parser is active.
        chosen: String,
        /// The option whose value would get lost.
        dropped: String,
    },
    /// A script that is no local path.
    #[error("`-py` takes a path on the master and cannot read `{path}`")]
    RemoteScript {
        /// The address as written.
        path: String,
    },
    /// An option without the value that it needs.
    #[error("the option `{option}` needs a value")]
    MissingValue {
        /// The option as written.
        option: String,
    },
    /// A configuration key or value that does not survive Flink's command line.
    #[error("the Flink configuration key `{key}` cannot be set: {problem}")]
    InvalidConfig {
        /// The key.
        key: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// A file name that Flink's lists cannot carry.
    #[error("Flink cannot take the file `{path}`: {problem}")]
    InvalidPath {
        /// The path.
        path: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// An action or a setting that this version has not.
    #[error("Flink {version} has no {what}: {known}")]
    NotInVersion {
        /// The Flink that was asked for.
        version: FlinkVersion,
        /// What it lacks, such as ``action `flink checkpoint` ``.
        what: &'static str,
        /// The first or the last version that has it.
        known: &'static str,
        /// What to use instead.
        instead: &'static str,
    },
    /// A setting that cannot be, alone or beside another.
    #[error("the setting `{setting}` cannot be: {problem}")]
    InvalidSetting {
        /// The setting.
        setting: &'static str,
        /// What is wrong.
        problem: &'static str,
    },
}

impl Explain for FlinkCliError {
    fn code(&self) -> ErrorCode {
        ErrorCode::new(match self {
            Self::PerJobRemoved { .. } => "FLK001",
            Self::UnsupportedOption { .. } => "FLK003",
            Self::MixedOptions { .. } => "FLK004",
            Self::RemoteScript { .. } => "FLK005",
            Self::MissingValue { .. } => "FLK006",
            Self::InvalidConfig { .. } => "FLK007",
            Self::InvalidPath { .. } => "FLK008",
            Self::NotInVersion { .. } => "FLK009",
            Self::InvalidSetting { .. } => "FLK010",
        })
    }

    fn kind(&self) -> FailureKind {
        FailureKind::Input
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::PerJobRemoved { .. } => "Use application mode, or an image with Flink 1.x.".to_owned(),
            Self::UnsupportedOption { .. } => {
                "Leave the option out, set the configuration key behind it, or take an image whose Flink has it.".to_owned()
            }
            Self::MixedOptions { .. } => {
                "Write everything as `-t TARGET` with `-Dkey=value`; the options that start with `-y` belong to `-m yarn-cluster`."
                    .to_owned()
            }
            Self::RemoteScript { .. } => {
                "Name a local script in the spec: flinkproc stages it and hands Flink the copy on the master.".to_owned()
            }
            Self::MissingValue { .. } => "Write the value behind the option.".to_owned(),
            Self::InvalidConfig { .. } => "Remove the key, or set what the spec has a key of its own for there.".to_owned(),
            Self::InvalidPath { .. } => {
                "Rename the file: Flink separates lists by commas and semicolons, and directory names by `#`.".to_owned()
            }
            Self::NotInVersion { instead, .. } => (*instead).to_owned(),
            Self::InvalidSetting { .. } => "Change or remove the setting.".to_owned(),
        })
    }
}
