//! The calls on buckets.

use axum::response::{IntoResponse as _, Response};
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::call::{Call, blocking, ok};
use crate::failure::Failure;
use crate::object::refuse_unknown_effects;
use crate::preconditions::Preconditions;

/// What clients may set on a bucket, and is kept. Only `versioning` has an effect.
const KEPT: [&str; 7] = [
    "versioning",
    "labels",
    "storageClass",
    "iamConfiguration",
    "softDeletePolicy",
    "rpo",
    "cors",
];

/// What the service would act upon and the emulator does not.
const NOT_EMULATED: [&str; 12] = [
    "lifecycle",
    "retentionPolicy",
    "defaultEventBasedHold",
    "encryption",
    "logging",
    "website",
    "autoclass",
    "objectRetention",
    "customPlacementConfig",
    "ipFilter",
    "acl",
    "defaultObjectAcl",
];

const CLASSES: [&str; 7] = [
    "STANDARD",
    "NEARLINE",
    "COLDLINE",
    "ARCHIVE",
    "MULTI_REGIONAL",
    "REGIONAL",
    "DURABLE_REDUCED_AVAILABILITY",
];

/// The settings in a bucket resource that a client sent.
fn settings(body: &Value) -> Result<Map<String, Value>, Failure> {
    let fields = body
        .as_object()
        .ok_or_else(|| Failure::Invalid("Parse Error".to_owned()))?;
    refuse_unknown_effects(body, &NOT_EMULATED)?;
    if body["hierarchicalNamespace"]["enabled"] == json!(true) {
        return Err(Failure::NotEmulated("hierarchical namespaces".to_owned()));
    }
    let soft_delete = &body["softDeletePolicy"]["retentionDurationSeconds"];
    if ![json!(0), json!("0"), Value::Null].contains(soft_delete) {
        return Err(Failure::NotEmulated("soft delete".to_owned()));
    }
    if let Some(class) = body["storageClass"].as_str()
        && !CLASSES.contains(&class)
    {
        return Err(Failure::Invalid(format!("Invalid storage class {class}")));
    }
    let enabled = &body["versioning"]["enabled"];
    if !enabled.is_null() && !enabled.is_boolean() {
        return Err(Failure::Invalid(
            "Invalid value for: versioning.enabled".to_owned(),
        ));
    }
    let labels = body["labels"].as_object();
    if labels.is_some_and(|it| {
        it.values()
            .any(|value| !value.is_string() && !value.is_null())
    }) {
        return Err(Failure::Invalid("Invalid value for: labels".to_owned()));
    }
    let kept = fields
        .iter()
        .filter(|(key, _)| KEPT.contains(&key.as_str()));
    Ok(kept
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect())
}

/// `POST /storage/v1/b`
pub(crate) async fn insert(call: Call) -> Result<Response, Failure> {
    if call.query.get("project").is_none_or(str::is_empty) {
        return Err(Failure::Required("project"));
    }
    refuse_acl(&call)?;
    let base = call.base();
    let server = std::sync::Arc::clone(&call.server);
    let body: Value = call.json().await?;
    let mut settings = settings(&body)?;
    settings.retain(|_, value| !value.is_null());
    let name = body["name"].as_str().ok_or(Failure::Required("name"))?;
    let (name, location) = (name.to_owned(), body["location"].as_str().unwrap_or("US"));
    let location = location.to_uppercase();
    let record = blocking(move || server.store.make_bucket(&name, &location, settings)).await?;
    Ok(ok(&record.resource(&base)))
}

/// `GET /storage/v1/b`
pub(crate) fn list(call: &Call) -> Result<Response, Failure> {
    if call.query.get("project").is_none_or(str::is_empty) {
        return Err(Failure::Required("project"));
    }
    let prefix = call.query.get("prefix").unwrap_or_default();
    let after = call.query.get("pageToken").unwrap_or_default();
    let limit = call.query.page_size()?;
    let base = call.base();
    let mut records = call.server.store.buckets(prefix);
    records.retain(|record| record.name.as_str() > after);
    let more = records.len() > limit;
    records.truncate(limit);
    let mut answer = json!({"kind": "storage#buckets"});
    let items: Vec<_> = records.iter().map(|it| it.resource(&base)).collect();
    if !items.is_empty() {
        answer["items"] = items.into();
    }
    if let Some(last) = records.last().filter(|_| more) {
        answer["nextPageToken"] = last.name.clone().into();
    }
    Ok(ok(&answer))
}

