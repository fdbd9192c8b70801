//! Long-running operations: their values, and the calls that read, list, cancel and forget them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::failure::{ApiFailure, Code};
use crate::filter::Filter;
use crate::listing::{ListQuery, page};
use crate::service::Service;

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum OperationKind {
    Create,
    Update,
    Delete,
    Stop,
    Start,
    Diagnose,
    SubmitJob,
    Workflow,
}

impl OperationKind {
    /// The service's word for it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Stop => "STOP",
            Self::Start => "START",
            Self::Diagnose => "DIAGNOSE",
            Self::SubmitJob => "SUBMIT_JOB",
            Self::Workflow => "WORKFLOW",
        }
    }
}

/// One operation.
#[derive(Debug)]
pub(crate) struct OperationRecord {
    /// `projects/P/regions/R/operations/ID`.
    pub(crate) name: String,
    pub(crate) kind: OperationKind,
    pub(crate) cluster_name: String,
    pub(crate) cluster_uuid: String,
    pub(crate) labels: Value,
    pub(crate) description: String,
    pub(crate) warnings: Vec<String>,
    pub(crate) since: Timestamp,
    pub(crate) begun: Timestamp,
    /// Metadata of another type than a cluster's, with its `@type`; whoever began the operation keeps it current.
    pub(crate) metadata: Option<Value>,
    /// Rung when somebody asks for its end.
    pub(crate) cancel: Arc<Notify>,
    /// The response, or a `google.rpc.Status`; `None` while it runs.
    pub(crate) end: Option<Result<Value, (Code, String)>>,
}

impl OperationRecord {
    /// The operation as the API answers it.
    pub(crate) fn json(&self) -> Value {
        let metadata = match &self.metadata {
            Some(metadata) => metadata.clone(),
            None => self.cluster_metadata(),
        };
        let mut operation = json!({"name": self.name, "metadata": metadata});
        match &self.end {
            None => {}
            Some(Ok(response)) => {
                operation["done"] = json!(true);
                operation["response"] = response.clone();
            }
            Some(Err((code, message))) => {
                operation["done"] = json!(true);
                operation["error"] = json!({"code": code.number(), "message": message});
            }
        }
        operation
    }

    fn cluster_metadata(&self) -> Value {
        let pending = json!({"state": "PENDING", "innerState": "PENDING", "stateStartTime": self.begun.to_string()});
        let running = json!({"state": "RUNNING", "innerState": "RUNNING", "stateStartTime": self.begun.to_string()});
        let done = json!({"state": "DONE", "innerState": "DONE", "stateStartTime": self.since.to_string()});
        let (status, history) = match self.end {
            None => (running, json!([pending])),
            Some(_) => (done, json!([pending, running])),
        };
        let mut metadata = json!({
            "@type": "type.googleapis.com/google.cloud.dataproc.v1.ClusterOperationMetadata",
            "clusterName": self.cluster_name,
            "clusterUuid": self.cluster_uuid,
            "status": status,
            "statusHistory": history,
            "operationType": self.kind.name(),
            "description": self.description,
            "labels": self.labels,
        });
        if !self.warnings.is_empty() {
            metadata["warnings"] = json!(self.warnings);
        }
        metadata
    }
}

/// The response of an operation that leaves nothing.
pub(crate) fn empty_response() -> Value {
    json!({"@type": "type.googleapis.com/google.protobuf.Empty"})
}

/// The response of an operation that leaves a cluster.
pub(crate) fn cluster_response(cluster: &Value) -> Value {
    typed("Cluster", cluster)
}

/// The response of an operation that leaves a job.
pub(crate) fn job_response(job: &Value) -> Value {
    typed("Job", job)
}

fn typed(message: &str, resource: &Value) -> Value {
    let kind = format!("type.googleapis.com/google.cloud.dataproc.v1.{message}");
    let mut response = json!({"@type": kind});
    if let (Some(response), Some(fields)) = (response.as_object_mut(), resource.as_object()) {
        response.extend(fields.clone());
    }
    response
}

type ByName = Path<(String, String, String)>;

fn full_name(project: &str, region: &str, id: &str) -> String {
    format!("projects/{project}/regions/{region}/operations/{id}")
}

fn not_found(name: &str) -> ApiFailure {
    ApiFailure::new(Code::NotFound, format!("Operation not found: {name}"))
}

/// `GET …/operations/ID`
pub(crate) async fn get(
    State(service): State<Arc<Service>>,
    Path((project, region, id)): ByName,
) -> Result<Json<Value>, ApiFailure> {
    let name = full_name(&project, &region, &id);
    let state = service.lock();
    let operation = state
        .operations
        .get(&name)
        .ok_or_else(|| not_found(&name))?;
    Ok(Json(operation.json()))
}

/// `GET …/operations`
pub(crate) async fn list(
    State(service): State<Arc<Service>>,
    Path((project, region)): Path<(String, String)>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Value>, ApiFailure> {
    let filter = Filter::parse(&query.filter)?;
    let prefix = full_name(&project, &region, "");
    let state = service.lock();
    let fitting = state
        .operations
        .values()
        .filter(|operation| operation.name.starts_with(&prefix))
        .map(|operation| (operation.name.clone(), operation.json()))
        .filter(|(_, operation)| filter.fits(&operation["metadata"]));
    Ok(Json(page("operations", fitting, &query)?))
}

/// `DELETE …/operations/ID`: forgets it; what it does goes on.
pub(crate) async fn delete(
    State(service): State<Arc<Service>>,
    Path((project, region, id)): ByName,
) -> Result<Json<Value>, ApiFailure> {
    let name = full_name(&project, &region, &id);
    let mut state = service.lock();
    match state.operations.get(&name).map(|o| o.end.is_some()) {
        None => Err(not_found(&name)),
        Some(false) => Err(ApiFailure::new(
            Code::FailedPrecondition,
            format!("Operation {name} is not done"),
        )),
        Some(true) => {
            state.operations.remove(&name);
            Ok(Json(json!({})))
        }
    }
}

/// `POST …/operations/ID:cancel`
pub(crate) async fn act(
    State(service): State<Arc<Service>>,
    Path((project, region, id)): ByName,
) -> Response {
    let Some(id) = id.strip_suffix(":cancel") else {
        return ApiFailure::not_emulated(&format!("the operation call {id}")).into_response();
    };
    let name = full_name(&project, &region, id);
    match service.cancel_operation(&name) {
        Ok(true) => Json(json!({})).into_response(),
        Ok(false) => not_found(&name).into_response(),
        Err(failure) => failure.into_response(),
    }
}
