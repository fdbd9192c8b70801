//! Downloads, whole or in ranges.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use flate2::read::MultiGzDecoder;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use tokio::sync::mpsc;

use crate::call::{Call, blocking};
use crate::disk::Stored;
use crate::failure::Failure;
use crate::object::Object;
use crate::preconditions::{Preconditions, check_etags};

/// How much is read from the disk at once.
const PIECE: usize = 1 << 18;

/// How many pieces wait for the network: the memory of one download is so many and the two in work.
const AHEAD: usize = 4;

/// The content of an object.
pub(crate) async fn media(call: Call, bucket: String, name: String) -> Result<Response, Failure> {
    let generation = call.query.number("generation")?;
    let store = Arc::clone(&call.server.store);
    let (object, stored) = blocking(move || store.open_object(&bucket, &name, generation)).await?;
    Preconditions::from_query(&call.query)?.check_read(&object)?;
    check_etags(&call.headers, &object.etag())?;
    let mut response = Response::new(Body::empty());
    put_object_headers(&mut response, &object);
    if must_unpack(&object, &call.headers) {
        let headers = response.headers_mut();
        headers.remove(header::CONTENT_ENCODING);
        headers.remove(header::ACCEPT_RANGES);
        headers.insert(
            header::WARNING,
            HeaderValue::from_static("214 UploadServer gunzipped"),
        );
        *response.body_mut() = match stored {
            Stored::Small(bytes) => stream(MultiGzDecoder::new(io::Cursor::new(bytes))),
            Stored::File(file) => stream(MultiGzDecoder::new(file)),
        };
        return Ok(response);
    }
    let size = object.sums.size;
    let range = call
        .header(header::RANGE.as_str())
        .and_then(|text| wanted(text, size));
    let (first, length) = match range {
        Some(range) => {
            let (first, length) = range?;
            let text = format!("bytes {first}-{}/{size}", first + length - 1);
            if let Ok(text) = text.parse() {
                response.headers_mut().insert(header::CONTENT_RANGE, text);
            }
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            (first, length)
        }
        None => (0, size),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    *response.body_mut() = match stored {
        Stored::Small(bytes) => Body::from(cut(&bytes, first, length)),
        Stored::File(mut file) => {
            file.seek(SeekFrom::Start(first))?;
            stream(FilePart { file, left: length })
        }
    };
    Ok(response)
}

fn cut(bytes: &Bytes, first: u64, length: u64) -> Bytes {
    let at = |number: u64| usize::try_from(number).map_or(bytes.len(), |it| it.min(bytes.len()));
    bytes.slice(at(first)..at(first + length))
}

/// So many bytes of a file from where it stands. It ends early with an error, so that nobody takes a part for the whole.
#[derive(Debug)]
struct FilePart {
    file: File,
    left: u64,
}

impl Read for FilePart {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).map_or(buffer.len(), |it| it.min(buffer.len()));
        let Some(buffer) = buffer.get_mut(..most).filter(|it| !it.is_empty()) else {
            return Ok(0);
        };
        let read = self.file.read(buffer)?;
        self.left -= read as u64;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(read)
    }
}

/// Reads beside the network, a few pieces ahead of it.
fn stream(mut from: impl Read + Send + 'static) -> Body {
    let (sender, receiver) = mpsc::channel(AHEAD);
    tokio::task::spawn_blocking(move || {
        loop {
            let piece = read_piece(&mut from);
            let last = !matches!(&piece, Ok(piece) if !piece.is_empty());
            let over = matches!(&piece, Ok(piece) if piece.is_empty());
            // A client that went away wants no more.
            if over || sender.blocking_send(piece).is_err() || last {
                return;
            }
        }
    });
    let pieces = futures::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|piece| (piece, receiver))
    });
    Body::from_stream(pieces)
}

fn read_piece(from: &mut impl Read) -> io::Result<Bytes> {
    let mut piece = BytesMut::zeroed(PIECE);
    let mut filled = 0;
    while let Some(room) = piece.get_mut(filled..).filter(|room| !room.is_empty()) {
        match from.read(room) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    piece.truncate(filled);
    Ok(piece.freeze())
}

/// Whether stored gzip is undone for this client: ranges are then ignored, as by the service.
fn must_unpack(object: &Object, headers: &HeaderMap) -> bool {
    let has = |text: Option<&str>, word: &str| {
        text.is_some_and(|text| {
            let mut words = text.split([',', ';']);
            words.any(|it| it.trim().eq_ignore_ascii_case(word))
        })
    };
    let accepted = headers.get(header::ACCEPT_ENCODING);
    let accepted = accepted.and_then(|it| it.to_str().ok());
    has(object.attributes.content_encoding.as_deref(), "gzip")
        && !has(object.attributes.cache_control.as_deref(), "no-transform")
        && !has(accepted, "gzip")
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

/// What the service tells of an object in the headers of an answer.
pub(crate) fn put_object_headers(response: &mut Response, object: &Object) {
    let attributes = &object.attributes;
    let encoding = attributes.content_encoding.as_deref();
    let kind = attributes.content_type.as_deref();
    let class = attributes.storage_class.as_deref();
    let date = object.updated.strftime("%a, %d %b %Y %H:%M:%S GMT");
    let fields = [
        (
            "content-type",
            Some(kind.unwrap_or("application/octet-stream")),
        ),
        ("content-encoding", encoding),
        (
            "content-disposition",
            attributes.content_disposition.as_deref(),
        ),
        ("content-language", attributes.content_language.as_deref()),
        ("cache-control", attributes.cache_control.as_deref()),
        ("accept-ranges", Some("bytes")),
        ("etag", Some(&object.etag())),
        ("last-modified", Some(&date.to_string())),
        ("x-goog-generation", Some(&object.generation.to_string())),
        (
            "x-goog-metageneration",
            Some(&object.metageneration.to_string()),
        ),
        (
            "x-goog-stored-content-length",
            Some(&object.sums.size.to_string()),
        ),
        (
            "x-goog-stored-content-encoding",
            Some(encoding.unwrap_or("identity")),
        ),
        ("x-goog-storage-class", Some(class.unwrap_or("STANDARD"))),
    ];
    let headers = response.headers_mut();
    for (name, value) in fields {
        if let Some(value) = value.and_then(|text| HeaderValue::from_str(text).ok()) {
            headers.insert(name, value);
        }
    }
    let mut hashes = format!("crc32c={}", object.sums.crc32c_text());
    if let Some(md5) = object.sums.md5_text() {
        hashes = format!("{hashes},md5={md5}");
    }
    if let Ok(hashes) = hashes.parse() {
        headers.insert("x-goog-hash", hashes);
    }
    for (key, value) in attributes.metadata.iter().flatten() {
        let name: Result<header::HeaderName, _> = format!("x-goog-meta-{key}").parse();
        if let (Ok(name), Some(Ok(value))) = (name, value.as_deref().map(HeaderValue::from_str)) {
            headers.insert(name, value);
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
        check("bytes=0-1,3-4", None);
        check("pages=1-2", None);
        assert!(matches!(wanted("bytes=0-", 0), Some(Err(_))));
    }
}
