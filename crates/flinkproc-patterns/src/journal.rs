//! The trait [`Journal`]: the write-ahead record of each deployment.

use std::fmt::{self, Debug};
use std::path::PathBuf;

use async_trait::async_trait;
use flinkproc_core::{DeploymentId, ErrorCode, Explain, FailureKind, RetryHint};
use flinkproc_plan::Plan;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::outcome::Outcome;
use crate::step::{Failure, Intent, Output};

/// Where deployments are written down.
///
/// A deployment can be carried on from any beginning of its journal: what is about to be done is durable before it is done.
#[async_trait]
pub trait Journal: Debug + Send + Sync + 'static {
    /// Keeps others out of `scope` until the hold is dropped; [`JournalError::Held`] when somebody has it. A hold ends with its
    /// process, however that ends.
    async fn hold(&self, scope: &Scope) -> Result<Hold, JournalError>;

    /// Adds a record; an intent is durable when this returns, an [`Entry::Done`] with the next record at the latest.
    ///
    /// Not idempotent. If the answer is lost, the record may be there; every record may safely be there twice.
    /// Only the holder of the deployment's scope may call it, but for what an action on its job writes down; two processes may
    /// do so at once, and no record is torn by the other.
    async fn append(&self, id: &DeploymentId, record: &Record) -> Result<(), JournalError>;

    /// Reads a deployment's records in order; none for an unknown deployment. Idempotent.
    async fn load(&self, id: &DeploymentId) -> Result<Vec<Record>, JournalError>;

    /// Every deployment that has a record, in the order of their ids. Idempotent.
    async fn list(&self) -> Result<Vec<DeploymentId>, JournalError>;
}

/// What can be held.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The right to decide whether a new deployment may begin.
    Admission,
    /// One deployment.
    Deployment(DeploymentId),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Admission => f.write_str("the start of a deployment"),
            Self::Deployment(id) => write!(f, "deployment `{id}`"),
        }
    }
}

/// A scope that is ours until this is dropped.
#[must_use = "the hold ends when it is dropped"]
pub struct Hold(
    #[expect(dead_code, reason = "it is kept for its drop alone")] Box<dyn Send + Sync>,
);

impl Hold {
    /// Wraps what ends the hold when dropped.
    pub fn new(guard: impl Send + Sync + 'static) -> Self {
        Self(Box::new(guard))
    }
}

impl Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hold")
    }
}

/// One line of a journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// When it was written.
    pub at: Timestamp,
    /// What it says.
    #[serde(flatten)]
    pub entry: Entry,
}

/// What a line can say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "kebab-case")]
pub enum Entry {
    /// The deployment begins; always the first line.
    Planned {
        /// Everything that is going to happen.
        plan: Box<Plan>,
    },
    /// Something with an outside effect is about to be done.
    Started {
        /// What, with every id chosen for it.
        intent: Intent,
    },
    /// It was done.
    Done {
        /// What it came to.
        output: Output,
    },
    /// A step failed and the deployment goes to its end.
    Failed {
        /// How.
        failure: Failure,
    },
    /// The deployment is over; always the last line.
    Ended {
        /// What it came to.
        outcome: Box<Outcome>,
    },
}

/// What can go wrong with a journal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Somebody else holds it.
    #[error("{scope} is held by another process{holder}")]
    Held {
        /// What is held.
        scope: Scope,
        /// ` (process 123)`, or nothing.
        holder: String,
    },
    /// The place where it is kept cannot be read or written.
    #[error("the journal {} cannot be {action}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// `read`, `written`, …
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line is no record of this version.
    #[error("line {line} of the journal {} cannot be understood", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl Explain for JournalError {
    fn code(&self) -> ErrorCode {
        ErrorCode::new(match self {
            Self::Held { .. } => "RUN001",
            Self::Io { .. } => "RUN002",
            Self::Corrupt { .. } => "RUN003",
        })
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::Held { .. } | Self::Io { .. } => FailureKind::Input,
            Self::Corrupt { .. } => FailureKind::Internal,
        }
    }

    fn help(&self) -> Option<String> {
        let text = match self {
            Self::Held { .. } => {
                "Wait for the other process, or interrupt it (Ctrl-C) where it runs; then try again."
            }
            Self::Io { .. } => {
                "Check that the directory exists, is yours, and that its disk has room."
            }
            Self::Corrupt { .. } => {
                "It may come from a newer flinkproc: use that one. Otherwise `flinkproc cluster list` shows what still runs."
            }
        };
        Some(text.to_owned())
    }

    fn retry(&self) -> RetryHint {
        match self {
            Self::Held { .. } => RetryHint::Safe,
            Self::Io { .. } => RetryHint::CheckFirst,
            Self::Corrupt { .. } => RetryHint::Never,
        }
    }
}
