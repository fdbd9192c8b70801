//! Failures on demand: rules that make chosen calls go wrong, for the tests of those who call.
//!
//! As JSON: `{"method": "POST", "path": "/upload/*", "nth": 2, "times": 3, "effect": {"answer": {"status": 503, "body": ""}}}`.
//! The effects are `{"answer": …}`, `{"delay": {"millis": 200}}`, `"reset"`, `"half-answer"` and `"answer-lost"`. Rules come by
//! [`Options::faults`](crate::Options::faults), by the file of `--faults` (a JSON list), or by `POST /emulator/v1/faults`.
//!
//! [`FaultRule`] and [`Faults`] take any type for what a strike does, so that another server can have effects of its own
//! beside those of HTTP.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Which calls go wrong, and how.
///
/// ```
/// use gcs_emulator::{FaultEffect, FaultRule};
///
/// let rule: FaultRule = FaultRule::on("POST", "/upload/storage/v1/b/*/o", FaultEffect::AnswerLost);
/// assert_eq!(rule.nth, 1);
/// let text = r#"{"path": "*", "times": 100, "probability": 0.1, "seed": 7, "effect": "reset"}"#;
/// let rule: FaultRule = serde_json::from_str(text)?;
/// assert_eq!(rule.method, None);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    deny_unknown_fields,
    bound(serialize = "E: Serialize", deserialize = "E: DeserializeOwned")
)]
pub struct FaultRule<E = FaultEffect> {
    /// The HTTP method; every one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The path of the URL as it was sent, without its query; `*` stands for any text.
    pub path: String,
    /// The first fitting call that may go wrong, from 1, counted since the rule was made.
    #[serde(default = "one")]
    pub nth: u32,
    /// How many fitting calls go wrong from then on.
    #[serde(default = "one")]
    pub times: u32,
    /// How likely each of them is to go wrong, from 0 to 1; certain when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// Chooses among the courses that chance may take; the same seed, the same course.
    #[serde(default)]
    pub seed: u64,
    /// What happens to them.
    pub effect: E,
}

const fn one() -> u32 {
    1
}

/// What happens to a call over HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultEffect {
    /// It is answered so, without any effect.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The body; JSON is labelled as JSON, everything else as HTML, as a proxy's error page is.
        #[serde(default)]
        body: String,
    },
    /// It is carried out after so many milliseconds of real time.
    Delay {
        /// How long.
        millis: u64,
    },
    /// The connection is cut before any effect.
    Reset,
    /// It takes effect; half of its answer's body comes, then the connection is cut.
    HalfAnswer,
    /// It takes effect, and the connection is cut instead of an answer.
    AnswerLost,
}

impl<E> FaultRule<E> {
    /// The first call of `method` on `path` goes wrong.
    #[must_use]
    pub fn on(method: &str, path: &str, effect: E) -> Self {
        Self {
            method: Some(method.to_owned()),
            path: path.to_owned(),
            nth: 1,
            times: 1,
            probability: None,
            seed: 0,
            effect,
        }
    }

    /// The same from the `nth` fitting call on, counted from 1.
    #[must_use]
    pub fn from_call(mut self, nth: u32) -> Self {
        self.nth = nth;
        self
    }

    /// The same for so many calls.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// The same, but each call only with this likelihood; `seed` makes it repeatable.
    #[must_use]
    pub fn with_probability(mut self, probability: f64, seed: u64) -> Self {
        self.probability = Some(probability);
        self.seed = seed;
        self
    }

    fn fits(&self, method: &str, path: &str) -> bool {
        self.method
            .as_ref()
            .is_none_or(|own| own.eq_ignore_ascii_case(method))
            && glob(&self.path, path)
    }

    /// Whether chance lets this call go wrong.
    fn chance(&self, call: u32) -> bool {
        self.probability.is_none_or(|probability| {
            let drawn = scramble(self.seed.wrapping_add(scramble(u64::from(call))));
            let unit = f64::from(u32::try_from(drawn >> 32).unwrap_or(u32::MAX)) / 4_294_967_296.0;
            unit < probability
        })
    }
}

