//! [`DataprocJobMethod`]: the launcher as the driver of a job of Dataproc's Jobs API; no way to the master is needed.
//!
//! The launcher is the same as over SSH. It is brought by a [`Carrier`], and seen and bound through its mirror in the bucket.
//! What is asked of Dataproc is only whether the job lives, and its end.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use flinkproc_core::{DataprocJobId, Span};
use flinkproc_dataproc::{Job, JobState};
use flinkproc_plan::JobPlan;
use flinkproc_plan::launcher::{BootstrapRun, LaunchBundle};
use jiff::Timestamp;

use crate::answer;
use crate::carrier::Carrier;
use crate::error::SubmitError;
use crate::method::{Acted, JobAction, Observation, Offsets, RunRef, RunState, SubmissionMethod};
use crate::mirror::{Edges, Gate, Mirror};
use crate::place::{DataprocPlace, job_id, parsed, read_exit};

/// The pause between two looks at the bucket; the launcher writes about every two seconds.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a launcher whose Dataproc job was cancelled may take to end Flink and YARN and to say so.
const LAST_ACTS: Duration = Duration::from_secs(60);
/// How long it may take where the Dataproc job has ended by itself.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// Hands a job to the launcher through a job of Dataproc's Jobs API.
///
/// Cloneless and without state that counts: everything lies in Dataproc and in the bucket, so that another process goes on
/// where this one stopped. One Dataproc job for each attempt, `flinkproc-<deployment>-<attempt>`, and one for each action,
/// `flinkproc-<deployment>-<attempt>-act-<n>`.
///
/// The service account of the cluster has to read and write the deployment's place in the bucket.
#[derive(Debug)]
pub struct DataprocJobMethod<C> {
    carrier: C,
    pub(crate) place: DataprocPlace,
    pub(crate) pause: Duration,
    edges: Edges,
}

impl<C: Carrier> DataprocJobMethod<C> {
    /// Hands jobs over by this carrier.
    pub fn new(carrier: C, place: DataprocPlace) -> Self {
        Self {
            carrier,
            place,
            pause: PAUSE,
            edges: Edges::default(),
        }
    }

    /// Looks at the bucket this often while waiting, instead of once a second.
    #[must_use]
    pub const fn pausing(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    fn mirror<'a>(&'a self, run: &RunRef, action: &'static str) -> Result<Mirror<'a>, SubmitError> {
        self.place.mirror(run, action)
    }

    /// Puts a script into the bucket and submits the Dataproc job that runs it.
    pub(crate) async fn send(
        &self,
        mirror: &Mirror<'_>,
        run: &RunRef,
        id: &DataprocJobId,
        folder: &str,
        script: &str,
    ) -> Result<(), SubmitError> {
        let parcel = self.carrier.pack(script, &mirror.object(folder)?)?;
        for (object, content) in parcel.objects {
            mirror.put_at(&object, content).await?;
        }
        self.place
            .submit(mirror.action, run, id, parcel.resource)
            .await
    }

    /// Whether the launcher may still be writing its last word although its Dataproc job is over.
    ///
    /// Pig and Spark are gone as soon as they are asked to end, and the launcher then has Flink and YARN to end. A job that
    /// was not cancelled has waited for it.
    fn is_settling(&self, job: &Job) -> bool {
        let grace = match job.state {
            JobState::Cancelled => LAST_ACTS,
            _ => LAST_WORDS,
        };
        let ended = ended_at(job);
        ended.is_some_and(|ended| {
            self.place.clock.now().duration_since(ended).unsigned_abs() < grace
        })
    }

    /// What is known of a run whose Dataproc job is not alive and has left no `exit`.
    async fn without_exit(
        &self,
        mirror: &Mirror<'_>,
        job: Option<&Job>,
    ) -> Result<RunState, SubmitError> {
        match (mirror.gate().await?, job) {
            (Gate::Started, _) => Ok(RunState::Lost),
            (Gate::Fenced, _) | (Gate::Open, None) => Ok(RunState::Absent),
            (Gate::Open, Some(job)) if job.state == JobState::Cancelled => {
                // Ended before it began: that is its end for ever after.
                let exit = self.place.end_unstarted(mirror).await?;
                Ok(exit.map_or(RunState::Lost, RunState::Ended))
            }
            (Gate::Open, Some(job)) => Err(SubmitError::DriverFailed {
                id: job.id.clone(),
                state: job.state,
                detail: detail(job),
            }),
        }
    }
}

/// When a job came into its state.
pub(crate) fn ended_at(job: &Job) -> Option<Timestamp> {
    let since = job.resource.pointer("/status/stateStartTime");
    since.and_then(|text| text.as_str()?.parse().ok())
}

pub(crate) fn detail(job: &Job) -> String {
    let said = job.detail.as_deref().unwrap_or("no details");
    match &job.driver_output {
        Some(output) => format!("{said}; its output is at {output}"),
        None => said.to_owned(),
    }
}

#[async_trait]
impl<C: Carrier> SubmissionMethod for DataprocJobMethod<C> {
    fn name(&self) -> &str {
        self.carrier.name()
    }

