//! Lines that Flink refuses, and lines that only seem so because a shell variable stands where a value will be.

use std::borrow::Cow;

use flinkproc_core::FlinkVersion;

use super::intent::SlipKind;
use super::{Check, Rule};
use crate::grammar::{Action, Grammar};
use crate::reading::{Reading, Refusal};
use crate::words::{Rules, Unreadable, Words};

/// Reads the line; a variable that is not filled in passes for a value.
pub(super) fn reading(
    version: FlinkVersion,
    action: Action,
    words: &[&str],
) -> Result<Reading, Refusal> {
    let first = Reading::of(version, action, words);
    let Err(Refusal::Value { option, value }) = &first else {
        return first;
    };
    if !value.contains(['$', '<']) {
        return first;
    }
    let fill = match option.short {
        "m" => "h:1",
        "C" => "file:/x",
        "yid" | "id" => "application_1_1",
        "cm" | "rm" => "CLAIM",
        _ => "1",
    };
    let filled: Vec<String> = words
        .iter()
        .map(|word| word.replace(value.as_str(), fill))
        .collect();
    let filled: Vec<&str> = filled.iter().map(String::as_str).collect();
    reading(version, action, &filled)
}

/// The words as Flink parses them, also where it refuses a value in them later.
pub(super) fn words<'r>(
    version: FlinkVersion,
    action: Action,
    words: &[&str],
    reading: &'r Result<Reading, Refusal>,
) -> Option<Cow<'r, Words>> {
    match reading {
        Ok(reading) => Some(Cow::Borrowed(&reading.words)),
        Err(Refusal::NoAction) => None,
        Err(_) => {
            let stop = action.takes_program() || action == Action::Session;
            let grammar = Grammar::of(action, version);
            Words::read(&grammar, words, Rules::of(version, stop))
                .ok()
                .map(Cow::Owned)
        }
    }
}

impl Check<'_, '_> {
    /// Says why Flink refuses the line, unless a finding has said so.
    pub(super) fn refused(&mut self, refusal: &Refusal) {
        let at = |word: &str| self.words.iter().position(|own| *own == word);
        let (at, happens, help) = match refusal {
            Refusal::NoAction => return,
            Refusal::Words(Unreadable::MissingValue { option }) => {
                let spelled = |word: &str| {
                    let name = super::intent::bare(word);
                    name == option.short
                        || name == option.long
                        || name.split('=').next() == Some(option.long)
                };
                let at = self.words.iter().rposition(|word| spelled(word));
                (
                    at,
                    format!("`-{}` needs a value", option.short),
                    "write the value behind the option".to_owned(),
                )
            }
            Refusal::Words(Unreadable::Ambiguous { word, matches }) => {
                let could = matches
                    .iter()
                    .map(|long| format!("--{long}"))
                    .collect::<Vec<_>>()
                    .join(" or ");
                (
                    at(word),
                    format!("`{word}` could be {could}"),
                    "write the whole name".to_owned(),
                )
            }
            Refusal::Words(Unreadable::Unknown { word }) => {
                let at = at(word);
                (
                    at,
                    format!("there is no option `{word}`"),
                    "leave it out".to_owned(),
                )
            }
            Refusal::Value { option, value } => {
                let at = self
                    .words
                    .iter()
                    .position(|word| word == value || word.ends_with(value.as_str()));
                let help = match option.short {
                    "p" => "write a number of at least 1",
                    "C" => "write a URL, such as `file:///path/to.jar`",
                    "m" => "write `host:port`",
                    "cm" | "rm" => "write CLAIM, NO_CLAIM or LEGACY",
                    "yid" | "id" => {
                        "write the id of a YARN application, such as application_1700000000000_0001"
                    }
                    _ => "write a number, with a unit where it is a size",
                };
                (
                    at,
                    format!("`-{}` does not take `{value}`", option.short),
                    help.to_owned(),
                )
            }
        };
        let at = at.unwrap_or(self.words.len().saturating_sub(1));
        let explained = self.intent.slips.iter().any(|slip| {
            slip.words.contains(&at)
                || slip.words.contains(&(at + 1))
                || !matches!(slip.kind, SlipKind::Behind)
        });
        if !explained {
            self.find(
                Rule::Refused,
                at..at + 1,
                format!("Flink refuses the line: {happens}"),
                "its parser says so",
                help,
            );
        }
    }
}
