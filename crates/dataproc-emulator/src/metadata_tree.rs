//! The tree that a metadata server answers from: paths, listings, and values as text or JSON.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::Value;

use crate::machines::number;

/// How an answer looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    recursive: bool,
    json: bool,
}

impl Format {
    /// Reads `recursive` and `alt`; everything below an entry is JSON unless text is asked for. `None` is another `alt`.
    pub(crate) fn of(recursive: &str, alt: &str) -> Option<Self> {
        let recursive = recursive.eq_ignore_ascii_case("true");
        let json = match alt {
            "" => recursive,
            "json" => true,
            "text" => false,
            _ => return None,
        };
        Some(Self { recursive, json })
    }
}

/// The entry at a path; names are written with hyphens there, and in camel case within JSON.
pub(crate) fn find<'a>(tree: &'a Value, path: &str) -> Option<&'a Value> {
    let parts = path.split('/').filter(|part| !part.is_empty());
    parts
        .enumerate()
        .try_fold((tree, false), |(at, free), (depth, part)| {
            let found = match at {
                Value::Array(items) => items.get(part.parse::<usize>().ok()?)?,
                Value::Object(fields) => {
                    let own = fields.get(part);
                    // Attributes are called as whoever set them called them.
                    let other = || fields.iter().find(|(key, _)| !free && hyphens(key) == part);
                    own.or_else(|| other().map(|(_, value)| value))?
                }
                _ => return None,
            };
            Some((found, free || (depth == 1 && part == "attributes")))
        })
        .map(|(found, _)| found)
}

/// Changes with the entry.
pub(crate) fn etag(entry: &Value) -> String {
    format!("{:016x}", number(&entry.to_string()))
}

/// Answers with an entry.
pub(crate) fn answer(entry: &Value, path: &str, format: Format) -> Response {
    // Tokens are answered as JSON always.
    let is_token = path.ends_with("/token");
    let is_folder = matches!(entry, Value::Object(_) | Value::Array(_)) && !is_token;
    let leaf_list = path.ends_with("/scopes") || path.ends_with("/aliases");
    if is_folder && !leaf_list && !path.is_empty() && !path.ends_with('/') && !format.recursive {
        let to = format!("/computeMetadata/v1/{path}/");
        let moved = StatusCode::MOVED_PERMANENTLY;
        return (moved, [(header::LOCATION, to)]).into_response();
    }
    let (kind, text) = match (format.json || is_token, is_folder && !leaf_list) {
        (true, _) => ("application/json", entry.to_string()),
        (false, true) if format.recursive => {
            let mut lines = String::new();
            flatten(entry, "", &mut lines);
            ("application/text", lines)
        }
        (false, true) => ("application/text", listing(entry, path)),
        (false, false) => ("application/text", plain(entry)),
    };
    let mut response = (StatusCode::OK, text).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(etag) = HeaderValue::from_str(&etag(entry)) {
        headers.insert(header::ETAG, etag);
    }
    response
}

fn listing(entry: &Value, at: &str) -> String {
    let line = |name: &str, value: &Value| match value {
        Value::Object(_) if name != "token" => format!("{name}/\n"),
        Value::Array(_) if name != "scopes" && name != "aliases" => format!("{name}/\n"),
        _ => format!("{name}\n"),
    };
    match entry {
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.map(|(n, item)| line(&n.to_string(), item)).collect()
        }
        Value::Object(fields) => {
            let fields = fields.iter();
            fields.map(|(k, v)| line(&shown(k, at), v)).collect()
        }
        other => plain(other),
    }
}

fn flatten(entry: &Value, at: &str, lines: &mut String) {
    let below = |name: &str| match at {
        "" => name.to_owned(),
        at => format!("{at}/{name}"),
    };
    match entry {
        Value::Object(fields) => {
            for (key, value) in fields {
                flatten(value, &below(&shown(key, at)), lines);
            }
        }
        Value::Array(items) => {
            for (n, value) in items.iter().enumerate() {
                flatten(value, &below(&n.to_string()), lines);
            }
        }
        value => lines.push_str(&format!("{at} {}\n", plain(value))),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(|i| plain(i) + "\n").collect(),
        other => other.to_string(),
    }
}

/// A name as paths below `at` have it: attributes are called as whoever set them called them.
fn shown(name: &str, at: &str) -> String {
    match at.trim_end_matches('/').ends_with("attributes") {
        true => name.to_owned(),
        false => hyphens(name),
    }
}

/// `serviceAccounts` as paths have it: `service-accounts`.
fn hyphens(name: &str) -> String {
    // An address or what a user has called so.
    if !name.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return name.to_owned();
    }
    let mut out = String::with_capacity(name.len() + 2);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Format, find, flatten, listing};

    #[test]
    fn paths_have_hyphens_and_attributes_their_own_names() {
        let tree = json!({
            "instance": {
                "attributes": {"myKey": "1", "a-b": "2"},
                "serviceAccounts": {"default": {"email": "x@y"}},
                "networkInterfaces": [{"ip": "127.0.0.1"}],
            },
        });
        let check = |path: &str, expected: Option<&str>| {
            let found = find(&tree, path).and_then(|v| v.as_str());
            assert_eq!(found, expected, "{path}");
        };
        check("instance/service-accounts/default/email", Some("x@y"));
        check("instance/network-interfaces/0/ip", Some("127.0.0.1"));
        check("instance/network-interfaces/1/ip", None);
        check("instance/attributes/myKey", Some("1"));
        check("instance/attributes/my-key", None);
        check("instance/attributes/a-b", Some("2"));
        check("instance/none", None);
        let mut lines = String::new();
        flatten(&tree, "", &mut lines);
        assert!(lines.contains("instance/network-interfaces/0/ip 127.0.0.1\n"));
        assert!(lines.contains("instance/attributes/myKey 1\n"));
        let folder = find(&tree, "instance").map(|entry| listing(entry, "instance"));
        assert_eq!(
            folder.as_deref(),
            Some("attributes/\nservice-accounts/\nnetwork-interfaces/\n")
        );
        assert_eq!(Format::of("", "xml"), None);
    }
}
