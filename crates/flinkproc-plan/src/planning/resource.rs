//! The Dataproc v1 `Cluster` resource in the API's JSON: lowerCamelCase, enums by name, durations in seconds.
//!
//! Field names are those of the v1 reference; which gcloud flag becomes which field was measured with SDK 528.

use flinkproc_core::{ByteSize, ClusterRef, ImageVersion, Span, Zone};
use serde_json::{Map, Value, json};

use super::Draft;
use super::cluster::Additions;
use super::cluster_file::ClusterFile;
use crate::plan_error::PlanError;
use crate::spec::{ClusterSpec, Preemptibility};

/// The label that marks a cluster as ours.
const LABEL: &str = "flinkproc";

/// How long the script that makes a Python may take, in seconds: it downloads some 700 MB on every machine.
const ACTION_TIMEOUT: u64 = 1800;

/// What was decided already.
pub(super) struct Parts<'a> {
    pub(super) cluster: &'a ClusterRef,
    pub(super) zone: Option<&'a Zone>,
    pub(super) image: &'a ImageVersion,
    pub(super) max_idle: Span,
    pub(super) max_age: Span,
    pub(super) additions: &'a Additions<'a>,
}

/// Lays what was decided and what the spec writes over the file's resource.
pub(super) fn build(
    draft: &mut Draft<'_>,
    file: ClusterFile,
    parts: &Parts<'_>,
) -> Result<Value, PlanError> {
    let spec = &draft.spec().cluster;
    let mut resource = Resource(file.resource);
    resource.set(&["projectId"], json!(parts.cluster.project));
    resource.set(&["clusterName"], json!(parts.cluster.name));
    labels(draft, &mut resource)?;
    machines(draft, &mut resource, parts)?;
    workers(draft, &mut resource)?;
    software(draft, &mut resource, parts)?;
    let gateway = ["config", "endpointConfig", "enableHttpPortAccess"];
    if spec.component_gateway.is_some() || resource.get(&gateway).is_none() {
        let on = draft.or_built_in("cluster.component_gateway", spec.component_gateway, true);
        resource.set(&gateway, json!(on));
    }
    resource.set(
        &["config", "lifecycleConfig", "idleDeleteTtl"],
        json!(parts.max_idle.to_google_json()),
    );
    resource.set(
        &["config", "lifecycleConfig", "autoDeleteTtl"],
        json!(parts.max_age.to_google_json()),
    );
    // A fixed time of day from another cluster's life would end this one at once.
    resource.remove(&["config", "lifecycleConfig"], "autoDeleteTime");
    resource.remove(&["config", "lifecycleConfig"], "idleStartTime");
    if let Some(index) = spec
        .initialization_actions
        .iter()
        .position(|action| !action.script.starts_with("gs://"))
    {
        return Err(PlanError::Invalid {
            at: draft.at(&format!("cluster.initialization_actions[{index}].script")),
            value: spec.initialization_actions[index].script.clone(),
            problem: "every machine fetches it: it is the address of an object, `gs://…`"
                .to_owned(),
        });
    }
    around(spec, &mut resource, parts);
    Ok(resource.0)
}

fn labels(draft: &Draft<'_>, resource: &mut Resource) -> Result<(), PlanError> {
    for (name, value) in draft.spec().cluster.labels.iter() {
        let at = || draft.at(&format!("cluster.labels.{name}"));
        let plain = |text: &str| {
            text.chars().count() <= 63
                && text
                    .chars()
                    .all(|c| matches!(c, '-' | '_') || (c.is_alphanumeric() && !c.is_uppercase()))
        };
        let problem = if name == LABEL {
            "flinkproc sets this label, to find its clusters by it"
        } else if !plain(name) || !name.starts_with(char::is_alphabetic) || !plain(value) {
            "labels are at most 63 lower-case letters, digits, hyphens and underscores, and their names start with a letter"
        } else {
            resource.set(&["labels", name], json!(value));
            continue;
        };
        return Err(PlanError::Invalid {
            at: at(),
            value: value.clone(),
            problem: problem.to_owned(),
        });
    }
    resource.set(&["labels", LABEL], json!(draft.request.deployment));
    Ok(())
}