/// SplitMix64's mixing: neighbouring numbers come out unlike.
const fn scramble(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// Reads the rules of a file: a JSON list.
///
/// # Errors
/// When it is no such list.
pub fn read_rules<E: DeserializeOwned>(text: &str) -> Result<Vec<FaultRule<E>>, serde_json::Error> {
    serde_json::from_str(text)
}

/// The rules in force. Handles share them.
#[derive(Debug)]
pub struct Faults<E = FaultEffect>(Arc<Mutex<Vec<Counted<E>>>>);

impl<E> Clone for Faults<E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<E> Default for Faults<E> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

#[derive(Debug)]
struct Counted<E> {
    rule: FaultRule<E>,
    seen: u32,
    struck: u32,
}

impl<E: Clone> Faults<E> {
    /// Adds a rule; of several that fit a call, the oldest that strikes decides.
    pub fn add(&self, rule: FaultRule<E>) {
        self.lock().push(Counted {
            rule,
            seen: 0,
            struck: 0,
        });
    }

    /// Ends all rules.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// The rules in force, and how many fitting calls each has seen.
    #[must_use]
    pub fn list(&self) -> Vec<(FaultRule<E>, u32)> {
        let rules = self.lock();
        rules.iter().map(|it| (it.rule.clone(), it.seen)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Counted<E>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call, and says what happens to it when a rule strikes.
    #[must_use]
    pub fn strike(&self, method: &str, path: &str) -> Option<E> {
        self.strike_if(method, path, |_| true)
    }

    /// As [`strike`](Self::strike), among the rules whose effect is of the wanted kind.
    #[must_use]
    pub fn strike_if(&self, method: &str, path: &str, wanted: impl Fn(&E) -> bool) -> Option<E> {
        let mut effect = None;
        for it in self.lock().iter_mut() {
            if !wanted(&it.rule.effect) || !it.rule.fits(method, path) {
                continue;
            }
            it.seen = it.seen.saturating_add(1);
            let due = it.seen >= it.rule.nth.max(1) && it.struck < it.rule.times;
            if due && effect.is_none() && it.rule.chance(it.seen) {
                it.struck += 1;
                effect = Some(it.rule.effect.clone());
            }
        }
        effect
    }
}

/// Whether `path` fits a pattern in which `*` stands for any text.
#[must_use]
pub fn glob(pattern: &str, path: &str) -> bool {
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

#[cfg(test)]
mod tests {
    use super::{FaultEffect, FaultRule, Faults, glob, read_rules};

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

    #[test]
    fn chance_takes_the_course_of_its_seed() {
        let course = |probability, seed| {
            let faults = Faults::default();
            let rule = FaultRule::on("GET", "*", FaultEffect::Reset).times(u32::MAX);
            faults.add(rule.with_probability(probability, seed));
            (0..1000)
                .map(|_| faults.strike("GET", "/x").is_some())
                .collect::<Vec<_>>()
        };
        let struck = |course: &[bool]| course.iter().filter(|struck| **struck).count();
        assert_eq!(course(0.3, 1), course(0.3, 1));
        assert_ne!(course(0.3, 1), course(0.3, 2));
        assert!((250..350).contains(&struck(&course(0.3, 1))));
        assert_eq!(struck(&course(0.0, 1)), 0);
        assert_eq!(struck(&course(1.0, 1)), 1000);
    }

    #[test]
    fn a_file_of_rules_is_read_strictly() {
        let text = r#"[{"path": "/x", "effect": {"delay": {"millis": 5}}},
            {"method": "GET", "path": "*", "nth": 2, "effect": {"answer": {"status": 503}}}]"#;
        let rules = read_rules::<FaultEffect>(text).expect("rules");
        assert_eq!(rules.len(), 2);
        let effect = FaultEffect::Answer {
            status: 503,
            body: String::new(),
        };
        assert_eq!(rules[1], FaultRule::on("GET", "*", effect).from_call(2));
        for text in [
            r#"[{"path": "/x"}]"#,
            r#"[{"path":"x","effect":"reset","extra":1}]"#,
        ] {
            assert!(read_rules::<FaultEffect>(text).is_err(), "{text}");
        }
    }
}
