//! Several calls in one request, as Google's Java clients send them.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Method, Request, Uri, header};

use crate::call::{self, Call};
use crate::failure::Failure;
use crate::multipart::{self, Part};
use crate::server::Server;

/// The most calls in one batch, as in the real service.
const MOST_CALLS: usize = 100;

/// The longest answer of one call of a batch: only metadata comes this way.
const LONGEST_ANSWER: usize = 64 << 20;

/// Runs the calls of a batch one behind the other.
pub(crate) async fn run(call: Call) -> Result<Response, Failure> {
    let kind = call.header(header::CONTENT_TYPE.as_str());
    let boundary = multipart::boundary(kind.unwrap_or_default())?;
    let host = call.header(header::HOST.as_str()).map(str::to_owned);
    let server = Arc::clone(&call.server);
    let parts = multipart::parts(&call.small_body().await?, &boundary)?;
    if parts.len() > MOST_CALLS {
        return Err(Failure::Invalid(format!(
            "a batch has at most {MOST_CALLS} calls"
        )));
    }
    let boundary = format!("batch_{}", uuid::Uuid::new_v4().simple());
    let mut answer = Vec::new();
    for part in &parts {
        let response = match request(part, host.as_deref()) {
            Ok(request) => one(Arc::clone(&server), request).await,
            Err(failure) => failure.into_response(),
        };
        write_part(&mut answer, &boundary, part.header("content-id"), response).await?;
    }
    answer.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    let kind = format!("multipart/mixed; boundary={boundary}");
    Ok(([(header::CONTENT_TYPE, kind)], answer).into_response())
}

/// Boxed, because a call may be a batch and a batch is made of calls; a batch in a batch is refused.
fn one(server: Arc<Server>, request: Request<Body>) -> BoxFuture<'static, Response> {
    Box::pin(async move {
        if request.uri().path().starts_with("/batch") {
            return Failure::Invalid("a batch holds no batches".to_owned()).into_response();
        }
        call::answer(&server, request).await
    })
}

fn request(part: &Part, host: Option<&str>) -> Result<Request<Body>, Failure> {
    let broken = || Failure::Invalid("a call of the batch is broken".to_owned());
    let text = &part.content;
    let (head, body) = split_head(text);
    let head = std::str::from_utf8(&head).map_err(|_| broken())?.to_owned();
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or_default().split_whitespace();
    let method: Method = words
        .next()
        .and_then(|word| word.parse().ok())
        .ok_or_else(broken)?;
    let uri: Uri = words
        .next()
        .and_then(|word| word.parse().ok())
        .ok_or_else(broken)?;
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if !name.eq_ignore_ascii_case("host") {
            request = request.header(name.trim(), value.trim());
        }
    }
    if let Some(host) = host {
        request = request.header(header::HOST, host);
    }
    request.body(Body::from(body)).map_err(|_| broken())
}

/// Cuts a request at its empty line; without one it is all head.
fn split_head(text: &Bytes) -> (Bytes, Bytes) {
    for empty in [&b"\r\n\r\n"[..], b"\n\n"] {
        if let Some(at) = memchr::memmem::find(text, empty) {
            return (text.slice(..at), text.slice(at + empty.len()..));
        }
    }
    (text.clone(), Bytes::new())
}

async fn write_part(
    answer: &mut Vec<u8>,
    boundary: &str,
    id: Option<&str>,
    response: Response,
) -> Result<(), Failure> {
    let (head, body) = response.into_parts();
    let body = axum::body::to_bytes(body, LONGEST_ANSWER)
        .await
        .map_err(|_| Failure::Invalid("a batch does not carry content".to_owned()))?;
    let mut text = format!("--{boundary}\r\nContent-Type: application/http\r\n");
    if let Some(id) = id {
        let id = id.trim_start_matches('<').trim_end_matches('>');
        let _ = write!(text, "Content-ID: <response-{id}>\r\n");
    }
    let _ = write!(text, "\r\nHTTP/1.1 {}\r\n", head.status);
    for (name, value) in &head.headers {
        if let Ok(value) = value.to_str()
            && name != header::CONTENT_LENGTH
        {
            let _ = write!(text, "{name}: {value}\r\n");
        }
    }
    let _ = write!(text, "Content-Length: {}\r\n\r\n", body.len());
    answer.extend_from_slice(text.as_bytes());
    answer.extend_from_slice(&body);
    answer.extend_from_slice(b"\r\n");
    Ok(())
}
