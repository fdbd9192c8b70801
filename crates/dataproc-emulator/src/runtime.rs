//! What a cluster *is*: the trait behind the API, and the facts that pass through it.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::IpAddr;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// Makes, changes and ends the machines behind the API.
///
/// The emulator keeps the state machine, the answers and the timers; a runtime only does what it is told and says how it
/// went. Calls for one cluster come one after another, but for [`delete`](Self::delete), [`set_keys`](Self::set_keys) and
/// [`is_busy`](Self::is_busy), which may come at any time. Clusters are told apart by [`ClusterFacts::uuid`]: a name may be
/// taken again after its cluster has gone.
#[async_trait]
pub trait ClusterRuntime: Debug + Send + Sync + 'static {
    /// Image versions that this runtime offers beside Dataproc's own, such as `sandbox-1.20`.
    ///
    /// The API accepts these names and Dataproc's; every other is refused as the real service does.
    fn image_versions(&self) -> Vec<String> {
        Vec::new()
    }

    /// Makes a cluster and answers when its machines can be used.
    ///
    /// An error turns the cluster into an `ERROR` cluster with the error's text as its detail. The future may be dropped at
    /// any point, when the cluster is deleted while it is being made; [`delete`](Self::delete) follows then.
    async fn create(&self, cluster: &ClusterFacts) -> Result<Machines, RuntimeError>;

    /// Ends a cluster and everything that was started for it.
    ///
    /// Idempotent; an unknown or half-made cluster is no error. The emulator also calls it for every cluster that is left
    /// when it stops.
    async fn delete(&self, cluster: &ClusterFacts) -> Result<(), RuntimeError>;

    /// Brings the number of workers to what `cluster` now says and answers with all machines.
    async fn scale(&self, cluster: &ClusterFacts) -> Result<Machines, RuntimeError>;

    /// Stops the machines of a cluster; what is on their disks stays.
    async fn stop(&self, _cluster: &ClusterFacts) -> Result<(), RuntimeError> {
        Err(RuntimeError::NotEmulated {
            what: "stopping a cluster",
        })
    }

    /// Starts the machines of a stopped cluster again.
    async fn start(&self, _cluster: &ClusterFacts) -> Result<Machines, RuntimeError> {
        Err(RuntimeError::NotEmulated {
            what: "starting a stopped cluster",
        })
    }

    /// Lets exactly these keys into a machine.
    ///
    /// `keys` are the lines of the metadata entry `ssh-keys`, those of the project included and blocked or expired ones left
    /// out: see [`MetadataKey`]. Idempotent.
    async fn set_keys(
        &self,
        cluster: &ClusterFacts,
        machine: &str,
        keys: &[MetadataKey],
    ) -> Result<(), RuntimeError>;

    /// Whether a YARN application runs on the cluster: then its idle timer does not run.
    async fn is_busy(&self, cluster: &ClusterFacts) -> bool;

    /// Runs a job of the Jobs API to its end; its driver's output goes to `job.output_uri`.
    async fn run_job(
        &self,
        _cluster: &ClusterFacts,
        _job: &JobFacts,
    ) -> Result<JobEnd, RuntimeError> {
        Err(RuntimeError::NotEmulated {
            what: "running a job of the Jobs API",
        })
    }
}

/// What the API knows of a cluster.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ClusterFacts {
    /// The project's id.
    pub project: String,
    /// The region, such as `europe-west1`.
    pub region: String,
    /// The zone, such as `europe-west1-b`.
    pub zone: String,
    /// The cluster's name.
    pub name: String,
    /// Tells this cluster from another one of the same name.
    pub uuid: String,
    /// The image version as asked for, such as `2.2-debian12` or one of [`ClusterRuntime::image_versions`].
    pub image: String,
    /// How many masters: 1 or 3.
    pub masters: u32,
    /// How many primary workers.
    pub workers: u32,
    /// How many secondary workers.
    pub secondary_workers: u32,
    /// Cluster properties with their prefix, such as `flink:taskmanager.numberOfTaskSlots`.
    pub properties: BTreeMap<String, String>,
    /// The metadata of the machines, without `ssh-keys`.
    pub metadata: BTreeMap<String, String>,
    /// The cluster's labels.
    pub labels: BTreeMap<String, String>,
    /// Where Cloud Storage is for this cluster, such as `http://127.0.0.1:4443`; `None` where there is none.
    pub storage_endpoint: Option<String>,
    /// The whole resource, as the API would answer it.
    pub resource: serde_json::Value,
}

