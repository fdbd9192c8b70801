//! Every key of the spec with what it takes and what it is for, read from the JSON Schema.

use serde_json::Value;

use super::Spec;

/// One key of the spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecKey {
    /// The key, as `--set` takes it; `[]` stands for each item of a list, `NAME` for a name of the user's.
    pub key: String,
    /// What it takes, in words.
    pub takes: String,
    /// What it is for.
    pub description: String,
}

/// Every key of the spec, section by section. Targets hold the same keys again and are left out.
///
/// ```
/// let keys = flinkproc_plan::spec::spec_keys();
/// let idle = keys.iter().find(|key| key.key == "cluster.max_idle");
/// assert_eq!(idle.map(|key| key.takes.as_str()), Some("duration"));
/// ```
#[must_use]
pub fn spec_keys() -> Vec<SpecKey> {
    let schema = schemars::schema_for!(Spec).to_value();
    let mut keys = Vec::new();
    walk(&schema, &schema, "", &mut keys);
    keys
}

fn walk(root: &Value, table: &Value, prefix: &str, keys: &mut Vec<SpecKey>) {
    for (name, property) in table["properties"].as_object().into_iter().flatten() {
        let key = match prefix {
            "" if name == "target" => continue,
            "" => name.clone(),
            prefix => format!("{prefix}.{name}"),
        };
        let described = property["description"].as_str().unwrap_or_default();
        let described = described.replace('\n', " ");
        let (kind, inner) = resolve(root, property);
        let mut add = |takes: &str| {
            keys.push(SpecKey {
                key: key.clone(),
                takes: takes.to_owned(),
                description: described.clone(),
            });
        };
        match kind {
            Some("Span") => add("duration"),
            Some("ByteSize") => add("size"),
            Some("TextMap") => add("table of texts"),
            Some(kind) if kind.starts_with("CountOr") => {
                add("count or table");
                let table = inner["anyOf"].as_array().into_iter().flatten();
                for choice in table {
                    walk(root, resolve(root, choice).1, &key, keys);
                }
            }
            Some("AccessOr") => {
                add("word or table");
                for choice in inner["anyOf"].as_array().into_iter().flatten() {
                    walk(root, resolve(root, choice).1, &key, keys);
                }
            }
            _ if inner.get("properties").is_some() => walk(root, inner, &key, keys),
            _ => match inner["type"].as_str().or_else(|| inner["type"][0].as_str()) {
                Some("array") => {
                    let item = resolve(root, &inner["items"]).1;
                    if item.get("properties").is_some() {
                        add("list of tables");
                        walk(root, item, &format!("{key}[]"), keys);
                    } else {
                        add("list of texts");
                    }
                }
                Some("object") => {
                    add("table of tables");
                    let item = resolve(root, &inner["additionalProperties"]).1;
                    let long = item["anyOf"].as_array().and_then(|forms| forms.last());
                    walk(root, long.unwrap_or(item), &format!("{key}.NAME"), keys);
                }
                Some("boolean") => add("true or false"),
                Some("integer") => add("whole number"),
                _ => add(&text_or_words(inner)),
            },
        }
    }
}

/// The words of a closed choice, or any text.
fn text_or_words(schema: &Value) -> String {
    let words: Vec<String> = schema["oneOf"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|word| Some(format!("`{}`", word["const"].as_str()?)))
        .collect();
    if words.is_empty() {
        "text".to_owned()
    } else {
        words.join(", ")
    }
}

/// Follows references and drops the `null` of an optional value; also says the definition's name.
fn resolve<'a>(root: &'a Value, schema: &'a Value) -> (Option<&'a str>, &'a Value) {
    let choices = schema["anyOf"].as_array();
    let only = choices.filter(|choices| choices.iter().any(|choice| choice["type"] == "null"));
    let schema = only.and_then(|choices| choices.first()).unwrap_or(schema);
    let name = schema["$ref"]
        .as_str()
        .and_then(|address| address.strip_prefix("#/$defs/"));
    match name {
        Some(name) => (Some(name), &root["$defs"][name]),
        None => (None, schema),
    }
}

#[cfg(test)]
mod tests {
    use super::spec_keys;

    #[test]
    fn the_docs_list_every_key() {
        let docs = include_str!("../../../../docs/spec.md");
        for key in spec_keys() {
            let row = format!("| `{}` | {} | {} |", key.key, key.takes, key.description);
            assert!(docs.contains(&row), "docs/spec.md lacks the row\n{row}");
        }
        let rows = docs.lines().filter(|line| line.starts_with("| `")).count();
        assert_eq!(
            rows,
            spec_keys().len(),
            "docs/spec.md has a row of a key that is gone"
        );
    }

    #[test]
    fn every_key_says_what_it_is_for() {
        for key in spec_keys() {
            assert!(!key.description.is_empty(), "{}", key.key);
        }
    }
}
