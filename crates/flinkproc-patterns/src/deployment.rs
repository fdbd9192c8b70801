//! [`Deployment`] and [`Handle`]: the embedder's door.

use std::sync::Arc;
use std::time::Duration;

use flinkproc_core::{Clock, DeploymentId};
use flinkproc_plan::Plan;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::admission::{Admission, admit};
use crate::clients::Clients;
use crate::error::RunError;
use crate::events::{EventKind, EventSink, Events};
use crate::journal::{Entry, Hold, Journal, Record, Scope};
use crate::options::Options;
use crate::outcome::{Conclusion, Ending, Outcome};
use crate::progress::Progress;
use crate::run::{Run, StepFailed, Worked};

/// A deployment: begun, carried on, or taken down.
#[derive(Debug)]
pub struct Deployment(());

/// What a request to deploy came to.
#[derive(Debug)]
#[must_use]
pub enum Started {
    /// It runs, as a new run or attached to the one of the same key.
    Running(Handle),
    /// The run of the same key has succeeded before; nothing was done.
    Succeeded(Box<Outcome>),
}

/// How to interrupt a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// Cancel the job, save the logs, delete the cluster if it is ours; then end.
    Delete,
    /// End the run of this process; everything goes on, and [`Deployment::resume`] attaches again. Before the job was handed over
    /// nothing goes on by itself: the cluster waits until its max-idle.
    Detach,
    /// End at once, whatever is under way; the outcome says what is left. The only interrupt that counts during the end.
    Leave,
}

/// A run that is under way in this process.
///
/// Dropping the handle changes nothing: the run goes on to its end, as long as the runtime does. A runtime that ends takes the run
/// with it like a crash, and [`Deployment::resume`] carries it on. To end it, [`Handle::cancel`] and then [`Handle::wait`].
#[derive(Debug)]
pub struct Handle {
    deployment: DeploymentId,
    events: Option<Events>,
    interrupts: watch::Sender<Option<Interrupt>>,
    task: JoinHandle<Outcome>,
}

impl Deployment {
    /// Begins to deploy a plan, or attaches to the run of the same run key.
    ///
    /// When this returns, the plan is in the journal and the run is under way.
    ///
    /// # Errors
    /// [`RunError::Unfinished`] when another run of the same spec is not finished and neither has a key; the journal's failures.
    pub async fn start(
        plan: Plan,
        clients: Clients,
        journal: Arc<dyn Journal>,
        options: Options,
    ) -> Result<Started, RunError> {
        let admission = hold_for_a_moment(journal.as_ref(), clients.clock.as_ref()).await?;
        match admit(&plan, journal.as_ref()).await? {
            Admission::Attach(id) => {
                drop(admission);
                let options = options.attached(&plan.deployment, &id);
                let handle = Self::resume(&id, clients, journal, options).await?;
                return Ok(Started::Running(handle));
            }
            Admission::Succeeded(outcome) => return Ok(Started::Succeeded(outcome)),
            Admission::Fresh => {}
        }
        let hold = journal
            .hold(&Scope::Deployment(plan.deployment.clone()))
            .await?;
        let record = Record {
            at: clients.clock.now(),
            entry: Entry::Planned {
                plan: Box::new(plan.clone()),
            },
        };
        journal.append(&plan.deployment, &record).await?;
        drop(admission);
        let progress = Progress::replay(&[record]);
        Ok(Started::Running(spawn(
            plan,
            clients,
            journal,
            options,
            progress,
            hold,
            Mode::Fresh,
        )))
    }

    /// Carries a deployment on from wherever its journal ends. One that is over gives its outcome again.
    ///
    /// # Errors
    /// [`RunError::UnknownDeployment`]; [`JournalError::Held`](crate::JournalError::Held) while another process runs it.
    pub async fn resume(
        id: &DeploymentId,
        clients: Clients,
        journal: Arc<dyn Journal>,
        options: Options,
    ) -> Result<Handle, RunError> {
        Self::carry_on(id, clients, journal, options, Mode::Resume).await
    }

    /// Ends what a deployment made: cancels its job, saves the logs, deletes its cluster. Idempotent.
    ///
    /// # Errors
    /// As [`Deployment::resume`].
    pub async fn down(
        id: &DeploymentId,
        clients: Clients,
        journal: Arc<dyn Journal>,
        options: Options,
    ) -> Result<Handle, RunError> {
        Self::carry_on(id, clients, journal, options, Mode::Down).await
    }

    async fn carry_on(
        id: &DeploymentId,
        clients: Clients,
        journal: Arc<dyn Journal>,
        options: Options,
        mode: Mode,
    ) -> Result<Handle, RunError> {
        let unknown = || RunError::UnknownDeployment { id: id.clone() };
        if journal.load(id).await?.is_empty() {
            return Err(unknown());
        }
        let hold = journal.hold(&Scope::Deployment(id.clone())).await?;
        let progress = Progress::replay(&journal.load(id).await?);
        let plan = progress.plan.clone().ok_or_else(unknown)?;
        Ok(spawn(plan, clients, journal, options, progress, hold, mode))
    }
}

/// Two that begin at once wait for each other; a process that hangs is not waited for.
async fn hold_for_a_moment(journal: &dyn Journal, clock: &dyn Clock) -> Result<Hold, RunError> {
    const TRIES: u32 = 100;
    for _ in 1..TRIES {
        if let Ok(hold) = journal.hold(&Scope::Admission).await {
            return Ok(hold);
        }
        clock.sleep(Duration::from_millis(50)).await;
    }
    Ok(journal.hold(&Scope::Admission).await?)
}

