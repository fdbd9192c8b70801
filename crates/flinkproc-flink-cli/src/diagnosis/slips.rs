//! Options that are written otherwise, or that a version lacks.

use flinkproc_core::FlinkVersion;

use super::check::Check;
use super::finding::Rule;
use super::intent::{Slip, SlipKind};
use crate::grammar::{Action, Takes};
use crate::words::Words;

impl Check<'_, '_> {
    /// Options that are written otherwise, or that this version lacks.
    pub(super) fn slips(&mut self, read: Option<&Words>) {
        for slip in &self.intent.slips {
            let Slip { words, kind } = slip;
            let written = self.word(words.start).to_owned();
            let name = written.split('=').next().unwrap_or_default();
            let done = read.and_then(|read| self.reads(read, words.start));
            let reached = read.is_none_or(|read| {
                read.ended_at.is_none_or(|ended| ended >= words.start)
                    || matches!(kind, SlipKind::Behind)
            });
            let (rule, happens) = match (&kind, done) {
                (SlipKind::Behind, _) => {
                    let program = self.intent.jar.map_or("the program", |(_, jar)| jar);
                    (
                        Rule::BehindProgram,
                        format!(
                            "`{name}` goes to the program as an argument: it stands behind `{program}`"
                        ),
                    )
                }
                (_, Some(read)) => (
                    Rule::Misread,
                    format!("Flink {} reads `{name}` as {read}", self.version),
                ),
                _ if !reached => {
                    let what = "it stands behind a word that ended the parsing, and becomes an argument of the program";
                    (
                        Rule::EndsParsing,
                        format!("Flink {} never sees `{name}`: {what}", self.version),
                    )
                }
                _ => (Rule::EndsParsing, self.ends(name)),
            };
            let (why, help) = reason(self.version, self.action, kind);
            self.find(rule, words.clone(), happens, why, help);
        }
    }

    /// What Flink takes a word for that is no option by its whole name.
    pub(super) fn reads(&self, read: &Words, at: usize) -> Option<String> {
        let taken = read.options.iter().find(|taken| taken.word == at)?;
        let option = taken.option;
        Some(match (option.takes, taken.values.first()) {
            (Takes::Nothing, _) | (_, None) => format!("`-{}`", option.short),
            (_, Some(value)) => format!("`-{}` with the value `{value}`", option.short),
        })
    }

    pub(super) fn ends(&self, name: &str) -> String {
        let version = self.version;
        match self.action {
            Action::Session => {
                let stale = if self.starts_bare() {
                    ", and where a file of `/tmp` remembers a session, it attaches to that instead of starting one"
                } else {
                    ""
                };
                format!(
                    "Flink {version} does not know `{name}` and drops it with everything behind it, without a word{stale}"
                )
            }
            action if action.takes_program() => format!(
                "Flink {version} does not know `{name}`: it ends the parsing, and everything from there on becomes arguments of the program, without a word"
            ),
            _ => format!("Flink {version} does not know `{name}` and refuses the line"),
        }
    }
}

fn reason(version: FlinkVersion, action: Action, kind: &SlipKind) -> (&'static str, String) {
    match kind {
        SlipKind::Alias("jars") => (
            "no version has it",
            "name each jar with `-C file:///…`, or put it into Flink's `lib`".to_owned(),
        ),
        SlipKind::Alias(short) => (
            "no version has an option of that name",
            format!("write `-{short}`"),
        ),
        SlipKind::Joined => (
            "`-yD` takes its pair as a word of its own; `-D` alone may stand together with it",
            "write `-Dkey=value` beside `-t`, or `-yD key=value`".to_owned(),
        ),
        SlipKind::Gone(what) => (
            "no version from 1.12 on has it",
            format!("leave out {what}"),
        ),
        SlipKind::Unknown => (
            "no version has such an option",
            match action.takes_program() {
                true => "leave it out; what is meant for the program stands behind it".to_owned(),
                false => "leave it out".to_owned(),
            },
        ),
        SlipKind::Behind => (
            "the first word that is no option ends Flink's part of the line",
            "put Flink's options before the program".to_owned(),
        ),
        SlipKind::Absent(option) => {
            let help = match (option.short, version.minor()) {
                ("pypath", _) => "ship the code with `-pyfs`".to_owned(),
                ("pyclientexec", _) => "set `-Dpython.client.executable=…`".to_owned(),
                ("cm", (1, 15..)) => "write `-rm`".to_owned(),
                ("cm" | "rm", _) => {
                    "leave it out: this version does not own what it restores from".to_owned()
                }
                ("yd", _) => "write `-d`".to_owned(),
                _ => "leave it out".to_owned(),
            };
            let why = match option.until {
                Some(_) => "Flink 2.0 took it away",
                None => match option.since {
                    (1, 14) => "it came with Flink 1.14",
                    (1, 15) => "it came with Flink 1.15",
                    (1, 18) => "it came with Flink 1.18",
                    (1, 19) => "it came with Flink 1.19",
                    (1, 20) => "it came with Flink 1.20",
                    _ => "it is of another version",
                },
            };
            (why, help)
        }
    }
}
