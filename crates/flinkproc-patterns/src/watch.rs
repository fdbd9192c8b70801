//! The step [`Step::Watch`](crate::Step::Watch): the run is followed to its end, then all witnesses are heard.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use flinkproc_core::{Attempt, Explain, FlinkJobId, RetryHint, Span, YarnApplicationId};
use flinkproc_rest::{Application, FinalStatus, FlinkJobState};
use flinkproc_ssh::ShellError;
use flinkproc_submit::{Observation, RunState};
use futures::FutureExt;
use jiff::Timestamp;

use crate::error::RunError;
use crate::events::EventKind;
use crate::output::SavedOutput;
use crate::run::{Run, lock};
use crate::site::Site;
use crate::step::{Intent, Output};
use crate::verdict::{ApplicationWord, Evidence, FlinkWord, LauncherWord, YarnWord};

/// How long one look at the launcher waits for something new.
const LOOK: Span = Span::from_secs(20);
/// How long YARN may take to record a final status after the client ended well.
const RECORDING: Duration = Duration::from_secs(60);
/// How long an application is waited for that should be there, or that outlives its client's failure.
const STRAGGLING: Duration = Duration::from_secs(5);
/// How often a job is handed over before its launcher's vanishing counts as a failure.
const ATTEMPTS: u32 = 3;

/// What YARN and Flink said last.
#[derive(Debug, Default)]
pub(crate) struct Sightings {
    pub(crate) applications: BTreeMap<YarnApplicationId, Option<ApplicationWord>>,
    pub(crate) jobs: BTreeMap<FlinkJobId, FlinkJobState>,
}

impl Run {
    /// Follows the run to its end and writes down what all witnesses said.
    pub(crate) async fn watch(self: &Arc<Self>) -> Result<(), RunError> {
        if self.look(|progress| progress.evidence.is_some()) {
            return Ok(());
        }
        self.started(Intent::Watch).await?;
        let launcher = tokio::select! {
            biased;
            followed = self.follow() => followed?,
            never = self.poll_services() => match never {},
        };
        let evidence = self.hear(launcher).await;
        self.done(Output::Watch(evidence)).await
    }

