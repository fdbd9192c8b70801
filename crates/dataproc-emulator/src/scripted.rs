//! A runtime for tests and measurements: a real OpenSSH server, a fake `flink`, and YARN's and Flink's answers.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jobs::ScriptedJobs;

use crate::clock::real_sleep;
use crate::runtime::{
    ClusterFacts, ClusterRuntime, DriverOutput, JobEnd, JobFacts, Machines, MetadataKey,
    RuntimeError, YarnApplication, YarnMemory,
};

mod archive;
mod jobs;
mod machine;
mod processes;
mod programs;
mod web;

pub use jobs::JobScript;
pub use machine::ScriptedMachine;
pub use programs::{FlinkScript, YarnEnd};

/// How often a busy cluster is looked at that is to give workers back.
const BUSY_PROBE: Duration = Duration::from_millis(50);

/// How scripted clusters are.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ScriptedOptions {
    /// How long a cluster takes to be made, in real time.
    pub create_time: Duration,
    /// How long a cluster takes to be deleted, in real time.
    pub delete_time: Duration,
    /// Whether machines are real; without, a cluster is nothing but its name, made without a process.
    pub machines: bool,
    /// Where machines listen.
    pub addresses: Addresses,
    /// What the fake `flink` of new clusters does.
    pub flink: FlinkScript,
    /// What jobs of the Jobs API do.
    pub job: JobScript,
    /// OpenSSH's server.
    pub sshd: PathBuf,
    /// Where the machines look for programs after their own, such as `/usr/bin:/bin`.
    pub path: String,
}

impl Default for ScriptedOptions {
    fn default() -> Self {
        Self {
            create_time: Duration::ZERO,
            delete_time: Duration::ZERO,
            machines: true,
            addresses: Addresses::Shared,
            flink: FlinkScript::default(),
            job: JobScript::default(),
            sshd: PathBuf::from("/usr/sbin/sshd"),
            path: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
        }
    }
}

/// Where scripted machines listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// All at 127.0.0.1, on free ports that [`ScriptedMachine`] tells.
    Shared,
    /// Each cluster at a loopback address of its own (Linux), YARN at port 8088 and SSH at this port.
    Own {
        /// The port of the SSH servers, such as 2222; 0 for a free one.
        ssh_port: u16,
    },
}

/// Clusters of one machine each, which is master and workers alike.
///
/// Every machine has a home directory, an `authorized_keys` file and programs of its own in a temporary directory; logging
/// in is possible for the user that runs this process. What was started on a machine is ended with it. See
/// [`FlinkScript`] for what its `flink` does.
#[derive(Debug)]
pub struct ScriptedRuntime {
    options: ScriptedOptions,
    jobs: ScriptedJobs,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    flink: FlinkScript,
    machines: HashMap<String, Arc<ScriptedMachine>>,
    create_failures: VecDeque<RuntimeError>,
    delete_failures: VecDeque<RuntimeError>,
    busy: HashMap<String, bool>,
    yarn_memory: HashMap<String, YarnMemory>,
    /// The secondary workers that were taken away, by the cluster's UUID.
    preempted: HashMap<String, HashSet<String>>,
    keys: HashMap<(String, String), Vec<MetadataKey>>,
}

impl ScriptedRuntime {
    /// A runtime without clusters.
    #[must_use]
    pub fn new(options: ScriptedOptions) -> Self {
        let inner = Inner {
            flink: options.flink.clone(),
            ..Inner::default()
        };
        let jobs = ScriptedJobs::default();
        jobs.set(options.job.clone());
        Self {
            options,
            jobs,
            inner: Mutex::new(inner),
        }
    }

    /// A runtime whose clusters are nothing but names: for tests of the API alone.
    #[must_use]
    pub fn without_machines() -> Self {
        Self::new(ScriptedOptions {
            machines: false,
            ..ScriptedOptions::default()
        })
    }

    /// Who can log in on scripted machines: the user that runs this process.
    ///
    /// # Errors
    /// When the system does not know its name.
    pub fn login_user() -> std::io::Result<String> {
        machine::user_name()
    }

    /// Makes the next create call fail.
    pub fn fail_next_create(&self, error: RuntimeError) {
        self.lock().create_failures.push_back(error);
    }

