//! The `Cluster` resource: what of a request is refused, and what the service fills in.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::failure::ApiFailure;
use crate::image::{DEFAULT_IMAGE, check_components, checked_image};
use crate::lifetime::check_lifetime;
use crate::machine_group::{check_groups, fill_groups, warnings};
use crate::policy::id_of_uri;
use crate::runtime::ClusterFacts;

/// Labels of a cluster at most.
const MAX_LABELS: usize = 64;
const AM_PRIMARY_ONLY: &str = "dataproc:am.primary_only";
const ALLOW_ZERO_WORKERS: &str = "dataproc:dataproc.allow.zero.workers";

/// No image named, in the service's words.
const NO_IMAGE: &str = "No image specified. Using the default image version. It is recommended to select a specific image version in production, as the default image version may change at any time.";

/// What the emulator says about itself to the resource that it fills in.
#[derive(Debug)]
pub(crate) struct Surroundings<'a> {
    pub(crate) project: &'a str,
    pub(crate) region: &'a str,
    pub(crate) uuid: &'a str,
    pub(crate) now: Timestamp,
    pub(crate) storage_endpoint: Option<&'a str>,
    pub(crate) api_endpoint: &'a str,
    pub(crate) runtime_images: &'a [String],
}

/// A cluster that may be made.
#[derive(Debug)]
pub(crate) struct Accepted {
    /// The resource without its status.
    pub(crate) resource: Map<String, Value>,
    /// What the runtime has to know.
    pub(crate) facts: ClusterFacts,
    /// The id of its autoscaling policy.
    pub(crate) policy: Option<String>,
    /// What the client is told without being refused.
    pub(crate) warnings: Vec<String>,
}

/// Checks a canonical `Cluster` of a create request and fills in what the service decides.
pub(crate) fn accept(
    mut body: Map<String, Value>,
    around: &Surroundings<'_>,
) -> Result<Accepted, ApiFailure> {
    for output_only in ["status", "statusHistory", "metrics", "clusterUuid"] {
        body.remove(output_only);
    }
    if body.contains_key("virtualClusterConfig") {
        return Err(ApiFailure::not_emulated("a cluster on Kubernetes"));
    }
    let name = checked_name(&body)?;
    let labels = checked_labels(&body)?;
    let mut config = take_object(&mut body, "config");
    let mut facts = ClusterFacts::new(around.project, around.region, &name, around.uuid);
    facts.storage_endpoint = around.storage_endpoint.map(str::to_owned);
    facts.api_endpoint = Some(around.api_endpoint.to_owned());

    let mut software = take_object(&mut config, "softwareConfig");
    facts.properties = text_map(software.get("properties"));
    facts.image = text(&software, "imageVersion").unwrap_or_else(|| DEFAULT_IMAGE.to_owned());
    let components = software.get("optionalComponents").and_then(Value::as_array);
    let names = components.into_iter().flatten().filter_map(Value::as_str);
    facts.components = names.map(str::to_owned).collect();
    let image = checked_image(&facts.image, around.runtime_images)?;
    check_components(&image, &facts.components)?;
    let mut warnings = warnings(&config);
    if !software.contains_key("imageVersion") {
        warnings.push(NO_IMAGE.to_owned());
    }
    software.insert("imageVersion".to_owned(), json!(image));

    let mut machines = take_object(&mut config, "gceClusterConfig");
    let zone = text(&machines, "zoneUri");
    let automatic = zone.is_none();
    facts.zone = checked_zone(zone.as_deref(), around.region)?;
    facts.metadata = text_map(machines.get("metadata"));
    let zone_uri = format!("{}/zones/{}", compute_uri(around.project), facts.zone);
    machines.insert("zoneUri".to_owned(), json!(zone_uri));
    if !machines.contains_key("networkUri") && !machines.contains_key("subnetworkUri") {
        let network = format!("{}/global/networks/default", compute_uri(around.project));
        machines.insert("networkUri".to_owned(), json!(network));
    }
    machines
        .entry("serviceAccountScopes")
        .or_insert_with(|| json!(["https://www.googleapis.com/auth/cloud-platform"]));

    check_lifetime(config.get("lifecycleConfig"), around.now)?;
    check_groups(&config, &facts.zone)?;
    check_actions(&config)?;
    facts.masters = checked_masters(&config)?;
    let zero_allowed = facts
        .properties
        .get(ALLOW_ZERO_WORKERS)
        .is_some_and(|v| v == "true")
        || config
            .get("clusterType")
            .is_some_and(|kind| kind == "SINGLE_NODE");
    facts.workers = checked_workers(count(&config, "workerConfig"), zero_allowed)?;
    facts.secondary_workers = checked_secondary(count(&config, "secondaryWorkerConfig"))?;
    check_no_orphans(&facts)?;
    let policy = check_policy(&mut config, &facts)?;

    for bucket in ["configBucket", "tempBucket"] {
        if let Some(name) = text(&config, bucket) {
            check_bucket(bucket, &name)?;
        }
    }
    let number = project_number(around.project);
    let bucket = |what: &str| format!("dataproc-{what}-{}-{number}-emulated", around.region);
    config
        .entry("configBucket")
        .or_insert_with(|| json!(bucket("staging")));
    config
        .entry("tempBucket")
        .or_insert_with(|| json!(bucket("temp")));
    config.insert("gceClusterConfig".to_owned(), Value::Object(machines));
    config.insert("softwareConfig".to_owned(), Value::Object(software));
    body.insert("config".to_owned(), Value::Object(config));

    let mut labels_out = labels;
    for (key, value) in [
        ("goog-dataproc-cluster-name", name.as_str()),
        ("goog-dataproc-cluster-uuid", around.uuid),
        ("goog-dataproc-location", around.region),
    ] {
        labels_out.insert(key.to_owned(), value.to_owned());
    }
    if automatic {
        labels_out.insert("goog-dataproc-autozone".to_owned(), "enabled".to_owned());
    }
    facts.labels = labels_out;
    body.insert("projectId".to_owned(), json!(around.project));
    body.insert("clusterName".to_owned(), json!(name));
    body.insert("clusterUuid".to_owned(), json!(around.uuid));
    body.insert("labels".to_owned(), json!(facts.labels));
    fill_groups(&mut body, &facts);
    facts.resource = Value::Object(body.clone());
    Ok(Accepted {
        resource: body,
        facts,
        policy,
        warnings,
    })
}

