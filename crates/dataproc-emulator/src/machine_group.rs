//! The groups of a cluster's machines: what of a request is refused, and what the service fills in.

use serde_json::{Map, Value, json};

use crate::failure::ApiFailure;
use crate::resource::{compute_uri, text};
use crate::runtime::ClusterFacts;
use crate::schema::snake;

/// The families of Compute Engine that are known; one that is younger than this list is refused.
const FAMILIES: &[&str] = &[
    "a2", "a3", "a4", "c2", "c2d", "c3", "c3d", "c4", "c4a", "c4d", "custom", "e2", "f1", "g1",
    "g2", "g4", "h3", "h4d", "m1", "m2", "m3", "m4", "n1", "n2", "n2d", "n4", "n4a", "n4d", "t2a",
    "t2d", "z3",
];
const DEFAULT_TYPE: &str = "n1-standard-4";
/// In GB; the least that Dataproc's images need is not documented, Compute Engine's bounds are.
const DISK: std::ops::RangeInclusive<i64> = 10..=65_536;
const MOST_LOCAL_SSDS: i64 = 24;

/// Checks machine types and disks of every group that a configuration names.
pub(crate) fn check_groups(config: &Map<String, Value>, zone: &str) -> Result<(), ApiFailure> {
    for group in ["masterConfig", "workerConfig", "secondaryWorkerConfig"] {
        let Some(fields) = config.get(group).and_then(Value::as_object) else {
            continue;
        };
        let refuse = |field: &str, message: String| {
            let field = format!("cluster.config.{}.{field}", snake(group));
            Err(ApiFailure::invalid_field(&field, message))
        };
        if let Some(uri) = text(fields, "machineTypeUri")
            && !is_machine_type(&uri, zone)
        {
            let name = uri.rsplit('/').next().unwrap_or_default();
            let message =
                format!("Machine type with name '{name}' does not exist in zone '{zone}'.");
            return refuse("machine_type_uri", message);
        }
        let number = |key: &str| {
            fields
                .get("diskConfig")
                .and_then(|disk| disk.get(key)?.as_i64())
        };
        if let Some(size) =
            number("bootDiskSizeGb").filter(|size| *size != 0 && !DISK.contains(size))
        {
            let message = format!("Invalid boot disk size {size} GB: must be from 10 to 65536");
            return refuse("disk_config.boot_disk_size_gb", message);
        }
        let ssds = number("numLocalSsds").unwrap_or(0);
        if !(0..=MOST_LOCAL_SSDS).contains(&ssds) {
            let message =
                format!("Invalid number of local SSDs {ssds}: must be from 0 to {MOST_LOCAL_SSDS}");
            return refuse("disk_config.num_local_ssds", message);
        }
        let disk = fields.get("diskConfig").and_then(Value::as_object);
        if let Some(kind) = disk.and_then(|disk| text(disk, "bootDiskType")) {
            let short = kind.rsplit('/').next().unwrap_or_default();
            if !short.starts_with("pd-") && !short.starts_with("hyperdisk-") {
                return refuse(
                    "disk_config.boot_disk_type",
                    format!("Invalid boot disk type '{kind}'"),
                );
            }
        }
    }
    Ok(())
}

/// Whether a short name, a partial or a full URI names a machine type that the zone may have.
fn is_machine_type(uri: &str, zone: &str) -> bool {
    let parts: Vec<&str> = uri.split('/').collect();
    let name = match parts.as_slice() {
        [name] => name,
        [.., "zones", at, "machineTypes", name] if *at == zone => name,
        _ => return false,
    };
    let Some((family, shape)) = name.split_once('-') else {
        return false;
    };
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let shaped = !shape.is_empty() && shape.bytes().all(inner) && !shape.ends_with('-');
    let custom = match (family, shape.strip_prefix("custom-")) {
        ("custom", _) => Some(shape),
        (_, size) => size,
    };
    // Processors and MiB, and maybe `ext`.
    let sized = custom.is_none_or(|size| {
        let mut parts = size.split('-');
        let number = |part: Option<&str>| part.is_some_and(|p| p.parse::<u32>().is_ok());
        number(parts.next()) && number(parts.next()) && parts.next().is_none_or(|p| p == "ext")
    });
    shaped && sized && FAMILIES.contains(&family)
}

/// What a client is told about its disks without being refused.
pub(crate) fn warnings(config: &Map<String, Value>) -> Vec<String> {
    let groups = ["masterConfig", "workerConfig", "secondaryWorkerConfig"];
    let small = groups.iter().any(|group| {
        let disk = config.get(*group).and_then(|group| group.get("diskConfig"));
        let get = |key: &str| disk.and_then(|disk| disk.get(key));
        let size = get("bootDiskSizeGb").and_then(Value::as_i64);
        let kind = get("bootDiskType").and_then(Value::as_str);
        let ssds = get("numLocalSsds").and_then(Value::as_i64).unwrap_or(0);
        size.is_some_and(|size| size < 1000)
            && kind.is_none_or(|kind| kind.ends_with("pd-standard"))
            && ssds == 0
    });
    let text = "For PD-Standard without local SSDs, we strongly recommend provisioning 1TB or larger to ensure consistently high I/O performance. See https://cloud.google.com/compute/docs/disks/performance for information on disk I/O performance.";
    small.then(|| text.to_owned()).into_iter().collect()
}

