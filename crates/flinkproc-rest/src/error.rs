//! What can go wrong between here and YARN or Flink.

use flinkproc_core::{ErrorCode, Explain, FailureKind, RetryHint};

/// A call to YARN or Flink that did not give its answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestError {
    /// There is no way to the address from here.
    #[error("no way to {host}:{port}: {reason}")]
    NoRoute {
        /// The host, as the cluster names it.
        host: String,
        /// Its port.
        port: u16,
        /// What stands in the way.
        reason: String,
    },
    /// Nobody answered; the call had no effect, or was a reading one.
    #[error("no answer from {url}")]
    Unreachable {
        /// The address that was asked.
        url: String,
        /// What the connection said.
        source: BoxError,
    },
    /// The service answered that it cannot answer now.
    #[error("{url} is not ready (HTTP status {status})")]
    NotReady {
        /// The address that was asked.
        url: String,
        /// The HTTP status, 5xx or 429.
        status: u16,
    },
    /// The service refused the call.
    #[error("{url} refused (HTTP status {status}): {message}")]
    Refused {
        /// The address that was asked.
        url: String,
        /// The HTTP status, 4xx.
        status: u16,
        /// The service's own words, shortened.
        message: String,
    },
    /// The answer is not what this service is known to say.
    #[error("the answer of {url} could not be understood")]
    NotUnderstood {
        /// The address that was asked.
        url: String,
        /// Where the answer differs.
        source: serde_json::Error,
    },
    /// A call that changes something was sent and its answer was lost.
    #[error("it is not known whether {url} took effect")]
    OutcomeUnknown {
        /// The address that was asked.
        url: String,
        /// What the connection said.
        source: BoxError,
    },
}

/// An error of a lower layer.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl Explain for RestError {
    fn code(&self) -> ErrorCode {
        ErrorCode::new(match self {
            Self::NoRoute { .. } => "RST001",
            Self::Unreachable { .. } => "RST002",
            Self::NotReady { .. } => "RST003",
            Self::Refused { .. } => "RST004",
            Self::NotUnderstood { .. } => "RST005",
            Self::OutcomeUnknown { .. } => "RST006",
        })
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::OutcomeUnknown { .. } => FailureKind::Unknown,
            Self::NotUnderstood { .. } => FailureKind::Internal,
            _ => FailureKind::Cluster,
        }
    }

    fn help(&self) -> Option<String> {
        let text = match self {
            Self::NoRoute { .. } => {
                "check that the cluster runs and that the connection to its master is open"
            }
            Self::Unreachable { .. } | Self::NotReady { .. } => {
                "YARN and Flink answer some seconds after they start, and no more once they have ended; ask again"
            }
            Self::Refused {
                status: 405 | 501, ..
            } => {
                "YARN's proxy lets reading through and nothing else: act on the JobManager's own address"
            }
            Self::Refused { .. } => return None,
            Self::NotUnderstood { .. } => {
                "please report the version of YARN or Flink together with this message"
            }
            Self::OutcomeUnknown { .. } => {
                "read the application or job before the call is made again"
            }
        };
        Some(text.to_owned())
    }

    fn retry(&self) -> RetryHint {
        match self {
            Self::NoRoute { .. } | Self::Unreachable { .. } | Self::NotReady { .. } => {
                RetryHint::Safe
            }
            Self::OutcomeUnknown { .. } => RetryHint::CheckFirst,
            Self::Refused { .. } | Self::NotUnderstood { .. } => RetryHint::Never,
        }
    }
}
