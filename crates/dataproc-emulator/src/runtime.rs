//! What a cluster *is*: the trait behind the API, and the facts that pass through it.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

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
    ///
    /// A worker that goes may first end what runs on it, for as long as `graceful` says; zero ends it at once.
    async fn scale(
        &self,
        cluster: &ClusterFacts,
        graceful: Duration,
    ) -> Result<Machines, RuntimeError>;

    /// Takes a secondary worker away as Compute Engine does with a preempted machine: at once, without asking.
    async fn preempt(
        &self,
        _cluster: &ClusterFacts,
        _machine: &str,
    ) -> Result<Machines, RuntimeError> {
        Err(RuntimeError::NotEmulated {
            what: "preempting a machine",
        })
    }

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

    /// Whether clusters have machines on which something can run; without, they have no metadata server either.
    fn has_machines(&self) -> bool {
        true
    }

    /// The port of a machine's SSH server, which the relay of Identity-Aware Proxy takes for port 22.
    fn ssh_port(&self, _cluster: &ClusterFacts, _machine: &str) -> u16 {
        22
    }

    /// Whether a YARN application runs on the cluster: then its idle timer does not run.
    async fn is_busy(&self, cluster: &ClusterFacts) -> bool;

    /// Runs a job of the Jobs API to its end; what its driver prints goes to `output` while it is printed.
    ///
    /// A type of job that this runtime has no runner for is refused with [`RuntimeError::NotEmulated`]. Several jobs may run
    /// on one cluster at a time. When the future is dropped, the driver is ended.
    async fn run_job(
        &self,
        _cluster: &ClusterFacts,
        _job: &JobFacts,
        _output: &DriverOutput,
    ) -> Result<JobEnd, RuntimeError> {
        Err(RuntimeError::NotEmulated {
            what: "running a job of the Jobs API",
        })
    }

    /// Asks the driver of a job to end, as a terminal would, and makes it end if it does not; [`run_job`](Self::run_job)
    /// answers then. Idempotent; a job that has ended is no error.
    async fn cancel_job(&self, _cluster: &ClusterFacts, _job: &str) -> Result<(), RuntimeError> {
        Ok(())
    }

    /// The YARN applications that a job has started so far.
    async fn job_applications(
        &self,
        _cluster: &ClusterFacts,
        _job: &JobFacts,
    ) -> Vec<YarnApplication> {
        Vec::new()
    }

    /// What YARN has and wants of memory, by which clusters are scaled; `None` where no YARN runs.
    async fn yarn_memory(&self, _cluster: &ClusterFacts) -> Option<YarnMemory> {
        None
    }

    /// What a look at the cluster finds, as a gzipped tar archive.
    async fn diagnose(&self, _cluster: &ClusterFacts) -> Result<Bytes, RuntimeError> {
        Err(RuntimeError::NotEmulated {
            what: "diagnosing a cluster",
        })
    }
}

/// A YARN application of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct YarnApplication {
    /// Its name.
    pub name: String,
    /// Its state in YARN's own word, such as `RUNNING`; a finished one may be `FINISHED`, `FAILED` or `KILLED`.
    pub state: String,
    /// How far it is, from 0 to 1.
    pub progress: f32,
    /// Where its web page is.
    pub tracking_url: Option<String>,
}

/// The memory of a cluster's YARN, in MiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct YarnMemory {
    /// What no container holds.
    pub available: u64,
    /// What containers hold.
    pub allocated: u64,
    /// What applications wait for.
    pub pending: u64,
}

/// Takes what a job's driver prints. Handles share it.
#[derive(Clone, Debug)]
pub struct DriverOutput(mpsc::Sender<Bytes>);

impl DriverOutput {
    /// An output, and the end where it comes out.
    ///
    /// So many pieces may wait; then writing waits too.
    #[must_use]
    pub fn channel(pieces: usize) -> (Self, mpsc::Receiver<Bytes>) {
        let (sender, receiver) = mpsc::channel(pieces.max(1));
        (Self(sender), receiver)
    }

    /// Hands a piece on; when nobody reads any more, it is dropped.
    pub async fn write(&self, piece: impl Into<Bytes> + Send) {
        self.0.send(piece.into()).await.ok();
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
    /// The optional components asked for, such as `PIG`.
    pub components: Vec<String>,
    /// Where Cloud Storage is for this cluster, such as `http://127.0.0.1:4443`; `None` where there is none.
    pub storage_endpoint: Option<String>,
    /// Where the metadata server of its machines is, such as `127.0.0.1:8090`; `None` where there is none.
    pub metadata_host: Option<String>,
    /// Where the machines reach Google's APIs that the emulator answers, such as `http://127.0.0.1:8081`; `None` where there is
    /// nothing of the kind.
    pub api_endpoint: Option<String>,
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
            components: Vec::new(),
            storage_endpoint: None,
            metadata_host: None,
            api_endpoint: None,
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
    /// Web pages by their name as the component gateway has it, such as `YARN ResourceManager`, with their URLs.
    pub web_pages: BTreeMap<String, String>,
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
            web_pages: BTreeMap::new(),
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
    /// The field of the resource that says its type, such as `pigJob`.
    pub kind: String,
    /// The YARN tag by which its applications are told from others'.
    pub tag: String,
    /// The whole resource.
    pub resource: serde_json::Value,
}

impl JobFacts {
    /// A job by its id, its type's field and its resource.
    #[must_use]
    pub fn new(id: &str, kind: &str, resource: serde_json::Value) -> Self {
        Self {
            id: id.to_owned(),
            kind: kind.to_owned(),
            tag: format!("dataproc_job_{id}"),
            resource,
        }
    }
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
