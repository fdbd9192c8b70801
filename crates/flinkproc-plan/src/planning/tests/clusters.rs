//! The cluster that is made: the resource of Dataproc's API, and the command that comes nearest.

use serde_json::Value;

use super::{SPEC, json, with};

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
        "gceClusterConfig": {
          "internalIpOnly": false
        },
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
          },
          "internalIpOnly": false
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
    insta::assert_snapshot!(plan.warnings.join("\n"), @r#"
    per-job mode is deprecated since Flink 1.15 and gone in 2.0 (image 2.1.15-debian11 has 1.15.4); `job.mode = "application"` runs on both
    apache-flink 1.15.4 has wheels for Python 3.6 to 3.8, and image 2.1.15-debian11 brings 3.10: without Python functions the job may run, by the Python files of Flink's own distribution; whether Dataproc's image keeps them is not confirmed
    the cluster has 3 masters; one is recommended: Dataproc's high availability does not cover Flink
    "#);
}

#[test]
fn secondary_workers_are_spot_unless_written_otherwise() {
    let check = |flags: &[&str], expected: Option<&str>| {
        let plan = with(flags).planned();
        let kind = plan
            .cluster
            .resource
            .pointer("/config/secondaryWorkerConfig/preemptibility");
        assert_eq!(kind.and_then(Value::as_str), expected, "{flags:?}");
    };
    check(&[], None);
    check(&["cluster.secondary_workers=0"], None);
    check(&["cluster.secondary_workers=2"], Some("SPOT"));
    for (written, name) in [
        ("spot", "SPOT"),
        ("preemptible", "PREEMPTIBLE"),
        ("non-preemptible", "NON_PREEMPTIBLE"),
    ] {
        let flag = format!("cluster.secondary_workers.preemptibility={written}");
        check(&["cluster.secondary_workers=2", &flag], Some(name));
    }
    // What is the built-in value as well is not noted when it was written.
    let flags = [
        "cluster.secondary_workers=2",
        "cluster.secondary_workers.preemptibility=spot",
    ];
    assert!(
        with(&flags)
            .planned()
            .defaults
            .iter()
            .all(|taken| !taken.key.ends_with("preemptibility"))
    );
}

#[test]
fn machines_have_external_addresses_unless_the_spec_wants_none() {
    let check = |flags: &[&str], internal: bool, flag: &str| {
        let plan = with(flags).planned();
        let written = plan
            .cluster
            .resource
            .pointer("/config/gceClusterConfig/internalIpOnly");
        assert_eq!(written, Some(&Value::Bool(internal)));
        let create = plan
            .equivalents()
            .into_iter()
            .find(|command| command.step == "create-cluster")
            .expect("there");
        let addresses = ["--no-address", "--public-ip-address"];
        let given: Vec<_> = create
            .argv
            .iter()
            .filter(|word| addresses.contains(&word.as_str()))
            .collect();
        assert_eq!(given, [flag], "{flags:?}");
    };
    check(&[], false, "--public-ip-address");
    check(
        &["cluster.internal_ip_only=false"],
        false,
        "--public-ip-address",
    );
    check(&["cluster.internal_ip_only=true"], true, "--no-address");
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
