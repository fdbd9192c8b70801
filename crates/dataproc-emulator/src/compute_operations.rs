//! Operations of Compute Engine: begun by what changes metadata, read, waited for, listed and forgotten.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::clock::real_sleep;
use crate::compute::{InZone, base, not_found};
use crate::compute_list::{ComputeQuery, list};
use crate::failure::ApiFailure;
use crate::machines::number;
use crate::service::Service;

/// How long `wait` waits for an operation.
const WAIT: Duration = Duration::from_secs(120);

/// An operation of Compute Engine.
#[derive(Debug)]
pub(crate) struct ComputeOperation {
    path: String,
    kind: &'static str,
    target: String,
    begun: Timestamp,
    ended: Option<Timestamp>,
}

impl ComputeOperation {
    fn json(&self, base: &str) -> Value {
        let (place, name) = self.path.rsplit_once("/operations/").unwrap_or_default();
        let mut operation = json!({
            "kind": "compute#operation",
            "id": number(&self.path).to_string(),
            "name": name,
            "operationType": self.kind,
            "targetLink": format!("{base}/{}", self.target),
            "targetId": number(&self.target).to_string(),
            "status": if self.ended.is_some() { "DONE" } else { "RUNNING" },
            "progress": if self.ended.is_some() { 100 } else { 0 },
            "insertTime": self.begun.to_string(),
            "startTime": self.begun.to_string(),
            "selfLink": format!("{base}/{}", self.path),
        });
        if let Some((_, zone)) = place.rsplit_once("/zones/") {
            operation["zone"] = json!(format!("{base}/{place}"));
            tracing::trace!(zone, "an operation of a zone");
        }
        if let Some(ended) = self.ended {
            operation["endTime"] = json!(ended.to_string());
        }
        operation
    }
}