pub(crate) fn compute_uri(project: &str) -> String {
    format!("https://www.googleapis.com/compute/v1/projects/{project}")
}

/// A project's number, always the same one for the same id.
pub(crate) fn project_number(project: &str) -> u64 {
    let hash = project.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, b| {
        (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
    });
    100_000_000_000 + hash % 900_000_000_000
}

fn checked_name(body: &Map<String, Value>) -> Result<String, ApiFailure> {
    let name = text(body, "clusterName").unwrap_or_default();
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let good = name.len() <= 52
        && name.bytes().all(inner)
        && name.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
        && !name.ends_with('-');
    if good {
        return Ok(name);
    }
    Err(ApiFailure::invalid_field(
        "cluster.cluster_name",
        format!(
            "Invalid cluster name '{name}': it must start with a lower-case letter, followed by up to 51 lower-case letters, numbers, or hyphens, and cannot end with a hyphen"
        ),
    ))
}

/// Checks labels as Google's label rules say.
pub(crate) fn checked_labels(
    body: &Map<String, Value>,
) -> Result<BTreeMap<String, String>, ApiFailure> {
    let labels = text_map(body.get("labels"));
    let inner =
        |c: char| c.is_lowercase() || c.is_numeric() || c == '-' || c == '_' || is_caseless(c);
    for (key, value) in &labels {
        let key_fits = (1..=63).contains(&key.chars().count())
            && key.chars().all(inner)
            && !key.starts_with(|c: char| c.is_numeric() || c == '-' || c == '_');
        let value_fits = value.chars().count() <= 63 && value.chars().all(inner);
        if !key_fits || !value_fits {
            return Err(ApiFailure::invalid_field(
                "cluster.labels",
                format!(
                    "Invalid label '{key}={value}': keys have 1 to 63 characters and start with a lower-case letter, values at most 63, both of lower-case letters, numbers, underscores and hyphens"
                ),
            ));
        }
    }
    if labels.len() > MAX_LABELS {
        return Err(ApiFailure::invalid_field(
            "cluster.labels",
            format!("Too many labels: {} of {MAX_LABELS} allowed", labels.len()),
        ));
    }
    Ok(labels)
}

fn is_caseless(c: char) -> bool {
    c.is_alphabetic() && !c.is_uppercase()
}

fn checked_zone(asked: Option<&str>, region: &str) -> Result<String, ApiFailure> {
    // Every region has a zone b; some have no a.
    let zone = asked.map_or_else(|| format!("{region}-b"), |uri| last_part(uri).to_owned());
    let of_region = zone
        .strip_prefix(region)
        .and_then(|rest| rest.strip_prefix('-'))
        .is_some_and(|letter| letter.len() == 1 && letter.bytes().all(|b| b.is_ascii_lowercase()));
    if of_region {
        return Ok(zone);
    }
    Err(ApiFailure::invalid_field(
        "cluster.config.gce_cluster_config.zone_uri",
        format!("Zone '{zone}' is not a zone of region '{region}'"),
    ))
}

