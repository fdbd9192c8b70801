//! Commands that people have: one behind `--`, or all of a script or a page.

use std::path::Path;

use flinkproc_check::{
    Language, Report, Severity, Source, blotted_words, check, check_line, render,
};
use flinkproc_core::FlinkVersion;
use flinkproc_flink_cli::diagnosis::is_flink;
use flinkproc_flink_cli::grammar::Action;
use serde_json::json;

use super::BROKEN;
use crate::App;
use crate::error::AppError;
use crate::report::Problem;

fn quote(word: &str) -> String {
    flinkproc_ssh::quote(word).into_owned()
}

/// Judges one command.
pub(super) fn command(
    app: &App,
    words: &[String],
    flink: Option<FlinkVersion>,
) -> Result<u8, Problem> {
    let first = words.first().map(String::as_str).unwrap_or_default();
    if !is_flink(first) && first != "gcloud" && Action::named(first).is_none() {
        return Err(AppError::Argument {
            text: first.to_owned(),
            what: "command of Flink or gcloud",
            how: "write `flink …`, `yarn-session.sh …` or `gcloud …` behind `--`".to_owned(),
        }
        .into());
    }
    let words = blotted_words(words);
    let mut text = String::new();
    let mut places = Vec::new();
    for word in &words {
        if !text.is_empty() {
            text.push(' ');
        }
        let start = text.len();
        text.push_str(&quote(word));
        places.push((start, text.len()));
    }
    let source = Source::new("command", &text);
    let report = check_line(&source, &words, &places, flink);
    Ok(say(app, &report, &source))
}

/// Judges every command of a file.
pub(super) fn file(app: &App, path: &Path, flink: Option<FlinkVersion>) -> Result<u8, Problem> {
    let source = read(path)?;
    let language = Language::of(&source.name, source.text());
    let report = check(&source, language, flink);
    Ok(say(app, &report, &source))
}

/// Reads a script or a page.
pub(crate) fn read(path: &Path) -> Result<Source, Problem> {
    let text = std::fs::read(path).map_err(AppError::file("the file", path))?;
    let text = String::from_utf8(text).map_err(|_| AppError::Argument {
        text: path.display().to_string(),
        what: "text file",
        how: "scripts and pages are text in UTF-8".to_owned(),
    })?;
    Ok(Source::new(path.display().to_string(), &text))
}

fn say(app: &App, report: &Report, source: &Source) -> u8 {
    let [errors, warnings] =
        [Severity::Error, Severity::Warning].map(|severity| report.count(severity));
    let code = if errors > 0 { BROKEN } else { 0 };
    if app.stdio.json() {
        app.stdio.json_result(&json!({
            "ok": errors == 0,
            "errors": errors,
            "warnings": warnings,
            "report": report,
        }));
        return code;
    }
    let text = render(report, source, &quote);
    if !text.is_empty() {
        app.stdio.result(&text);
    }
    let number = report.commands.len();
    app.stdio.tell(&format!(
        "{}: {number} command(s) read for Flink {} ({}): {errors} error(s), {warnings} warning(s)",
        report.name, report.flink, report.flink_from
    ));
    code
}
