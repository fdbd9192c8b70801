//! The filter language of Cloud Logging, as far as terms are joined by AND or stand one after another.

use serde_json::Value;

use crate::logging::severity;

/// A parsed filter; every term has to fit. `OR`, `NOT` and parentheses are not understood.
#[derive(Debug)]
pub(crate) struct LogFilter(Vec<Term>);

#[derive(Debug)]
struct Term {
    field: Vec<String>,
    operator: Operator,
    value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Has,
    AtLeast,
    More,
    AtMost,
    Less,
}

const OPERATORS: [(&str, Operator); 7] = [
    ("!=", Operator::NotEqual),
    (">=", Operator::AtLeast),
    ("<=", Operator::AtMost),
    ("=", Operator::Equal),
    (":", Operator::Has),
    (">", Operator::More),
    ("<", Operator::Less),
];

impl LogFilter {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim();
        let mut terms = Vec::new();
        while !rest.is_empty() {
            if !terms.is_empty()
                && let Some(after) = rest.strip_prefix("AND ")
            {
                rest = after.trim_start();
            }
            let end = rest.find(|c: char| c.is_whitespace() || "=!<>:()".contains(c))?;
            let (field, after) = rest.split_at(end);
            let after = after.trim_start();
            let (sign, operator) = OPERATORS
                .into_iter()
                .find(|(sign, _)| after.starts_with(sign))?;
            let after = after.get(sign.len()..)?.trim_start();
            let (value, after) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"')?,
                None => after.split_at(after.find(char::is_whitespace).unwrap_or(after.len())),
            };
            if field.is_empty() || matches!(field, "OR" | "NOT") {
                return None;
            }
            let field = field
                .split('.')
                .map(|part| part.trim_matches('"').to_owned());
            terms.push(Term {
                field: field.collect(),
                operator,
                value: value.to_owned(),
            });
            rest = after.trim_start();
        }
        Some(Self(terms))
    }

    pub(crate) fn fits(&self, entry: &Value) -> bool {
        self.0.iter().all(|term| term.fits(entry))
    }
}

impl Term {
    fn fits(&self, entry: &Value) -> bool {
        let mut parts = self.field.iter();
        let found = parts.try_fold(entry, |at, part| at.get(part.as_str()));
        let text = match found {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => return self.operator == Operator::NotEqual,
            Some(other) => other.to_string(),
        };
        // Names of severities have an order of their own; times of one form are ordered as text is.
        let order = match self.field.as_slice() {
            [field] if field == "severity" => severity(&text).cmp(&severity(&self.value)),
            _ => text.as_str().cmp(self.value.as_str()),
        };
        match self.operator {
            Operator::Equal => order.is_eq(),
            Operator::NotEqual => order.is_ne(),
            Operator::Has => text.contains(&self.value),
            Operator::AtLeast => order.is_ge(),
            Operator::More => order.is_gt(),
            Operator::AtMost => order.is_le(),
            Operator::Less => order.is_lt(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::LogFilter;

    #[test]
    fn terms_are_joined_by_and() {
        let entry = json!({
            "severity": "ERROR",
            "textPayload": "it broke",
            "resource": {"type": "cloud_dataproc_job", "labels": {"job_id": "j-1"}},
            "timestamp": "2026-01-02T00:00:00Z",
        });
        let check = |filter: &str, expected: Option<bool>| {
            let got = LogFilter::parse(filter).map(|filter| filter.fits(&entry));
            assert_eq!(got, expected, "{filter}");
        };
        check("", Some(true));
        check("severity>=WARNING AND textPayload:broke", Some(true));
        check("severity >= CRITICAL", Some(false));
        check(
            "resource.type=\"cloud_dataproc_job\"\nresource.labels.job_id=\"j-1\"",
            Some(true),
        );
        check("timestamp>\"2026-01-02T00:00:00Z\"", Some(false));
        check("labels.a!=b", Some(true));
        check("labels.a=b", Some(false));
        check("severity", None);
        check("severity=ERROR OR severity=INFO", None);
        check("textPayload=\"it", None);
    }
}
