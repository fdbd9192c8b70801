//! Downloads, whole or in ranges.

use std::io::SeekFrom;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

use crate::call::{Call, blocking};
use crate::failure::Failure;
use crate::object::Object;
use crate::preconditions::Preconditions;

/// How much is read from the disk at once.
const PIECE: usize = 1 << 18;

/// The content of an object.
pub(crate) async fn media(call: Call, bucket: String, name: String) -> Result<Response, Failure> {
    let generation = call.query.number("generation")?;
    let store = Arc::clone(&call.server.store);
    let (object, file) = blocking(move || store.open_object(&bucket, &name, generation)).await?;
    Preconditions::from_query(&call.query)?.check_read(&object)?;
    let size = object.sums.size;
    let range = call
        .header(header::RANGE.as_str())
        .and_then(|text| wanted(text, size));
    let (first, length) = match range {
        Some(range) => range?,
        None => (0, size),
    };
    let mut response = Response::new(Body::empty());
    put_headers(&mut response, &object);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    if range_is_partial(&call, first, length, size) {
        let text = format!("bytes {first}-{}/{size}", first + length - 1);
        if let Ok(text) = text.parse() {
            headers.insert(header::CONTENT_RANGE, text);
        }
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    let mut file = tokio::fs::File::from_std(file);
    file.set_max_buf_size(PIECE);
    if first > 0 {
        file.seek(SeekFrom::Start(first)).await?;
    }
    *response.body_mut() = Body::from_stream(ReaderStream::with_capacity(file.take(length), PIECE));
    Ok(response)
}

fn range_is_partial(call: &Call, first: u64, length: u64, size: u64) -> bool {
    let asked = call
        .header(header::RANGE.as_str())
        .is_some_and(|text| wanted(text, size).is_some());
    asked && length > 0 && first + length <= size
}

/// Start and length of the wanted range; `None` for a header that makes no sense, which HTTP says to ignore.
fn wanted(header: &str, size: u64) -> Option<Result<(u64, u64), Failure>> {
    let (first, last) = header.trim().strip_prefix("bytes=")?.split_once('-')?;
    let (first, end) = match (first, last) {
        ("", suffix) => {
            let suffix: u64 = suffix.parse().ok()?;
            (size.saturating_sub(suffix), size)
        }
        (first, "") => (first.parse().ok()?, size),
        (first, last) => {
            let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
            if last < first {
                return None;
            }
            (first, last.saturating_add(1).min(size))
        }
    };
    Some(if first >= end {
        Err(Failure::RangeNotSatisfiable(size))
    } else {
        Ok((first, end - first))
    })
}

fn put_headers(response: &mut Response, object: &Object) {
    let attributes = &object.attributes;
    let mut hashes = format!("crc32c={}", object.sums.crc32c_text());
    if let Some(md5) = object.sums.md5_text() {
        hashes = format!("{hashes},md5={md5}");
    }
    let kind = attributes.content_type.clone();
    let text = |text: &Option<String>| text.clone();
    let fields = [
        (
            "content-type",
            Some(kind.unwrap_or_else(|| "application/octet-stream".to_owned())),
        ),
        ("content-disposition", text(&attributes.content_disposition)),
        ("content-language", text(&attributes.content_language)),
        ("cache-control", text(&attributes.cache_control)),
        ("accept-ranges", Some("bytes".to_owned())),
        ("etag", Some(object.etag())),
        (
            "last-modified",
            Some(
                object
                    .updated
                    .strftime("%a, %d %b %Y %H:%M:%S GMT")
                    .to_string(),
            ),
        ),
        ("x-goog-hash", Some(hashes)),
        ("x-goog-generation", Some(object.generation.to_string())),
        (
            "x-goog-metageneration",
            Some(object.metageneration.to_string()),
        ),
        (
            "x-goog-stored-content-length",
            Some(object.sums.size.to_string()),
        ),
        (
            "x-goog-stored-content-encoding",
            Some("identity".to_owned()),
        ),
        ("x-goog-storage-class", Some("STANDARD".to_owned())),
    ];
    for (name, value) in fields {
        if let Some(value) = value.and_then(|text| HeaderValue::from_str(&text).ok()) {
            response.headers_mut().insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::wanted;

    #[test]
    fn ranges_are_cut_at_the_end_of_the_object() {
        let check = |header: &str, expected: Option<Option<(u64, u64)>>| {
            assert_eq!(wanted(header, 10).map(Result::ok), expected, "{header}");
        };
        check("bytes=0-0", Some(Some((0, 1))));
        check("bytes=3-99", Some(Some((3, 7))));
        check("bytes=3-", Some(Some((3, 7))));
        check("bytes=-4", Some(Some((6, 4))));
        check("bytes=-40", Some(Some((0, 10))));
        check("bytes=10-", Some(None));
        check("bytes=-0", Some(None));
        check("bytes=5-3", None);
        check("pages=1-2", None);
        assert!(matches!(wanted("bytes=0-", 0), Some(Err(_))));
    }
}
