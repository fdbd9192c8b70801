//! Follows a deployment to its end: events to the terminal and to a file, signals to the deployment.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use flinkproc_patterns::{Event, Handle, Interrupt, Outcome};
use flinkproc_plan::OnInterrupt;

use crate::App;
use crate::error::AppError;
use crate::report::progress::Progress;
use crate::report::{Problem, summary};
use crate::signals::{Signals, Wish};

/// How signals are treated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    pub(crate) on_interrupt: OnInterrupt,
    /// Whether the place ends with this process, so that nothing can go on without it.
    pub(crate) passing: bool,
}

/// Follows until the run is over; the first interrupt does what `on_interrupt` says, the second leaves at once.
pub(crate) async fn follow(
    app: &App,
    mut handle: Handle,
    signals: &mut Signals,
    manner: Manner,
    events_file: Option<&Path>,
) -> Result<Outcome, Problem> {
    let mut writer = match events_file {
        Some(path) => Some(BufWriter::new(
            File::create(path).map_err(AppError::file("the file of events", path))?,
        )),
        None => None,
    };
    let mut progress = Progress::new(app.stdio);
    let mut interrupted = false;
    if let Some(mut events) = handle.events() {
        loop {
            tokio::select! {
                event = events.next() => {
                    let Some(event) = event else { break };
                    progress.show(&event);
                    if let Some(writer) = &mut writer {
                        write(writer, &event);
                    }
                }
                wish = signals.next() => {
                    let interrupt = match (wish, manner.on_interrupt) {
                        (Wish::Interrupt, _) if interrupted => Interrupt::Leave,
                        (Wish::Detach, _) if manner.passing => Interrupt::Delete,
                        (Wish::Interrupt, OnInterrupt::Delete) => Interrupt::Delete,
                        (Wish::Interrupt, OnInterrupt::Detach) | (Wish::Detach, _) => Interrupt::Detach,
                    };
                    interrupted |= wish == Wish::Interrupt;
                    progress.note(told(interrupt));
                    handle.cancel(interrupt);
                }
            }
        }
    }
    progress.finish();
    Ok(handle.wait().await?)
}

/// Shows what a deployment came to, and gives its exit code.
pub(crate) fn report(app: &App, outcome: &Outcome) -> u8 {
    let code = outcome.exit_code();
    let text = summary::render(outcome, app.stdio);
    if code == 0 {
        app.stdio.tell(&text);
    } else {
        app.stdio.error(&text);
    }
    if app.stdio.json() {
        app.stdio
            .json_result(&serde_json::json!({ "exit_code": code, "outcome": outcome }));
    } else if let Some(result) = summary::result(outcome) {
        app.stdio.result(&result);
    }
    code
}

/// Events are written as they come; a full disk must not end the deployment.
fn write(writer: &mut BufWriter<File>, event: &Event) {
    let line = serde_json::to_string(event).unwrap_or_default();
    if let Err(error) = writeln!(writer, "{line}").and_then(|()| writer.flush()) {
        tracing::warn!(%error, "the event was not written");
    }
}

const fn told(interrupt: Interrupt) -> &'static str {
    match interrupt {
        Interrupt::Delete => {
            "interrupted: cancelling the job and deleting what was made; once more leaves at once"
        }
        Interrupt::Detach => "leaving: everything goes on without this process",
        Interrupt::Leave => "leaving at once",
    }
}
