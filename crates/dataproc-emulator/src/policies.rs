//! The calls of Dataproc's `autoscalingPolicies`, below regions and below locations alike.

use std::sync::Arc;

use axum::Json;
use axum::extract::{OriginalUri, Path, Query, State};
use bytes::Bytes;
use http::Uri;
use serde_json::{Map, Value, json};

use crate::clusters::read_json;
use crate::failure::{ApiFailure, Code};
use crate::lifecycle::check_region;
use crate::listing::{ListQuery, page};
use crate::policy::{PolicyRecord, accept};
use crate::service::{ClusterKey, Service};

type InRegion = Path<(String, String)>;
type ByName = Path<(String, String, String)>;

/// `projects/P/regions/R/KIND/ID`, with `locations` where the call said so.
pub(crate) fn full_name(uri: &Uri, kind: &str, key: &ClusterKey) -> String {
    let place = match uri.path().split('/').nth(4) {
        Some("locations") => "locations",
        _ => "regions",
    };
    let ClusterKey {
        project,
        region,
        name,
    } = key;
    format!("projects/{project}/{place}/{region}/{kind}/{name}")
}

/// A resource as it is answered: with the name that the call gives it.
pub(crate) fn named(
    uri: &Uri,
    kind: &str,
    key: &ClusterKey,
    resource: &Map<String, Value>,
) -> Value {
    let mut resource = resource.clone();
    resource.insert("name".to_owned(), json!(full_name(uri, kind, key)));
    Value::Object(resource)
}

fn answer(uri: &Uri, key: &ClusterKey, policy: &PolicyRecord) -> Value {
    named(uri, "autoscalingPolicies", key, &policy.resource)
}

fn not_found(uri: &Uri, key: &ClusterKey) -> ApiFailure {
    let name = full_name(uri, "autoscalingPolicies", key);
    ApiFailure::new(
        Code::NotFound,
        format!("Resource not found: autoscaling policy '{name}'"),
    )
}

/// `POST …/autoscalingPolicies`
pub(crate) async fn create(
    State(service): State<Arc<Service>>,
    OriginalUri(uri): OriginalUri,
    Path((project, region)): InRegion,
    body: Bytes,
) -> Result<Json<Value>, ApiFailure> {
    check_region(&region)?;
    let (id, policy) = accept(&read_json(&body)?)?;
    let key = ClusterKey::new(&project, &region, &id);
    let mut state = service.lock();
    if state.policies.contains_key(&key) {
        let name = full_name(&uri, "autoscalingPolicies", &key);
        return Err(ApiFailure::new(
            Code::AlreadyExists,
            format!("Already exists: autoscaling policy '{name}'"),
        ));
    }
    let answer = answer(&uri, &key, &policy);
    state.policies.insert(key, policy);
    Ok(Json(answer))
}

/// `GET …/autoscalingPolicies`
pub(crate) async fn list(
    State(service): State<Arc<Service>>,
    OriginalUri(uri): OriginalUri,
    Path((project, region)): InRegion,
    Query(query): Query<ListQuery>,
) -> Result<Json<Value>, ApiFailure> {
    let state = service.lock();
    let own = state
        .policies
        .iter()
        .filter(|(key, _)| key.project == project && key.region == region)
        .map(|(key, policy)| (key.name.clone(), answer(&uri, key, policy)));
    Ok(Json(page("policies", own, &query)?))
}

/// `GET …/autoscalingPolicies/ID`, and `GET …:getIamPolicy`
pub(crate) async fn get(
    State(service): State<Arc<Service>>,
    OriginalUri(uri): OriginalUri,
    Path((project, region, name)): ByName,
) -> Result<Json<Value>, ApiFailure> {
    let (id, verb) = name.split_once(':').unwrap_or((&name, ""));
    let key = ClusterKey::new(&project, &region, id);
    let state = service.lock();
    let policy = state.policies.get(&key);
    let policy = policy.ok_or_else(|| not_found(&uri, &key))?;
    match verb {
        "" => Ok(Json(answer(&uri, &key, policy))),
        "getIamPolicy" => Ok(Json(policy.iam.clone())),
        other => Err(not_a_verb(other)),
    }
}

