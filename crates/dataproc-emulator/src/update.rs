//! Changes to a running cluster: which fields may change, and what each change leaves.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::autoscaler::Sizes;
use crate::failure::ApiFailure;
use crate::lifetime::check_lifetime;
use crate::machine_group::fill_groups;
use crate::resource::{
    check_no_orphans, check_policy, checked_labels, checked_secondary, checked_workers, count,
};
use crate::runtime::ClusterFacts;
use crate::schema::{camel, canonical_cluster, duration_millis, snake};
use crate::service::ClusterRecord;

/// The paths that the service lets a client change.
const CHANGEABLE: &[&str] = &[
    "labels",
    "config.worker_config.num_instances",
    "config.secondary_worker_config.num_instances",
    "config.autoscaling_config",
    "config.autoscaling_config.policy_uri",
    "config.lifecycle_config",
    "config.lifecycle_config.idle_delete_ttl",
    "config.lifecycle_config.auto_delete_ttl",
    "config.lifecycle_config.auto_delete_time",
    "config.lifecycle_config.idle_stop_ttl",
    "config.lifecycle_config.auto_stop_ttl",
    "config.lifecycle_config.auto_stop_time",
];

/// Reads `gracefulDecommissionTimeout`: none, or up to a day.
fn graceful_timeout(text: &str) -> Result<Duration, ApiFailure> {
    const DAY: u64 = 24 * 60 * 60 * 1000;
    if text.is_empty() {
        return Ok(Duration::ZERO);
    }
    duration_millis(text)
        .and_then(|millis| u64::try_from(millis).ok())
        .filter(|millis| *millis <= DAY)
        .map(Duration::from_millis)
        .ok_or_else(|| {
            ApiFailure::invalid_field(
                "graceful_decommission_timeout",
                format!("Invalid graceful decommission timeout '{text}': from 0s to 86400s"),
            )
        })
}

/// A checked change.
#[derive(Debug)]
pub(crate) struct Change {
    /// The facts after it.
    pub(crate) facts: ClusterFacts,
    /// Whether machines come or go.
    pub(crate) scales: bool,
    /// How long workers that go may go on with what runs on them.
    pub(crate) graceful: Duration,
    /// The autoscaling policy that the cluster is to have from now on.
    pub(crate) policy: Option<String>,
    resource: Map<String, Value>,
    renews_age: bool,
}

