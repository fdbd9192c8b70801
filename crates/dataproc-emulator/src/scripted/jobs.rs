//! What jobs of the Jobs API do on scripted clusters: print a text, take their time, and end.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::real_sleep;
use crate::runtime::{DriverOutput, JobEnd, JobFacts, RuntimeError, YarnApplication};

/// What a job does: nothing of what it is told; its files are not read.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct JobScript {
    /// What its driver prints: the first piece at once, the others spread over its time.
    pub output: Vec<String>,
    /// How long it runs, in real time; `None` for one that runs until it is cancelled.
    pub runs_for: Option<Duration>,
    /// Its driver's exit status, when it is not cancelled.
    pub exit_status: i32,
    /// Its YARN applications.
    pub applications: Vec<YarnApplication>,
}

impl Default for JobScript {
    fn default() -> Self {
        Self {
            output: vec!["This is a scripted job: it does nothing.\n".to_owned()],
            runs_for: Some(Duration::ZERO),
            exit_status: 0,
            applications: Vec::new(),
        }
    }
}

impl JobScript {
    /// A job that runs so long and succeeds.
    #[must_use]
    pub fn running_for(span: Duration) -> Self {
        Self {
            runs_for: Some(span),
            ..Self::default()
        }
    }

    /// A job whose driver ends with this exit status.
    #[must_use]
    pub fn failing(exit_status: i32) -> Self {
        Self {
            exit_status,
            ..Self::default()
        }
    }

    /// A job that runs until it is cancelled.
    #[must_use]
    pub fn hanging() -> Self {
        Self {
            runs_for: None,
            ..Self::default()
        }
    }

    /// The same, printing these pieces.
    #[must_use]
    pub fn printing<T: Into<String>>(mut self, pieces: impl IntoIterator<Item = T>) -> Self {
        self.output = pieces.into_iter().map(Into::into).collect();
        self
    }
}

/// The scripts of a runtime, and the jobs that follow them.
#[derive(Debug, Default)]
pub(crate) struct ScriptedJobs(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    script: JobScript,
    queue: VecDeque<JobScript>,
    started: Vec<JobFacts>,
    running: HashMap<(String, String), Running>,
}

#[derive(Clone, Debug, Default)]
struct Running {
    applications: Vec<YarnApplication>,
    cancel: Arc<Notify>,
}

impl ScriptedJobs {
    pub(crate) fn set(&self, script: JobScript) {
        self.lock().script = script;
    }

    pub(crate) fn push(&self, script: JobScript) {
        self.lock().queue.push_back(script);
    }

    pub(crate) fn started(&self) -> Vec<JobFacts> {
        self.lock().started.clone()
    }

    pub(crate) async fn run(
        &self,
        cluster: &str,
        job: &JobFacts,
        output: &DriverOutput,
    ) -> Result<JobEnd, RuntimeError> {
        let (script, cancel) = {
            let mut inner = self.lock();
            inner.started.push(job.clone());
            let script = inner.queue.pop_front();
            let script = script.unwrap_or_else(|| inner.script.clone());
            let running = Running {
                applications: script.applications.clone(),
                cancel: Arc::default(),
            };
            let cancel = Arc::clone(&running.cancel);
            let key = (cluster.to_owned(), job.id.clone());
            inner.running.insert(key, running);
            (script, cancel)
        };
        tokio::select! {
            () = follow(&script, output) => Ok(JobEnd { exit_status: script.exit_status }),
            // What a driver that SIGTERM ended leaves.
            () = cancel.notified() => Ok(JobEnd { exit_status: 143 }),
        }
    }

    pub(crate) fn cancel(&self, cluster: &str, job: &str) {
        let key = (cluster.to_owned(), job.to_owned());
        if let Some(running) = self.lock().running.get(&key) {
            running.cancel.notify_one();
        }
    }

    pub(crate) fn applications(&self, cluster: &str, job: &str) -> Vec<YarnApplication> {
        let key = (cluster.to_owned(), job.to_owned());
        let inner = self.lock();
        let running = inner.running.get(&key);
        running.map_or_else(Vec::new, |running| running.applications.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn follow(script: &JobScript, output: &DriverOutput) {
    let parts = u32::try_from(script.output.len().max(1)).unwrap_or(u32::MAX);
    let part = script.runs_for.unwrap_or_default() / parts;
    for piece in &script.output {
        output.write(piece.clone()).await;
        real_sleep(part).await;
    }
    if script.output.is_empty() {
        real_sleep(part).await;
    }
    if script.runs_for.is_none() {
        std::future::pending::<()>().await;
    }
}
