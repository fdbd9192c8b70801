//! Service Usage: which APIs of a project are on. Those that are emulated are.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use crate::failure::ApiFailure;
use crate::resource::project_number;
use crate::service::Service;

const EMULATED: [&str; 9] = [
    "cloudresourcemanager.googleapis.com",
    "compute.googleapis.com",
    "dataproc.googleapis.com",
    "iam.googleapis.com",
    "iap.googleapis.com",
    "logging.googleapis.com",
    "oslogin.googleapis.com",
    "secretmanager.googleapis.com",
    "storage.googleapis.com",
];

fn api(project: &str, name: &str) -> Value {
    let number = project_number(project);
    let state = match EMULATED.contains(&name) {
        true => "ENABLED",
        false => "DISABLED",
    };
    json!({
        "name": format!("projects/{number}/services/{name}"),
        "parent": format!("projects/{number}"),
        "config": {"name": name},
        "state": state,
    })
}

/// `GET /v1/projects/PROJECT/services`: those that are on.
pub(crate) async fn list(Path(project): Path<String>) -> Json<Value> {
    let all = EMULATED.map(|name| api(&project, name));
    Json(json!({"services": all}))
}

/// `GET /v1/projects/PROJECT/services/NAME`
pub(crate) async fn get(Path((project, name)): Path<(String, String)>) -> Json<Value> {
    Json(api(&project, &name))
}

/// `POST /v1/projects/PROJECT/services/NAME:enable`: done at once where it is on already.
pub(crate) async fn act(
    State(_): State<Arc<Service>>,
    Path((project, call)): Path<(String, String)>,
) -> Result<Json<Value>, ApiFailure> {
    match call.strip_suffix(":enable") {
        Some(name) if EMULATED.contains(&name) => Ok(Json(json!({
            "name": "operations/noop.DONE_OPERATION",
            "done": true,
            "response": {
                "@type": "type.googleapis.com/google.api.serviceusage.v1.EnableServiceResponse",
                "service": api(&project, name),
            },
        }))),
        _ => {
            let what = format!("the Service Usage call {call}");
            Err(ApiFailure::not_emulated(&what))
        }
    }
}
