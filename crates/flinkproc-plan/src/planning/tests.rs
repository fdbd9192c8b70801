//! Requests and the plans that they become.

use std::collections::BTreeMap;

use flinkproc_core::{Explain, FailureKind};
use serde_json::Value;

use super::plan_deployment;
use crate::files::{ArchiveFact, LocalFact, LocalFacts};
use crate::layers::{Layers, Provided};
use crate::place::Source;
use crate::plan::{IdentityPlan, Plan};
use crate::plan_error::PlanError;
use crate::request::{DeployRequest, ResolvedJar, SandboxFacts, sha256_hex};
use crate::spec::AccessSpec;

mod archives;
mod clusters;
mod methods;
mod modes;
mod python;
mod refusals;
mod wishes;

/// A spec that can be planned, without a job's arguments.
const SPEC: &str = "\
[job]
script = 'my etl.py'
python_functions = false
[cluster]
project = 'my-project'
region = 'europe-west4'
image = '2.2'
[staging]
bucket = 'my-bucket'
";

fn file(text: &str) -> LocalFact {
    LocalFact::File {
        size: text.len() as u64,
        sha256: sha256_hex(text.as_bytes()),
        crc32c: None,
        utf8: true,
    }
}

/// The script, a zip and two inputs, as they lie beside the spec in `jobs`.
fn facts() -> LocalFacts {
    let mut facts = LocalFacts::default();
    for path in [
        "my etl.py",
        "lib.zip",
        "lib2.zip",
        "sub/lib.zip",
        "data/a.txt",
        "data/x/b.txt",
        "r.txt",
        "c.jar",
    ] {
        facts.files.insert(format!("jobs/{path}"), file(path));
    }
    for path in [
        "helper.py",
        "page.zip",
        "lib.tar.gz",
        "env.tar.gz",
        "env.bin",
        "pointer.jar",
        "sub/flinkproc-python.tar.gz",
        "broken.txt",
    ] {
        facts.files.insert(format!("jobs/{path}"), file(path));
    }
    let zip = || ArchiveFact::Zip {
        names: [
            "pkg/__init__.py",
            "pkg/main.py",
            "pkg/sub/__main__.py",
            "top/deep.py",
        ]
        .map(ToOwned::to_owned)
        .into(),
    };
    let other = |what: &str| ArchiveFact::Other(what.to_owned());
    for (path, fact) in [
        ("lib.zip", zip()),
        ("c.jar", zip()),
        ("page.zip", other("a web page")),
        ("lib.tar.gz", zip()),
        ("env.tar.gz", ArchiveFact::Gzip),
        ("env.bin", ArchiveFact::Tar),
        ("pointer.jar", other("a pointer of Git LFS")),
    ] {
        facts.archives.insert(format!("jobs/{path}"), fact);
    }
    let hash = format!("--hash=sha256:{}", sha256_hex(b""));
    for (path, text) in [
        ("r.txt", "numpy==1.21.4\n".to_owned()),
        ("broken.txt", "numpy=1.2\n".to_owned()),
        ("lock.txt", format!("apache-flink==1.17.0 {hash}\n")),
        ("lock22.txt", format!("apache-flink==2.2.0 {hash}\n")),
    ] {
        facts.texts.insert(format!("jobs/{path}"), text);
    }
    facts.files.insert("jobs/empty.py".into(), file(""));
    facts
        .files
        .insert("jobs/folder".into(), LocalFact::Directory);
    facts.files.insert(
        "jobs/closed.py".into(),
        LocalFact::Unreadable("permission denied".into()),
    );
    facts.files.insert(
        "jobs/latin.py".into(),
        LocalFact::File {
            size: 3,
            sha256: sha256_hex(b"\xe4"),
            crc32c: None,
            utf8: false,
        },
    );
    let matches = ["jobs/data/a.txt", "jobs/data/x/b.txt"].map(ToOwned::to_owned);
    facts
        .matches
        .insert("jobs/data/**/*.txt".into(), matches.into());
    facts
        .texts
        .insert("jobs/cluster.yaml".into(), CLUSTER.to_owned());
    facts
}

