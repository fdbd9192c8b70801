//! What a call to the control plane can come back with, shaped by what the caller can do.

use flinkproc_core::{ClusterRef, DataprocJobId, ErrorCode, Explain, FailureKind, RetryHint};

use crate::clusters::OperationName;

/// The failures of [`crate::ClusterApi`].
pub type ClusterError = ApiError;

/// The failures of [`crate::JobApi`].
pub type JobError = ApiError;

/// What a call was about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subject {
    /// A cluster.
    Cluster(ClusterRef),
    /// A job.
    Job(DataprocJobId),
    /// A long-running operation.
    Operation(OperationName),
    /// A region's list of clusters or jobs, in words.
    List(String),
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cluster(cluster) => write!(f, "cluster `{}`", cluster.name),
            Self::Job(id) => write!(f, "job `{id}`"),
            Self::Operation(name) => write!(f, "operation `{}`", name.0),
            Self::List(what) => f.write_str(what),
        }
    }
}

/// A failed call to the Dataproc control plane.
///
/// `message` is always the service's (or the transport's) own words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// There is no such thing.
    #[error("{subject} does not exist")]
    NotFound {
        /// What was asked for.
        subject: Subject,
    },
    /// The name is taken, by another request than this one.
    #[error("{subject} exists already")]
    AlreadyExists {
        /// What was to be made.
        subject: Subject,
    },
    /// The credentials are missing, expired or not accepted at all.
    #[error("the credentials for {subject} were not accepted: {message}")]
    Unauthenticated {
        /// What the call was about.
        subject: Subject,
        /// The service's own words.
        message: String,
    },
    /// The credentials are good but may not do this, or the API is switched off in the project.
    #[error("access to {subject} is denied: {message}")]
    Denied {
        /// What the call was about.
        subject: Subject,
        /// The service's own words; they name the missing permission.
        message: String,
    },
    /// The project's quota does not allow it.
    #[error("{subject} needs more than the quota allows: {message}")]
    QuotaExceeded {
        /// What was to be made.
        subject: Subject,
        /// The service's own words; they name the quota and the figures.
        message: String,
    },
    /// The zone or region has no such machines left at present.
    #[error("no machines are left for {subject}: {message}")]
    Stockout {
        /// What was to be made.
        subject: Subject,
        /// The service's own words; they name the zone.
        message: String,
    },
    /// The request can never be carried out as it is.
    #[error("the request for {subject} is not valid: {message}")]
    Invalid {
        /// What the call was about.
        subject: Subject,
        /// The service's own words.
        message: String,
    },
    /// The state that it is in does not allow this now: another operation runs, or it is being deleted.
    #[error("{subject} cannot do this in its present state: {message}")]
    Busy {
        /// What the call was about.
        subject: Subject,
        /// The service's own words.
        message: String,
    },
    /// The service was not reached or had no time (429, 5xx, a dropped connection), retries included; nothing was changed.
    #[error("the service did not answer for {subject}: {message}")]
    Unavailable {
        /// What the call was about.
        subject: Subject,
        /// The last of the failures.
        message: String,
    },
    /// The request was sent and its answer was lost: it may have taken effect.
    #[error("the answer for {subject} was lost: {message}")]
    OutcomeUnknown {
        /// What the call was about.
        subject: Subject,
        /// How the answer was lost.
        message: String,
    },
    /// The service answered with something that this version does not understand.
    #[error("the answer for {subject} cannot be read: {message}")]
    Unreadable {
        /// What the call was about.
        subject: Subject,
        /// What is wrong with it.
        message: String,
    },
    /// The service took the request up and failed at it.
    #[error("{subject} failed: {message}")]
    Failed {
        /// What failed.
        subject: Subject,
        /// The service's own words.
        message: String,
    },
}

/// The phrases by which Compute Engine's and Dataproc's messages tell a used-up zone from a used-up quota.
const STOCKOUT: [&str; 4] = [
    "zone_resource_pool_exhausted",
    "resource_pool_exhausted",
    "enough resources available",
    "stockout",
];
const QUOTA: [&str; 3] = ["insufficient '", "quota_exceeded", "exceeds quota"];

impl ApiError {
    /// Sorts a `google.rpc.Code` number and its message, as an answer or a failed operation carries them.
    ///
    /// Dataproc reports a quota that is too small as `INVALID_ARGUMENT` (`Insufficient 'CPUS' quota. Requested 24.0, available
    /// 8.0.`) and a stockout only inside an operation's message, so the words are looked at before the number.
    #[must_use]
    pub fn from_status(subject: Subject, code: i32, message: impl Into<String>) -> Self {
        let message = message.into();
        let words = message.to_lowercase();
        let says = |phrases: &[&str]| phrases.iter().any(|phrase| words.contains(phrase));
        if says(&STOCKOUT) {
            return Self::Stockout { subject, message };
        }
        if says(&QUOTA) && !words.contains("per minute") {
            return Self::QuotaExceeded { subject, message };
        }
        match code {
            3 | 11 | 12 => Self::Invalid { subject, message },
            5 => Self::NotFound { subject },
            6 => Self::AlreadyExists { subject },
            7 => Self::Denied { subject, message },
            16 => Self::Unauthenticated { subject, message },
            9 | 10 => Self::Busy { subject, message },
            8 | 14 => Self::Unavailable { subject, message },
            4 => Self::OutcomeUnknown { subject, message },
            _ => Self::Failed { subject, message },
        }
    }

