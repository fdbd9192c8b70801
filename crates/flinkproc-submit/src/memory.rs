//! [`InMemoryMethod`]: a master in memory, where a job does what a script says.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use flinkproc_core::Span;
use flinkproc_flink_cli::{application_ids, job_ids};
use flinkproc_plan::JobPlan;
use flinkproc_plan::launcher::LaunchBundle;

use crate::error::SubmitError;
use crate::method::{
    Acted, JobAction, LauncherExit, Observation, Offsets, RunRef, RunState, SubmissionMethod,
};

/// What a job in memory does: one step for each time it is looked at.
#[derive(Clone, Debug, Default)]
pub struct Script {
    steps: VecDeque<Step>,
}

#[derive(Clone, Debug)]
enum Step {
    Out(Bytes),
    Err(Bytes),
    Wait,
    Exit(u8),
    Die,
}

impl Script {
    /// Says something on standard output.
    #[must_use]
    pub fn out(self, text: impl Into<Bytes>) -> Self {
        self.then(Step::Out(text.into()))
    }

    /// Says something on standard error.
    #[must_use]
    pub fn err(self, text: impl Into<Bytes>) -> Self {
        self.then(Step::Err(text.into()))
    }

    /// Does nothing for one look.
    #[must_use]
    pub fn wait(self) -> Self {
        self.then(Step::Wait)
    }

    /// Ends with a status; without it the job runs for ever.
    #[must_use]
    pub fn exit(self, status: u8) -> Self {
        self.then(Step::Exit(status))
    }

    /// The launcher dies without a word.
    #[must_use]
    pub fn die(self) -> Self {
        self.then(Step::Die)
    }

    fn then(mut self, step: Step) -> Self {
        self.steps.push_back(step);
        self
    }
}

/// A master in memory.
///
/// Attempts are kept by their [`RunRef`]; each starts with a copy of the script. Clones of an `Arc` see the same master, as
/// connections do.
#[derive(Debug, Default)]
pub struct InMemoryMethod {
    script: Script,
    runs: Mutex<HashMap<RunRef, Run>>,
}

#[derive(Debug, Default)]
struct Run {
    digest: Option<String>,
    job: Option<JobPlan>,
    fenced: bool,
    cancelled: bool,
    state: Option<RunState>,
    script: Script,
    out: Vec<u8>,
    err: Vec<u8>,
}

impl InMemoryMethod {
    /// A master whose jobs follow `script`.
    #[must_use]
    pub fn new(script: Script) -> Self {
        let runs = Mutex::default();
        Self { script, runs }
    }

    /// The attempts that were started, in no order.
    #[must_use]
    pub fn started(&self) -> Vec<RunRef> {
        let runs = self.lock();
        let started = runs.iter().filter(|(_, run)| run.state.is_some());
        started.map(|(run, _)| run.clone()).collect()
    }

    /// The job that an attempt was started with.
    #[must_use]
    pub fn job(&self, run: &RunRef) -> Option<JobPlan> {
        self.lock().get(run).and_then(|run| run.job.clone())
    }

    /// Whether an attempt was asked to end.
    #[must_use]
    pub fn is_cancelled(&self, run: &RunRef) -> bool {
        self.lock().get(run).is_some_and(|run| run.cancelled)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RunRef, Run>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Run {
    fn is_running(&self) -> bool {
        self.state == Some(RunState::Running)
    }

    fn end(&mut self, status: u8) {
        self.state = Some(RunState::Ended(LauncherExit {
            status,
            phase: "flink".to_owned(),
            cancelled: self.cancelled,
            at: 0,
        }));
    }

    fn step(&mut self) {
        match self.script.steps.pop_front() {
            Some(Step::Out(text)) => self.out.extend_from_slice(&text),
            Some(Step::Err(text)) => self.err.extend_from_slice(&text),
            Some(Step::Exit(status)) => self.end(status),
            Some(Step::Die) => self.state = Some(RunState::Lost),
            Some(Step::Wait) | None => {}
        }
    }
}

#[async_trait]
impl SubmissionMethod for InMemoryMethod {
    fn name(&self) -> &str {
        "memory"
    }

    async fn submit(&self, run: &RunRef, job: &JobPlan) -> Result<(), SubmitError> {
        let bundle = LaunchBundle::new(job, &run.tag())?;
        let mut runs = self.lock();
        let known = runs.entry(run.clone()).or_default();
        if known.state.is_some() {
            return match &known.digest {
                Some(digest) if digest != bundle.digest() => {
                    Err(SubmitError::Conflict { tag: run.tag() })
                }
                _ => Ok(()),
            };
        }
        if known.fenced {
            return Err(SubmitError::Fenced { tag: run.tag() });
        }
        known.digest = Some(bundle.digest().to_owned());
        known.job = Some(job.clone());
        known.script = self.script.clone();
        known.state = Some(RunState::Running);
        if known.cancelled {
            known.end(143);
        }
        Ok(())
    }

    async fn observe(
        &self,
        run: &RunRef,
        from: Offsets,
        _patience: Span,
    ) -> Result<Observation, SubmitError> {
        let mut runs = self.lock();
        let known = runs.get_mut(run);
        let absent = Observation {
            state: RunState::Absent,
            application: None,
            jobs: Vec::new(),
            out: Bytes::new(),
            err: Bytes::new(),
            sighting: None,
        };
        let Some(known) = known else {
            return Ok(absent);
        };
        if known.is_running() {
            known.step();
        }
        let Some(state) = known.state.clone() else {
            return Ok(absent);
        };
        let said = [known.out.as_slice(), known.err.as_slice()].concat();
        Ok(Observation {
            state,
            application: application_ids(&said).pop(),
            jobs: job_ids(&said),
            out: piece(&known.out, from.out),
            err: piece(&known.err, from.err),
            sighting: None,
        })
    }

    async fn cancel(&self, run: &RunRef) -> Result<(), SubmitError> {
        let mut runs = self.lock();
        let known = runs.entry(run.clone()).or_default();
        known.cancelled = true;
        if known.is_running() {
            known.end(143);
        }
        Ok(())
    }

    async fn fence(&self, run: &RunRef) -> Result<(), SubmitError> {
        self.lock().entry(run.clone()).or_default().fenced = true;
        Ok(())
    }

    async fn act(&self, run: &RunRef, action: &JobAction) -> Result<Acted, SubmitError> {
        let mut runs = self.lock();
        let known = runs.get_mut(run).filter(|known| known.is_running());
        let Some(known) = known else {
            return Err(SubmitError::Refused {
                action: "act",
                problem: "the attempt does not run".to_owned(),
            });
        };
        let folder = match action {
            JobAction::Savepoint { directory, .. } | JobAction::Stop { directory, .. } => {
                Some(directory.as_deref().unwrap_or("gs://memory/savepoints"))
            }
            JobAction::Cancel { .. } => None,
        };
        if !matches!(action, JobAction::Savepoint { .. }) {
            known.end(0);
        }
        Ok(Acted {
            status: 0,
            savepoint: folder.map(|folder| format!("{folder}/savepoint-1")),
            said: Bytes::new(),
        })
    }
}

fn piece(said: &[u8], from: u64) -> Bytes {
    let from = usize::try_from(from).unwrap_or(usize::MAX);
    said.get(from..)
        .map(Bytes::copy_from_slice)
        .unwrap_or_default()
}
