//! What YARN's ResourceManager says, as typed values.
//!
//! Names and units are those of the Hadoop 3.3 "ResourceManager REST APIs" page; times are milliseconds since 1970,
//! memory is in MiB. Answers were taken from a running 3.3.6.

use flinkproc_core::YarnApplicationId;
use serde::{Deserialize, Serialize};

/// The ResourceManager itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterInfo {
    /// When it started; also the first number of every application id that it gives.
    pub started_on: i64,
    /// `STARTED` when it works.
    pub state: String,
    /// `ACTIVE` on the master that decides.
    pub ha_state: String,
    /// Hadoop's version.
    pub hadoop_version: String,
}

/// Sums over the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterMetrics {
    /// Applications that wait for their first container.
    pub apps_pending: i64,
    /// Applications that run.
    pub apps_running: i64,
    /// Memory of the cluster, MiB.
    #[serde(rename = "totalMB")]
    pub total_mb: i64,
    /// Memory that is free, MiB.
    #[serde(rename = "availableMB")]
    pub available_mb: i64,
    /// Memory that is asked for and not there, MiB.
    #[serde(rename = "pendingMB", default)]
    pub pending_mb: i64,
    /// Virtual cores of the cluster.
    pub total_virtual_cores: i64,
    /// Virtual cores that are free.
    pub available_virtual_cores: i64,
    /// NodeManagers that take part.
    pub active_nodes: i64,
    /// NodeManagers that were lost.
    pub lost_nodes: i64,
    /// NodeManagers that report trouble, such as a full disk.
    pub unhealthy_nodes: i64,
}

/// One NodeManager.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// `host:port`.
    pub id: String,
    /// Its host.
    pub node_host_name: String,
    /// `RUNNING`, `UNHEALTHY`, `LOST`, `DECOMMISSIONING`, ….
    pub state: String,
    /// What it says of its trouble.
    #[serde(default)]
    pub health_report: String,
    /// Containers that run there.
    pub num_containers: i64,
    /// Memory in use, MiB.
    #[serde(rename = "usedMemoryMB")]
    pub used_memory_mb: i64,
    /// Memory that is free, MiB.
    #[serde(rename = "availMemoryMB")]
    pub available_memory_mb: i64,
}

/// One application.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Application {
    /// Its id.
    pub id: YarnApplicationId,
    /// The user that it runs as.
    pub user: String,
    /// Its name.
    pub name: String,
    /// Where it stands in its life; says nothing about success.
    pub state: ApplicationState,
    /// How it ended; the only word about success.
    pub final_status: FinalStatus,
    /// Where its web page is, through YARN's proxy.
    #[serde(default)]
    pub tracking_url: Option<String>,
    /// Why it ended as it did, in YARN's or Flink's words.
    #[serde(default)]
    pub diagnostics: String,
    /// Its tags, comma-separated, in lower case.
    #[serde(default)]
    pub application_tags: String,
    /// When it was submitted.
    pub started_time: i64,
    /// When it ended; 0 before.
    pub finished_time: i64,
    /// Memory in use, MiB; -1 when it has ended.
    #[serde(rename = "allocatedMB", default)]
    pub allocated_mb: i64,
    /// Whether YARN has gathered its logs: `SUCCEEDED`, `RUNNING`, `NOT_START`, ….
    #[serde(default)]
    pub log_aggregation_status: Option<String>,
}

impl Application {
    /// Whether one of the application's tags is `tag`; YARN keeps tags in lower case.
    #[must_use]
    pub fn has_tag(&self, tag: &str) -> bool {
        self.application_tags
            .split(',')
            .any(|own| own.trim().eq_ignore_ascii_case(tag))
    }
}

/// Where an application stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ApplicationState {
    /// Being taken in.
    New,
    /// Being saved.
    NewSaving,
    /// Handed in.
    Submitted,
    /// Waiting for its first container.
    Accepted,
    /// Running.
    Running,
    /// Its end is being recorded.
    Finishing,
    /// Ended by its own word; [`FinalStatus`] tells how.
    Finished,
    /// Ended without a word of its own.
    Failed,
    /// Ended on request.
    Killed,
    /// A word that this crate does not know.
    #[serde(other)]
    Unknown,
}

impl ApplicationState {
    /// Whether the application has ended for good.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Killed)
    }
}

/// How an application ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FinalStatus {
    /// Not ended, or ended without a word.
    Undefined,
    /// Well.
    Succeeded,
    /// Badly; this can stand beside [`ApplicationState::Finished`].
    Failed,
    /// On request.
    Killed,
    /// A word that this crate does not know.
    #[serde(other)]
    Unknown,
}

/// One try of YARN to run an application.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationAttempt {
    /// Its number, from 1.
    pub id: i64,
    /// When it began.
    pub start_time: i64,
    /// Its first container.
    pub container_id: String,
    /// The NodeManager of its first container, `host:port`.
    pub node_id: String,
    /// Where the first container's logs are.
    pub logs_link: String,
}
