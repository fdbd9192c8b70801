//! Secret Manager, as far as a deployment reads a secret, and whoever prepares one writes it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::extract::{Path, Query, State};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clusters::read_json;
use crate::failure::{ApiFailure, Code};
use crate::resource::project_number;
use crate::service::Service;

/// The largest value of a secret.
const LARGEST: usize = 64 * 1024;

/// Every secret, by project and name.
#[derive(Debug, Default)]
pub(crate) struct Secrets(Mutex<BTreeMap<(String, String), Secret>>);

#[derive(Debug)]
struct Secret {
    created: Timestamp,
    labels: Value,
    versions: Vec<Version>,
}

struct Version {
    created: Timestamp,
    state: &'static str,
    /// Empty once it is destroyed.
    data: Vec<u8>,
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Version")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Secrets {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, String), Secret>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn full_name(project: &str, secret: &str) -> String {
    format!("projects/{}/secrets/{secret}", project_number(project))
}

fn not_found(project: &str, secret: &str) -> ApiFailure {
    let message = format!(
        "Secret [{}] not found or has no versions.",
        full_name(project, secret)
    );
    ApiFailure::new(Code::NotFound, message)
}

fn permitted(service: &Service, permission: &str, secret: &str) -> Result<(), ApiFailure> {
    if service.grants.has(permission) {
        return Ok(());
    }
    let message =
        format!("Permission '{permission}' denied for resource '{secret}' (or it may not exist).");
    Err(ApiFailure::new(Code::PermissionDenied, message))
}

fn secret_json(project: &str, name: &str, secret: &Secret) -> Value {
    json!({
        "name": full_name(project, name),
        "replication": {"automatic": {}},
        "createTime": secret.created.to_string(),
        "labels": secret.labels,
    })
}

fn version_json(project: &str, secret: &str, number: usize, version: &Version) -> Value {
    json!({
        "name": format!("{}/versions/{number}", full_name(project, secret)),
        "createTime": version.created.to_string(),
        "state": version.state,
        "clientSpecifiedPayloadChecksum": true,
    })
}

/// The query of `secrets.create`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct CreateQuery {
    secret_id: String,
}

/// `POST /v1/projects/PROJECT/secrets?secretId=NAME`
pub(crate) async fn create(
    State(service): State<Arc<Service>>,
    Path(project): Path<String>,
    Query(query): Query<CreateQuery>,
    body: Bytes,
) -> Result<Json<Value>, ApiFailure> {
    let body = read_json(&body)?;
    let name = query.secret_id;
    let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if !(1..=255).contains(&name.len()) || !name.bytes().all(inner) {
        return Err(ApiFailure::invalid_field(
            "secret_id",
            "The provided Secret ID does not match the expected format [[a-zA-Z_0-9]+]",
        ));
    }
    if !body["replication"].is_object() {
        return Err(ApiFailure::invalid_field(
            "secret.replication",
            "Field [secret.replication] is required",
        ));
    }
    let key = (project.clone(), name.clone());
    let mut secrets = service.secrets.lock();
    if secrets.contains_key(&key) {
        let message = format!("Secret [{}] already exists.", full_name(&project, &name));
        return Err(ApiFailure::new(Code::AlreadyExists, message));
    }
    let secret = Secret {
        created: service.clock.now(),
        labels: body.get("labels").cloned().unwrap_or(json!({})),
        versions: Vec::new(),
    };
    let answer = secret_json(&project, &name, &secret);
    secrets.insert(key, secret);
    Ok(Json(answer))
}

/// `GET /v1/projects/PROJECT/secrets`
pub(crate) async fn list(
    State(service): State<Arc<Service>>,
    Path(project): Path<String>,
) -> Json<Value> {
    let secrets = service.secrets.lock();
    let own = secrets.iter().filter(|((at, _), _)| *at == project);
    let all: Vec<Value> = own
        .map(|((_, name), secret)| secret_json(&project, name, secret))
        .collect();
    Json(json!({"secrets": all, "totalSize": all.len()}))
}

type Named = Path<(String, String)>;

/// `GET /v1/projects/PROJECT/secrets/NAME`
pub(crate) async fn get(
    State(service): State<Arc<Service>>,
    Path((project, name)): Named,
) -> Result<Json<Value>, ApiFailure> {
    let secrets = service.secrets.lock();
    let secret = secrets.get(&(project.clone(), name.clone()));
    let secret = secret.ok_or_else(|| not_found(&project, &name))?;
    Ok(Json(secret_json(&project, &name, secret)))
}

/// `DELETE /v1/projects/PROJECT/secrets/NAME`
pub(crate) async fn delete(
    State(service): State<Arc<Service>>,
    Path((project, name)): Named,
) -> Result<Json<Value>, ApiFailure> {
    let removed = service
        .secrets
        .lock()
        .remove(&(project.clone(), name.clone()));
    removed
        .map(|_| Json(json!({})))
        .ok_or_else(|| not_found(&project, &name))
}