    /// Makes the next delete call fail.
    pub fn fail_next_delete(&self, error: RuntimeError) {
        self.lock().delete_failures.push_back(error);
    }

    /// Says whether the cluster of that name is busy, whatever runs on it.
    pub fn set_busy(&self, cluster: &str, busy: bool) {
        self.lock().busy.insert(cluster.to_owned(), busy);
    }

    /// Says what the YARN of the cluster of that name has and wants of memory; until then it tells none.
    pub fn set_yarn_memory(&self, cluster: &str, memory: YarnMemory) {
        let mut inner = self.lock();
        inner.yarn_memory.insert(cluster.to_owned(), memory);
    }

    /// Changes what jobs of the Jobs API do from the next one on.
    pub fn set_job(&self, script: JobScript) {
        self.jobs.set(script);
    }

    /// Says what the next job does that has not been said yet; each attempt of a job counts as one.
    pub fn push_job(&self, script: JobScript) {
        self.jobs.push(script);
    }

    /// The jobs so far, in the order in which they began; each attempt is one.
    #[must_use]
    pub fn jobs(&self) -> Vec<JobFacts> {
        self.jobs.started()
    }

    /// Changes what `flink` does from its next start on, on the present machines and on later ones.
    pub fn set_flink(&self, flink: &FlinkScript) -> Result<(), RuntimeError> {
        let machines: Vec<_> = {
            let mut inner = self.lock();
            inner.flink = flink.clone();
            inner.machines.values().cloned().collect()
        };
        machines.iter().try_for_each(|m| m.write_flink(flink))
    }

    /// The machine of the cluster of that name.
    #[must_use]
    pub fn machine(&self, cluster: &str) -> Option<Arc<ScriptedMachine>> {
        let inner = self.lock();
        let found = inner.machines.values().find(|m| m.cluster() == cluster);
        found.cloned()
    }

    /// The keys that a machine was last given.
    #[must_use]
    pub fn keys(&self, cluster: &str, machine: &str) -> Vec<MetadataKey> {
        let at = (cluster.to_owned(), machine.to_owned());
        self.lock().keys.get(&at).cloned().unwrap_or_default()
    }