fn last_part(uri: &str) -> &str {
    uri.rsplit('/').next().unwrap_or(uri)
}

fn checked_masters(config: &Map<String, Value>) -> Result<u32, ApiFailure> {
    match count(config, "masterConfig") {
        None | Some(0 | 1) => Ok(1),
        Some(3) => Ok(3),
        Some(other) => Err(ApiFailure::invalid_field(
            "cluster.config.master_config.num_instances",
            format!("Invalid number of masters {other}: must be 1 or 3"),
        )),
    }
}

/// Checks a number of primary workers; none means the default.
pub(crate) fn checked_workers(asked: Option<i64>, zero_allowed: bool) -> Result<u32, ApiFailure> {
    match asked {
        None if zero_allowed => Ok(0),
        None => Ok(2),
        Some(0) if zero_allowed => Ok(0),
        Some(many @ 2..=10_000) => Ok(u32::try_from(many).unwrap_or(u32::MAX)),
        Some(other) => Err(ApiFailure::invalid_field(
            "cluster.config.worker_config.num_instances",
            format!(
                "Invalid number of primary workers {other}: a standard cluster requires at least 2; a single node cluster has 0 and the property '{ALLOW_ZERO_WORKERS}=true'"
            ),
        )),
    }
}

/// Checks a number of secondary workers.
pub(crate) fn checked_secondary(asked: Option<i64>) -> Result<u32, ApiFailure> {
    match asked {
        None => Ok(0),
        Some(many @ 0..=10_000) => Ok(u32::try_from(many).unwrap_or(u32::MAX)),
        Some(other) => Err(ApiFailure::invalid_field(
            "cluster.config.secondary_worker_config.num_instances",
            format!("Invalid number of secondary workers {other}"),
        )),
    }
}

/// Refuses secondary workers where there are no primary ones.
pub(crate) fn check_no_orphans(facts: &ClusterFacts) -> Result<(), ApiFailure> {
    if facts.workers > 0 || facts.secondary_workers == 0 {
        return Ok(());
    }
    Err(ApiFailure::invalid_field(
        "cluster.config.secondary_worker_config.num_instances",
        "A single node cluster can not have secondary workers",
    ))
}

/// Checks the name of an autoscaling policy, brings it into its canonical form and gives the policy's id; an empty name is
/// none.
pub(crate) fn check_policy(
    config: &mut Map<String, Value>,
    facts: &ClusterFacts,
) -> Result<Option<String>, ApiFailure> {
    const FIELD: &str = "cluster.config.autoscaling_config.policy_uri";
    let named = config.get("autoscalingConfig").and_then(Value::as_object);
    let Some(uri) = named.and_then(|autoscaling| text(autoscaling, "policyUri")) else {
        config.remove("autoscalingConfig");
        return Ok(None);
    };
    let ClusterFacts {
        project, region, ..
    } = facts;
    let id = id_of_uri(&uri, project, region)?;
    if facts.workers == 0 {
        let message = "Autoscaling is not supported on single node clusters";
        return Err(ApiFailure::invalid_field(FIELD, message));
    }
    if facts
        .properties
        .get(AM_PRIMARY_ONLY)
        .is_some_and(|v| v == "true")
    {
        let message = format!("Autoscaling is not supported with the property '{AM_PRIMARY_ONLY}'");
        return Err(ApiFailure::invalid_field(FIELD, message));
    }
    let name = format!("projects/{project}/regions/{region}/autoscalingPolicies/{id}");
    config.insert("autoscalingConfig".to_owned(), json!({"policyUri": name}));
    Ok(Some(id.to_owned()))
}

/// Checks that every initialization action names an object.
fn check_actions(config: &Map<String, Value>) -> Result<(), ApiFailure> {
    let actions = config
        .get("initializationActions")
        .and_then(Value::as_array);
    for (at, action) in actions.into_iter().flatten().enumerate() {
        let file = action["executableFile"].as_str().unwrap_or_default();
        let object = file
            .strip_prefix("gs://")
            .and_then(|path| path.split_once('/'));
        if object.is_none_or(|(bucket, object)| bucket.is_empty() || object.is_empty()) {
            return Err(ApiFailure::invalid_field(
                &format!("cluster.config.initialization_actions[{at}].executable_file"),
                format!("Invalid initialization action '{file}': must be gs://BUCKET/OBJECT"),
            ));
        }
    }
    Ok(())
}

fn check_bucket(field: &str, name: &str) -> Result<(), ApiFailure> {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
    if (3..=222).contains(&name.len()) && name.bytes().all(inner) {
        return Ok(());
    }
    Err(ApiFailure::invalid_field(
        &format!("cluster.config.{}", crate::schema::snake(field)),
        format!("Invalid bucket name '{name}': give the name alone, without gs://"),
    ))
}

