//! What an error tells its reader: a stable code, what to do, whether a retry is safe, and which exit code it becomes.

use std::error::Error;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A stable, searchable name of an error, such as `SSH002`; each has a section in `docs/errors.md`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ErrorCode(&'static str);

impl ErrorCode {
    /// Names a code: capital letters, then three digits.
    #[must_use]
    pub const fn new(code: &'static str) -> Self {
        Self(code)
    }

    /// The code as text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Whether the call that failed may be made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RetryHint {
    /// The same call fails again: something has to change first.
    Never,
    /// The same call may be made again at once or later; doing it twice equals doing it once.
    Safe,
    /// The call may have taken effect although it failed: look first, then decide.
    CheckFirst,
}

/// The class of a failure; the process exit code follows from it alone (`docs/exit-codes.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// What the user wrote cannot be carried out.
    Input,
    /// Credentials are missing, expired or not allowed to do this.
    Credentials,
    /// A quota is used up, or the zone has no such machines left.
    Capacity,
    /// The cluster could not be made, reached or kept.
    Cluster,
    /// The job never started.
    Submission,
    /// The job ran and failed.
    Job,
    /// The job was cancelled.
    Cancelled,
    /// The deployment's deadline passed.
    Deadline,
    /// A person or the system interrupted the run.
    Interrupted,
    /// It could not be found out how the job ended.
    Unknown,
    /// A defect of flinkproc.
    Internal,
}

impl FailureKind {
    /// Every kind, in the order of its exit code.
    pub const ALL: [Self; 11] = [
        Self::Internal,
        Self::Input,
        Self::Credentials,
        Self::Capacity,
        Self::Cluster,
        Self::Submission,
        Self::Job,
        Self::Cancelled,
        Self::Deadline,
        Self::Unknown,
        Self::Interrupted,
    ];

    /// The exit code of the process; never 0.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Internal => 1,
            Self::Input => 2,
            Self::Credentials => 3,
            Self::Capacity => 4,
            Self::Cluster => 5,
            Self::Submission => 6,
            Self::Job => 7,
            Self::Cancelled => 8,
            Self::Deadline => 9,
            Self::Unknown => 10,
            Self::Interrupted => 130,
        }
    }
}

/// An error that explains itself.
///
/// `Display` is a lower-case fragment without a final stop that never repeats its source;
/// what the reader should do is [`help`](Explain::help).
pub trait Explain: Error + Send + Sync + 'static {
    /// The stable code.
    fn code(&self) -> ErrorCode;

    /// The class of the failure.
    fn kind(&self) -> FailureKind;

    /// What to do about it, as one or more sentences.
    fn help(&self) -> Option<String> {
        None
    }

    /// Whether the same call may be made again.
    fn retry(&self) -> RetryHint {
        RetryHint::Never
    }
}
