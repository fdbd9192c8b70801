//! The end of a deployment: result, verdict, times, ids, logs, and what is left.

use std::fmt::Write;

use flinkproc_core::FailureKind;
use flinkproc_patterns::{Cause, Conclusion, Ending, Outcome, Verdict};

use super::Stdio;
use super::progress::{bytes, seconds, why};

/// The longest piece of a result object that is shown, in bytes.
const SHOWN: usize = 4096;

/// The summary for standard error.
pub(crate) fn render(outcome: &Outcome, stdio: Stdio) -> String {
    let mut text = String::new();
    let mut line = |label: &str, value: &str| {
        let _ = writeln!(text, "  {label:<12} {value}");
    };
    line("deployment", outcome.deployment.as_str());
    line("ended", &conclusion(outcome));
    if let Some(cluster) = &outcome.cluster {
        line("cluster", cluster.name.as_str());
    }
    for application in &outcome.applications {
        line("application", application.as_str());
    }
    for job in &outcome.jobs {
        line("Flink job", job.as_str());
    }
    if let Some(logs) = &outcome.logs {
        line("logs", &logs.display().to_string());
    }
    for object in &outcome.result {
        line(
            "result",
            &format!("{} ({})", object.uri, bytes(object.size)),
        );
    }
    let phases: Vec<String> = outcome
        .phases
        .iter()
        .map(|phase| format!("{} {}", phase.step, seconds(phase.took_ms)))
        .collect();
    if !phases.is_empty() {
        line("phases", &phases.join(", "));
    }
    if let Some(failure) = &outcome.failure {
        let _ = writeln!(
            text,
            "{}: {}",
            stdio.paint("31;1", &format!("error[{}]", failure.code)),
            failure.messages.join("\n  caused by: ")
        );
        if let Some(help) = &failure.help {
            let _ = writeln!(text, "  {}: {help}", stdio.paint("36", "help"));
        }
    }
    if let Some(cause) = &outcome.cause {
        text.push_str(&self::cause(cause, stdio));
    }
    for rest in &outcome.remains {
        let costs = if rest.costs {
            "still costs money"
        } else {
            "is left"
        };
        let _ = writeln!(
            text,
            "{} {costs} ({}); end it with:\n  {}",
            rest.what, rest.why, rest.command
        );
    }
    text
}

/// Why a job failed: the line that says it, then the whole text.
pub(crate) fn cause(cause: &Cause, stdio: Stdio) -> String {
    let head = stdio.paint("31;1", "cause");
    format!(
        "{head}: {} (from {})\n{}\n",
        cause.headline,
        cause.source,
        cause.text.trim_end()
    )
}

/// How a deployment ended, in a few words.
pub(crate) fn conclusion(outcome: &Outcome) -> String {
    match &outcome.conclusion {
        Conclusion::Ended { ending, verdict } => match (ending, verdict) {
            (Ending::Finished, Some(Verdict::ClientFailed { .. }))
                if outcome.kind() == Some(FailureKind::Job) =>
            {
                "the program failed before it submitted a job".to_owned()
            }
            (Ending::Finished, Some(verdict)) => verdict.to_string(),
            (_, Some(verdict)) => format!("{}; the job: {verdict}", why(*ending)),
            // Whoever takes a deployment down may not know how far its run had come.
            (Ending::Down, None) => why(Ending::Down).to_owned(),
            (_, None) if outcome.applications.is_empty() && outcome.jobs.is_empty() => {
                format!("{}, before the job started", why(*ending))
            }
            (_, None) => format!("{}, after the job had started", why(*ending)),
        },
        Conclusion::Detached => format!(
            "not yet: it goes on; attach with `flinkproc deploy --resume {}`",
            outcome.deployment
        ),
        Conclusion::Left => format!(
            "not yet: left at once; end it with `flinkproc down {}`",
            outcome.deployment
        ),
        Conclusion::Reached(step) => format!(
            "stopped after {step}, as asked; end it with `flinkproc down {}`",
            outcome.deployment
        ),
    }
}

/// The result's text for standard output: the fetched objects one after the other, long ones cut.
pub(crate) fn result(outcome: &Outcome) -> Option<String> {
    let mut text = String::new();
    for object in &outcome.result {
        let Some(bytes) = object
            .local
            .as_ref()
            .and_then(|path| std::fs::read(path).ok())
        else {
            continue;
        };
        let whole = bytes.len() <= SHOWN;
        let end = bytes
            .iter()
            .take(SHOWN)
            .rposition(|byte| *byte == b'\n')
            .map_or(SHOWN, |end| end + 1);
        let shown = if whole {
            &bytes[..]
        } else {
            bytes.get(..end).unwrap_or_default()
        };
        text.push_str(&String::from_utf8_lossy(shown));
        if !whole {
            let _ = writeln!(text, "… {} bytes in all: {}", bytes.len(), object.uri);
        }
    }
    Some(text).filter(|text| !text.is_empty())
}
