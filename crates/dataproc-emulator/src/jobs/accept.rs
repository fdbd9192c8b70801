//! The `Job` of a request: what of it is refused, and what of it is kept.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::failure::ApiFailure;
use crate::jobs::record::MESSAGE;
use crate::jobs::restart::Scheduling;
use crate::resource::checked_labels;
use crate::schema::{canonical, duration_millis, snake};

/// Types of job that can run here; `pyflinkJob` is what gcloud's hidden command sends.
const RUNNABLE: &[&str] = &[
    "pigJob",
    "pysparkJob",
    "hadoopJob",
    "flinkJob",
    "pyflinkJob",
];
/// Types that the real service knows beside them.
const OTHERS: &[&str] = &[
    "sparkJob",
    "hiveJob",
    "sparkRJob",
    "sparkSqlJob",
    "prestoJob",
    "trinoJob",
];
const MAX_LABELS: usize = 32;

/// A job that has passed all checks but those of its cluster.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) resource: Map<String, Value>,
    pub(crate) id: String,
    /// The field that holds its type, such as `pigJob`.
    pub(crate) kind: &'static str,
    /// The cluster's name; empty when labels choose it.
    pub(crate) cluster: String,
    pub(crate) cluster_labels: Vec<(String, String)>,
    pub(crate) scheduling: Scheduling,
}

/// Checks the `Job` of a submit request.
pub(crate) fn accept(body: &Value, project: &str) -> Result<Accepted, ApiFailure> {
    let mut resource = canonical(MESSAGE, body, "job")?;
    for output_only in [
        "status",
        "statusHistory",
        "yarnApplications",
        "driverOutputResourceUri",
        "driverControlFilesUri",
        "jobUuid",
        "done",
    ] {
        resource.remove(output_only);
    }
    let kind = checked_kind(&resource)?;
    check_type(kind, &resource[kind])?;
    let id = checked_reference(resource.get("reference"), project)?;
    check_labels(&resource)?;
    let scheduling = checked_scheduling(resource.get("scheduling"))?;
    let placement = resource.get("placement").cloned().unwrap_or_default();
    let cluster = placement["clusterName"].as_str().unwrap_or_default();
    let labels = placement["clusterLabels"].as_object();
    let cluster_labels: Vec<_> = labels
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect();
    if cluster.is_empty() && cluster_labels.is_empty() {
        return Err(ApiFailure::invalid_field(
            "job.placement.cluster_name",
            "Cluster name is required",
        ));
    }
    let reference = json!({"projectId": project, "jobId": id});
    resource.insert("reference".to_owned(), reference);
    Ok(Accepted {
        id,
        kind,
        cluster: cluster.to_owned(),
        cluster_labels,
        scheduling,
        resource,
    })
}

fn checked_kind(resource: &Map<String, Value>) -> Result<&'static str, ApiFailure> {
    let said = |kind: &&&'static str| resource.contains_key(**kind);
    let said: Vec<&'static str> = RUNNABLE
        .iter()
        .chain(OTHERS)
        .filter(said)
        .copied()
        .collect();
    match said.as_slice() {
        [] => Err(ApiFailure::invalid_field(
            "job",
            "Job must specify exactly one job type",
        )),
        [one] if OTHERS.contains(one) => Err(ApiFailure::not_emulated(&format!(
            "a job of the type {one}"
        ))),
        [one] => Ok(one),
        [_, second, ..] => Err(ApiFailure::invalid_field(
            "job",
            format!(
                "Invalid value at 'job' (oneof), oneof field 'type_job' is already set. Cannot set '{second}'"
            ),
        )),
    }
}

