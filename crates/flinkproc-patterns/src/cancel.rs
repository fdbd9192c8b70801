//! Cancelling what still runs: Flink's client through the launcher, then YARN, each for a limited time, and what of it worked.

use std::sync::Arc;
use std::time::Duration;

use flinkproc_core::Attempt;
use futures::FutureExt;

use crate::outcome::Ending;
use crate::run::{Run, lock};
use crate::verdict::{ApplicationWord, YarnWord};

/// How long reaching the master, and each call to it, may take on the way out.
const CALL: Duration = Duration::from_secs(30);
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
            self.kill_applications(one.attempt).await;
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
            let alive: Vec<_> = applications
                .into_iter()
                .filter(|one| !one.state.is_terminal())
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
                    let kill = async {
                        let site = self.site().await?;
                        Ok(site.yarn.kill(&one.id).await?)
                    };
                    let result = self.limited(kill).await;
                    self.ended(format!("kill YARN application {}", one.id), result);
                    killed.push(one.id.clone());
                }
            }
            if self.past(began, DYING) {
                for one in alive {
                    let why = format!("it is still {}", crate::verdict::word(&one.state));
                    self.ended(format!("see YARN application {} end", one.id), Err(why));
                }
                return;
            }
            self.sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
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
