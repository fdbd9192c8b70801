//! Requests and the plans or refusals that they become.

use flinkproc_core::{Explain, FailureKind};
use serde_json::Value;

use super::plan_deployment;
use crate::files::{LocalFact, LocalFacts};
use crate::layers::{Layers, Provided};
use crate::place::Source;
use crate::plan::Plan;
use crate::plan_error::PlanError;
use crate::request::{DeployRequest, SandboxFacts, sha256_hex};

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
      1. stage           upload 1 files, 9 bytes, where they are not there yet
                           makes gs://my-bucket/flinkproc/ade404b510fe5ce2bc2e7f53379d523bb72b16e85e9afb3fbbb66d323bdc2ce8/my etl.py
      2. create-cluster  create the cluster flink-etl-1 (image 2.2)
                           makes projects/my-project/regions/europe-west4/clusters/flink-etl-1
      3. enter           enter its master as ada with a new key that is valid for 7h
                           makes an entry in the metadata of flink-etl-1-m, taken out at the end
      4. submit          submit my etl in per-job mode by ssh
                           makes a YARN application with the tag flinkproc-etl-1-1
      5. watch           watch it to its end, at most 6h in all
      6. save-logs       bring the logs home
      7. delete-cluster  delete the cluster
      8. fetch-result    fetch and show gs://my-bucket/flinkproc/deployments/etl-1/output/

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
      file           my etl.py from gs://my-bucket/flinkproc/ade404b510fe5ce2bc2e7f53379d523bb72b16e85e9afb3fbbb66d323bdc2ce8/my etl.py
      argument       "it's $5"
      argument       "gs://my-bucket/flinkproc/deployments/etl-1/input/"

    Taken without being written
      cluster.component_gateway    = true (built-in)
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
      ssh.identity                 = ephemeral (built-in)
      ssh.internal_address         = false (cluster.internal_ip_only)
      ssh.key_ttl                  = 7h (watch.deadline and an hour)
      ssh.port                     = 22 (built-in)
      ssh.user                     = ada (the user who runs flinkproc)
      watch.deadline               = 6h (built-in)
      watch.on_failure             = delete (built-in)
      watch.on_interrupt           = delete (built-in)

    Warnings
      - PyFlink 1.17.0 exists for Python 3.7 to 3.10 and image 2.2 has 3.11: without Python functions the job may run, by the Python files of Flink's own distribution; whether Dataproc's image keeps them is not confirmed
    "#);
}

