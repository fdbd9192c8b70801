//! Takes jobs in: for which cluster, under which id, as a job or as an operation.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::watch;
use uuid::Uuid;

use crate::failure::{ApiFailure, Code};
use crate::jobs::accept::{Accepted, accept};
use crate::jobs::record::{JobKey, JobRecord, Stop};
use crate::jobs::run::{not_found, tell_operation};
use crate::operations::OperationKind;
use crate::runtime::ClusterFacts;
use crate::service::{ClusterKey, Service, State, check_request_id};

impl Service {
    /// Begins to run a job and gives it; one request id makes one job.
    pub(crate) fn submit_job(
        self: &Arc<Self>,
        project: &str,
        region: &str,
        job: &Value,
        request: &str,
    ) -> Result<Value, ApiFailure> {
        let key = self.submit(project, region, job, request)?;
        let state = self.lock();
        let record = state.jobs.jobs.get(&key);
        record.map(JobRecord::json).ok_or_else(|| not_found(&key))
    }

    /// The same as an operation, which is done when the job has ended.
    pub(crate) fn submit_job_as_operation(
        self: &Arc<Self>,
        project: &str,
        region: &str,
        job: &Value,
        request: &str,
    ) -> Result<Value, ApiFailure> {
        let key = self.submit(project, region, job, request)?;
        let now = self.clock.now();
        let mut state = self.lock();
        let record = state.jobs.jobs.get(&key).ok_or_else(|| not_found(&key))?;
        let name = match &record.operation {
            Some(name) => name.clone(),
            None => {
                let (metadata, cluster) = (record.operation_metadata(), record.cluster.clone());
                let name = state.begin_other(&cluster, OperationKind::SubmitJob, metadata, now);
                if let Some(record) = state.jobs.jobs.get_mut(&key) {
                    record.operation = Some(name.clone());
                }
                name
            }
        };
        tell_operation(&mut state, &key, self.clock.now());
        Ok(state.operation(&name))
    }

    fn submit(
        self: &Arc<Self>,
        project: &str,
        region: &str,
        job: &Value,
        request: &str,
    ) -> Result<JobKey, ApiFailure> {
        check_request_id(request)?;
        let mut state = self.lock();
        if state.closed {
            return Err(ApiFailure::new(Code::Internal, "the emulator is stopping"));
        }
        let seen = (project.to_owned(), region.to_owned(), request.to_owned());
        if let Some(key) = state.jobs.requests.get(&seen) {
            return Ok(key.clone());
        }
        let accepted = accept(job, project)?;
        let key = JobKey::new(project, region, &accepted.id);
        if state.jobs.jobs.contains_key(&key) {
            let message = format!("Already exists: Failed to submit job: Job {}", key.name());
            return Err(ApiFailure::new(Code::AlreadyExists, message));
        }
        let cluster = choose_cluster(&state, project, region, &accepted)?;
        let (facts, record) = self.new_record(&mut state, &key, cluster, accepted)?;
        state.jobs.jobs.insert(key.clone(), record);
        if !request.is_empty() {
            state.jobs.requests.insert(seen, key.clone());
        }
        drop(state);
        self.changed.notify_waiters();
        tokio::spawn(Arc::clone(self).run(key.clone(), facts));
        Ok(key)
    }

    fn new_record(
        &self,
        state: &mut State,
        key: &JobKey,
        cluster: ClusterKey,
        accepted: Accepted,
    ) -> Result<(ClusterFacts, JobRecord), ApiFailure> {
        let of = state
            .clusters
            .get(&cluster)
            .ok_or_else(|| cluster.not_found())?;
        let facts = of.facts.clone();
        let bucket = of.resource()["config"]["configBucket"].as_str();
        let bucket = bucket.unwrap_or_default().to_owned();
        state.jobs.count += 1;
        let mut record = JobRecord {
            cluster_uuid: facts.uuid.clone(),
            kind: accepted.kind,
            number: state.jobs.count,
            scheduling: accepted.scheduling,
            failures: Vec::new(),
            stop: watch::Sender::new(Stop::No),
            ended: watch::Sender::new(false),
            operation: None,
            resource: accepted.resource,
            cluster,
        };
        let mut placement = json!({"clusterName": facts.name, "clusterUuid": facts.uuid});
        if !accepted.cluster_labels.is_empty() {
            let labels = accepted.cluster_labels.into_iter();
            placement["clusterLabels"] = labels.map(|(k, v)| (k, json!(v))).collect();
        }
        let resource = &mut record.resource;
        resource.insert("placement".to_owned(), placement);
        resource.insert("jobUuid".to_owned(), json!(Uuid::new_v4().to_string()));
        record.place_output(&bucket, &key.id);
        record.enter("PENDING", None, self.clock.now());
        Ok((facts, record))
    }
}

/// The cluster that a job is for.
fn choose_cluster(
    state: &State,
    project: &str,
    region: &str,
    job: &Accepted,
) -> Result<ClusterKey, ApiFailure> {
    // What the service calls able to take jobs: a cluster that is being changed is.
    let takes_jobs = |state: &str| matches!(state, "RUNNING" | "UPDATING" | "ERROR_DUE_TO_UPDATE");
    if job.cluster.is_empty() {
        let mut fitting = state.clusters.iter().filter(|(key, record)| {
            let labels = &record.facts.labels;
            let has = |(key, value): &(String, String)| labels.get(key) == Some(value);
            key.project == project && key.region == region && job.cluster_labels.iter().all(has)
        });
        let found = fitting.find(|(_, record)| takes_jobs(record.state()));
        return found.map(|(key, _)| key.clone()).ok_or_else(|| {
            ApiFailure::new(
                Code::FailedPrecondition,
                "No running cluster has the labels of the job's placement",
            )
        });
    }
    let key = ClusterKey::new(project, region, &job.cluster);
    let record = state.clusters.get(&key).ok_or_else(|| key.not_found())?;
    if !takes_jobs(record.state()) {
        return Err(ApiFailure::new(
            Code::FailedPrecondition,
            format!(
                "Cluster '{}' is in state {} and can not accept jobs.",
                key.name,
                record.state()
            ),
        ));
    }
    Ok(key)
}
