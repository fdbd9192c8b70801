//! What may be asked of a cluster: filters, masks, stops, web pages, buckets, warnings.

use std::sync::Arc;
use std::time::Duration;

use dataproc_emulator::{EmulatorOptions, ScriptedRuntime};
use serde_json::{Value, json};

use crate::api::{Api, REGION};

const INVALID: (u16, &str) = (400, "INVALID_ARGUMENT");
const PRECONDITION: (u16, &str) = (400, "FAILED_PRECONDITION");

#[tokio::test]
async fn stopped_clusters_are_inactive() {
    let api = Api::new().await;
    for name in ["stopped", "running"] {
        api.made(name, json!({})).await;
    }
    let stopping = api.fine("POST", "clusters/stopped:stop", json!({})).await;
    api.wait(&stopping).await;
    let names = |filter: &'static str| {
        let api = &api;
        async move {
            let url = format!("{}/{REGION}/clusters", api.emulator.url());
            let query = format!(
                "{url}?filter={}",
                filter.replace(' ', "%20").replace('=', "%3D")
            );
            let list: Value = api
                .client
                .get(query)
                .send()
                .await
                .unwrap()
                .json()
                .await
                .unwrap();
            let clusters = list["clusters"].as_array().cloned().unwrap_or_default();
            let name = |cluster: &Value| cluster["clusterName"].as_str().unwrap().to_owned();
            clusters.iter().map(name).collect::<Vec<_>>()
        }
    };
    assert_eq!(names("status.state = ACTIVE").await, ["running"]);
    assert_eq!(names("status.state = INACTIVE").await, ["stopped"]);
    assert_eq!(
        names("status.state = STOPPED clusterName = stopped").await,
        ["stopped"]
    );
    assert_eq!(
        names("labels.goog-dataproc-location = *").await,
        ["running", "stopped"]
    );
    assert!(
        names("status.state = ACTIVE AND clusterName = stopped")
            .await
            .is_empty()
    );
    let job = json!({"job": {"placement": {"clusterName": "stopped"}, "pigJob": {"queryList": {"queries": ["sh true"]}}}});
    api.refused(("POST", "jobs:submit"), job, PRECONDITION, "stopped")
        .await;
}

#[tokio::test]
async fn what_cannot_be_stopped_is_refused() {
    let api = Api::new().await;
    api.made(
        "secondary",
        json!({"secondaryWorkerConfig": {"numInstances": 1}}),
    )
    .await;
    api.refused(
        ("POST", "clusters/secondary:stop"),
        json!({}),
        PRECONDITION,
        "secondary workers",
    )
    .await;
    let disks = json!({"workerConfig": {"diskConfig": {"numLocalSsds": 1}}});
    api.made("ssd", disks).await;
    api.refused(
        ("POST", "clusters/ssd:stop"),
        json!({}),
        PRECONDITION,
        "local SSDs",
    )
    .await;
}

#[tokio::test]
async fn clusters_stop_themselves_when_told_so() {
    let api = Api::new().await;
    api.made("old", json!({"lifecycleConfig": {"autoStopTtl": "3600s"}}))
        .await;
    api.made("idle", json!({"lifecycleConfig": {"idleStopTtl": "600s"}}))
        .await;
    let stopped = |cluster: &Value| cluster["status"]["state"] == "STOPPED";
    api.emulator.advance(Duration::from_secs(1)).await;
    api.emulator.advance(Duration::from_secs(610)).await;
    api.cluster_when("idle", stopped).await;
    assert_eq!(
        api.get("clusters/old").await.1["status"]["state"],
        "RUNNING"
    );
    api.emulator.advance(Duration::from_secs(3000)).await;
    api.cluster_when("old", stopped).await;
    // Started again, it has its time again.
    let starting = api.fine("POST", "clusters/old:start", json!({})).await;
    api.wait(&starting).await;
    api.emulator.advance(Duration::from_secs(1800)).await;
    assert_eq!(
        api.get("clusters/old").await.1["status"]["state"],
        "RUNNING"
    );
    api.emulator.advance(Duration::from_secs(1801)).await;
    api.cluster_when("old", stopped).await;
}

