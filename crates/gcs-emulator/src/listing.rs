//! Lists of objects: by prefix, folded at a delimiter, in pages.

use std::sync::Arc;

use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;

use crate::call::{Call, ok};
use crate::failure::Failure;
use crate::glob::Glob;
use crate::object::Object;

/// `GET /storage/v1/b/B/o`.
pub(crate) fn list(call: &Call, bucket: &str) -> Result<Response, Failure> {
    let query = &call.query;
    if query.get("filter").is_some_and(|text| !text.is_empty()) {
        return Err(Failure::NotEmulated("list with `filter`".to_owned()));
    }
    if query.flag("softDeleted") {
        call.server.store.bucket(bucket)?;
        return Ok(ok(&json!({"kind": "storage#objects"})));
    }
    let given = |key: &str| query.get(key).filter(|text| !text.is_empty());
    let resume = given("pageToken").map(read_token).transpose()?;
    let wish = Wish {
        prefix: query.get("prefix").unwrap_or_default(),
        delimiter: given("delimiter"),
        trailing: query.flag("includeTrailingDelimiter"),
        start: given("startOffset").unwrap_or_default(),
        end: given("endOffset"),
        glob: given("matchGlob").map(Glob::parse).transpose()?,
        limit: query.page_size()?,
        versions: query.flag("versions"),
    };
    if query.flag("includeFoldersAsPrefixes") && wish.delimiter != Some("/") {
        return Err(Failure::Invalid(
            "includeFoldersAsPrefixes requires the delimiter to be '/'".to_owned(),
        ));
    }
    if wish.glob.is_some() && wish.delimiter.is_some_and(|it| it != "/") {
        return Err(Failure::Invalid(
            "matchGlob requires the delimiter to be '/'".to_owned(),
        ));
    }
    let mut page = Page::default();
    let (name, generation) = resume.unwrap_or_default();
    let first = wish.prefix.max(wish.start);
    let start = match name.as_str() {
        name if name < first => (first, 0),
        name => (name, generation),
    };
    let store = &call.server.store;
    if wish.versions {
        store.walk_versions(bucket, start, |object| page.take(&wish, object))?;
    } else {
        store.walk(bucket, start.0, |object| page.take(&wish, object))?;
    }
    let base = call.base();
    let items: Vec<_> = page
        .items
        .iter()
        .map(|it| it.resource(bucket, &base))
        .collect();
    let mut answer = json!({"kind": "storage#objects"});
    if !items.is_empty() {
        answer["items"] = items.into();
    }
    if !page.prefixes.is_empty() {
        answer["prefixes"] = page.prefixes.into();
    }
    if let Some((name, generation)) = page.next {
        let token = format!("{generation} {name}");
        answer["nextPageToken"] = BASE64_URL_SAFE_NO_PAD.encode(token).into();
    }
    Ok(ok(&answer))
}

/// A token is where the next page starts.
fn read_token(token: &str) -> Result<(String, i64), Failure> {
    let text = BASE64_URL_SAFE_NO_PAD.decode(token).ok();
    let text = text.and_then(|text| String::from_utf8(text).ok());
    let pair = text.as_ref().and_then(|text| {
        let (generation, name) = text.split_once(' ')?;
        Some((name.to_owned(), generation.parse().ok()?))
    });
    pair.ok_or_else(|| Failure::Invalid(format!("Invalid page token: {token}")))
}

#[derive(Clone, Debug)]
struct Wish<'a> {
    prefix: &'a str,
    delimiter: Option<&'a str>,
    trailing: bool,
    start: &'a str,
    end: Option<&'a str>,
    glob: Option<Glob>,
    limit: usize,
    versions: bool,
}

#[derive(Debug, Default)]
struct Page {
    items: Vec<Arc<Object>>,
    prefixes: Vec<String>,
    next: Option<(String, i64)>,
}

impl Page {
    /// Takes one object; false when the list is over.
    fn take(&mut self, wish: &Wish<'_>, object: &Arc<Object>) -> bool {
        let name = object.name.as_str();
        let Some(rest) = name.strip_prefix(wish.prefix) else {
            return false;
        };
        if wish.end.is_some_and(|end| name >= end) {
            return false;
        }
        let fits = |text: &str| wish.glob.as_ref().is_none_or(|glob| glob.fits(text));
        let folded = wish.delimiter.and_then(|delimiter| {
            let at = rest.find(delimiter)? + delimiter.len();
            name.get(..wish.prefix.len() + at)
        });
        let folded = folded.filter(|_| !(wish.glob.is_some() && fits(name)));
        let is_item = folded.is_none_or(|folded| wish.trailing && folded == name) && fits(name);
        let new_prefix = folded.filter(|folded| {
            self.prefixes.last().map(String::as_str) != Some(*folded) && fits(folded)
        });
        if !is_item && new_prefix.is_none() {
            return true;
        }
        if self.items.len() + self.prefixes.len() >= wish.limit {
            self.next = Some((name.to_owned(), object.generation));
            return false;
        }
        if is_item {
            self.items.push(Arc::clone(object));
        }
        if let Some(folded) = new_prefix {
            self.prefixes.push(folded.to_owned());
        }
        true
    }
}
