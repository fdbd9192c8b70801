//! The spec's section `[ssh]`: who enters the master and with which key.

use flinkproc_core::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the cluster's master is entered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SshSpec {
    /// The login name; by default that of the user who runs flinkproc.
    pub user: Option<String>,
    /// The port; by default 22.
    pub port: Option<u16>,
    /// `ephemeral` (by default: a new key for each deployment, let in and taken out again), `agent` (your SSH agent), or the path of
    /// your own private key (without `~`). The latter two must already be accepted by the master.
    pub identity: Option<String>,
    /// How long an ephemeral key is valid; by default the deadline and an hour.
    pub key_ttl: Option<Span>,
    /// Whether the master's internal address is used even if it has an external one; by default as
    /// `cluster.internal_ip_only`.
    pub internal_address: Option<bool>,
}