#[tokio::test]
async fn masks_name_fields_in_either_case_and_nothing_else() {
    let api = Api::new().await;
    api.made(
        "one",
        json!({"lifecycleConfig": {"idleDeleteTtl": "600s", "autoDeleteTtl": "3600s"}}),
    )
    .await;
    let patch = |mask: &str| format!("clusters/one?updateMask={mask}");
    let lifecycle =
        json!({"config": {"lifecycleConfig": {"autoStopTtl": "1200s", "idleStopTtl": "900s"}}});
    let mask = patch(
        "config.lifecycle_config.auto_stop_ttl,config.lifecycleConfig.idleStopTtl,config.lifecycle_config.idle_delete_ttl",
    );
    let changing = api.fine("PATCH", &mask, lifecycle).await;
    let cluster = &api.wait(&changing).await["response"];
    let expected = json!({"autoDeleteTtl": "3600s", "autoStopTtl": "1200s", "idleStopTtl": "900s"});
    let mut got = cluster["config"]["lifecycleConfig"].clone();
    got.as_object_mut().unwrap().remove("idleStartTime");
    assert_eq!(got, expected);

    for mask in [
        "config.gce_cluster_config.zone_uri",
        "clusterName",
        "config",
        "config.worker_config",
        "nonsense",
        "*",
    ] {
        let body = json!({"config": {}});
        api.refused(("PATCH", &patch(mask)), body, INVALID, "can not be updated")
            .await;
    }
    let graceful = format!("{}&gracefulDecommissionTimeout=3600s", patch("labels"));
    api.refused(
        ("PATCH", &graceful),
        json!({}),
        INVALID,
        "change of the number of workers",
    )
    .await;
    let long = format!(
        "{}&gracefulDecommissionTimeout=86401s",
        patch("config.worker_config.num_instances")
    );
    api.refused(("PATCH", &long), json!({}), INVALID, "86400s")
        .await;
    let one = json!({"config": {"workerConfig": {"numInstances": 1}}});
    api.refused(
        ("PATCH", &patch("config.worker_config.num_instances")),
        one,
        INVALID,
        "at least 2",
    )
    .await;
}

#[tokio::test]
async fn a_request_id_stands_for_its_first_body() {
    let api = Api::new().await;
    let path = "clusters?requestId=r-1";
    let first = api.fine("POST", path, json!({"clusterName": "one"})).await;
    let again = api.fine("POST", path, json!({"clusterName": "two"})).await;
    assert_eq!(again["name"], first["name"]);
    api.wait(&first).await;
    assert_eq!(api.get("clusters/two").await.0, 404);
    api.refused(
        ("POST", "clusters?requestId=a%20b"),
        json!({"clusterName": "one"}),
        INVALID,
        "request id",
    )
    .await;
}

#[tokio::test]
async fn what_is_doubtful_is_warned_of() {
    let api = Api::new().await;
    let disks = json!({"diskConfig": {"bootDiskSizeGb": 100}});
    let done = api.made("one", json!({"workerConfig": disks})).await;
    let warnings = done["metadata"]["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(
        warnings[1]
            .as_str()
            .unwrap()
            .starts_with("No image specified.")
    );
    let image = json!({"softwareConfig": {"imageVersion": "2.2"}});
    let done = api.made("two", image).await;
    assert_eq!(done["metadata"].get("warnings"), None);
}

#[tokio::test]
async fn secondary_workers_are_of_the_primary_ones_type() {
    let api = Api::new().await;
    let config = json!({
        "workerConfig": {"machineTypeUri": "e2-standard-8"},
        "secondaryWorkerConfig": {"numInstances": 2, "preemptibility": "SPOT"},
    });
    let cluster = &api.made("one", config).await["response"];
    let secondary = &cluster["config"]["secondaryWorkerConfig"];
    assert!(
        secondary["machineTypeUri"]
            .as_str()
            .unwrap()
            .ends_with("/e2-standard-8")
    );
    assert_eq!(
        (&secondary["preemptibility"], &secondary["isPreemptible"]),
        (&json!("SPOT"), &json!(true))
    );
}

#[tokio::test]
async fn a_cluster_has_its_buckets() {
    let folder = tempfile::tempdir().unwrap();
    let storage = gcs_emulator::Emulator::start(gcs_emulator::Options::new(folder.path()))
        .await
        .unwrap();
    let runtime = Arc::new(ScriptedRuntime::without_machines());
    let options = EmulatorOptions::default().storage(storage.url());
    let api = Api::with(runtime, options).await;
    let cluster = &api.made("one", json!({"tempBucket": "my-temp"})).await["response"];
    let staging = cluster["config"]["configBucket"].as_str().unwrap();
    assert!(
        staging.starts_with("dataproc-staging-europe-west1-"),
        "{staging}"
    );
    for bucket in [staging, "my-temp"] {
        let url = format!("{}/storage/v1/b/{bucket}", storage.url());
        assert_eq!(
            api.client.get(url).send().await.unwrap().status(),
            200,
            "{bucket}"
        );
    }
    storage.stop().await;
    let done = api.made("two", json!({"configBucket": "another"})).await;
    assert!(
        done["error"]["message"]
            .as_str()
            .unwrap()
            .contains("'another' could not be made"),
        "{done}"
    );
}