fn not_a_verb(verb: &str) -> ApiFailure {
    ApiFailure::not_emulated(&format!("the autoscaling policy call ':{verb}'"))
}

/// `PUT …/autoscalingPolicies/ID`: replaces all of it; its clusters follow from their next period on.
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
    let (told, mut policy) = accept(&body)?;
    if told != id {
        return Err(ApiFailure::invalid_field(
            "policy.id",
            format!("The id '{told}' is not the id '{id}' of the policy to update"),
        ));
    }
    let mut state = service.lock();
    let known = state.policies.get_mut(&key);
    let known = known.ok_or_else(|| not_found(&uri, &key))?;
    policy.iam = known.iam.take();
    *known = policy;
    let answer = answer(&uri, &key, known);
    drop(state);
    service.changed.notify_waiters();
    Ok(Json(answer))
}

/// `DELETE …/autoscalingPolicies/ID`; refused while a cluster uses it.
pub(crate) async fn delete(
    State(service): State<Arc<Service>>,
    OriginalUri(uri): OriginalUri,
    Path((project, region, id)): ByName,
) -> Result<Json<Value>, ApiFailure> {
    let key = ClusterKey::new(&project, &region, &id);
    let mut state = service.lock();
    if !state.policies.contains_key(&key) {
        return Err(not_found(&uri, &key));
    }
    let mut users = state.clusters.iter().filter(|(cluster, record)| {
        let at_home = cluster.project == project && cluster.region == region;
        at_home && record.policy() == Some(id.as_str())
    });
    if let Some((user, _)) = users.next() {
        let name = full_name(&uri, "autoscalingPolicies", &key);
        return Err(ApiFailure::new(
            Code::FailedPrecondition,
            format!(
                "Autoscaling policy '{name}' is in use by the cluster '{}' and can not be deleted",
                user.name
            ),
        ));
    }
    state.policies.remove(&key);
    Ok(Json(json!({})))
}

/// `POST …/autoscalingPolicies/ID:setIamPolicy` and the other verbs
///
/// Bindings are kept and given back; nobody is held to them.
pub(crate) async fn act(
    State(service): State<Arc<Service>>,
    OriginalUri(uri): OriginalUri,
    Path((project, region, name)): ByName,
    body: Bytes,
) -> Result<Json<Value>, ApiFailure> {
    let (id, verb) = name.split_once(':').unwrap_or((&name, ""));
    let key = ClusterKey::new(&project, &region, id);
    let mut body = read_json(&body)?;
    let mut state = service.lock();
    let policy = state.policies.get_mut(&key);
    let policy = policy.ok_or_else(|| not_found(&uri, &key))?;
    match verb {
        "getIamPolicy" => Ok(Json(policy.iam.clone())),
        "testIamPermissions" => match body.get("permissions").and_then(Value::as_array) {
            None => Ok(Json(json!({}))),
            Some(asked) => Ok(Json(json!({"permissions": asked}))),
        },
        "setIamPolicy" => {
            let mut iam = body["policy"].take();
            if !iam.is_object() {
                return Err(ApiFailure::invalid_field(
                    "policy",
                    "An IAM policy is required",
                ));
            }
            let seen = iam["etag"].as_str().unwrap_or_default();
            if !seen.is_empty() && Some(seen) != policy.iam["etag"].as_str() {
                return Err(ApiFailure::new(
                    Code::Aborted,
                    "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.",
                ));
            }
            let text = iam["bindings"].to_string();
            let number = crate::machines::number(&text).to_be_bytes();
            let etag = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, number);
            iam["etag"] = json!(etag);
            policy.iam = iam.clone();
            Ok(Json(iam))
        }
        other => Err(not_a_verb(other)),
    }
}
