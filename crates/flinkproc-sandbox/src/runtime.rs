//! The emulator's clusters, made of real parts.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dataproc_emulator::runtime::{
    ClusterFacts, ClusterRuntime, DriverOutput, JobEnd, JobFacts, Machines, MetadataKey,
    RuntimeError, YarnApplication, YarnMemory,
};
use flinkproc_core::{Clock, messages};

use crate::address::ssh_port;
use crate::cluster::{Cluster, Shared};
use crate::error::SandboxError;
use crate::image::IMAGES;
use crate::machine::ProcessRef;
use crate::parts::Parts;
use crate::progress::ProgressSink;

/// Makes clusters of YARN, Flink and OpenSSH on loopback addresses.
///
/// A cluster with an image of Dataproc's gets the image with the same major version of Flink; whoever plans says so.
#[derive(Debug)]
pub struct SandboxRuntime {
    shared: Shared,
    clusters: std::sync::Mutex<HashMap<String, Arc<Cluster>>>,
}

impl SandboxRuntime {
    /// Clusters keep their things below `folder` and find Cloud Storage at `storage`, such as `http://127.0.9.2:4443`, unless
    /// the emulator names another place. `user` is the login name, that of whoever runs this.
    #[must_use]
    pub fn new(
        parts: Parts,
        folder: PathBuf,
        user: &str,
        storage: &str,
        clock: Arc<dyn Clock>,
        progress: ProgressSink,
    ) -> Self {
        let shared = Shared {
            parts,
            folder,
            user: user.to_owned(),
            ssh_port: ssh_port(),
            storage: storage.to_owned(),
            http: reqwest::Client::builder()
                .no_proxy()
                .build()
                .unwrap_or_default(),
            clock,
            progress,
            isolation: Arc::default(),
        };
        Self {
            shared,
            clusters: std::sync::Mutex::default(),
        }
    }

    /// The port of OpenSSH's server on every master.
    #[must_use]
    pub const fn ssh_port(&self) -> u16 {
        self.shared.ssh_port
    }

    /// Every process that runs for the clusters now.
    #[must_use]
    pub fn processes(&self) -> Vec<ProcessRef> {
        let clusters: Vec<Arc<Cluster>> = self.lock().values().cloned().collect();
        clusters
            .iter()
            .flat_map(|cluster| cluster.processes())
            .collect()
    }

    /// Where the commands of a cluster's master lie (`flink`, `yarn` …), by the cluster's name.
    #[must_use]
    pub fn commands(&self, cluster: &str) -> Option<PathBuf> {
        let clusters: Vec<Arc<Cluster>> = self.lock().values().cloned().collect();
        let start = format!("{cluster}-");
        clusters
            .iter()
            .map(|cluster| cluster.layout())
            .find_map(|layout| {
                let name = layout.folder.file_name()?.to_str()?;
                name.starts_with(&start).then(|| layout.at("bin"))
            })
    }

    /// Ends every cluster.
    ///
    /// # Errors
    /// When a process cannot be ended; the others are ended all the same.
    pub async fn end(&self) -> Result<(), SandboxError> {
        let clusters: Vec<Arc<Cluster>> = self.lock().drain().map(|(_, one)| one).collect();
        let ends = clusters.iter().map(|cluster| cluster.end(&self.shared));
        let results = futures::future::join_all(ends).await;
        results.into_iter().collect()
    }