/// What all machines share.
fn machines(
    draft: &mut Draft<'_>,
    resource: &mut Resource,
    parts: &Parts<'_>,
) -> Result<(), PlanError> {
    let spec = &draft.spec().cluster;
    let mut gce = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            resource.set(&["config", "gceClusterConfig", key], value);
        }
    };
    if spec.network.is_some() && spec.subnetwork.is_some() {
        return Err(PlanError::Conflict {
            first: "cluster.network".to_owned(),
            second: "cluster.subnetwork".to_owned(),
        });
    }
    // An empty address lets Dataproc choose the zone.
    let automatic = spec.zone.as_deref() == Some("auto");
    gce(
        "zoneUri",
        parts
            .zone
            .map(|zone| json!(zone))
            .or(automatic.then(|| json!(""))),
    );
    gce("networkUri", spec.network.as_ref().map(|text| json!(text)));
    gce(
        "subnetworkUri",
        spec.subnetwork.as_ref().map(|text| json!(text)),
    );
    gce("tags", some(&spec.network_tags));
    gce(
        "serviceAccount",
        spec.service_account.as_ref().map(|text| json!(text)),
    );
    // Images up to 2.0 do not have this scope by default.
    let scopes = if spec.scopes.is_empty() && parts.image.line() == "2.0" {
        Some(json!(["https://www.googleapis.com/auth/cloud-platform"]))
    } else {
        some(&spec.scopes)
    };
    gce("serviceAccountScopes", scopes);
    gce("internalIpOnly", spec.internal_ip_only.map(|on| json!(on)));
    // From image 2.2 on Dataproc gives no external addresses unless it is told to, and then nobody outside gets in.
    let internal = ["config", "gceClusterConfig", "internalIpOnly"];
    if resource.get(&internal).is_none() {
        draft.note("cluster.internal_ip_only", "false", super::BUILT_IN);
        resource.set(&internal, json!(false));
    }
    if spec.network.is_some() {
        resource.remove(&["config", "gceClusterConfig"], "subnetworkUri");
    } else if spec.subnetwork.is_some() {
        resource.remove(&["config", "gceClusterConfig"], "networkUri");
    }
    for (name, value) in spec.metadata.iter() {
        if name.ends_with("PYTHONHOME") {
            return Err(PlanError::PythonHome {
                at: draft.at(&format!("cluster.metadata.{name}")),
            });
        }
        resource.set(
            &["config", "gceClusterConfig", "metadata", name],
            json!(value),
        );
    }
    Ok(())
}

fn some(list: &[String]) -> Option<Value> {
    (!list.is_empty()).then(|| json!(list))
}

/// One group's machine and disks.
struct Group<'a> {
    config: &'static str,
    machine_type: Option<&'a str>,
    boot_disk_size: Option<ByteSize>,
    boot_disk_type: Option<&'a str>,
    local_ssds: Option<u32>,
}

fn group(resource: &mut Resource, group: &Group<'_>) {
    let config = group.config;
    let mut set = |keys: &[&str], value: Option<Value>| {
        if let Some(value) = value {
            let path: Vec<&str> = ["config", config].iter().chain(keys).copied().collect();
            resource.set(&path, value);
        }
    };
    set(
        &["machineTypeUri"],
        group.machine_type.map(|text| json!(text)),
    );
    let gib = group.boot_disk_size.map(|size| json!(size.gib_ceil()));
    set(&["diskConfig", "bootDiskSizeGb"], gib);
    set(
        &["diskConfig", "bootDiskType"],
        group.boot_disk_type.map(|text| json!(text)),
    );
    set(
        &["diskConfig", "numLocalSsds"],
        group.local_ssds.map(|count| json!(count)),
    );
}

