//! The calls of Dataproc's `workflowTemplates`, below regions and below locations alike.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{OriginalUri, Path, Query, State};
use bytes::Bytes;
use http::Uri;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::clusters::read_json;
use crate::failure::{ApiFailure, Code};
use crate::lifecycle::check_region;
use crate::listing::{ListQuery, page};
use crate::policies::{self, full_name};
use crate::schema::canonical;
use crate::service::{ClusterKey, Service};
use crate::template::{TemplateRecord, accept, checked_id, fill_in, stale, stamp};
use crate::workflow::Workflow;

type InRegion = Path<(String, String)>;
type ByName = Path<(String, String, String)>;

/// The query of a call on one template.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct TemplateQuery {
    version: i64,
    #[serde(alias = "request_id")]
    request_id: String,
}

fn named(uri: &Uri, key: &ClusterKey, resource: &Map<String, Value>) -> Value {
    policies::named(uri, "workflowTemplates", key, resource)
}

fn not_found(uri: &Uri, key: &ClusterKey) -> ApiFailure {
    let name = full_name(uri, "workflowTemplates", key);
    ApiFailure::new(
        Code::NotFound,
        format!("Resource not found: workflow template '{name}'"),
    )
}

/// `POST …/workflowTemplates`
pub(crate) async fn create(
    State(service): State<Arc<Service>>,
    OriginalUri(uri): OriginalUri,
    Path((project, region)): InRegion,
    body: Bytes,
) -> Result<Json<Value>, ApiFailure> {
    check_region(&region)?;
    let mut resource = accept(&read_json(&body)?)?;
    let key = ClusterKey::new(&project, &region, &checked_id(&resource)?);
    let now = service.clock.now().to_string();
    stamp(&mut resource, 1, &now, &now);
    let mut state = service.lock();
    if state.templates.contains_key(&key) {
        let name = full_name(&uri, "workflowTemplates", &key);
        return Err(ApiFailure::new(
            Code::AlreadyExists,
            format!("Already exists: workflow template '{name}'"),
        ));
    }
    let answer = named(&uri, &key, &resource);
    let record = TemplateRecord {
        resource,
        version: 1,
        earlier: BTreeMap::new(),
        used: false,
    };
    state.templates.insert(key, record);
    Ok(Json(answer))
}

/// `GET …/workflowTemplates`
pub(crate) async fn list(
    State(service): State<Arc<Service>>,
    OriginalUri(uri): OriginalUri,
    Path((project, region)): InRegion,
    Query(query): Query<ListQuery>,
) -> Result<Json<Value>, ApiFailure> {
    let state = service.lock();
    let own = state
        .templates
        .iter()
        .filter(|(key, _)| key.project == project && key.region == region)
        .map(|(key, record)| (key.name.clone(), named(&uri, key, &record.resource)));
    Ok(Json(page("templates", own, &query)?))
}

/// `GET …/workflowTemplates/ID`
pub(crate) async fn get(
    State(service): State<Arc<Service>>,
    OriginalUri(uri): OriginalUri,
    Path((project, region, id)): ByName,
    Query(query): Query<TemplateQuery>,
) -> Result<Json<Value>, ApiFailure> {
    let key = ClusterKey::new(&project, &region, &id);
    let state = service.lock();
    let record = state.templates.get(&key);
    let version = record.and_then(|record| record.version(query.version));
    let version = version.ok_or_else(|| not_found(&uri, &key))?;
    Ok(Json(named(&uri, &key, version)))
}

