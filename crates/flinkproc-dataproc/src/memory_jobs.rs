//! The Jobs API of the Dataproc in memory.

use async_trait::async_trait;
use flinkproc_core::{ClusterRef, DataprocJobId, ProjectId, Region, RequestId};
use serde_json::{Value, json};

use crate::clusters::ClusterState;
use crate::error::{ApiError, JobError, Subject};
use crate::jobs::{Job, JobApi, JobSpec, JobState};
use crate::memory::MemoryDataproc;

/// What becomes of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobRun {
    /// It ends well.
    Done,
    /// It ends in state `ERROR` with these details.
    Fails {
        /// The service's words.
        details: String,
    },
    /// It runs until it is cancelled.
    Hangs,
    /// The request itself is refused with this `google.rpc.Code` and message; there is no job.
    Refused {
        /// The code.
        code: i32,
        /// The service's words.
        message: String,
    },
}

#[derive(Debug)]
pub(crate) struct JobEntry {
    cluster: ClusterRef,
    resource: Value,
    state: JobState,
    details: Option<String>,
    polls: u32,
    run: JobRun,
}

impl JobEntry {
    fn read(&self) -> Result<Job, ApiError> {
        let mut resource = self.resource.clone();
        resource["status"] = json!({"state": self.state, "details": self.details});
        Job::from_resource(resource)
    }

    /// Lets one step of time pass.
    fn tick(&mut self) {
        match (self.state, self.polls, &self.run) {
            (state, ..) if state.is_terminal() => {}
            (JobState::CancelPending, ..) => self.state = JobState::Cancelled,
            (JobState::Pending, 1.., _) => {
                self.polls -= 1;
                self.state = JobState::Running;
            }
            (_, 1.., _) => self.polls -= 1,
            (_, 0, JobRun::Hangs) => self.state = JobState::Running,
            (_, 0, JobRun::Fails { details }) => {
                self.state = JobState::Error;
                self.details = Some(details.clone());
            }
            (_, 0, _) => self.state = JobState::Done,
        }
    }
}

impl MemoryDataproc {
    /// Chooses what becomes of the next job that has no outcome yet; without one it ends well.
    pub fn next_job(&self, run: JobRun) {
        self.lock().runs.push_back(run);
    }

    /// The jobs that were submitted, without any time passing.
    #[must_use]
    pub fn jobs(&self) -> Vec<Job> {
        self.lock()
            .jobs
            .values()
            .filter_map(|job| job.read().ok())
            .collect()
    }
}

fn key(project: &ProjectId, region: &Region, id: &DataprocJobId) -> String {
    format!("projects/{project}/regions/{region}/jobs/{id}")
}

#[async_trait]
impl JobApi for MemoryDataproc {
    async fn submit(&self, job: &JobSpec, request: &RequestId) -> Result<Job, JobError> {
        let mut state = self.lock();
        let subject = Subject::Job(job.id.clone());
        let ClusterRef {
            project,
            region,
            name,
        } = &job.cluster;
        let key = key(project, region, &job.id);
        if let Some(entry) = state.jobs.get(&key) {
            return match state.requests.get(request.as_str()) {
                Some(first) if *first == key => entry.read(),
                _ => Err(ApiError::AlreadyExists { subject }),
            };
        }
        match state.cluster_state(&job.cluster) {
            Some(
                ClusterState::Running | ClusterState::Updating | ClusterState::ErrorDueToUpdate,
            ) => {}
            None => {
                return Err(ApiError::NotFound {
                    subject: Subject::Cluster(job.cluster.clone()),
                });
            }
            Some(other) => {
                let message = format!("cluster `{name}` is in state {other:?}");
                return Err(ApiError::Busy { subject, message });
            }
        }
        let Some(mut fields) = job.resource.as_object().cloned() else {
            let message = "the resource is no JSON object".to_owned();
            return Err(ApiError::Invalid { subject, message });
        };
        let run = state.runs.pop_front().unwrap_or(JobRun::Done);
        if let JobRun::Refused { code, message } = run {
            return Err(ApiError::from_status(subject, code, message));
        }
        let output = format!(
            "gs://dataproc-staging-{region}-1/google-cloud-dataproc-metainfo/{name}/jobs/{}/driveroutput",
            job.id
        );
        fields.insert(
            "reference".to_owned(),
            json!({"projectId": project, "jobId": job.id}),
        );
        fields.insert("placement".to_owned(), json!({"clusterName": name}));
        fields.insert("driverOutputResourceUri".to_owned(), json!(output));
        let entry = JobEntry {
            cluster: job.cluster.clone(),
            resource: Value::Object(fields),
            state: JobState::Pending,
            details: None,
            polls: state.polls,
            run,
        };
        let answer = entry.read()?;
        state.requests.insert(request.to_string(), key.clone());
        state.jobs.insert(key, entry);
        Ok(answer)
    }

    async fn find(
        &self,
        project: &ProjectId,
        region: &Region,
        id: &DataprocJobId,
    ) -> Result<Option<Job>, JobError> {
        let mut state = self.lock();
        let Some(entry) = state.jobs.get_mut(&key(project, region, id)) else {
            return Ok(None);
        };
        entry.tick();
        entry.read().map(Some)
    }

    async fn list(
        &self,
        project: &ProjectId,
        region: &Region,
        cluster: Option<&ClusterRef>,
    ) -> Result<Vec<Job>, JobError> {
        let state = self.lock();
        let here = |entry: &&JobEntry| {
            entry.cluster.project == *project
                && entry.cluster.region == *region
                && cluster.is_none_or(|cluster| *cluster == entry.cluster)
        };
        state
            .jobs
            .values()
            .filter(here)
            .map(JobEntry::read)
            .collect()
    }

    async fn cancel(
        &self,
        project: &ProjectId,
        region: &Region,
        id: &DataprocJobId,
    ) -> Result<bool, JobError> {
        let mut state = self.lock();
        match state.jobs.get_mut(&key(project, region, id)) {
            Some(entry) if !entry.state.is_terminal() => {
                entry.state = JobState::CancelPending;
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}
