//! The checks of one line, each of which adds findings.

use std::ops::Range;

use flinkproc_core::FlinkVersion;

use super::finding::{Finding, Rule};
use super::intent::{self, Intent};
use crate::grammar::{Action, Family, Takes};
use crate::reading::{ActiveParser, Reading};

/// One line in the course of its check.
pub(super) struct Check<'i, 'w> {
    pub(super) version: FlinkVersion,
    pub(super) action: Action,
    pub(super) front: usize,
    pub(super) words: &'i [&'w str],
    pub(super) intent: &'i Intent<'w>,
    pub(super) findings: Vec<Finding>,
}

impl Check<'_, '_> {
    /// Adds a finding, unless one on the same word says as much already.
    pub(super) fn find(
        &mut self,
        rule: Rule,
        words: Range<usize>,
        happens: String,
        why: &'static str,
        help: impl Into<String>,
    ) {
        let words = words.start + self.front..words.end + self.front;
        let known = self
            .findings
            .iter()
            .any(|known| known.words.start == words.start && known.rule == rule);
        if !known {
            let help = help.into();
            self.findings.push(Finding {
                rule,
                words,
                happens,
                why,
                help,
            });
        }
    }

    pub(super) fn word(&self, at: usize) -> &str {
        self.words.get(at).copied().unwrap_or_default()
    }

    /// What is wrong with the action and the mode by themselves.
    pub(super) fn action(&mut self) {
        let version = self.version;
        // The word of the action stands right before the words that are counted here.
        let named = self.front.saturating_sub(1)..self.front;
        let mut said = Vec::new();
        let mut say = |rule, words: &Range<usize>, happens: String, why, help: &str| {
            let (words, help) = (words.clone(), help.to_owned());
            said.push(Finding {
                rule,
                words,
                happens,
                why,
                help,
            });
        };
        if !self.action.is_in(version) {
            let (happens, why, help) = match self.action {
                Action::RunApplication => (
                    format!(
                        "Flink {version} has no `run-application`: it prints its help and exits with 1"
                    ),
                    "Flink 2.0 took the action away; `run` takes the targets of application mode since",
                    "write `flink run -t yarn-application`",
                ),
                _ => (
                    format!("Flink {version} has no `checkpoint`: it came with Flink 1.19"),
                    "older versions take checkpoints on their own only",
                    "take a savepoint instead",
                ),
            };
            say(Rule::NoAction, &named, happens, why, help);
            self.findings.append(&mut said);
            return;
        }
        if !matches!(self.action, Action::Run | Action::RunApplication) {
            return;
        }
        let at = |option: &[&str]| {
            let mut words = self.words.iter();
            let at = words.position(|word| {
                option.contains(&intent::bare(word.split('=').next().unwrap_or_default()))
            });
            at.map_or(named.clone(), |at| {
                let width = if self.word(at).contains('=') { 1 } else { 2 };
                at + self.front..at + self.front + width
            })
        };
        let target = self.intent.target;
        let by_target = at(&["t", "target", "e", "executor"]);
        let by_manager = at(&["m", "jobmanager"]);
        let yarn_cluster = self.intent.manager == Some("yarn-cluster");
        if version.is_2() && target == Some("yarn-per-job") {
            let happens = format!(
                "Flink {version} has no per-job mode: `No ExecutorFactory found`, exit status 31"
            );
            let help = "use application mode";
            say(
                Rule::NoMode,
                &by_target,
                happens,
                "per-job mode was deprecated in Flink 1.15 and removed in 2.0",
                help,
            );
        } else if version.is_2() && target.is_none() && yarn_cluster {
            let happens = format!(
                "Flink {version} looks for a session on YARN whose id nobody names, as `-m yarn-cluster` means `yarn-session` there"
            );
            let help = "use application mode: `-t yarn-application`";
            say(
                Rule::NoMode,
                &by_manager,
                happens,
                "per-job mode was removed in Flink 2.0",
                help,
            );
        } else if self.action == Action::RunApplication
            && target
                .is_some_and(|target| !target.ends_with("application") && !target.contains('$'))
        {
            let happens = "`run-application` takes the targets of application mode only".to_owned();
            say(
                Rule::NoMode,
                &by_target,
                happens,
                "the other targets run `main()` in the client",
                "write `-t yarn-application`",
            );
        } else if self.action == Action::RunApplication && target.is_none() {
            let happens = "`run-application` needs a target: without one it fails".to_owned();
            say(
                Rule::NoMode,
                &named,
                happens,
                "the configuration that Flink comes with names none",
                "write `-t yarn-application`",
            );
        } else if self.action == Action::Run
            && !version.is_2()
            && target.is_some_and(|t| t.ends_with("application"))
        {
            let happens = format!(
                "`run` in Flink {version} has no application mode: `No ExecutorFactory found`"
            );
            say(
                Rule::NoMode,
                &by_target,
                happens,
                "`run` takes these targets since Flink 2.0",
                "write `flink run-application`",
            );
        } else if !version.is_2()
            && version.minor() >= (1, 15)
            && (yarn_cluster || target == Some("yarn-per-job"))
        {
            let place = if target.is_some() {
                by_target
            } else {
                by_manager
            };
            let happens = "per-job mode works, and is deprecated since Flink 1.15".to_owned();
            let help = "nothing to do on this image; Flink 2.0 has application mode instead";
            say(
                Rule::Deprecated,
                &place,
                happens,
                "each job gets a YARN application of its own",
                help,
            );
        }
        self.findings.append(&mut said);
    }

