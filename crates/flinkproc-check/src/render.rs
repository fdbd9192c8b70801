//! A report as people read it: the line, carets under what is meant, what happens, why, what to do, the line to write.

use std::fmt::Write;

use crate::finding::{Checked, Finding};
use crate::script::Report;
use crate::source::Source;

/// Writes a report; `quote` makes shell text of a word.
#[must_use]
pub fn render(report: &Report, source: &Source, quote: &dyn Fn(&str) -> String) -> String {
    let mut parts: Vec<(usize, String)> = Vec::new();
    for finding in &report.findings {
        parts.push((finding.place.line, shown(finding, source)));
    }
    for command in &report.commands {
        let mut text = String::new();
        for finding in &command.findings {
            text.push_str(&shown(finding, source));
        }
        if !command.instead.is_empty() {
            let _ = writeln!(text, "write instead:");
            for line in &command.instead {
                let _ = writeln!(text, "    {}", line_of(command, line, quote));
            }
            text.push('\n');
        }
        parts.push((command.line, text));
    }
    parts.sort_by_key(|(line, _)| *line);
    parts.into_iter().map(|(_, text)| text).collect()
}

fn shown(finding: &Finding, source: &Source) -> String {
    let place = finding.place;
    let number = place.line.to_string();
    let gap = " ".repeat(number.len());
    let line = source.line(place.line).replace('\t', " ");
    let before = " ".repeat(place.column - 1);
    let carets = "^".repeat(place.width);
    format!(
        "{}[{}]: {}\n{gap}--> {}:{}:{}\n{gap} |\n{number} | {line}\n{gap} | {before}{carets}\n{gap} = why: {}\n{gap} = help: {}\n\n",
        finding.severity,
        finding.code,
        finding.message,
        source.name,
        place.line,
        place.column,
        finding.why,
        finding.help
    )
}

/// A line to write, as shell text.
#[must_use]
pub fn line_of(command: &Checked, words: &[String], quote: &dyn Fn(&str) -> String) -> String {
    let word = |word: &String| {
        if command.open {
            open_word(word, quote)
        } else {
            quote(word)
        }
    };
    words.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// A word whose variables stay variables: they go between double quotes, the rest is quoted as letters.
fn open_word(word: &str, quote: &dyn Fn(&str) -> String) -> String {
    let mut out = String::new();
    let mut rest = word;
    while let Some(at) = rest.find('$') {
        let (before, variable) = rest.split_at_checked(at).unwrap_or((rest, ""));
        let length = match variable.as_bytes().get(1) {
            Some(b'{') => variable.find('}').map_or(variable.len(), |end| end + 1),
            Some(b'(') => variable.rfind(')').map_or(variable.len(), |end| end + 1),
            _ => {
                let name = variable
                    .char_indices()
                    .skip(1)
                    .find(|(_, c)| !(c.is_alphanumeric() || *c == '_'));
                name.map_or(variable.len(), |(end, _)| end).max(1)
            }
        };
        let (variable, left) = variable.split_at_checked(length).unwrap_or((variable, ""));
        if !before.is_empty() {
            out.push_str(&quote(before));
        }
        if variable.len() > 1 {
            let _ = write!(out, "\"{variable}\"");
        } else {
            out.push_str(&quote(variable));
        }
        rest = left;
    }
    if !rest.is_empty() || word.is_empty() {
        out.push_str(&quote(rest));
    }
    out
}
