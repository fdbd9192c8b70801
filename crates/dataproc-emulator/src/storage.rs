//! What the service itself writes to Cloud Storage: driver output and diagnoses.

use std::fmt;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::json;

use crate::clock::real_sleep;

/// How often a call is made before it is given up, and the first pause between two; each next is twice as long.
const ATTEMPTS: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// How long one call may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client of the Cloud Storage that clusters use; plain HTTP, as an emulator speaks it. Clones share connections.
#[derive(Clone)]
pub(crate) struct Storage {
    endpoint: String,
    token: Option<String>,
    client: Client<HttpConnector, Body>,
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Storage")
            .field("endpoint", &self.endpoint)
            .field("token", &self.token.as_ref().map(|_| "***"))
            .finish_non_exhaustive()
    }
}

/// Why something was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StorageError {
    /// The server answered, and refused.
    #[error("Cloud Storage answered {status} to {method} {path}")]
    Refused {
        status: StatusCode,
        method: Method,
        path: String,
    },
    /// Nobody answered.
    #[error("Cloud Storage did not answer {method} {path}: {detail}")]
    Unreachable {
        method: Method,
        path: String,
        detail: String,
    },
}

impl Storage {
    pub(crate) fn new(endpoint: &str, token: Option<String>) -> Self {
        Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            token,
            client: Client::builder(TokioExecutor::new()).build(HttpConnector::new()),
        }
    }

    /// Makes a bucket unless it is there. Idempotent.
    pub(crate) async fn make_bucket(
        &self,
        project: &str,
        region: &str,
        name: &str,
    ) -> Result<(), StorageError> {
        let path = format!("/storage/v1/b?project={}", encode(project));
        let body = json!({"name": name, "location": region}).to_string();
        self.post(&path, "application/json", &body.into()).await
    }

    /// Writes an object, an earlier one of the name too. Idempotent.
    pub(crate) async fn put(
        &self,
        bucket: &str,
        object: &str,
        kind: &str,
        content: &Bytes,
    ) -> Result<(), StorageError> {
        let (bucket, object) = (encode(bucket), encode(object));
        let path = format!("/upload/storage/v1/b/{bucket}/o?uploadType=media&name={object}");
        self.post(&path, kind, content).await
    }

    /// Makes a call until it is answered; that something is there already is as good.
    async fn post(&self, path: &str, kind: &str, body: &Bytes) -> Result<(), StorageError> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..ATTEMPTS {
            match self.post_once(path, kind, body).await {
                Ok(()) => return Ok(()),
                Err(StorageError::Refused { status, .. }) if status == StatusCode::CONFLICT => {
                    return Ok(());
                }
                Err(error @ StorageError::Refused { .. }) if !error.may_pass() => {
                    return Err(error);
                }
                Err(error) => tracing::debug!(%error, "once more"),
            }
            real_sleep(pause).await;
            pause *= 2;
        }
        self.post_once(path, kind, body).await
    }

    async fn post_once(&self, path: &str, kind: &str, body: &Bytes) -> Result<(), StorageError> {
        let method = Method::POST;
        let unreachable = |detail: String| StorageError::Unreachable {
            method: Method::POST,
            path: path.to_owned(),
            detail,
        };
        let mut request = Request::post(format!("{}{path}", self.endpoint))
            .header(header::CONTENT_TYPE, kind)
            .header(header::CONTENT_LENGTH, body.len());
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request
            .body(Body::from(body.clone()))
            .map_err(|error| unreachable(error.to_string()))?;
        let answer = tokio::select! {
            answer = self.client.request(request) => answer,
            () = real_sleep(PATIENCE) => return Err(unreachable("it took too long".to_owned())),
        };
        let answer = answer.map_err(|error| unreachable(error.to_string()))?;
        let status = answer.status();
        // Read to the end, so that the connection can be used again.
        axum::body::to_bytes(Body::new(answer.into_body()), 1 << 20)
            .await
            .map_err(|error| unreachable(error.to_string()))?;
        if status.is_success() {
            return Ok(());
        }
        Err(StorageError::Refused {
            status,
            method,
            path: path.to_owned(),
        })
    }
}

impl StorageError {
    const fn may_pass(&self) -> bool {
        match self {
            Self::Refused { status, .. } => {
                status.as_u16() == 408 || status.as_u16() == 429 || status.as_u16() >= 500
            }
            Self::Unreachable { .. } => true,
        }
    }
}

/// Bucket and object of a `gs://` URI.
pub(crate) fn split_uri(uri: &str) -> Option<(&str, &str)> {
    let (bucket, object) = uri.strip_prefix("gs://")?.split_once('/')?;
    (!bucket.is_empty()).then_some((bucket, object))
}

/// Percent-encodes a name for a URL.
fn encode(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::{encode, split_uri};

    #[test]
    fn names_are_encoded_and_uris_taken_apart() {
        assert_eq!(encode("a/b c.é"), "a%2Fb%20c.%C3%A9");
        assert_eq!(split_uri("gs://b/o/p"), Some(("b", "o/p")));
        assert_eq!(split_uri("gs:///o"), None);
        assert_eq!(split_uri("file:///o"), None);
    }
}
