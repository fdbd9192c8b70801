//! The filter language of list calls: `field = value [AND [field = value]] …`; for operations, gcloud's JSON too.

use serde_json::{Map, Value};

use crate::failure::ApiFailure;

/// A parsed filter; every term has to fit.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter(Vec<Term>);

#[derive(Debug, PartialEq, Eq)]
struct Term {
    field: Field,
    value: String,
}

#[derive(Debug, PartialEq, Eq)]
enum Field {
    State,
    ClusterName,
    OperationType,
    Label(String),
}

impl Filter {
    /// Reads a filter; the empty one fits everything.
    pub(crate) fn parse(text: &str) -> Result<Self, ApiFailure> {
        let refuse = || ApiFailure::invalid_field("filter", format!("Invalid list filter: {text}"));
        if text.starts_with('{') {
            return Self::parse_json(text).ok_or_else(refuse);
        }
        let mut words = words(text).ok_or_else(refuse)?.into_iter().peekable();
        let mut terms = Vec::new();
        while words.peek().is_some() {
            if !terms.is_empty() {
                words.next_if(|word| word == "AND");
            }
            let (Some(field), Some(equals), Some(value)) =
                (words.next(), words.next(), words.next())
            else {
                return Err(refuse());
            };
            let field = match field.as_str() {
                "status.state" => Field::State,
                "clusterName" | "cluster_name" => Field::ClusterName,
                "operationType" | "operation_type" => Field::OperationType,
                other => match other.strip_prefix("labels.") {
                    Some(key) if !key.is_empty() => Field::Label(key.to_owned()),
                    _ => return Err(refuse()),
                },
            };
            if !matches!(equals.as_str(), "=" | ":") {
                return Err(refuse());
            }
            terms.push(Term { field, value });
        }
        Ok(Self(terms))
    }

    /// Reads the object that gcloud sends for operations: `cluster_name` and `operation_state_matcher`.
    fn parse_json(text: &str) -> Option<Self> {
        let object: Map<String, Value> = serde_json::from_str(text).ok()?;
        let mut terms = Vec::new();
        for (key, value) in object {
            let mut value = value.as_str()?.to_owned();
            let field = match key.as_str() {
                "cluster_name" | "clusterName" => Field::ClusterName,
                "operation_state_matcher" | "operationStateMatcher" => {
                    value = match value.to_uppercase().as_str() {
                        "ACTIVE" => "OPERATION_ACTIVE",
                        "INACTIVE" | "NON_ACTIVE" => "DONE",
                        "ALL" => "*",
                        _ => return None,
                    }
                    .to_owned();
                    Field::State
                }
                _ => return None,
            };
            terms.push(Term { field, value });
        }
        Some(Self(terms))
    }

    /// Whether a resource fits: a cluster, or the metadata of an operation.
    pub(crate) fn fits(&self, resource: &Value) -> bool {
        self.0.iter().all(|term| term.fits(resource))
    }
}

impl Term {
    fn fits(&self, resource: &Value) -> bool {
        let found = match &self.field {
            Field::State => &resource["status"]["state"],
            Field::ClusterName => &resource["clusterName"],
            Field::OperationType => &resource["operationType"],
            Field::Label(key) => &resource["labels"][key.as_str()],
        };
        let Some(found) = found.as_str() else {
            return false;
        };
        match (&self.field, self.value.as_str()) {
            (_, "*") => true,
            (Field::State, "OPERATION_ACTIVE") => found != "DONE",
            (Field::State, "ACTIVE") => matches!(found, "CREATING" | "UPDATING" | "RUNNING"),
            (Field::State, "INACTIVE") => {
                matches!(found, "DELETING" | "ERROR" | "STOPPING" | "STOPPED")
            }
            (_, value) => found == value,
        }
    }
}

/// Splits at spaces and at `=` and `:`; double quotes hold a value together.
fn words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '=' | ':' => 1,
            '"' => {
                let close = rest.get(1..)?.find('"')?;
                words.push(rest.get(1..=close)?.to_owned());
                rest = rest.get(close + 2..)?.trim_start();
                continue;
            }
            _ => rest
                .find(|c: char| c.is_whitespace() || matches!(c, '=' | ':' | '"'))
                .unwrap_or(rest.len()),
        };
        let (word, after) = rest.split_at(end);
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Filter;

    #[test]
    fn terms_are_joined_by_and() {
        let cluster = json!({
            "clusterName": "abc",
            "status": {"state": "RUNNING"},
            "labels": {"env": "prod", "empty": ""},
        });
        let check = |filter: &str, expected: Option<bool>| {
            let got = Filter::parse(filter).ok().map(|f| f.fits(&cluster));
            assert_eq!(got, expected, "{filter}");
        };
        check("", Some(true));
        check("status.state = RUNNING AND labels.env = prod", Some(true));
        check("status.state=ACTIVE AND clusterName = \"abc\"", Some(true));
        check("status.state = ACTIVE labels.env = *", Some(true));
        check("labels.other = *", Some(false));
        check("labels.env = test", Some(false));
        check("clusterName = ab", Some(false));
        check("status.state = INACTIVE", Some(false));
        check("status.state RUNNING", None);
        check("config.zone = a", None);
        check("clusterName = \"abc", None);
        check("{}", Some(true));
        check(
            r#"{"cluster_name": "abc", "operation_state_matcher": "active"}"#,
            Some(true),
        );
        check(r#"{"operation_state_matcher": "non_active"}"#, Some(false));
        check(r#"{"other": "x"}"#, None);
    }
}