impl ClusterFacts {
    /// A cluster of one master and two workers, with nothing set.
    #[must_use]
    pub fn new(project: &str, region: &str, name: &str, uuid: &str) -> Self {
        Self {
            project: project.to_owned(),
            region: region.to_owned(),
            zone: format!("{region}-b"),
            name: name.to_owned(),
            uuid: uuid.to_owned(),
            image: "2.2-debian12".to_owned(),
            masters: 1,
            workers: 2,
            secondary_workers: 0,
            properties: BTreeMap::new(),
            metadata: BTreeMap::new(),
            labels: BTreeMap::new(),
            storage_endpoint: None,
            resource: serde_json::Value::Null,
        }
    }

    /// The names of the master machines: `NAME-m`, or `NAME-m-0` … with three.
    #[must_use]
    pub fn master_names(&self) -> Vec<String> {
        match self.masters {
            1 => vec![format!("{}-m", self.name)],
            many => (0..many).map(|n| format!("{}-m-{n}", self.name)).collect(),
        }
    }

    /// The names of the primary workers: `NAME-w-0` ….
    #[must_use]
    pub fn worker_names(&self) -> Vec<String> {
        (0..self.workers)
            .map(|n| format!("{}-w-{n}", self.name))
            .collect()
    }

    /// The names of the secondary workers: `NAME-sw-0` … (the real service ends them with four random letters).
    #[must_use]
    pub fn secondary_worker_names(&self) -> Vec<String> {
        (0..self.secondary_workers)
            .map(|n| format!("{}-sw-{n}", self.name))
            .collect()
    }
}

/// The machines of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machines {
    /// Every machine; the names are those of [`ClusterFacts`].
    ///
    /// A runtime may give several names one address: a worker that has no machine of its own is told with the master's.
    pub machines: Vec<Machine>,
}

impl Machines {
    /// Gives every machine name of `cluster` the address of its master.
    #[must_use]
    pub fn at_master(cluster: &ClusterFacts, address: IpAddr, host_keys: &[String]) -> Self {
        let names = [
            cluster.master_names(),
            cluster.worker_names(),
            cluster.secondary_worker_names(),
        ];
        let machine = |name| Machine {
            name,
            address,
            host_keys: host_keys.to_vec(),
        };
        Self {
            machines: names.into_iter().flatten().map(machine).collect(),
        }
    }
}

/// One machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Its name, such as `my-cluster-m`.
    pub name: String,
    /// Its address: what the API answers as `networkInterfaces[0].networkIP`.
    pub address: IpAddr,
    /// Its public host keys as OpenSSH writes them, without a comment; published as guest attributes where these are on.
    pub host_keys: Vec<String>,
}

/// One line of the metadata entry `ssh-keys`: `USER:KEY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataKey {
    /// The login name.
    pub user: String,
    /// The key as `authorized_keys` takes it: type, key and maybe a comment.
    pub key: String,
}

/// A job of the Jobs API.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct JobFacts {
    /// Its id.
    pub id: String,
    /// The whole resource.
    pub resource: serde_json::Value,
    /// Where the driver's output goes, in numbered objects.
    pub output_uri: String,
}

/// How a job of the Jobs API ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobEnd {
    /// The driver's exit status.
    pub exit_status: i32,
}

/// Why a runtime could not do what it was told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// This runtime does not do that.
    #[error("{what} is not emulated")]
    NotEmulated {
        /// What was asked for.
        what: &'static str,
    },
    /// The zone has no such machines left; the API answers as Compute Engine does in a stockout.
    #[error("the zone has not enough resources available: {detail}")]
    Stockout {
        /// What was missing.
        detail: String,
    },
    /// It was tried and failed.
    #[error("{detail}")]
    Failed {
        /// What went wrong, for the cluster's status detail.
        detail: String,
    },
}
