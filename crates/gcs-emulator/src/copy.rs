//! Objects made of objects: copy, rewrite, compose.

use std::sync::Arc;

use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use crate::call::{Call, blocking, ok};
use crate::failure::Failure;
use crate::object::Attributes;
use crate::preconditions::Preconditions;

/// The most sources of one composition, as in the real service.
const MOST_SOURCES: usize = 32;

/// `copyTo` and `rewriteTo`; a rewrite is done at once, whatever the size.
pub(crate) async fn copy(
    call: Call,
    from: (String, String),
    to: (String, String),
    rewrite: bool,
) -> Result<Response, Failure> {
    let conditions = Preconditions::from_query(&call.query)?;
    let source_conditions = Preconditions::of_source(&call.query)?;
    let generation = call.query.number("sourceGeneration")?;
    let base = call.base();
    let store = Arc::clone(&call.server.store);
    let change: Attributes = call.json().await?;
    let bucket = to.0.clone();
    let object = blocking(move || {
        let source = store.object(&from.0, &from.1, generation)?;
        source_conditions.check(Some(&source))?;
        let content = store.duplicate(&from.0, &source)?;
        let attributes = source.attributes.clone().patched(change);
        store.commit(
            &to.0,
            &to.1,
            &content,
            attributes,
            conditions,
            source.components,
        )
    })
    .await?;
    let resource = object.resource(&bucket, &base);
    if !rewrite {
        return Ok(ok(&resource));
    }
    let size = object.sums.size.to_string();
    Ok(ok(&json!({
        "kind": "storage#rewriteResponse",
        "totalBytesRewritten": size,
        "objectSize": size,
        "done": true,
        "resource": resource,
    })))
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Composition {
    source_objects: Vec<Source>,
    destination: Attributes,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Source {
    name: String,
    generation: Option<String>,
    object_preconditions: SourceConditions,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SourceConditions {
    if_generation_match: Option<String>,
}

/// Joins up to 32 objects of one bucket.
pub(crate) async fn compose(call: Call, bucket: String, name: String) -> Result<Response, Failure> {
    let conditions = Preconditions::from_query(&call.query)?;
    let base = call.base();
    let store = Arc::clone(&call.server.store);
    let wish: Composition = call.json().await?;
    if wish.source_objects.is_empty() || wish.source_objects.len() > MOST_SOURCES {
        return Err(Failure::Invalid(format!(
            "The number of source components provided ({}) must be 1 to {MOST_SOURCES}",
            wish.source_objects.len()
        )));
    }
    let in_bucket = bucket.clone();
    let object = blocking(move || {
        let mut files = Vec::with_capacity(wish.source_objects.len());
        let mut components = 0;
        for source in &wish.source_objects {
            let number = |text: &Option<String>| {
                let text = text.as_deref();
                text.map(str::parse)
                    .transpose()
                    .map_err(|_| Failure::Invalid("invalid generation".to_owned()))
            };
            let generation = number(&source.generation)?;
            let (object, file) = store.open_object(&in_bucket, &source.name, generation)?;
            let conditions = Preconditions {
                generation: number(&source.object_preconditions.if_generation_match)?,
                ..Preconditions::default()
            };
            conditions.check(Some(&object))?;
            components += object.components.unwrap_or(1);
            files.push(file);
        }
        let content = store.concatenate(files)?;
        let attributes = wish.destination;
        store.commit(
            &in_bucket,
            &name,
            &content,
            attributes,
            conditions,
            Some(components),
        )
    })
    .await?;
    Ok(ok(&object.resource(&bucket, &base)))
}