    /// Options whose values the active parser does not look at.
    pub(super) fn dropped(&mut self, reading: &Reading) {
        let chosen = match reading.parser {
            ActiveParser::Generic if self.intent.target.is_none() => return,
            ActiveParser::Generic => format!("`-t {}`", self.intent.target.unwrap_or_default()),
            ActiveParser::Yarn if self.action == Action::Session => return,
            ActiveParser::Yarn if reading.words.has("yid") => "`-yid`".to_owned(),
            ActiveParser::Yarn => "`-m yarn-cluster`".to_owned(),
            ActiveParser::Default => String::new(),
        };
        for taken in &reading.words.options {
            let option = taken.option;
            let lost = match reading.parser {
                _ if matches!(option.short, "yd" | "yh" | "yq") => false,
                ActiveParser::Generic => {
                    option.family == Family::Yarn || matches!(option.short, "m" | "z")
                }
                ActiveParser::Yarn => option.family == Family::Generic,
                ActiveParser::Default => option.family == Family::Yarn,
            };
            // What is read as something else has its own finding.
            let slipped = self
                .intent
                .slips
                .iter()
                .any(|slip| slip.words.start == taken.word);
            if !lost || slipped {
                continue;
            }
            let written = self.word(taken.word).to_owned();
            let joined = written.contains('=') || option.takes == Takes::Nothing;
            let width = if joined || self.word(taken.word + 1).is_empty() {
                1
            } else {
                2
            };
            let words = taken.word..taken.word + width;
            let (happens, why, help) = if chosen.is_empty() {
                (
                    format!(
                        "Flink drops `{written}` without a word, as neither `-t` nor `-m yarn-cluster` stands on the line"
                    ),
                    "the options that start with `-y` belong to YARN's parser, and another one is active",
                    "name the target with `-t` and write it as `-Dkey=value`",
                )
            } else if reading.parser == ActiveParser::Generic {
                (
                    format!("Flink drops `{written}` without a word beside {chosen}"),
                    "`-t` makes the generic parser active, which reads `-D` alone",
                    "write it as `-Dkey=value`",
                )
            } else {
                (
                    format!("Flink drops `{written}` without a word beside {chosen}"),
                    "YARN's own parser is active then, which reads `-yD` and not `-D`",
                    "name the target with `-t` instead",
                )
            };
            self.find(Rule::Dropped, words, happens, why, help);
        }
    }

    /// A word that ends Flink's reading before the program, for which nothing else was found.
    pub(super) fn early(&mut self, reading: &Reading) {
        let Some(at) = reading
            .words
            .ended_at
            .filter(|_| self.action.takes_program())
        else {
            return;
        };
        let program = self.intent.jar.map(|(at, _)| at);
        let expected = program.into_iter().chain(self.intent.arguments_at).min();
        let told = self
            .findings
            .iter()
            .any(|known| known.words.start <= at + self.front && known.rule == Rule::EndsParsing);
        if told || self.word(at) == "--" || expected.is_some_and(|expected| expected <= at) {
            return;
        }
        let happens = self.ends(self.word(at));
        let why = "the first word that is no option ends Flink's part of the line";
        self.find(
            Rule::EndsParsing,
            at..at + 1,
            happens,
            why,
            "leave it out, or put it behind the program",
        );
    }

    pub(super) fn repeated(&mut self, reading: &Reading) {
        let options = &reading.words.options;
        for (index, taken) in options.iter().enumerate() {
            let option = taken.option;
            let once = option.takes == Takes::One
                && !matches!(option.short, "C" | "yt")
                && option.short != "t";
            let before = options.get(..index).unwrap_or_default();
            if once && before.iter().any(|before| before.option == option) {
                let happens = format!(
                    "Flink reads the first `-{}` and drops this one without a word",
                    option.short
                );
                let why = "it looks at one value of each option";
                let help = if matches!(option.short, "pyfs" | "pyarch") {
                    "write one, with the values parted by commas"
                } else {
                    "write one"
                };
                self.find(
                    Rule::Repeated,
                    taken.word..taken.word + 1,
                    happens,
                    why,
                    help,
                );
            }
        }
    }

    /// Arguments of the program that Flink takes for its own options.
    pub(super) fn swallowed(&mut self, reading: &Reading) {
        let Some(from) = self.intent.arguments_at else {
            return;
        };
        for taken in reading
            .words
            .options
            .iter()
            .filter(|taken| taken.word >= from)
        {
            if self
                .intent
                .slips
                .iter()
                .any(|slip| slip.words.start == taken.word)
            {
                continue;
            }
            let read = self.reads(&reading.words, taken.word).unwrap_or_default();
            let written = self.word(taken.word).to_owned();
            let happens =
                format!("Flink takes `{written}` for itself, as {read}; the program never gets it");
            let why = "Flink reads on behind `-py`, and takes options by their beginnings too, up to the first word that is none";
            let help = "write `-- --` before the program's arguments: one for Flink's client, one for its Python driver";
            self.find(
                Rule::Swallowed,
                taken.word..taken.word + 1,
                happens,
                why,
                help,
            );
        }
    }
}

/// Whether a size is a bare number, which `-D` takes for bytes, of which no process can live.
pub(super) fn bytes(key: &str, value: &str) -> bool {
    let size = key.contains("memory.")
        && (key.ends_with(".size") || key.ends_with(".min") || key.ends_with(".max"));
    size && value
        .parse::<u64>()
        .is_ok_and(|bytes| bytes > 0 && bytes < 16 << 20)
}