    async fn follow(self: &Arc<Self>) -> Result<LauncherWord, RunError> {
        loop {
            let attempt = self.current_attempt();
            let mut saved = self.open_output(attempt).await?;
            let word = loop {
                let began = self.now();
                let seen = match self.observe(attempt, &saved, LOOK).await {
                    Ok(seen) => seen,
                    // The job runs on while nobody can look: a laptop may sleep. The deadline ends the waiting.
                    Err(error) if is_only_the_way(&error) => {
                        self.emit(EventKind::Retrying {
                            what: "looking at the job".to_owned(),
                            why: error.to_string(),
                        });
                        self.sleep(Duration::from_secs(5)).await;
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                let news = self.take(&mut saved, &seen).await?;
                match seen.state {
                    // The answer to the submission was lost, and so was the submission.
                    RunState::Absent => self.submit_as(attempt).await?,
                    RunState::Ended(exit) if !news => break Some(LauncherWord::Exit(exit)),
                    RunState::Lost if !news => break self.lost(attempt).await?,
                    RunState::Running if !news => self.breathe(began).await,
                    _ => {}
                }
            };
            if let Some(word) = word {
                return Ok(word);
            }
        }
    }

    fn current_attempt(&self) -> Attempt {
        self.look(|progress| progress.run().map_or(Attempt::FIRST, |run| run.attempt))
    }

    pub(crate) async fn observe(
        self: &Arc<Self>,
        attempt: Attempt,
        saved: &SavedOutput,
        patience: Span,
    ) -> Result<Observation, RunError> {
        let run = self.run_ref(attempt);
        let from = saved.offsets();
        self.over_connection(move |site| {
            let run = run.clone();
            async move { site.method.observe(&run, from, patience).await }.boxed()
        })
        .await
    }

    /// Keeps what was seen; `true` when the program said something.
    pub(crate) async fn take(
        &self,
        saved: &mut SavedOutput,
        seen: &Observation,
    ) -> Result<bool, RunError> {
        {
            let mut sightings = lock(&self.sightings);
            if let Some(id) = &seen.application {
                sightings.applications.entry(id.clone()).or_insert(None);
            }
            for id in &seen.jobs {
                sightings
                    .jobs
                    .entry(id.clone())
                    .or_insert(FlinkJobState::Unknown);
            }
        }
        self.take_output(saved, &seen.out, &seen.err).await?;
        Ok(!seen.out.is_empty() || !seen.err.is_empty())
    }

    /// A look that came back at once without news must not be repeated without end.
    async fn breathe(&self, began: Timestamp) {
        let shortest = Duration::from_millis(100);
        if !self.past(began, shortest) {
            self.sleep(shortest).await;
        }
    }

    /// Makes sure that an attempt never starts any more.
    pub(crate) async fn fence(self: &Arc<Self>, attempt: Attempt) -> Result<(), RunError> {
        let run = self.run_ref(attempt);
        self.over_connection(move |site| {
            let run = run.clone();
            async move { site.method.fence(&run).await }.boxed()
        })
        .await
    }

    /// The launcher is gone without a word. Only if YARN knows nothing of it may the job be handed over again; `None` then.
    async fn lost(self: &Arc<Self>, attempt: Attempt) -> Result<Option<LauncherWord>, RunError> {
        self.fence(attempt).await?;
        let began = self.now();
        let mut answered = false;
        while answered || !self.past(began, RECORDING) {
            match self.ask_yarn(attempt).await {
                Ok(applications) if applications.is_empty() => {
                    self.done(Output::Fenced { attempt }).await?;
                    if attempt.number() >= ATTEMPTS {
                        let attempts = attempt.number();
                        return Err(RunError::LauncherLost { attempts });
                    }
                    self.emit(EventKind::Retrying {
                        what: "handing the job over".to_owned(),
                        why: "the launcher vanished, and YARN knows nothing of it".to_owned(),
                    });
                    self.submit_as(attempt.next()).await?;
                    return Ok(None);
                }
                Ok(applications) if applications.iter().all(|one| one.state.is_terminal()) => break,
                Ok(_) => answered = true,
                Err(error) => tracing::debug!(%error, "YARN gave no answer"),
            }
            self.sleep(Duration::from_secs(2)).await;
        }
        Ok(Some(LauncherWord::Lost))
    }

    /// Looks at YARN and Flink from time to time, for the events and for what is gone once the job is.
    async fn poll_services(self: &Arc<Self>) -> std::convert::Infallible {
        let mut pause = Duration::from_secs(1);
        loop {
            self.sleep(pause).await;
            let site = self.site.lock().await.clone();
            if let Some(site) = site {
                self.look_at_services(&site).await;
            }
            pause = (pause + Duration::from_secs(1)).min(Duration::from_secs(5));
        }
    }

    async fn look_at_services(self: &Arc<Self>, site: &Site) {
        let tag = self.run_ref(self.current_attempt()).tag();
        let applications = match site.yarn.applications(Some(&tag)).await {
            Ok(applications) => applications,
            Err(error) => return tracing::debug!(%error, "YARN gave no answer"),
        };
        for application in applications {
            let runs = !application.state.is_terminal();
            self.saw_application(&application);
            if runs {
                self.look_at_flink(site, &application.id).await;
            }
        }
    }

    async fn look_at_flink(&self, site: &Site, application: &YarnApplicationId) {
        use FlinkJobState::{Failed, Failing, Restarting};
        let flink = site.flink(application);
        let jobs = match flink.jobs().await {
            Ok(jobs) => jobs,
            Err(error) => return tracing::debug!(%error, "Flink gave no answer"),
        };
        for job in jobs {
            self.saw_job(&job.id, job.state);
            if matches!(job.state, Failing | Failed | Restarting)
                && let Ok(exceptions) = flink.exceptions(&job.id).await
                && let Some(root) = exceptions.root_exception
            {
                *lock(&self.exceptions) = Some(root);
            }
        }
    }

    pub(crate) fn saw_application(&self, application: &Application) {
        let word = ApplicationWord {
            id: application.id.clone(),
            state: application.state,
            final_status: application.final_status,
            diagnostics: application.diagnostics.clone(),
        };
        let mut sightings = lock(&self.sightings);
        let known = sightings
            .applications
            .insert(word.id.clone(), Some(word.clone()));
        drop(sightings);
        let known = known.flatten();
        let same = |one: &ApplicationWord| {
            (one.state, one.final_status) == (word.state, word.final_status)
        };
        if !known.as_ref().is_some_and(same) {
            self.emit(EventKind::Application {
                id: word.id,
                state: word.state,
                final_status: word.final_status,
            });
        }
    }

    fn saw_job(&self, id: &FlinkJobId, state: FlinkJobState) {
        if lock(&self.sightings).jobs.insert(id.clone(), state) != Some(state) {
            self.emit(EventKind::FlinkJob {
                id: id.clone(),
                state,
            });
        }
    }

    /// The applications of an attempt: those of its tag, and the one that the launcher named.
    pub(crate) async fn ask_yarn(
        self: &Arc<Self>,
        attempt: Attempt,
    ) -> Result<Vec<Application>, RunError> {
        let site = self.site().await?;
        let tag = self.run_ref(attempt).tag();
        let mut applications = site.yarn.applications(Some(&tag)).await?;
        let named: Vec<YarnApplicationId> =
            lock(&self.sightings).applications.keys().cloned().collect();
        for id in named {
            if !applications.iter().any(|one| one.id == id)
                && let Some(application) = site.yarn.application(&id).await?
            {
                applications.push(application);
            }
        }
        for application in &applications {
            self.saw_application(application);
        }
        Ok(applications)
    }

    /// Hears YARN after the launcher, until YARN has recorded how the applications ended.
    async fn hear(self: &Arc<Self>, launcher: LauncherWord) -> Evidence {
        let (ended_well, never_came) = match &launcher {
            LauncherWord::Exit(exit) => (exit.status == 0, exit.phase != "flink"),
            LauncherWord::Lost | LauncherWord::Unseen => (true, false),
        };
        let attempt = self.current_attempt();
        let began = self.now();
        let mut pause = Duration::from_millis(50);
        let yarn = loop {
            let answer = self.ask_yarn(attempt).await;
            let patience = match &answer {
                Ok(applications) if applications.is_empty() && never_came => Duration::ZERO,
                Ok(applications) if applications.is_empty() => STRAGGLING,
                Ok(applications) if applications.iter().all(is_recorded) => Duration::ZERO,
                Ok(_) | Err(_) if !ended_well => STRAGGLING,
                Ok(_) | Err(_) => RECORDING,
            };
            if patience.is_zero() || self.past(began, patience) {
                break match answer {
                    Ok(applications) => {
                        YarnWord::Applications(applications.iter().map(word).collect())
                    }
                    Err(error) => {
                        tracing::warn!(%error, "YARN gave no answer");
                        YarnWord::Unseen
                    }
                };
            }
            self.sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(2));
        };
        let jobs = lock(&self.sightings).jobs.clone();
        let flink = jobs
            .into_iter()
            .map(|(id, state)| FlinkWord { id, state })
            .collect();
        Evidence {
            launcher,
            yarn,
            flink,
        }
    }
}

/// Whether a failure says only that nobody can look at present, and nothing of the cluster or the job.
fn is_only_the_way(error: &RunError) -> bool {
    match error {
        RunError::Shell(ShellError::Denied { .. }) => false,
        RunError::Shell(error) => {
            error.is_typical_of_young_machines() || error.retry() != RetryHint::Never
        }
        RunError::Submit(error) => error.is_connection_lost(),
        RunError::Cluster(error) => error.is_transient(),
        RunError::Gate(error) => error.retry() != RetryHint::Never,
        _ => false,
    }
}

/// Whether YARN has recorded how the application ended.
fn is_recorded(application: &Application) -> bool {
    application.state.is_terminal() && application.final_status != FinalStatus::Undefined
        || application.state.is_terminal() && application.finished_time > 0
}

fn word(application: &Application) -> ApplicationWord {
    ApplicationWord {
        id: application.id.clone(),
        state: application.state,
        final_status: application.final_status,
        diagnostics: application.diagnostics.clone(),
    }
}