impl Handle {
    /// The deployment's id.
    #[must_use]
    pub const fn deployment(&self) -> &DeploymentId {
        &self.deployment
    }

    /// The events of the run, from its beginning; `None` the second time.
    pub fn events(&mut self) -> Option<Events> {
        self.events.take()
    }

    /// Interrupts the run. A stronger interrupt may follow a weaker one.
    pub fn cancel(&self, interrupt: Interrupt) {
        self.interrupts.send_replace(Some(interrupt));
    }

    /// Something that interrupts the run without the handle, such as a signal's task.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        Canceller(self.interrupts.clone())
    }

    /// Waits for the end of the run.
    ///
    /// # Errors
    /// [`RunError::Broke`] when the run's task was ended from outside, or by a defect.
    pub async fn wait(self) -> Result<Outcome, RunError> {
        self.task.await.map_err(|ended| RunError::Broke {
            what: ended.to_string(),
        })
    }
}

/// Interrupts a run from elsewhere.
#[derive(Clone, Debug)]
pub struct Canceller(watch::Sender<Option<Interrupt>>);

impl Canceller {
    /// Interrupts the run, as [`Handle::cancel`].
    pub fn cancel(&self, interrupt: Interrupt) {
        self.0.send_replace(Some(interrupt));
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Fresh,
    Resume,
    Down,
}

fn spawn(
    plan: Plan,
    clients: Clients,
    journal: Arc<dyn Journal>,
    options: Options,
    progress: Progress,
    hold: Hold,
    mode: Mode,
) -> Handle {
    let deployment = plan.deployment.clone();
    let (sink, events) = EventSink::new(deployment.clone());
    let (interrupts, receiver) = watch::channel(None);
    let run = Arc::new(Run::new(plan, clients, options, journal, sink, progress));
    let task = tokio::spawn(async move {
        let outcome = drive(&run, receiver, mode).await;
        // Whoever hears of the end may carry on at once.
        drop(hold);
        run.emit(EventKind::Ended {
            outcome: Box::new(outcome.clone()),
        });
        outcome
    });
    Handle {
        deployment,
        events: Some(events),
        interrupts,
        task,
    }
}

/// How the first half of a run ended.
enum Turn {
    End(Ending, Option<StepFailed>),
    Reached(crate::step::Step),
    Detach,
    Leave,
}

async fn drive(
    run: &Arc<Run>,
    mut interrupts: watch::Receiver<Option<Interrupt>>,
    mode: Mode,
) -> Outcome {
    if mode != Mode::Down
        && let Some(outcome) = run.look(|progress| progress.outcome.clone())
    {
        return outcome;
    }
    run.emit(EventKind::Began {
        cluster: run.plan.cluster.cluster.clone(),
        ours: run.plan.cluster.ours,
        deadline: run.deadline(),
        on_failure: run.plan.watch.on_failure,
        on_interrupt: run.plan.watch.on_interrupt,
        resumed: mode != Mode::Fresh,
    });
    let (ending, failed) = match first_half(run, &mut interrupts, mode).await {
        Turn::End(ending, failed) => (ending, failed),
        Turn::Reached(step) => return Box::pin(run.detach(Conclusion::Reached(step))).await,
        Turn::Detach => return Box::pin(run.detach(Conclusion::Detached)).await,
        Turn::Leave => return Box::pin(run.leave()).await,
    };
    tokio::select! {
        biased;
        () = told_to_leave(&mut interrupts) => Box::pin(run.leave()).await,
        outcome = Box::pin(run.end(ending, failed)) => outcome,
    }
}

async fn first_half(
    run: &Arc<Run>,
    interrupts: &mut watch::Receiver<Option<Interrupt>>,
    mode: Mode,
) -> Turn {
    let (ending, failure) = run.look(|progress| (progress.ending, progress.failure.is_some()));
    match (mode, ending, failure) {
        (Mode::Down, ..) => return Turn::End(Ending::Down, None),
        (_, Some(ending), _) => return Turn::End(ending, None),
        (_, None, true) => return Turn::End(Ending::Failed, None),
        _ => {}
    }
    let deadline = run.deadline();
    let left = deadline.duration_since(run.now());
    let left = if left.is_negative() {
        Duration::ZERO
    } else {
        left.unsigned_abs()
    };
    tokio::select! {
        biased;
        interrupt = interrupted(interrupts) => match interrupt {
            Interrupt::Delete => Turn::End(Ending::Interrupted, None),
            Interrupt::Detach => Turn::Detach,
            Interrupt::Leave => Turn::Leave,
        },
        worked = Box::pin(run.work()) => match worked {
            Ok(Worked::Finished) => Turn::End(Ending::Finished, None),
            Ok(Worked::Reached(step)) => Turn::Reached(step),
            Err(failed) => Turn::End(Ending::Failed, Some(failed)),
        },
        () = run.sleep(left) => Turn::End(Ending::Deadline, None),
    }
}

/// The next interrupt; never, when nobody can send one any more.
async fn interrupted(interrupts: &mut watch::Receiver<Option<Interrupt>>) -> Interrupt {
    let told = match interrupts.wait_for(Option::is_some).await {
        Ok(told) => *told,
        Err(_) => None,
    };
    match told {
        Some(interrupt) => interrupt,
        None => std::future::pending().await,
    }
}

async fn told_to_leave(interrupts: &mut watch::Receiver<Option<Interrupt>>) {
    let told = interrupts
        .wait_for(|told| *told == Some(Interrupt::Leave))
        .await
        .is_ok();
    if !told {
        std::future::pending::<()>().await;
    }
}
