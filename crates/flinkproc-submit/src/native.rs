//! The native method: Dataproc runs Flink's client itself. An experiment, outside the launcher's promises.

use async_trait::async_trait;
use bytes::Bytes;
use flinkproc_core::Span;
use flinkproc_dataproc::{Job, JobState};
use flinkproc_flink_cli::{application_ids, job_ids};
use flinkproc_plan::JobPlan;
use flinkproc_staging::StagingError;
use jiff::Timestamp;

use crate::dataproc_job::{DataprocJobMethod, ended_at};
use crate::error::SubmitError;
use crate::hadoop::Hadoop;
use crate::method::{
    Acted, JobAction, LauncherExit, Observation, Offsets, RunRef, RunState, SubmissionMethod,
};
use crate::mirror::{Gate, Mirror};
use crate::native_job;
use crate::place::{DataprocPlace, TERMINATED, job_id, read_exit};

/// Flink's client tells its ids early; so far they are looked for.
const HEAD: u64 = 256 << 10;
/// So much of the driver's output is read at once.
const PIECE: u64 = 1 << 20;

/// Which of Dataproc's two job types runs the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NativeKind {
    /// `flinkJob` with Flink's `PythonDriver` as its main class: public, documented for Java.
    Flink,
    /// `pyflinkJob`: known from gcloud's hidden `jobs submit pyflink`; no public definition has it.
    PyFlink,
}

impl NativeKind {
    /// The name of the method that uses it.
    #[must_use]
    pub const fn method(self) -> &'static str {
        match self {
            Self::Flink => "native",
            Self::PyFlink => "native-pyflink",
        }
    }

    /// The kind that a method of this name uses.
    #[must_use]
    pub fn of_method(name: &str) -> Option<Self> {
        [Self::Flink, Self::PyFlink]
            .into_iter()
            .find(|kind| kind.method() == name)
    }
}

/// Hands a job to Dataproc, which runs `flink` itself.
///
/// An attempt is submitted under one Dataproc job id, so that it starts once, and a fenced one never. Beyond that nothing of
/// the launcher is there: the exit status is 0 or 1 after Dataproc's own word, output is the driver's, both streams in one,
/// and in application mode it ends at submission. Arguments pass through Flink's parsers; those that would not arrive are
/// refused, by the model of these parsers.
///
/// Not confirmed on the real service: that it runs PyFlink at all; that the images have `opt/flink-python*.jar`; that
/// `gs://` works in `python.files`; what happens on image 3.0, where Flink has no per-job mode; that cancelling reaches YARN.
#[derive(Debug)]
pub struct NativeMethod {
    kind: NativeKind,
    /// For actions: Flink's client is run by our own scripts then.
    actions: DataprocJobMethod<Hadoop>,
}

impl NativeMethod {
    /// Hands jobs over as jobs of this type.
    #[must_use]
    pub fn new(kind: NativeKind, place: DataprocPlace) -> Self {
        Self {
            kind,
            actions: DataprocJobMethod::new(Hadoop, place),
        }
    }

    fn place(&self) -> &DataprocPlace {
        &self.actions.place
    }

    /// The driver's output from an offset on; Dataproc writes it as numbered objects.
    async fn output(
        &self,
        mirror: &Mirror<'_>,
        job: &Job,
        from: u64,
        length: u64,
    ) -> Result<Bytes, SubmitError> {
        let prefix = job
            .driver_output
            .as_deref()
            .and_then(|uri| uri.parse().ok());
        let Some(prefix) = prefix else {
            return Ok(Bytes::new());
        };
        let failed = |source| {
            let action = mirror.action;
            SubmitError::Mirror { action, source }
        };
        let mut start = 0;
        for piece in self.place().staging.list(&prefix).await.map_err(failed)? {
            let number = piece.uri.object().strip_prefix(prefix.object());
            let is_piece = number.and_then(|text| text.strip_prefix('.'));
            if !is_piece.is_some_and(|text| text.bytes().all(|b| b.is_ascii_digit())) {
                continue;
            }
            if from < start + piece.size {
                let read = self
                    .place()
                    .staging
                    .read_range(&piece.uri, from - start, length);
                return match read.await {
                    // It was replaced by a longer one between the two calls.
                    Err(StagingError::NotFound { .. }) => Ok(Bytes::new()),
                    read => read.map_err(failed),
                };
            }
            start += piece.size;
        }
        Ok(Bytes::new())
    }
}

