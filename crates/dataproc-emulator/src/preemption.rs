//! Machines and clusters that go wrong by themselves: preempted secondary workers, clusters in the state `ERROR`.

use std::sync::Arc;

use serde_json::Value;

use crate::failure::{ApiFailure, Code};
use crate::lifecycle::take_machines;
use crate::runtime::{ClusterFacts, RuntimeError};
use crate::service::{ClusterKey, Service};

impl Service {
    /// Takes a secondary worker away as Compute Engine does, whichever running cluster has it.
    ///
    /// The number of instances that the cluster asks for stays, its list of instances gets shorter: the real service makes
    /// another machine when there is one to be had, this one when the cluster is scaled.
    pub(crate) async fn preempt(self: &Arc<Self>, machine: &str) -> Result<(), ApiFailure> {
        let (key, facts) = self.secondary_worker(machine)?;
        let left = self.runtime.preempt(&facts, machine).await;
        let left = left.map_err(|error| match error {
            RuntimeError::NotEmulated { what } => ApiFailure::not_emulated(what),
            other => ApiFailure::new(Code::Internal, other.to_string()),
        })?;
        if let Some(record) = self.lock().clusters.get_mut(&key)
            && record.facts.uuid == facts.uuid
        {
            take_machines(record, left);
            let names =
                &mut record.resource_mut()["config"]["secondaryWorkerConfig"]["instanceNames"];
            if let Some(names) = names.as_array_mut() {
                names.retain(|name| *name != machine);
            }
        }
        self.admit_keys().await;
        self.changed.notify_waiters();
        Ok(())
    }

    fn secondary_worker(&self, machine: &str) -> Result<(ClusterKey, ClusterFacts), ApiFailure> {
        let state = self.lock();
        let found = state.clusters.iter().find(|(_, record)| {
            let names = &record.resource()["config"]["secondaryWorkerConfig"]["instanceNames"];
            let has = names.as_array().is_some_and(|names| {
                let own = |name: &Value| *name == machine;
                names.iter().any(own)
            });
            has && record.state() == "RUNNING"
        });
        let Some((key, record)) = found else {
            return Err(ApiFailure::new(
                Code::NotFound,
                format!("No running cluster has a secondary worker '{machine}'"),
            ));
        };
        Ok((key.clone(), record.facts.clone()))
    }

    /// Lets a cluster enter the state `ERROR`, unless something is being done to it.
    pub(crate) fn fail_cluster(&self, key: &ClusterKey, detail: &str) {
        let now = self.clock.now();
        let mut state = self.lock();
        if let Some(record) = state.clusters.get_mut(key)
            && record.work.is_none()
        {
            record.enter("ERROR", Some(detail), now);
        }
        drop(state);
        self.changed.notify_waiters();
    }
}