/// `PUT …/workflowTemplates/ID`: replaces the present version, which the body has to name.
pub(crate) async fn update(
    State(service): State<Arc<Service>>,
    OriginalUri(uri): OriginalUri,
    Path((project, region, id)): ByName,
    body: Bytes,
) -> Result<Json<Value>, ApiFailure> {
    let key = ClusterKey::new(&project, &region, &id);
    let mut body = read_json(&body)?;
    if let Some(fields) = body.as_object_mut() {
        fields.entry("id").or_insert_with(|| json!(id));
    }
    let mut resource = accept(&body)?;
    let told = checked_id(&resource)?;
    if told != id {
        return Err(ApiFailure::invalid_field(
            "template.id",
            format!("The id '{told}' is not the id '{id}' of the template to update"),
        ));
    }
    let given = resource.get("version").and_then(Value::as_i64);
    let now = service.clock.now().to_string();
    let mut state = service.lock();
    let record = state.templates.get_mut(&key);
    let record = record.ok_or_else(|| not_found(&uri, &key))?;
    let given = given.unwrap_or(0);
    if given != record.version {
        return Err(stale(given, record.version));
    }
    let created = record.resource["createTime"].as_str().unwrap_or_default();
    stamp(&mut resource, record.version + 1, created, &now);
    let before = std::mem::replace(&mut record.resource, resource);
    if std::mem::take(&mut record.used) {
        record.earlier.insert(record.version, before);
    }
    record.version += 1;
    Ok(Json(named(&uri, &key, &record.resource)))
}

/// `DELETE …/workflowTemplates/ID`; workflows that run go on.
pub(crate) async fn delete(
    State(service): State<Arc<Service>>,
    OriginalUri(uri): OriginalUri,
    Path((project, region, id)): ByName,
    Query(query): Query<TemplateQuery>,
) -> Result<Json<Value>, ApiFailure> {
    let key = ClusterKey::new(&project, &region, &id);
    let mut state = service.lock();
    let record = state.templates.get(&key);
    let record = record.ok_or_else(|| not_found(&uri, &key))?;
    if query.version != 0 && query.version != record.version {
        return Err(stale(query.version, record.version));
    }
    state.templates.remove(&key);
    Ok(Json(json!({})))
}

/// `POST …/workflowTemplates/ID:instantiate` and the other verbs
pub(crate) async fn act(
    State(service): State<Arc<Service>>,
    OriginalUri(uri): OriginalUri,
    Path((project, region, name)): ByName,
    body: Bytes,
) -> Result<Json<Value>, ApiFailure> {
    let Some(id) = name.strip_suffix(":instantiate") else {
        return Err(ApiFailure::not_emulated(&format!(
            "the workflow template call {name}"
        )));
    };
    let key = ClusterKey::new(&project, &region, id);
    let body = read_json(&body)?;
    let request = canonical("InstantiateWorkflowTemplateRequest", &body, "request")?;
    let parameters: BTreeMap<String, String> = request
        .get("parameters")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect();
    let request_id = request.get("requestId").and_then(Value::as_str);
    let asked = request.get("version").and_then(Value::as_i64).unwrap_or(0);
    let (template, version) = {
        let mut state = service.lock();
        let record = state.templates.get_mut(&key);
        let record = record.ok_or_else(|| not_found(&uri, &key))?;
        let template = record.version(asked).cloned();
        let template = template.ok_or_else(|| not_found(&uri, &key))?;
        let version = template.get("version").and_then(Value::as_i64).unwrap_or(0);
        record.used |= version == record.version;
        (template, version)
    };
    let workflow = Workflow {
        key: key.clone(),
        template_name: full_name(&uri, "workflowTemplates", &key),
        version,
        template: fill_in(template, &parameters)?,
        parameters,
    };
    Ok(Json(
        service.instantiate(workflow, request_id.unwrap_or_default())?,
    ))
}

/// `POST …/workflowTemplates:instantiateInline`
pub(crate) async fn instantiate_inline(
    State(service): State<Arc<Service>>,
    Path((project, region)): InRegion,
    Query(query): Query<TemplateQuery>,
    body: Bytes,
) -> Result<Json<Value>, ApiFailure> {
    check_region(&region)?;
    let template = accept(&read_json(&body)?)?;
    let workflow = Workflow {
        key: ClusterKey::new(&project, &region, ""),
        template_name: String::new(),
        version: 0,
        template: fill_in(template, &BTreeMap::new())?,
        parameters: BTreeMap::new(),
    };
    Ok(Json(service.instantiate(workflow, &query.request_id)?))
}
