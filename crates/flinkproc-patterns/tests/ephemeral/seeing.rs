//! The shapes of the world, and a launcher in memory that looks at YARN and Flink.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use flinkproc_core::{Faulty, Span};
use flinkproc_plan::JobPlan;
use flinkproc_rest::{FlinkApi, MemoryFlink, MemoryYarn, YarnApi};
use flinkproc_submit::{
    Acted, InMemoryMethod, JobAction, Observation, Offsets, RunRef, RunState, SeenApplication,
    Sighting, SubmissionMethod, SubmitError,
};

/// What kind of deployment a world is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Nobody enters the master.
    pub(crate) unseen: bool,
    /// The job goes into a session that is there already.
    pub(crate) session: bool,
    /// The job brings its Python along.
    pub(crate) environment: bool,
}

impl Shape {
    pub(crate) const ENTERED: Self = Self {
        unseen: false,
        session: false,
        environment: false,
    };
    pub(crate) const UNSEEN: Self = Self {
        unseen: true,
        ..Self::ENTERED
    };
    pub(crate) const SESSION: Self = Self {
        session: true,
        ..Self::ENTERED
    };
    pub(crate) const ALL: [Self; 5] = [
        Self::ENTERED,
        Self::UNSEEN,
        Self::SESSION,
        Self {
            unseen: true,
            session: true,
            environment: true,
        },
        Self {
            environment: true,
            ..Self::ENTERED
        },
    ];
}

/// The master in memory, with what its launcher would see of YARN and Flink where nobody else looks.
#[derive(Debug)]
pub(crate) struct Seeing {
    pub(crate) inner: Arc<Faulty<InMemoryMethod>>,
    pub(crate) yarn: Arc<MemoryYarn>,
    pub(crate) flink: Arc<MemoryFlink>,
    pub(crate) acts: Arc<Mutex<Vec<JobAction>>>,
    pub(crate) unseen: bool,
}

#[async_trait]
impl SubmissionMethod for Seeing {
    fn name(&self) -> &str {
        self.inner.name()
    }

    async fn submit(&self, run: &RunRef, job: &JobPlan) -> Result<(), SubmitError> {
        self.inner.submit(run, job).await
    }

    async fn observe(
        &self,
        run: &RunRef,
        from: Offsets,
        patience: Span,
    ) -> Result<Observation, SubmitError> {
        let mut seen = self.inner.observe(run, from, patience).await?;
        if self.unseen && seen.state != RunState::Absent {
            let applications = self.yarn.applications(None).await.expect("told");
            let jobs = self.flink.jobs().await.expect("told");
            let text = |value: serde_json::Value| value.as_str().expect("text").to_owned();
            seen.sighting = Some(Sighting {
                applications: applications
                    .into_iter()
                    .map(|one| SeenApplication {
                        id: one.id,
                        state: text(serde_json::json!(one.state)),
                        final_status: text(serde_json::json!(one.final_status)),
                        diagnostics: one.diagnostics,
                    })
                    .collect(),
                jobs: jobs
                    .into_iter()
                    .map(|job| (job.id, text(serde_json::json!(job.state))))
                    .collect(),
                at: 0,
            });
        }
        Ok(seen)
    }

    async fn cancel(&self, run: &RunRef) -> Result<(), SubmitError> {
        self.inner.cancel(run).await
    }

    async fn fence(&self, run: &RunRef) -> Result<(), SubmitError> {
        self.inner.fence(run).await
    }

    async fn act(&self, run: &RunRef, action: &JobAction) -> Result<Acted, SubmitError> {
        self.acts.lock().expect("whole").push(action.clone());
        let JobAction::Cancel { job: Some(id) } = action else {
            return self.inner.act(run, action).await;
        };
        let cancelled = self.flink.cancel(id).await;
        Ok(Acted {
            status: u8::from(cancelled.is_err()),
            savepoint: None,
            said: bytes::Bytes::new(),
        })
    }
}
