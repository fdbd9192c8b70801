//! Stateful doubles of YARN and Flink.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use flinkproc_core::{FlinkJobId, YarnApplicationId};

use crate::error::RestError;
use crate::flink::FlinkApi;
use crate::flink_values::{
    CheckpointCounts, Checkpoints, ConfigEntry, ExceptionHistory, Exceptions, FlinkJobState,
    JobDetail, JobOverview, LatestCheckpoints, Metric, Overview, SavepointStatus, TaskManager,
    TriggerId,
};
use crate::yarn::YarnApi;
use crate::yarn_values::{
    Application, ApplicationAttempt, ApplicationState, ClusterInfo, ClusterMetrics, FinalStatus,
    Node,
};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A ResourceManager in memory: applications are put in, read and killed.
#[derive(Debug, Default)]
pub struct MemoryYarn {
    applications: Mutex<BTreeMap<YarnApplicationId, Application>>,
}

impl MemoryYarn {
    /// A ResourceManager without applications.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts an application in, or replaces it.
    pub fn put(&self, application: Application) {
        lock(&self.applications).insert(application.id.clone(), application);
    }

    /// A running application, to be changed and put in.
    #[must_use]
    pub fn running(id: YarnApplicationId, tag: &str) -> Application {
        Application {
            id,
            user: "alice".to_owned(),
            name: "job".to_owned(),
            state: ApplicationState::Running,
            final_status: FinalStatus::Undefined,
            tracking_url: None,
            diagnostics: String::new(),
            application_tags: tag.to_lowercase(),
            started_time: 1,
            finished_time: 0,
            allocated_mb: 2048,
            log_aggregation_status: None,
        }
    }
}

#[async_trait]
impl YarnApi for MemoryYarn {
    async fn info(&self) -> Result<ClusterInfo, RestError> {
        Ok(ClusterInfo {
            started_on: 1,
            state: "STARTED".to_owned(),
            ha_state: "ACTIVE".to_owned(),
            hadoop_version: "3.3.6".to_owned(),
        })
    }

    async fn metrics(&self) -> Result<ClusterMetrics, RestError> {
        let applications = lock(&self.applications);
        let running = applications.values().filter(|app| !app.state.is_terminal());
        let allocated: i64 = running.clone().map(|app| app.allocated_mb).sum();
        Ok(ClusterMetrics {
            apps_pending: 0,
            apps_running: i64::try_from(running.count()).unwrap_or(i64::MAX),
            total_mb: 8192,
            available_mb: 8192 - allocated,
            pending_mb: 0,
            total_virtual_cores: 4,
            available_virtual_cores: 4,
            active_nodes: 1,
            lost_nodes: 0,
            unhealthy_nodes: 0,
        })
    }

    async fn nodes(&self) -> Result<Vec<Node>, RestError> {
        Ok(vec![Node {
            id: "worker:8041".to_owned(),
            node_host_name: "worker".to_owned(),
            state: "RUNNING".to_owned(),
            health_report: String::new(),
            num_containers: 0,
            used_memory_mb: 0,
            available_memory_mb: 8192,
        }])
    }

    async fn applications(&self, tag: Option<&str>) -> Result<Vec<Application>, RestError> {
        let applications = lock(&self.applications);
        let wanted = |app: &&Application| tag.is_none_or(|tag| app.has_tag(tag));
        Ok(applications.values().filter(wanted).cloned().collect())
    }

    async fn application(&self, id: &YarnApplicationId) -> Result<Option<Application>, RestError> {
        Ok(lock(&self.applications).get(id).cloned())
    }

    async fn attempts(&self, id: &YarnApplicationId) -> Result<Vec<ApplicationAttempt>, RestError> {
        let known = lock(&self.applications).contains_key(id);
        let attempt = ApplicationAttempt {
            id: 1,
            start_time: 1,
            container_id: "container_1_0001_01_000001".to_owned(),
            node_id: "worker:8041".to_owned(),
            logs_link: String::new(),
        };
        Ok(if known { vec![attempt] } else { Vec::new() })
    }

    async fn kill(&self, id: &YarnApplicationId) -> Result<(), RestError> {
        if let Some(application) = lock(&self.applications).get_mut(id)
            && !application.state.is_terminal()
        {
            application.state = ApplicationState::Killed;
            application.final_status = FinalStatus::Killed;
            application.finished_time = application.started_time + 1;
        }
        Ok(())
    }
}

/// A JobManager in memory: jobs are put in, read and cancelled.
#[derive(Debug, Default)]
pub struct MemoryFlink {
    jobs: Mutex<BTreeMap<FlinkJobId, (JobOverview, Option<String>)>>,
    parameters: Mutex<BTreeMap<FlinkJobId, BTreeMap<String, String>>>,
}

impl MemoryFlink {
    /// A JobManager without jobs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a job in, or replaces it, with the root exception that it failed of.
    pub fn put(&self, id: FlinkJobId, state: FlinkJobState, root_exception: Option<&str>) {
        let overview = JobOverview {
            id: id.clone(),
            name: "job".to_owned(),
            state,
            start_time: 1,
            end_time: if state.is_terminal() { 2 } else { -1 },
            tasks: BTreeMap::from([("total".to_owned(), 1)]),
        };
        lock(&self.jobs).insert(id, (overview, root_exception.map(str::to_owned)));
    }

