//! The calls of Dataproc's `projects.regions.jobs`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::clusters::read_json;
use crate::failure::{ApiFailure, Code};
use crate::listing::{ListQuery, page};
use crate::schema::{canonical, snake};
use crate::service::Service;

mod accept;
mod output;
mod query;
mod record;
mod restart;
mod run;
mod submit;

use accept::check_labels;
use query::JobFilter;
pub(crate) use record::{JobKey, Jobs};
pub(crate) use run::not_found;

type InRegion = Path<(String, String)>;
type ByName = Path<(String, String, String)>;

/// `POST …/jobs:submit`
pub(crate) async fn submit(
    State(service): State<Arc<Service>>,
    Path((project, region)): InRegion,
    body: Bytes,
) -> Result<Json<Value>, ApiFailure> {
    let (job, request) = read_submission(&body, &project, &region)?;
    let job = service.submit_job(&project, &region, &job, &request)?;
    Ok(Json(job))
}

/// `POST …/jobs:submitAsOperation`
pub(crate) async fn submit_as_operation(
    State(service): State<Arc<Service>>,
    Path((project, region)): InRegion,
    body: Bytes,
) -> Result<Json<Value>, ApiFailure> {
    let (job, request) = read_submission(&body, &project, &region)?;
    let operation = service.submit_job_as_operation(&project, &region, &job, &request)?;
    Ok(Json(operation))
}

/// The job and the request id of a `SubmitJobRequest`.
fn read_submission(
    body: &Bytes,
    project: &str,
    region: &str,
) -> Result<(Value, String), ApiFailure> {
    let body = read_json(body)?;
    let Value::Object(fields) = body else {
        return Err(ApiFailure::invalid(
            "Invalid JSON payload received. Expected an object",
        ));
    };
    let (mut job, mut request) = (Value::Null, String::new());
    for (name, value) in fields {
        let text = value.as_str().map(str::to_owned);
        let of_path = |expected: &str| match &text {
            Some(text) if text == expected => Ok(()),
            _ => Err(ApiFailure::invalid_field(
                &snake(&name),
                format!("Invalid value at '{}': not that of the path", snake(&name)),
            )),
        };
        match (snake(&name).as_str(), value) {
            ("job", value) => job = value,
            (_, Value::Null) => {}
            ("request_id", value) => {
                request = text.ok_or_else(|| {
                    ApiFailure::invalid_field(
                        "request_id",
                        format!("Invalid value at 'request_id' (text), {value}"),
                    )
                })?;
            }
            ("project_id", _) => of_path(project)?,
            ("region", _) => of_path(region)?,
            _ => {
                return Err(ApiFailure::invalid(format!(
                    "Invalid JSON payload received. Unknown name \"{name}\": Cannot find field."
                )));
            }
        }
    }
    if job.is_null() {
        return Err(ApiFailure::invalid_field("job", "Job is required"));
    }
    Ok((job, request))
}

/// `GET …/jobs/ID`
pub(crate) async fn get(
    State(service): State<Arc<Service>>,
    Path((project, region, id)): ByName,
) -> Result<Json<Value>, ApiFailure> {
    let key = JobKey::new(&project, &region, &id);
    let state = service.lock();
    let job = state.jobs.jobs.get(&key).ok_or_else(|| not_found(&key))?;
    Ok(Json(job.json()))
}

/// What a list call says beside its paging.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct JobsQuery {
    #[serde(alias = "cluster_name")]
    cluster_name: String,
    #[serde(alias = "job_state_matcher")]
    job_state_matcher: String,
}

/// `GET …/jobs`: the newest first.
pub(crate) async fn list(
    State(service): State<Arc<Service>>,
    Path((project, region)): InRegion,
    Query(query): Query<ListQuery>,
    Query(which): Query<JobsQuery>,
) -> Result<Json<Value>, ApiFailure> {
    let filter = JobFilter::parse(&query.filter, &which.job_state_matcher)?;
    let state = service.lock();
    let mut fitting: Vec<_> = state
        .jobs
        .jobs
        .iter()
        .filter(|(key, _)| key.project == project && key.region == region)
        .map(|(_, job)| job)
        .filter(|job| which.cluster_name.is_empty() || job.cluster.name == which.cluster_name)
        .filter(|job| filter.fits(&job.resource))
        .collect();
    fitting.sort_by_key(|job| std::cmp::Reverse(job.number));
    let keyed = |job: &_| {
        let job: &record::JobRecord = job;
        (format!("{:020}", u64::MAX - job.number), job.json())
    };
    Ok(Json(page("jobs", fitting.into_iter().map(keyed), &query)?))
}