impl Change {
    /// Works out what a request would leave of a cluster; `mask` is a list of paths in either case, with commas.
    pub(crate) fn plan(
        record: &ClusterRecord,
        body: &Value,
        mask: &str,
        graceful: &str,
        now: Timestamp,
    ) -> Result<Self, ApiFailure> {
        let waits = !graceful.is_empty();
        let graceful = graceful_timeout(graceful)?;
        let body = Value::Object(canonical_cluster(body)?);
        let mut resource = record.resource().clone();
        let paths: Vec<String> = mask
            .split(',')
            .map(|path| snake(path.trim()))
            .filter(|path| !path.is_empty())
            .collect();
        if paths.is_empty() {
            return Err(ApiFailure::invalid_field(
                "update_mask",
                "Update mask must not be empty",
            ));
        }
        for path in &paths {
            if !CHANGEABLE.contains(&path.as_str()) {
                return Err(ApiFailure::invalid_field(
                    "update_mask",
                    format!("Invalid update mask: the field '{path}' can not be updated"),
                ));
            }
            copy(&body, &mut resource, path);
        }
        let mut resource = match resource {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        let mut facts = record.facts.clone();
        facts.labels = checked_labels(&resource)?;
        for (key, value) in &record.facts.labels {
            if key.starts_with("goog-dataproc-") {
                facts.labels.insert(key.clone(), value.clone());
            }
        }
        resource.insert("labels".to_owned(), json!(facts.labels));
        let renews_age = paths.iter().any(|path| path.contains("lifecycle"));
        if waits && !paths.iter().any(|path| path.ends_with("num_instances")) {
            return Err(ApiFailure::invalid_field(
                "graceful_decommission_timeout",
                "A graceful decommission timeout needs a change of the number of workers",
            ));
        }
        let mut policy = None;
        if let Some(config) = resource.get_mut("config").and_then(Value::as_object_mut) {
            if renews_age {
                check_lifetime(config.get("lifecycleConfig"), now)?;
            }
            policy = check_policy(config, &facts)?;
        }
        let config = resource.get("config").and_then(Value::as_object);
        let asked = |group| config.and_then(|config| count(config, group));
        let (workers, secondary) = (asked("workerConfig"), asked("secondaryWorkerConfig"));
        let had_none = record.facts.workers == 0;
        facts.workers = checked_workers(workers.or(had_none.then_some(0)), had_none)?;
        facts.secondary_workers = checked_secondary(secondary)?;
        check_no_orphans(&facts)?;
        fill_groups(&mut resource, &facts);
        facts.resource = Value::Object(resource.clone());
        let counts = |facts: &ClusterFacts| (facts.workers, facts.secondary_workers);
        Ok(Self {
            graceful,
            scales: counts(&facts) != counts(&record.facts),
            policy,
            renews_age,
            facts,
            resource,
        })
    }

    /// A change of nothing but the numbers of workers.
    pub(crate) fn to_sizes(record: &ClusterRecord, sizes: Sizes, graceful: Duration) -> Self {
        let mut facts = record.facts.clone();
        facts.workers = sizes.workers;
        facts.secondary_workers = sizes.secondary;
        let mut resource = match record.resource() {
            Value::Object(fields) => fields.clone(),
            _ => Map::new(),
        };
        fill_groups(&mut resource, &facts);
        facts.resource = Value::Object(resource.clone());
        Self {
            facts,
            scales: true,
            graceful,
            policy: record.policy().map(str::to_owned),
            resource,
            renews_age: false,
        }
    }

    /// What it is to an operation.
    pub(crate) fn description(&self) -> String {
        let ClusterFacts {
            workers,
            secondary_workers,
            ..
        } = self.facts;
        format!("Update cluster to {workers} workers and {secondary_workers} secondary workers")
    }

    /// Brings the change into the record; the status there stays.
    pub(crate) fn apply(self, record: &mut ClusterRecord, now: Timestamp) {
        let mut resource = self.resource;
        for kept in ["status", "statusHistory"] {
            if let Some(value) = record.resource().get(kept) {
                resource.insert(kept.to_owned(), value.clone());
            }
        }
        *record.resource_mut() = Value::Object(resource);
        record.facts = self.facts;
        if self.renews_age {
            record.age_from = now;
        }
    }
}

/// Copies the value at a snake-case path, or takes it away where `from` has none.
fn copy(from: &Value, to: &mut Value, path: &str) {
    let keys: Vec<String> = path.split('.').map(camel).collect();
    let found = keys.iter().try_fold(from, |value, key| value.get(key));
    let Some((last, parents)) = keys.split_last() else {
        return;
    };
    let mut place = to;
    for key in parents {
        let Some(fields) = place.as_object_mut() else {
            return;
        };
        place = fields.entry(key.as_str()).or_insert_with(|| json!({}));
    }
    let Some(fields) = place.as_object_mut() else {
        return;
    };
    match found {
        Some(value) => fields.insert(last.clone(), value.clone()),
        // Protobuf leaves a zero out of JSON.
        None if last == "numInstances" => fields.insert(last.clone(), json!(0)),
        None => fields.remove(last),
    };
    let other = match last.as_str() {
        "autoDeleteTtl" => "autoDeleteTime",
        "autoDeleteTime" => "autoDeleteTtl",
        "autoStopTtl" => "autoStopTime",
        "autoStopTime" => "autoStopTtl",
        _ => return,
    };
    if found.is_some() {
        fields.remove(other);
    }
}
