//! Lists of objects: by prefix, folded at a delimiter, in pages.

use std::sync::Arc;

use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;

use crate::call::{Call, ok};
use crate::failure::Failure;
use crate::object::Object;

/// The longest page, as in the real service.
const PAGE: usize = 1000;

/// `GET /storage/v1/b/B/o`.
pub(crate) fn list(call: &Call, bucket: &str) -> Result<Response, Failure> {
    let query = &call.query;
    for unknown in ["matchGlob", "filter"] {
        if query.get(unknown).is_some_and(|text| !text.is_empty()) {
            return Err(Failure::NotEmulated(format!("list with `{unknown}`")));
        }
    }
    if query.flag("softDeleted") {
        call.server.store.bucket(bucket)?;
        return Ok(ok(&json!({"kind": "storage#objects"})));
    }
    let resume = query
        .get("pageToken")
        .filter(|token| !token.is_empty())
        .map(|token| {
            let name = BASE64_URL_SAFE_NO_PAD.decode(token).ok();
            name.and_then(|name| String::from_utf8(name).ok())
                .ok_or_else(|| Failure::Invalid("invalid pageToken".to_owned()))
        })
        .transpose()?;
    let limit = query.number("maxResults")?.unwrap_or(0);
    let limit = match usize::try_from(limit) {
        Ok(limit @ 1..PAGE) => limit,
        _ => PAGE,
    };
    let given = |key: &str| query.get(key).filter(|text| !text.is_empty());
    let wish = Wish {
        prefix: query.get("prefix").unwrap_or_default(),
        delimiter: given("delimiter"),
        trailing: query.flag("includeTrailingDelimiter"),
        start: given("startOffset").unwrap_or_default(),
        end: given("endOffset"),
        resume: resume.as_deref(),
        limit,
    };
    let mut page = Page::default();
    let start = wish.first_name();
    call.server
        .store
        .walk(bucket, start, |object| page.take(&wish, object))?;
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
    if let Some(next) = page.next {
        answer["nextPageToken"] = BASE64_URL_SAFE_NO_PAD.encode(next).into();
    }
    Ok(ok(&answer))
}

#[derive(Clone, Copy, Debug)]
struct Wish<'a> {
    prefix: &'a str,
    delimiter: Option<&'a str>,
    trailing: bool,
    start: &'a str,
    end: Option<&'a str>,
    resume: Option<&'a str>,
    limit: usize,
}

impl<'a> Wish<'a> {
    fn first_name(&self) -> &'a str {
        let resume = self.resume.unwrap_or_default();
        self.prefix.max(self.start).max(resume)
    }
}

#[derive(Debug, Default)]
struct Page {
    items: Vec<Arc<Object>>,
    prefixes: Vec<String>,
    next: Option<String>,
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
        let folded = wish.delimiter.and_then(|delimiter| {
            let at = rest.find(delimiter)? + delimiter.len();
            name.get(..wish.prefix.len() + at)
        });
        let is_item = folded.is_none_or(|folded| wish.trailing && folded == name);
        let new_prefix =
            folded.filter(|folded| self.prefixes.last().map(String::as_str) != Some(*folded));
        if !is_item && new_prefix.is_none() {
            return true;
        }
        if self.items.len() + self.prefixes.len() >= wish.limit {
            self.next = Some(name.to_owned());
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
