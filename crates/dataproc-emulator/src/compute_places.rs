//! Regions, zones and machine types as Compute Engine lists them.
//!
//! Every well-formed name exists; lists hold a few of them and those that have machines.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use serde_json::{Value, json};

use crate::compute::{InZone, base, not_found};
use crate::compute_list::{ComputeQuery, list};
use crate::failure::ApiFailure;
use crate::machines::number;
use crate::service::Service;

const ZONES: &[(&str, &str)] = &[
    ("europe-west1", "bcd"),
    ("europe-west4", "abc"),
    ("us-central1", "abcf"),
    ("us-east1", "bcd"),
];
const FAMILIES: &[&str] = &["e2", "n1", "n2", "n2d"];
const SHAPES: &[&str] = &["standard", "highmem", "highcpu"];
const SIZES: &[u32] = &[2, 4, 8, 16, 32];

/// Whether a name looks like a region's, such as `europe-west1`.
pub(crate) fn is_region(name: &str) -> bool {
    let letters = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    let number = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    let place = name.strip_suffix(number).unwrap_or_default();
    let parts = place.split_once('-');
    !number.is_empty()
        && number.bytes().all(|b| b.is_ascii_digit())
        && parts.is_some_and(|(a, b)| letters(a) && letters(b))
}

/// The region of a zone, such as `europe-west1` of `europe-west1-b`.
pub(crate) fn region_of(zone: &str) -> Option<&str> {
    let (region, letter) = zone.rsplit_once('-')?;
    (is_region(region) && letter.len() == 1 && letter.bytes().all(|b| b.is_ascii_lowercase()))
        .then_some(region)
}

fn zones_of(service: &Service, project: &str) -> BTreeSet<String> {
    let known = ZONES.iter().flat_map(|(region, letters)| {
        letters
            .chars()
            .map(move |letter| format!("{region}-{letter}"))
    });
    let state = service.lock();
    let clusters = state.clusters.values();
    let used = clusters.filter(|record| record.facts.project == project);
    known
        .chain(used.map(|record| record.facts.zone.clone()))
        .collect()
}

fn zone_json(project: &str, zone: &str, base: &str) -> Value {
    let region = region_of(zone).unwrap_or_default();
    json!({
        "kind": "compute#zone",
        "id": number(zone).to_string(),
        "name": zone,
        "description": zone,
        "status": "UP",
        "region": format!("{base}/projects/{project}/regions/{region}"),
        "selfLink": format!("{base}/projects/{project}/zones/{zone}"),
    })
}

