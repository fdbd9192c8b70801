//! What happens by itself: idle and old clusters are deleted, and keys expire.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::clock::real_sleep;
use crate::schema::duration_millis;
use crate::service::{ClusterKey, ClusterRecord, Service};

/// How often a runtime is asked whether a cluster is busy, in real time.
const IDLE_PROBE: Duration = Duration::from_secs(1);
/// The property that keeps YARN applications from counting as work.
const CONSIDER_YARN: &str = "dataproc:dataproc.cluster-ttl.consider-yarn-activity";

/// Watches the timers until the task is ended.
pub(crate) async fn watch(service: Arc<Service>) {
    loop {
        let changed = service.changed.notified();
        let (next, probes) = service.next_deadline();
        tokio::select! {
            () = changed => {}
            () = sleep_until(&service, next) => {}
            () = real_sleep(IDLE_PROBE), if probes => {}
        }
        service.sweep().await;
    }
}

async fn sleep_until(service: &Service, next: Option<Timestamp>) {
    match next {
        Some(next) => service.clock.sleep_until(next).await,
        None => std::future::pending().await,
    }
}

impl Service {
    /// Moves the clock on, with a look at the timers before and after.
    pub(crate) async fn advance(self: &Arc<Self>, span: Duration) {
        self.sweep().await;
        self.clock.advance(span);
        self.sweep().await;
    }

    /// The next time that a timer may strike, and whether an idle timer runs.
    fn next_deadline(&self) -> (Option<Timestamp>, bool) {
        let now = self.clock.now();
        let state = self.lock();
        let no_project = crate::machines::Metadata::default();
        let mut next = None;
        let mut earlier = |time: Option<Timestamp>| {
            if let Some(time) = time.filter(|time| *time > now) {
                next = Some(next.map_or(time, |old: Timestamp| old.min(time)));
            }
        };
        let mut probes = false;
        for (key, record) in &state.clusters {
            let project = state.projects.get(&key.project).unwrap_or(&no_project);
            earlier(old_at(record));
            earlier(idle_at(record));
            probes |= record.state() == "RUNNING" && idle_ttl(record).is_some();
            for machine in &record.machines {
                earlier(machine.next_expiry(project, now));
            }
        }
        earlier(state.logins.next_expiry(now));
        (next, probes)
    }

    /// Looks at every timer once.
    pub(crate) async fn sweep(self: &Arc<Self>) {
        let _one_at_a_time = self.timers.lock().await;
        let watched: Vec<_> = {
            let state = self.lock();
            let idle =
                |record: &&ClusterRecord| record.state() == "RUNNING" && idle_ttl(record).is_some();
            let facts = |record: &ClusterRecord| record.facts.clone();
            state.clusters.values().filter(idle).map(facts).collect()
        };
        for facts in watched {
            let counts = facts
                .properties
                .get(CONSIDER_YARN)
                .is_none_or(|v| v != "false");
            let runs_jobs = self.lock().jobs.is_busy(&facts.uuid);
            let busy = runs_jobs || counts && self.runtime.is_busy(&facts).await;
            let key = ClusterKey::new(&facts.project, &facts.region, &facts.name);
            let now = self.clock.now();
            let mut state = self.lock();
            let Some(record) = state.clusters.get_mut(&key) else {
                continue;
            };
            if record.facts.uuid == facts.uuid {
                note_idle(record, busy, now);
            }
        }
        let now = self.clock.now();
        let due: Vec<(ClusterKey, String)> = {
            let state = self.lock();
            let is_due = |record: &ClusterRecord| {
                let times = [old_at(record), idle_at(record)];
                record.state() != "DELETING" && times.into_iter().flatten().any(|at| at <= now)
            };
            let clusters = state.clusters.iter();
            clusters
                .filter(|(_, record)| is_due(record))
                .map(|(key, record)| (key.clone(), record.facts.uuid.clone()))
                .collect()
        };
        for (key, uuid) in due {
            if let Err(failure) = self.delete(&key, &uuid, "") {
                tracing::debug!(
                    cluster = key.name,
                    message = failure.message,
                    "not deleted by its timer"
                );
            }
        }
        self.admit_keys().await;
    }
}

fn note_idle(record: &mut ClusterRecord, busy: bool, now: Timestamp) {
    if busy == record.idle_since.is_none() {
        return;
    }
    record.idle_since = (!busy).then_some(now);
    let lifecycle = &mut record.resource_mut()["config"]["lifecycleConfig"];
    match lifecycle.as_object_mut() {
        Some(fields) if busy => {
            fields.remove("idleStartTime");
        }
        _ => lifecycle["idleStartTime"] = json!(now.to_string()),
    }
}

fn lifecycle<'a>(record: &'a ClusterRecord, key: &str) -> Option<&'a str> {
    record.resource()["config"]["lifecycleConfig"]
        .get(key)
        .and_then(Value::as_str)
}

fn ttl(record: &ClusterRecord, key: &str) -> Option<Duration> {
    let millis = duration_millis(lifecycle(record, key)?)?;
    Some(Duration::from_millis(u64::try_from(millis).ok()?))
}

fn idle_ttl(record: &ClusterRecord) -> Option<Duration> {
    ttl(record, "idleDeleteTtl")
}

/// When the cluster's age ends it.
fn old_at(record: &ClusterRecord) -> Option<Timestamp> {
    match ttl(record, "autoDeleteTtl") {
        Some(ttl) => record.age_from.checked_add(ttl).ok(),
        None => lifecycle(record, "autoDeleteTime")?.parse().ok(),
    }
}

/// When the cluster's idleness ends it, if it goes on.
fn idle_at(record: &ClusterRecord) -> Option<Timestamp> {
    record.idle_since?.checked_add(idle_ttl(record)?).ok()
}
