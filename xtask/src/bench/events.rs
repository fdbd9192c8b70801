//! The events of a deployment, read from what `--events` wrote.

use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;

use crate::bench::workplace::text;

/// An event, as far as the bench looks at it.
#[derive(Debug, Deserialize)]
struct Event {
    at: Timestamp,
    event: String,
    step: Option<String>,
    state: Option<String>,
}

/// The events of one deployment, in order.
#[derive(Debug)]
pub(crate) struct Events(Vec<Event>);

impl Events {
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let lines = std::fs::read_to_string(path).map_err(text)?;
        Self::parse(&lines)
    }

    fn parse(lines: &str) -> Result<Self, String> {
        let read = lines.lines().map(serde_json::from_str);
        read.collect::<Result<_, _>>().map(Self).map_err(text)
    }

    fn find(&self, what: &str, fits: impl Fn(&Event) -> bool) -> Result<Timestamp, String> {
        let found = self
            .0
            .iter()
            .find(|event| event.event == what && fits(event));
        found
            .map(|event| event.at)
            .ok_or_else(|| format!("there was no event {what}"))
    }

    /// When the first event of this kind came.
    pub(crate) fn first(&self, what: &str) -> Result<Timestamp, String> {
        self.find(what, |_| true)
    }

    /// When the cluster was first seen in this state.
    pub(crate) fn cluster(&self, state: &str) -> Result<Timestamp, String> {
        self.find("cluster", |event| event.state.as_deref() == Some(state))
    }

    /// When this step was done.
    pub(crate) fn done(&self, step: &str) -> Result<Timestamp, String> {
        self.find("step-done", |event| event.step.as_deref() == Some(step))
    }

    /// When this step began.
    pub(crate) fn started(&self, step: &str) -> Result<Timestamp, String> {
        self.find("step-started", |event| event.step.as_deref() == Some(step))
    }

    /// Every step that was done, with its seconds.
    pub(crate) fn phases(&self) -> Vec<(String, f64)> {
        let names = self.0.iter().filter(|event| event.event == "step-done");
        let names = names.filter_map(|event| event.step.clone());
        names
            .filter_map(|step| {
                let took = seconds(self.started(&step).ok()?, self.done(&step).ok()?);
                Some((step, took))
            })
            .collect()
    }
}

/// From this to that, in seconds.
pub(crate) fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_lasts_from_its_start_to_its_end() {
        let events = Events::parse(
            r#"{"at":"2026-11-22T17:50:14Z","deployment":"d","event":"step-started","step":"stage"}
               {"at":"2026-11-22T17:50:14.5Z","deployment":"d","event":"cluster","state":"RUNNING"}
               {"at":"2026-11-22T17:50:16.25Z","deployment":"d","event":"step-done","step":"stage","took_ms":2250}"#,
        )
        .expect("events");
        assert_eq!(events.phases(), [("stage".to_owned(), 2.25)]);
        let running = events.cluster("RUNNING").expect("a cluster");
        assert_eq!(seconds(running, events.done("stage").expect("done")), 1.75);
        assert!(events.cluster("DELETING").is_err());
    }
}