/// Writes the groups of machines as `facts` now has them into the resource.
pub(crate) fn fill_groups(body: &mut Map<String, Value>, facts: &ClusterFacts) {
    let Some(config) = body.get_mut("config").and_then(Value::as_object_mut) else {
        return;
    };
    let of_workers = config.get("workerConfig").and_then(Value::as_object);
    let of_workers = of_workers.and_then(|workers| text(workers, "machineTypeUri"));
    let groups = [
        ("masterConfig", facts.master_names()),
        ("workerConfig", facts.worker_names()),
        ("secondaryWorkerConfig", facts.secondary_worker_names()),
    ];
    for (group, names) in groups {
        let group_config = config.entry(group).or_insert_with(|| json!({}));
        if names.is_empty() {
            config.remove(group);
            continue;
        }
        let Some(fields) = group_config.as_object_mut() else {
            continue;
        };
        fields.insert("numInstances".to_owned(), json!(names.len()));
        fields.insert("instanceNames".to_owned(), json!(names));
        let zone = format!("{}/zones/{}", compute_uri(&facts.project), facts.zone);
        let mut machine_type = text(fields, "machineTypeUri");
        if group == "secondaryWorkerConfig" {
            // Secondary workers are always of the primary workers' type.
            machine_type = of_workers.clone().or(machine_type);
        }
        let machine_type = machine_type.unwrap_or_else(|| DEFAULT_TYPE.to_owned());
        let machine_type = machine_type.rsplit('/').next().unwrap_or_default();
        let machine_type = format!("{zone}/machineTypes/{machine_type}");
        fields.insert("machineTypeUri".to_owned(), json!(machine_type));
        let disk = fields.entry("diskConfig").or_insert_with(|| json!({}));
        if let Some(disk) = disk.as_object_mut() {
            disk.entry("bootDiskSizeGb").or_insert(json!(1000));
            disk.entry("bootDiskType").or_insert(json!("pd-standard"));
        }
        let default = match group {
            "secondaryWorkerConfig" => "PREEMPTIBLE",
            _ => "NON_PREEMPTIBLE",
        };
        let preemptibility = fields.entry("preemptibility").or_insert(json!(default));
        let preemptible = preemptibility != "NON_PREEMPTIBLE";
        if preemptible {
            fields.insert("isPreemptible".to_owned(), json!(true));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{check_groups, is_machine_type, warnings};

    #[test]
    fn machine_types_have_a_family_and_a_shape() {
        let check = |uri: &str, expected: bool| {
            assert_eq!(is_machine_type(uri, "us-east1-b"), expected, "{uri}");
        };
        check("n1-standard-4", true);
        check("e2-highmem-16", true);
        check("f1-micro", true);
        check("custom-4-16384", true);
        check("n2-custom-8-65536-ext", true);
        check("n2-custom-8", false);
        check("zones/us-east1-b/machineTypes/n1-standard-4", true);
        check(
            "https://www.googleapis.com/compute/v1/projects/p/zones/us-east1-b/machineTypes/n1-standard-4",
            true,
        );
        check(
            "projects/p/zones/us-east1-c/machineTypes/n1-standard-4",
            false,
        );
        check("n1-standard-", false);
        check("n1", false);
        check("x9-standard-4", false);
        check("N1-standard-4", false);
        check("regions/r/n1-standard-4", false);
    }

    #[test]
    fn groups_are_refused_by_their_field() {
        let check = |config: serde_json::Value, part: &str| {
            let failure = check_groups(config.as_object().unwrap(), "us-east1-b").unwrap_err();
            assert!(failure.message.contains(part), "{failure:?}");
        };
        check(
            json!({"masterConfig": {"machineTypeUri": "big"}}),
            "'big' does not exist in zone 'us-east1-b'",
        );
        check(
            json!({"workerConfig": {"diskConfig": {"bootDiskSizeGb": 9}}}),
            "9 GB",
        );
        check(
            json!({"workerConfig": {"diskConfig": {"bootDiskType": "tape"}}}),
            "'tape'",
        );
        check(
            json!({"secondaryWorkerConfig": {"diskConfig": {"numLocalSsds": 25}}}),
            "25",
        );
    }

    #[test]
    fn small_slow_disks_are_warned_of() {
        let warned = |disk: serde_json::Value| {
            let config = json!({"workerConfig": {"diskConfig": disk}});
            !warnings(config.as_object().unwrap()).is_empty()
        };
        assert!(warned(json!({"bootDiskSizeGb": 500})));
        assert!(!warned(json!({"bootDiskSizeGb": 1000})));
        assert!(!warned(
            json!({"bootDiskSizeGb": 500, "bootDiskType": "pd-ssd"})
        ));
        assert!(!warned(json!({"bootDiskSizeGb": 500, "numLocalSsds": 1})));
        assert!(!warned(json!({})));
    }
}