/// The query of a call that changes a job.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ChangeQuery {
    #[serde(alias = "update_mask")]
    update_mask: String,
}

/// `PATCH …/jobs/ID`: labels, which is all that the service lets change.
pub(crate) async fn update(
    State(service): State<Arc<Service>>,
    Path((project, region, id)): ByName,
    Query(query): Query<ChangeQuery>,
    body: Bytes,
) -> Result<Json<Value>, ApiFailure> {
    let key = JobKey::new(&project, &region, &id);
    let change = canonical(record::MESSAGE, &read_json(&body)?, "job")?;
    check_labels(&change)?;
    let mut state = service.lock();
    let job = state.jobs.jobs.get_mut(&key);
    let job = job.ok_or_else(|| not_found(&key))?;
    let paths = query.update_mask.split(',').map(str::trim);
    let paths: Vec<&str> = paths.filter(|path| !path.is_empty()).collect();
    if paths.is_empty() {
        return Err(ApiFailure::invalid_field(
            "update_mask",
            "Update mask must not be empty",
        ));
    }
    if let Some(other) = paths.iter().find(|path| !is_labels(path)) {
        return Err(ApiFailure::invalid_field(
            "update_mask",
            format!("Invalid update mask: the field '{other}' can not be updated"),
        ));
    }
    for path in paths {
        change_labels(&mut job.resource, &change, path);
    }
    check_labels(&job.resource)?;
    Ok(Json(job.json()))
}

fn is_labels(path: &str) -> bool {
    path == "labels"
        || path
            .strip_prefix("labels.")
            .is_some_and(|key| !key.is_empty())
}

/// Copies all labels, or the one that the path names; what is not there is taken away.
fn change_labels(resource: &mut Map<String, Value>, change: &Map<String, Value>, path: &str) {
    let new = change.get("labels");
    let Some(key) = path.strip_prefix("labels.") else {
        match new {
            Some(labels) => resource.insert("labels".to_owned(), labels.clone()),
            None => resource.remove("labels"),
        };
        return;
    };
    let labels = resource.entry("labels").or_insert_with(|| json!({}));
    if let Some(labels) = labels.as_object_mut() {
        match new.and_then(|labels| labels.get(key)) {
            Some(value) => labels.insert(key.to_owned(), value.clone()),
            None => labels.remove(key),
        };
    }
}

/// `DELETE …/jobs/ID`: forgets a job that has ended.
pub(crate) async fn delete(
    State(service): State<Arc<Service>>,
    Path((project, region, id)): ByName,
) -> Result<Json<Value>, ApiFailure> {
    let key = JobKey::new(&project, &region, &id);
    let mut state = service.lock();
    let job = state.jobs.jobs.get(&key).ok_or_else(|| not_found(&key))?;
    if !job.has_ended() {
        return Err(ApiFailure::new(
            Code::FailedPrecondition,
            format!(
                "Job {} can not be deleted in state {}",
                key.name(),
                job.state()
            ),
        ));
    }
    state.jobs.jobs.remove(&key);
    state.jobs.requests.retain(|_, made| *made != key);
    Ok(Json(json!({})))
}

/// `POST …/jobs/ID:cancel`
pub(crate) async fn act(
    State(service): State<Arc<Service>>,
    Path((project, region, id)): ByName,
    body: Bytes,
) -> Result<Json<Value>, ApiFailure> {
    let (id, verb) = id.rsplit_once(':').unwrap_or((&id, ""));
    if verb != "cancel" {
        return Err(ApiFailure::not_emulated(&format!("the job call ':{verb}'")));
    }
    // A `CancelJobRequest` repeats the path and says no more.
    if let Value::Object(fields) = read_json(&body)?
        && let Some(other) = fields
            .keys()
            .find(|key| !matches!(snake(key).as_str(), "project_id" | "region" | "job_id"))
    {
        return Err(ApiFailure::invalid(format!(
            "Invalid JSON payload received. Unknown name \"{other}\": Cannot find field."
        )));
    }
    let key = JobKey::new(&project, &region, id);
    Ok(Json(service.cancel_job(&key)?))
}
