//! Quotas of a region: limits that a test can set, and what the machines use of them.
//!
//! They are told, not enforced: a fault rule refuses a cluster for want of quota.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::extract::State;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::compute_places::{is_region, size_of};
use crate::failure::ApiFailure;
use crate::service::{ClusterRecord, Service};

/// Limits until a test sets others: so high that nothing here reaches them.
const LIMITS: [(&str, f64); 6] = [
    ("CPUS", 2400.0),
    ("DISKS_TOTAL_GB", 204_800.0),
    ("INSTANCES", 6000.0),
    ("IN_USE_ADDRESSES", 575.0),
    ("PREEMPTIBLE_CPUS", 2400.0),
    ("SSD_TOTAL_GB", 81_920.0),
];

/// The limits that were set, by region and metric.
#[derive(Debug, Default)]
pub(crate) struct Quotas(Mutex<BTreeMap<(String, String), f64>>);

impl Quotas {
    fn set(&self) -> MutexGuard<'_, BTreeMap<(String, String), f64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The quotas of a region as Compute Engine answers them.
    pub(crate) fn of_region(&self, service: &Service, project: &str, region: &str) -> Vec<Value> {
        let used = usage(service, project, region);
        let set = self.set();
        let quota = |(metric, usual): (&str, f64)| {
            let set = set.get(&(region.to_owned(), metric.to_owned()));
            let limit = set.copied().unwrap_or(usual);
            let usage = used.get(metric).copied().unwrap_or_default();
            json!({"metric": metric, "limit": limit, "usage": usage})
        };
        LIMITS.into_iter().map(quota).collect()
    }
}

fn usage(service: &Service, project: &str, region: &str) -> BTreeMap<&'static str, f64> {
    let mut used = BTreeMap::new();
    let state = service.lock();
    for record in state.clusters.values() {
        if record.facts.project == project && record.facts.region == region {
            count(record, &mut used);
        }
    }
    used
}

fn count(record: &ClusterRecord, used: &mut BTreeMap<&'static str, f64>) {
    let config = &record.resource()["config"];
    let mut add = |metric, amount: f64| *used.entry(metric).or_insert(0.0) += amount;
    let runs = record.state() != "STOPPED";
    for group in ["masterConfig", "workerConfig", "secondaryWorkerConfig"] {
        let machines = f64::from(
            config[group]["numInstances"]
                .as_u64()
                .and_then(|n| u32::try_from(n).ok())
                .unwrap_or(0),
        );
        let kind = config[group]["machineTypeUri"].as_str().unwrap_or_default();
        let size = size_of(kind.rsplit('/').next().unwrap_or_default());
        let disk = &config[group]["diskConfig"];
        let gigabytes = disk["bootDiskSizeGb"].as_f64().unwrap_or(0.0);
        let metric = match disk["bootDiskType"].as_str() {
            Some(kind) if kind.ends_with("pd-ssd") => "SSD_TOTAL_GB",
            _ => "DISKS_TOTAL_GB",
        };
        add(metric, machines * gigabytes);
        if runs {
            let cpus = f64::from(size.map_or(0, |(cpus, _)| cpus));
            let metric = match config[group]["preemptibility"].as_str() {
                Some("PREEMPTIBLE" | "SPOT") => "PREEMPTIBLE_CPUS",
                _ => "CPUS",
            };
            add(metric, machines * cpus);
            add("INSTANCES", machines);
            if config["gceClusterConfig"]["internalIpOnly"] != true {
                add("IN_USE_ADDRESSES", machines);
            }
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    region: String,
    metric: String,
    limit: f64,
}

/// `POST /emulator/v1/quotas` with `{"region", "metric", "limit"}`: sets a limit.
pub(crate) async fn set_limit(
    State(service): State<Arc<Service>>,
    body: Bytes,
) -> Result<Json<Value>, ApiFailure> {
    let wish: Wish =
        serde_json::from_slice(&body).map_err(|error| ApiFailure::invalid(error.to_string()))?;
    let known = LIMITS.iter().any(|(metric, _)| *metric == wish.metric);
    if !known || !is_region(&wish.region) || wish.limit < 0.0 {
        let names: Vec<&str> = LIMITS.iter().map(|(metric, _)| *metric).collect();
        return Err(ApiFailure::invalid(format!(
            "a region, a limit of at least 0 and one of these metrics are needed: {}",
            names.join(", ")
        )));
    }
    let key = (wish.region, wish.metric);
    service.quotas.set().insert(key, wish.limit);
    Ok(Json(json!({})))
}
