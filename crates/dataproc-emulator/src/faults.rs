//! Failures on demand: rules that make chosen calls go wrong, for the tests of those who call.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};

use crate::clock::real_sleep;
use crate::server::Connection;
use crate::service::Service;

/// Which calls go wrong, and how.
///
/// ```
/// use dataproc_emulator::{FaultEffect, FaultRule};
///
/// let rule = FaultRule::on("POST", "/v1/projects/*/regions/*/clusters", FaultEffect::AnswerLost);
/// assert_eq!(rule.nth, 1);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// The HTTP method; every one when absent.
    #[serde(default)]
    pub method: Option<String>,
    /// The path of the URL, without its query; `*` stands for any text.
    pub path: String,
    /// The first fitting call that goes wrong, from 1, counted since the rule was made.
    #[serde(default = "one")]
    pub nth: u32,
    /// How many fitting calls go wrong from then on.
    #[serde(default = "one")]
    pub times: u32,
    /// What happens to them.
    pub effect: FaultEffect,
}

const fn one() -> u32 {
    1
}

/// What happens to a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultEffect {
    /// It is answered so, without any effect.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The body; JSON is labelled as JSON, everything else as HTML, as a proxy's error page is.
        body: String,
    },
    /// It is carried out after so many milliseconds of real time.
    Delay {
        /// How long.
        millis: u64,
    },
    /// The connection is cut before any effect.
    Reset,
    /// It takes effect, and the connection is cut instead of an answer.
    AnswerLost,
}

impl FaultRule {
    /// The first call of `method` on `path` goes wrong.
    #[must_use]
    pub fn on(method: &str, path: &str, effect: FaultEffect) -> Self {
        Self {
            method: Some(method.to_owned()),
            path: path.to_owned(),
            nth: 1,
            times: 1,
            effect,
        }
    }

    /// The same from the `nth` fitting call on, counted from 1.
    #[must_use]
    pub const fn from_call(mut self, nth: u32) -> Self {
        self.nth = nth;
        self
    }

    /// The same for so many calls.
    #[must_use]
    pub const fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    fn fits(&self, method: &str, path: &str) -> bool {
        self.method
            .as_ref()
            .is_none_or(|own| own.eq_ignore_ascii_case(method))
            && glob(&self.path, path)
    }
}

/// The rules in force. Handles share them.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Vec<Counted>>>);

#[derive(Debug)]
struct Counted {
    rule: FaultRule,
    seen: u32,
}

impl Faults {
    /// Adds a rule; of several that fit a call, the oldest that strikes decides.
    pub fn add(&self, rule: FaultRule) {
        self.lock().push(Counted { rule, seen: 0 });
    }

    /// Ends all rules.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// The rules in force, and how many fitting calls each has seen.
    #[must_use]
    pub fn list(&self) -> Vec<(FaultRule, u32)> {
        let rules = self.lock();
        rules.iter().map(|c| (c.rule.clone(), c.seen)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Counted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn strike(&self, method: &str, path: &str) -> Option<FaultEffect> {
        let mut struck = None;
        for counted in self.lock().iter_mut() {
            if !counted.rule.fits(method, path) {
                continue;
            }
            counted.seen = counted.seen.saturating_add(1);
            let first = counted.rule.nth.max(1);
            let hits = counted.seen >= first && counted.seen - first < counted.rule.times;
            if hits && struck.is_none() {
                struck = Some(counted.rule.effect.clone());
            }
        }
        struck
    }
}

/// Whether `path` fits a pattern in which `*` stands for any text.
fn glob(pattern: &str, path: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = path.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

/// The layer that lets the rules strike.
pub(crate) async fn layer(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Response {
    let effect = service
        .faults
        .strike(request.method().as_str(), request.uri().path());
    let Some(effect) = effect else {
        return next.run(request).await;
    };
    tracing::debug!(method = %request.method(), path = request.uri().path(), ?effect, "a fault rule strikes");
    let connection = request
        .extensions()
        .get::<ConnectInfo<Connection>>()
        .cloned();
    let cut = || match connection {
        Some(ConnectInfo(connection)) => {
            connection.cut();
            StatusCode::BAD_GATEWAY.into_response()
        }
        None => StatusCode::BAD_GATEWAY.into_response(),
    };
    match effect {
        FaultEffect::Answer { status, body } => answer(status, body),
        FaultEffect::Delay { millis } => {
            real_sleep(Duration::from_millis(millis)).await;
            next.run(request).await
        }
        FaultEffect::Reset => cut(),
        FaultEffect::AnswerLost => {
            next.run(request).await;
            cut()
        }
    }
}

fn answer(status: u16, body: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = match serde_json::from_str::<serde_json::Value>(&body) {
        Ok(_) => "application/json; charset=UTF-8",
        Err(_) => "text/html; charset=UTF-8",
    };
    (status, [(header::CONTENT_TYPE, kind)], body).into_response()
}

#[cfg(test)]
mod tests {
    use super::{FaultEffect, FaultRule, Faults, glob};

    #[test]
    fn stars_stand_for_any_text() {
        let check =
            |pattern, path, expected| assert_eq!(glob(pattern, path), expected, "{pattern}");
        check("/a/b", "/a/b", true);
        check("/a/b", "/a/bc", false);
        check("/a/*/b", "/a/x/y/b", true);
        check("/a/*/b", "/a/b", false);
        check("*clusters*:stop", "/v1/clusters/c:stop", true);
        check("*", "", true);
    }

    #[test]
    fn only_the_calls_that_a_rule_names_are_struck() {
        let faults = Faults::default();
        faults.add(
            FaultRule::on("GET", "/x", FaultEffect::Reset)
                .from_call(2)
                .times(2),
        );
        let strike = |method| faults.strike(method, "/x").is_some();
        let seen = [
            strike("GET"),
            strike("POST"),
            strike("GET"),
            strike("GET"),
            strike("GET"),
        ];
        assert_eq!(seen, [false, false, true, true, false]);
    }
}