/// `POST /v1/projects/PROJECT/secrets/NAME:addVersion`
pub(crate) async fn act(
    State(service): State<Arc<Service>>,
    Path((project, call)): Named,
    body: Bytes,
) -> Result<Json<Value>, ApiFailure> {
    let Some(name) = call.strip_suffix(":addVersion") else {
        let what = format!("the Secret Manager call {call}");
        return Err(ApiFailure::not_emulated(&what));
    };
    let payload = read_json(&body)?["payload"].take();
    let data = payload["data"].as_str();
    let refuse = |message: &str| ApiFailure::invalid_field("payload.data", message);
    let data = data.ok_or_else(|| refuse("Field [payload.data] is required"))?;
    let data = STANDARD.decode(data).map_err(|_| {
        refuse("Invalid value at 'payload.data' (TYPE_BYTES), Base64 decoding failed")
    })?;
    if data.len() > LARGEST {
        return Err(refuse("The payload is larger than 65536 bytes"));
    }
    let told = match &payload["dataCrc32c"] {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    if told.is_some_and(|told| told != crc32c::crc32c(&data).to_string()) {
        return Err(refuse(
            "The checksum of the payload does not match its data",
        ));
    }
    let mut secrets = service.secrets.lock();
    let secret = secrets.get_mut(&(project.clone(), name.to_owned()));
    let secret = secret.ok_or_else(|| not_found(&project, name))?;
    let version = Version {
        created: service.clock.now(),
        state: "ENABLED",
        data,
    };
    let answer = version_json(&project, name, secret.versions.len() + 1, &version);
    secret.versions.push(version);
    Ok(Json(answer))
}

type OfVersion = Path<(String, String, String)>;

/// `GET /v1/projects/PROJECT/secrets/NAME/versions/VERSION`, with `:access` its value.
pub(crate) async fn version(
    State(service): State<Arc<Service>>,
    Path((project, name, call)): OfVersion,
) -> Result<Json<Value>, ApiFailure> {
    let access = call.strip_suffix(":access");
    let wanted = access.unwrap_or(&call);
    if access.is_some() {
        let full = full_name(&project, &name);
        permitted(&service, "secretmanager.versions.access", &full)?;
    }
    let secrets = service.secrets.lock();
    let secret = secrets.get(&(project.clone(), name.clone()));
    let secret = secret.ok_or_else(|| not_found(&project, &name))?;
    let number = number_of(wanted, secret).ok_or_else(|| not_found(&project, &name))?;
    let version = secret.versions.get(number - 1);
    let version = version.ok_or_else(|| not_found(&project, &name))?;
    let json = version_json(&project, &name, number, version);
    if access.is_none() {
        return Ok(Json(json));
    }
    if version.state != "ENABLED" {
        let message = format!(
            "Secret Version [{}] is in {} state.",
            json["name"].as_str().unwrap_or_default(),
            version.state
        );
        return Err(ApiFailure::new(Code::FailedPrecondition, message));
    }
    Ok(Json(json!({
        "name": json["name"],
        "payload": {
            "data": STANDARD.encode(&version.data),
            "dataCrc32c": crc32c::crc32c(&version.data).to_string(),
        },
    })))
}

/// `POST …/versions/VERSION:enable`, `:disable` and `:destroy`
pub(crate) async fn change_version(
    State(service): State<Arc<Service>>,
    Path((project, name, call)): OfVersion,
) -> Result<Json<Value>, ApiFailure> {
    let (wanted, state) = match call.split_once(':') {
        Some((wanted, "enable")) => (wanted, "ENABLED"),
        Some((wanted, "disable")) => (wanted, "DISABLED"),
        Some((wanted, "destroy")) => (wanted, "DESTROYED"),
        _ => {
            let what = format!("the Secret Manager call {call}");
            return Err(ApiFailure::not_emulated(&what));
        }
    };
    let mut secrets = service.secrets.lock();
    let secret = secrets.get_mut(&(project.clone(), name.clone()));
    let secret = secret.ok_or_else(|| not_found(&project, &name))?;
    let number = number_of(wanted, secret).ok_or_else(|| not_found(&project, &name))?;
    let version = secret.versions.get_mut(number - 1);
    let version = version.ok_or_else(|| not_found(&project, &name))?;
    if version.state == "DESTROYED" {
        let message = "Secret Version is already in DESTROYED state.";
        return Err(ApiFailure::new(Code::FailedPrecondition, message));
    }
    version.state = state;
    if state == "DESTROYED" {
        version.data.clear();
    }
    Ok(Json(version_json(&project, &name, number, version)))
}

/// The number of a version, from 1; `latest` is the newest.
fn number_of(wanted: &str, secret: &Secret) -> Option<usize> {
    match wanted {
        "latest" => Some(secret.versions.len()).filter(|number| *number > 0),
        number => number.parse().ok().filter(|number| *number > 0),
    }
}
