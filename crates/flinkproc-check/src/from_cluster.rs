//! A running cluster, as the API describes it → a spec that makes one like it, or uses it.

use serde_json::Value as Json;

use crate::draft::{Converted, Draft, Value};

/// Where the API says something, and the spec's key for it.
const TEXTS: [(&str, &str); 20] = [
    ("/config/softwareConfig/imageVersion", "image"),
    ("/config/gceClusterConfig/zoneUri", "zone"),
    ("/config/gceClusterConfig/networkUri", "network"),
    ("/config/gceClusterConfig/subnetworkUri", "subnetwork"),
    ("/config/gceClusterConfig/serviceAccount", "service_account"),
    ("/config/masterConfig/machineTypeUri", "master.machine_type"),
    (
        "/config/masterConfig/diskConfig/bootDiskType",
        "master.boot_disk_type",
    ),
    (
        "/config/workerConfig/machineTypeUri",
        "workers.machine_type",
    ),
    (
        "/config/workerConfig/diskConfig/bootDiskType",
        "workers.boot_disk_type",
    ),
    (
        "/config/secondaryWorkerConfig/diskConfig/bootDiskType",
        "secondary_workers.boot_disk_type",
    ),
    ("/config/autoscalingConfig/policyUri", "autoscaling_policy"),
    ("/config/encryptionConfig/gcePdKmsKeyName", "encryption_key"),
    ("/config/configBucket", "config_bucket"),
    ("/config/tempBucket", "temp_bucket"),
    ("/config/lifecycleConfig/idleDeleteTtl", "max_idle"),
    ("/config/lifecycleConfig/autoDeleteTtl", "max_age"),
    (
        "/config/masterConfig/diskConfig/bootDiskSizeGb",
        "master.boot_disk_size",
    ),
    (
        "/config/workerConfig/diskConfig/bootDiskSizeGb",
        "workers.boot_disk_size",
    ),
    ("/config/workerConfig/numInstances", "workers.count"),
    (
        "/config/secondaryWorkerConfig/numInstances",
        "secondary_workers.count",
    ),
];

