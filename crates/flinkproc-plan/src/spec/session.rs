//! The spec's section `[session]`: the Flink session that a job goes into.

use flinkproc_core::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TextMap;
use crate::plan::SessionLifetime;

/// The Flink session that a job in session mode goes into. It is found by its name, or started.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SessionSpec {
    /// Its name: lower-case letters, digits and hyphens, at most 63. By default the deployment's id.
    pub name: Option<String>,
    /// What becomes of a session that the deployment started: `deployment` (by default: it ends with the job) or `keep`. One
    /// that was there already is never ended.
    pub lifetime: Option<SessionLifetime>,
    /// The memory of the `JobManager`'s process.
    pub jobmanager_memory: Option<ByteSize>,
    /// The memory of each `TaskManager`'s process.
    pub taskmanager_memory: Option<ByteSize>,
    /// Slots of each `TaskManager`.
    pub slots: Option<u32>,
    /// The YARN queue.
    pub queue: Option<String>,
    /// The YARN node label.
    pub node_label: Option<String>,
    /// The session's own Flink configuration, used when it is started.
    pub flink_config: TextMap,
}
