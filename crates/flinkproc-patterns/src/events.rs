//! What happens while a deployment runs, as typed events.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use flinkproc_core::{Attempt, ClusterRef, DeploymentId, FlinkJobId, GcsUri, YarnApplicationId};
use flinkproc_dataproc::ClusterState;
use flinkproc_plan::{OnFailure, OnInterrupt};
use flinkproc_rest::{ApplicationState, FinalStatus, FlinkJobState};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::outcome::{Ending, EndingStep, Outcome};
use crate::step::{Failure, Step};

/// Something that happened.
///
/// Written as one JSON object: `{"at": …, "deployment": …, "event": "step-started", …}`. No event holds a secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// In which deployment.
    pub deployment: DeploymentId,
    /// What.
    #[serde(flatten)]
    pub what: EventKind,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum EventKind {
    /// The run begins: who ends the cluster, and when.
    Began {
        /// The cluster.
        cluster: ClusterRef,
        /// Whether the deployment makes the cluster and so deletes it.
        ours: bool,
        /// When the deployment is ended at the latest.
        deadline: Timestamp,
        /// What becomes of the cluster when the job fails.
        on_failure: OnFailure,
        /// What an interrupt does.
        on_interrupt: OnInterrupt,
        /// Whether it goes on from an earlier run.
        resumed: bool,
    },
    /// A step begins.
    StepStarted {
        /// Which.
        step: Step,
    },
    /// A step is done.
    StepDone {
        /// Which.
        step: Step,
        /// How long it took, in milliseconds.
        took_ms: u64,
    },
    /// A step failed.
    StepFailed {
        /// How.
        failure: Failure,
    },
    /// Something failed and is tried again.
    Retrying {
        /// What.
        what: String,
        /// Why.
        why: String,
    },
    /// A file is in the bucket.
    Staged {
        /// Where.
        uri: GcsUri,
        /// Its size in bytes.
        size: u64,
        /// Whether it was written now, or was there already.
        written: bool,
    },
    /// The Python that the job brings along has come further.
    Environment {
        /// `building`, `uploading` or `there`.
        doing: String,
        /// SHA-256 of the lock that says what is in it.
        lock: String,
        /// Its size in bytes, once it is known.
        size: Option<u64>,
    },
    /// The cluster has come to another state.
    Cluster {
        /// Which.
        cluster: ClusterRef,
        /// Its state.
        state: ClusterState,
        /// What the service says about it.
        detail: Option<String>,
    },
    /// The connection to the master is open.
    Connected {
        /// Its address, or its name where Identity-Aware Proxy leads to it.
        host: String,
        /// Which way was taken, and why.
        way: String,
    },
    /// The connection to the master broke; it is opened again, and nothing is lost.
    Disconnected {
        /// How.
        why: String,
    },
    /// The launcher has the job.
    Submitted {
        /// As which attempt.
        attempt: Attempt,
    },
    /// The client program said something.
    Output {
        /// Where.
        stream: Stream,
        /// What; bytes that are no UTF-8 are replaced (the saved log has them).
        text: String,
    },
    /// Output was not sent on because nobody took it; the saved log has it.
    OutputSkipped {
        /// How much, in bytes.
        bytes: usize,
    },
    /// A YARN application has come to another state.
    Application {
        /// Which.
        id: YarnApplicationId,
        /// Its state.
        state: ApplicationState,
        /// Its final status.
        final_status: FinalStatus,
    },
    /// A Flink job has come to another state.
    FlinkJob {
        /// Which.
        id: FlinkJobId,
        /// Its state.
        state: FlinkJobState,
    },
    /// Everything is brought to its end.
    Ending {
        /// Why.
        ending: Ending,
    },
    /// Something was done to end the run.
    EndingStep(EndingStep),
    /// A log is home.
    LogSaved {
        /// Where.
        path: PathBuf,
    },
    /// An object of the result was found.
    Result {
        /// Where it lies.
        uri: GcsUri,
        /// Its size in bytes.
        size: u64,
        /// The local copy.
        local: Option<PathBuf>,
    },
    /// The run is over; nothing follows.
    Ended {
        /// What it came to.
        outcome: Box<Outcome>,
    },
}