/// `GET /storage/v1/b/B`
pub(crate) fn get(call: &Call, name: &str) -> Result<Response, Failure> {
    let record = call.server.store.bucket(name)?;
    Preconditions::from_query(&call.query)?.check_bucket(record.metageneration)?;
    Ok(ok(&record.resource(&call.base())))
}

/// `PATCH` and `PUT /storage/v1/b/B`
pub(crate) async fn patch(call: Call, name: String) -> Result<Response, Failure> {
    refuse_acl(&call)?;
    let conditions = Preconditions::from_query(&call.query)?;
    let replace = call.method == Method::PUT;
    let base = call.base();
    let server = std::sync::Arc::clone(&call.server);
    server.store.bucket(&name)?;
    let body: Value = call.json().await?;
    let change = settings(&body)?;
    let record = blocking(move || {
        server.store.patch_bucket(&name, conditions, |settings| {
            if replace {
                settings.clear();
            }
            for (key, value) in change {
                merge(settings, key, value);
            }
        })
    })
    .await?;
    Ok(ok(&record.resource(&base)))
}

/// JSON merge patch: objects are merged, null removes.
fn merge(into: &mut Map<String, Value>, key: String, value: Value) {
    match value {
        Value::Null => {
            into.remove(&key);
        }
        Value::Object(fields) => {
            let old = into.entry(key).or_insert_with(|| json!({}));
            if !old.is_object() {
                *old = json!({});
            }
            if let Some(old) = old.as_object_mut() {
                fields
                    .into_iter()
                    .for_each(|(key, value)| merge(old, key, value));
            }
        }
        other => {
            into.insert(key, other);
        }
    }
}

/// `DELETE /storage/v1/b/B`
pub(crate) async fn delete(call: Call, name: String) -> Result<Response, Failure> {
    let conditions = Preconditions::from_query(&call.query)?;
    blocking(move || call.server.store.delete_bucket(&name, conditions)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `GET /storage/v1/b/B/storageLayout`
pub(crate) fn layout(call: &Call, name: &str) -> Result<Response, Failure> {
    let record = call.server.store.bucket(name)?;
    Ok(ok(&json!({
        "kind": "storage#storageLayout",
        "bucket": name,
        "location": record.location,
        "locationType": "region",
        "hierarchicalNamespace": {"enabled": false},
    })))
}

/// `GET /storage/v1/b/B/iam`: nobody is denied anything, and one role says so.
pub(crate) fn policy(call: &Call, name: &str) -> Result<Response, Failure> {
    call.server.store.bucket(name)?;
    Ok(ok(&json!({
        "kind": "storage#policy",
        "resourceId": format!("projects/_/buckets/{name}"),
        "version": 1,
        "etag": "CAE=",
        "bindings": [{"role": "roles/storage.admin", "members": ["allUsers"]}],
    })))
}

/// `GET /storage/v1/b/B/iam/testPermissions`: whoever may call may do everything.
pub(crate) fn test_permissions(call: &Call, name: &str) -> Result<Response, Failure> {
    call.server.store.bucket(name)?;
    let wanted: Vec<&str> = call.query.all("permissions").collect();
    if wanted.is_empty() {
        return Err(Failure::Required("permissions"));
    }
    if let Some(odd) = wanted.iter().find(|it| !it.starts_with("storage.")) {
        return Err(Failure::Invalid(format!("Invalid permission: {odd}")));
    }
    Ok(ok(
        &json!({"kind": "storage#testIamPermissionsResponse", "permissions": wanted}),
    ))
}

/// `GET /storage/v1/projects/P/serviceAccount`
pub(crate) fn service_account(project: &str) -> Response {
    ok(&json!({
        "kind": "storage#serviceAccount",
        "email_address": format!("service-{project}@gs-project-accounts.iam.gserviceaccount.com"),
    }))
}

/// Every bucket has uniform access, so the service would refuse access lists.
pub(crate) fn refuse_acl(call: &Call) -> Result<(), Failure> {
    for key in [
        "predefinedAcl",
        "destinationPredefinedAcl",
        "predefinedDefaultObjectAcl",
    ] {
        if call.query.get(key).is_some() {
            return Err(Failure::Invalid(
                "Cannot use ACL API to update bucket policy when uniform bucket-level access is enabled."
                    .to_owned(),
            ));
        }
    }
    Ok(())
}