    /// Gives a job one of its own parameters.
    pub fn put_parameter(&self, id: FlinkJobId, key: &str, value: &str) {
        let mut parameters = lock(&self.parameters);
        let own = parameters.entry(id).or_default();
        own.insert(key.to_owned(), value.to_owned());
    }

    /// Forgets a job, as a JobManager does an hour after its end.
    pub fn forget(&self, id: &FlinkJobId) {
        lock(&self.jobs).remove(id);
    }

    fn read<T>(
        &self,
        id: &FlinkJobId,
        read: impl FnOnce(&JobOverview, Option<&str>) -> T,
    ) -> Result<T, RestError> {
        let jobs = lock(&self.jobs);
        let (job, exception) = jobs.get(id).ok_or_else(|| RestError::Refused {
            url: format!("/jobs/{id}"),
            status: 404,
            message: format!("Job {id} not found"),
        })?;
        Ok(read(job, exception.as_deref()))
    }
}

#[async_trait]
impl FlinkApi for MemoryFlink {
    async fn overview(&self) -> Result<Overview, RestError> {
        let jobs = lock(&self.jobs);
        let count = |state| {
            let found = jobs.values().filter(|(job, _)| job.state == state).count();
            u32::try_from(found).unwrap_or(u32::MAX)
        };
        Ok(Overview {
            taskmanagers: 1,
            slots_total: 1,
            slots_available: 1,
            jobs_running: count(FlinkJobState::Running),
            jobs_finished: count(FlinkJobState::Finished),
            jobs_cancelled: count(FlinkJobState::Canceled),
            jobs_failed: count(FlinkJobState::Failed),
            flink_version: "1.20.5".to_owned(),
        })
    }

    async fn jobs(&self) -> Result<Vec<JobOverview>, RestError> {
        Ok(lock(&self.jobs)
            .values()
            .map(|(job, _)| job.clone())
            .collect())
    }

    async fn job(&self, id: &FlinkJobId) -> Result<Option<JobDetail>, RestError> {
        let detail = self.read(id, |job, _| JobDetail {
            id: job.id.clone(),
            name: job.name.clone(),
            state: job.state,
            start_time: job.start_time,
            end_time: job.end_time,
            duration: 1,
            vertices: Vec::new(),
        });
        Ok(detail.ok())
    }

    async fn exceptions(&self, id: &FlinkJobId) -> Result<Exceptions, RestError> {
        self.read(id, |job, exception| Exceptions {
            root_exception: exception.map(str::to_owned),
            timestamp: exception.map(|_| job.end_time),
            history: ExceptionHistory::default(),
        })
    }

    async fn checkpoints(&self, id: &FlinkJobId) -> Result<Checkpoints, RestError> {
        let counts = CheckpointCounts {
            total: 0,
            in_progress: 0,
            completed: 0,
            failed: 0,
            restored: 0,
        };
        self.read(id, |_, _| Checkpoints {
            counts,
            latest: LatestCheckpoints::default(),
        })
    }

    async fn plan(&self, id: &FlinkJobId) -> Result<serde_json::Value, RestError> {
        self.read(
            id,
            |job, _| serde_json::json!({"jid": job.id, "name": job.name, "nodes": []}),
        )
    }

    async fn metrics(&self, id: &FlinkJobId, _: &[&str]) -> Result<Vec<Metric>, RestError> {
        self.read(id, |_, _| Vec::new())
    }

    async fn parameters(&self, id: &FlinkJobId) -> Result<BTreeMap<String, String>, RestError> {
        let parameters = lock(&self.parameters);
        Ok(parameters.get(id).cloned().unwrap_or_default())
    }

    async fn config(&self) -> Result<Vec<ConfigEntry>, RestError> {
        Ok(Vec::new())
    }

    async fn task_managers(&self) -> Result<Vec<TaskManager>, RestError> {
        Ok(Vec::new())
    }

    async fn cancel(&self, id: &FlinkJobId) -> Result<(), RestError> {
        self.read(id, |_, _| ())?;
        if let Some((job, _)) = lock(&self.jobs).get_mut(id)
            && !job.state.is_terminal()
        {
            job.state = FlinkJobState::Canceled;
            job.end_time = job.start_time + 1;
        }
        Ok(())
    }

    async fn stop(
        &self,
        id: &FlinkJobId,
        target: Option<&str>,
        _: bool,
    ) -> Result<TriggerId, RestError> {
        self.cancel(id).await?;
        Ok(TriggerId(format!(
            "{}/savepoint-1",
            target.unwrap_or("file:///savepoints")
        )))
    }

    async fn savepoint(
        &self,
        id: &FlinkJobId,
        trigger: &TriggerId,
    ) -> Result<SavepointStatus, RestError> {
        self.read(id, |_, _| SavepointStatus::Completed {
            location: trigger.to_string(),
        })
    }
}
