//! The commands of gcloud and Flink that come nearest to a plan's steps, as argument lists; nothing of ours runs them.

use std::fmt::Write as _;

use serde_json::Value;

use crate::launcher::equivalent_commands;
use crate::methods;
use crate::plan::{EntryPoint, FileRole, JobPlan, Plan, PythonPlan};
use crate::spec::AccessSpec;

/// A command that does nearly what a step does.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Equivalent {
    /// The step, as [`StepPlan::id`](crate::StepPlan::id) names it.
    pub step: &'static str,
    /// Where it runs: `here`, `on the master`, or `in job.sh`, a script that the submission hands to the master.
    pub place: &'static str,
    /// Program and arguments, not quoted for any shell.
    pub argv: Vec<String>,
}

/// Where a person would put the script that a Dataproc job runs on the master.
const SCRIPT: &str = "/tmp/job.sh";

/// Where a built Python lies below its folder; the lock's digest stands for itself.
const BUILT: &str = "LOCK_SHA256/env.tar.gz";

impl Plan {
    /// The commands by which a person would do the same. Secrets are not in them, and what has no command of its own (taking
    /// the exit status home, following the output) is not either.
    #[must_use]
    pub fn equivalents(&self) -> Vec<Equivalent> {
        let mut commands = Vec::new();
        let mut add = |step, argv| {
            let place = "here";
            commands.push(Equivalent { step, place, argv });
        };
        for text in &self.staging.texts {
            let name = text.to.object().rsplit('/').next().unwrap_or_default();
            let to = text.to.to_string();
            add("stage", words(&["gcloud", "storage", "cp", name, &to]));
        }
        for upload in &self.staging.uploads {
            let to = upload.to.to_string();
            add(
                "stage",
                words(&["gcloud", "storage", "cp", &upload.local, &to]),
            );
        }
        let cluster = &self.cluster.cluster;
        let region = format!("--region={}", cluster.region);
        let project = format!("--project={}", cluster.project);
        if self.cluster.ours {
            add("create-cluster", self.create_command());
        }
        if self.ssh.access != AccessSpec::Never {
            add("enter", self.enter_command(&project));
        }
        commands.extend(self.submit_commands());
        let mut add = |step, argv| {
            let place = "here";
            commands.push(Equivalent { step, place, argv });
        };
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

    fn enter_command(&self, project: &str) -> Vec<String> {
        let zone = self.cluster.zone.as_ref();
        let login = format!("{}@{}-m", self.ssh.user, self.cluster.cluster.name);
        let mut enter = words(&["gcloud", "compute", "ssh", &login, project]);
        enter.extend(zone.map(|zone| format!("--zone={zone}")));
        match self.ssh.access {
            AccessSpec::Iap => enter.push("--tunnel-through-iap".to_owned()),
            AccessSpec::Internal => enter.push("--internal-ip".to_owned()),
            AccessSpec::Auto | AccessSpec::External | AccessSpec::Never => {}
        }
        enter
    }

    /// What runs on the master, and the Dataproc job that takes it there where there is one.
    fn submit_commands(&self) -> Vec<Equivalent> {
        let step = "submit";
        let ours = methods::find(&self.job.method);
        if ours.is_some_and(|facts| !facts.uses_launcher) {
            let argv = if self.job.method == "native" {
                self.native_command()
            } else {
                self.pyflink_command()
            };
            return vec![Equivalent {
                step,
                place: "here",
                argv,
            }];
        }
        let direct = ours.is_some_and(|facts| facts.needs_ssh);
        let place = if direct { "on the master" } else { "in job.sh" };
        let tag = format!("{}-1", self.job.tag);
        let inner = equivalent_commands(&self.built_job(), &tag).unwrap_or_default();
        let mut commands: Vec<Equivalent> = inner
            .into_iter()
            .map(|argv| Equivalent { step, place, argv })
            .collect();
        if !direct {
            commands.extend(self.dataproc_commands().into_iter().map(|argv| Equivalent {
                step,
                place: "here",
                argv,
            }));
        }
        commands
    }

    /// The job with the shipped Python where it lies once it was built; its lock is not known before.
    fn built_job(&self) -> JobPlan {
        let mut job = self.job.clone();
        let Some(environment) = &self.staging.environment else {
            return job;
        };
        let built = environment.folder.join(BUILT);
        for file in &mut job.files {
            if let (FileRole::Environment, Ok(built)) = (&file.role, &built) {
                file.from = built.clone();
            }
        }
        job
    }

    /// The commands that hand `job.sh` to the master as a Dataproc job.
    fn dataproc_commands(&self) -> Vec<Vec<String>> {
        let object = format!("{}job.sh", self.staging.home);
        let upload = words(&["gcloud", "storage", "cp", "job.sh", &object]);
        let submit = |kind: &str, more: &[&str]| {
            let mut argv = words(&["gcloud", "dataproc", "jobs", "submit", kind]);
            argv.extend(self.job_flags());
            argv.extend(words(more));
            argv
        };
        let run = match self.job.method.as_str() {
            "pig" => submit(
                "pig",
                &[&format!(
                    "--execute=fs -copyToLocal {object} {SCRIPT}; sh bash {SCRIPT};"
                )],
            ),
            "pyspark" => submit("pyspark", &["run_job.py", &format!("--files={object}")]),
            "hadoop" => submit(
                "hadoop",
                &[
                    "--jar=launcher.jar",
                    &format!("--files={object}"),
                    "--",
                    "job.sh",
                ],
            ),
            // The caller's own method: how it hands the script over is not known here.
            _ => return Vec::new(),
        };
        vec![upload, run]
    }

    /// Dataproc's own Flink job.
    fn native_command(&self) -> Vec<String> {
        let mut argv = words(&["gcloud", "dataproc", "jobs", "submit", "flink"]);
        argv.extend(self.job_flags());
        argv.push("--class=org.apache.flink.client.python.PythonDriver".to_owned());
        let jars = self.addresses(&FileRole::Jar);
        let python = format!(
            "file:///usr/lib/flink/opt/flink-python-{}.jar",
            self.job.flink
        );
        argv.push(format!(
            "--jars={}",
            joined(std::iter::once(python).chain(jars))
        ));
        if let Some(restore) = &self.job.restore {
            argv.push(format!("--savepoint={}", restore.from));
        }
        let files = self.addresses(&FileRole::PythonFile);
        let files = (!files.is_empty()).then(|| ("python.files".to_owned(), files.join(",")));
        argv.extend(self.properties_flag(files));
        argv.push("--".to_owned());
        match &self.job.entry {
            EntryPoint::Module(name) => argv.extend(words(&["-pym", name])),
            EntryPoint::Script(_) => {
                argv.push("-py".to_owned());
                argv.extend(self.addresses(&FileRole::Script));
            }
        }
        argv.extend(self.job.args.iter().map(ToString::to_string));
        argv
    }

    /// Dataproc's own PyFlink job, which gcloud hides.
    fn pyflink_command(&self) -> Vec<String> {
        let mut argv = words(&["gcloud", "dataproc", "jobs", "submit", "pyflink"]);
        let files = self.addresses(&FileRole::PythonFile);
        match &self.job.entry {
            EntryPoint::Script(_) => argv.extend(self.addresses(&FileRole::Script)),
            EntryPoint::Module(name) => {
                argv.extend(files.first().cloned());
                argv.push(format!("--py-module={name}"));
            }
        }
        argv.extend(self.job_flags());
        for (flag, addresses) in [
            ("--py-files", files),
            ("--jars", self.addresses(&FileRole::Jar)),
            ("--py-requirements", self.addresses(&FileRole::Requirements)),
        ] {
            if !addresses.is_empty() {
                argv.push(format!("{flag}={}", joined(addresses.into_iter())));
            }
        }
        if let Some(restore) = &self.job.restore {
            argv.push(format!("--savepoint={}", restore.from));
        }
        argv.extend(self.properties_flag(None));
        argv.push("--".to_owned());
        argv.extend(self.job.args.iter().map(ToString::to_string));
        argv
    }

    /// Flink's configuration as a Dataproc job takes it.
    fn properties_flag(&self, more: Option<(String, String)>) -> Option<String> {
        let mut properties = self.job.flink_config.clone();
        properties.extend(more);
        if let PythonPlan::OnCluster(path) = &self.job.python {
            for key in ["python.executable", "python.client.executable"] {
                properties.insert(key.to_owned(), path.clone());
            }
        }
        if let Some(parallelism) = self.job.parallelism {
            properties.insert("parallelism.default".to_owned(), parallelism.to_string());
        }
        let pairs = properties
            .iter()
            .map(|(key, value)| format!("{key}={value}"));
        (!properties.is_empty()).then(|| format!("--properties={}", joined(pairs)))
    }

    fn job_flags(&self) -> Vec<String> {
        let cluster = &self.cluster.cluster;
        vec![
            format!("--cluster={}", cluster.name),
            format!("--region={}", cluster.region),
            format!("--project={}", cluster.project),
            format!("--id=flinkproc-{}-1", self.deployment),
        ]
    }

    fn addresses(&self, role: &FileRole) -> Vec<String> {
        let files = self.job.files.iter().filter(|file| file.role == *role);
        files.map(|file| file.from.to_string()).collect()
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