/// What Dataproc says of a job's end.
fn ended(job: &Job) -> LauncherExit {
    LauncherExit {
        status: match job.state {
            JobState::Done => 0,
            JobState::Cancelled => TERMINATED,
            _ => 1,
        },
        phase: "flink".to_owned(),
        cancelled: job.state == JobState::Cancelled,
        at: ended_at(job).map_or(0, Timestamp::as_second),
    }
}

#[async_trait]
impl SubmissionMethod for NativeMethod {
    fn name(&self) -> &str {
        self.kind.method()
    }

    async fn submit(&self, run: &RunRef, job: &JobPlan) -> Result<(), SubmitError> {
        let mirror = self.place().mirror(run, "start")?;
        let resource = native_job::resource(self.kind, job, &run.tag())?;
        if !self
            .place()
            .admit(&mirror, run, &self.place().mirrored(run, job)?)
            .await?
            && mirror.gate().await? == Gate::Fenced
        {
            return Ok(());
        }
        // Nobody on the cluster takes the gate: it is ours, and the job's id sees to it that the job is there once.
        if !mirror.put("gate", "started").await? {
            return Err(SubmitError::Fenced { tag: run.tag() });
        }
        let id = job_id(run, "")?;
        self.place().submit("start", run, &id, resource).await?;
        if mirror.read("cancel").await?.is_some() {
            self.place().cancel("start", &id).await?;
        }
        Ok(())
    }

    async fn observe(
        &self,
        run: &RunRef,
        from: Offsets,
        patience: Span,
    ) -> Result<Observation, SubmitError> {
        let mirror = self.place().mirror(run, "observe")?;
        let id = job_id(run, "")?;
        let clock = &self.place().clock;
        let begin = clock.now();
        loop {
            let Some(job) = self.place().find("observe", &id).await? else {
                let state = match (read_exit(&mirror).await?, mirror.gate().await?) {
                    (Some(exit), _) => RunState::Ended(exit),
                    (None, Gate::Started) => RunState::Lost,
                    (None, _) => RunState::Absent,
                };
                return Ok(Observation {
                    state,
                    application: None,
                    jobs: Vec::new(),
                    out: Bytes::new(),
                    err: Bytes::new(),
                    sighting: None,
                });
            };
            let out = self.output(&mirror, &job, from.out, PIECE).await?;
            let over = job.state.is_terminal();
            let waited = clock.now().duration_since(begin).unsigned_abs();
            if out.is_empty() && !over && waited < patience.as_duration() {
                let rest = patience.as_duration() - waited;
                clock.sleep(self.actions.pause.min(rest)).await;
                continue;
            }
            let head = match from.out {
                0 => out.clone(),
                _ => self.output(&mirror, &job, 0, HEAD).await?,
            };
            let said = [head, out.clone()].concat();
            return Ok(Observation {
                state: if over {
                    RunState::Ended(ended(&job))
                } else {
                    RunState::Running
                },
                application: application_ids(&said).pop(),
                jobs: job_ids(&said),
                out,
                err: Bytes::new(),
                sighting: None,
            });
        }
    }

    async fn cancel(&self, run: &RunRef) -> Result<(), SubmitError> {
        let mirror = self.place().mirror(run, "cancel")?;
        mirror.put("cancel", "cancel").await?;
        self.place().cancel("cancel", &job_id(run, "")?).await?;
        Ok(())
    }

    async fn fence(&self, run: &RunRef) -> Result<(), SubmitError> {
        self.place().mirror(run, "fence")?.fence().await?;
        Ok(())
    }

    async fn act(&self, run: &RunRef, action: &JobAction) -> Result<Acted, SubmitError> {
        self.actions.act(run, action).await
    }
}

#[cfg(test)]
mod tests;
