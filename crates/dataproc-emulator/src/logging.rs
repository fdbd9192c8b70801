//! Cloud Logging: entries that are written here can be listed again. What a job's driver prints is in its bucket only.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::extract::State;
use bytes::Bytes;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::clusters::read_json;
use crate::failure::ApiFailure;
use crate::log_filter::LogFilter;
use crate::service::Service;

/// The oldest entries go when there are more.
const MOST: usize = 10_000;
/// The largest page of a list.
const LARGEST_PAGE: usize = 1000;
const SEVERITIES: [&str; 9] = [
    "DEFAULT",
    "DEBUG",
    "INFO",
    "NOTICE",
    "WARNING",
    "ERROR",
    "CRITICAL",
    "ALERT",
    "EMERGENCY",
];

/// The place of a severity in their order.
pub(crate) fn severity(name: &str) -> Option<usize> {
    SEVERITIES.iter().position(|own| *own == name)
}

/// Every entry, in the order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Log(Mutex<VecDeque<Value>>);

impl Log {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `POST /v2/entries:write`
pub(crate) async fn write(
    State(service): State<Arc<Service>>,
    body: Bytes,
) -> Result<Json<Value>, ApiFailure> {
    let body = read_json(&body)?;
    let entries = body["entries"].as_array().filter(|all| !all.is_empty());
    let entries = entries.ok_or_else(|| {
        ApiFailure::invalid_field("entries", "At least one log entry must be provided")
    })?;
    let mut accepted = Vec::new();
    for entry in entries {
        accepted.push(complete(entry, &body, &service)?);
    }
    if body["dryRun"] != true {
        let mut log = service.log.lock();
        log.extend(accepted);
        let surplus = log.len().saturating_sub(MOST);
        log.drain(..surplus);
    }
    Ok(Json(json!({})))
}

/// An entry with what the request says for all and what the service fills in.
fn complete(entry: &Value, request: &Value, service: &Service) -> Result<Value, ApiFailure> {
    let now = service.clock.now().to_string();
    let mut entry = entry.clone();
    let Some(fields) = entry.as_object_mut() else {
        return Err(ApiFailure::invalid_field(
            "entries",
            "An entry is no object",
        ));
    };
    for key in ["logName", "resource"] {
        if !fields.contains_key(key) {
            fields.insert(key.to_owned(), request[key].clone());
        }
    }
    if let Some(shared) = request["labels"].as_object() {
        let mut labels = shared.clone();
        if let Some(own) = fields.get("labels").and_then(Value::as_object) {
            labels.extend(own.clone());
        }
        fields.insert("labels".to_owned(), labels.into());
    }
    let text = |key: &str| fields.get(key).and_then(Value::as_str).unwrap_or_default();
    let parts: Vec<&str> = text("logName").split('/').collect();
    if !matches!(parts.as_slice(), ["projects", project, "logs", log] if !project.is_empty() && !log.is_empty())
    {
        let message = format!("Log name '{}' is not valid", text("logName"));
        return Err(ApiFailure::invalid_field("logName", message));
    }
    if let Some(name) = fields.get("severity").and_then(Value::as_str)
        && severity(name).is_none()
    {
        let message = format!("Invalid value at 'severity': \"{name}\"");
        return Err(ApiFailure::invalid_field("severity", message));
    }
    for (key, value) in [
        ("insertId", Uuid::new_v4().simple().to_string()),
        ("timestamp", now.clone()),
        ("receiveTimestamp", now),
    ] {
        fields.entry(key).or_insert_with(|| Value::String(value));
    }
    Ok(entry)
}

/// `POST /v2/entries:list`
pub(crate) async fn list(
    State(service): State<Arc<Service>>,
    body: Bytes,
) -> Result<Json<Value>, ApiFailure> {
    let body = read_json(&body)?;
    let text = |key: &str| body[key].as_str().unwrap_or_default();
    let names = body["resourceNames"]
        .as_array()
        .filter(|all| !all.is_empty());
    let names = names.ok_or_else(|| {
        ApiFailure::invalid_field("resourceNames", "At least one resource name is needed")
    })?;
    let within: Vec<String> = names
        .iter()
        .filter_map(|name| Some(format!("{}/", name.as_str()?)))
        .collect();
    let filter = text("filter");
    let filter = LogFilter::parse(filter).ok_or_else(|| {
        ApiFailure::invalid_field("filter", format!("Unparseable filter: {filter}"))
    })?;
    let newest_first = match text("orderBy") {
        "" | "timestamp" | "timestamp asc" => false,
        "timestamp desc" => true,
        other => {
            let message = format!("Invalid order by: {other}");
            return Err(ApiFailure::invalid_field("orderBy", message));
        }
    };
    let size = match body["pageSize"].as_i64().unwrap_or(0) {
        0 => 50,
        size => usize::try_from(size)
            .map_err(|_| ApiFailure::invalid_field("pageSize", "Invalid page size"))?,
    };
    let skip = match text("pageToken") {
        "" => 0,
        token => token
            .parse::<usize>()
            .map_err(|_| ApiFailure::invalid_field("pageToken", "Invalid page token"))?,
    };
    let mut fitting: Vec<Value> = {
        let log = service.log.lock();
        let inside = |entry: &&Value| {
            let name = entry["logName"].as_str().unwrap_or_default();
            within
                .iter()
                .any(|within| name.starts_with(within.as_str()))
        };
        let fitting = log.iter().filter(inside).filter(|e| filter.fits(e));
        fitting.cloned().collect()
    };
    fitting.sort_by_key(|entry| entry["timestamp"].as_str().unwrap_or_default().to_owned());
    if newest_first {
        fitting.reverse();
    }
    let total = fitting.len();
    let page: Vec<Value> = fitting
        .into_iter()
        .skip(skip)
        .take(size.min(LARGEST_PAGE))
        .collect();
    let next = skip + page.len();
    let mut answer = json!({});
    if next < total {
        answer["nextPageToken"] = json!(next.to_string());
    }
    if !page.is_empty() {
        answer["entries"] = Value::Array(page);
    }
    Ok(Json(answer))
}
