//! Reads clusters and jobs out of the API's JSON, with enums by name or by number.

use std::collections::BTreeMap;

use flinkproc_core::{ClusterRef, ProjectId, Region};
use serde_json::Value;

use crate::clusters::{Cluster, ClusterState};
use crate::error::{ApiError, Subject};
use crate::jobs::{Job, JobState};

/// The numbers of `google.cloud.dataproc.v1.ClusterStatus.State`, in order.
pub(crate) const CLUSTER_STATES: [&str; 11] = [
    "UNKNOWN",
    "CREATING",
    "RUNNING",
    "ERROR",
    "DELETING",
    "UPDATING",
    "STOPPING",
    "STOPPED",
    "STARTING",
    "ERROR_DUE_TO_UPDATE",
    "REPAIRING",
];

/// The numbers of `google.cloud.dataproc.v1.JobStatus.State`, in order.
pub(crate) const JOB_STATES: [&str; 10] = [
    "STATE_UNSPECIFIED",
    "PENDING",
    "RUNNING",
    "CANCEL_PENDING",
    "CANCELLED",
    "DONE",
    "ERROR",
    "CANCEL_STARTED",
    "SETUP_DONE",
    "ATTEMPT_FAILURE",
];

/// The name of an enum value that came by name or by number.
fn enum_name(value: &Value, names: &[&'static str]) -> Option<String> {
    match value {
        Value::String(name) => Some(name.clone()),
        Value::Number(number) => {
            let index = usize::try_from(number.as_u64()?).ok()?;
            names.get(index).map(|name| (*name).to_owned())
        }
        _ => None,
    }
}

/// Replaces numbers by names in `status` and `statusHistory`, so that a resource reads the same whichever client brought it.
fn name_states(resource: &mut Value, names: &[&'static str]) {
    let name = |status: &mut Value| {
        if let Some(state) = status.get_mut("state")
            && let Some(text) = enum_name(state, names)
        {
            *state = Value::String(text);
        }
    };
    if let Some(status) = resource.get_mut("status") {
        name(status);
    }
    if let Some(history) = resource
        .get_mut("statusHistory")
        .and_then(Value::as_array_mut)
    {
        history.iter_mut().for_each(name);
    }
}

fn text(resource: &Value, pointer: &str) -> Option<String> {
    let text = resource.pointer(pointer)?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}

fn texts(resource: &Value, pointer: &str) -> Vec<String> {
    let array = resource.pointer(pointer).and_then(Value::as_array);
    let texts = array.into_iter().flatten().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}

/// What is left of a resource's URL after the last slash; short names stay as they are.
fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

fn state<T: serde::de::DeserializeOwned>(resource: &Value) -> Option<T> {
    let name = resource.pointer("/status/state")?;
    serde_json::from_value(name.clone()).ok()
}

impl Cluster {
    /// Reads a `Cluster` resource of the v1 API.
    ///
    /// # Errors
    /// [`ApiError::Unreadable`] when its name or UUID is missing or malformed.
    pub fn from_resource(
        project: &ProjectId,
        region: &Region,
        mut resource: Value,
    ) -> Result<Self, ApiError> {
        name_states(&mut resource, &CLUSTER_STATES);
        let unreadable = |message: String| ApiError::Unreadable {
            subject: Subject::List(format!("the clusters of {project} in {region}")),
            message,
        };
        let name = text(&resource, "/clusterName").unwrap_or_default();
        let name = name.parse().map_err(|e| unreadable(format!("{e}")))?;
        let uuid = text(&resource, "/clusterUuid").unwrap_or_default();
        let uuid = uuid.parse().map_err(|e| unreadable(format!("{e}")))?;
        let labels = resource.get("labels").and_then(Value::as_object);
        let labels: BTreeMap<_, _> = labels
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect();
        Ok(Self {
            cluster: ClusterRef {
                project: project.clone(),
                region: region.clone(),
                name,
            },
            uuid,
            state: state(&resource).unwrap_or(ClusterState::Unknown),
            detail: text(&resource, "/status/detail"),
            state_since: text(&resource, "/status/stateStartTime"),
            zone: text(&resource, "/config/gceClusterConfig/zoneUri")
                .and_then(|zone| short(&zone).parse().ok()),
            labels,
            image: text(&resource, "/config/softwareConfig/imageVersion"),
            masters: texts(&resource, "/config/masterConfig/instanceNames"),
            workers: texts(&resource, "/config/workerConfig/instanceNames"),
            config_bucket: text(&resource, "/config/configBucket"),
            resource,
        })
    }
}

impl Job {
    /// Reads a `Job` resource of the v1 API.
    ///
    /// # Errors
    /// [`ApiError::Unreadable`] when its id is missing or malformed.
    pub fn from_resource(mut resource: Value) -> Result<Self, ApiError> {
        name_states(&mut resource, &JOB_STATES);
        let id = text(&resource, "/reference/jobId").unwrap_or_default();
        let id = id.parse().map_err(|e| ApiError::Unreadable {
            subject: Subject::List("a job".to_owned()),
            message: format!("{e}"),
        })?;
        Ok(Self {
            id,
            cluster: text(&resource, "/placement/clusterName").unwrap_or_default(),
            state: state(&resource).unwrap_or(JobState::Unknown),
            detail: text(&resource, "/status/details"),
            driver_output: text(&resource, "/driverOutputResourceUri"),
            resource,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::clusters::{Cluster, ClusterState};
    use crate::jobs::{Job, JobState};

    #[test]
    fn a_cluster_reads_the_same_with_names_and_numbers() {
        let resource = |state: serde_json::Value| {
            json!({
                "clusterName": "batch", "clusterUuid": "00000001-0000-4000-8000-000000000001",
                "status": {"state": state, "detail": "no quota"}, "labels": {"flinkproc": "d1"},
                "config": {
                    "gceClusterConfig": {"zoneUri": "https://www.googleapis.com/compute/v1/projects/my-project/zones/europe-west4-a"},
                    "masterConfig": {"instanceNames": ["batch-m"]}, "configBucket": "staging",
                },
                "aFieldOfTomorrow": [1],
            })
        };
        let read = |state| {
            let project = "my-project".parse().expect("valid");
            let region = "europe-west4".parse().expect("valid");
            Cluster::from_resource(&project, &region, resource(state)).expect("readable")
        };
        let cluster = read(json!(3));
        assert_eq!(cluster, read(json!("ERROR")));
        assert_eq!(cluster.state, ClusterState::Error);
        assert_eq!(cluster.detail.as_deref(), Some("no quota"));
        assert_eq!(
            cluster.zone.map(String::from).as_deref(),
            Some("europe-west4-a")
        );
        assert_eq!(cluster.masters, ["batch-m"]);
        assert_eq!(cluster.resource["aFieldOfTomorrow"], json!([1]));
        assert_eq!(read(json!("HIBERNATING")).state, ClusterState::Unknown);
        assert_eq!(read(json!(4711)).state, ClusterState::Unknown);
    }

    #[test]
    fn every_state_number_has_a_name_that_is_known() {
        for (names, known) in [
            (&super::CLUSTER_STATES[1..], true),
            (&super::JOB_STATES[1..], false),
        ] {
            for name in names {
                let value = json!(name);
                let understood = match known {
                    true => serde_json::from_value::<ClusterState>(value).is_ok(),
                    false => serde_json::from_value::<JobState>(value).is_ok(),
                };
                assert!(understood, "{name}");
            }
        }
    }

    #[test]
    fn a_job_without_an_id_is_unreadable() {
        assert!(Job::from_resource(json!({"status": {"state": 5}})).is_err());
        let job = Job::from_resource(json!({
            "reference": {"jobId": "j1"}, "placement": {"clusterName": "batch"}, "status": {"state": 5},
            "driverOutputResourceUri": "gs://b/driveroutput",
        }));
        let job = job.expect("readable");
        assert_eq!((job.state, job.cluster.as_str()), (JobState::Done, "batch"));
    }
}
