//! Cancelling what still runs: Flink's client through the launcher, then YARN, or the Flink jobs of a session, each for a limited
//! time, and what of it worked.

use std::sync::Arc;
use std::time::Duration;

use flinkproc_core::{Attempt, FlinkJobId, Span, YarnApplicationId};
use flinkproc_plan::SessionLifetime;
use flinkproc_ssh::RemoteCommand;
use flinkproc_submit::{JobAction, RunState};
use futures::FutureExt;

use crate::actions::last_words;
use crate::error::RunError;
use crate::outcome::Ending;
use crate::run::{Run, lock};
use crate::verdict::{ApplicationWord, YarnWord};

/// How long reaching the master, and each call to it, may take on the way out.
const CALL: Duration = Duration::from_secs(30);
/// How long the launcher may take to end everything and write that it did, where it alone can: it saves the logs before.
const LEAVING: Duration = Duration::from_secs(90);
/// How long the applications may take to end once they were told to.
const DYING: Duration = Duration::from_secs(20);

impl Run {
    /// Whether something may still run of what this deployment handed over.
    pub(crate) fn may_still_run(&self, ending: Ending) -> bool {
        let progress = self.progress();
        // What ran on a cluster that is gone has ended with it.
        if progress.runs.is_empty() || progress.facts().is_none() {
            return false;
        }
        match &progress.evidence {
            None => true,
            Some(evidence) => match &evidence.yarn {
                // A session outlives its jobs: theirs is the word that counts.
                YarnWord::Applications(known) if self.is_session() => {
                    known.iter().any(|one| !one.state.is_terminal())
                        && evidence.flink.iter().any(|job| !job.state.is_terminal())
                }
                YarnWord::Applications(known) => known
                    .iter()
                    .any(|one: &ApplicationWord| !one.state.is_terminal()),
                YarnWord::Unseen => ending != Ending::Down || progress.outcome.is_none(),
            },
        }
    }

    /// Tells everything that may still run to end. Never fails: what did not work is recorded, and the cluster's deletion ends it.
    pub(crate) async fn cancel_run(self: &Arc<Self>) {
        match self.limited(self.site()).await {
            Ok(_) => {}
            Err(why) => return self.ended("reach the master", Err(why)),
        }
        let attempts = self.look(|progress| progress.runs.clone());
        for one in attempts.iter().filter(|run| !run.fenced) {
            let run = self.run_ref(one.attempt);
            let cancel = self.over_connection(move |site| {
                let run = run.clone();
                async move { site.method.cancel(&run).await }.boxed()
            });
            let cancelled = self.limited(cancel).await;
            self.ended(
                format!("tell the launcher to cancel attempt {}", one.attempt),
                cancelled,
            );
            if let Err(why) = self.limited(self.fence(one.attempt)).await {
                self.ended(
                    format!("keep attempt {} from starting", one.attempt),
                    Err(why),
                );
            }
            match (self.enters(), self.is_session()) {
                (false, _) => self.await_launcher(one.attempt).await,
                (true, true) => self.cancel_jobs(one.attempt).await,
                (true, false) => self.kill_applications(one.attempt).await,
            }
        }
    }

