//! Dataproc's Jobs API for PySpark jobs, whose drivers are processes in the login of a fake master.

use std::collections::{BTreeMap, HashMap};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use flinkproc_core::{Clock, ClusterRef, DataprocJobId, ProjectId, Region, RequestId};
use flinkproc_dataproc::{ApiError, Job, JobApi, JobError, JobSpec, JobState, Subject};
use flinkproc_staging::Staging;
use flinkproc_submit::contract::FakeMaster;
use serde_json::json;
use tempfile::TempDir;
use tokio::process::Command;

#[derive(Debug)]
struct Driver {
    spec: JobSpec,
    pid: Option<u32>,
    state: JobState,
    since: String,
}

/// The drivers; each ends with its launcher, and all with this.
#[derive(Debug)]
pub(crate) struct LocalJobs {
    folder: TempDir,
    environment: BTreeMap<&'static str, String>,
    staging: Arc<dyn Staging>,
    clock: Arc<dyn Clock>,
    drivers: Arc<Mutex<HashMap<DataprocJobId, Driver>>>,
}

impl LocalJobs {
    pub(crate) fn new(master: &FakeMaster, clock: Arc<dyn Clock>) -> Self {
        Self {
            folder: TempDir::new().expect("a directory"),
            environment: master.environment(),
            staging: master.staging(),
            clock,
            drivers: Arc::default(),
        }
    }

    fn read(&self, id: &DataprocJobId) -> Option<Job> {
        let drivers = self.drivers.lock().expect("whole");
        let driver = drivers.get(id)?;
        let mut resource = driver.spec.resource.clone();
        resource["status"] = json!({"stateStartTime": driver.since});
        Some(Job {
            id: id.clone(),
            cluster: driver.spec.cluster.name.to_string(),
            state: driver.state,
            detail: None,
            driver_output: None,
            resource,
        })
    }
}

#[async_trait]
impl JobApi for LocalJobs {
    async fn submit(&self, job: &JobSpec, _: &RequestId) -> Result<Job, JobError> {
        if self.read(&job.id).is_some() {
            let subject = Subject::Job(job.id.clone());
            return Err(ApiError::AlreadyExists { subject });
        }
        let main = job.resource["pysparkJob"]["mainPythonFileUri"].as_str();
        let main = main.expect("a PySpark job").parse().expect("an address");
        let text = self.staging.read_range(&main, 0, 1 << 30).await;
        let path = self.folder.path().join(format!("{}.py", job.id));
        std::fs::write(&path, text.expect("staged")).expect("written");
        let mut child = Command::new("python3")
            .arg(&path)
            .env_clear()
            .envs(&self.environment)
            .env_remove("PYTHONHOME")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("started");
        let driver = Driver {
            spec: job.clone(),
            pid: child.id(),
            state: JobState::Running,
            since: self.clock.now().to_string(),
        };
        let mut drivers = self.drivers.lock().expect("whole");
        drivers.insert(job.id.clone(), driver);
        drop(drivers);
        let (drivers, clock, id) = (
            Arc::clone(&self.drivers),
            Arc::clone(&self.clock),
            job.id.clone(),
        );
        tokio::spawn(async move {
            let worked = child.wait().await.expect("ended").success();
            let mut drivers = drivers.lock().expect("whole");
            let driver = drivers.get_mut(&id).expect("known");
            driver.since = clock.now().to_string();
            driver.state = match (driver.state, worked) {
                (JobState::CancelStarted, _) => JobState::Cancelled,
                (_, true) => JobState::Done,
                (_, false) => JobState::Error,
            };
        });
        Ok(self.read(&job.id).expect("known"))
    }

    async fn find(
        &self,
        _: &ProjectId,
        _: &Region,
        id: &DataprocJobId,
    ) -> Result<Option<Job>, JobError> {
        Ok(self.read(id))
    }

    async fn list(
        &self,
        _: &ProjectId,
        _: &Region,
        _: Option<&ClusterRef>,
    ) -> Result<Vec<Job>, JobError> {
        let ids: Vec<DataprocJobId> = self
            .drivers
            .lock()
            .expect("whole")
            .keys()
            .cloned()
            .collect();
        Ok(ids.iter().filter_map(|id| self.read(id)).collect())
    }

    async fn cancel(
        &self,
        _: &ProjectId,
        _: &Region,
        id: &DataprocJobId,
    ) -> Result<bool, JobError> {
        let pid = {
            let mut drivers = self.drivers.lock().expect("whole");
            match drivers.get_mut(id) {
                Some(driver) if driver.state == JobState::Running => {
                    driver.state = JobState::CancelStarted;
                    driver.pid
                }
                _ => return Ok(false),
            }
        };
        let pid = pid.expect("it runs").to_string();
        let mut kill = Command::new("kill");
        let told = kill.args(["-TERM", &pid]).stderr(Stdio::null()).status();
        told.await.expect("ran");
        Ok(true)
    }
}