/// Makes a spec of a `Cluster` resource of the v1 API.
///
/// ```
/// let resource = serde_json::json!({
///     "projectId": "p", "clusterName": "team",
///     "config": { "softwareConfig": { "imageVersion": "2.2.31-debian12" }, "workerConfig": { "numInstances": 4 } },
/// });
/// let made = flinkproc_check::from_cluster(&resource, "europe-west4");
/// assert!(made.text.contains("image = \"2.2.31-debian12\"") && made.text.contains("workers.count = 4"));
/// ```
#[must_use]
pub fn from_cluster(resource: &Json, region: &str) -> Converted {
    let mut draft = Draft::default();
    let mut left = Vec::new();
    let text = |pointer: &str| {
        resource
            .pointer(pointer)
            .and_then(Json::as_str)
            .unwrap_or_default()
    };
    let name = text("/clusterName");
    draft.set("job", "script", "job.py");
    draft.set("cluster", "project", text("/projectId"));
    draft.set("cluster", "region", region);
    for (pointer, key) in TEXTS {
        let Some(value) = resource.pointer(pointer) else {
            continue;
        };
        let short = |text: &str| text.rsplit('/').next().unwrap_or(text).to_owned();
        let value: Value = match (key, value) {
            (key, Json::Number(number)) if key.ends_with("boot_disk_size") => {
                format!("{number}GiB").into()
            }
            (_, Json::Number(number)) => match number.as_u64() {
                Some(number) => Value::Number(number),
                None => continue,
            },
            ("max_idle" | "max_age", Json::String(span)) => match seconds(span) {
                Some(span) => span.into(),
                None => continue,
            },
            ("zone" | "master.machine_type" | "workers.machine_type", Json::String(text)) => {
                short(text).into()
            }
            (_, Json::String(text)) if !text.is_empty() => text.as_str().into(),
            _ => continue,
        };
        draft.set("cluster", key, value);
    }
    let kind = text("/config/secondaryWorkerConfig/preemptibility");
    if !kind.is_empty() && kind != "PREEMPTIBILITY_UNSPECIFIED" {
        draft.set(
            "cluster",
            "secondary_workers.preemptibility",
            kind.to_ascii_lowercase().replace('_', "-"),
        );
    }
    let flag = |pointer: &str| resource.pointer(pointer).and_then(Json::as_bool);
    if let Some(internal) = flag("/config/gceClusterConfig/internalIpOnly") {
        draft.set("cluster", "internal_ip_only", Value::Flag(internal));
    }
    if let Some(gateway) = flag("/config/endpointConfig/enableHttpPortAccess") {
        draft.set("cluster", "component_gateway", Value::Flag(gateway));
    }
    let texts = |pointer: &str| -> Vec<String> {
        let array = resource.pointer(pointer).and_then(Json::as_array);
        array
            .into_iter()
            .flatten()
            .filter_map(Json::as_str)
            .map(str::to_owned)
            .collect()
    };
    let components = texts("/config/softwareConfig/optionalComponents");
    let flink = components.iter().any(|component| component == "FLINK");
    for (key, list) in [
        (
            "components",
            components
                .into_iter()
                .filter(|component| component != "FLINK")
                .collect(),
        ),
        ("network_tags", texts("/config/gceClusterConfig/tags")),
        (
            "scopes",
            texts("/config/gceClusterConfig/serviceAccountScopes"),
        ),
    ] {
        if !list.is_empty() {
            draft.set("cluster", key, Value::List(list));
        }
    }
    let actions: Vec<String> = resource
        .pointer("/config/initializationActions")
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
        .filter_map(|action| action.get("executableFile")?.as_str())
        .map(|script| format!("{{ script = {} }}", crate::draft::quoted(script)))
        .collect();
    if !actions.is_empty() {
        draft.set(
            "cluster",
            "initialization_actions",
            Value::Raw(format!("[{}]", actions.join(", "))),
        );
    }
    for (pointer, section) in [
        ("/labels", "cluster.labels"),
        ("/config/softwareConfig/properties", "cluster.properties"),
        ("/config/gceClusterConfig/metadata", "cluster.metadata"),
    ] {
        let map = resource.pointer(pointer).and_then(Json::as_object);
        for (key, value) in map.into_iter().flatten() {
            // Dataproc's own, which it sets on every cluster.
            let own =
                key.starts_with("goog-") || key == "flinkproc" || key.starts_with("flinkproc-");
            let secret = crate::source::secret_name(key);
            if secret {
                left.push(format!(
                    "{section}: `{key}` looks like a secret and is not written down"
                ));
            } else if let Some(value) = value.as_str().filter(|_| !own) {
                draft.set(section, key, value);
            }
        }
    }
    if !flink {
        left.push(format!("{name} has no FLINK component: it cannot run the job itself, a cluster like it gets the component"));
    }
    for (pointer, what) in [
        (
            "/config/securityConfig",
            "Kerberos and other security settings",
        ),
        ("/config/metastoreConfig", "the metastore"),
        ("/config/auxiliaryNodeGroups", "node groups"),
        ("/virtualClusterConfig", "that it is a cluster on GKE"),
    ] {
        if resource
            .pointer(pointer)
            .is_some_and(|value| !value.is_null())
        {
            left.push(format!("{what}: put them into a file for `cluster.from` (`gcloud dataproc clusters export {name}`)"));
        }
    }
    draft.comment(
        "cluster",
        format!(
            "To use {name} itself instead of making one like it, leave only this and the image:"
        ),
    );
    draft.comment(
        "cluster",
        format!("existing = {}", crate::draft::quoted(name)),
    );
    draft.comment(
        "staging",
        "bucket = \"my-bucket\"   # for the code, below flinkproc/ in it",
    );
    let head = format!(
        "Made from the cluster {name} by `flinkproc init --from-cluster`. Name the script, then `flinkproc plan` this file."
    );
    Converted {
        text: draft.text(&head),
        mended: Vec::new(),
        left,
    }
}

fn seconds(text: &str) -> Option<String> {
    let seconds: u64 = text.strip_suffix('s')?.split('.').next()?.parse().ok()?;
    Some(match seconds {
        day if day > 0 && day.is_multiple_of(86_400) => format!("{}d", day / 86_400),
        hour if hour > 0 && hour.is_multiple_of(3600) => format!("{}h", hour / 3600),
        minute if minute > 0 && minute.is_multiple_of(60) => format!("{}m", minute / 60),
        second => format!("{second}s"),
    })
}
