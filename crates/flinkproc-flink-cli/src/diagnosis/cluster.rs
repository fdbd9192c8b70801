//! Lines that do not say which cluster is meant.

use super::check::Check;
use super::finding::{Finding, Rule};
use super::intent;
use crate::grammar::Action;
use crate::reading::{ActiveParser, Reading};

impl Check<'_, '_> {
    /// Whether `yarn-session.sh` has no option, or `-d` alone, before the word that ends the parsing.
    pub(super) fn starts_bare(&self) -> bool {
        let first = self
            .words
            .iter()
            .find(|word| !matches!(intent::bare(word), "d" | "detached" | "yd"));
        first.is_none_or(|first| {
            let name = intent::bare(first);
            !name.starts_with('D')
                && crate::grammar::every(self.action).all(|o| o.short != name && o.long != name)
        })
    }

    /// A line that does not say which cluster is meant.
    pub(super) fn cluster(&mut self, reading: &Reading) {
        let front = self.front;
        if self.action == Action::Session {
            if self.intent.setting("yarn.application.id").is_none() && self.starts_bare() {
                let happens = "it starts a session, or attaches to the one that a file of this user in `/tmp` remembers".to_owned();
                let why = "with no option but `-d`, Flink reads `/tmp/.yarn-properties-USER`, which outlives its session";
                self.bare(
                    happens,
                    why,
                    "name the session with `-nm`, and find it by its id later",
                );
            }
            return;
        }
        let named = self.intent.target.is_some()
            || self.intent.manager.is_some()
            || reading.words.has("yid");
        let info = self.action == Action::Info;
        if named || info || front == 0 {
            let lacks = reading.parser == ActiveParser::Generic
                && !matches!(
                    self.action,
                    Action::Run | Action::RunApplication | Action::Info
                )
                && self
                    .intent
                    .target
                    .is_some_and(|target| target.starts_with("yarn-"))
                && reading
                    .configuration
                    .get("yarn.application.id")
                    .is_none_or(String::is_empty);
            if lacks {
                self.bare(
                    "Flink does not know which YARN application is meant, and fails".to_owned(),
                    "a target on YARN needs the id of the application",
                    "add `-Dyarn.application.id=…`; `yarn application -list` shows the ids",
                );
            }
            return;
        }
        let dropped = self.intent.yarn;
        let (happens, help) = if self.action.takes_program() {
            let file = if dropped {
                "it goes to a standalone cluster on this machine, which Dataproc does not have"
            } else {
                "it goes to the session that a file of this user in `/tmp` remembers, or else to a standalone cluster on this machine, which Dataproc does not have"
            };
            (
                file,
                "name the target: `-t yarn-session -Dyarn.application.id=…`, or a mode that starts its own",
            )
        } else {
            (
                "it sees only a session that this same user started on this machine, and that a file in `/tmp` remembers",
                "name the application: `-t yarn-session -Dyarn.application.id=…`; `yarn application -list` shows the ids",
            )
        };
        let why = "without a target, Flink reads `/tmp/.yarn-properties-USER`, which outlives its session";
        self.bare(happens.to_owned(), why, help);
    }

    /// A finding on the words that name the action.
    pub(super) fn bare(&mut self, happens: String, why: &'static str, help: &str) {
        let words = 0..self.front;
        let (rule, help) = (Rule::NoCluster, help.to_owned());
        self.findings.push(Finding {
            rule,
            words,
            happens,
            why,
            help,
        });
    }
}