/// `GET …/zones/ZONE/operations/NAME`
pub(crate) async fn zone_operation(
    State(service): State<Arc<Service>>,
    Path((project, zone, name)): InZone,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiFailure> {
    let path = format!("projects/{project}/zones/{zone}/operations/{name}");
    service.compute_operation(&path, &base(&headers)).map(Json)
}

/// `POST …/zones/ZONE/operations/NAME/wait`
pub(crate) async fn wait_zone_operation(
    State(service): State<Arc<Service>>,
    Path((project, zone, name)): InZone,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiFailure> {
    let path = format!("projects/{project}/zones/{zone}/operations/{name}");
    service.wait_compute(&path, &base(&headers)).await.map(Json)
}

/// `GET …/global/operations/NAME`
pub(crate) async fn global_operation(
    State(service): State<Arc<Service>>,
    Path((project, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiFailure> {
    let path = format!("projects/{project}/global/operations/{name}");
    service.compute_operation(&path, &base(&headers)).map(Json)
}

/// `POST …/global/operations/NAME/wait`
pub(crate) async fn wait_global_operation(
    State(service): State<Arc<Service>>,
    Path((project, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiFailure> {
    let path = format!("projects/{project}/global/operations/{name}");
    service.wait_compute(&path, &base(&headers)).await.map(Json)
}

/// `GET …/zones/ZONE/operations`
pub(crate) async fn zone_operations(
    State(service): State<Arc<Service>>,
    Path((project, zone)): Path<(String, String)>,
    Query(query): Query<ComputeQuery>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiFailure> {
    let place = format!("projects/{project}/zones/{zone}");
    service.operations_of(&place, &query, &base(&headers))
}

/// `GET …/projects/PROJECT/aggregated/operations`: by zone, and the global ones.
pub(crate) async fn all_operations(
    State(service): State<Arc<Service>>,
    Path(project): Path<String>,
    Query(query): Query<ComputeQuery>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiFailure> {
    let place = format!("projects/{project}");
    let Json(mut answer) = service.operations_of(&place, &query, &base(&headers))?;
    answer["kind"] = json!("compute#operationAggregatedList");
    let mut places = Map::new();
    for operation in answer["items"].as_array().into_iter().flatten() {
        let zone = operation["zone"].as_str();
        let zone = zone.and_then(|zone| zone.rsplit('/').next());
        let place = zone.map_or("global".to_owned(), |zone| format!("zones/{zone}"));
        let place = places
            .entry(place)
            .or_insert_with(|| json!({"operations": []}));
        if let Some(operations) = place["operations"].as_array_mut() {
            operations.push(operation.clone());
        }
    }
    answer["items"] = Value::Object(places);
    Ok(Json(answer))
}

/// `GET …/global/operations`
pub(crate) async fn global_operations(
    State(service): State<Arc<Service>>,
    Path(project): Path<String>,
    Query(query): Query<ComputeQuery>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiFailure> {
    let place = format!("projects/{project}/global");
    service.operations_of(&place, &query, &base(&headers))
}

/// `DELETE …/zones/ZONE/operations/NAME`
pub(crate) async fn delete_zone_operation(
    State(service): State<Arc<Service>>,
    Path((project, zone, name)): InZone,
) -> Result<StatusCode, ApiFailure> {
    service.forget(&format!(
        "projects/{project}/zones/{zone}/operations/{name}"
    ))
}

/// `DELETE …/global/operations/NAME`
pub(crate) async fn delete_global_operation(
    State(service): State<Arc<Service>>,
    Path((project, name)): Path<(String, String)>,
) -> Result<StatusCode, ApiFailure> {
    service.forget(&format!("projects/{project}/global/operations/{name}"))
}

impl Service {
    /// Writes an operation down that ends when the runtime has the keys.
    pub(crate) fn admit_in_background(
        self: &Arc<Self>,
        place: &str,
        kind: &'static str,
        target: String,
        base: &str,
    ) -> Value {
        let path = format!("{place}/operations/operation-{}", Uuid::new_v4());
        let operation = ComputeOperation {
            path: path.clone(),
            kind,
            target,
            begun: self.clock.now(),
            ended: None,
        };
        let answer = operation.json(base);
        self.lock()
            .compute_operations
            .insert(path.clone(), operation);
        let service = Arc::clone(self);
        tokio::spawn(async move {
            service.admit_keys().await;
            let now = service.clock.now();
            if let Some(operation) = service.lock().compute_operations.get_mut(&path) {
                operation.ended = Some(now);
            }
            service.changed.notify_waiters();
        });
        answer
    }

    fn compute_operation(&self, path: &str, base: &str) -> Result<Value, ApiFailure> {
        let state = self.lock();
        let operation = state.compute_operations.get(path);
        operation
            .map(|o| o.json(base))
            .ok_or_else(|| not_found(path))
    }

    async fn wait_compute(&self, path: &str, base: &str) -> Result<Value, ApiFailure> {
        let limit = real_sleep(WAIT);
        tokio::pin!(limit);
        loop {
            let changed = self.changed.notified();
            let operation = self.compute_operation(path, base)?;
            if operation["status"] == "DONE" {
                return Ok(operation);
            }
            tokio::select! {
                () = changed => {}
                () = &mut limit => return Ok(operation),
            }
        }
    }

    fn operations_of(
        &self,
        place: &str,
        query: &ComputeQuery,
        base: &str,
    ) -> Result<Json<Value>, ApiFailure> {
        let prefix = format!("{place}/");
        let state = self.lock();
        let fitting = state
            .compute_operations
            .iter()
            .filter(|(path, _)| path.starts_with(&prefix))
            .map(|(_, operation)| operation.json(base));
        let id = format!("{place}/operations");
        list("compute#operationList", &id, base, fitting, query).map(Json)
    }

    fn forget(&self, path: &str) -> Result<StatusCode, ApiFailure> {
        let forgotten = self.lock().compute_operations.remove(path);
        forgotten
            .map(|_| StatusCode::NO_CONTENT)
            .ok_or_else(|| not_found(path))
    }
}