    /// The machines of a cluster as they are now.
    fn machines(&self, cluster: &ClusterFacts) -> Machines {
        let inner = self.lock();
        let machine = inner.machines.get(&cluster.uuid);
        let address = machine.map(|machine| machine.address());
        let address = address.unwrap_or_else(|| std::net::Ipv4Addr::LOCALHOST.into());
        let keys: Vec<_> = machine.iter().map(|m| m.host_key().to_owned()).collect();
        let mut machines = Machines::at_master(cluster, address, &keys);
        if let Some(gone) = inner.preempted.get(&cluster.uuid) {
            machines.machines.retain(|own| !gone.contains(&own.name));
        }
        machines
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ClusterRuntime for ScriptedRuntime {
    async fn create(&self, cluster: &ClusterFacts) -> Result<Machines, RuntimeError> {
        real_sleep(self.options.create_time).await;
        let (failure, flink) = {
            let mut inner = self.lock();
            (inner.create_failures.pop_front(), inner.flink.clone())
        };
        if let Some(error) = failure {
            return Err(error);
        }
        if !self.options.machines {
            let address = std::net::Ipv4Addr::LOCALHOST.into();
            return Ok(Machines::at_master(cluster, address, &[]));
        }
        let machine = ScriptedMachine::start(cluster, &self.options, &flink).await?;
        let keys = [machine.host_key().to_owned()];
        let machines = Machines::at_master(cluster, machine.address(), &keys);
        let uuid = cluster.uuid.clone();
        self.lock().machines.insert(uuid, Arc::new(machine));
        Ok(machines)
    }

    async fn delete(&self, cluster: &ClusterFacts) -> Result<(), RuntimeError> {
        if let Some(error) = self.lock().delete_failures.pop_front() {
            return Err(error);
        }
        let machine = self.lock().machines.remove(&cluster.uuid);
        if let Some(machine) = machine {
            machine.stop();
        }
        real_sleep(self.options.delete_time).await;
        Ok(())
    }

    async fn scale(
        &self,
        cluster: &ClusterFacts,
        graceful: Duration,
    ) -> Result<Machines, RuntimeError> {
        // What runs on a busy cluster runs on its workers, so they go when it is idle, or when their time is over.
        let over = real_sleep(graceful);
        tokio::pin!(over);
        while !graceful.is_zero() && self.is_busy(cluster).await {
            tokio::select! {
                () = &mut over => break,
                () = real_sleep(BUSY_PROBE) => {}
            }
        }
        // Those that were taken away come back, as a group of instances makes them again.
        self.lock().preempted.remove(&cluster.uuid);
        Ok(self.machines(cluster))
    }

    async fn preempt(
        &self,
        cluster: &ClusterFacts,
        machine: &str,
    ) -> Result<Machines, RuntimeError> {
        let mut inner = self.lock();
        let gone = inner.preempted.entry(cluster.uuid.clone()).or_default();
        gone.insert(machine.to_owned());
        drop(inner);
        Ok(self.machines(cluster))
    }

    async fn stop(&self, cluster: &ClusterFacts) -> Result<(), RuntimeError> {
        let machine = self.lock().machines.get(&cluster.uuid).cloned();
        match machine {
            Some(machine) => machine.power_off().await,
            None => Ok(()),
        }
    }

    async fn start(&self, cluster: &ClusterFacts) -> Result<Machines, RuntimeError> {
        let machine = self.lock().machines.get(&cluster.uuid).cloned();
        if let Some(machine) = machine {
            machine.power_on().await?;
        }
        Ok(self.machines(cluster))
    }

    async fn set_keys(
        &self,
        cluster: &ClusterFacts,
        machine: &str,
        keys: &[MetadataKey],
    ) -> Result<(), RuntimeError> {
        let found = {
            let mut inner = self.lock();
            let at = (cluster.name.clone(), machine.to_owned());
            inner.keys.insert(at, keys.to_vec());
            inner.machines.get(&cluster.uuid).cloned()
        };
        match found {
            // One machine plays them all; the master's keys decide.
            Some(found) if cluster.master_names().iter().any(|m| m == machine) => {
                found.write_keys(keys)
            }
            _ => Ok(()),
        }
    }

    async fn run_job(
        &self,
        cluster: &ClusterFacts,
        job: &JobFacts,
        output: &DriverOutput,
    ) -> Result<JobEnd, RuntimeError> {
        self.jobs.run(&cluster.uuid, job, output).await
    }

    async fn cancel_job(&self, cluster: &ClusterFacts, job: &str) -> Result<(), RuntimeError> {
        self.jobs.cancel(&cluster.uuid, job);
        Ok(())
    }

    async fn job_applications(
        &self,
        cluster: &ClusterFacts,
        job: &JobFacts,
    ) -> Vec<YarnApplication> {
        self.jobs.applications(&cluster.uuid, &job.id)
    }

    async fn yarn_memory(&self, cluster: &ClusterFacts) -> Option<YarnMemory> {
        self.lock().yarn_memory.get(&cluster.name).copied()
    }

    async fn diagnose(&self, cluster: &ClusterFacts) -> Result<Bytes, RuntimeError> {
        let machine = self.lock().machines.get(&cluster.uuid).cloned();
        let resource = ("cluster.json".to_owned(), cluster.resource.to_string());
        let mut files = vec![resource];
        files.extend(machine.iter().flat_map(|machine| machine.report()));
        archive::tar_gz(&files).map_err(|error| RuntimeError::Failed {
            detail: error.to_string(),
        })
    }

    fn has_machines(&self) -> bool {
        self.options.machines
    }

    fn ssh_port(&self, cluster: &ClusterFacts, _machine: &str) -> u16 {
        let inner = self.lock();
        let machine = inner.machines.get(&cluster.uuid);
        machine.map_or(22, |machine| machine.ssh().port())
    }

    async fn is_busy(&self, cluster: &ClusterFacts) -> bool {
        let inner = self.lock();
        if let Some(busy) = inner.busy.get(&cluster.name) {
            return *busy;
        }
        let machine = inner.machines.get(&cluster.uuid);
        machine.is_some_and(|machine| machine.is_busy())
    }
}