    async fn submit(&self, run: &RunRef, job: &JobPlan) -> Result<(), SubmitError> {
        let mirror = self.mirror(run, "start")?;
        let job = self.place.mirrored(run, job)?;
        let bundle = LaunchBundle::new(&job, &run.tag())?;
        if !self.place.admit(&mirror, run, &job).await? {
            return Ok(());
        }
        let script = bundle.bootstrap(&bootstrap_run(run));
        let id = job_id(run, "")?;
        self.send(&mirror, run, &id, "start/", &script).await?;
        // Who wished the end meanwhile may have found no job to end.
        if mirror.read("cancel").await?.is_some() {
            self.place.cancel("start", &id).await?;
        }
        Ok(())
    }

    async fn observe(
        &self,
        run: &RunRef,
        from: Offsets,
        patience: Span,
    ) -> Result<Observation, SubmitError> {
        let mirror = self.mirror(run, "observe")?;
        let id = job_id(run, "")?;
        let clock = &self.place.clock;
        let begin = clock.now();
        loop {
            // In this order: a job that has ended has written `exit` before, and all output before that.
            let job = self.place.find("observe", &id).await?;
            let exit = read_exit(&mirror).await?;
            let alive = match &job {
                Some(job) if job.state.is_terminal() && exit.is_none() => {
                    self.is_settling(job) && mirror.gate().await? == Gate::Started
                }
                Some(job) => !job.state.is_terminal(),
                None => false,
            };
            let more = alive && exit.is_none();
            let out = mirror.said("out", from.out, &self.edges, more).await?;
            let err = mirror.said("err", from.err, &self.edges, more).await?;
            let waited = clock.now().duration_since(begin).unsigned_abs();
            let wait = more && out.is_empty() && err.is_empty();
            if wait && waited < patience.as_duration() {
                let rest = patience.as_duration() - waited;
                clock.sleep(self.pause.min(rest)).await;
                continue;
            }
            let state = match exit {
                Some(exit) => RunState::Ended(exit),
                None if alive => RunState::Running,
                None => self.without_exit(&mirror, job.as_ref()).await?,
            };
            return observation(&mirror, state, out, err).await;
        }
    }

    async fn cancel(&self, run: &RunRef) -> Result<(), SubmitError> {
        let mirror = self.mirror(run, "cancel")?;
        mirror.put("cancel", "cancel").await?;
        let id = job_id(run, "")?;
        if self.place.cancel("cancel", &id).await? {
            return Ok(());
        }
        let job = self.place.find("cancel", &id).await?;
        let settling = job.is_some_and(|job| self.is_settling(&job));
        if settling || read_exit(&mirror).await?.is_some() {
            return Ok(());
        }
        if mirror.gate().await? == Gate::Started {
            self.end_lost(&mirror, run).await?;
        }
        Ok(())
    }

    async fn fence(&self, run: &RunRef) -> Result<(), SubmitError> {
        self.mirror(run, "fence")?.fence().await?;
        Ok(())
    }

    async fn act(&self, run: &RunRef, action: &JobAction) -> Result<Acted, SubmitError> {
        let mirror = self.mirror(run, "act")?;
        self.act_through(&mirror, run, action).await
    }
}

/// Adds what the launcher noted to what was seen.
pub(crate) async fn observation(
    mirror: &Mirror<'_>,
    state: RunState,
    out: Bytes,
    err: Bytes,
) -> Result<Observation, SubmitError> {
    let ids = mirror.read("ids").await?.unwrap_or_default();
    let sighting = match mirror.read("sighting").await? {
        Some(text) => Some(parsed(&text, "sighting")?),
        None => None,
    };
    Ok(answer::seen(state, &ids, out, err, sighting))
}

pub(crate) fn bootstrap_run(run: &RunRef) -> BootstrapRun {
    BootstrapRun {
        deployment: run.deployment.clone(),
        attempt: run.attempt,
    }
}
