//! What only an emulator has: calls below `/emulator/v1` that move its clock, add fault rules and look inside.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::failure::ApiFailure;
use crate::faults::FaultRule;
use crate::lifecycle::snapshot;
use crate::service::Service;

/// `GET /emulator/v1/health`
pub(crate) async fn health(State(service): State<Arc<Service>>) -> Json<Value> {
    Json(json!({"status": "ok", "now": service.clock.now().to_string()}))
}

/// `GET /emulator/v1/clusters`: every cluster of every project, with its machines.
pub(crate) async fn clusters(State(service): State<Arc<Service>>) -> Json<Value> {
    Json(json!({"clusters": snapshot(&service.lock())}))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: u64,
}

/// `POST /emulator/v1/clock` with `{"seconds": N}`: moves the clock on.
pub(crate) async fn advance(
    State(service): State<Arc<Service>>,
    body: Bytes,
) -> Result<Json<Value>, ApiFailure> {
    let advance: Advance = read(&body)?;
    service.advance(Duration::from_secs(advance.seconds)).await;
    Ok(Json(json!({"now": service.clock.now().to_string()})))
}

/// `GET /emulator/v1/faults`: the rules, and how many fitting calls each has seen.
pub(crate) async fn faults(State(service): State<Arc<Service>>) -> Json<Value> {
    let rule = |(rule, seen)| json!({"rule": rule, "seen": seen});
    let rules: Vec<Value> = service.faults.list().into_iter().map(rule).collect();
    Json(json!({"faults": rules}))
}

/// `POST /emulator/v1/faults` with a [`FaultRule`]: adds it.
pub(crate) async fn add_fault(
    State(service): State<Arc<Service>>,
    body: Bytes,
) -> Result<Json<Value>, ApiFailure> {
    service.faults.add(read::<FaultRule>(&body)?);
    Ok(Json(json!({})))
}

/// `DELETE /emulator/v1/faults`: ends all rules.
pub(crate) async fn clear_faults(State(service): State<Arc<Service>>) -> Json<Value> {
    service.faults.clear();
    Json(json!({}))
}

/// `GET /emulator/v1/jobs`: every job of every project, in the order of their submission.
pub(crate) async fn jobs(State(service): State<Arc<Service>>) -> Json<Value> {
    Json(json!({"jobs": service.all_jobs()}))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Preemption {
    machine: String,
}

/// `POST /emulator/v1/clusters/NAME:preempt` with `{"machine": "NAME-sw-0"}`: takes a secondary worker away.
pub(crate) async fn act_on_cluster(
    State(service): State<Arc<Service>>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, ApiFailure> {
    let Some(name) = name.strip_suffix(":preempt") else {
        return Err(ApiFailure::not_emulated(&format!("the call {name}")));
    };
    let Preemption { machine } = read(&body)?;
    // The machines of a cluster are named after it.
    let own = |rest: &str| rest.starts_with("-sw-");
    if !machine.strip_prefix(name).is_some_and(own) {
        return Err(ApiFailure::invalid(format!(
            "'{machine}' is no secondary worker of '{name}'"
        )));
    }
    service.preempt(&machine).await?;
    Ok(Json(json!({})))
}

fn read<T: for<'de> Deserialize<'de>>(body: &Bytes) -> Result<T, ApiFailure> {
    serde_json::from_slice(body).map_err(|error| ApiFailure::invalid(error.to_string()))
}