/// The number of machines that a group asks for.
pub(crate) fn count(config: &Map<String, Value>, group: &str) -> Option<i64> {
    config.get(group)?.get("numInstances")?.as_i64()
}

pub(crate) fn text(object: &Map<String, Value>, key: &str) -> Option<String> {
    let text = object.get(key)?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}

fn text_map(value: Option<&Value>) -> BTreeMap<String, String> {
    let entries = value.and_then(Value::as_object).into_iter().flatten();
    entries
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

fn take_object(object: &mut Map<String, Value>, key: &str) -> Map<String, Value> {
    match object.remove(key) {
        Some(Value::Object(inner)) => inner,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::{Map, Value, json};

    use super::{Surroundings, accept};
    use crate::runtime::ClusterFacts;

    fn accepted(body: &Value) -> Result<(Map<String, Value>, ClusterFacts), String> {
        let around = Surroundings {
            project: "p",
            region: "us-east1",
            uuid: "u",
            now: Timestamp::UNIX_EPOCH,
            storage_endpoint: None,
            api_endpoint: "http://127.0.0.1:1",
            runtime_images: &["sandbox-1.20".to_owned()],
        };
        let body = body.as_object().cloned().unwrap_or_default();
        let accepted = accept(body, &around).map_err(|failure| failure.message)?;
        Ok((accepted.resource, accepted.facts))
    }

    #[test]
    fn the_service_fills_in_what_was_not_said() {
        let (body, facts) = accepted(&json!({"clusterName": "abc"})).unwrap();
        assert_eq!(facts.zone, "us-east1-b");
        let config = &body["config"];
        assert_eq!(config["masterConfig"]["instanceNames"], json!(["abc-m"]));
        assert_eq!(
            config["workerConfig"]["instanceNames"],
            json!(["abc-w-0", "abc-w-1"])
        );
        assert_eq!(config["softwareConfig"]["imageVersion"], "2.2-debian12");
        assert_eq!(
            config["gceClusterConfig"]["zoneUri"],
            "https://www.googleapis.com/compute/v1/projects/p/zones/us-east1-b"
        );
        assert_eq!(body["labels"]["goog-dataproc-autozone"], "enabled");
        assert!(config.get("secondaryWorkerConfig").is_none());
    }

    #[test]
    fn wrong_values_are_refused_by_name() {
        let refuse = |body: Value, part: &str| {
            let message = accepted(&body).unwrap_err();
            assert!(message.contains(part), "{message}");
        };
        for name in ["", "Abc", "1a", "a-", "a_b", &"a".repeat(53)] {
            refuse(json!({"clusterName": name}), "Invalid cluster name");
        }
        let with = |config: Value| json!({"clusterName": "a", "config": config});
        refuse(
            with(json!({"lifecycleConfig": {"idleDeleteTtl": "299s"}})),
            "5 minutes and 14 days",
        );
        refuse(
            with(json!({"lifecycleConfig": {"autoDeleteTtl": "1209601s"}})),
            "14 days",
        );
        refuse(
            with(json!({"workerConfig": {"numInstances": 1}})),
            "at least 2",
        );
        refuse(with(json!({"masterConfig": {"numInstances": 2}})), "1 or 3");
        refuse(with(json!({"configBucket": "gs://abc"})), "without gs://");
        refuse(
            with(json!({"softwareConfig": {"imageVersion": "1.5"}})),
            "'1.5' can not be found",
        );
        refuse(
            with(json!({"gceClusterConfig": {"zoneUri": "us-east4-a"}})),
            "not a zone of region",
        );
        refuse(
            with(json!({"lifecycleConfig": {"autoDeleteTime": "1970-01-01T00:09:59Z"}})),
            "10 minutes to 14 days in the future",
        );
        refuse(
            with(json!({"initializationActions": [{"executableFile": "/tmp/a.sh"}]})),
            "gs://BUCKET/OBJECT",
        );
        refuse(
            with(
                json!({"softwareConfig": {"imageVersion": "2.1", "optionalComponents": ["PRESTO"]}}),
            ),
            "PRESTO is not supported",
        );
        let single = json!({"properties": {"dataproc:dataproc.allow.zero.workers": "true"}});
        refuse(
            with(json!({"softwareConfig": single, "secondaryWorkerConfig": {"numInstances": 1}})),
            "can not have secondary workers",
        );
        refuse(
            with(json!({"autoscalingConfig": {"policyUri": "abc"}})),
            "must be projects/PROJECT",
        );
        refuse(
            json!({"clusterName": "a", "labels": {"A": "b"}}),
            "Invalid label",
        );
    }
}
