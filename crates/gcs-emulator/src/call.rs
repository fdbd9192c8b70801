//! One call: what is asked, of what, and who answers it.

use std::io::Read as _;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use flate2::read::GzDecoder;
use http::{HeaderMap, Method, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::object::Attributes;
use crate::path::{Query, Target};
use crate::preconditions::{Preconditions, check_etags};
use crate::server::Server;
use crate::{batch, buckets, copy, download, listing, upload, xml};

/// The largest body that is not an object's content.
const SMALL_BODY: usize = 10 << 20;

/// A request, taken apart.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) server: Arc<Server>,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
}

/// Answers any request.
pub(crate) async fn answer(server: &Arc<Server>, request: Request) -> Response {
    let method = request.method().clone();
    let uri = request.uri().clone();
    let response = match take_apart(Arc::clone(server), request) {
        Ok((target, call)) => route(target, call).await,
        Err(failure) => Err(failure),
    };
    let response = response.unwrap_or_else(IntoResponse::into_response);
    tracing::debug!(%method, %uri, status = response.status().as_u16(), "storage");
    response
}

fn take_apart(server: Arc<Server>, request: Request) -> Result<(Target, Call), Failure> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let target = Target::parse(&path)?;
    let method = match parts.method {
        Method::HEAD => Method::GET,
        other => other,
    };
    let call = Call {
        server,
        method,
        path,
        query: Query::parse(parts.uri.query().unwrap_or_default())?,
        headers: parts.headers,
        body,
    };
    Ok((target, call))
}