#[test]
fn the_resource_of_a_plain_cluster() {
    insta::assert_snapshot!(json(&with(&[]).planned().cluster.resource), @r#"
    {
      "projectId": "my-project",
      "clusterName": "flink-etl-1",
      "labels": {
        "flinkproc": "etl-1"
      },
      "config": {
        "masterConfig": {
          "numInstances": 1
        },
        "workerConfig": {
          "numInstances": 2
        },
        "softwareConfig": {
          "imageVersion": "2.2",
          "optionalComponents": [
            "FLINK"
          ]
        },
        "endpointConfig": {
          "enableHttpPortAccess": true
        },
        "lifecycleConfig": {
          "idleDeleteTtl": "1800s",
          "autoDeleteTtl": "25200s"
        }
      }
    }
    "#);
}

#[test]
fn every_key_finds_its_field() {
    let flags = [
        "cluster.zone=auto",
        "cluster.name=fixed",
        "cluster.master.machine_type=n2-standard-4",
        "cluster.master.boot_disk_size=1000MiB",
        "cluster.workers=4",
        "cluster.workers.machine_type=n2-highmem-4",
        "cluster.workers.boot_disk_type=pd-balanced",
        "cluster.workers.local_ssds=1",
        "cluster.secondary_workers=2",
        "cluster.subnetwork=sub0",
        "cluster.network_tags=[\"a\", \"b\"]",
        "cluster.service_account=sa@my-project.iam.gserviceaccount.com",
        "cluster.scopes=[\"cloud-platform\"]",
        "cluster.internal_ip_only=true",
        "cluster.component_gateway=false",
        "cluster.max_idle=15m",
        "cluster.max_age=2d",
        "cluster.labels.team=data",
        "cluster.properties.flink:taskmanager.numberOfTaskSlots=2",
        "cluster.metadata.key=a,b",
        "cluster.components=[\"docker\"]",
        "cluster.initialization_actions=[{script = \"gs://b/i.sh\", timeout = \"5m\"}]",
        "cluster.autoscaling_policy=up-only",
        "cluster.encryption_key=projects/p/locations/l/keyRings/r/cryptoKeys/k",
        "cluster.config_bucket=own",
        "cluster.temp_bucket=temp",
    ];
    let plan = with(&flags).planned();
    insta::assert_snapshot!(json(&plan.cluster.resource), @r#"
    {
      "projectId": "my-project",
      "clusterName": "fixed",
      "labels": {
        "team": "data",
        "flinkproc": "etl-1"
      },
      "config": {
        "gceClusterConfig": {
          "zoneUri": "",
          "subnetworkUri": "sub0",
          "tags": [
            "a",
            "b"
          ],
          "serviceAccount": "sa@my-project.iam.gserviceaccount.com",
          "serviceAccountScopes": [
            "cloud-platform"
          ],
          "internalIpOnly": true,
          "metadata": {
            "key": "a,b"
          }
        },
        "masterConfig": {
          "numInstances": 1,
          "machineTypeUri": "n2-standard-4",
          "diskConfig": {
            "bootDiskSizeGb": 1
          }
        },
        "workerConfig": {
          "numInstances": 4,
          "machineTypeUri": "n2-highmem-4",
          "diskConfig": {
            "bootDiskType": "pd-balanced",
            "numLocalSsds": 1
          }
        },
        "secondaryWorkerConfig": {
          "numInstances": 2,
          "preemptibility": "SPOT"
        },
        "softwareConfig": {
          "imageVersion": "2.2",
          "properties": {
            "flink:taskmanager.numberOfTaskSlots": "2"
          },
          "optionalComponents": [
            "FLINK",
            "DOCKER"
          ]
        },
        "endpointConfig": {
          "enableHttpPortAccess": false
        },
        "lifecycleConfig": {
          "idleDeleteTtl": "900s",
          "autoDeleteTtl": "172800s"
        },
        "initializationActions": [
          {
            "executableFile": "gs://b/i.sh",
            "executionTimeout": "300s"
          }
        ],
        "autoscalingConfig": {
          "policyUri": "projects/my-project/regions/europe-west4/autoscalingPolicies/up-only"
        },
        "encryptionConfig": {
          "gcePdKmsKeyName": "projects/p/locations/l/keyRings/r/cryptoKeys/k"
        },
        "configBucket": "own",
        "tempBucket": "temp"
      }
    }
    "#);
    let create = plan
        .equivalents()
        .into_iter()
        .find(|command| command.step == "create-cluster");
    insta::assert_snapshot!(create.expect("there").argv.join("\n"), @"
    gcloud
    dataproc
    clusters
    create
    fixed
    --region=europe-west4
    --project=my-project
    --image-version=2.2
    --optional-components=FLINK,DOCKER
    --master-machine-type=n2-standard-4
    --master-boot-disk-size=1GB
    --num-workers=4
    --worker-machine-type=n2-highmem-4
    --worker-boot-disk-type=pd-balanced
    --num-worker-local-ssds=1
    --num-secondary-workers=2
    --secondary-worker-type=spot
    --subnet=sub0
    --tags=a,b
    --service-account=sa@my-project.iam.gserviceaccount.com
    --scopes=cloud-platform
    --no-address
    --metadata=^#^key=a,b
    --max-idle=900s
    --max-age=172800s
    --labels=team=data,flinkproc=etl-1
    --properties=flink:taskmanager.numberOfTaskSlots=2
    --initialization-actions=gs://b/i.sh
    --autoscaling-policy=projects/my-project/regions/europe-west4/autoscalingPolicies/up-only
    --gce-pd-kms-key=projects/p/locations/l/keyRings/r/cryptoKeys/k
    --bucket=own
    --temp-bucket=temp
    ");
}

#[test]
fn an_exported_cluster_passes_through_below_the_typed_keys() {
    let mut case = with(&["cluster.from=cluster.yaml", "cluster.workers=7"]);
    case.text = SPEC.replace("image = '2.2'\n", "");
    let plan = case.planned();
    assert_eq!(plan.cluster.image.as_str(), "2.1.15-debian11");
    insta::assert_snapshot!(json(&plan.cluster.resource), @r#"
    {
      "labels": {
        "team": "data",
        "flinkproc": "etl-1"
      },
      "config": {
        "configBucket": "team-bucket",
        "gceClusterConfig": {
          "zoneUri": "europe-west4-b",
          "shieldedInstanceConfig": {
            "enableSecureBoot": true
          }
        },
        "masterConfig": {
          "numInstances": 3,
          "machineTypeUri": "n1-standard-4"
        },
        "workerConfig": {
          "numInstances": 7,
          "diskConfig": {
            "bootDiskSizeGb": 200,
            "bootDiskType": "pd-ssd"
          }
        },
        "lifecycleConfig": {
          "idleDeleteTtl": "1200s",
          "autoDeleteTtl": "25200s"
        },
        "softwareConfig": {
          "imageVersion": "2.1.15-debian11",
          "optionalComponents": [
            "FLINK",
            "JUPYTER"
          ],
          "properties": {
            "yarn:a": "b"
          }
        },
        "endpointConfig": {
          "enableHttpPortAccess": true
        }
      },
      "projectId": "my-project",
      "clusterName": "flink-etl-1"
    }
    "#);
    insta::assert_snapshot!(plan.warnings.join("\n"), @"
    PyFlink 1.15.4 exists for Python 3.6 to 3.8 and image 2.1.15-debian11 has 3.10: without Python functions the job may run, by the Python files of Flink's own distribution; whether Dataproc's image keeps them is not confirmed
    the cluster has 3 masters; one is recommended: Dataproc's high availability does not cover Flink
    ");
}

#[test]
fn a_single_node_has_no_worker_group() {
    let plan = with(&["cluster.workers=0"]).planned();
    let config = &plan.cluster.resource["config"];
    assert_eq!(config.get("workerConfig"), None);
    assert_eq!(
        config["softwareConfig"]["properties"]["dataproc:dataproc.allow.zero.workers"],
        "true"
    );
}

#[test]
fn an_existing_cluster_is_found_and_never_made_or_deleted() {
    let plan = with(&["cluster.existing=team"]).planned();
    let steps: Vec<_> = plan.steps().iter().map(|step| step.id).collect();
    assert_eq!(
        steps,
        [
            "stage",
            "find-cluster",
            "enter",
            "submit",
            "watch",
            "save-logs"
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
    insta::assert_snapshot!(plan.warnings.join("\n"), @"
    the sandbox has no image 2.2 (Flink 1.17.0): sandbox-1.20 (Flink 1.20) stands in for it
    on Dataproc this would be refused: image 2.2 has Python 3.11, and PyFlink 1.17.0 exists for Python 3.7 to 3.10 only
    ");
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
    insta::assert_snapshot!(plan.render(), @"
    Deployment etl-1 of flinkproc.toml

    Steps
      1. stage           upload 1 files, 9 bytes, where they are not there yet
                           makes gs://flinkproc-sandbox/flinkproc/ade404b510fe5ce2bc2e7f53379d523bb72b16e85e9afb3fbbb66d323bdc2ce8/my etl.py
      2. create-cluster  create the cluster flink-etl-1 (image sandbox-1.20)
                           makes projects/flinkproc-sandbox/regions/us-central1/clusters/flink-etl-1
      3. enter           enter its master as ada with a new key that is valid for 7h
                           makes an entry in the metadata of flink-etl-1-m, taken out at the end
      4. submit          submit my etl in per-job mode by ssh
                           makes a YARN application with the tag flinkproc-etl-1-1
      5. watch           watch it to its end, at most 6h in all
      6. save-logs       bring the logs home
      7. delete-cluster  delete the cluster

    Cluster
      name           projects/flinkproc-sandbox/regions/us-central1/clusters/flink-etl-1
      zone           us-central1-a
      image          sandbox-1.20
      Flink          1.20
      workers        2
      end            deleted by flinkproc when the run ends, however it ends
      safety net     Dataproc deletes it after 30m without work, and at the age of 7h
      on Ctrl-C      the job is cancelled and what was made is deleted

    Job
      name           my etl
      file           my etl.py from gs://flinkproc-sandbox/flinkproc/ade404b510fe5ce2bc2e7f53379d523bb72b16e85e9afb3fbbb66d323bdc2ce8/my etl.py

    Taken without being written
      cluster.component_gateway    = true (built-in)
      cluster.image                = sandbox-1.20 (sandbox)
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
      job.mode                     = per-job (Flink 1.20 of image sandbox-1.20)
      job.name                     = my etl (job.script)
      ssh.identity                 = ephemeral (built-in)
      ssh.internal_address         = false (cluster.internal_ip_only)
      ssh.key_ttl                  = 7h (watch.deadline and an hour)
      ssh.port                     = 2222 (sandbox)
      ssh.user                     = ada (the user who runs flinkproc)
      staging.bucket               = flinkproc-sandbox (sandbox)
      watch.deadline               = 6h (built-in)
      watch.on_failure             = delete (built-in)
      watch.on_interrupt           = delete (built-in)
    ");
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
    let submit = plan
        .equivalents()
        .into_iter()
        .find(|command| command.step == "submit");
    insta::assert_snapshot!(submit.expect("there").argv.join(" "), @"flink run -t yarn-per-job -Dyarn.application.name=my etl -Dyarn.tags=flinkproc-etl-1 -pyfs ./lib.zip,./remote.py -pyarch ./lib2.zip#venv -py ./my etl.py");
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
fn wrong_files_are_refused() {
    let check = |flag: &str| with(&[flag]).refused();
    insta::assert_snapshot!(check("job.script=none.py"), @"
    SPC022: there is no file `jobs/none.py`, named by `job.script` at --set job.script
    help: Paths are taken from the spec file's own folder; check the spelling.
    ");
    insta::assert_snapshot!(check("job.script=folder"), @"
    SPC023: `jobs/folder` is a directory, named by `job.script` at --set job.script
    help: Name a file. Python packages go as a zip (`zip -r package.zip package`), inputs as a pattern (`data/**`).
    ");
    insta::assert_snapshot!(check("job.script=empty.py"), @"
    SPC025: the file `jobs/empty.py` is empty, named by `job.script` at --set job.script
    help: Save the script, or name the right one.
    ");
    insta::assert_snapshot!(check("job.script=latin.py"), @"
    SPC026: the file `jobs/latin.py` is not UTF-8, named by `job.script` at --set job.script
    help: Python reads UTF-8: convert the script.
    ");
    insta::assert_snapshot!(check("job.script=closed.py"), @"
    SPC024: `jobs/closed.py` cannot be read (permission denied), named by `job.script` at --set job.script
    help: Check the file's permissions.
    ");
    insta::assert_snapshot!(check("job.script=gs://b/folder/"), @"
    SPC035: `job.script` at --set job.script cannot be `gs://b/folder/`: it names a folder, not a file
    help: Nothing was created; change the value and run it again.
    ");
    insta::assert_snapshot!(check("job.python_files=[\"lib.zip\", \"sub/lib.zip\"]"), @"
    SPC028: two files are called `lib.zip`: `lib.zip` and `sub/lib.zip`
    help: All files of a job lie in one folder on the master: rename one, or put them into one zip.
    ");
    insta::assert_snapshot!(check("staging.input=[{from = \"nothing/*\"}]"), @"
    SPC027: no file matches `jobs/nothing/*`, named by `staging.input[0].from` at --set staging.input
    help: Patterns are taken from the spec file's own folder; `**` matches any number of folders.
    ");
    insta::assert_snapshot!(check("staging.input=[{from = \"gs://b/c\"}]"), @"
    SPC035: `staging.input[0].from` at --set staging.input cannot be `gs://b/c`: an input is a local file or pattern, and goes to a folder below `input/`
    help: Nothing was created; change the value and run it again.
    ");
    insta::assert_snapshot!(check("cluster.from=other.yaml"), @"
    SPC022: there is no file `jobs/other.yaml`, named by `cluster.from` at --set cluster.from
    help: Paths are taken from the spec file's own folder; check the spelling.
    ");
}

#[test]
fn what_an_image_cannot_run_is_refused() {
    let check = |flags: &[&str]| with(flags).refused();
    insta::assert_snapshot!(check(&["job.python_functions=true"]), @"
    SPC031: image 2.2 has Python 3.11, and PyFlink 1.17.0 exists for Python 3.7 to 3.10 only
    help: Workers could not run Python functions. If the job has none (Table API or SQL only), write `python_functions = false` in `[job]`; `--sandbox` runs the job on this machine.
    ");
    insta::assert_snapshot!(check(&["cluster.image=2.3", "job.python_functions=true"]), @"
    SPC031: image 2.3 has Python 3.11, and PyFlink 1.17.0 exists for Python 3.7 to 3.10 only
    help: Workers could not run Python functions. If the job has none (Table API or SQL only), write `python_functions = false` in `[job]`; `--sandbox` runs the job on this machine.
    ");
    insta::assert_snapshot!(check(&["cluster.image=3.0", "job.mode=per-job"]), @"
    SPC029: image 3.0 has Flink 2.2.0, which has no per-job mode on YARN
    help: Remove `job.mode` (or write `auto`), or name an image with a Flink that has it: 2.2 and 2.3 have 1.17, 3.0 has 2.2.
    ");
    insta::assert_snapshot!(check(&["cluster.image=3.0"]), @"
    SPC030: flinkproc cannot run a job in application mode yet, and image 3.0 with Flink 2.2.0 would get it
    help: What runs today is per-job mode, on images with Flink 1.x (2.0 to 2.3) and in the sandbox (`--sandbox`).
    ");
    insta::assert_snapshot!(check(&["job.mode=session"]), @"
    SPC030: flinkproc cannot run a job in session mode yet, and image 2.2 with Flink 1.17.0 would get it
    help: What runs today is per-job mode, on images with Flink 1.x (2.0 to 2.3) and in the sandbox (`--sandbox`).
    ");
    insta::assert_snapshot!(check(&["cluster.image=sandbox-1.20"]), @"
    SPC032: image sandbox-1.20 is of the local sandbox, and this deployment goes to Google Cloud
    help: Name an image of Dataproc, such as `2.2`, or run with `--sandbox`.
    ");
    insta::assert_snapshot!(with(&["job.mode=application"]).sandbox().refused(), @"
    SPC030: flinkproc cannot run a job in application mode yet, and image sandbox-1.20 with Flink 1.20 would get it
    help: What runs today is per-job mode, on images with Flink 1.x (2.0 to 2.3) and in the sandbox (`--sandbox`).
    ");
}

#[test]
fn values_that_the_services_would_refuse_are_refused() {
    let check = |flag: &str| with(&[flag]).refused();
    insta::assert_snapshot!(check("cluster.max_idle=4m"), @"
    SPC034: `cluster.max_idle` at --set cluster.max_idle is 4m, and it has to be from 5m to 14d
    help: The bounds are those of Dataproc's scheduled deletion.
    ");
    insta::assert_snapshot!(check("cluster.max_age=15d"), @"
    SPC034: `cluster.max_age` at --set cluster.max_age is 15d, and it has to be from 10m to 14d
    help: The bounds are those of Dataproc's scheduled deletion.
    ");
    insta::assert_snapshot!(check("cluster.prefix=a-very-long-prefix-that-leaves-no-room-for-more"), @"
    SPC035: `cluster.prefix` at --set cluster.prefix cannot be `a-very-long-prefix-that-leaves-no-room-for-more-etl-1`: the cluster's name has 53 characters; Dataproc takes 52, of which 3 are kept for a second try
    help: Nothing was created; change the value and run it again.
    ");
    insta::assert_snapshot!(check("cluster.labels.Team=x"), @"
    SPC035: `cluster.labels.Team` at --set cluster.labels.Team cannot be `x`: labels are at most 63 lower-case letters, digits, hyphens and underscores, and their names start with a letter
    help: Nothing was created; change the value and run it again.
    ");
    insta::assert_snapshot!(check("cluster.labels.flinkproc=x"), @"
    SPC035: `cluster.labels.flinkproc` at --set cluster.labels.flinkproc cannot be `x`: flinkproc sets this label, to find its clusters by it
    help: Nothing was created; change the value and run it again.
    ");
    insta::assert_snapshot!(check("cluster.zone=us-central1-a"), @"
    SPC035: `cluster.zone` at --set cluster.zone cannot be `us-central1-a`: it is not in the region europe-west4
    help: Nothing was created; change the value and run it again.
    ");
    insta::assert_snapshot!(check("cluster.properties.a=b"), @"
    SPC035: `cluster.properties.a` at --set cluster.properties.a cannot be `b`: a property is written with the file that it goes to, such as `flink:a`
    help: Nothing was created; change the value and run it again.
    ");
    insta::assert_snapshot!(check("cluster.initialization_actions=[{script = \"init.sh\"}]"), @"
    SPC035: `cluster.initialization_actions[0].script` at --set cluster.initialization_actions cannot be `init.sh`: every machine fetches it: it is the address of an object, `gs://…`
    help: Nothing was created; change the value and run it again.
    ");
    insta::assert_snapshot!(check("watch.deadline=5s"), @"
    SPC034: `watch.deadline` at --set watch.deadline is 5s, and it has to be from 1m to 14d
    help: The bounds are those of Dataproc's scheduled deletion.
    ");
    insta::assert_snapshot!(check("job.result=s3://x"), @"
    SPC035: `job.result` at --set job.result cannot be `s3://x`: a Cloud Storage address has this form: it starts with `gs://` and a bucket
    help: Nothing was created; change the value and run it again.
    ");
    insta::assert_snapshot!(check("job.method=pig"), @"
    SPC035: `job.method` at --set job.method cannot be `pig`: the methods are `ssh`
    help: Nothing was created; change the value and run it again.
    ");
    insta::assert_snapshot!(check("job.parallelism=0"), @"
    FLK007: the Flink configuration key `parallelism` cannot be set: it is a positive number
    help: Remove the key, or set what the spec has a key of its own for there.
    ");
    insta::assert_snapshot!(check("job.flink_config.containerized.taskmanager.env.PYTHONHOME=/x"), @"
    SPC033: `job.flink_config.containerized.taskmanager.env.PYTHONHOME` at --set job.flink_config.containerized.taskmanager.env.PYTHONHOME sets PYTHONHOME, which breaks the interpreter on the workers
    help: Remove it; Flink finds the interpreter by `python.executable`.
    ");
    insta::assert_snapshot!(check("cluster.properties.flink:containerized.master.env.PYTHONHOME=/x"), @"
    SPC033: `cluster.properties.flink:containerized.master.env.PYTHONHOME` at --set cluster.properties.flink:containerized.master.env.PYTHONHOME sets PYTHONHOME, which breaks the interpreter on the workers
    help: Remove it; Flink finds the interpreter by `python.executable`.
    ");
    insta::assert_snapshot!(check("job.args=[\"${nothing}\"]"), @"
    SPC009: `${nothing}` in `job.args[0]` stands for nothing
    help: There are these names: `deployment`, `staging`. For a literal `${` write `$${`.
    ");
}

#[test]
fn flink_arguments_that_flink_would_misread_are_refused() {
    let check = |words: &str| with(&[&format!("job.flink_args={words}")]).refused();
    insta::assert_snapshot!(check("[\"-py\", \"gs://b/a.py\"]"), @"
    FLK005: `-py` takes a path on the master and cannot read `gs://b/a.py`
    help: Name a local script in the spec: flinkproc stages it and hands Flink the copy on the master.
    ");
    insta::assert_snapshot!(check("[\"-t\", \"yarn-per-job\", \"-ynm\", \"x\"]"), @"
    FLK004: Flink drops `-ynm` silently beside `-t yarn-per-job`
    help: Write everything as `-t TARGET` with `-Dkey=value`; the options that start with `-y` belong to `-m yarn-cluster`.
    ");
    insta::assert_snapshot!(check("[\"-pyexec\", \"python3\"]"), @"
    SPC037: the Flink argument `-pyexec` is not taken from `job.flink_args[0]` at --set job.flink_args
    help: `-D` and `-p` are taken. The rest has keys: `job.mode`, `job.script`, `job.module`, `job.python_files`, `job.requirements`, `job.archives`, `job.jars`, `job.flink_config`.
    ");
}

#[test]
fn what_is_missing_or_excludes_itself_is_named() {
    let check = |text: &str| {
        let mut case = with(&[]);
        case.text = text.to_owned();
        case.refused()
    };
    insta::assert_snapshot!(check(""), @r#"
    SPC020: `job.script` has no value
    help: Name the job's Python script in `[job]`, such as `script = "job.py"`.
    "#);
    insta::assert_snapshot!(check("[staging]\nbucket = 'my-bucket'\n"), @r#"
    SPC020: `job.script` has no value
    help: Name the job's Python script in `[job]`, such as `script = "job.py"`.
    "#);
    insta::assert_snapshot!(check("[staging]\nbucket = 'my-bucket'\n[cluster]\nproject = 'my-project'\nregion = 'us-central1'\nimage = '2.2'\n"), @r#"
    SPC020: `job.script` has no value
    help: Name the job's Python script in `[job]`, such as `script = "job.py"`.
    "#);
    insta::assert_snapshot!(check("[job]\nscript = 'a'\nmodule = 'b'\n[staging]\nbucket = 'my-bucket'\n[cluster]\nproject = 'my-project'\nregion = 'us-central1'\nimage = '2.0'\n"), @"
    SPC021: `job.script` and `job.module` exclude each other
    help: Remove `job.script` or `job.module`.
    ");
    insta::assert_snapshot!(check(&format!("{SPEC}[[staging.input]]\n").replace("region", "name = 'a'\nprefix = 'b'\nregion")), @"
    SPC021: `cluster.name` and `cluster.prefix` exclude each other
    help: Remove `cluster.name` or `cluster.prefix`.
    ");
    insta::assert_snapshot!(check(&SPEC.replace("image = '2.2'", "existing = 'team'").replace("functions = false", "functions = true")), @"
    SPC020: `cluster.image` has no value
    help: Say which image the existing cluster runs: it decides Flink's version.
    ");
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
    ssh.identity = ephemeral (built-in)
    ssh.internal_address = false (cluster.internal_ip_only)
    ssh.key_ttl = 7h (watch.deadline and an hour)
    ssh.port = 22 (built-in)
    ssh.user = ada (the user who runs flinkproc)
    watch.deadline = 6h (built-in)
    watch.on_failure = delete (built-in)
    watch.on_interrupt = delete (built-in)
    ");
}
