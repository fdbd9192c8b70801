//! The few calls of the XML API that signed addresses and plain downloads use: `GET`, `HEAD`, `PUT` and `DELETE` of one object.
//!
//! Nobody's signature is checked. Failures come as XML, in the service's own words for them.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, Method, StatusCode, header};

use crate::call::{Call, blocking};
use crate::download;
use crate::failure::Failure;
use crate::object::Attributes;
use crate::path::Query;
use crate::preconditions::Preconditions;
use crate::upload;

/// Answers a call on one object.
pub(crate) async fn object(call: Call, bucket: String, name: String) -> Response {
    let outcome = match call.method {
        Method::GET => download::media(call, bucket, name).await,
        Method::PUT => put(call, bucket, name).await,
        Method::DELETE => delete(call, bucket, name).await,
        _ => Err(call.not_emulated()),
    };
    outcome.unwrap_or_else(|failure| refuse(&failure))
}

/// What in the JSON API is a parameter is a header here.
fn conditions(call: &Call) -> Result<Preconditions, Failure> {
    let number = |name: &str| {
        let wrong = |_| Failure::Invalid(format!("invalid {name}"));
        let text = call.header(name);
        text.map(|text| text.parse().map_err(wrong)).transpose()
    };
    Ok(Preconditions {
        generation: number("x-goog-if-generation-match")?,
        metageneration: number("x-goog-if-metageneration-match")?,
        ..Preconditions::default()
    })
}

fn attributes(call: &Call) -> Attributes {
    let text = |name: &str| call.header(name).map(str::to_owned);
    let metadata = call.headers.iter().filter_map(|(key, value)| {
        let key = key.as_str().strip_prefix("x-goog-meta-")?;
        Some((key.to_owned(), Some(value.to_str().ok()?.to_owned())))
    });
    let metadata: BTreeMap<_, _> = metadata.collect();
    Attributes {
        content_type: text("content-type"),
        content_encoding: text("content-encoding"),
        content_disposition: text("content-disposition"),
        content_language: text("content-language"),
        cache_control: text("cache-control"),
        storage_class: text("x-goog-storage-class"),
        metadata: Some(metadata).filter(|it| !it.is_empty()),
        ..Attributes::default()
    }
}

async fn put(mut call: Call, bucket: String, name: String) -> Result<Response, Failure> {
    if call.header("x-goog-copy-source").is_some() {
        return Err(Failure::NotEmulated("a copy by the XML API".to_owned()));
    }
    let conditions = conditions(&call)?;
    let attributes = attributes(&call);
    attributes.check_metadata()?;
    let destination = upload::Destination {
        bucket,
        name,
        attributes,
        conditions,
    };
    call.query = Query::default();
    let object = upload::whole(call, destination).await?;
    let mut response = Response::new(Body::empty());
    download::put_object_headers(&mut response, &object);
    response.headers_mut().remove(header::CONTENT_TYPE);
    Ok(response)
}

async fn delete(call: Call, bucket: String, name: String) -> Result<Response, Failure> {
    let conditions = conditions(&call)?;
    let generation = call.query.number("generation")?;
    blocking(move || {
        call.server
            .store
            .delete(&bucket, &name, generation, conditions)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn refuse(failure: &Failure) -> Response {
    let (status, _) = failure.status();
    let message = failure.message();
    let code = match failure {
        Failure::NotFound(text) if text.contains("bucket") && !text.contains('/') => "NoSuchBucket",
        Failure::NotFound(_) => "NoSuchKey",
        Failure::PreconditionFailed => "PreconditionFailed",
        Failure::RangeNotSatisfiable(_) => "InvalidRange",
        Failure::NotEmulated(_) => "NotImplemented",
        Failure::Disk(_) => "InternalError",
        _ => "InvalidArgument",
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    if status == StatusCode::NOT_MODIFIED {
        return response;
    }
    let kind = HeaderValue::from_static("application/xml; charset=UTF-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    let message = message
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let text = format!(
        "<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    *response.body_mut() = Body::from(text);
    response
}
