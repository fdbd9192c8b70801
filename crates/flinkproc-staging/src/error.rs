//! What may go wrong between a file and the bucket.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use flinkproc_core::{ErrorCode, Explain, FailureKind, RetryHint};

/// A call of [`Staging`](crate::Staging) that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StagingError {
    /// The bucket, or the object that must be there, is not there.
    #[error("{what} does not exist")]
    NotFound {
        /// Its address.
        what: String,
    },
    /// The credentials are missing, expired, or may not do this.
    #[error("access to {what} is denied")]
    Denied {
        /// The address that was asked for.
        what: String,
        /// What the service or the credentials' source says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// An object of that name with other content is there.
    #[error("{what} exists with other content")]
    Conflict {
        /// Its address.
        what: String,
    },
    /// The content changed on its way, or while it was read.
    #[error("{what} does not have the checksum it must have")]
    Corrupt {
        /// The object's address.
        what: String,
    },
    /// The service could not be reached, or failed, after all attempts.
    #[error("{what} cannot be reached")]
    Unavailable {
        /// The address that was asked for.
        what: String,
        /// The last failure.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A local file cannot be read or written.
    #[error("{} cannot be used", path.display())]
    Local {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A local file is not what it was found to be before.
    #[error("{} changed since it was looked at", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The service refuses the request itself.
    #[error("the storage service refuses the request for {what}")]
    Refused {
        /// The address that was asked for.
        what: String,
        /// What the service says.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl StagingError {
    pub(crate) fn not_found(what: &impl ToString) -> Self {
        Self::NotFound {
            what: what.to_string(),
        }
    }

    pub(crate) fn corrupt(what: &impl ToString) -> Self {
        Self::Corrupt {
            what: what.to_string(),
        }
    }

    pub(crate) fn unavailable(
        what: &impl ToString,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::Unavailable {
            what: what.to_string(),
            source: source.into(),
        }
    }

    pub(crate) fn changed(path: impl Into<PathBuf>) -> Self {
        Self::Changed { path: path.into() }
    }

    pub(crate) fn local(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Local {
            path: path.into(),
            source,
        }
    }
}

impl Explain for StagingError {
    fn code(&self) -> ErrorCode {
        ErrorCode::new(match self {
            Self::NotFound { .. } => "STG001",
            Self::Denied { .. } => "STG002",
            Self::Conflict { .. } => "STG003",
            Self::Corrupt { .. } => "STG004",
            Self::Unavailable { .. } => "STG005",
            Self::Local { .. } => "STG006",
            Self::Refused { .. } => "STG007",
            Self::Changed { .. } => "STG008",
        })
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::NotFound { .. }
            | Self::Conflict { .. }
            | Self::Local { .. }
            | Self::Changed { .. }
            | Self::Refused { .. } => FailureKind::Input,
            Self::Denied { .. } => FailureKind::Credentials,
            Self::Corrupt { .. } | Self::Unavailable { .. } => FailureKind::Submission,
        }
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::NotFound { what } => {
                let bucket = what.trim_start_matches("gs://").split('/').next();
                let bucket = bucket.unwrap_or_default();
                format!(
                    "Look with `gcloud storage ls gs://{bucket}`; a missing bucket is made by `gcloud storage buckets create gs://{bucket}`."
                )
            }
            Self::Denied { .. } => "Log in with `gcloud auth application-default login`, and let the account have the role \
                 Storage Object User on the bucket."
                .to_owned(),
            Self::Conflict { what } => format!(
                "Look at it with `gcloud storage ls -L {what}`; delete it if nothing needs it, and try again."
            ),
            Self::Corrupt { .. } => "See that nothing writes to the file while it is sent, and try again.".to_owned(),
            Self::Unavailable { .. } => {
                "Check the network and a proxy's settings, and try again: nothing is half written.".to_owned()
            }
            Self::Local { path, .. } => {
                format!("See that `{}` is a file that you may use.", path.display())
            }
            Self::Changed { .. } => {
                "Let whatever writes to the file finish, then try again.".to_owned()
            }
            Self::Refused { .. } => {
                "Read what the service says; the bucket's name, its billing or its policies are the usual cause."
                    .to_owned()
            }
        })
    }

    fn retry(&self) -> RetryHint {
        match self {
            Self::Corrupt { .. } | Self::Unavailable { .. } => RetryHint::Safe,
            _ => RetryHint::Never,
        }
    }
}

#[cfg(test)]
mod tests {
    use flinkproc_core::{Explain as _, FailureKind};

    use super::StagingError;

    #[test]
    fn a_missing_bucket_is_named_with_the_command_that_makes_it() {
        let error = StagingError::not_found(&"gs://buc/a b");
        assert_eq!(error.to_string(), "gs://buc/a b does not exist");
        assert_eq!(error.kind(), FailureKind::Input);
        let help = error.help().expect("help");
        assert!(
            help.contains("gcloud storage buckets create gs://buc`"),
            "{help}"
        );
    }
}