fn workers(draft: &mut Draft<'_>, resource: &mut Resource) -> Result<(), PlanError> {
    let spec = &draft.spec().cluster;
    let masters = ["config", "masterConfig", "numInstances"];
    match resource.get(&masters).and_then(Value::as_u64) {
        None => resource.set(&masters, json!(1)),
        Some(1) => {}
        Some(count) => draft.warn(format!(
            "the cluster has {count} masters; one is recommended: Dataproc's high availability does not cover Flink"
        )),
    }
    let master = &spec.master;
    group(
        resource,
        &Group {
            config: "masterConfig",
            machine_type: master.machine_type.as_deref(),
            boot_disk_size: master.boot_disk_size,
            boot_disk_type: master.boot_disk_type.as_deref(),
            local_ssds: master.local_ssds,
        },
    );
    let workers = &spec.workers;
    let path = ["config", "workerConfig", "numInstances"];
    let in_file = resource.get(&path).and_then(Value::as_u64);
    let count = workers.count.map(u64::from).or(in_file);
    let count = draft.or_built_in("cluster.workers", count, 2);
    if count == 0 {
        let property = "dataproc:dataproc.allow.zero.workers";
        resource.set(
            &["config", "softwareConfig", "properties", property],
            json!("true"),
        );
        resource.remove(&["config"], "workerConfig");
    } else {
        resource.set(&path, json!(count));
        group(
            resource,
            &Group {
                config: "workerConfig",
                machine_type: workers.machine_type.as_deref(),
                boot_disk_size: workers.boot_disk_size,
                boot_disk_type: workers.boot_disk_type.as_deref(),
                local_ssds: workers.local_ssds,
            },
        );
    }
    if count == 1 {
        draft.warn("cluster.workers is 1: Dataproc may want none or at least 2 primary workers (not confirmed)");
    }
    for (key, machine, config) in [
        (
            "cluster.master.machine_type",
            &master.machine_type,
            "masterConfig",
        ),
        (
            "cluster.workers.machine_type",
            &workers.machine_type,
            "workerConfig",
        ),
    ] {
        let absent = machine.is_none()
            && resource
                .get(&["config", config, "machineTypeUri"])
                .is_none();
        if absent && resource.get(&["config", config]).is_some() {
            draft.note(key, "left to Dataproc", super::BUILT_IN);
        }
    }
    secondary(draft, resource, count);
    Ok(())
}

fn secondary(draft: &mut Draft<'_>, resource: &mut Resource, primary: u64) {
    let spec = &draft.spec().cluster.secondary_workers;
    let path = ["config", "secondaryWorkerConfig", "numInstances"];
    let kind = ["config", "secondaryWorkerConfig", "preemptibility"];
    if let Some(count) = spec.count {
        resource.set(&path, json!(count));
    }
    match resource.get(&path).and_then(Value::as_u64) {
        None | Some(0) => resource.remove(&["config"], "secondaryWorkerConfig"),
        Some(_) => {
            if spec.preemptibility.is_some() || resource.get(&kind).is_none() {
                let written = spec.preemptibility.map(Preemptibility::api_name);
                let name =
                    draft.or_built_in("cluster.secondary_workers.preemptibility", written, "SPOT");
                resource.set(&kind, json!(name));
            }
            group(
                resource,
                &Group {
                    config: "secondaryWorkerConfig",
                    machine_type: None,
                    boot_disk_size: spec.boot_disk_size,
                    boot_disk_type: spec.boot_disk_type.as_deref(),
                    local_ssds: spec.local_ssds,
                },
            );
            if primary == 0 {
                draft.warn("a cluster without primary workers takes no secondary workers");
            }
        }
    }
}

