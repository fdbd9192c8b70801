//! Paging: `pageSize`, `pageToken` and `nextPageToken`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::failure::ApiFailure;

const MOST: usize = 1000;

/// The query of a list call.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ListQuery {
    pub(crate) filter: String,
    #[serde(alias = "page_size")]
    page_size: i64,
    #[serde(alias = "page_token")]
    page_token: String,
}

/// One page of `items`, which come in the order of their keys; a token names the last key of the page before.
pub(crate) fn page(
    list: &str,
    items: impl Iterator<Item = (String, Value)>,
    query: &ListQuery,
) -> Result<Value, ApiFailure> {
    let size = match query.page_size {
        0 => MOST,
        size => usize::try_from(size).map_err(|_| {
            ApiFailure::invalid_field("page_size", format!("Invalid page size {size}"))
        })?,
    };
    let after = after(&query.page_token)?;
    let mut items = items
        .skip_while(|(key, _)| !after.is_empty() && *key <= after)
        .peekable();
    let mut page = Vec::new();
    let mut last = String::new();
    while page.len() < size.min(MOST) {
        let Some((key, item)) = items.next() else {
            break;
        };
        last = key;
        page.push(item);
    }
    let mut answer = json!({});
    if items.peek().is_some() {
        answer["nextPageToken"] = json!(URL_SAFE_NO_PAD.encode(last));
    }
    if !page.is_empty() {
        answer[list] = Value::Array(page);
    }
    Ok(answer)
}

fn after(token: &str) -> Result<String, ApiFailure> {
    URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| ApiFailure::invalid_field("page_token", "Invalid page token"))
}
