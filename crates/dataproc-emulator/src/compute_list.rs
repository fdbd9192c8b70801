//! Lists of Compute Engine: `filter`, `maxResults` and `pageToken`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use regex::Regex;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::failure::ApiFailure;

/// The largest page, and the one of whoever asks for none.
const MOST: usize = 500;

/// The query of a list call.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ComputeQuery {
    filter: String,
    max_results: String,
    page_token: String,
    order_by: String,
}

fn invalid(field: &str, value: &str) -> ApiFailure {
    let message = format!("Invalid value for field '{field}': '{value}'.");
    ApiFailure::invalid(message).of_compute("invalid")
}

/// One page of what fits.
pub(crate) fn list(
    kind: &str,
    id: &str,
    base: &str,
    items: impl Iterator<Item = Value>,
    query: &ComputeQuery,
) -> Result<Value, ApiFailure> {
    let size = match query.max_results.as_str() {
        "" => MOST,
        text => text
            .parse()
            .ok()
            .filter(|size| (1..=MOST).contains(size))
            .ok_or_else(|| invalid("maxResults", text))?,
    };
    if !matches!(query.order_by.as_str(), "" | "name") {
        let what = format!("ordering by '{}'", query.order_by);
        return Err(ApiFailure::not_emulated(&what).of_compute("notImplemented"));
    }
    let skip = match query.page_token.as_str() {
        "" => 0,
        token => skipped(token).ok_or_else(|| invalid("pageToken", token))?,
    };
    let filter = Filter::parse(&query.filter).ok_or_else(|| invalid("filter", &query.filter))?;
    let mut fitting = items.filter(|item| filter.fits(item)).skip(skip);
    let page: Vec<Value> = fitting.by_ref().take(size).collect();
    let mut answer = json!({"kind": kind, "id": id, "selfLink": format!("{base}/{id}")});
    if fitting.next().is_some() {
        let next = (skip + page.len()).to_string();
        answer["nextPageToken"] = json!(URL_SAFE_NO_PAD.encode(next));
    }
    if !page.is_empty() {
        answer["items"] = Value::Array(page);
    }
    Ok(answer)
}

fn skipped(token: &str) -> Option<usize> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    String::from_utf8(bytes).ok()?.parse().ok()
}

/// Terms that have to fit all: `FIELD OPERATOR VALUE`, joined by `AND` or nothing, each maybe in parentheses.
#[derive(Debug)]
struct Filter(Vec<Term>);

#[derive(Debug)]
struct Term {
    field: Vec<String>,
    negated: bool,
    test: Test,
}

#[derive(Debug)]
enum Test {
    Equal(String),
    /// `:` — the field is there and contains the text; `*` is any.
    Has(String),
    /// `eq` and `ne` take a pattern that has to match the whole value.
    Matches(Regex),
}

impl Filter {
    fn parse(text: &str) -> Option<Self> {
        let words = words(text)?;
        let mut words = words.iter().map(String::as_str).peekable();
        let mut terms = Vec::new();
        while words.peek().is_some() {
            if !terms.is_empty() {
                words.next_if_eq(&"AND");
            }
            let enclosed = words.next_if_eq(&"(").is_some();
            let field = words.next()?.split('.').map(str::to_owned).collect();
            let operator = words.next()?;
            let value = words.next()?;
            if enclosed {
                words.next_if_eq(&")")?;
            }
            let pattern = || {
                Regex::new(&format!("^(?:{value})$"))
                    .ok()
                    .map(Test::Matches)
            };
            let (negated, test) = match operator {
                "=" => (false, Test::Equal(value.to_owned())),
                "!=" => (true, Test::Equal(value.to_owned())),
                ":" => (false, Test::Has(value.to_owned())),
                "eq" => (false, pattern()?),
                "ne" => (true, pattern()?),
                _ => return None,
            };
            terms.push(Term {
                field,
                negated,
                test,
            });
        }
        Some(Self(terms))
    }

    fn fits(&self, item: &Value) -> bool {
        self.0.iter().all(|term| term.fits(item))
    }
}

impl Term {
    fn fits(&self, item: &Value) -> bool {
        let found = self
            .field
            .iter()
            .try_fold(item, |at, part| at.get(part.as_str()));
        let text = found.and_then(|value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
            _ => None,
        });
        let fits = text.is_some_and(|text| match &self.test {
            Test::Equal(value) => text == *value || text.ends_with(&format!("/{value}")),
            Test::Has(value) => value == "*" || text.contains(value.trim_matches('*')),
            Test::Matches(pattern) => pattern.is_match(&text),
        });
        fits != self.negated
    }
}

/// Words, operators and parentheses; quotes hold a value together.
fn words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '(' | ')' | '=' | ':' => 1,
            '!' if rest.starts_with("!=") => 2,
            '"' | '\'' => {
                let close = rest.get(1..)?.find(first)?;
                words.push(rest.get(1..=close)?.to_owned());
                rest = rest.get(close + 2..)?.trim_start();
                continue;
            }
            _ => {
                let ends = |c: char| c.is_whitespace() || matches!(c, '(' | ')' | '=' | ':' | '!');
                match rest.find(ends) {
                    Some(0) => return None,
                    end => end.unwrap_or(rest.len()),
                }
            }
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
    fn every_term_has_to_fit() {
        let item = json!({"name": "one-m", "labels": {"env": "prod"}, "zone": "http://x/zones/a-b", "status": "RUNNING"});
        let check = |filter: &str, expected: Option<bool>| {
            let got = Filter::parse(filter).map(|filter| filter.fits(&item));
            assert_eq!(got, expected, "{filter}");
        };
        check("", Some(true));
        check("name = one-m", Some(true));
        check("name=one-m AND labels.env:prod", Some(true));
        check("(name eq \"one-.*\") (status ne RUNNING)", Some(false));
        check("name eq one", Some(false));
        check("(zone = a-b)", Some(true));
        check("labels.other:*", Some(false));
        check("labels.other != x", Some(true));
        check("name", None);
        check("name = \"one-m", None);
        check("(name = one-m", None);
        check("name eq (", None);
        check("name < b", None);
    }
}