async fn route(target: Target, call: Call) -> Result<Response, Failure> {
    if call.headers.contains_key("x-goog-encryption-key") {
        return Err(Failure::NotEmulated("customer-supplied keys".to_owned()));
    }
    match (call.method.as_str(), target) {
        ("POST", Target::Batch) => batch::run(call).await,
        ("POST", Target::Buckets) => buckets::insert(call).await,
        ("GET", Target::Buckets) => buckets::list(&call),
        ("GET", Target::Bucket(name)) => buckets::get(&call, &name),
        ("PATCH" | "PUT", Target::Bucket(name)) => buckets::patch(call, name).await,
        ("DELETE", Target::Bucket(name)) => buckets::delete(call, name).await,
        ("GET", Target::StorageLayout(name)) => buckets::layout(&call, &name),
        ("GET", Target::Iam(name)) => buckets::policy(&call, &name),
        ("GET", Target::TestPermissions(name)) => buckets::test_permissions(&call, &name),
        ("GET", Target::ServiceAccount(project)) => Ok(buckets::service_account(&project)),
        ("GET", Target::Folders(name)) => {
            // No bucket here has any: `gcloud storage rm -r` asks before it deletes one.
            call.server.store.bucket(&name)?;
            Ok(ok(&json!({"items": []})))
        }
        ("GET", Target::Objects(bucket)) => listing::list(&call, &bucket),
        ("GET", Target::Download(bucket, name)) => download::media(call, bucket, name).await,
        ("GET", Target::Object(bucket, name)) if call.wants_media()? => {
            download::media(call, bucket, name).await
        }
        ("GET", Target::Object(bucket, name)) => {
            let generation = call.query.number("generation")?;
            let object = call.server.store.object(&bucket, &name, generation)?;
            Preconditions::from_query(&call.query)?.check_read(&object)?;
            check_etags(&call.headers, &object.etag())?;
            Ok(ok(&object.resource(&bucket, &call.base())))
        }
        ("DELETE", Target::Object(bucket, name)) => {
            let conditions = Preconditions::from_query(&call.query)?;
            let generation = call.query.number("generation")?;
            let store = Arc::clone(&call.server.store);
            blocking(move || store.delete(&bucket, &name, generation, conditions)).await?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        ("PATCH" | "PUT", Target::Object(bucket, name)) => patch(call, bucket, name).await,
        ("POST", Target::Copy { from, to, rewrite }) => copy::copy(call, from, to, rewrite).await,
        ("POST", Target::Compose(bucket, name)) => copy::compose(call, bucket, name).await,
        (_, Target::Xml(bucket, name)) => Ok(xml::object(call, bucket, name).await),
        (_, Target::Upload(bucket)) => upload::upload(call, bucket).await,
        _ => Err(call.not_emulated()),
    }
}

async fn patch(call: Call, bucket: String, name: String) -> Result<Response, Failure> {
    buckets::refuse_acl(&call)?;
    let generation = call.query.number("generation")?;
    let conditions = Preconditions::from_query(&call.query)?;
    let replace = call.method == Method::PUT;
    let base = call.base();
    let store = Arc::clone(&call.server.store);
    store.object(&bucket, &name, generation)?;
    let change = Attributes::read(&call.json().await?)?;
    let in_bucket = bucket.clone();
    let object = blocking(move || {
        store.patch(&in_bucket, &name, generation, conditions, |old| {
            if replace { change } else { old.patched(change) }
        })
    })
    .await?;
    Ok(ok(&object.resource(&bucket, &base)))
}

impl Call {
    /// The address under which this client reaches the emulator, without a slash at the end.
    pub(crate) fn base(&self) -> String {
        if let Some(url) = &self.server.public_url {
            return url.trim_end_matches('/').to_owned();
        }
        let host = self.header(header::HOST.as_str()).unwrap_or("127.0.0.1");
        let port = self.server.port;
        // Google's Rust client sends a Host without its port; whoever puts a proxy on port 80 sets the public address.
        let after_brackets = host.rsplit(']').next().unwrap_or_default();
        if after_brackets.contains(':') || port == 80 {
            format!("http://{host}")
        } else {
            format!("http://{host}:{port}")
        }
    }

    /// Whether the content is asked for, and not the resource.
    fn wants_media(&self) -> Result<bool, Failure> {
        match self.query.get("alt") {
            Some("media") => Ok(true),
            None | Some("json" | "") => Ok(false),
            Some(other) => Err(Failure::Invalid(format!("Invalid value for: alt: {other}"))),
        }
    }

    /// A header that is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The whole of a small body. Google's Java clients compress theirs.
    pub(crate) async fn small_body(self) -> Result<Bytes, Failure> {
        let compressed = self
            .header(header::CONTENT_ENCODING.as_str())
            .is_some_and(|coding| coding.eq_ignore_ascii_case("gzip"));
        let body = axum::body::to_bytes(self.body, SMALL_BODY)
            .await
            .map_err(|error| {
                let mut causes =
                    std::iter::successors(Some(&error as &dyn std::error::Error), |it| it.source());
                if causes.any(|it| it.to_string().contains("length limit")) {
                    Failure::TooLarge
                } else {
                    Failure::BodyEndedEarly
                }
            })?;
        if compressed { unpack(&body) } else { Ok(body) }
    }

    /// A small JSON body; an empty one is an empty object.
    pub(crate) async fn json<T: DeserializeOwned>(self) -> Result<T, Failure> {
        parse_json(&self.small_body().await?)
    }

    pub(crate) fn not_emulated(&self) -> Failure {
        Failure::NotEmulated(format!("{} {}", self.method, self.path))
    }
}

fn unpack(body: &[u8]) -> Result<Bytes, Failure> {
    let mut plain = Vec::new();
    GzDecoder::new(body)
        .take(SMALL_BODY as u64 + 1)
        .read_to_end(&mut plain)
        .map_err(|_| {
            Failure::Invalid("the body is not the gzip that it claims to be".to_owned())
        })?;
    if plain.len() > SMALL_BODY {
        return Err(Failure::TooLarge);
    }
    Ok(plain.into())
}

/// Reads JSON; nothing at all is an empty object.
pub(crate) fn parse_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    let body = if body.trim_ascii().is_empty() {
        b"{}"
    } else {
        body
    };
    serde_json::from_slice(body).map_err(|error| Failure::Invalid(format!("Parse Error: {error}")))
}

/// 200 with JSON.
pub(crate) fn ok(body: &Value) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json; charset=UTF-8")];
    (kind, body.to_string()).into_response()
}

/// Runs what touches the disk beside the network.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Failure::Disk(std::io::Error::other(error)))?
}
