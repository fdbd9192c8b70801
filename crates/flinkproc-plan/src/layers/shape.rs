//! The spec's shorthands: each is turned into its long form before layers meet, so that a flag can go over either.

use std::collections::BTreeSet;

use super::node::{Node, Table, Value};

/// Keys of which one stands for the others: a layer that writes one takes the others of the layers below away.
const EXCLUSIVE: [(&str, &[&str]); 3] = [
    ("job", &["script", "module"]),
    ("cluster", &["name", "prefix", "existing"]),
    ("cluster", &["network", "subnetwork"]),
];

/// Tables whose nested tables are dotted names.
const FLAT: [&[&str]; 3] = [
    &["job", "flink_config"],
    &["session", "flink_config"],
    &["cluster", "properties"],
];

/// Tables that may be written as one number.
const COUNTED: [&[&str]; 2] = [&["cluster", "workers"], &["cluster", "secondary_workers"]];

/// Splits a dotted key; a part in double or single quotes may hold dots.
pub(super) fn key_path(key: &str) -> Option<Vec<String>> {
    let mut parts = vec![String::new()];
    let mut quote = None;
    for c in key.chars() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if c == open => quote = None,
            (None, '.') => parts.push(String::new()),
            _ => parts.last_mut()?.push(c),
        }
    }
    let whole = quote.is_none() && parts.iter().all(|part| !part.trim().is_empty());
    whole.then_some(parts)
}

/// Tables that may be written as one word, and the key that it stands for.
const WORDS: [(&[&str], &str); 1] = [(&["ssh"], "access")];

/// Turns shorthands into their long form; what does not fit stays, and is refused when it is read.
pub(super) fn normalise(root: &mut Node) {
    if let Some(params) = root.at_mut(&["params"]).and_then(Node::table_mut) {
        for (_, node) in params.values_mut() {
            wrap(node, "default");
        }
    }
    for path in COUNTED {
        if let Some(node) = root.at_mut(path) {
            wrap(node, "count");
        }
    }
    for (path, key) in WORDS {
        if let Some(node) = root.at_mut(path) {
            wrap(node, key);
        }
    }
    for path in FLAT {
        if let Some(table) = root.at_mut(path).and_then(Node::table_mut) {
            *table = flatten(std::mem::take(table), "");
        }
    }
}

/// Puts a single value into a table of one entry.
fn wrap(node: &mut Node, key: &str) {
    if matches!(node.value, Value::Table(_)) {
        return;
    }
    let origin = node.origin.clone();
    let value = std::mem::replace(&mut node.value, Value::Table(Table::new()));
    let inner = Node {
        value,
        origin: origin.clone(),
    };
    node.value = Value::Table(Table::from([(key.to_owned(), (origin, inner))]));
}

fn flatten(table: Table, prefix: &str) -> Table {
    let mut flat = Table::new();
    for (key, (origin, node)) in table {
        let key = if prefix.is_empty() {
            key
        } else {
            format!("{prefix}.{key}")
        };
        match node.value {
            Value::Table(inner) => flat.extend(flatten(inner, &key)),
            _ => {
                flat.insert(key, (origin, node));
            }
        }
    }
    flat
}

/// Lays one layer over those below it.
pub(super) fn lay_over(base: &mut Node, over: Node) {
    for (section, keys) in EXCLUSIVE {
        let written: BTreeSet<&str> = entries(&over, section)
            .map(|table| {
                keys.iter()
                    .copied()
                    .filter(|key| table.contains_key(*key))
                    .collect()
            })
            .unwrap_or_default();
        if written.is_empty() {
            continue;
        }
        if let Some(table) = base.at_mut(&[section]).and_then(Node::table_mut) {
            table.retain(|key, _| !keys.contains(&key.as_str()));
        }
    }
    base.merge(over);
}

fn entries<'a>(node: &'a Node, section: &str) -> Option<&'a Table> {
    match &node.value {
        Value::Table(table) => match &table.get(section)?.1.value {
            Value::Table(inner) => Some(inner),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::key_path;

    #[test]
    fn dotted_keys() {
        let check = |key: &str, expected: Option<&[&str]>| {
            let expected = expected.map(|parts| parts.iter().map(ToString::to_string).collect());
            assert_eq!(key_path(key), expected, "{key}");
        };
        check("cluster.image", Some(&["cluster", "image"]));
        check(
            "job.flink_config.\"a.b\"",
            Some(&["job", "flink_config", "a.b"]),
        );
        check(
            "cluster.properties.'x:y.z'",
            Some(&["cluster", "properties", "x:y.z"]),
        );
        for wrong in ["", ".", "a.", "a..b", "a.\"b"] {
            check(wrong, None);
        }
    }
}