    /// Waits until the launcher, which was told to end everything, says that it did: nobody else can.
    async fn await_launcher(self: &Arc<Self>, attempt: Attempt) {
        let began = self.now();
        let mut pause = Duration::from_millis(250);
        let done = loop {
            let look = async {
                let saved = self.open_output(attempt).await?;
                let seen = self.observe(attempt, &saved, Span::from_secs(0)).await?;
                self.note_ids(&seen);
                if let Some(sighting) = &seen.sighting {
                    self.take_sighting(sighting);
                }
                Ok(seen)
            };
            match self.limited(look).await {
                Ok(seen) if seen.state != RunState::Running => break Ok(()),
                Ok(_) if self.past(began, LEAVING) => {
                    break Err("the launcher has not said that it ended".to_owned());
                }
                Err(why) if self.past(began, LEAVING) => break Err(why),
                _ => {}
            }
            self.sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(2));
        };
        if let Err(why) = done {
            self.survived(format!("attempt {attempt}"), why);
        }
        let sightings = lock(&self.sightings);
        let alive: Vec<String> = if self.is_session() {
            let running = sightings
                .jobs
                .iter()
                .filter(|(_, state)| !state.is_terminal());
            running.map(|(id, _)| format!("Flink job {id}")).collect()
        } else {
            let known = sightings.applications.values().flatten();
            let alive = known.filter(|one| !one.state.is_terminal());
            alive
                .map(|one| format!("YARN application {}", one.id))
                .collect()
        };
        drop(sightings);
        for what in alive {
            let why = "the launcher saw it run when it looked last".to_owned();
            self.survived(what, why);
        }
    }

    /// Cancels the Flink jobs of an attempt that do not end by themselves. Their session goes on, unless this deployment
    /// started it for itself.
    async fn cancel_jobs(self: &Arc<Self>, attempt: Attempt) {
        let began = self.now();
        let mut pause = Duration::from_millis(100);
        let mut told: Vec<FlinkJobId> = Vec::new();
        loop {
            let jobs = match self.limited(self.ask_flink(attempt)).await {
                Ok(jobs) => jobs,
                Err(why) => {
                    self.ended("ask the session what still runs", Err(why));
                    break;
                }
            };
            let alive: Vec<FlinkJobId> = jobs
                .into_iter()
                .filter(|(_, job)| !job.is_over())
                .map(|(id, _)| id)
                .collect();
            if alive.is_empty() {
                break;
            }
            // The launcher has a moment to end its jobs in good order first.
            if self.past(began, DYING / 4) {
                for id in &alive {
                    if told.contains(id) {
                        continue;
                    }
                    told.push(id.clone());
                    let result = self.limited(self.cancel_job_of(attempt, id)).await;
                    self.ended(format!("cancel Flink job {id}"), result);
                }
            }
            if self.past(began, DYING) {
                for id in alive {
                    let why = "it still runs in its session".to_owned();
                    self.survived(format!("Flink job {id}"), why);
                }
                break;
            }
            self.sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
        self.end_own_session(attempt).await;
    }

    async fn cancel_job_of(
        self: &Arc<Self>,
        attempt: Attempt,
        id: &FlinkJobId,
    ) -> Result<(), RunError> {
        let action = JobAction::Cancel {
            job: Some(id.clone()),
        };
        let site = self.site().await?;
        let acted = site.method.act(&self.run_ref(attempt), &action).await?;
        if acted.status == 0 {
            return Ok(());
        }
        Err(RunError::ActionFailed {
            action: "cancel",
            status: acted.status,
            said: last_words(&acted.said),
        })
    }

    /// Ends the session of an attempt if this deployment started it and wants it gone; never one that it found.
    async fn end_own_session(self: &Arc<Self>, attempt: Attempt) {
        let wanted = self.plan.job.session.as_ref();
        if !wanted.is_some_and(|session| session.lifetime == SessionLifetime::Deployment) {
            return;
        }
        let applications = match self.limited(self.ask_yarn(attempt)).await {
            Ok(applications) => applications,
            Err(why) => return self.ended("ask YARN for the session", Err(why)),
        };
        let ours = applications
            .iter()
            .filter(|one| !one.is_over() && self.started_it(one));
        for one in ours {
            let result = self.limited(self.kill(&one.word.id)).await;
            self.ended(format!("end the session {}", one.word.id), result);
        }
    }

    /// Kills the applications of an attempt that do not end by themselves.
    async fn kill_applications(self: &Arc<Self>, attempt: Attempt) {
        let began = self.now();
        let mut pause = Duration::from_millis(100);
        let mut killed = Vec::new();
        loop {
            let applications = match self.limited(self.ask_yarn(attempt)).await {
                Ok(applications) => applications,
                Err(why) => return self.ended("ask YARN what still runs", Err(why)),
            };
            let alive: Vec<ApplicationWord> = applications
                .into_iter()
                .filter(|one| !one.is_over())
                .map(|one| one.word)
                .collect();
            if alive.is_empty() {
                return;
            }
            // The launcher has a moment to end its application in good order first.
            if self.past(began, DYING / 4) {
                for one in &alive {
                    if killed.contains(&one.id) {
                        continue;
                    }
                    let result = self.limited(self.kill(&one.id)).await;
                    self.ended(format!("kill YARN application {}", one.id), result);
                    killed.push(one.id.clone());
                }
            }
            if self.past(began, DYING) {
                for one in alive {
                    let why = format!("it is still {}", crate::verdict::word(&one.state));
                    self.survived(format!("YARN application {}", one.id), why);
                }
                return;
            }
            self.sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }

    /// Kills an application: by YARN's REST interface, which on some clusters lets nobody do so, else by its own client.
    pub(crate) async fn kill(self: &Arc<Self>, id: &YarnApplicationId) -> Result<(), RunError> {
        let site = self.site().await?;
        let Some(master) = &site.master else {
            return Err(RunError::NobodyEnters);
        };
        let Err(refused) = master.yarn.kill(id).await else {
            return Ok(());
        };
        let command = RemoteCommand::new("yarn").args(["application", "-kill", id.as_str()]);
        let output = master.shell.run(&command).await?;
        match output.status.success() {
            true => Ok(()),
            false => Err(refused.into()),
        }
    }

    /// Does something for a limited time; the error is in words.
    pub(crate) async fn limited<T>(
        &self,
        work: impl Future<Output = Result<T, crate::error::RunError>>,
    ) -> Result<T, String> {
        tokio::select! {
            biased;
            result = work => result.map_err(|error| crate::step::Failure::of(None, &error).to_string()),
            () = self.sleep(CALL) => Err(format!("no answer within {} s", CALL.as_secs())),
        }
    }

    /// Every application and job that was seen.
    pub(crate) fn seen_applications(&self) -> Vec<flinkproc_core::YarnApplicationId> {
        let mut ids: Vec<_> = lock(&self.sightings).applications.keys().cloned().collect();
        let evidence = self.look(|progress| progress.evidence.clone());
        if let Some(YarnWord::Applications(known)) = evidence.map(|one| one.yarn) {
            ids.extend(known.into_iter().map(|one| one.id));
        }
        ids.sort();
        ids.dedup();
        ids
    }
}