fn connector() -> ResolvedJar {
    ResolvedJar {
        coordinate: "g:kafka:1".to_owned(),
        file_name: "kafka-1.jar".to_owned(),
        local: "/cache/kafka.jar".to_owned(),
        size: 3,
        sha256: sha256_hex(b"jar"),
        crc32c: None,
    }
}

const CLUSTER: &str = "\
clusterName: old
config:
  configBucket: team-bucket
  gceClusterConfig: {zoneUri: europe-west4-b, shieldedInstanceConfig: {enableSecureBoot: true}}
  masterConfig: {numInstances: 3, machineTypeUri: n1-standard-4}
  workerConfig: {numInstances: 5, diskConfig: {bootDiskSizeGb: 200, bootDiskType: pd-ssd}}
  lifecycleConfig: {idleDeleteTtl: 1200s, autoDeleteTime: '2026-01-01T00:00:00Z'}
  softwareConfig:
    imageVersion: 2.1.15-debian11
    optionalComponents: [JUPYTER]
    properties: {'yarn:a': 'b'}
labels: {team: data}
";

struct Case<'a> {
    text: String,
    flags: Vec<&'a str>,
    sandbox: bool,
}

fn with<'a>(flags: &[&'a str]) -> Case<'a> {
    Case {
        text: SPEC.to_owned(),
        flags: flags.to_vec(),
        sandbox: false,
    }
}

impl Case<'_> {
    fn sandbox(mut self) -> Self {
        self.sandbox = true;
        self
    }

    fn plan(&self) -> Result<Plan, PlanError> {
        let flags = self.flags.iter().map(|text| Provided::set(text));
        let spec = Layers {
            name: "flinkproc.toml",
            text: &self.text,
            flags: flags.collect::<Result<_, _>>()?,
            outside: vec![Provided::new(
                "cluster.zone",
                "us-central1-a",
                Source::Outside("gcloud configuration".into()),
            )],
            ..Layers::default()
        }
        .resolve()?;
        plan_deployment(&DeployRequest {
            spec,
            folder: "jobs".to_owned(),
            deployment: "etl-1".parse().expect("valid"),
            run_key: None,
            params: Vec::new(),
            login_user: "ada".to_owned(),
            sandbox: self.sandbox.then_some(SandboxFacts {
                image: None,
                ssh_port: 2222,
            }),
            files: facts(),
            methods: vec!["carrier".to_owned()],
            packages: BTreeMap::from([("kafka".to_owned(), vec![connector()])]),
        })
    }

    fn planned(&self) -> Plan {
        self.plan().expect("this request can be planned")
    }

    fn refused(&self) -> String {
        match self.plan() {
            Ok(plan) => format!("planned:\n{}", plan.render()),
            Err(error) => {
                assert_eq!(error.kind(), FailureKind::Input);
                format!(
                    "{}: {error}\nhelp: {}",
                    error.code(),
                    error.help().unwrap_or_default()
                )
            }
        }
    }
}

/// The commands of a step, a word a space.
fn commands(plan: &Plan, step: &str) -> String {
    let commands = plan.equivalents();
    let of_step = commands.iter().filter(|command| command.step == step);
    of_step
        .map(|command| format!("{}: {}\n", command.place, command.argv.join(" ")))
        .collect()
}

fn json(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("JSON")
}

