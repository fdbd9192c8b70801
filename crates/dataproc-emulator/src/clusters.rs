//! The calls of Dataproc's `projects.regions.clusters`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{self, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::failure::ApiFailure;
use crate::filter::Filter;
use crate::listing::{ListQuery, page};
use crate::operations::OperationKind;
use crate::service::{ClusterKey, Service};

/// The query of a call that changes a cluster.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ChangeQuery {
    #[serde(alias = "request_id")]
    request_id: String,
    #[serde(alias = "cluster_uuid")]
    cluster_uuid: String,
    #[serde(alias = "update_mask")]
    update_mask: String,
    #[serde(alias = "graceful_decommission_timeout")]
    graceful_decommission_timeout: String,
}

type InRegion = Path<(String, String)>;
type ByName = Path<(String, String, String)>;

/// Reads a JSON body; none is an empty object.
pub(crate) fn read_json(body: &Bytes) -> Result<Value, ApiFailure> {
    if body.is_empty() {
        return Ok(json!({}));
    }
    serde_json::from_slice(body)
        .map_err(|error| ApiFailure::invalid(format!("Invalid JSON payload received. {error}")))
}

/// `POST …/clusters`
pub(crate) async fn create(
    State(service): State<Arc<Service>>,
    Path((project, region)): InRegion,
    Query(query): Query<ChangeQuery>,
    body: Bytes,
) -> Result<Json<Value>, ApiFailure> {
    let body = read_json(&body)?;
    let operation = service.create(&project, &region, &body, &query.request_id)?;
    Ok(Json(operation))
}

/// `GET …/clusters/NAME`
pub(crate) async fn get(
    State(service): State<Arc<Service>>,
    Path((project, region, name)): ByName,
) -> Response {
    let key = ClusterKey::new(&project, &region, &name);
    let rendered = service.lock().clusters.get_mut(&key).map(|c| c.rendered());
    match rendered {
        Some(text) => {
            let json = HeaderValue::from_static("application/json; charset=UTF-8");
            ([(header::CONTENT_TYPE, json)], text).into_response()
        }
        None => key.not_found().into_response(),
    }
}

/// `GET …/clusters`
pub(crate) async fn list(
    State(service): State<Arc<Service>>,
    Path((project, region)): InRegion,
    Query(query): Query<ListQuery>,
) -> Result<Json<Value>, ApiFailure> {
    let filter = Filter::parse(&query.filter)?;
    let state = service.lock();
    let fitting = state
        .clusters
        .iter()
        .filter(|(key, _)| key.project == project && key.region == region)
        .filter(|(_, record)| filter.fits(record.resource()))
        .map(|(key, record)| (key.name.clone(), record.resource().clone()));
    Ok(Json(page("clusters", fitting, &query)?))
}

/// `PATCH …/clusters/NAME`
pub(crate) async fn update(
    State(service): State<Arc<Service>>,
    Path((project, region, name)): ByName,
    Query(query): Query<ChangeQuery>,
    body: Bytes,
) -> Result<Json<Value>, ApiFailure> {
    let key = ClusterKey::new(&project, &region, &name);
    let body = read_json(&body)?;
    let graceful = &query.graceful_decommission_timeout;
    let operation = service.update(&key, &body, &query.update_mask, graceful, &query.request_id)?;
    Ok(Json(operation))
}

/// `DELETE …/clusters/NAME`
pub(crate) async fn delete(
    State(service): State<Arc<Service>>,
    Path((project, region, name)): ByName,
    Query(query): Query<ChangeQuery>,
) -> Result<Json<Value>, ApiFailure> {
    let key = ClusterKey::new(&project, &region, &name);
    let operation = service.delete(&key, &query.cluster_uuid, &query.request_id)?;
    Ok(Json(operation))
}

/// `POST …/clusters/NAME:start` and the other verbs
pub(crate) async fn act(
    State(service): State<Arc<Service>>,
    Path((project, region, name)): ByName,
    body: Bytes,
) -> Result<Json<Value>, ApiFailure> {
    let (name, verb) = name.rsplit_once(':').unwrap_or((&name, ""));
    let key = ClusterKey::new(&project, &region, name);
    let kind = match verb {
        "diagnose" => return Ok(Json(service.diagnose(&key, &read_json(&body)?)?)),
        "start" => OperationKind::Start,
        "stop" => OperationKind::Stop,
        other => {
            return Err(ApiFailure::not_emulated(&format!(
                "the cluster call ':{other}'"
            )));
        }
    };
    let body = read_json(&body)?;
    let word = |camel: &str, snake: &str| body[camel].as_str().or(body[snake].as_str());
    let uuid = word("clusterUuid", "cluster_uuid").unwrap_or_default();
    let request = word("requestId", "request_id").unwrap_or_default();
    Ok(Json(service.power(&key, uuid, request, kind)?))
}
