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
use crate::preconditions::Preconditions;
use crate::server::Server;
use crate::{batch, copy, download, listing, upload};

/// The largest body that is not an object's content.
const SMALL_BODY: usize = 32 << 20;

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
    match (call.method.as_str(), target) {
        ("POST", Target::Batch) => batch::run(call).await,
        ("POST", Target::Buckets) => create_bucket(call).await,
        ("GET", Target::Buckets) => list_buckets(&call),
        ("GET", Target::Bucket(name)) => {
            let record = call.server.store.bucket(&name)?;
            Ok(ok(&record.resource(&call.base())))
        }
        ("DELETE", Target::Bucket(name)) => {
            blocking(move || call.server.store.delete_bucket(&name)).await?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        ("GET", Target::StorageLayout(name)) => {
            let record = call.server.store.bucket(&name)?;
            Ok(ok(&json!({
                "kind": "storage#storageLayout",
                "bucket": name,
                "location": record.location,
                "locationType": "region",
                "hierarchicalNamespace": {"enabled": false},
            })))
        }
        ("GET", Target::Folders(name)) => {
            // No bucket here has any: `gcloud storage rm -r` asks before it deletes one.
            call.server.store.bucket(&name)?;
            Ok(ok(&json!({"items": []})))
        }
        ("GET", Target::Objects(bucket)) => listing::list(&call, &bucket),
        ("GET", Target::Download(bucket, name)) => download::media(call, bucket, name).await,
        ("GET", Target::Object(bucket, name)) if call.query.get("alt") == Some("media") => {
            download::media(call, bucket, name).await
        }
        ("GET", Target::Object(bucket, name)) => {
            let generation = call.query.number("generation")?;
            let object = call.server.store.object(&bucket, &name, generation)?;
            Preconditions::from_query(&call.query)?.check_read(&object)?;
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
        (_, Target::Upload(bucket)) => upload::upload(call, bucket).await,
        _ => Err(call.not_emulated()),
    }
}

async fn create_bucket(call: Call) -> Result<Response, Failure> {
    let base = call.base();
    let server = Arc::clone(&call.server);
    let body: Value = call.json().await?;
    let text = |key: &str| body.get(key).and_then(Value::as_str).map(str::to_owned);
    let name = text("name").ok_or_else(|| Failure::Invalid("Required: name".to_owned()))?;
    let location = text("location").unwrap_or_else(|| "US".to_owned());
    let record = blocking(move || {
        server
            .store
            .create_bucket(&name, &location.to_uppercase())?;
        server.store.bucket(&name)
    })
    .await?;
    Ok(ok(&record.resource(&base)))
}

fn list_buckets(call: &Call) -> Result<Response, Failure> {
    let prefix = call.query.get("prefix").unwrap_or_default();
    let base = call.base();
    let records = call.server.store.buckets(prefix);
    let items: Vec<_> = records.iter().map(|it| it.resource(&base)).collect();
    Ok(ok(&json!({"kind": "storage#buckets", "items": items})))
}

async fn patch(call: Call, bucket: String, name: String) -> Result<Response, Failure> {
    let conditions = Preconditions::from_query(&call.query)?;
    let replace = call.method == Method::PUT;
    let base = call.base();
    let store = Arc::clone(&call.server.store);
    let change: Attributes = call.json().await?;
    let in_bucket = bucket.clone();
    let object = blocking(move || {
        store.patch(&in_bucket, &name, conditions, |old| {
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
            .map_err(|_| Failure::BodyEndedEarly)?;
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
        .take(SMALL_BODY as u64)
        .read_to_end(&mut plain)
        .map_err(|_| {
            Failure::Invalid("the body is not the gzip that it claims to be".to_owned())
        })?;
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