/// Checks what each type needs.
fn check_type(kind: &str, job: &Value) -> Result<(), ApiFailure> {
    let said = |field: &str| job[field].as_str().is_some_and(|text| !text.is_empty());
    let field = |name: &str| format!("job.{}.{name}", snake(kind));
    let one_of = |a: &str, b: &str, names: (&str, &str), oneof: &str| match (said(a), said(b)) {
        (true, true) => Err(ApiFailure::invalid_field(
            &field(names.1),
            format!("oneof field '{oneof}' is already set. Cannot set '{b}'"),
        )),
        (false, false) => Err(ApiFailure::invalid_field(
            &field(names.0),
            format!("One of {} and {} must be specified", names.0, names.1),
        )),
        _ => Ok(()),
    };
    match kind {
        "pigJob" => {
            let list = &job["queryList"];
            let queries = list["queries"].as_array().map_or(0, Vec::len);
            match (said("queryFileUri"), list.is_object(), queries) {
                (true, true, _) => Err(ApiFailure::invalid_field(
                    &field("query_list"),
                    "oneof field 'queries' is already set. Cannot set 'queryList'",
                )),
                (false, _, 0) => Err(ApiFailure::invalid_field(
                    &field("query_list"),
                    "One of query_file_uri and query_list with at least one query must be specified",
                )),
                _ => Ok(()),
            }
        }
        "pysparkJob" if !said("mainPythonFileUri") => Err(ApiFailure::invalid_field(
            &field("main_python_file_uri"),
            "main_python_file_uri is required",
        )),
        "hadoopJob" | "flinkJob" => one_of(
            "mainJarFileUri",
            "mainClass",
            ("main_jar_file_uri", "main_class"),
            "driver",
        ),
        "pyflinkJob" if !said("mainPythonFileUri") && !said("pythonModule") => {
            Err(ApiFailure::invalid_field(
                &field("main_python_file_uri"),
                "One of main_python_file_uri and python_module must be specified",
            ))
        }
        _ => Ok(()),
    }
}

/// The job's id: the client's, or a new one.
fn checked_reference(reference: Option<&Value>, project: &str) -> Result<String, ApiFailure> {
    let text = |key: &str| {
        let value = reference.and_then(|reference| reference[key].as_str());
        value.filter(|text| !text.is_empty())
    };
    if let Some(other) = text("projectId").filter(|other| *other != project) {
        return Err(ApiFailure::invalid_field(
            "job.reference.project_id",
            format!("Project id '{other}' does not match the project '{project}' of the request"),
        ));
    }
    let Some(id) = text("jobId") else {
        return Ok(Uuid::new_v4().to_string());
    };
    let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if id.len() > 100 || !id.bytes().all(inner) {
        return Err(ApiFailure::invalid_field(
            "job.reference.job_id",
            format!(
                "Invalid job id '{id}': it must contain only letters, numbers, underscores and hyphens, at most 100"
            ),
        ));
    }
    Ok(id.to_owned())
}

/// Checks labels as Google's label rules and the limit of jobs say.
pub(crate) fn check_labels(resource: &Map<String, Value>) -> Result<(), ApiFailure> {
    let labels = checked_labels(resource)
        .map_err(|failure| ApiFailure::invalid_field("job.labels", failure.message))?;
    if labels.len() > MAX_LABELS {
        return Err(ApiFailure::invalid_field(
            "job.labels",
            format!("Too many labels: {} of {MAX_LABELS} allowed", labels.len()),
        ));
    }
    Ok(())
}

