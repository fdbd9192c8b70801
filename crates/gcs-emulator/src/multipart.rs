//! Bodies of several parts: `multipart/related` as a stream, `multipart/mixed` at once.
//!
//! Google's older Python clients end lines with a bare line feed, the others as the standard says; the first boundary
//! decides which it is, because content may end in a carriage return of its own.

use bytes::Bytes;
use memchr::memmem;

use crate::failure::Failure;

/// The boundary named by a content type.
pub(crate) fn boundary(content_type: &str) -> Result<String, Failure> {
    content_type
        .split(';')
        .filter_map(|field| field.trim().split_once('='))
        .find(|(key, _)| key.trim().eq_ignore_ascii_case("boundary"))
        .map(|(_, value)| value.trim().trim_matches(['"', '\'']).to_owned())
        .filter(|boundary| !boundary.is_empty())
        .ok_or_else(|| Failure::Invalid("the content type names no boundary".to_owned()))
}

/// The first line of a multipart body: where what follows it starts, and how lines end.
fn opening(body: &[u8], boundary: &str) -> Option<(usize, &'static str)> {
    let line = format!("--{boundary}");
    let at = memmem::find(body, line.as_bytes())? + line.len();
    let end = at + memmem::find(body.get(at..)?, b"\n")?;
    let carriage = end.checked_sub(1).and_then(|before| body.get(before)) == Some(&b'\r');
    Some((end + 1, if carriage { "\r\n" } else { "\n" }))
}

/// The header lines of a part, and where its content starts.
fn headers(body: &[u8], from: usize) -> Option<(Vec<(String, String)>, usize)> {
    let mut fields = Vec::new();
    let mut at = from;
    loop {
        let length = memmem::find(body.get(at..)?, b"\n")?;
        let line = String::from_utf8_lossy(body.get(at..at + length)?);
        at += length + 1;
        match line.trim() {
            "" => return Some((fields, at)),
            line => {
                if let Some((key, value)) = line.split_once(':') {
                    fields.push((key.trim().to_ascii_lowercase(), value.trim().to_owned()));
                }
            }
        }
    }
}

/// One part of a body.
#[derive(Debug)]
pub(crate) struct Part {
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) content: Bytes,
}

impl Part {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// All parts of a body that is in memory.
pub(crate) fn parts(body: &Bytes, boundary: &str) -> Result<Vec<Part>, Failure> {
    let broken = || Failure::Invalid("the multipart body is broken".to_owned());
    let (mut at, newline) = opening(body, boundary).ok_or_else(broken)?;
    let delimiter = format!("{newline}--{boundary}");
    let mut parts = Vec::new();
    loop {
        let (headers, start) = headers(body, at).ok_or_else(broken)?;
        let rest = body.get(start..).ok_or_else(broken)?;
        let length = memmem::find(rest, delimiter.as_bytes()).ok_or_else(broken)?;
        parts.push(Part {
            headers,
            content: body.slice(start..start + length),
        });
        let after = start + length + delimiter.len();
        let rest = body.get(after..).unwrap_or_default();
        if rest.starts_with(b"--") || rest.is_empty() {
            return Ok(parts);
        }
        at = after + memmem::find(rest, b"\n").ok_or_else(broken)? + 1;
    }
}

/// The beginning of an upload: everything before the first byte of the object.
#[derive(Debug)]
pub(crate) struct UploadHead {
    /// The JSON of the first part.
    pub(crate) metadata: Bytes,
    /// The content type of the second part.
    pub(crate) content_type: Option<String>,
    /// Where the object's bytes start.
    pub(crate) start: usize,
    /// Ends the object's bytes.
    pub(crate) delimiter: Vec<u8>,
}

/// Reads the beginning of an upload; `None` when more bytes are needed.
pub(crate) fn upload_head(body: &Bytes, boundary: &str) -> Option<UploadHead> {
    let (at, newline) = opening(body, boundary)?;
    let delimiter = format!("{newline}--{boundary}").into_bytes();
    let (_, start) = headers(body, at)?;
    let end = start + memmem::find(body.get(start..)?, &delimiter)?;
    let next = end + delimiter.len();
    let next = next + memmem::find(body.get(next..)?, b"\n")? + 1;
    let (fields, media) = headers(body, next)?;
    Some(UploadHead {
        metadata: body.slice(start..end),
        content_type: fields
            .into_iter()
            .find(|(key, _)| key == "content-type")
            .map(|(_, value)| value),
        start: media,
        delimiter,
    })
}

/// Finds the end of a part in a stream, holding back only what may be the start of the delimiter.
#[derive(Debug)]
pub(crate) struct PartEnd {
    delimiter: memmem::Finder<'static>,
    held: Bytes,
    found: bool,
}

impl PartEnd {
    pub(crate) fn new(delimiter: &[u8]) -> Self {
        Self {
            delimiter: memmem::Finder::new(delimiter).into_owned(),
            held: Bytes::new(),
            found: false,
        }
    }

