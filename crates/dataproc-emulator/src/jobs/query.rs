//! Which jobs a list call asks for.

use serde_json::{Map, Value};

use crate::failure::ApiFailure;

/// A parsed filter; every term has to fit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct JobFilter(Vec<Term>);

#[derive(Debug, PartialEq, Eq)]
enum Term {
    State(States),
    Label(String, String),
}

#[derive(Debug, PartialEq, Eq)]
enum States {
    All,
    Active,
    Ended,
    One(String),
}

impl JobFilter {
    /// Reads `field = value [AND [field = value]] …`, or the state matcher when there is no filter.
    pub(crate) fn parse(filter: &str, matcher: &str) -> Result<Self, ApiFailure> {
        if filter.trim().is_empty() {
            let states = match matcher {
                "" | "ALL" | "0" => States::All,
                "ACTIVE" | "1" => States::Active,
                "NON_ACTIVE" | "2" => States::Ended,
                other => {
                    return Err(ApiFailure::invalid_field(
                        "job_state_matcher",
                        format!("Invalid value at 'job_state_matcher', \"{other}\""),
                    ));
                }
            };
            return Ok(Self(vec![Term::State(states)]));
        }
        Self::terms(filter).ok_or_else(|| {
            ApiFailure::invalid_field("filter", format!("Invalid list filter: {filter}"))
        })
    }

    fn terms(filter: &str) -> Option<Self> {
        let spaced = filter.replace('=', " = ");
        let mut words = spaced.split_whitespace().peekable();
        let mut terms = Vec::new();
        while words.peek().is_some() {
            if !terms.is_empty() {
                words.next_if_eq(&"AND");
            }
            let (field, equals, value) = (words.next()?, words.next()?, words.next()?);
            if equals != "=" {
                return None;
            }
            let value = value.trim_matches('"');
            terms.push(match field.strip_prefix("labels.") {
                Some(key) if !key.is_empty() => Term::Label(key.to_owned(), value.to_owned()),
                _ if field == "status.state" => Term::State(match value {
                    "*" => States::All,
                    "ACTIVE" => States::Active,
                    "NON_ACTIVE" | "INACTIVE" => States::Ended,
                    other => States::One(other.to_owned()),
                }),
                _ => return None,
            });
        }
        Some(Self(terms))
    }

    pub(crate) fn fits(&self, job: &Map<String, Value>) -> bool {
        let status = job
            .get("status")
            .and_then(|status| status["state"].as_str());
        let state = status.unwrap_or_default();
        let ended = matches!(state, "DONE" | "ERROR" | "CANCELLED");
        self.0.iter().all(|term| match term {
            Term::State(States::All) => true,
            Term::State(States::Active) => !ended,
            Term::State(States::Ended) => ended,
            Term::State(States::One(one)) => one == state,
            Term::Label(key, value) => {
                let label = job.get("labels").and_then(|labels| labels.get(key));
                label.is_some_and(|label| value == "*" || label == value)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::JobFilter;

    #[test]
    fn filters_name_states_and_labels() {
        let job = json!({"status": {"state": "RUNNING"}, "labels": {"env": "prod"}});
        let check = |filter: &str, matcher: &str, expected: Option<bool>| {
            let parsed = JobFilter::parse(filter, matcher).ok();
            let got = parsed.map(|parsed| parsed.fits(job.as_object().unwrap()));
            assert_eq!(got, expected, "{filter} {matcher}");
        };
        check("", "", Some(true));
        check("", "NON_ACTIVE", Some(false));
        check("", "ACTIVE", Some(true));
        check("", "SOME", None);
        check(
            "status.state = ACTIVE AND labels.env = prod",
            "NON_ACTIVE",
            Some(true),
        );
        check("status.state=NON_ACTIVE", "", Some(false));
        check("status.state = RUNNING labels.env = *", "", Some(true));
        check("labels.env = test", "", Some(false));
        check("labels.other = *", "", Some(false));
        check("status.state", "", None);
        check("placement.clusterName = c", "", None);
    }
}
