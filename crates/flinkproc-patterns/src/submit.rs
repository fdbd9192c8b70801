//! The step [`Step::Submit`](crate::Step::Submit): the launcher gets the job, at most once for each attempt.

use std::sync::Arc;
use std::time::Duration;

use flinkproc_core::{Attempt, Explain, RetryHint};
use flinkproc_submit::{RunRef, SubmitError};
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::error::RunError;
use crate::events::EventKind;
use crate::run::Run;
use crate::site::Site;
use crate::step::{Intent, Output};

/// How often a broken connection is opened again until a call over it counts as failed.
const RECONNECTS: u32 = 20;

impl Run {
    /// Hands the job over as the current attempt, or as the first one.
    pub(crate) async fn submit(self: &Arc<Self>) -> Result<(), RunError> {
        let current = self.look(|progress| progress.runs.last().cloned());
        let attempt = match current {
            Some(run) if run.fenced => run.attempt.next(),
            Some(run) if run.submitted => return Ok(()),
            Some(run) => run.attempt,
            None => Attempt::FIRST,
        };
        self.submit_as(attempt).await
    }

    /// Hands the job over as this attempt. Doing it again finds the first one.
    pub(crate) async fn submit_as(self: &Arc<Self>, attempt: Attempt) -> Result<(), RunError> {
        self.started(Intent::Submit { attempt }).await?;
        let run = Arc::clone(self);
        self.act(async move {
            let this = run.run_ref(attempt);
            let job = run.job();
            run.over_connection(move |site| {
                let (this, job) = (this.clone(), job.clone());
                async move { site.method.submit(&this, &job).await }.boxed()
            })
            .await?;
            run.done(Output::Submit { attempt }).await
        })
        .await?;
        self.emit(EventKind::Submitted { attempt });
        Ok(())
    }

    /// One attempt of this deployment, as the launcher knows it.
    pub(crate) fn run_ref(&self, attempt: Attempt) -> RunRef {
        RunRef {
            deployment: self.plan.deployment.clone(),
            attempt,
        }
    }

    /// Makes an idempotent call over the connection to the master; when that breaks, it is opened again and the call repeated.
    ///
    /// Submission may be repeated here although its answer may have been lost: the launcher's lock lets an attempt start once.
    pub(crate) async fn over_connection<T>(
        self: &Arc<Self>,
        call: impl Fn(Arc<Site>) -> BoxFuture<'static, Result<T, SubmitError>>,
    ) -> Result<T, RunError> {
        let mut pause = Duration::from_millis(50);
        for _ in 0..RECONNECTS {
            let site = self.site().await?;
            match call(site).await {
                Ok(value) => return Ok(value),
                Err(error) if error.retry() == RetryHint::Never || self.is_closing() => {
                    return Err(error.into());
                }
                Err(error) => self.disconnected(&error).await,
            }
            self.sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(3));
        }
        let site = self.site().await?;
        Ok(call(site).await?)
    }
}
