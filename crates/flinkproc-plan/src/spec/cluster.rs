//! The spec's section `[cluster]`: the machines, and when Dataproc ends them by itself.

use flinkproc_core::{ByteSize, ClusterName, ImageVersion, ProjectId, Region, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TextMap;

/// The cluster that the job runs on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClusterSpec {
    /// The project; by default the active gcloud configuration's.
    pub project: Option<ProjectId>,
    /// The region; by default the active gcloud configuration's.
    pub region: Option<Region>,
    /// A zone of the region, or `auto`, where Dataproc chooses one.
    pub zone: Option<String>,
    /// The name of the cluster that is made. Exclusive with `prefix` and `existing`.
    pub name: Option<ClusterName>,
    /// What the made cluster's name starts with; the deployment's id follows. By default `flink`.
    pub prefix: Option<ClusterName>,
    /// A cluster that is there already and is never deleted. `image` then says what it runs.
    pub existing: Option<ClusterName>,
    /// A file as `gcloud dataproc clusters export` writes it. Keys of this section go over it, the rest passes through.
    pub from: Option<String>,
    /// The Dataproc image; it decides the versions of Flink and Python. By default `2.2`.
    pub image: Option<ImageVersion>,
    /// The one master.
    pub master: MasterSpec,
    /// The primary workers. A bare number is their count, by default 2; 0 makes a single-node cluster.
    #[schemars(with = "CountOr<WorkersSpec>")]
    pub workers: WorkersSpec,
    /// The secondary workers. A bare number is their count, by default 0.
    #[schemars(with = "CountOr<SecondaryWorkersSpec>")]
    pub secondary_workers: SecondaryWorkersSpec,
    /// The network, by name or address. Exclusive with `subnetwork`.
    pub network: Option<String>,
    /// The subnetwork, by name or address.
    pub subnetwork: Option<String>,
    /// Network tags for the machines.
    pub network_tags: Vec<String>,
    /// The machines' service account.
    pub service_account: Option<String>,
    /// The machines' OAuth scopes.
    pub scopes: Vec<String>,
    /// Whether the machines get no external address. By default false, whatever the image's own default is: flinkproc enters the
    /// master from where it runs.
    pub internal_ip_only: Option<bool>,
    /// Whether the web pages of YARN and Flink can be reached through the Component Gateway. By default true.
    pub component_gateway: Option<bool>,
    /// Dataproc deletes the cluster after this long without work: 5m to 14d, by default 30m.
    pub max_idle: Option<Span>,
    /// Dataproc deletes the cluster at this age: 10m to 14d, by default the deadline and an hour.
    pub max_age: Option<Span>,
    /// Labels; `flinkproc` is taken.
    pub labels: TextMap,
    /// Cluster properties with their prefix, such as `"flink:taskmanager.numberOfTaskSlots" = 2`.
    pub properties: TextMap,
    /// Metadata of the machines.
    pub metadata: TextMap,
    /// Optional components beside `FLINK`, such as `DOCKER`.
    pub components: Vec<String>,
    /// Scripts that run on each machine when the cluster is made.
    pub initialization_actions: Vec<InitializationActionSpec>,
    /// An autoscaling policy, by id or full name.
    pub autoscaling_policy: Option<String>,
    /// The Cloud KMS key for the machines' disks, by full name.
    pub encryption_key: Option<String>,
    /// The bucket for Dataproc's own staging.
    pub config_bucket: Option<String>,
    /// The bucket for Dataproc's own temporary data.
    pub temp_bucket: Option<String>,
}

/// The master machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MasterSpec {
    /// The machine type, such as `n2-standard-4`.
    pub machine_type: Option<String>,
    /// The boot disk's size, such as `100GiB`; rounded up to whole GiB.
    pub boot_disk_size: Option<ByteSize>,
    /// The boot disk's type, such as `pd-balanced`.
    pub boot_disk_type: Option<String>,
    /// The number of local SSDs.
    pub local_ssds: Option<u32>,
}

/// The primary workers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WorkersSpec {
    /// How many.
    pub count: Option<u32>,
    /// The machine type, such as `n2-standard-4`.
    pub machine_type: Option<String>,
    /// The boot disk's size, such as `100GiB`; rounded up to whole GiB.
    pub boot_disk_size: Option<ByteSize>,
    /// The boot disk's type, such as `pd-balanced`.
    pub boot_disk_type: Option<String>,
    /// The number of local SSDs.
    pub local_ssds: Option<u32>,
}

/// The secondary workers; they have the primary workers' machine type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SecondaryWorkersSpec {
    /// How many.
    pub count: Option<u32>,
    /// Whether Google may take them away again, and at what price. By default `spot`.
    pub preemptibility: Option<Preemptibility>,
    /// The boot disk's size, such as `100GiB`; rounded up to whole GiB.
    pub boot_disk_size: Option<ByteSize>,
    /// The boot disk's type, such as `pd-balanced`.
    pub boot_disk_type: Option<String>,
    /// The number of local SSDs.
    pub local_ssds: Option<u32>,
}

/// Whether Google may take a machine away again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Preemptibility {
    /// Cheap, and taken away when Google needs it.
    Spot,
    /// As spot, at most 24 hours; the older kind.
    Preemptible,
    /// An ordinary machine.
    NonPreemptible,
}

impl Preemptibility {
    /// The name in Dataproc's API.
    #[must_use]
    pub const fn api_name(self) -> &'static str {
        match self {
            Self::Spot => "SPOT",
            Self::Preemptible => "PREEMPTIBLE",
            Self::NonPreemptible => "NON_PREEMPTIBLE",
        }
    }
}

/// A script that runs on each machine when the cluster is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InitializationActionSpec {
    /// The script's `gs://` address.
    pub script: String,
    /// How long it may take; Dataproc's own limit is 10 minutes.
    #[serde(default)]
    pub timeout: Option<Span>,
}

/// A number of machines, or a table that says more.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(
    dead_code,
    reason = "only its schema is used: layering turns the number into a table"
)]
enum CountOr<T> {
    /// How many.
    Count(u32),
    /// How many, and of what kind.
    Table(T),
}