#[test]
fn a_plan_is_the_same_every_time_and_survives_its_file() {
    let case = with(&[
        "job.args=[\"it's $5\", \"${staging}/input/\"]",
        "job.result=${staging}/output/",
    ]);
    let plan = case.planned();
    assert_eq!(plan, case.planned());
    let text = plan.to_json().expect("JSON");
    assert_eq!(Plan::from_json(&text).expect("reads"), plan);
    let check = |text: &str| {
        Plan::from_json(text)
            .map(|_| ())
            .expect_err("refused")
            .to_string()
    };
    insta::assert_snapshot!(check("{}"), @"this is no plan that this flinkproc can carry out: it has no `format`");
    insta::assert_snapshot!(check(&text.replace("\"format\": 1", "\"format\": 2")), @"this is no plan that this flinkproc can carry out: its format is 2, not 1");
    insta::assert_snapshot!(check("deployment = 1"), @"this is no plan that this flinkproc can carry out: expected value at line 1 column 1");
    insta::assert_snapshot!(plan.render(), @r#"
    Deployment etl-1 of flinkproc.toml

    Steps
       1. check-bucket    see that the bucket my-bucket is there and open to us
       2. stage           upload 1 file, 9 bytes, where not there yet
                            makes gs://my-bucket/flinkproc/ade404b510fe5ce2bc2e7f53379d523bb72b16e85e9afb3fbbb66d323bdc2ce8/my etl.py
       3. create-cluster  create the cluster flink-etl-1 (image 2.2)
                            makes projects/my-project/regions/europe-west4/clusters/flink-etl-1
       4. enter           enter its master as ada with a new key that is valid for 7h
                            makes a key in the OS Login profile or the metadata of flink-etl-1-m, taken out at the end
       5. submit          submit my etl in per-job mode by ssh
                            makes a YARN application with the tag flinkproc-etl-1-1
       6. watch           watch it to its end, at most 6h in all
       7. save-logs       bring the logs home
       8. leave-machine   take the key out again
       9. delete-cluster  delete the cluster
      10. fetch-result    fetch and show gs://my-bucket/flinkproc/deployments/etl-1/output/

    Cluster
      name           projects/my-project/regions/europe-west4/clusters/flink-etl-1
      zone           chosen by Dataproc
      image          2.2
      Flink          1.17.0
      workers        2
      end            deleted by flinkproc when the run ends, however it ends
      safety net     Dataproc deletes it after 30m without work, and at the age of 7h
      on Ctrl-C      the job is cancelled and what was made is deleted

    Job
      name           my etl
      mode           per-job
      method         ssh
      Python         the image's own
      file           my etl.py from gs://my-bucket/flinkproc/ade404b510fe5ce2bc2e7f53379d523bb72b16e85e9afb3fbbb66d323bdc2ce8/my etl.py
      argument       "it's $5"
      argument       "gs://my-bucket/flinkproc/deployments/etl-1/input/"

    Taken without being written
      cluster.component_gateway    = true (built-in)
      cluster.internal_ip_only     = false (built-in)
      cluster.master.machine_type  = left to Dataproc (built-in)
      cluster.max_age              = 7h (watch.deadline and an hour)
      cluster.max_idle             = 30m (built-in)
      cluster.prefix               = flink (built-in)
      cluster.workers              = 2 (built-in)
      cluster.workers.machine_type = left to Dataproc (built-in)
      cluster.zone                 = auto (us-central1-a of the gcloud configuration is not in europe-west4)
      job.method                   = ssh (built-in)
      job.mode                     = per-job (Flink 1.17.0 of image 2.2)
      job.name                     = my etl (job.script)
      python.environment           = image (apache-flink 1.17.0 has wheels for Python 3.7 to 3.10, and image 2.2 brings 3.11)
      ssh.access                   = auto (built-in)
      ssh.config                   = false (built-in)
      ssh.identity                 = ephemeral (built-in)
      ssh.key_ttl                  = 7h (watch.deadline and an hour)
      ssh.port                     = 22 (built-in)
      ssh.user                     = ada (the user who runs flinkproc)
      watch.deadline               = 6h (built-in)
      watch.on_failure             = delete (built-in)
      watch.on_interrupt           = delete (built-in)

    Warnings
      - per-job mode is deprecated since Flink 1.15 and gone in 2.0 (image 2.2 has 1.17.0); `job.mode = "application"` runs on both
      - apache-flink 1.17.0 has wheels for Python 3.7 to 3.10, and image 2.2 brings 3.11: without Python functions the job may run, by the Python files of Flink's own distribution; whether Dataproc's image keeps them is not confirmed
    "#);
}

#[test]
fn a_key_of_ones_own_is_a_file_and_internal_machines_are_met_inside() {
    let plan = with(&["ssh.identity=lib.zip", "cluster.internal_ip_only=true"]).planned();
    assert_eq!(
        plan.ssh.identity,
        IdentityPlan::File("jobs/lib.zip".to_owned())
    );
    assert_eq!(plan.ssh.access, AccessSpec::Auto);
    assert!(plan.steps().iter().all(|step| step.id != "leave-machine"));
}

#[test]
fn an_existing_cluster_is_found_and_never_made_or_deleted() {
    let plan = with(&["cluster.existing=team"]).planned();
    let steps: Vec<_> = plan.steps().iter().map(|step| step.id).collect();
    assert_eq!(
        steps,
        [
            "check-bucket",
            "stage",
            "create-cluster",
            "enter",
            "submit",
            "watch",
            "save-logs",
            "leave-machine"
        ]
    );
    assert!(!plan.cluster.ours);
    assert!(
        plan.equivalents()
            .iter()
            .all(|command| !command.argv.iter().any(|word| word == "delete"))
    );
    assert_eq!(plan.cluster.resource, serde_json::json!({}));
}

#[test]
fn the_sandbox_stands_in_for_the_image_and_needs_no_project() {
    let mut case = with(&["job.python_functions=true"]).sandbox();
    let plan = case.planned();
    insta::assert_snapshot!(plan.warnings.join("\n"), @r#"
    per-job mode is deprecated since Flink 1.15 and gone in 2.0 (image sandbox-1.20 has 1.20.5); `job.mode = "application"` runs on both
    the sandbox has no image 2.2 (Flink 1.17.0): sandbox-1.20 (Flink 1.20.5) stands in for it
    on Dataproc the job would get a shipped Python 3.10: apache-flink 1.17.0 has wheels for Python 3.7 to 3.10, and image 2.2 brings 3.11
    "#);
    assert_eq!(
        plan.cluster.requested_image.map(String::from).as_deref(),
        Some("2.2")
    );
    assert_eq!(
        plan.cluster.resource["config"]["softwareConfig"]["imageVersion"],
        "sandbox-1.20"
    );
    assert_eq!(plan.ssh.port, 2222);
    case.text = "[job]\nscript = 'my etl.py'\n".to_owned();
    let plan = case.planned();
    insta::assert_snapshot!(plan.render(), @r#"
    Deployment etl-1 of flinkproc.toml

    Steps
       1. check-bucket    see that the bucket flinkproc-sandbox is there and open to us
       2. stage           upload 1 file, 9 bytes, where not there yet
                            makes gs://flinkproc-sandbox/flinkproc/ade404b510fe5ce2bc2e7f53379d523bb72b16e85e9afb3fbbb66d323bdc2ce8/my etl.py
       3. create-cluster  create the cluster flink-etl-1 (image sandbox-1.20)
                            makes projects/flinkproc-sandbox/regions/us-central1/clusters/flink-etl-1
       4. enter           enter its master as ada with a new key that is valid for 7h
                            makes a key in the OS Login profile or the metadata of flink-etl-1-m, taken out at the end
       5. submit          submit my etl in per-job mode by ssh
                            makes a YARN application with the tag flinkproc-etl-1-1
       6. watch           watch it to its end, at most 6h in all
       7. save-logs       bring the logs home
       8. leave-machine   take the key out again
       9. delete-cluster  delete the cluster

    Cluster
      name           projects/flinkproc-sandbox/regions/us-central1/clusters/flink-etl-1
      zone           us-central1-a
      image          sandbox-1.20
      Flink          1.20.5
      workers        2
      end            deleted by flinkproc when the run ends, however it ends
      safety net     Dataproc deletes it after 30m without work, and at the age of 7h
      on Ctrl-C      the job is cancelled and what was made is deleted

    Job
      name           my etl
      mode           per-job
      method         ssh
      Python         the image's own
      file           my etl.py from gs://flinkproc-sandbox/flinkproc/ade404b510fe5ce2bc2e7f53379d523bb72b16e85e9afb3fbbb66d323bdc2ce8/my etl.py

    Taken without being written
      cluster.component_gateway    = true (built-in)
      cluster.image                = sandbox-1.20 (sandbox)
      cluster.internal_ip_only     = false (built-in)
      cluster.master.machine_type  = left to Dataproc (built-in)
      cluster.max_age              = 7h (watch.deadline and an hour)
      cluster.max_idle             = 30m (built-in)
      cluster.prefix               = flink (built-in)
      cluster.project              = flinkproc-sandbox (sandbox)
      cluster.region               = us-central1 (cluster.zone)
      cluster.workers              = 2 (built-in)
      cluster.workers.machine_type = left to Dataproc (built-in)
      cluster.zone                 = us-central1-a (gcloud configuration)
      job.method                   = ssh (built-in)
      job.mode                     = per-job (Flink 1.20.5 of image sandbox-1.20)
      job.name                     = my etl (job.script)
      python.environment           = image (apache-flink 1.20.5 has wheels for Python 3.8 to 3.11, and image sandbox-1.20 brings 3.11)
      ssh.access                   = internal (sandbox)
      ssh.config                   = false (built-in)
      ssh.identity                 = ephemeral (built-in)
      ssh.key_ttl                  = 7h (watch.deadline and an hour)
      ssh.port                     = 2222 (sandbox)
      ssh.user                     = ada (the user who runs flinkproc)
      staging.bucket               = flinkproc-sandbox (sandbox)
      watch.deadline               = 6h (built-in)
      watch.on_failure             = delete (built-in)
      watch.on_interrupt           = delete (built-in)

    Warnings
      - per-job mode is deprecated since Flink 1.15 and gone in 2.0 (image sandbox-1.20 has 1.20.5); `job.mode = "application"` runs on both
    "#);
}

#[test]
fn uploads_are_named_by_content_and_inputs_keep_their_folders() {
    let mut case = with(&[
        "job.python_files=[\"lib.zip\", \"gs://bucket/c/remote.py\"]",
        "job.archives=[\"lib2.zip#venv\"]",
    ]);
    case.text += "[[staging.input]]\nfrom = 'data/**/*.txt'\nto = '/texts/'\n[[staging.input]]\nfrom = 'r.txt'\n";
    let plan = case.planned();
    let uploads = plan
        .staging
        .uploads
        .iter()
        .map(|upload| format!("{} -> {}", upload.local, upload.to));
    insta::assert_snapshot!(uploads.collect::<Vec<_>>().join("\n"), @"
    jobs/lib2.zip -> gs://my-bucket/flinkproc/2960436dda705edf4d66e2f5103e256478db0b497257b77406d171b01ce67158/lib2.zip
    jobs/my etl.py -> gs://my-bucket/flinkproc/ade404b510fe5ce2bc2e7f53379d523bb72b16e85e9afb3fbbb66d323bdc2ce8/my etl.py
    jobs/r.txt -> gs://my-bucket/flinkproc/deployments/etl-1/input/r.txt
    jobs/data/a.txt -> gs://my-bucket/flinkproc/deployments/etl-1/input/texts/a.txt
    jobs/data/x/b.txt -> gs://my-bucket/flinkproc/deployments/etl-1/input/texts/x/b.txt
    jobs/lib.zip -> gs://my-bucket/flinkproc/e0201469507c6b9dc8d0ccc0c2fd4b8a4e5f10c534a907f6469f4bc75e929005/lib.zip
    ");
    let files = plan
        .job
        .files
        .iter()
        .map(|file| format!("{} {:?} {}", file.name, file.role, file.sha256.is_some()));
    insta::assert_snapshot!(files.collect::<Vec<_>>().join("\n"), @r#"
    my etl.py Script true
    lib.zip PythonFile true
    remote.py PythonFile false
    lib2.zip Archive { directory: "venv" } true
    "#);
    insta::assert_snapshot!(commands(&plan, "submit"), @"
    on the master: mkdir -p /tmp/flinkproc
    on the master: gcloud storage cp gs://my-bucket/flinkproc/ade404b510fe5ce2bc2e7f53379d523bb72b16e85e9afb3fbbb66d323bdc2ce8/my etl.py /tmp/flinkproc/my etl.py
    on the master: gcloud storage cp gs://my-bucket/flinkproc/e0201469507c6b9dc8d0ccc0c2fd4b8a4e5f10c534a907f6469f4bc75e929005/lib.zip /tmp/flinkproc/lib.zip
    on the master: gcloud storage cp gs://bucket/c/remote.py /tmp/flinkproc/remote.py
    on the master: gcloud storage cp gs://my-bucket/flinkproc/2960436dda705edf4d66e2f5103e256478db0b497257b77406d171b01ce67158/lib2.zip /tmp/flinkproc/lib2.zip
    on the master: flink run -t yarn-per-job -Dpython.client.executable=python3 -Dyarn.application.name=my etl -Dyarn.tags=flinkproc-etl-1-1 -pyfs /tmp/flinkproc/lib.zip,/tmp/flinkproc/remote.py -pyarch /tmp/flinkproc/lib2.zip#venv -pyexec python3 -py /tmp/flinkproc/my etl.py
    ");
}

#[test]
fn free_form_flink_arguments_become_settings() {
    let plan = with(&[
        "job.flink_args=[\"-Da.b=c\", \"-D\", \"d=e\", \"-p\", \"3\"]",
        "job.flink_config.d=f",
    ])
    .planned();
    assert_eq!(plan.job.parallelism, Some(3));
    assert_eq!(
        format!("{:?}", plan.job.flink_config),
        r#"{"a.b": "c", "d": "f"}"#
    );
}

#[test]
fn what_nobody_wrote_is_noted_with_its_source() {
    let mut case = with(&[]);
    case.text = SPEC.replace("region = 'europe-west4'\n", "");
    let plan = case.planned();
    // gcloud's zone gives the region.
    assert_eq!(plan.cluster.cluster.region.as_str(), "us-central1");
    let taken = plan
        .defaults
        .iter()
        .map(|taken| format!("{} = {} ({})", taken.key, taken.value, taken.source));
    insta::assert_snapshot!(taken.collect::<Vec<_>>().join("\n"), @"
    cluster.component_gateway = true (built-in)
    cluster.internal_ip_only = false (built-in)
    cluster.master.machine_type = left to Dataproc (built-in)
    cluster.max_age = 7h (watch.deadline and an hour)
    cluster.max_idle = 30m (built-in)
    cluster.prefix = flink (built-in)
    cluster.region = us-central1 (cluster.zone)
    cluster.workers = 2 (built-in)
    cluster.workers.machine_type = left to Dataproc (built-in)
    cluster.zone = us-central1-a (gcloud configuration)
    job.method = ssh (built-in)
    job.mode = per-job (Flink 1.17.0 of image 2.2)
    job.name = my etl (job.script)
    python.environment = image (apache-flink 1.17.0 has wheels for Python 3.7 to 3.10, and image 2.2 brings 3.11)
    ssh.access = auto (built-in)
    ssh.config = false (built-in)
    ssh.identity = ephemeral (built-in)
    ssh.key_ttl = 7h (watch.deadline and an hour)
    ssh.port = 22 (built-in)
    ssh.user = ada (the user who runs flinkproc)
    watch.deadline = 6h (built-in)
    watch.on_failure = delete (built-in)
    watch.on_interrupt = delete (built-in)
    ");
}
