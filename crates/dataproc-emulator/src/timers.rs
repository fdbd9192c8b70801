//! What happens by itself: idle and old clusters are deleted or stopped, loads are looked at, and keys expire.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::clock::real_sleep;
use crate::operations::OperationKind;
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

    /// The next time that a timer may strike, and whether a cluster has to be looked at meanwhile.
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
            for end in [End::Delete, End::Stop] {
                earlier(old_at(record, end));
                earlier(idle_at(record, end));
            }
            earlier(state.period_end(key, record));
            let watched = record.policy().is_some() || has_idle_ttl(record);
            probes |= record.state() == "RUNNING" && watched;
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
                |record: &&ClusterRecord| record.state() == "RUNNING" && has_idle_ttl(record);
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
        self.look_at_loads().await;
        let now = self.clock.now();
        let due: Vec<(ClusterKey, String, End)> = {
            let state = self.lock();
            let is_due = |record: &ClusterRecord, end| {
                let times = [old_at(record, end), idle_at(record, end)];
                times.into_iter().flatten().any(|at| at <= now)
            };
            let end_of = |record: &ClusterRecord| match record.state() {
                "DELETING" => None,
                _ if is_due(record, End::Delete) => Some(End::Delete),
                "RUNNING" if is_due(record, End::Stop) => Some(End::Stop),
                _ => None,
            };
            let clusters = state.clusters.iter();
            let due = |(key, record): (&ClusterKey, &ClusterRecord)| {
                Some((key.clone(), record.facts.uuid.clone(), end_of(record)?))
            };
            clusters.filter_map(due).collect()
        };
        for (key, uuid, end) in due {
            let ending = match end {
                End::Delete => self.delete(&key, &uuid, ""),
                End::Stop => self.power(&key, &uuid, "", OperationKind::Stop),
            };
            if let Err(failure) = ending {
                let message = failure.message;
                tracing::debug!(cluster = key.name, message, "not ended by its timer");
            }
        }
        self.admit_keys().await;
    }
}

/// What a timer does to a cluster.
#[derive(Clone, Copy, Debug)]
enum End {
    Delete,
    Stop,
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

fn has_idle_ttl(record: &ClusterRecord) -> bool {
    ttl(record, "idleDeleteTtl").is_some() || ttl(record, "idleStopTtl").is_some()
}

/// When the cluster's age ends it. That an age until a stop counts anew from each start is a guess.
fn old_at(record: &ClusterRecord, end: End) -> Option<Timestamp> {
    let (ttl_key, time_key, from) = match end {
        End::Delete => ("autoDeleteTtl", "autoDeleteTime", record.age_from),
        End::Stop => (
            "autoStopTtl",
            "autoStopTime",
            record.age_from.max(record.started),
        ),
    };
    match ttl(record, ttl_key) {
        Some(ttl) => from.checked_add(ttl).ok(),
        None => lifecycle(record, time_key)?.parse().ok(),
    }
}

/// When the cluster's idleness ends it, if it goes on.
fn idle_at(record: &ClusterRecord, end: End) -> Option<Timestamp> {
    let ttl = match end {
        End::Delete => ttl(record, "idleDeleteTtl"),
        End::Stop => ttl(record, "idleStopTtl"),
    };
    record.idle_since?.checked_add(ttl?).ok()
}
