//! Reads request bodies as a strict protobuf-JSON parser does: unknown fields refused, enums by number or name.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use crate::failure::ApiFailure;

/// The messages and enums of the resources.
static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    Schema::parse(concat!(
        include_str!("cluster_schema.txt"),
        include_str!("job_schema.txt"),
        include_str!("policy_schema.txt"),
        include_str!("template_schema.txt"),
    ))
});

/// Checks a `Cluster` resource and brings it into its canonical form: lowerCamelCase keys, enums by name, 64-bit numbers
/// as text, nothing that is null.
pub(crate) fn canonical_cluster(body: &Value) -> Result<Map<String, Value>, ApiFailure> {
    canonical("Cluster", body, "cluster")
}

/// The same for any message of the tables; `path` is what errors call it.
pub(crate) fn canonical(
    message: &str,
    body: &Value,
    path: &str,
) -> Result<Map<String, Value>, ApiFailure> {
    match SCHEMA.message(message, body, path)? {
        Value::Object(fields) => Ok(fields),
        _ => Ok(Map::new()),
    }
}

#[derive(Debug, Default)]
struct Schema {
    messages: HashMap<&'static str, Vec<Field>>,
    enums: HashMap<&'static str, Vec<(i64, &'static str)>>,
}

#[derive(Debug)]
struct Field {
    snake: &'static str,
    camel: String,
    repeat: Repeat,
    kind: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repeat {
    One,
    List,
    Map,
}

impl Schema {
    /// Reads the table: a line `message NAME` or `enum NAME`, then a line for each field (`name [list|map] kind`) or value
    /// (`number NAME`).
    fn parse(table: &'static str) -> Self {
        let mut schema = Self::default();
        let (mut message, mut of_enum) = (None, None);
        for line in table.lines().filter(|line| !line.starts_with('#')) {
            let words: Vec<&'static str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["message", name] => (message, of_enum) = (Some(*name), None),
                ["enum", name] => (message, of_enum) = (None, Some(*name)),
                [first, rest @ .., kind] => {
                    if let Some(message) = message {
                        schema.messages.entry(message).or_default().push(Field {
                            snake: first,
                            camel: camel(first),
                            repeat: match rest {
                                ["list"] => Repeat::List,
                                ["map"] => Repeat::Map,
                                _ => Repeat::One,
                            },
                            kind,
                        });
                    } else if let (Some(name), Ok(number)) = (of_enum, first.parse()) {
                        schema.enums.entry(name).or_default().push((number, kind));
                    }
                }
                _ => {}
            }
        }
        schema
    }

    fn message(&self, name: &str, value: &Value, path: &str) -> Result<Value, ApiFailure> {
        let Some(object) = value.as_object() else {
            return Err(mismatch(path, "a message", value));
        };
        let fields = self.messages.get(name).map_or(&[][..], Vec::as_slice);
        let mut canonical = Map::new();
        for (key, value) in object {
            let Some(field) = fields.iter().find(|f| f.camel == *key || f.snake == key) else {
                return Err(ApiFailure::invalid_field(
                    path,
                    format!(
                        "Invalid JSON payload received. Unknown name \"{key}\" at '{path}': Cannot find field."
                    ),
                ));
            };
            if value.is_null() {
                continue;
            }
            let path = format!("{path}.{}", field.snake);
            canonical.insert(field.camel.clone(), self.field(field, value, &path)?);
        }
        Ok(Value::Object(canonical))
    }

    fn field(&self, field: &Field, value: &Value, path: &str) -> Result<Value, ApiFailure> {
        match (field.repeat, value) {
            (Repeat::One, _) => self.single(field.kind, value, path),
            (Repeat::List, Value::Array(items)) => items
                .iter()
                .enumerate()
                .map(|(n, item)| self.single(field.kind, item, &format!("{path}[{n}]")))
                .collect(),
            (Repeat::Map, Value::Object(entries)) => entries
                .iter()
                .map(|(key, item)| {
                    let item = self.single(field.kind, item, &format!("{path}[{key}]"))?;
                    Ok((key.clone(), item))
                })
                .collect(),
            (Repeat::List, _) => Err(mismatch(path, "a list", value)),
            (Repeat::Map, _) => Err(mismatch(path, "a map", value)),
        }
    }

