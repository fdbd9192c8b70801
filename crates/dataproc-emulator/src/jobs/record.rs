//! One job: its resource, its states, and how it is told to end.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use crate::jobs::restart::Scheduling;
use crate::runtime::JobFacts;
use crate::service::ClusterKey;

/// What the API calls a job.
pub(crate) const MESSAGE: &str = "Job";

/// Names a job.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct JobKey {
    pub(crate) project: String,
    pub(crate) region: String,
    pub(crate) id: String,
}

impl JobKey {
    pub(crate) fn new(project: &str, region: &str, id: &str) -> Self {
        Self {
            project: project.to_owned(),
            region: region.to_owned(),
            id: id.to_owned(),
        }
    }

    pub(crate) fn name(&self) -> String {
        let Self {
            project,
            region,
            id,
        } = self;
        format!("projects/{project}/regions/{region}/jobs/{id}")
    }
}

/// Every job, and the requests that have made them.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    pub(crate) jobs: BTreeMap<JobKey, JobRecord>,
    /// Project, region and request id: the job that it made.
    pub(crate) requests: HashMap<(String, String, String), JobKey>,
    /// How many there have been.
    pub(crate) count: u64,
}

impl Jobs {
    /// Whether a job of this cluster has not ended.
    pub(crate) fn is_busy(&self, cluster_uuid: &str) -> bool {
        let of_cluster = |job: &&JobRecord| job.cluster_uuid == cluster_uuid;
        self.jobs
            .values()
            .filter(of_cluster)
            .any(|job| !job.has_ended())
    }
}

/// How a job is to end before its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    No,
    /// Its driver is asked to end.
    Cancel,
    /// Its cluster goes, or it has run for too long: its driver is ended at once.
    Kill {
        state: &'static str,
        details: String,
    },
}

/// One job.
#[derive(Debug)]
pub(crate) struct JobRecord {
    pub(crate) cluster: ClusterKey,
    pub(crate) cluster_uuid: String,
    pub(crate) kind: &'static str,
    /// Its place in the order of all jobs.
    pub(crate) number: u64,
    pub(crate) scheduling: Scheduling,
    pub(crate) failures: Vec<Timestamp>,
    pub(crate) stop: watch::Sender<Stop>,
    /// Whether nothing of it goes on any more.
    pub(crate) ended: watch::Sender<bool>,
    /// The operation that it was submitted as.
    pub(crate) operation: Option<String>,
    pub(crate) resource: Map<String, Value>,
}

impl JobRecord {
    /// The state's name.
    pub(crate) fn state(&self) -> &str {
        self.resource["status"]["state"]
            .as_str()
            .unwrap_or_default()
    }

    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.state(), "DONE" | "ERROR" | "CANCELLED")
    }

    /// The resource as the API answers it.
    pub(crate) fn json(&self) -> Value {
        Value::Object(self.resource.clone())
    }

    /// What the runtime is told of it.
    pub(crate) fn facts(&self, id: &str) -> JobFacts {
        JobFacts::new(id, self.kind, self.json())
    }

    /// Enters a state; the one before goes into the history.
    pub(crate) fn enter(&mut self, state: &str, details: Option<&str>, now: Timestamp) {
        let mut status = json!({"state": state, "stateStartTime": now.to_string()});
        if let Some(details) = details.filter(|details| !details.is_empty()) {
            status["details"] = json!(details);
        }
        if let Some(before) = self.resource.insert("status".to_owned(), status) {
            let history = self.resource.entry("statusHistory").or_insert(json!([]));
            if let Some(history) = history.as_array_mut() {
                history.push(before);
            }
        }
        if self.has_ended() {
            self.resource.insert("done".to_owned(), json!(true));
        }
    }

    /// Where the driver's output goes from now on.
    ///
    /// That the place changes with each attempt is seen from gcloud; its name after the first attempt is ours.
    pub(crate) fn place_output(&mut self, bucket: &str, id: &str) {
        let uuid = &self.cluster_uuid;
        let control = format!("gs://{bucket}/google-cloud-dataproc-metainfo/{uuid}/jobs/{id}/");
        let output = match self.failures.len() {
            0 => format!("{control}driveroutput"),
            failed => format!("{control}attempt-{}/driveroutput", failed + 1),
        };
        self.resource
            .insert("driverOutputResourceUri".to_owned(), json!(output));
        self.resource
            .insert("driverControlFilesUri".to_owned(), json!(control));
    }

    pub(crate) fn output_uri(&self) -> String {
        let uri = self.resource.get("driverOutputResourceUri");
        uri.and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// The metadata of the operation that it was submitted as.
    pub(crate) fn operation_metadata(&self) -> Value {
        let history = self.resource.get("statusHistory");
        let first = history.and_then(|history| history.get(0));
        let first = first.unwrap_or(&self.resource["status"]);
        json!({
            "@type": "type.googleapis.com/google.cloud.dataproc.v1.JobMetadata",
            "jobId": self.resource["reference"]["jobId"],
            "status": self.resource["status"],
            "operationType": "SUBMIT_JOB",
            "startTime": first["stateStartTime"],
        })
    }
}
