//! [`Run`]: what all steps of one run share, and the order of the steps.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flinkproc_core::{Explain, FailureKind, RequestId, RetryHint};
use flinkproc_plan::Plan;
use flinkproc_ssh::EphemeralKey;
use jiff::Timestamp;
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

use crate::clients::Clients;
use crate::error::RunError;
use crate::events::{EventKind, EventSink};
use crate::journal::{Entry, Journal, Record};
use crate::options::Options;
use crate::outcome::{EndingStep, Phase, ResultObject};
use crate::progress::Progress;
use crate::sightings::Sightings;
use crate::site::Site;
use crate::step::{Failure, Intent, Output, Step};

/// How long one call is tried again before its failure stands.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long the end waits for calls that were under way when the run was interrupted.
const SETTLING: Duration = Duration::from_secs(30);

/// What all steps of one run share.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) plan: Plan,
    pub(crate) clients: Clients,
    pub(crate) options: Options,
    pub(crate) sink: EventSink,
    journal: Arc<dyn Journal>,
    progress: Mutex<Progress>,
    pub(crate) phases: Mutex<Vec<Phase>>,
    pub(crate) endings: Mutex<Vec<EndingStep>>,
    /// What was told to end and was not seen to: where the cluster stays, it runs on and costs memory.
    pub(crate) survivors: Mutex<Vec<(String, String)>>,
    pub(crate) results: Mutex<Vec<ResultObject>>,
    /// Calls under way that are not dropped with the step that made them.
    acts: watch::Sender<usize>,
    /// The connection to the master, while there is one.
    pub(crate) site: tokio::sync::Mutex<Option<Arc<Site>>>,
    /// The key of this process; it never touches a disk, so that each process has its own.
    pub(crate) key: Mutex<Option<EphemeralKey>>,
    /// The login name that the key opens, once it was let in.
    pub(crate) login: Mutex<Option<String>>,
    /// The last of Flink's exceptions, which are gone with the JobManager.
    pub(crate) exceptions: Mutex<Option<String>>,
    /// What YARN and Flink said last.
    pub(crate) sightings: Mutex<Sightings>,
    /// Set while calls that were under way are waited for: they must not be tried again.
    closing: AtomicBool,
}

/// How the work of a run ended.
#[derive(Debug)]
pub(crate) enum Worked {
    /// To the end of the watch.
    Finished,
    /// At the step that was to be the last.
    Reached(Step),
}

/// A step that failed.
#[derive(Debug)]
pub(crate) struct StepFailed {
    pub(crate) step: Step,
    pub(crate) error: RunError,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Run {
    pub(crate) fn new(
        plan: Plan,
        clients: Clients,
        options: Options,
        journal: Arc<dyn Journal>,
        sink: EventSink,
        progress: Progress,
    ) -> Self {
        Self {
            plan,
            clients,
            options,
            sink,
            journal,
            progress: Mutex::new(progress),
            phases: Mutex::default(),
            endings: Mutex::default(),
            survivors: Mutex::default(),
            results: Mutex::default(),
            acts: watch::channel(0).0,
            site: tokio::sync::Mutex::default(),
            key: Mutex::default(),
            login: Mutex::default(),
            exceptions: Mutex::default(),
            sightings: Mutex::default(),
            closing: AtomicBool::new(false),
        }
    }

    /// A copy of how far the deployment has come.
    pub(crate) fn progress(&self) -> Progress {
        lock(&self.progress).clone()
    }

    pub(crate) fn look<T>(&self, look: impl FnOnce(&Progress) -> T) -> T {
        look(&lock(&self.progress))
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clients.clock.now()
    }

    pub(crate) async fn sleep(&self, span: Duration) {
        self.clients.clock.sleep(span).await;
    }

    pub(crate) fn emit(&self, what: EventKind) {
        self.sink.send(self.now(), what);
    }

    /// Writes an entry down; it is durable when this returns.
    pub(crate) async fn note(&self, entry: Entry) -> Result<(), RunError> {
        let at = self.now();
        let record = Record { at, entry };
        self.journal.append(&self.plan.deployment, &record).await?;
        lock(&self.progress).note(&record);
        Ok(())
    }

    pub(crate) async fn started(&self, intent: Intent) -> Result<(), RunError> {
        self.note(Entry::Started { intent }).await
    }

    pub(crate) async fn done(&self, output: Output) -> Result<(), RunError> {
        self.note(Entry::Done { output }).await
    }

    /// Writes an entry down if that works: on the way out, a full disk must not keep a cluster alive.
    pub(crate) async fn note_if_possible(&self, entry: Entry) {
        let record = Record {
            at: self.now(),
            entry,
        };
        if let Err(error) = self.journal.append(&self.plan.deployment, &record).await {
            tracing::warn!(%error, "the journal was not written");
        }
        lock(&self.progress).note(&record);
    }

    /// The id of a request: the same for the same call of the same deployment, whichever process makes it.
    pub(crate) fn request_id(&self, call: &str) -> Result<RequestId, RunError> {
        let name = format!("flinkproc/{}/{call}", self.plan.deployment);
        let id = Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()).to_string();
        id.parse().map_err(|error| RunError::Broke {
            what: format!("request id: {error}"),
        })
    }

