//! The commands of gcloud and Flink that come nearest to a plan's steps, as argument lists; nothing of ours runs them.

use std::fmt::Write as _;

use serde_json::Value;

use crate::plan::Plan;
use crate::planning::job_settings;
use crate::spec::AccessSpec;

/// A command that does nearly what a step does.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Equivalent {
    /// The step, as [`StepPlan::id`](crate::StepPlan::id) names it.
    pub step: &'static str,
    /// Program and arguments, not quoted for any shell.
    pub argv: Vec<String>,
}

impl Plan {
    /// The commands by which a person would do the same. Secrets are not in them.
    #[must_use]
    pub fn equivalents(&self) -> Vec<Equivalent> {
        let mut commands = Vec::new();
        let mut add = |step, argv| commands.push(Equivalent { step, argv });
        for upload in &self.staging.uploads {
            add(
                "stage",
                words(&[
                    "gcloud",
                    "storage",
                    "cp",
                    &upload.local,
                    &upload.to.to_string(),
                ]),
            );
        }
        let cluster = &self.cluster.cluster;
        let region = format!("--region={}", cluster.region);
        let project = format!("--project={}", cluster.project);
        if self.cluster.ours {
            add("create-cluster", self.create_command());
        }
        let zone = self
            .cluster
            .zone
            .as_ref()
            .map(|zone| format!("--zone={zone}"));
        let login = format!("{}@{}-m", self.ssh.user, cluster.name);
        let mut enter = words(&["gcloud", "compute", "ssh", &login, &project]);
        enter.extend(zone);
        match self.ssh.access {
            AccessSpec::Never => return Vec::new(),
            AccessSpec::Iap => enter.push("--tunnel-through-iap".to_owned()),
            AccessSpec::Internal => enter.push("--internal-ip".to_owned()),
            AccessSpec::Auto | AccessSpec::External => {}
        }
        add("enter", enter);
        if let Ok(argv) = job_settings(&self.job, ".").argv() {
            add(
                "submit",
                std::iter::once("flink".to_owned()).chain(argv).collect(),
            );
        }
        if self.cluster.ours {
            let name = cluster.name.as_str();
            add(
                "delete-cluster",
                words(&[
                    "gcloud", "dataproc", "clusters", "delete", name, &region, &project, "--quiet",
                ]),
            );
        }
        if let Some(result) = &self.job.result {
            let objects = if result.object().ends_with('/') {
                format!("{result}**")
            } else {
                result.to_string()
            };
            add(
                "fetch-result",
                words(&["gcloud", "storage", "cat", &objects]),
            );
        }
        commands
    }

    fn create_command(&self) -> Vec<String> {
        let cluster = &self.cluster.cluster;
        let name = cluster.name.as_str();
        let mut argv = words(&["gcloud", "dataproc", "clusters", "create", name]);
        argv.push(format!("--region={}", cluster.region));
        argv.push(format!("--project={}", cluster.project));
        let at = |pointer: &str| self.cluster.resource.pointer(pointer);
        for (pointer, flag) in FLAGS {
            if let Some(text) = at(pointer).and_then(|value| flag_text(flag, value)) {
                argv.push(text);
            }
        }
        if at("/config/workerConfig").is_none() {
            argv.push("--single-node".to_owned());
        }
        argv
    }
}

