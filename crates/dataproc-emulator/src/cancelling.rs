//! Cutting operations off: what each kind then leaves.

use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use crate::failure::{ApiFailure, Code};
use crate::jobs::JobKey;
use crate::lifecycle::Left;
use crate::operations::OperationKind;
use crate::service::{ClusterKey, Service, State};

impl Service {
    /// Cuts an operation off; `false` when there is none of that name. An ended one is left as it is.
    pub(crate) fn cancel_operation(self: &Arc<Self>, name: &str) -> Result<bool, ApiFailure> {
        let mut state = self.lock();
        let (kind, key) = match state.operations.get(name) {
            None => return Ok(false),
            Some(operation) if operation.end.is_some() => return Ok(true),
            Some(operation) => {
                let mut parts = name.split('/').skip(1).step_by(2);
                let (project, region) = (parts.next(), parts.next());
                let key = ClusterKey::new(
                    project.unwrap_or_default(),
                    region.unwrap_or_default(),
                    &operation.cluster_name,
                );
                (operation.kind, key)
            }
        };
        match kind {
            OperationKind::Create => {}
            OperationKind::Update => {
                self.cancel_update(state, &key, name);
                return Ok(true);
            }
            OperationKind::SubmitJob => {
                let job = state.operations.get(name);
                let job = job.and_then(|operation| operation.metadata.as_ref());
                let id = job
                    .and_then(|job| job["jobId"].as_str())
                    .unwrap_or_default();
                let job = JobKey::new(&key.project, &key.region, id);
                drop(state);
                return self.cancel_job(&job).map(|_| true);
            }
            // Asking is all that the service promises: these end by themselves, the last two by their cancel bell.
            OperationKind::Delete | OperationKind::Stop | OperationKind::Start => return Ok(true),
            OperationKind::Diagnose | OperationKind::Workflow => {
                if let Some(operation) = state.operations.get(name) {
                    operation.cancel.notify_one();
                }
                return Ok(true);
            }
        }
        let now = self.clock.now();
        if let Some(record) = state.clusters.get_mut(&key)
            && let Some((_, work)) = record.work.take()
        {
            work.abort();
            record.enter("ERROR", Some("Operation was cancelled"), now);
        }
        let end = (Code::Cancelled, "Operation was cancelled".to_owned());
        state.end(name, Err(end), now);
        drop(state);
        self.changed.notify_waiters();
        Ok(true)
    }

    /// Cuts a change off and brings the machines back to what they were.
    ///
    /// Cancelling a graceful decommission is documented so; that other changes are undone too is a guess.
    fn cancel_update(
        self: &Arc<Self>,
        mut state: MutexGuard<'_, State>,
        key: &ClusterKey,
        operation: &str,
    ) {
        let now = self.clock.now();
        let end = (Code::Cancelled, "Operation was cancelled".to_owned());
        state.end(operation, Err(end), now);
        if let Some(record) = state.clusters.get_mut(key)
            && let Some((of, before)) = record.work.take()
        {
            before.abort();
            let (service, key, facts) = (Arc::clone(self), key.clone(), record.facts.clone());
            let name = of.clone();
            let work = tokio::spawn(async move {
                // Ended one way or the other; the runtime may now be called again.
                before.await.ok();
                let back = service.runtime.scale(&facts, Duration::ZERO).await;
                service.settle(&key, &name, back.map(Left::Running)).await;
            });
            record.work = Some((of, work));
        }
        drop(state);
        self.changed.notify_waiters();
    }
}
