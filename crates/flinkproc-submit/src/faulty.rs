//! A submission method whose chosen calls fail: as if the connection had broken.

use async_trait::async_trait;
use flinkproc_core::{Fault, Faulty, Span};
use flinkproc_plan::JobPlan;
use flinkproc_ssh::ShellError;

use crate::error::SubmitError;
use crate::method::{Acted, JobAction, Observation, Offsets, RunRef, SubmissionMethod};

fn before(action: &'static str) -> SubmitError {
    let source = ShellError::NotStarted {
        source: "injected".into(),
    };
    SubmitError::Shell { action, source }
}

fn lost(action: &'static str) -> SubmitError {
    let source = ShellError::OutcomeUnknown {
        source: "injected".into(),
    };
    SubmitError::Shell { action, source }
}

/// Counts `submit`, `observe`, `cancel`, `fence` and `act`.
#[async_trait]
impl<T: SubmissionMethod> SubmissionMethod for Faulty<T> {
    fn name(&self) -> &str {
        self.inner().name()
    }

    async fn submit(&self, run: &RunRef, job: &JobPlan) -> Result<(), SubmitError> {
        match self.strike("submit") {
            None => self.inner().submit(run, job).await,
            Some(Fault::Before) => Err(before("start")),
            Some(Fault::AnswerLost) => {
                self.inner().submit(run, job).await?;
                Err(lost("start"))
            }
        }
    }

    async fn observe(
        &self,
        run: &RunRef,
        from: Offsets,
        patience: Span,
    ) -> Result<Observation, SubmitError> {
        match self.strike("observe") {
            None => self.inner().observe(run, from, patience).await,
            Some(Fault::Before) => Err(before("observe")),
            Some(Fault::AnswerLost) => {
                self.inner().observe(run, from, patience).await?;
                Err(lost("observe"))
            }
        }
    }

    async fn cancel(&self, run: &RunRef) -> Result<(), SubmitError> {
        match self.strike("cancel") {
            None => self.inner().cancel(run).await,
            Some(Fault::Before) => Err(before("cancel")),
            Some(Fault::AnswerLost) => {
                self.inner().cancel(run).await?;
                Err(lost("cancel"))
            }
        }
    }

    async fn fence(&self, run: &RunRef) -> Result<(), SubmitError> {
        match self.strike("fence") {
            None => self.inner().fence(run).await,
            Some(Fault::Before) => Err(before("fence")),
            Some(Fault::AnswerLost) => {
                self.inner().fence(run).await?;
                Err(lost("fence"))
            }
        }
    }

    async fn act(&self, run: &RunRef, action: &JobAction) -> Result<Acted, SubmitError> {
        match self.strike("act") {
            None => self.inner().act(run, action).await,
            Some(Fault::Before) => Err(before("act")),
            Some(Fault::AnswerLost) => {
                self.inner().act(run, action).await?;
                Err(lost("act"))
            }
        }
    }
}
