//! The spec's section `[watch]`: the deadline, and what becomes of the cluster when things go wrong.

use flinkproc_core::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::{OnFailure, OnInterrupt};

/// How the run is watched and ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WatchSpec {
    /// The one deadline of the whole deployment, counted from its start; at its end the job is cancelled and the cluster
    /// deleted. 1m to 14d, by default 6h.
    pub deadline: Option<Span>,
    /// What becomes of the cluster when the job fails: `delete` (by default) or `keep`.
    pub on_failure: Option<OnFailure>,
    /// What becomes of job and cluster on Ctrl-C: `delete` (by default) or `detach`.
    pub on_interrupt: Option<OnInterrupt>,
}