    /// What the call was about.
    #[must_use]
    pub const fn subject(&self) -> &Subject {
        match self {
            Self::NotFound { subject }
            | Self::AlreadyExists { subject }
            | Self::Unauthenticated { subject, .. }
            | Self::Denied { subject, .. }
            | Self::QuotaExceeded { subject, .. }
            | Self::Stockout { subject, .. }
            | Self::Invalid { subject, .. }
            | Self::Busy { subject, .. }
            | Self::Unavailable { subject, .. }
            | Self::OutcomeUnknown { subject, .. }
            | Self::Unreadable { subject, .. }
            | Self::Failed { subject, .. } => subject,
        }
    }

    /// Whether the call says nothing about its subject, so that asking again later may.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unavailable { .. } | Self::OutcomeUnknown { .. } | Self::Unreadable { .. }
        )
    }
}

impl Explain for ApiError {
    fn code(&self) -> ErrorCode {
        ErrorCode::new(match self {
            Self::NotFound { .. } => "DPR001",
            Self::AlreadyExists { .. } => "DPR002",
            Self::Unauthenticated { .. } => "DPR003",
            Self::Denied { .. } => "DPR004",
            Self::QuotaExceeded { .. } => "DPR005",
            Self::Stockout { .. } => "DPR006",
            Self::Invalid { .. } => "DPR007",
            Self::Busy { .. } => "DPR008",
            Self::Unavailable { .. } => "DPR009",
            Self::OutcomeUnknown { .. } => "DPR010",
            Self::Unreadable { .. } => "DPR011",
            Self::Failed { .. } => "DPR012",
        })
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::Unauthenticated { .. } | Self::Denied { .. } => FailureKind::Credentials,
            Self::QuotaExceeded { .. } | Self::Stockout { .. } => FailureKind::Capacity,
            Self::Invalid { .. } => FailureKind::Input,
            _ if matches!(self.subject(), Subject::Job(_)) => FailureKind::Submission,
            _ => FailureKind::Cluster,
        }
    }

    fn help(&self) -> Option<String> {
        let text = match self {
            Self::NotFound { .. } => {
                "Check the project, the region and the name; `flinkproc cluster list` shows what is there."
            }
            Self::AlreadyExists { .. } => {
                "Choose another name, or a prefix so that each run gets a name of its own."
            }
            Self::Unauthenticated { .. } => {
                "Run `gcloud auth application-default login`, or give the service account's credentials."
            }
            Self::Denied { .. } => {
                "Ask for the permission named in the message; `roles/dataproc.editor` holds what a deployment needs. Check too that the Dataproc API is enabled in the project."
            }
            Self::QuotaExceeded { .. } => {
                "Use fewer or smaller machines, another region, or ask for more quota."
            }
            Self::Stockout { .. } => {
                "Leave the zone empty so that Dataproc chooses one, or try another machine type or region."
            }
            Self::Invalid { .. } => "Correct the part of the specification that the message names.",
            Self::Busy { .. } => {
                "Wait until the other operation has ended (`flinkproc cluster describe` shows the state) and try again."
            }
            Self::Unavailable { .. } => "Try again later; the call changed nothing.",
            Self::OutcomeUnknown { .. } => {
                "Resume the deployment: it asks first whether the call took effect."
            }
            Self::Unreadable { .. } => {
                "Check that the endpoint is Dataproc's and that no proxy answers in its place."
            }
            Self::Failed { .. } => {
                "The message is the service's own; the cluster's log bucket holds the log of its initialization actions."
            }
        };
        Some(text.to_owned())
    }

    fn retry(&self) -> RetryHint {
        match self {
            Self::Unavailable { .. } | Self::Busy { .. } | Self::Stockout { .. } => RetryHint::Safe,
            Self::OutcomeUnknown { .. } | Self::Unreadable { .. } | Self::Failed { .. } => {
                RetryHint::CheckFirst
            }
            _ => RetryHint::Never,
        }
    }
}

#[cfg(test)]
mod tests {
    use flinkproc_core::Explain;

    use super::{ApiError, Subject};

    #[test]
    fn a_status_becomes_what_the_caller_can_do() {
        let check = |code: i32, message: &str, expected: &str| {
            let error = ApiError::from_status(Subject::List("clusters".into()), code, message);
            assert_eq!(error.code().as_str(), expected, "{code} {message}");
        };
        check(5, "Not found: Cluster", "DPR001");
        check(6, "Already exists: Cluster", "DPR002");
        check(7, "Permission 'dataproc.clusters.create' denied", "DPR004");
        check(
            3,
            "Insufficient 'CPUS' quota. Requested 24.0, available 8.0.",
            "DPR005",
        );
        check(3, "Multiple validation errors", "DPR007");
        check(
            13,
            "The zone 'projects/p/zones/z' does not have enough resources available to fulfill the request",
            "DPR006",
        );
        check(8, "ZONE_RESOURCE_POOL_EXHAUSTED", "DPR006");
        check(
            8,
            "Quota exceeded for quota metric 'Requests' and limit 'Requests per minute'",
            "DPR009",
        );
        check(
            9,
            "Cannot delete cluster while it has other pending operations",
            "DPR008",
        );
        check(14, "try again", "DPR009");
        check(12, "Operation is not implemented", "DPR007");
        check(
            13,
            "Cannot start master: Insufficient number of DataNodes reporting",
            "DPR012",
        );
        check(
            16,
            "Request had invalid authentication credentials",
            "DPR003",
        );
    }
}
