//! Permissions: everybody has all of them but for those that a test takes away.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::extract::{Path, State};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clusters::read_json;
use crate::failure::{ApiFailure, Code};
use crate::resource::project_number;
use crate::service::Service;

/// The permissions that nobody has.
#[derive(Debug, Default)]
pub(crate) struct Grants(Mutex<BTreeSet<String>>);

impl Grants {
    fn denied(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a caller has a permission, such as `iap.tunnelInstances.accessViaIAP`.
    pub(crate) fn has(&self, permission: &str) -> bool {
        !self.denied().contains(permission)
    }

    /// Takes away exactly these.
    pub(crate) fn deny(&self, permissions: impl IntoIterator<Item = String>) {
        *self.denied() = permissions.into_iter().collect();
    }

    fn list(&self) -> Vec<String> {
        self.denied().iter().cloned().collect()
    }
}

/// `POST /v1/projects/PROJECT:testIamPermissions`, in `v3` too, as Cloud Resource Manager has it.
pub(crate) async fn act_on_project(
    State(service): State<Arc<Service>>,
    Path(call): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, ApiFailure> {
    match call.strip_suffix(":testIamPermissions") {
        Some(project) if !project.is_empty() => test(&service, &body).map(Json),
        _ => Err(ApiFailure::not_emulated(&format!(
            "the project call {call}"
        ))),
    }
}

/// `POST …/instances/NAME/testIamPermissions` of Compute Engine.
pub(crate) async fn test_on_instance(
    State(service): State<Arc<Service>>,
    body: Bytes,
) -> Result<Json<Value>, ApiFailure> {
    test(&service, &body)
        .map(Json)
        .map_err(|failure| failure.of_compute("invalid"))
}

fn test(service: &Service, body: &Bytes) -> Result<Value, ApiFailure> {
    let body = read_json(body)?;
    let asked = body["permissions"].as_array().filter(|all| !all.is_empty());
    let asked = asked.ok_or_else(|| {
        ApiFailure::invalid_field("permissions", "Field 'permissions' must not be empty")
    })?;
    let mut granted = Vec::new();
    for permission in asked {
        let name = permission.as_str().unwrap_or_default();
        // Services have at least `service.resource.verb`; a wildcard may be granted but not asked for.
        if name.split('.').filter(|part| !part.is_empty()).count() < 3 || name.contains('*') {
            return Err(ApiFailure::invalid_field(
                "permissions",
                format!("Permission {name} is not valid for this resource."),
            ));
        }
        if service.grants.has(name) {
            granted.push(permission.clone());
        }
    }
    Ok(match granted.is_empty() {
        true => json!({}),
        false => json!({"permissions": granted}),
    })
}

/// `GET /v1/projects/PROJECT` and `GET /v3/projects/PROJECT` of Cloud Resource Manager: every project exists.
pub(crate) async fn project(Path(project): Path<String>) -> Result<Json<Value>, ApiFailure> {
    if project.contains(':') {
        let message = format!("the project call {project}");
        return Err(ApiFailure::not_emulated(&message));
    }
    let number = project_number(&project).to_string();
    Ok(Json(json!({
        "name": format!("projects/{number}"),
        "projectId": project,
        "projectNumber": number,
        "displayName": project,
        "lifecycleState": "ACTIVE",
        "state": "ACTIVE",
    })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Denied {
    denied: Vec<String>,
}

/// `GET /emulator/v1/permissions`: those that nobody has.
pub(crate) async fn denied(State(service): State<Arc<Service>>) -> Json<Value> {
    Json(json!({"denied": service.grants.list()}))
}

/// `POST /emulator/v1/permissions` with `{"denied": [PERMISSION…]}`: takes exactly these away.
pub(crate) async fn deny(
    State(service): State<Arc<Service>>,
    body: Bytes,
) -> Result<Json<Value>, ApiFailure> {
    let wish: Denied = serde_json::from_slice(&body)
        .map_err(|error| ApiFailure::new(Code::InvalidArgument, error.to_string()))?;
    service.grants.deny(wish.denied);
    Ok(Json(json!({"denied": service.grants.list()})))
}
