//! The step [`Step::Watch`](crate::Step::Watch): the run is followed to its end, then all witnesses are heard.

use std::sync::Arc;
use std::time::Duration;

use flinkproc_core::{Attempt, Explain, GcsUri, RetryHint, Span, YarnMode};
use flinkproc_ssh::ShellError;
use flinkproc_submit::{Observation, RunState};
use futures::FutureExt;
use jiff::Timestamp;

use crate::error::RunError;
use crate::events::EventKind;
use crate::output::SavedOutput;
use crate::run::{Run, passing};
use crate::sightings::Seen;
use crate::step::{Intent, Output};
use crate::verdict::LauncherWord;

/// How long one look at the launcher waits for something new.
const LOOK: Span = Span::from_secs(20);
/// How long YARN may keep silent after a launcher was lost.
const SILENCE: Duration = Duration::from_secs(60);
/// How often a job is handed over before its launcher's vanishing counts as a failure.
const ATTEMPTS: u32 = 3;

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

    pub(crate) fn current_attempt(&self) -> Attempt {
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
        self.note_ids(seen);
        if let Some(sighting) = &seen.sighting {
            self.take_sighting(sighting);
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

    /// The launcher is gone without a word. Only if it is certain that nothing of it runs may the job be handed over again; `None`
    /// then.
    async fn lost(self: &Arc<Self>, attempt: Attempt) -> Result<Option<LauncherWord>, RunError> {
        if !self.enters() {
            // What ran there ended with the cluster, and the service says so of the job first.
            let facts = self.look(|progress| progress.facts().cloned());
            if let Some(facts) = facts {
                self.still_there(facts).await?;
            }
        }
        self.fence(attempt).await?;
        let began = self.now();
        let mut answered = false;
        while answered || !self.past(began, SILENCE) {
            match self.what_became_of(attempt).await {
                Ok(Became::Nothing) => {
                    self.done(Output::Fenced { attempt }).await?;
                    if attempt.number() >= ATTEMPTS {
                        let attempts = attempt.number();
                        return Err(RunError::LauncherLost { attempts });
                    }
                    self.emit(EventKind::Retrying {
                        what: "handing the job over".to_owned(),
                        why: "the launcher vanished, and nothing was started by it".to_owned(),
                    });
                    self.submit_as(attempt.next()).await?;
                    return Ok(None);
                }
                Ok(Became::Over | Became::Untold) => break,
                Ok(Became::Running) => answered = true,
                Err(error) => tracing::debug!(%error, "YARN and Flink gave no answer"),
            }
            self.sleep(Duration::from_secs(2)).await;
        }
        Ok(Some(LauncherWord::Lost))
    }

    /// What became of the work of an attempt whose launcher is gone.
    async fn what_became_of(self: &Arc<Self>, attempt: Attempt) -> Result<Became, RunError> {
        if !self.enters() {
            // The launcher was the only one to look. Who holds the gate closed knows that it never came so far.
            return Ok(match self.gate_was_closed(attempt).await? {
                true => Became::Nothing,
                false => Became::Untold,
            });
        }
        let all_over = match self.plan.job.mode {
            YarnMode::Session => {
                let jobs = self.ask_flink(attempt).await?;
                if jobs.is_empty() {
                    return Ok(Became::Nothing);
                }
                jobs.values().all(|job| job.is_over())
            }
            _ => {
                let applications = self.ask_yarn(attempt).await?;
                if applications.is_empty() {
                    return Ok(Became::Nothing);
                }
                applications.iter().all(Seen::is_over)
            }
        };
        Ok(if all_over {
            Became::Over
        } else {
            Became::Running
        })
    }

    /// Whether the gate in the bucket was closed before the launcher came to it.
    async fn gate_was_closed(&self, attempt: Attempt) -> Result<bool, RunError> {
        const FENCED: &[u8] = b"fenced";
        let gate = self.mirror(attempt, "gate")?;
        let staging = &self.clients.staging;
        let said = self
            .retrying(
                "reading the launcher's gate",
                passing,
                async || match staging.stat(&gate).await? {
                    Some(meta) => staging.read_range(&gate, 0, meta.size.min(64)).await,
                    None => Ok(bytes::Bytes::new()),
                },
            )
            .await?;
        Ok(said.trim_ascii() == FENCED)
    }

    /// An object that the launcher of an attempt writes to the deployment's place in the bucket.
    pub(crate) fn mirror(&self, attempt: Attempt, name: &str) -> Result<GcsUri, RunError> {
        let runs = match &self.plan.job.mirror {
            Some(mirror) => mirror.to_string(),
            None => format!("{}runs/", self.plan.staging.home),
        };
        let address = format!("{runs}{attempt}/{name}");
        address.parse().map_err(|error| RunError::Broke {
            what: format!("{address}: {error}"),
        })
    }
}

/// What became of the work of an attempt whose launcher is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Became {
    /// It never began.
    Nothing,
    /// It runs.
    Running,
    /// It has ended.
    Over,
    /// Nobody can tell.
    Untold,
}

/// Whether a failure says only that nobody can look at present, and nothing of the cluster or the job.
fn is_only_the_way(error: &RunError) -> bool {
    match error {
        RunError::Shell(ShellError::Denied { .. }) => false,
        RunError::Shell(error) => {
            error.is_typical_of_young_machines() || error.retry() != RetryHint::Never
        }
        RunError::Submit(error) => error.is_connection_lost() || error.retry() != RetryHint::Never,
        RunError::Cluster(error) => error.is_transient(),
        RunError::Gate(error) => error.retry() != RetryHint::Never,
        _ => false,
    }
}