/// Which of a program's outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// How much output may wait for its reader, in bytes.
const WAITING: usize = 4 << 20;

/// The events of one run, in order.
///
/// Whoever does not read them holds up nothing: of the program's output, 4 MiB wait; what comes then is left out and counted.
#[derive(Debug)]
pub struct Events {
    queue: mpsc::UnboundedReceiver<Event>,
    waiting: Arc<AtomicUsize>,
}

impl Events {
    /// The next event; `None` after the last.
    pub async fn next(&mut self) -> Option<Event> {
        let event = self.queue.recv().await?;
        if let EventKind::Output { text, .. } = &event.what {
            self.waiting.fetch_sub(text.len(), Ordering::Relaxed);
        }
        Some(event)
    }
}

/// The sending end.
#[derive(Debug)]
pub(crate) struct EventSink {
    deployment: DeploymentId,
    queue: mpsc::UnboundedSender<Event>,
    waiting: Arc<AtomicUsize>,
    skipped: AtomicUsize,
}

impl EventSink {
    pub(crate) fn new(deployment: DeploymentId) -> (Self, Events) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let sink = Self {
            deployment,
            queue: sender,
            waiting: Arc::clone(&waiting),
            skipped: AtomicUsize::new(0),
        };
        let events = Events {
            queue: receiver,
            waiting,
        };
        (sink, events)
    }

    pub(crate) fn send(&self, at: Timestamp, what: EventKind) {
        if let EventKind::Output { text, .. } = &what {
            let length = text.len();
            if self.waiting.fetch_add(length, Ordering::Relaxed) + length > WAITING {
                self.waiting.fetch_sub(length, Ordering::Relaxed);
                self.skipped.fetch_add(length, Ordering::Relaxed);
                return;
            }
        }
        let bytes = self.skipped.swap(0, Ordering::Relaxed);
        if bytes > 0 {
            self.post(at, EventKind::OutputSkipped { bytes });
        }
        self.post(at, what);
    }

    fn post(&self, at: Timestamp, what: EventKind) {
        let deployment = self.deployment.clone();
        // Nobody has to listen.
        let _ = self.queue.send(Event {
            at,
            deployment,
            what,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reader_that_sleeps_holds_up_nothing_and_is_told_what_it_missed() {
        let (sink, mut events) = EventSink::new("d1".parse().expect("valid"));
        let output = || EventKind::Output {
            stream: Stream::Out,
            text: "x".repeat(1 << 20),
        };
        for _ in 0..6 {
            sink.send(Timestamp::UNIX_EPOCH, output());
        }
        sink.send(
            Timestamp::UNIX_EPOCH,
            EventKind::StepStarted { step: Step::Watch },
        );
        drop(sink);
        let mut seen = Vec::new();
        while let Some(event) = events.next().await {
            seen.push(match event.what {
                EventKind::Output { .. } => "output".to_owned(),
                EventKind::OutputSkipped { bytes } => format!("skipped {bytes}"),
                other => format!("{other:?}"),
            });
        }
        assert_eq!(
            seen,
            [
                "output",
                "output",
                "output",
                "output",
                "skipped 2097152",
                "StepStarted { step: Watch }"
            ]
        );
    }

    #[test]
    fn an_event_is_one_flat_object() {
        let event = Event {
            at: Timestamp::UNIX_EPOCH,
            deployment: "d1".parse().expect("valid"),
            what: EventKind::StepDone {
                step: Step::CreateCluster,
                took_ms: 12,
            },
        };
        let text = serde_json::to_string(&event).expect("serialises");
        insta::assert_snapshot!(text, @r#"{"at":"1970-01-01T00:00:00Z","deployment":"d1","event":"step-done","step":"create-cluster","took_ms":12}"#);
        assert_eq!(
            serde_json::from_str::<Event>(&text).expect("reads back"),
            event
        );
    }
}