    /// Makes a call that is not dropped half-way when the step is: its effect is written down in any case.
    pub(crate) async fn act<T: Send + 'static>(
        self: &Arc<Self>,
        call: impl Future<Output = Result<T, RunError>> + Send + 'static,
    ) -> Result<T, RunError> {
        self.acts.send_modify(|count| *count += 1);
        let run = Arc::clone(self);
        let task = tokio::spawn(async move {
            let result = call.await;
            run.acts.send_modify(|count| *count -= 1);
            result
        });
        task.await.unwrap_or_else(|ended| {
            Err(RunError::Broke {
                what: ended.to_string(),
            })
        })
    }

    /// Whether the run goes to its end and calls under way should come back.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// Waits until the calls that were under way have come back, but not for ever.
    pub(crate) async fn settle(&self) {
        self.closing.store(true, Ordering::SeqCst);
        let mut acts = self.acts.subscribe();
        tokio::select! {
            _ = acts.wait_for(|count| *count == 0) => {}
            () = self.sleep(SETTLING) => tracing::warn!("a call did not come back"),
        }
        self.closing.store(false, Ordering::SeqCst);
    }

    /// Makes an idempotent call until it works, quickly at first, as long as its failures are of the passing kind.
    pub(crate) async fn retrying<T, E, F>(
        &self,
        what: &str,
        passing: impl Fn(&E) -> bool,
        mut call: impl FnMut() -> F,
    ) -> Result<T, E>
    where
        E: Explain,
        F: Future<Output = Result<T, E>>,
    {
        let since = self.now();
        let mut pause = Duration::from_millis(100);
        loop {
            let error = match call().await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            if !passing(&error) || self.past(since, PATIENCE) || self.is_closing() {
                return Err(error);
            }
            self.emit(EventKind::Retrying {
                what: what.to_owned(),
                why: Failure::of(None, &error).to_string(),
            });
            self.sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    }

    /// Whether more than `span` has passed since `since`.
    pub(crate) fn past(&self, since: Timestamp, span: Duration) -> bool {
        let passed = self.now().duration_since(since).unsigned_abs();
        passed > span
    }

    /// When the deployment is ended at the latest.
    pub(crate) fn deadline(&self) -> Timestamp {
        let began = self
            .look(|progress| progress.began)
            .unwrap_or_else(|| self.now());
        began
            .checked_add(self.plan.watch.deadline.as_duration())
            .unwrap_or(Timestamp::MAX)
    }

    /// Does everything up to the end of the watch; what was done before is seen to be done and not done again.
    pub(crate) async fn work(self: &Arc<Self>) -> Result<Worked, StepFailed> {
        let until = self.options.until;
        let last = |step: Step| (until == Some(step)).then_some(Worked::Reached(step));

        self.step(Step::CheckBucket, self.check_bucket()).await?;
        if let Some(reached) = last(Step::CheckBucket) {
            return Ok(reached);
        }
        let (texts, texts_there) = oneshot::channel();
        let (locked, lock_there) = oneshot::channel();
        let stage = self.step(Step::Stage, self.stage(texts));
        let environment = self.environment(locked);
        if let Some(reached) = last(Step::Stage) {
            futures::future::try_join(stage, environment).await?;
            return Ok(reached);
        }
        let create = async {
            // Whoever fails before telling ends all three.
            if texts_there.await.is_err() || lock_there.await.is_err() {
                std::future::pending::<()>().await;
            }
            self.step(Step::CreateCluster, self.create_cluster()).await
        };
        let ((), (), facts) = futures::future::try_join3(stage, environment, create).await?;
        if let Some(reached) = last(Step::CreateCluster) {
            return Ok(reached);
        }
        // Where nobody enters there is nothing to open.
        if self.enters() {
            self.step(Step::Enter, self.enter(&facts)).await?;
        }
        if let Some(reached) = last(Step::Enter) {
            return Ok(reached);
        }
        self.step(Step::Submit, self.submit()).await?;
        if let Some(reached) = last(Step::Submit) {
            return Ok(reached);
        }
        self.step(Step::Watch, self.watch()).await?;
        Ok(last(Step::Watch).unwrap_or(Worked::Finished))
    }

    /// The step of the Python that the job brings along, where it does; `locked` is told when it is known what goes in, and that
    /// it can be had.
    async fn environment(self: &Arc<Self>, locked: oneshot::Sender<()>) -> Result<(), StepFailed> {
        if self.plan.staging.environment.is_none() {
            let _ = locked.send(());
            return Ok(());
        }
        self.step(Step::Environment, async {
            let wanted = self.find_environment().await?;
            let _ = locked.send(());
            self.build_environment(wanted).await
        })
        .await
    }

    /// Tells of a step and takes its time.
    pub(crate) async fn step<T>(
        &self,
        step: Step,
        work: impl Future<Output = Result<T, RunError>>,
    ) -> Result<T, StepFailed> {
        let began = self.now();
        self.emit(EventKind::StepStarted { step });
        let result = Box::pin(work).await;
        let took = self.now().duration_since(began).unsigned_abs();
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        lock(&self.phases).push(Phase {
            step,
            began,
            took_ms,
        });
        match result {
            Ok(value) => {
                self.emit(EventKind::StepDone { step, took_ms });
                Ok(value)
            }
            Err(error) => {
                let failure = Failure::of(Some(step), &error);
                self.emit(EventKind::StepFailed { failure });
                Err(StepFailed { step, error })
            }
        }
    }

    /// Records that something was told to end and was not seen to.
    pub(crate) fn survived(&self, what: String, why: String) {
        self.ended(format!("see {what} end"), Err(why.clone()));
        lock(&self.survivors).push((what, why));
    }

    /// Records what was done to end the run.
    pub(crate) fn ended(&self, what: impl Into<String>, result: Result<(), String>) {
        let step = EndingStep {
            what: what.into(),
            worked: result.is_ok(),
            detail: result.err(),
        };
        self.emit(EventKind::EndingStep(step.clone()));
        lock(&self.endings).push(step);
    }
}

/// Whether an idempotent call may be made again: the failure passes, and waiting does not cost a place in a queue.
pub(crate) fn passing<E: Explain>(error: &E) -> bool {
    error.retry() != RetryHint::Never && error.kind() != FailureKind::Capacity
}
