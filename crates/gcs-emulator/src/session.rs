//! Resumable uploads: a session takes content in several requests, over several connections.
//!
//! Sessions live in memory: after a restart of the emulator their addresses answer 404 and clients begin again, as they
//! do with the real service after a week.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode, header};
use tokio::sync::OwnedMutexGuard;

use crate::call::{Call, ok};
use crate::failure::Failure;
use crate::incoming::Incoming;
use crate::object::{Attributes, Object};
use crate::store::Store;
use crate::upload::{Destination, next};

/// Every session that was started.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<HashMap<String, Arc<Session>>>);

#[derive(Debug)]
struct Session {
    destination: Destination,
    /// The size that the client announced.
    announced: Option<u64>,
    progress: Arc<tokio::sync::Mutex<Progress>>,
}

#[derive(Debug)]
enum Progress {
    Receiving(Incoming),
    Done(Arc<Object>),
    Cancelled,
}

impl Sessions {
    fn map<T>(&self, with: impl FnOnce(&mut HashMap<String, Arc<Session>>) -> T) -> T {
        with(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Starts a session and answers with its address.
pub(crate) async fn start(call: Call, bucket: String) -> Result<Response, Failure> {
    let base = call.base();
    let server = Arc::clone(&call.server);
    let media_type = call.header("x-upload-content-type").map(str::to_owned);
    let shell = Call {
        server: Arc::clone(&call.server),
        method: call.method.clone(),
        path: call.path.clone(),
        query: call.query.clone(),
        headers: call.headers.clone(),
        body: axum::body::Body::empty(),
    };
    let mut attributes = Attributes::read(&call.json().await?)?;
    let announced = shell
        .header("x-upload-content-length")
        .map(|text| {
            let wrong = |_| Failure::Invalid(format!("invalid X-Upload-Content-Length: {text}"));
            text.trim().parse().map_err(wrong)
        })
        .transpose()?;
    if attributes.content_type.is_none() {
        attributes.content_type = media_type;
    }
    let destination = Destination::new(&shell, bucket, attributes)?;
    destination.check_now(&server.store)?;
    let id = uuid::Uuid::new_v4().simple().to_string();
    let location = format!("{base}{}?uploadType=resumable&upload_id={id}", shell.path);
    let incoming = Incoming::below(&server.store.incoming());
    let session = Session {
        destination,
        announced,
        progress: Arc::new(tokio::sync::Mutex::new(Progress::Receiving(incoming))),
    };
    server
        .sessions
        .map(|sessions| sessions.insert(id.clone(), Arc::new(session)));
    let headers = [
        (header::LOCATION.as_str(), location),
        ("x-guploader-uploadid", id),
    ];
    Ok((headers, "").into_response())
}

/// More content, a question about the state, or the end of a session.
pub(crate) async fn continue_upload(call: Call, id: &str) -> Result<Response, Failure> {
    let session = call
        .server
        .sessions
        .map(|sessions| sessions.get(id).cloned())
        .ok_or_else(|| Failure::NotFound("No such upload session.".to_owned()))?;
    let mut progress = Arc::clone(&session.progress).lock_owned().await;
    if call.method == Method::DELETE {
        *progress = Progress::Cancelled;
        return Err(Failure::SessionCancelled);
    }
    let base = call.base();
    let answer = |object: &Object| ok(&object.resource(&session.destination.bucket, &base));
    let incoming = match &mut *progress {
        Progress::Done(object) => return Ok(answer(object)),
        Progress::Cancelled => return Err(Failure::SessionCancelled),
        Progress::Receiving(incoming) => incoming,
    };
    let range = ContentRange::parse(call.header(header::CONTENT_RANGE.as_str()))?;
    let total = match range {
        ContentRange::Question { total } | ContentRange::Bytes { total, .. } => total,
        ContentRange::Rest => None,
    };
    if let (Some(total), Some(announced)) = (total, session.announced)
        && total != announced
    {
        return Err(Failure::Invalid(format!(
            "Invalid request. According to the Content-Range header, the upload has {total} byte(s), which does not match the {announced} byte(s) specified earlier."
        )));
    }
    let whole = match range {
        ContentRange::Question { total } => total == Some(incoming.received()),
        ContentRange::Rest => {
            receive(call.body, incoming, 0, None).await?;
            true
        }
        ContentRange::Bytes { first, last, total } => {
            let length = (last + 1).saturating_sub(first);
            receive(call.body, incoming, first, Some(length)).await?;
            if total.is_some_and(|total| incoming.received() > total) {
                return Err(Failure::Invalid("more content than announced".to_owned()));
            }
            total == Some(incoming.received())
        }
    };
    if !whole {
        return Ok(incomplete(incoming.received()));
    }
    // In a task of its own: a client that goes away now must find the object when it asks again.
    let store = Arc::clone(&call.server.store);
    let finishing = tokio::spawn(finish(
        progress,
        session.destination.clone(),
        store,
        call.headers,
    ));
    let object = finishing
        .await
        .map_err(|error| Failure::Disk(std::io::Error::other(error)))??;
    Ok(answer(&object))
}

async fn finish(
    mut progress: OwnedMutexGuard<Progress>,
    destination: Destination,
    store: Arc<Store>,
    headers: HeaderMap,
) -> Result<Arc<Object>, Failure> {
    // Content that is refused ends its session.
    let Progress::Receiving(incoming) = std::mem::replace(&mut *progress, Progress::Cancelled)
    else {
        return Err(Failure::SessionCancelled);
    };
    let content = incoming.finish().await?;
    let object = destination.commit(store, content, &headers).await?;
    *progress = Progress::Done(Arc::clone(&object));
    Ok(object)
}

/// Takes a body that starts at `first`, passing over what is there already.
async fn receive(
    body: axum::body::Body,
    incoming: &mut Incoming,
    first: u64,
    length: Option<u64>,
) -> Result<(), Failure> {
    let mut known = incoming.received().checked_sub(first).ok_or_else(|| {
        Failure::Invalid("the range leaves a gap behind what was received".to_owned())
    })?;
    let mut seen = 0;
    let mut room = length.unwrap_or(u64::MAX);
    let mut stream = body.into_data_stream();
    while let Some(mut bytes) = next(&mut stream).await? {
        let size = bytes.len() as u64;
        seen += size;
        room = room
            .checked_sub(size)
            .ok_or_else(|| Failure::Invalid("more content than the range says".to_owned()))?;
        let skip = known.min(size);
        known -= skip;
        let fresh = bytes.split_off(usize::try_from(skip).unwrap_or(bytes.len()));
        if !fresh.is_empty() {
            incoming.push(fresh).await?;
        }
    }
    match length {
        Some(length) if seen < length => Err(Failure::Invalid(format!(
            "Invalid request. There were {seen} byte(s) in the request body. There should have been {length} byte(s) (starting at offset {first}) according to the Content-Range header."
        ))),
        _ => Ok(()),
    }
}

fn incomplete(received: u64) -> Response {
    let mut response = StatusCode::PERMANENT_REDIRECT.into_response();
    if let Some(last) = received.checked_sub(1)
        && let Ok(range) = format!("bytes=0-{last}").parse()
    {
        response.headers_mut().insert(header::RANGE, range);
    }
    response
}

/// What a `Content-Range` header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ContentRange {
    /// No header: the body is all that is left, from the start.
    Rest,
    /// `bytes */N` or `bytes */*`.
    Question { total: Option<u64> },
    /// `bytes A-B/N` or `bytes A-B/*`; `A-*` is not in use.
    Bytes {
        first: u64,
        last: u64,
        total: Option<u64>,
    },
}

impl ContentRange {
    fn parse(header: Option<&str>) -> Result<Self, Failure> {
        let Some(text) = header else {
            return Ok(Self::Rest);
        };
        Self::of(text).ok_or_else(|| Failure::Invalid(format!("invalid Content-Range: {text}")))
    }

    fn of(text: &str) -> Option<Self> {
        let (range, total) = text.trim().strip_prefix("bytes")?.trim().split_once('/')?;
        let total = match total {
            "*" => None,
            number => Some(number.parse().ok()?),
        };
        if range == "*" {
            return Some(Self::Question { total });
        }
        let (first, last) = range.split_once('-')?;
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        let inside = total.is_none_or(|total| last < total) && last < u64::MAX;
        (first <= last && inside).then_some(Self::Bytes { first, last, total })
    }
}

#[cfg(test)]
mod tests {
    use super::ContentRange;

    #[test]
    fn ranges_are_read_as_the_service_reads_them() {
        let check = |text: &str, expected: Option<ContentRange>| {
            assert_eq!(ContentRange::of(text), expected, "{text}");
        };
        let bytes = |first, last, total| Some(ContentRange::Bytes { first, last, total });
        check("bytes 0-9/*", bytes(0, 9, None));
        check("bytes 5-9/10", bytes(5, 9, Some(10)));
        check("bytes */*", Some(ContentRange::Question { total: None }));
        check("bytes */0", Some(ContentRange::Question { total: Some(0) }));
        check("bytes 9-5/10", None);
        check("bytes 5-10/10", None);
        check("bytes 0-18446744073709551615/*", None);
        check("items 0-9/10", None);
        check("bytes 0-9", None);
    }
}
