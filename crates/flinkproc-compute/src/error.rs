//! What a question to Compute Engine can come back with, shaped by what the caller can do.

use flinkproc_core::{ErrorCode, Explain, FailureKind, MachineRef, RetryHint};

use crate::address::Reach;

/// A failed call of a [`crate::Gatekeeper`].
///
/// `message` is always the service's (or the transport's) own words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GateError {
    /// There is no machine of that name in that zone.
    #[error("machine `{}` does not exist in {}", machine.instance, machine.zone)]
    NotFound {
        /// What was asked for.
        machine: MachineRef,
    },
    /// The credentials are missing, expired or not accepted at all.
    #[error("the credentials for machine `{}` were not accepted: {message}", machine.instance)]
    Unauthenticated {
        /// What the call was about.
        machine: MachineRef,
        /// The service's own words.
        message: String,
    },
    /// The credentials are good but may not do this.
    #[error("access to machine `{}` is denied: {message}", machine.instance)]
    Denied {
        /// What the call was about.
        machine: MachineRef,
        /// The service's own words; they name the missing permission.
        message: String,
    },
    /// OS Login decides who enters this machine, so keys in its metadata are not read.
    #[error("machine `{}` lets people in by OS Login only", machine.instance)]
    OsLoginRequired {
        /// What the call was about.
        machine: MachineRef,
    },
    /// The machine has no address of the kind that was asked for.
    #[error("machine `{}` has no {reach} address", machine.instance)]
    NoAddress {
        /// What the call was about.
        machine: MachineRef,
        /// The kind of address.
        reach: Reach,
    },
    /// The request can never be carried out as it is, such as a key that is none or metadata that is full.
    #[error("the request for machine `{}` is not valid: {message}", machine.instance)]
    Invalid {
        /// What the call was about.
        machine: MachineRef,
        /// What is wrong.
        message: String,
    },
    /// Others keep changing the machine's metadata; ours was not written.
    #[error("the metadata of machine `{}` is being changed by others", machine.instance)]
    Contended {
        /// What the call was about.
        machine: MachineRef,
    },
    /// The service was not reached or had no time (429, 5xx, a dropped connection), retries included; nothing was changed.
    #[error("the service did not answer for machine `{}`: {message}", machine.instance)]
    Unavailable {
        /// What the call was about.
        machine: MachineRef,
        /// The last of the failures.
        message: String,
    },
    /// The request was sent and its answer was lost: it may have taken effect.
    #[error("the answer for machine `{}` was lost: {message}", machine.instance)]
    OutcomeUnknown {
        /// What the call was about.
        machine: MachineRef,
        /// How the answer was lost.
        message: String,
    },
    /// The service answered with something that this version does not understand.
    #[error("the answer for machine `{}` cannot be read: {message}", machine.instance)]
    Unreadable {
        /// What the call was about.
        machine: MachineRef,
        /// What is wrong with it.
        message: String,
    },
    /// The service took the request up and failed at it.
    #[error("changing machine `{}` failed: {message}", machine.instance)]
    Failed {
        /// What the call was about.
        machine: MachineRef,
        /// The service's own words.
        message: String,
    },
}

impl Explain for GateError {
    fn code(&self) -> ErrorCode {
        ErrorCode::new(match self {
            Self::NotFound { .. } => "CMP001",
            Self::Unauthenticated { .. } => "CMP002",
            Self::Denied { .. } => "CMP003",
            Self::OsLoginRequired { .. } => "CMP004",
            Self::NoAddress { .. } => "CMP005",
            Self::Invalid { .. } => "CMP006",
            Self::Contended { .. } => "CMP007",
            Self::Unavailable { .. } => "CMP008",
            Self::OutcomeUnknown { .. } => "CMP009",
            Self::Unreadable { .. } => "CMP010",
            Self::Failed { .. } => "CMP011",
        })
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::Unauthenticated { .. } | Self::Denied { .. } => FailureKind::Credentials,
            Self::OsLoginRequired { .. } | Self::Invalid { .. } => FailureKind::Input,
            _ => FailureKind::Cluster,
        }
    }

    fn help(&self) -> Option<String> {
        let text = match self {
            Self::NotFound { .. } => {
                "The cluster's machines may be in another zone or gone; `flinkproc cluster describe` shows both."
            }
            Self::Unauthenticated { .. } => {
                "Run `gcloud auth application-default login`, or give the service account's credentials."
            }
            Self::Denied { .. } => {
                "Ask for the permission named in the message; `roles/compute.instanceAdmin.v1` holds what a deployment needs, and a role with `iam.serviceAccounts.actAs` on the machines' service account. With a key of your own (`ssh.key`) no right to change machines is needed."
            }
            Self::OsLoginRequired { .. } => {
                "Register a key of your own with `gcloud compute os-login ssh-keys add --key-file=KEY.pub` and name its private half as `ssh.key`, with the OS Login user name as `ssh.user`."
            }
            Self::NoAddress {
                reach: Reach::External,
                ..
            } => {
                "Connect from inside the network and choose the internal address, or make the cluster with external addresses."
            }
            Self::NoAddress { .. } => {
                "The machine may not have started yet; `flinkproc cluster describe` shows its state."
            }
            Self::Invalid { .. } => {
                "If the metadata is full, remove old keys: `gcloud compute instances describe` shows them."
            }
            Self::Contended { .. } => {
                "Try again; something else writes this machine's metadata all the time."
            }
            Self::Unavailable { .. } => "Try again later; the call changed nothing.",
            Self::OutcomeUnknown { .. } => {
                "Try again: letting the same key in twice is the same as once, and it expires by itself."
            }
            Self::Unreadable { .. } => {
                "Check that the endpoint is Compute Engine's and that no proxy answers in its place."
            }
            Self::Failed { .. } => "The message is the service's own.",
        };
        Some(text.to_owned())
    }

    fn retry(&self) -> RetryHint {
        match self {
            Self::Contended { .. } | Self::Unavailable { .. } | Self::OutcomeUnknown { .. } => {
                RetryHint::Safe
            }
            Self::Unreadable { .. } | Self::Failed { .. } => RetryHint::CheckFirst,
            _ => RetryHint::Never,
        }
    }
}