fn checked_scheduling(scheduling: Option<&Value>) -> Result<Scheduling, ApiFailure> {
    const MINUTE: i64 = 60_000;
    let number = |key: &str, field: &str, most: u32| {
        let asked = scheduling.and_then(|scheduling| scheduling[key].as_i64());
        let asked = asked.unwrap_or_default();
        u32::try_from(asked)
            .ok()
            .filter(|number| *number <= most)
            .ok_or_else(|| {
                ApiFailure::invalid_field(
                    &format!("job.scheduling.{field}"),
                    format!("Invalid value {asked} of {field}: must be between 0 and {most}"),
                )
            })
    };
    let ttl = scheduling.and_then(|scheduling| scheduling["ttl"].as_str());
    let ttl_millis = ttl.and_then(duration_millis);
    if ttl_millis.is_some_and(|ttl| !(10 * MINUTE..=14 * 24 * 60 * MINUTE).contains(&ttl)) {
        return Err(ApiFailure::invalid_field(
            "job.scheduling.ttl",
            format!(
                "Invalid value '{}' of ttl: must be between 10 minutes and 14 days",
                ttl.unwrap_or_default()
            ),
        ));
    }
    Ok(Scheduling {
        per_hour: number("maxFailuresPerHour", "max_failures_per_hour", 10)?,
        total: number("maxFailuresTotal", "max_failures_total", 240)?,
        ttl_millis,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::accept;

    fn check(change: &Value, expected: &str) {
        let mut body = json!({
            "reference": {"projectId": "p", "jobId": "a_1"},
            "placement": {"clusterName": "c"},
            "pigJob": {"queryList": {"queries": ["sh ls;"]}},
        });
        if let (Some(body), Some(change)) = (body.as_object_mut(), change.as_object()) {
            body.extend(change.clone());
        }
        let got = match accept(&body, "p") {
            Ok(accepted) => format!("{} {}", accepted.kind, accepted.id),
            Err(failure) => failure.message,
        };
        assert!(got.contains(expected), "{change}: {got}");
    }

    #[test]
    fn what_no_job_can_be_is_refused_by_name() {
        let nothing = json!({});
        let other_type = |kind: &str, job: Value| json!({"pigJob": null, kind: job});
        check(&nothing, "pigJob a_1");
        check(&json!({"pigJob": null}), "exactly one job type");
        check(
            &json!({"flinkJob": {"mainClass": "A"}}),
            "'type_job' is already set",
        );
        check(&json!({"pigJob": {}}), "at least one query");
        check(
            &json!({"pigJob": {"queryList": {"queries": []}}}),
            "at least one query",
        );
        check(&json!({"pigJob": {"queryFileUri": "gs://b/q"}}), "pigJob");
        check(
            &json!({"pigJob": {"queryFileUri": "gs://b/q", "queryList": {"queries": ["a"]}}}),
            "'queries' is already set",
        );
        check(
            &json!({"pigJob": {"query": "a"}}),
            "Unknown name \"query\" at 'job.pig_job'",
        );
        check(&other_type("hiveJob", json!({})), "not emulated");
        check(
            &other_type("pysparkJob", json!({})),
            "main_python_file_uri is required",
        );
        check(
            &other_type("hadoopJob", json!({"args": ["a"]})),
            "must be specified",
        );
        check(
            &other_type(
                "hadoopJob",
                json!({"mainClass": "A", "mainJarFileUri": "gs://b/j"}),
            ),
            "'driver' is already set",
        );
        check(
            &other_type("flinkJob", json!({"mainClass": "A"})),
            "flinkJob",
        );
        check(
            &other_type("pyflinkJob", json!({"pythonModule": "a"})),
            "pyflinkJob",
        );
        check(
            &other_type("pyflinkJob", json!({})),
            "python_module must be specified",
        );
        check(
            &other_type(
                "flinkJob",
                json!({"mainClass": "A", "loggingConfig": {"driverLogLevels": {"root": "LOUD"}}}),
            ),
            "one of the enum's values",
        );
        check(
            &json!({"reference": {"projectId": "other"}}),
            "does not match",
        );
        check(&json!({"reference": {"jobId": "a.b"}}), "Invalid job id");
        check(
            &json!({"reference": {"jobId": "a".repeat(101)}}),
            "Invalid job id",
        );
        check(&json!({"placement": {}}), "Cluster name is required");
        check(&json!({"labels": {"A": "b"}}), "Invalid label");
        check(
            &json!({"scheduling": {"maxFailuresPerHour": 11}}),
            "between 0 and 10",
        );
        check(
            &json!({"scheduling": {"maxFailuresTotal": -1}}),
            "between 0 and 240",
        );
        check(
            &json!({"scheduling": {"ttl": "599s"}}),
            "10 minutes and 14 days",
        );
        check(
            &json!({"nonsense": 1}),
            "Unknown name \"nonsense\" at 'job'",
        );
        check(&json!("text"), "pigJob");
    }
}
