//! The autoscaler at work: looks at the clusters that have a policy, and changes their sizes when a period ends.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::autoscaler::{Period, Sizes, recommend};
use crate::failure::{ApiFailure, Code};
use crate::runtime::{ClusterFacts, YarnMemory};
use crate::service::{ClusterKey, ClusterRecord, Service, State};

/// How long a look at one cluster may take, in real time.
const LOOK: Duration = Duration::from_secs(5);

impl State {
    /// Refuses a policy that is not there.
    pub(crate) fn known_policy(&self, cluster: &ClusterKey, id: &str) -> Result<(), ApiFailure> {
        let ClusterKey {
            project, region, ..
        } = cluster;
        if self
            .policies
            .contains_key(&ClusterKey::new(project, region, id))
        {
            return Ok(());
        }
        Err(ApiFailure::new(
            Code::NotFound,
            format!(
                "Resource not found: autoscaling policy 'projects/{project}/regions/{region}/autoscalingPolicies/{id}'"
            ),
        ))
    }

    /// When a cluster's present period ends.
    pub(crate) fn period_end(&self, key: &ClusterKey, record: &ClusterRecord) -> Option<Timestamp> {
        let policy = ClusterKey::new(&key.project, &key.region, record.policy()?);
        let policy = self.policies.get(&policy)?;
        record.scaling.as_ref()?.end(policy.spec.cooldown)
    }

    /// Takes a sight of a cluster in; at the end of a period, tells what sizes it should have instead.
    fn see(
        &mut self,
        key: &ClusterKey,
        facts: &ClusterFacts,
        seen: Option<YarnMemory>,
        now: Timestamp,
    ) -> Option<(Sizes, Duration)> {
        let record = self.clusters.get_mut(key)?;
        if record.facts.uuid != facts.uuid || record.state() != "RUNNING" {
            return None;
        }
        let id = record.policy().map(str::to_owned);
        let policy = id.map(|id| ClusterKey::new(&key.project, &key.region, &id));
        let policy = policy.and_then(|policy| self.policies.get(&policy));
        let (Some(policy), Some(seen)) = (policy, seen) else {
            record.scaling = None;
            return None;
        };
        let Some(period) = &mut record.scaling else {
            record.scaling = Some(Period::new(now, seen));
            return None;
        };
        period.see(now, seen);
        if period.end(policy.spec.cooldown).is_none_or(|end| end > now) {
            return None;
        }
        let average = period.average();
        record.scaling = Some(Period::new(now, seen));
        let present = Sizes {
            workers: record.facts.workers,
            secondary: record.facts.secondary_workers,
        };
        let wanted = recommend(&policy.spec, present, average?);
        (wanted != present).then_some((wanted, policy.spec.graceful))
    }
}

impl Service {
    /// Looks once at every cluster that has an autoscaling policy.
    pub(crate) async fn look_at_loads(self: &Arc<Self>) {
        let watched: Vec<(ClusterKey, ClusterFacts)> = {
            let mut state = self.lock();
            let mut watched = Vec::new();
            for (key, record) in &mut state.clusters {
                if record.policy().is_none() || record.state() != "RUNNING" {
                    // A new period begins when it runs again.
                    record.scaling = None;
                } else {
                    watched.push((key.clone(), record.facts.clone()));
                }
            }
            watched
        };
        for (key, facts) in watched {
            // A YARN that does not answer tells nothing and must not stop the timers of others.
            let look = tokio::time::timeout(LOOK, self.runtime.yarn_memory(&facts));
            let seen = look.await.ok().flatten();
            let now = self.clock.now();
            let wanted = self.lock().see(&key, &facts, seen, now);
            let Some((sizes, graceful)) = wanted else {
                continue;
            };
            tracing::info!(
                cluster = key.name,
                ?sizes,
                "the autoscaler changes a cluster"
            );
            if let Err(failure) = self.autoscale(&key, &facts.uuid, sizes, graceful) {
                let message = failure.message;
                tracing::debug!(cluster = key.name, message, "not scaled by its policy");
            }
        }
    }
}
