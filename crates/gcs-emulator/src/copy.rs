//! Objects made of objects: copy, rewrite, compose.

use std::fs::File;
use std::io::{self, Write as _};
use std::sync::Arc;

use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::BytesMut;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::buckets::refuse_acl;
use crate::call::{Call, blocking, ok};
use crate::disk::{SMALL, Stored};
use crate::failure::Failure;
use crate::incoming::{Content, Received, Temporary};
use crate::object::{Attributes, Checksums, Object};
use crate::preconditions::Preconditions;
use crate::store::{NewObject, Store};

/// The most sources of one composition, as in the real service.
const MOST_SOURCES: usize = 32;

/// What `maxBytesRewrittenPerCall` must be a multiple of.
const REWRITE_UNIT: u64 = 1 << 20;

/// `copyTo` and `rewriteTo`. A rewrite takes one call, unless the client wants fewer bytes in each.
pub(crate) async fn copy(
    call: Call,
    from: (String, String),
    to: (String, String),
    rewrite: bool,
) -> Result<Response, Failure> {
    refuse_acl(&call)?;
    let conditions = Preconditions::from_query(&call.query)?;
    let source_conditions = Preconditions::of_source(&call.query)?;
    let generation = call.query.number("sourceGeneration")?;
    let token = call.query.get("rewriteToken").map(str::to_owned);
    let most = call.query.number("maxBytesRewrittenPerCall")?;
    let most = most.map(|it| u64::try_from(it).unwrap_or(0));
    if most.is_some_and(|it| it == 0 || it % REWRITE_UNIT != 0) {
        return Err(Failure::Invalid(
            "maxBytesRewrittenPerCall must be a multiple of 1048576".to_owned(),
        ));
    }
    let base = call.base();
    let store = Arc::clone(&call.server.store);
    store.bucket(&to.0)?;
    let body: Value = call.json().await?;
    let change = Attributes::read(&body)?;
    let bucket = to.0.clone();
    let outcome = blocking(move || {
        let source = store.object(&from.0, &from.1, generation)?;
        source_conditions.check(Some(&source))?;
        let size = source.sums.size;
        let before = token.map(|it| read_token(&it, &source)).transpose()?;
        let done = before.unwrap_or(0).saturating_add(most.unwrap_or(size));
        if rewrite && done < size {
            let live = store.object(&to.0, &to.1, None).ok();
            conditions.check(live.as_deref())?;
            return Ok(Err((source, done)));
        }
        let received = store.duplicate(&from.0, &source)?;
        let new = NewObject {
            bucket: to.0,
            name: to.1,
            attributes: source.attributes.clone().patched(change),
            conditions,
            components: source.components,
        };
        store.commit(new, &received).map(Ok)
    })
    .await?;
    let object = match outcome {
        Ok(object) => object,
        Err((source, done)) => {
            return Ok(ok(&json!({
                "kind": "storage#rewriteResponse",
                "totalBytesRewritten": done.to_string(),
                "objectSize": source.sums.size.to_string(),
                "done": false,
                "rewriteToken": token_for(&source, done),
            })));
        }
    };
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

/// How far a rewrite has come, and of what: nothing of it is kept here.
fn token_for(source: &Object, done: u64) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("{} {done}", source.generation))
}

fn read_token(token: &str, source: &Object) -> Result<u64, Failure> {
    let text = BASE64_URL_SAFE_NO_PAD.decode(token).ok();
    let text = text.and_then(|text| String::from_utf8(text).ok());
    let done = text.as_ref().and_then(|text| {
        let (generation, done) = text.split_once(' ')?;
        let same = generation.parse() == Ok(source.generation);
        done.parse().ok().filter(|_| same)
    });
    done.ok_or_else(|| Failure::Invalid("Invalid rewrite token".to_owned()))
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Composition {
    source_objects: Vec<Source>,
    destination: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Source {
    name: String,
    generation: Option<Value>,
    object_preconditions: SourceConditions,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SourceConditions {
    if_generation_match: Option<Value>,
}

/// A 64-bit number, which JSON carries as text and some clients as a number.
fn number(value: Option<&Value>) -> Result<Option<i64>, Failure> {
    let read = |value: &Value| match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_i64(),
    };
    let wrong = || Failure::Invalid("invalid generation".to_owned());
    value.map(|it| read(it).ok_or_else(wrong)).transpose()
}

/// Joins up to 32 objects of one bucket.
pub(crate) async fn compose(call: Call, bucket: String, name: String) -> Result<Response, Failure> {
    refuse_acl(&call)?;
    let conditions = Preconditions::from_query(&call.query)?;
    let base = call.base();
    let store = Arc::clone(&call.server.store);
    store.bucket(&bucket)?;
    let wish: Composition = call.json().await?;
    if wish.source_objects.is_empty() {
        return Err(Failure::Required("sourceObjects"));
    }
    if wish.source_objects.len() > MOST_SOURCES {
        return Err(Failure::Invalid(format!(
            "The number of source components provided ({}) exceeds the maximum ({MOST_SOURCES})",
            wish.source_objects.len()
        )));
    }
    let attributes = match &wish.destination {
        Value::Null => Attributes::default(),
        given => Attributes::read(given)?,
    };
    let in_bucket = bucket.clone();
    let object = blocking(move || {
        let mut parts = Vec::with_capacity(wish.source_objects.len());
        let mut components = 0;
        for source in &wish.source_objects {
            let generation = number(source.generation.as_ref())?;
            let (object, stored) = store.open_object(&in_bucket, &source.name, generation)?;
            let wanted = source.object_preconditions.if_generation_match.as_ref();
            let conditions = Preconditions {
                generation: number(wanted)?,
                ..Preconditions::default()
            };
            conditions.check(Some(&object))?;
            components += object.components.unwrap_or(1);
            parts.push((object, stored));
        }
        let received = join(&store, parts)?;
        let new = NewObject {
            bucket: in_bucket,
            name,
            attributes,
            conditions,
            components: Some(components),
        };
        store.commit(new, &received)
    })
    .await?;
    Ok(ok(&object.resource(&bucket, &base)))
}

/// Writes contents one behind the other. Their CRC32Cs make the whole one, so the bytes stay in the kernel.
fn join(store: &Store, parts: Vec<(Arc<Object>, Stored)>) -> io::Result<Received> {
    let mut sums = Checksums {
        size: 0,
        crc32c: 0,
        md5: None,
    };
    for (object, _) in &parts {
        let length = usize::try_from(object.sums.size).map_err(io::Error::other)?;
        sums.crc32c = crc32c::crc32c_combine(sums.crc32c, object.sums.crc32c, length);
        sums.size += object.sums.size;
    }
    if sums.size <= SMALL {
        let mut whole = BytesMut::new();
        for (_, stored) in parts {
            match stored {
                Stored::Small(bytes) => whole.extend_from_slice(&bytes),
                Stored::File(_) => return Err(io::Error::other("a small object in two files")),
            }
        }
        let content = Content::Small(whole.freeze());
        return Ok(Received { content, sums });
    }
    let place = Temporary::below(&store.incoming());
    let mut out = File::create_new(place.path())?;
    for (_, stored) in parts {
        match stored {
            Stored::Small(bytes) => out.write_all(&bytes)?,
            Stored::File(mut part) => {
                io::copy(&mut part, &mut out)?;
            }
        }
    }
    if out.metadata()?.len() != sums.size {
        return Err(io::Error::other("a source changed its size"));
    }
    let content = Content::File(place);
    Ok(Received { content, sums })
}
