//! Tells what happens while it happens: lines on standard error, and a spinner where there is a terminal.

use std::collections::BTreeMap;
use std::time::Duration;

use flinkproc_patterns::{Event, EventKind, Step, Stream};
use flinkproc_plan::{OnFailure, OnInterrupt};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Stdio;

/// The teller of one deployment.
#[derive(Debug)]
pub(crate) struct Progress {
    stdio: Stdio,
    spinner: Option<ProgressBar>,
    running: BTreeMap<Step, Timestamp>,
    /// What was last said of something that is tried again: it is said once, however often it is tried.
    again: Option<String>,
    /// The last line of program output, when it had no end yet.
    partial: BTreeMap<bool, String>,
}

impl Progress {
    pub(crate) fn new(stdio: Stdio) -> Self {
        let spinner = stdio.bars().then(|| {
            let spinner = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
                spinner.set_style(style);
            }
            spinner.enable_steady_tick(Duration::from_millis(120));
            spinner
        });
        Self {
            stdio,
            spinner,
            running: BTreeMap::new(),
            again: None,
            partial: BTreeMap::new(),
        }
    }

    /// Tells one event.
    pub(crate) fn show(&mut self, event: &Event) {
        match &event.what {
            EventKind::StepStarted { step } => {
                self.running.insert(*step, event.at);
            }
            EventKind::StepDone { step, took_ms } => {
                self.running.remove(step);
                let mark = self.stdio.paint("32", "done");
                self.line(&format!("  {mark} {step:<15} {}", seconds(*took_ms)));
            }
            EventKind::StepFailed { failure } => {
                let step = failure
                    .step
                    .map(|step| step.to_string())
                    .unwrap_or_default();
                if let Some(step) = failure.step {
                    self.running.remove(&step);
                }
                let mark = self.stdio.paint("31;1", "fail");
                self.line(&format!("  {mark} {step:<15} {failure}"));
            }
            EventKind::Output { stream, text } => self.output(*stream, text),
            EventKind::Ended { .. } => self.finish(),
            other => {
                if let Some(text) = tell(other, event.at) {
                    let again = matches!(other, EventKind::Retrying { .. }).then(|| text.clone());
                    if again.is_none() || again != self.again {
                        self.line(&text);
                    }
                    self.again = again;
                }
            }
        }
        self.spin();
    }

    /// Tells a line of this program's own.
    pub(crate) fn note(&self, text: &str) {
        self.line(text);
    }

    /// Takes the spinner away; what is told after this stays.
    pub(crate) fn finish(&mut self) {
        for (_, rest) in std::mem::take(&mut self.partial) {
            self.line(&format!("  | {rest}"));
        }
        if let Some(spinner) = self.spinner.take() {
            spinner.finish_and_clear();
        }
    }

    fn spin(&self) {
        if let Some(spinner) = &self.spinner {
            let steps: Vec<String> = self.running.keys().map(Step::to_string).collect();
            spinner.set_message(steps.join(", "));
        }
    }

    /// Tells whole lines of the program's output; what has no end yet waits for the rest of its line.
    fn output(&mut self, stream: Stream, text: &str) {
        let key = stream == Stream::Err;
        let mut text = self.partial.remove(&key).unwrap_or_default() + text;
        let rest = text.rfind('\n').map_or(0, |end| end + 1);
        let partial = text.split_off(rest);
        for line in text.lines() {
            self.line(&format!("  | {line}"));
        }
        if !partial.is_empty() {
            self.partial.insert(key, partial);
        }
    }

    fn line(&self, text: &str) {
        match &self.spinner {
            Some(spinner) => spinner.suspend(|| self.stdio.tell(text)),
            None => self.stdio.tell(text),
        }
    }
}

/// Milliseconds as people read them.
pub(crate) fn seconds(milliseconds: u64) -> String {
    match milliseconds {
        0..60_000 => format!("{}.{} s", milliseconds / 1_000, milliseconds % 1_000 / 100),
        _ => format!(
            "{} min {} s",
            milliseconds / 60_000,
            milliseconds % 60_000 / 1_000
        ),
    }
}

/// A time of day with its zone, and the date where it is another day than `now`.
pub(crate) fn clock_time(at: Timestamp, now: Timestamp) -> String {
    let zone = TimeZone::system();
    let (at, now) = (at.to_zoned(zone.clone()), now.to_zoned(zone));
    let form = if at.date() == now.date() {
        "%H:%M:%S %Z"
    } else {
        "%Y-%m-%d %H:%M:%S %Z"
    };
    at.strftime(form).to_string()
}

fn tell(what: &EventKind, now: Timestamp) -> Option<String> {
    Some(match what {
        EventKind::Began {
            cluster,
            ours,
            deadline,
            on_failure,
            on_interrupt,
            resumed,
        } => {
            let name = &cluster.name;
            let deadline = clock_time(*deadline, now);
            let verb = if *resumed { "goes on" } else { "begins" };
            if *ours {
                let failure = match on_failure {
                    OnFailure::Delete => "also when the job fails",
                    OnFailure::Keep => "but keeps it when the job fails",
                };
                let interrupt = match on_interrupt {
                    OnInterrupt::Delete => "Ctrl-C deletes it too",
                    OnInterrupt::Detach => "Ctrl-C leaves it running",
                };
                format!(
                    "The deployment {verb}. It deletes cluster {name} at its end, {failure}, by {deadline} at the latest; \
                     {interrupt}."
                )
            } else {
                format!(
                    "The deployment {verb} on cluster {name}, which it did not make and will not delete; deadline {deadline}."
                )
            }
        }
        EventKind::Retrying { what, why } => format!("  again: {what} ({why})"),
        EventKind::Staged { uri, size, written } => {
            let how = if *written {
                "staged"
            } else {
                "was there already:"
            };
            format!("  {how} {uri} ({size} bytes)")
        }
        EventKind::Cluster {
            cluster,
            state,
            detail,
        } => {
            let detail = detail
                .as_ref()
                .map(|text| format!(": {text}"))
                .unwrap_or_default();
            format!("  cluster {} is {state:?}{detail}", cluster.name)
        }
        EventKind::Connected { host } => format!("  connected to the master at {host}"),
        EventKind::Disconnected { why } => {
            format!("  the connection broke ({why}); connecting again, nothing is lost")
        }
        EventKind::Submitted { attempt } => {
            format!("  the launcher has the job (attempt {attempt})")
        }
        EventKind::OutputSkipped { bytes } => {
            format!("  | … {bytes} bytes are only in the saved log …")
        }
        EventKind::Application {
            id,
            state,
            final_status,
        } => {
            format!("  YARN application {id}: {state:?}, final status {final_status:?}")
        }
        EventKind::FlinkJob { id, state } => format!("  Flink job {id}: {state:?}"),
        EventKind::Ending { ending } => format!("Bringing everything to its end: {ending:?}."),
        EventKind::EndingStep(step) => {
            let how = if step.worked {
                "worked"
            } else {
                "did not work"
            };
            let detail = step
                .detail
                .as_ref()
                .map(|text| format!(": {text}"))
                .unwrap_or_default();
            format!("  {}: {how}{detail}", step.what)
        }
        EventKind::LogSaved { path } => format!("  saved {}", path.display()),
        EventKind::Result { uri, size, .. } => format!("  result {uri} ({size} bytes)"),
        _ => return None,
    })
}
