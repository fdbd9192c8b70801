//! Rules of the house that no compiler checks.

mod graph;
mod licences;
mod sandbox_page;
mod text;

use crate::cargo::say;

/// Runs every rule and lists everything that breaks one.
pub(crate) fn run() -> Result<(), String> {
    let metadata = graph::Metadata::read()?;
    let mut problems = graph::check(&metadata);
    problems.extend(licences::check(&metadata));
    problems.extend(text::check()?);
    problems.extend(sandbox_page::check()?);
    for problem in &problems {
        say(&format!("tidy: {problem}"));
    }
    match problems.len() {
        0 => Ok(()),
        count => Err(format!("tidy found {count} problem(s)")),
    }
}