fn software(
    draft: &mut Draft<'_>,
    resource: &mut Resource,
    parts: &Parts<'_>,
) -> Result<(), PlanError> {
    let spec = &draft.spec().cluster;
    resource.set(
        &["config", "softwareConfig", "imageVersion"],
        json!(parts.image),
    );
    for (name, value) in spec.properties.iter() {
        let at = || draft.at(&format!("cluster.properties.{name}"));
        if name.ends_with("PYTHONHOME") {
            return Err(PlanError::PythonHome { at: at() });
        }
        if !name.contains(':') {
            return Err(PlanError::Invalid {
                at: at(),
                value: value.clone(),
                problem: format!(
                    "a property is written with the file that it goes to, such as `flink:{name}`"
                ),
            });
        }
        resource.set(
            &["config", "softwareConfig", "properties", name],
            json!(value),
        );
    }
    let considers = "dataproc:dataproc.cluster-ttl.consider-yarn-activity";
    let path = ["config", "softwareConfig", "properties", considers];
    if resource.get(&path).and_then(Value::as_str) == Some("false") {
        draft.warn(format!(
            "{considers} is false: a job that was submitted over SSH does not keep the cluster from being idle, and max_idle may end it while the job runs"
        ));
    }
    let path = ["config", "softwareConfig", "optionalComponents"];
    let mut components = vec![json!("FLINK")];
    let in_file = resource.get(&path).and_then(Value::as_array).cloned();
    let written = spec
        .components
        .iter()
        .map(|name| json!(name.to_uppercase()));
    // Where components are not installed while the cluster is made, the image has them.
    let method = parts.additions.components.iter();
    let method = method.filter(|_| parts.image.installs_components_at_create());
    let written = written.chain(method.map(|name| json!(name)));
    for name in in_file.into_iter().flatten().chain(written) {
        if !components.contains(&name) {
            components.push(name);
        }
    }
    resource.set(&path, Value::Array(components));
    Ok(())
}

/// What stands around the machines: actions, policies, keys and buckets.
fn around(spec: &ClusterSpec, resource: &mut Resource, parts: &Parts<'_>) {
    let path = ["config", "initializationActions"];
    let ours = parts.additions.action.map(|script| {
        let timeout = Span::from_secs(ACTION_TIMEOUT).to_google_json();
        json!({"executableFile": script, "executionTimeout": timeout})
    });
    let in_file = resource.get(&path).and_then(Value::as_array).cloned();
    let written = spec.initialization_actions.iter().map(|action| match action.timeout {
        None => json!({"executableFile": action.script}),
        Some(timeout) => {
            json!({"executableFile": action.script, "executionTimeout": timeout.to_google_json()})
        }
    });
    // What the spec writes replaces the file's; ours comes first, so that the others find the Python.
    let others = if spec.initialization_actions.is_empty() {
        in_file.unwrap_or_default()
    } else {
        written.collect()
    };
    if ours.is_some() || !spec.initialization_actions.is_empty() {
        resource.set(&path, ours.into_iter().chain(others).collect());
    }
    if let Some(policy) = &spec.autoscaling_policy {
        let ClusterRef {
            project, region, ..
        } = parts.cluster;
        let uri = if policy.contains('/') {
            policy.clone()
        } else {
            format!("projects/{project}/regions/{region}/autoscalingPolicies/{policy}")
        };
        resource.set(&["config", "autoscalingConfig", "policyUri"], json!(uri));
    }
    for (key, keys) in [
        (
            &spec.encryption_key,
            &["config", "encryptionConfig", "gcePdKmsKeyName"][..],
        ),
        (&spec.config_bucket, &["config", "configBucket"]),
        (&spec.temp_bucket, &["config", "tempBucket"]),
    ] {
        if let Some(text) = key {
            resource.set(keys, json!(text));
        }
    }
}

/// A JSON object that is filled by paths.
struct Resource(Value);

impl Resource {
    fn get(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(&self.0, |value, key| value.get(key))
    }

    fn set(&mut self, path: &[&str], value: Value) {
        *entry(&mut self.0, path) = value;
    }

    fn remove(&mut self, path: &[&str], key: &str) {
        if self.get(path).is_some()
            && let Value::Object(map) = entry(&mut self.0, path)
        {
            map.shift_remove(key);
        }
    }
}

/// The value at a path; what lacks on the way is made.
fn entry<'a>(value: &'a mut Value, path: &[&str]) -> &'a mut Value {
    let Some((key, rest)) = path.split_first() else {
        return value;
    };
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    entry(&mut value[*key], rest)
}
