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
    /// OS Login decides who enters this machine, so a key in its metadata is not read.
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
    /// Identity-Aware Proxy finds nobody who listens on the port, or a firewall is in its way (4003).
    #[error("Identity-Aware Proxy cannot connect to port {port} of machine `{}`: {message}", machine.instance)]
    TunnelNoBackend {
        /// The machine.
        machine: MachineRef,
        /// The port that was asked for.
        port: u16,
        /// The service's own words.
        message: String,
    },
    /// Identity-Aware Proxy does not let the caller through (4033, or 403 at the door).
    #[error("Identity-Aware Proxy does not let us through to machine `{}`: {message}", machine.instance)]
    TunnelDenied {
        /// The machine.
        machine: MachineRef,
        /// The service's own words.
        message: String,
    },
    /// Identity-Aware Proxy does not find the machine, or does not find it running (4047, 4051).
    #[error("Identity-Aware Proxy does not find machine `{}`: {message}", machine.instance)]
    TunnelNoMachine {
        /// The machine.
        machine: MachineRef,
        /// The service's own words.
        message: String,
    },
    /// Identity-Aware Proxy ended the stream (4010 and every other code).
    #[error("Identity-Aware Proxy ended the stream to machine `{}` with {code}: {message}", machine.instance)]
    TunnelEnded {
        /// The machine.
        machine: MachineRef,
        /// The service's close code.
        code: u16,
        /// The service's own words.
        message: String,
    },
    /// Nobody can say whose OS Login profile is to take the key.
    #[error("the account whose OS Login profile takes the key is not known: {message}")]
    UnknownAccount {
        /// Why.
        message: String,
    },
    /// The OS Login profile has no login name for this project.
    #[error("the OS Login profile of `{account}` has no login name")]
    NoLogin {
        /// The account.
        account: String,
    },
    /// The proxy between us and the service does not let us through.
    #[error("the proxy {proxy} does not connect us: {message}")]
    Proxy {
        /// The proxy, without its password.
        proxy: String,
        /// What it said.
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

impl GateError {
    /// Whether a machine that is still coming up fails like this.
    #[must_use]
    pub const fn is_typical_of_young_machines(&self) -> bool {
        matches!(
            self,
            Self::TunnelNoBackend { .. }
                | Self::TunnelNoMachine { .. }
                | Self::TunnelEnded { .. }
                | Self::Unavailable { .. }
        )
    }
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
            Self::TunnelNoBackend { .. } => "CMP012",
            Self::TunnelDenied { .. } => "CMP013",
            Self::TunnelNoMachine { .. } => "CMP014",
            Self::TunnelEnded { .. } => "CMP015",
            Self::UnknownAccount { .. } => "CMP016",
            Self::NoLogin { .. } => "CMP017",
            Self::Proxy { .. } => "CMP018",
        })
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::Unauthenticated { .. }
            | Self::Denied { .. }
            | Self::TunnelDenied { .. }
            | Self::NoLogin { .. } => FailureKind::Credentials,
            Self::OsLoginRequired { .. }
            | Self::Invalid { .. }
            | Self::UnknownAccount { .. }
            | Self::Proxy { .. } => FailureKind::Input,
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
                "OS Login was switched on after the machine was looked at: try again, and the key goes into your OS Login profile."
            }
            Self::NoAddress {
                reach: Reach::External,
                ..
            } => {
                "Let `ssh.access` be `auto` or `iap` to go through Identity-Aware Proxy, connect from inside the network with `internal`, or make the cluster with external addresses."
            }
            Self::NoAddress { .. } => {
                "The machine may not have started yet; `flinkproc cluster describe` shows its state."
            }
            Self::Invalid { .. } => {
                "If the metadata or the OS Login profile is full, remove old keys: `gcloud compute instances describe` and `gcloud compute os-login ssh-keys list` show them."
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
            Self::TunnelNoBackend { .. } => {
                "While a machine boots this passes. Later: let a firewall rule admit 35.235.240.0/20 to TCP port 22, and see that the SSH server listens."
            }
            Self::TunnelDenied { .. } => {
                "Ask for the role `roles/iap.tunnelResourceAccessor` on the project or the machine, and see that the IAP API (iap.googleapis.com) is enabled."
            }
            Self::TunnelNoMachine { .. } => {
                "While a machine boots this passes. Later: it is gone, stopped, or in another zone; `flinkproc cluster describe` shows both."
            }
            Self::TunnelEnded { .. } => {
                "Try again: a new stream is a new connection. 4010 means that the machine closed it or restarts."
            }
            Self::UnknownAccount { .. } => {
                "Name the account whose credentials are used in FLINKPROC_ACCOUNT, such as me@example.com."
            }
            Self::NoLogin { .. } => {
                "The account needs a role that lets it enter, `roles/compute.osLogin` or `roles/compute.osAdminLogin`; from another organisation also `roles/compute.osLoginExternalUser`."
            }
            Self::Proxy { .. } => {
                "Check HTTPS_PROXY (with name and password, where the proxy asks for them) and NO_PROXY; Identity-Aware Proxy is at tunnel.cloudproxy.app:443."
            }
        };
        Some(text.to_owned())
    }

    fn retry(&self) -> RetryHint {
        match self {
            Self::Contended { .. }
            | Self::Unavailable { .. }
            | Self::OutcomeUnknown { .. }
            | Self::TunnelNoBackend { .. }
            | Self::TunnelNoMachine { .. }
            | Self::TunnelEnded { .. } => RetryHint::Safe,
            Self::Unreadable { .. } | Self::Failed { .. } => RetryHint::CheckFirst,
            _ => RetryHint::Never,
        }
    }
}