/// Where a flag's value is in the resource. A flag that ends with `=` takes the value, one that begins with `!` stands for
/// `false`, another one for `true`.
const FLAGS: [(&str, &str); 32] = [
    ("/config/gceClusterConfig/zoneUri", "--zone="),
    ("/config/softwareConfig/imageVersion", "--image-version="),
    (
        "/config/softwareConfig/optionalComponents",
        "--optional-components=",
    ),
    (
        "/config/masterConfig/machineTypeUri",
        "--master-machine-type=",
    ),
    (
        "/config/masterConfig/diskConfig/bootDiskSizeGb",
        "--master-boot-disk-size=GB",
    ),
    (
        "/config/masterConfig/diskConfig/bootDiskType",
        "--master-boot-disk-type=",
    ),
    (
        "/config/masterConfig/diskConfig/numLocalSsds",
        "--num-master-local-ssds=",
    ),
    ("/config/workerConfig/numInstances", "--num-workers="),
    (
        "/config/workerConfig/machineTypeUri",
        "--worker-machine-type=",
    ),
    (
        "/config/workerConfig/diskConfig/bootDiskSizeGb",
        "--worker-boot-disk-size=GB",
    ),
    (
        "/config/workerConfig/diskConfig/bootDiskType",
        "--worker-boot-disk-type=",
    ),
    (
        "/config/workerConfig/diskConfig/numLocalSsds",
        "--num-worker-local-ssds=",
    ),
    (
        "/config/secondaryWorkerConfig/numInstances",
        "--num-secondary-workers=",
    ),
    (
        "/config/secondaryWorkerConfig/preemptibility",
        "--secondary-worker-type=lower",
    ),
    ("/config/gceClusterConfig/networkUri", "--network="),
    ("/config/gceClusterConfig/subnetworkUri", "--subnet="),
    ("/config/gceClusterConfig/tags", "--tags="),
    (
        "/config/gceClusterConfig/serviceAccount",
        "--service-account=",
    ),
    ("/config/gceClusterConfig/serviceAccountScopes", "--scopes="),
    ("/config/gceClusterConfig/internalIpOnly", "--no-address"),
    (
        "/config/gceClusterConfig/internalIpOnly",
        "!--public-ip-address",
    ),
    ("/config/gceClusterConfig/metadata", "--metadata="),
    (
        "/config/endpointConfig/enableHttpPortAccess",
        "--enable-component-gateway",
    ),
    ("/config/lifecycleConfig/idleDeleteTtl", "--max-idle="),
    ("/config/lifecycleConfig/autoDeleteTtl", "--max-age="),
    ("/labels", "--labels="),
    ("/config/softwareConfig/properties", "--properties="),
    ("/config/initializationActions", "--initialization-actions="),
    (
        "/config/autoscalingConfig/policyUri",
        "--autoscaling-policy=",
    ),
    (
        "/config/encryptionConfig/gcePdKmsKeyName",
        "--gce-pd-kms-key=",
    ),
    ("/config/configBucket", "--bucket="),
    ("/config/tempBucket", "--temp-bucket="),
];

fn flag_text(flag: &str, value: &Value) -> Option<String> {
    if let Some(flag) = flag.strip_prefix('!') {
        return (value == &Value::Bool(false)).then(|| flag.to_owned());
    }
    let Some((name, unit)) = flag.split_once('=') else {
        return (value == &Value::Bool(true)).then(|| flag.to_owned());
    };
    let text = match value {
        Value::Null => return None,
        Value::String(text) if text.is_empty() => return None,
        Value::String(text) if unit == "lower" => text.to_lowercase().replace('_', "-"),
        Value::Array(items) => joined(items.iter().map(|item| {
            let item = item.get("executableFile").unwrap_or(item);
            scalar(item)
        })),
        Value::Object(entries) => joined(
            entries
                .iter()
                .map(|(key, value)| format!("{key}={}", scalar(value))),
        ),
        other => scalar(other) + unit,
    };
    Some(format!("{name}={}", text.trim_end_matches("lower")))
}

fn scalar(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), ToOwned::to_owned)
}

/// A list as gcloud reads it: by commas, or by another character where a comma is in an item (`gcloud topic escaping`).
fn joined(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    if !items.iter().any(|item| item.contains(',')) {
        return items.join(",");
    }
    let free = |c: &&str| !items.iter().any(|item| item.contains(c));
    let separator = ["#", ";", "|", "~"].into_iter().find(free).unwrap_or("@@");
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write!(text, "^{separator}^{}", items.join(separator));
    text
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}
