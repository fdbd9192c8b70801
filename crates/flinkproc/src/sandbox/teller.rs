//! Tells what a sandbox does: downloads as bars or lines, everything else as lines.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use flinkproc_sandbox::{PartName, Progress};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::report::Stdio;

/// Draws the downloads as bars, or tells them in lines.
pub(crate) struct Teller {
    stdio: Stdio,
    /// Takes each line beside standard error, for whoever waits elsewhere.
    also: Option<fn(Stdio, &str)>,
    bars: MultiProgress,
    parts: Mutex<BTreeMap<PartName, ProgressBar>>,
}

impl Teller {
    pub(crate) fn new(stdio: Stdio) -> Self {
        Self {
            stdio,
            also: None,
            bars: MultiProgress::new(),
            parts: Mutex::default(),
        }
    }

    /// The same, which hands each line on too.
    pub(crate) fn with(stdio: Stdio, also: fn(Stdio, &str)) -> Self {
        Self {
            also: Some(also),
            ..Self::new(stdio)
        }
    }

    pub(crate) fn show(&self, progress: Progress) {
        match progress {
            Progress::PartStarted(part) => self.begin(part),
            Progress::PartBytes(part, bytes) => {
                if let Some(bar) = self.lock().get(&part) {
                    bar.set_position(bytes.min(part.expected_bytes()));
                }
            }
            Progress::PartDone(part) => {
                if let Some(bar) = self.lock().remove(&part) {
                    bar.finish_and_clear();
                }
                self.line(&format!("{part} is ready"));
            }
            Progress::PartWaiting(part) => self.line(&format!("another run fetches {part}; waiting for it")),
            Progress::WorkersCapped { cluster, wanted, given } => self.line(&format!(
                "cluster {cluster} gets {given} NodeManager(s) for its {wanted} workers: memory suffices for no more"
            )),
            Progress::CleanedUp { processes } => {
                self.line(&format!("cleaned up after a sandbox that was killed ({processes} processes ended)"));
            }
            // The deployment tells of its cluster itself.
            _ => {}
        }
    }

    fn begin(&self, part: PartName) {
        if !self.stdio.bars() {
            self.line(&format!(
                "fetching {part} (about {} MB on disk)",
                part.expected_bytes() >> 20
            ));
            return;
        }
        let bar = self.bars.add(ProgressBar::new(part.expected_bytes()));
        if let Ok(style) =
            ProgressStyle::with_template("{msg:<15} {bar:30} {bytes}/{total_bytes} ({elapsed})")
        {
            bar.set_style(style);
        }
        bar.set_message(part.to_string());
        self.lock().insert(part, bar);
    }

    /// Tells one line.
    pub(crate) fn line(&self, text: &str) {
        self.bars.suspend(|| self.stdio.tell(text));
        if let Some(also) = self.also {
            also(self.stdio, text);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<PartName, ProgressBar>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
