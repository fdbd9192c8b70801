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
    /// The way to the master: `auto` (its external address where it has one, else Identity-Aware Proxy), `external`, `internal`
    /// (for callers inside its network), `iap`, or `never`, with the methods that need no SSH. By default `auto`.
    pub access: Option<AccessSpec>,
    /// Whether your `~/.ssh/config` is followed: `HostName`, `Port`, `User`, `IdentityFile`, `ConnectTimeout` and `ProxyJump` of the
    /// master, by its machine's name; what this section says goes before it. By default false.
    pub config: Option<bool>,
}

/// The way to the master, or a table that says more.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(
    dead_code,
    reason = "only its schema is used: layering turns the word into a table"
)]
pub(super) enum AccessOr {
    /// The way to the master.
    Access(AccessSpec),
    /// The way to the master, and more.
    Table(SshSpec),
}

/// The way to the master.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AccessSpec {
    /// Its external address where it has one, else Identity-Aware Proxy.
    #[default]
    Auto,
    /// Its external address.
    External,
    /// Its internal address.
    Internal,
    /// Identity-Aware Proxy.
    Iap,
    /// Nobody enters: the job travels through Dataproc's Jobs API and the bucket alone.
    Never,
}

impl AccessSpec {
    /// The word for it, as it is written in the spec.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::External => "external",
            Self::Internal => "internal",
            Self::Iap => "iap",
            Self::Never => "never",
        }
    }
}

impl std::fmt::Display for AccessSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
