//! When the launcher has said how its program ended: YARN and Flink are heard too, until they have recorded it.

use std::sync::Arc;
use std::time::Duration;

use flinkproc_core::Attempt;
use flinkproc_plan::SessionLifetime;

use crate::error::RunError;
use crate::run::{Run, lock};
use crate::sightings::Seen;
use crate::verdict::{Evidence, FlinkWord, LauncherWord, Witness, YarnWord};

/// How long YARN may take to record a final status after the client ended well.
const RECORDING: Duration = Duration::from_secs(60);
/// How long an application or job is waited for that should be there, or that outlives its client's failure.
const STRAGGLING: Duration = Duration::from_secs(5);

/// What the launcher's word means for the waiting.
#[derive(Clone, Copy, Debug)]
struct Expected {
    /// The program ended well, or nobody knows: whatever it started is waited for.
    ended_well: bool,
    /// The launcher failed before it came to Flink.
    never_came: bool,
}

impl Run {
    /// Hears YARN and Flink after the launcher.
    pub(crate) async fn hear(self: &Arc<Self>, launcher: LauncherWord) -> Evidence {
        let (ended_well, never_came) = match &launcher {
            LauncherWord::Exit(exit) => (exit.status == 0, exit.phase != "flink"),
            LauncherWord::Lost | LauncherWord::Unseen => (true, false),
        };
        let expected = Expected {
            ended_well,
            never_came,
        };
        let attempt = self.current_attempt();
        let with_the_job = self.plan.job.session.as_ref();
        let with_the_job =
            with_the_job.is_some_and(|one| one.lifetime == SessionLifetime::Deployment);
        // These launchers end well only when Flink has said so of every job.
        let settles = self.is_session() && (with_the_job || self.plan.job.mirror.is_some());
        let settled = matches!(&launcher, LauncherWord::Exit(exit) if exit.status == 0) && settles;
        let yarn = match (self.enters(), self.is_session()) {
            (true, true) => self.hear_flink(attempt, expected).await,
            (true, false) => self.hear_yarn(attempt, expected).await,
            // The launcher was the witness: it has looked for the last time.
            (false, _) => answer(self.ask_yarn(attempt).await),
        };
        let jobs = lock(&self.sightings).jobs.clone();
        let flink = jobs.into_iter().map(|(id, state)| FlinkWord { id, state });
        Evidence {
            launcher,
            yarn,
            flink: flink.collect(),
            mode: self.plan.job.mode,
            witness: match self.enters() {
                true => Witness::Services,
                false => Witness::Launcher,
            },
            settled,
        }
    }

    /// Waits until YARN has recorded how the applications ended.
    async fn hear_yarn(self: &Arc<Self>, attempt: Attempt, expected: Expected) -> YarnWord {
        let began = self.now();
        let mut pause = Duration::from_millis(50);
        loop {
            let seen = self.ask_yarn(attempt).await;
            let patience = match &seen {
                Ok(applications) if applications.is_empty() && expected.never_came => {
                    Duration::ZERO
                }
                Ok(applications) if applications.is_empty() => STRAGGLING,
                Ok(applications) if applications.iter().all(|one| one.recorded) => Duration::ZERO,
                Ok(_) | Err(_) if !expected.ended_well => STRAGGLING,
                Ok(_) | Err(_) => RECORDING,
            };
            if patience.is_zero() || self.past(began, patience) {
                return answer(seen);
            }
            self.sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(2));
        }
    }

    /// Waits until the Flink jobs of the attempt have ended in their session, which lives on. A job that goes on without its
    /// client is waited for as long as the deployment may take.
    async fn hear_flink(self: &Arc<Self>, attempt: Attempt, expected: Expected) -> YarnWord {
        let mut since = self.now();
        let mut pause = Duration::from_millis(50);
        loop {
            let jobs = self.ask_flink(attempt).await;
            let patience = match &jobs {
                Ok(jobs) if jobs.is_empty() && expected.never_came => Duration::ZERO,
                Ok(jobs) if jobs.is_empty() => STRAGGLING,
                Ok(jobs) if jobs.values().all(|job| job.is_over()) => Duration::ZERO,
                Ok(_) if !expected.ended_well => STRAGGLING,
                Ok(_) => {
                    since = self.now();
                    RECORDING
                }
                Err(_) => RECORDING,
            };
            if patience.is_zero() || self.past(since, patience) {
                if let Err(error) = jobs {
                    tracing::warn!(%error, "the session gave no answer");
                }
                return answer(self.ask_yarn(attempt).await);
            }
            self.sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(2));
        }
    }
}

fn answer(seen: Result<Vec<Seen>, RunError>) -> YarnWord {
    match seen {
        Ok(seen) => YarnWord::Applications(seen.into_iter().map(|one| one.word).collect()),
        Err(error) => {
            tracing::warn!(%error, "YARN gave no answer");
            YarnWord::Unseen
        }
    }
}
