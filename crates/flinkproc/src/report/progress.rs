//! Tells what happens while it happens: lines on standard error, and a spinner where there is a terminal.

use std::collections::BTreeMap;
use std::time::Duration;

use flinkproc_patterns::{Ending, Event, EventKind, Step, Stream};
use flinkproc_plan::{OnFailure, OnInterrupt};
use flinkproc_rest::FinalStatus;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

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
                // Causes and help follow with the summary.
                let what = failure.messages.first().map_or("", String::as_str);
                self.line(&format!("  {mark} {step:<15} {what}"));
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

/// A number of bytes with its unit in the right number.
pub(crate) fn bytes(count: u64) -> String {
    match count {
        1 => "1 byte".to_owned(),
        _ => format!("{count} bytes"),
    }
}

/// A service's word for a state, as it reads in a sentence.
pub(crate) fn word(state: &impl Serialize) -> String {
    match serde_json::to_value(state) {
        Ok(serde_json::Value::String(word)) => word.to_lowercase().replace(['_', '-'], " "),
        _ => "in a state that has no name".to_owned(),
    }
}

/// Why a deployment goes to its end.
pub(crate) const fn why(ending: Ending) -> &'static str {
    match ending {
        Ending::Finished => "the job is over",
        Ending::Failed => "a step failed",
        Ending::Deadline => "the deadline has passed",
        Ending::Interrupted => "interrupted",
        Ending::Down => "taken down",
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
            format!("  {how} {uri} ({})", bytes(*size))
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
            format!("  cluster {} is {}{detail}", cluster.name, word(state))
        }
        EventKind::Connected { host, way } => format!("  connected to the master at {host}, {way}"),
        EventKind::Disconnected { why } => {
            format!("  the connection broke ({why}); connecting again, nothing is lost")
        }
        EventKind::Submitted { attempt } => {
            format!("  the launcher has the job (attempt {attempt})")
        }
        EventKind::OutputSkipped { bytes } => {
            format!("  | … {bytes} bytes are in the saved log only …")
        }
        EventKind::Application {
            id,
            state,
            final_status,
        } => {
            let last = match final_status {
                FinalStatus::Undefined => String::new(),
                status => format!(", final status {}", word(status)),
            };
            format!("  YARN application {id} is {}{last}", word(state))
        }
        EventKind::FlinkJob { id, state } => format!("  Flink job {id} is {}", word(state)),
        EventKind::Ending { ending } => {
            format!("Bringing everything to its end: {}.", why(*ending))
        }
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
        EventKind::Result { uri, size, .. } => format!("  result {uri} ({})", bytes(*size)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use flinkproc_patterns::{Ending, EventKind};
    use flinkproc_rest::{ApplicationState, FinalStatus, FlinkJobState};
    use jiff::Timestamp;

    use super::{bytes, seconds, tell};

    fn told(what: &EventKind) -> String {
        tell(what, Timestamp::UNIX_EPOCH).unwrap_or_default()
    }

    #[test]
    fn states_are_told_in_words() {
        let id = || "application_1_0001".parse().expect("valid");
        let application = |state, final_status| EventKind::Application {
            id: id(),
            state,
            final_status,
        };
        let running = application(ApplicationState::Running, FinalStatus::Undefined);
        insta::assert_snapshot!(told(&running), @"  YARN application application_1_0001 is running");
        let finished = application(ApplicationState::Finished, FinalStatus::Succeeded);
        insta::assert_snapshot!(told(&finished), @"  YARN application application_1_0001 is finished, final status succeeded");
        let job = EventKind::FlinkJob {
            id: "0123456789abcdef0123456789abcdef".parse().expect("valid"),
            state: FlinkJobState::Running,
        };
        insta::assert_snapshot!(told(&job), @"  Flink job 0123456789abcdef0123456789abcdef is running");
        let ending = EventKind::Ending {
            ending: Ending::Deadline,
        };
        insta::assert_snapshot!(told(&ending), @"Bringing everything to its end: the deadline has passed.");
    }

    #[test]
    fn numbers_carry_their_units() {
        assert_eq!(
            [bytes(0), bytes(1), bytes(2)],
            ["0 bytes", "1 byte", "2 bytes"]
        );
        assert_eq!(
            [seconds(0), seconds(59_999), seconds(62_400)],
            ["0.0 s", "59.9 s", "1 min 2 s"]
        );
    }
}