/// `GET …/zones`
pub(crate) async fn zones(
    State(service): State<Arc<Service>>,
    Path(project): Path<String>,
    Query(query): Query<ComputeQuery>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiFailure> {
    let base = base(&headers);
    let all = zones_of(&service, &project);
    let items = all.iter().map(|zone| zone_json(&project, zone, &base));
    let id = format!("projects/{project}/zones");
    list("compute#zoneList", &id, &base, items, &query).map(Json)
}

/// `GET …/zones/ZONE`
pub(crate) async fn zone(
    Path((project, zone)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiFailure> {
    if region_of(&zone).is_none() {
        return Err(not_found(&format!("projects/{project}/zones/{zone}")));
    }
    Ok(Json(zone_json(&project, &zone, &base(&headers))))
}

fn region_json(service: &Service, project: &str, region: &str, base: &str) -> Value {
    let all = zones_of(service, project);
    let own = all.iter().filter(|zone| region_of(zone) == Some(region));
    let links: Vec<Value> = own
        .map(|zone| json!(format!("{base}/projects/{project}/zones/{zone}")))
        .collect();
    json!({
        "kind": "compute#region",
        "id": number(region).to_string(),
        "name": region,
        "description": region,
        "status": "UP",
        "zones": links,
        "quotas": service.quotas.of_region(service, project, region),
        "selfLink": format!("{base}/projects/{project}/regions/{region}"),
    })
}

/// `GET …/regions`
pub(crate) async fn regions(
    State(service): State<Arc<Service>>,
    Path(project): Path<String>,
    Query(query): Query<ComputeQuery>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiFailure> {
    let base = base(&headers);
    let zones = zones_of(&service, &project);
    let names: BTreeSet<&str> = zones.iter().filter_map(|zone| region_of(zone)).collect();
    let items = names
        .into_iter()
        .map(|region| region_json(&service, &project, region, &base));
    let id = format!("projects/{project}/regions");
    list("compute#regionList", &id, &base, items, &query).map(Json)
}

/// `GET …/regions/REGION`: with its quotas and what of them is used.
pub(crate) async fn region(
    State(service): State<Arc<Service>>,
    Path((project, region)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiFailure> {
    if !is_region(&region) {
        return Err(not_found(&format!("projects/{project}/regions/{region}")));
    }
    Ok(Json(region_json(
        &service,
        &project,
        &region,
        &base(&headers),
    )))
}

/// Processors and memory in MiB of a machine type.
pub(crate) fn size_of(machine_type: &str) -> Option<(u32, u32)> {
    match machine_type {
        "f1-micro" => return Some((1, 614)),
        "g1-small" => return Some((1, 1740)),
        "e2-micro" => return Some((2, 1024)),
        "e2-small" => return Some((2, 2048)),
        "e2-medium" => return Some((2, 4096)),
        _ => {}
    }
    let parts: Vec<&str> = machine_type.split('-').collect();
    let (family, shape, cpus) = match parts.as_slice() {
        ["custom", cpus, memory] | [_, "custom", cpus, memory] => {
            return Some((cpus.parse().ok()?, memory.parse().ok()?));
        }
        [family, shape, cpus, ..] => (*family, *shape, cpus.parse::<u32>().ok()?),
        _ => return None,
    };
    let per_cpu = match (family, shape) {
        ("n1", "standard") => 3840,
        ("n1", "highmem") => 6656,
        ("n1", "highcpu") => 922,
        (_, "standard") => 4096,
        (_, "highmem") => 8192,
        (_, "highcpu") => 1024,
        _ => return None,
    };
    (1..=512)
        .contains(&cpus)
        .then_some((cpus, cpus.saturating_mul(per_cpu)))
}

fn type_json(project: &str, zone: &str, name: &str, base: &str) -> Option<Value> {
    let (cpus, memory) = size_of(name)?;
    Some(json!({
        "kind": "compute#machineType",
        "id": number(name).to_string(),
        "name": name,
        "description": format!("{cpus} vCPUs, {memory} MiB RAM"),
        "guestCpus": cpus,
        "memoryMb": memory,
        "isSharedCpu": false,
        "zone": zone,
        "selfLink": format!("{base}/projects/{project}/zones/{zone}/machineTypes/{name}"),
    }))
}

/// `GET …/zones/ZONE/machineTypes`
pub(crate) async fn machine_types(
    Path((project, zone)): Path<(String, String)>,
    Query(query): Query<ComputeQuery>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiFailure> {
    let base = base(&headers);
    let names = FAMILIES.iter().flat_map(|family| {
        let shapes = SHAPES.iter();
        shapes.flat_map(move |shape| SIZES.iter().map(move |n| format!("{family}-{shape}-{n}")))
    });
    let items = names.filter_map(|name| type_json(&project, &zone, &name, &base));
    let id = format!("projects/{project}/zones/{zone}/machineTypes");
    list("compute#machineTypeList", &id, &base, items, &query).map(Json)
}

/// `GET …/zones/ZONE/machineTypes/NAME`
pub(crate) async fn machine_type(
    Path((project, zone, name)): InZone,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiFailure> {
    let path = format!("projects/{project}/zones/{zone}/machineTypes/{name}");
    let found = region_of(&zone).and_then(|_| type_json(&project, &zone, &name, &base(&headers)));
    found.map(Json).ok_or_else(|| not_found(&path))
}

#[cfg(test)]
mod tests {
    use super::{is_region, region_of, size_of};

    #[test]
    fn names_are_read_by_their_form() {
        assert!(is_region("europe-west1") && is_region("us-east12"));
        assert!(!is_region("europe") && !is_region("europe-west") && !is_region("1"));
        assert_eq!(region_of("europe-west1-b"), Some("europe-west1"));
        assert_eq!(region_of("europe-west1"), None);
        assert_eq!(size_of("n1-standard-4"), Some((4, 15360)));
        assert_eq!(size_of("n2-custom-6-3072"), Some((6, 3072)));
        assert_eq!(size_of("e2-medium"), Some((2, 4096)));
        assert_eq!(size_of("n1-other-4"), None);
        assert_eq!(size_of("n1-standard-x"), None);
        assert_eq!(size_of("n1-standard-0"), None);
    }
}