    fn single(&self, kind: &str, value: &Value, path: &str) -> Result<Value, ApiFailure> {
        let refuse = |wanted| Err(mismatch(path, wanted, value));
        if let Some(values) = self.enums.get(kind) {
            let known = match value {
                Value::String(name) => values.iter().find(|(_, known)| known == name),
                Value::Number(number) => values.iter().find(|(n, _)| Some(*n) == number.as_i64()),
                _ => None,
            };
            return match known {
                Some((_, name)) => Ok(Value::from(*name)),
                None => refuse("one of the enum's values"),
            };
        }
        match kind {
            "string" if value.is_string() => Ok(value.clone()),
            "bool" if value.is_boolean() => Ok(value.clone()),
            "float" if value.is_number() => Ok(value.clone()),
            "int" => match integer(value).and_then(|number| i32::try_from(number).ok()) {
                Some(number) => Ok(Value::from(number)),
                None => refuse("a 32-bit number"),
            },
            "int64" => match integer(value) {
                Some(number) => Ok(Value::from(number.to_string())),
                None => refuse("a 64-bit number"),
            },
            "duration" => match value.as_str().and_then(duration_millis) {
                Some(_) => Ok(value.clone()),
                None => refuse("a duration such as \"600s\""),
            },
            "time" => match value.as_str().map(str::parse::<jiff::Timestamp>) {
                Some(Ok(_)) => Ok(value.clone()),
                _ => refuse("a time such as \"2026-01-31T12:00:00Z\""),
            },
            "string" | "bool" | "float" => refuse(match kind {
                "string" => "text",
                "bool" => "true or false",
                _ => "a number",
            }),
            message => self.message(message, value, path),
        }
    }
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// The milliseconds of a protobuf-JSON duration: seconds with up to nine decimals and the letter `s`.
pub(crate) fn duration_millis(text: &str) -> Option<i64> {
    let number = text.strip_suffix('s')?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (sign, whole) = match whole.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, whole),
    };
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let seconds: i64 = whole.parse().ok()?;
    let millis: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    Some(sign * (seconds.checked_mul(1000)? + millis))
}

fn mismatch(path: &str, wanted: &str, found: &Value) -> ApiFailure {
    ApiFailure::invalid_field(
        path,
        format!("Invalid value at '{path}' ({wanted}), {found}"),
    )
}

/// `snake_case` as `lowerCamelCase`.
pub(crate) fn camel(snake: &str) -> String {
    let mut words = snake.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}

/// `lowerCamelCase` as `snake_case`; what is in it already stays.
pub(crate) fn snake(camel: &str) -> String {
    let mut snake = String::with_capacity(camel.len() + 4);
    for letter in camel.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Value, camel, canonical_cluster, duration_millis, snake};

    fn check(body: &Value, expected: Result<Value, &str>) {
        let got = canonical_cluster(body)
            .map(Value::Object)
            .map_err(|failure| failure.message);
        assert_eq!(got, expected.map_err(str::to_owned), "{body}");
    }

    #[test]
    fn bodies_are_read_strictly_and_written_canonically() {
        check(
            &json!({"cluster_name": "a", "config": {"softwareConfig": {"optionalComponents": [14, "PIG"]}}}),
            Ok(
                json!({"clusterName": "a", "config": {"softwareConfig": {"optionalComponents": ["FLINK", "PIG"]}}}),
            ),
        );
        check(
            &json!({"config": {"secondaryWorkerConfig": {"numInstances": "2", "preemptibility": 3}, "tempBucket": null}}),
            Ok(
                json!({"config": {"secondaryWorkerConfig": {"numInstances": 2, "preemptibility": "SPOT"}}}),
            ),
        );
        check(
            &json!({"config": {"workers": 2}}),
            Err(
                "Invalid JSON payload received. Unknown name \"workers\" at 'cluster.config': Cannot find field.",
            ),
        );
        check(
            &json!({"config": {"lifecycleConfig": {"idleDeleteTtl": "10m"}}}),
            Err(
                "Invalid value at 'cluster.config.lifecycle_config.idle_delete_ttl' (a duration such as \"600s\"), \"10m\"",
            ),
        );
        check(
            &json!({"labels": {"a": 1}}),
            Err("Invalid value at 'cluster.labels[a]' (text), 1"),
        );
        check(
            &json!({"config": {"softwareConfig": {"optionalComponents": [99]}}}),
            Err(
                "Invalid value at 'cluster.config.software_config.optional_components[0]' (one of the enum's values), 99",
            ),
        );
    }

    #[test]
    fn durations_have_a_unit_and_names_two_cases() {
        assert_eq!(duration_millis("600s"), Some(600_000));
        assert_eq!(duration_millis("1.5s"), Some(1_500));
        assert_eq!(duration_millis("600"), None);
        assert_eq!(duration_millis("1h"), None);
        assert_eq!(camel("idle_delete_ttl"), "idleDeleteTtl");
        assert_eq!(
            snake("config.workerConfig.numInstances"),
            "config.worker_config.num_instances"
        );
    }
}