    /// Ends what runs now, without waiting for its end: for those who cannot wait.
    pub fn kill(&self) {
        let clusters: Vec<Arc<Cluster>> = self.lock().values().cloned().collect();
        for cluster in clusters {
            cluster.kill();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Cluster>>> {
        self.clusters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, facts: &ClusterFacts) -> Result<Arc<Cluster>, RuntimeError> {
        let found = self.lock().get(&facts.uuid).cloned();
        found.ok_or_else(|| RuntimeError::Failed {
            detail: format!("the sandbox has no cluster {} ({})", facts.name, facts.uuid),
        })
    }
}

/// The error with its causes, for the cluster's status detail.
pub(crate) fn failed(error: &SandboxError) -> RuntimeError {
    if let SandboxError::NoAddress { .. } = error {
        return RuntimeError::Stockout {
            detail: error.to_string(),
        };
    }
    let detail = messages(error).join(": ");
    RuntimeError::Failed { detail }
}

#[async_trait]
impl ClusterRuntime for SandboxRuntime {
    fn image_versions(&self) -> Vec<String> {
        IMAGES.iter().map(|image| image.name.to_owned()).collect()
    }

    async fn create(&self, cluster: &ClusterFacts) -> Result<Machines, RuntimeError> {
        let made = Arc::new(Cluster::claim(&self.shared, cluster).map_err(|error| failed(&error))?);
        // Registered before anything starts: this future may be dropped, and `delete` follows.
        self.lock().insert(cluster.uuid.clone(), Arc::clone(&made));
        made.start(&self.shared, cluster)
            .await
            .map_err(|error| failed(&error))
    }

    async fn delete(&self, cluster: &ClusterFacts) -> Result<(), RuntimeError> {
        let found = self.lock().get(&cluster.uuid).cloned();
        if let Some(found) = found {
            found
                .end(&self.shared)
                .await
                .map_err(|error| failed(&error))?;
            self.lock().remove(&cluster.uuid);
        }
        Ok(())
    }

    async fn scale(
        &self,
        cluster: &ClusterFacts,
        graceful: Duration,
    ) -> Result<Machines, RuntimeError> {
        let found = self.find(cluster)?;
        found
            .scale(&self.shared, cluster, graceful)
            .await
            .map_err(|error| failed(&error))
    }

    async fn preempt(
        &self,
        cluster: &ClusterFacts,
        machine: &str,
    ) -> Result<Machines, RuntimeError> {
        let found = self.find(cluster)?;
        Ok(found.preempt(&self.shared, cluster, machine).await)
    }

    async fn stop(&self, cluster: &ClusterFacts) -> Result<(), RuntimeError> {
        let found = self.find(cluster)?;
        found
            .stop(&self.shared)
            .await
            .map_err(|error| failed(&error))
    }

    async fn start(&self, cluster: &ClusterFacts) -> Result<Machines, RuntimeError> {
        let found = self.find(cluster)?;
        found
            .start(&self.shared, cluster)
            .await
            .map_err(|error| failed(&error))
    }

    async fn set_keys(
        &self,
        cluster: &ClusterFacts,
        _machine: &str,
        keys: &[MetadataKey],
    ) -> Result<(), RuntimeError> {
        self.find(cluster)?
            .set_keys(keys)
            .map_err(|error| failed(&error))
    }

    fn ssh_port(&self, _cluster: &ClusterFacts, _machine: &str) -> u16 {
        self.shared.ssh_port
    }

    async fn is_busy(&self, cluster: &ClusterFacts) -> bool {
        let Ok(found) = self.find(cluster) else {
            return false;
        };
        let busy = found.resource_manager(&self.shared).is_busy().await;
        busy.unwrap_or_default()
    }

    async fn run_job(
        &self,
        cluster: &ClusterFacts,
        job: &JobFacts,
        output: &DriverOutput,
    ) -> Result<JobEnd, RuntimeError> {
        let found = self.find(cluster)?;
        let end = found.run_job(&self.shared, cluster, job, output).await;
        end.map_err(RuntimeError::from)
    }

    async fn cancel_job(&self, cluster: &ClusterFacts, job: &str) -> Result<(), RuntimeError> {
        self.find(cluster)?.cancel_job(job);
        Ok(())
    }

    async fn job_applications(
        &self,
        cluster: &ClusterFacts,
        job: &JobFacts,
    ) -> Vec<YarnApplication> {
        let Ok(found) = self.find(cluster) else {
            return Vec::new();
        };
        found.resource_manager(&self.shared).tagged(&job.tag).await
    }

    async fn yarn_memory(&self, cluster: &ClusterFacts) -> Option<YarnMemory> {
        let found = self.find(cluster).ok()?;
        found.resource_manager(&self.shared).memory().await
    }

    async fn diagnose(&self, cluster: &ClusterFacts) -> Result<Bytes, RuntimeError> {
        let found = self.find(cluster)?;
        let archive = found.diagnose(&self.shared).await;
        archive.map(Bytes::from).map_err(|error| failed(&error))
    }
}
