//! What is done to the jobs of a deployment from beside: savepoint, stop, cancel; and which jobs there are.
//!
//! The process that follows the deployment, if there is one, goes on meanwhile. An action has its own connection, its own key,
//! and its own lines in the journal.

use std::sync::Arc;

use flinkproc_core::{Attempt, DeploymentId, Explain, FlinkJobId, RetryHint};
use flinkproc_rest::FlinkJobState;
use flinkproc_submit::{Acted, JobAction};
use serde::{Deserialize, Serialize};

use crate::clients::Clients;
use crate::deployment::Deployment;
use crate::error::RunError;
use crate::events::EventSink;
use crate::journal::Journal;
use crate::options::Options;
use crate::progress::Progress;
use crate::run::Run;
use crate::step::{Intent, Output};

/// How much of what Flink's client said is shown with a failure, in bytes.
const SHOWN: usize = 2000;

/// What came of an action that worked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionDone {
    /// The deployment.
    pub deployment: DeploymentId,
    /// The attempt whose job it was done to.
    pub attempt: Attempt,
    /// What was done.
    pub action: JobAction,
    /// Where the savepoint is, when one was made.
    pub savepoint: Option<String>,
    /// What Flink's client said.
    pub said: String,
}

/// A Flink job of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSeen {
    /// Its id.
    pub id: FlinkJobId,
    /// Its state, as it was seen last.
    pub state: FlinkJobState,
}

impl Deployment {
    /// Does something to the Flink jobs of a deployment, by Flink's own client on the cluster.
    ///
    /// Not idempotent: a second savepoint is another one. It is not repeated when its answer is lost; its intent is in the
    /// journal by then.
    ///
    /// # Errors
    /// [`RunError::UnknownDeployment`]; [`RunError::NothingRuns`]; [`RunError::ActionFailed`] when Flink's client says so; what
    /// can fail on the way.
    pub async fn act(
        id: &DeploymentId,
        action: JobAction,
        clients: Clients,
        journal: Arc<dyn Journal>,
        options: Options,
    ) -> Result<ActionDone, RunError> {
        let run = visit(id, clients, journal, options).await?;
        let attempt = run.running_attempt()?;
        let result = run.act_on_job(attempt, action).await;
        run.leave_quietly().await;
        result
    }

    /// Takes a savepoint of a job, which goes on; of the only one when none is named, below the configured folder when none is
    /// named. As [`Deployment::act`].
    ///
    /// # Errors
    /// As [`Deployment::act`].
    pub async fn savepoint(
        id: &DeploymentId,
        job: Option<FlinkJobId>,
        directory: Option<String>,
        clients: Clients,
        journal: Arc<dyn Journal>,
        options: Options,
    ) -> Result<ActionDone, RunError> {
        let action = JobAction::Savepoint { job, directory };
        Self::act(id, action, clients, journal, options).await
    }

    /// The Flink jobs of a deployment, as Flink says now; as the journal says of one that is over.
    ///
    /// # Errors
    /// [`RunError::UnknownDeployment`]; what can fail on the way.
    pub async fn jobs(
        id: &DeploymentId,
        clients: Clients,
        journal: Arc<dyn Journal>,
        options: Options,
    ) -> Result<Vec<JobSeen>, RunError> {
        let run = visit(id, clients, journal, options).await?;
        if let Some(evidence) = run.look(|progress| progress.evidence.clone()) {
            let flink = evidence.flink.into_iter();
            return Ok(flink
                .map(|job| JobSeen {
                    id: job.id,
                    state: job.state,
                })
                .collect());
        }
        let Ok(attempt) = run.running_attempt() else {
            return Ok(Vec::new());
        };
        let asked = async {
            // The launcher knows the ids of jobs that no JobManager tells of any more.
            run.ask_launcher(attempt).await?;
            run.ask_flink(attempt).await
        };
        let asked = asked.await;
        run.leave_quietly().await;
        let seen = asked?.into_iter().map(|(id, job)| JobSeen {
            id,
            state: job.state,
        });
        Ok(seen.collect())
    }
}

/// A run of a known deployment that holds nothing and carries nothing on.
async fn visit(
    id: &DeploymentId,
    clients: Clients,
    journal: Arc<dyn Journal>,
    options: Options,
) -> Result<Arc<Run>, RunError> {
    let progress = Progress::replay(&journal.load(id).await?);
    let plan = progress.plan.clone();
    let plan = plan.ok_or_else(|| RunError::UnknownDeployment { id: id.clone() })?;
    // Nobody listens: what comes of it is the answer.
    let (sink, _) = EventSink::new(id.clone());
    let run = Run::new(plan, clients, options, journal, sink, progress);
    Ok(Arc::new(run))
}

impl Run {
    /// The attempt that runs, as far as the journal knows.
    fn running_attempt(&self) -> Result<Attempt, RunError> {
        let nothing = |why: &str| RunError::NothingRuns {
            id: self.plan.deployment.clone(),
            why: why.to_owned(),
        };
        self.look(|progress| {
            if progress.outcome.is_some() || progress.evidence.is_some() {
                return Err(nothing("it is over"));
            }
            if progress.facts().is_none() {
                return Err(nothing("it has no cluster"));
            }
            match progress.run() {
                Some(run) if run.submitted => Ok(run.attempt),
                _ => Err(nothing("it was not handed over yet")),
            }
        })
    }

    async fn act_on_job(
        self: &Arc<Self>,
        attempt: Attempt,
        what: JobAction,
    ) -> Result<ActionDone, RunError> {
        let number = self.look(|progress| progress.actions) + 1;
        self.started(Intent::Act {
            number,
            attempt,
            what: what.clone(),
        })
        .await?;
        let acted = self.act_once(attempt, &what).await?;
        self.done(Output::Act {
            number,
            status: acted.status,
            savepoint: acted.savepoint.clone(),
        })
        .await?;
        if acted.status != 0 {
            return Err(RunError::ActionFailed {
                action: name(&what),
                status: acted.status,
                said: last_words(&acted.said),
            });
        }
        Ok(ActionDone {
            deployment: self.plan.deployment.clone(),
            attempt,
            action: what,
            savepoint: acted.savepoint,
            said: String::from_utf8_lossy(&acted.said).into_owned(),
        })
    }

    /// Repeated only while it is certain that it did not begin.
    async fn act_once(
        self: &Arc<Self>,
        attempt: Attempt,
        what: &JobAction,
    ) -> Result<Acted, RunError> {
        let mut tries = 1;
        loop {
            let site = self.site().await?;
            let error = match site.method.act(&self.run_ref(attempt), what).await {
                Ok(acted) => return Ok(acted),
                Err(error) => error,
            };
            if error.retry() != RetryHint::Safe || tries == TRIES {
                return Err(error.into());
            }
            tries += 1;
            self.disconnected(&error).await;
            self.sleep(PAUSE).await;
        }
    }
}

/// How often an action that did not begin is begun again.
const TRIES: u32 = 5;
const PAUSE: std::time::Duration = std::time::Duration::from_secs(1);

const fn name(action: &JobAction) -> &'static str {
    match action {
        JobAction::Savepoint { .. } => "savepoint",
        JobAction::Stop { .. } => "stop",
        JobAction::Cancel { .. } => "cancel",
    }
}

/// The end of what a program said, on one line.
pub(crate) fn last_words(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let mut words = String::new();
    for line in lines.iter().rev() {
        if !words.is_empty() && words.len() + line.len() > SHOWN {
            break;
        }
        words = match words.is_empty() {
            true => (*line).to_owned(),
            false => format!("{line}; {words}"),
        };
    }
    words
}
