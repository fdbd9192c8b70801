//! Actions on a run, each as a Dataproc job of its own whose answer is an object.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flinkproc_core::DataprocJobId;
use flinkproc_plan::JobPlan;
use flinkproc_plan::launcher::{DOOR, action_bootstrap};

use crate::answer;
use crate::carrier::Carrier;
use crate::dataproc_job::{DataprocJobMethod, bootstrap_run, detail};
use crate::error::SubmitError;
use crate::method::{Acted, JobAction, RunRef};
use crate::mirror::{Gate, Mirror};
use crate::place::{job_id, parsed, read_exit};

/// Ends what is left of a run whose launcher is gone.
const END_LOST: &str = include_str!("end_lost.sh");

const fn refused(problem: String) -> SubmitError {
    let action = "act on";
    SubmitError::Refused { action, problem }
}

impl<C: Carrier> DataprocJobMethod<C> {
    pub(crate) async fn act_through(
        &self,
        mirror: &Mirror<'_>,
        run: &RunRef,
        action: &JobAction,
    ) -> Result<Acted, SubmitError> {
        let Some(plan) = mirror.read("job.json").await? else {
            return Err(refused("the attempt was never started".to_owned()));
        };
        if read_exit(mirror).await?.is_some() || mirror.gate().await? != Gate::Started {
            return Err(refused("the attempt does not run".to_owned()));
        }
        let plan: JobPlan = parsed(&plan, "job.json")?;
        let number = self.claim(mirror).await?;
        let object = format!("acts/{number}");
        let script = action_bootstrap(&plan, &bootstrap_run(run), action, &object)?;
        let id = job_id(run, &format!("-act-{number}"))?;
        self.send(mirror, run, &id, &format!("act-{number}/"), &script)
            .await?;
        let text = self.answer(mirror, &id, &object).await?;
        answer::acted_in_the_bucket(&text)
    }

    /// A number that no other action of this run has.
    async fn claim(&self, mirror: &Mirror<'_>) -> Result<u32, SubmitError> {
        let known = mirror.list("claims/").await?;
        let numbers = known
            .iter()
            .filter_map(|(name, _)| name.rsplit('/').next()?.parse().ok());
        let mut number = numbers.max().unwrap_or(0) + 1;
        while !mirror.claim(&format!("claims/{number}")).await? {
            number += 1;
        }
        Ok(number)
    }

    /// Waits for an object that a Dataproc job writes before it ends.
    async fn answer(
        &self,
        mirror: &Mirror<'_>,
        id: &DataprocJobId,
        object: &str,
    ) -> Result<Bytes, SubmitError> {
        loop {
            let job = self.place.find(mirror.action, id).await?;
            if let Some(text) = mirror.read(object).await? {
                return Ok(text);
            }
            match job {
                Some(job) if job.state.is_terminal() => {
                    let said = detail(&job);
                    return Err(refused(format!(
                        "the Dataproc job {id} ended as {:?} without an answer: {said}",
                        job.state
                    )));
                }
                None => return Err(refused(format!("the Dataproc job {id} is gone"))),
                Some(_) => self.place.clock.sleep(self.pause).await,
            }
        }
    }

    /// Ends what is left in YARN of a run whose launcher is gone, and waits for that.
    pub(crate) async fn end_lost(
        &self,
        mirror: &Mirror<'_>,
        run: &RunRef,
    ) -> Result<(), SubmitError> {
        let words = format!("{} {} {}", run.deployment, run.attempt, run.tag());
        let door = STANDARD.encode(DOOR);
        let script = format!("#!/bin/bash\nset -- {words}\ndoor={door}\n{END_LOST}");
        let id = job_id(run, "-end")?;
        self.send(mirror, run, &id, "end/", &script).await?;
        loop {
            match self.place.find(mirror.action, &id).await? {
                Some(job) if !job.state.is_terminal() => {
                    self.place.clock.sleep(self.pause).await;
                }
                _ => return Ok(()),
            }
        }
    }
}