    /// Whether the part is over.
    pub(crate) const fn found(&self) -> bool {
        self.found
    }

    /// Takes the next piece of the stream; gives back up to two pieces that are content for certain.
    pub(crate) fn feed(&mut self, chunk: &Bytes) -> [Bytes; 2] {
        if self.found {
            return [Bytes::new(), Bytes::new()];
        }
        let keep = self.delimiter.needle().len() - 1;
        let mut window = self.held.to_vec();
        window.extend_from_slice(chunk.get(..keep).unwrap_or(chunk));
        if let Some(at) = self.delimiter.find(&window) {
            self.found = true;
            return [self.held.slice(..at), Bytes::new()];
        }
        if chunk.len() < keep {
            let window = Bytes::from(window);
            let certain = window.len().saturating_sub(keep);
            self.held = window.slice(certain..);
            return [window.slice(..certain), Bytes::new()];
        }
        let certain = match self.delimiter.find(chunk) {
            Some(at) => {
                self.found = true;
                at
            }
            None => chunk.len() - keep,
        };
        let held = std::mem::replace(&mut self.held, chunk.slice(certain..));
        [held, chunk.slice(..certain)]
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{PartEnd, boundary, parts, upload_head};

    #[test]
    fn the_boundary_is_found_quoted_or_not() {
        for text in [
            "multipart/related; boundary=x=y",
            "multipart/related; boundary=\"x=y\"",
            "multipart/related; type=a; Boundary='x=y'",
        ] {
            assert_eq!(boundary(text).expect("boundary"), "x=y", "{text}");
        }
        assert!(boundary("multipart/related").is_err());
    }

    fn upload(newline: &str, content: &str) -> String {
        format!(
            "--BB~Content-Type: application/json~~{{}}~--BB~Content-Type: text/x~~{content}~--BB--"
        )
        .replace('~', newline)
    }

    #[test]
    fn content_is_exact_however_the_stream_is_cut() {
        for newline in ["\r\n", "\n"] {
            for content in [
                "",
                "x",
                "\r",
                "\r\n",
                "\n--B",
                "\r\n--",
                "\r\n\r\n--B\r\n-",
                "--BB",
                "ends\r",
            ] {
                let body = Bytes::from(upload(newline, content));
                for cut in 1..body.len() {
                    let head = upload_head(&body, "BB").expect("head");
                    assert_eq!(head.content_type.as_deref(), Some("text/x"));
                    assert_eq!(head.metadata, "{}");
                    let mut end = PartEnd::new(&head.delimiter);
                    let mut seen = Vec::new();
                    for chunk in body.slice(head.start..).chunks(cut) {
                        for piece in end.feed(&Bytes::copy_from_slice(chunk)) {
                            seen.extend_from_slice(&piece);
                        }
                    }
                    assert!(end.found(), "{newline:?} {content:?} {cut}");
                    assert_eq!(String::from_utf8_lossy(&seen), content, "{cut}");
                }
            }
        }
    }

    #[test]
    fn an_upload_that_breaks_off_is_seen() {
        let body = Bytes::from(upload("\r\n", "content"));
        let head = upload_head(&body, "BB").expect("head");
        let mut end = PartEnd::new(&head.delimiter);
        end.feed(&body.slice(head.start..body.len() - 4));
        assert!(!end.found());
    }

    #[test]
    fn all_parts_of_a_batch_are_read() {
        let body = "--B~Content-ID: <1>~~DELETE /a~~~--B~Content-ID: <2>~~GET /b~~body~--B--~";
        for newline in ["\r\n", "\n"] {
            let body = Bytes::from(body.replace('~', newline));
            let parts = parts(&body, "B").expect("parts");
            let ids: Vec<_> = parts
                .iter()
                .filter_map(|part| part.header("content-id"))
                .collect();
            assert_eq!(ids, ["<1>", "<2>"]);
            assert!(parts.iter().any(|part| part.content.ends_with(b"body")));
        }
    }
}
