//! The cluster calls over HTTP: states, idempotency, errors, lists, timers and faults.

use std::sync::Arc;
use std::time::Duration;

use dataproc_emulator::{
    Emulator, EmulatorOptions, FaultEffect, FaultRule, RuntimeError, ScriptedOptions,
    ScriptedRuntime,
};
use serde_json::{Value, json};

use crate::api::{Api, REGION};

#[tokio::test]
async fn a_cluster_is_made_read_and_deleted() {
    let api = Api::new().await;
    let (status, operation) = api.create("one", json!({})).await;
    assert_eq!(status, 200);
    let metadata = &operation["metadata"];
    assert_eq!(
        metadata["@type"],
        "type.googleapis.com/google.cloud.dataproc.v1.ClusterOperationMetadata"
    );
    assert_eq!(metadata["operationType"], "CREATE");
    let done = api.wait(&operation).await;
    assert_eq!(done["metadata"]["status"]["state"], "DONE");
    assert_eq!(
        done["response"]["@type"],
        "type.googleapis.com/google.cloud.dataproc.v1.Cluster"
    );
    assert_eq!(done["response"]["clusterName"], "one");

    let (status, cluster) = api.get("clusters/one").await;
    assert_eq!(status, 200);
    assert_eq!(cluster["status"]["state"], "RUNNING");
    assert_eq!(cluster["statusHistory"][0]["state"], "CREATING");
    assert_eq!(cluster["clusterUuid"], metadata["clusterUuid"]);

    let (status, deleting) = api
        .send("DELETE", &format!("{REGION}/clusters/one"), None)
        .await;
    assert_eq!(status, 200);
    let done = api.wait(&deleting).await;
    assert_eq!(
        done["response"],
        json!({"@type": "type.googleapis.com/google.protobuf.Empty"})
    );
    let (status, error) = api.get("clusters/one").await;
    assert_eq!(
        (status, &error["error"]["status"]),
        (404, &json!("NOT_FOUND"))
    );
    let (status, _) = api
        .send("DELETE", &format!("{REGION}/clusters/one"), None)
        .await;
    assert_eq!(status, 404);
    api.emulator.stop().await;
    api.emulator.stop().await;
}

#[tokio::test]
async fn one_request_id_is_one_operation() {
    let api = Api::new().await;
    let path = format!("{REGION}/clusters?requestId=r-1");
    let body = json!({"clusterName": "one"});
    let (_, first) = api.send("POST", &path, Some(body.clone())).await;
    api.wait(&first).await;
    let (status, again) = api.send("POST", &path, Some(body.clone())).await;
    assert_eq!((status, &again["name"]), (200, &first["name"]));
    assert_eq!(again["done"], true);
    let other = format!("{REGION}/clusters?requestId=r-2");
    let (status, error) = api.send("POST", &other, Some(body)).await;
    assert_eq!(
        (status, &error["error"]["status"]),
        (409, &json!("ALREADY_EXISTS"))
    );

    let path = format!("{REGION}/clusters/one?requestId=r-1");
    let (_, first) = api.send("DELETE", &path, None).await;
    api.wait(&first).await;
    let (status, again) = api.send("DELETE", &path, None).await;
    assert_eq!((status, &again["name"]), (200, &first["name"]));
    let (status, _) = api
        .send(
            "DELETE",
            &format!("{REGION}/clusters/one?requestId=a.b"),
            None,
        )
        .await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn a_younger_cluster_of_the_same_name_is_left_alone() {
    let api = Api::new().await;
    api.made("one", json!({})).await;
    let path = format!("{REGION}/clusters/one?clusterUuid=00000000-0000-0000-0000-000000000000");
    let (status, _) = api.send("DELETE", &path, None).await;
    assert_eq!(status, 404);
    assert_eq!(
        api.get("clusters/one").await.1["status"]["state"],
        "RUNNING"
    );
}

#[tokio::test]
async fn refusals_look_like_googles() {
    let api = Api::new().await;
    let (status, error) = api.create("Bad", json!({})).await;
    assert_eq!(status, 400);
    let error = &error["error"];
    assert_eq!(
        (&error["code"], &error["status"]),
        (&json!(400), &json!("INVALID_ARGUMENT"))
    );
    assert_eq!(
        error["details"][0]["@type"],
        "type.googleapis.com/google.rpc.BadRequest"
    );
    let (status, error) = api.create("one", json!({"nodes": 3})).await;
    assert_eq!(status, 400);
    assert!(
        error["error"]["message"]
            .as_str()
            .unwrap()
            .contains("Unknown name \"nodes\"")
    );
    let (status, error) = api.send("GET", &format!("{REGION}/sessions"), None).await;
    assert_eq!(
        (status, &error["error"]["status"]),
        (501, &json!("UNIMPLEMENTED"))
    );
    let elsewhere = "v1/projects/p/regions/global/clusters";
    let (status, _) = api
        .send("POST", elsewhere, Some(json!({"clusterName": "a"})))
        .await;
    assert_eq!(status, 400);
    assert!(api.emulator.clusters().is_empty());
}

#[tokio::test]
async fn a_runtime_that_fails_leaves_an_error_cluster() {
    let api = Api::new().await;
    let detail = "Timeout waiting for instance one-m to report in.".to_owned();
    api.runtime.fail_next_create(RuntimeError::Failed {
        detail: detail.clone(),
    });
    let done = api.made("one", json!({})).await;
    assert_eq!(done["error"]["message"], detail);
    let (_, cluster) = api.get("clusters/one").await;
    assert_eq!(
        (&cluster["status"]["state"], &cluster["status"]["detail"]),
        (&json!("ERROR"), &json!(detail))
    );
    let (_, deleting) = api
        .send("DELETE", &format!("{REGION}/clusters/one"), None)
        .await;
    assert_eq!(api.wait(&deleting).await.get("error"), None);
}

#[tokio::test]
async fn a_cluster_can_be_deleted_or_cancelled_while_it_is_made() {
    let mut options = ScriptedOptions::default();
    options.create_time = Duration::from_secs(3600);
    options.machines = false;
    let api = Api::over(ScriptedRuntime::new(options)).await;
    let (_, creating) = api.create("one", json!({})).await;
    assert_eq!(
        api.get("clusters/one").await.1["status"]["state"],
        "CREATING"
    );
    let (_, deleting) = api
        .send("DELETE", &format!("{REGION}/clusters/one"), None)
        .await;
    api.wait(&deleting).await;
    assert_eq!(api.wait(&creating).await["error"]["code"], 1);
    assert_eq!(api.get("clusters/one").await.0, 404);

    let (_, creating) = api.create("two", json!({})).await;
    let cancel = format!("v1/{}:cancel", creating["name"].as_str().unwrap());
    assert_eq!(api.send("POST", &cancel, Some(json!({}))).await.0, 200);
    assert_eq!(api.wait(&creating).await["error"]["code"], 1);
    assert_eq!(api.get("clusters/two").await.1["status"]["state"], "ERROR");
    api.emulator.stop().await;
}

#[tokio::test]
async fn lists_are_filtered_and_come_in_pages() {
    let api = Api::new().await;
    for name in ["c-1", "c-2", "c-3"] {
        let labels = json!({"env": if name == "c-2" { "test" } else { "prod" }});
        let body = json!({"clusterName": name, "labels": labels});
        let (_, operation) = api
            .send("POST", &format!("{REGION}/clusters"), Some(body))
            .await;
        api.wait(&operation).await;
    }
    let names = |list: &Value| -> Vec<String> {
        let clusters = list["clusters"].as_array().cloned().unwrap_or_default();
        clusters
            .iter()
            .map(|c| c["clusterName"].as_str().unwrap().to_owned())
            .collect()
    };
    let (_, list) = api
        .get("clusters?filter=status.state%20%3D%20RUNNING%20AND%20labels.env%20%3D%20prod")
        .await;
    assert_eq!(names(&list), ["c-1", "c-3"]);
    let (_, page) = api.get("clusters?pageSize=2").await;
    assert_eq!(names(&page), ["c-1", "c-2"]);
    let token = page["nextPageToken"].as_str().unwrap();
    let (_, page) = api
        .get(&format!("clusters?pageSize=2&pageToken={token}"))
        .await;
    assert_eq!(
        (names(&page), page.get("nextPageToken")),
        (vec!["c-3".to_owned()], None)
    );
    assert_eq!(api.get("clusters?filter=nonsense").await.0, 400);
    let (_, elsewhere) = api
        .send("GET", "v1/projects/p/regions/us-east1/clusters", None)
        .await;
    assert_eq!(elsewhere, json!({}));
    let (_, operations) = api
        .get("operations?filter=operationType%20%3D%20CREATE")
        .await;
    assert_eq!(operations["operations"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn only_some_fields_can_be_changed() {
    let api = Api::new().await;
    api.made(
        "one",
        json!({"lifecycleConfig": {"autoDeleteTtl": "3600s"}}),
    )
    .await;
    let patch = |mask: &str, body: Value| {
        let path = format!("{REGION}/clusters/one?updateMask={mask}");
        let api = &api;
        async move { api.send("PATCH", &path, Some(body)).await }
    };
    let body = json!({"labels": {"a": "b"}, "config": {"workerConfig": {"numInstances": 3}}});
    let (status, operation) = patch("config.worker_config.num_instances,labels", body).await;
    assert_eq!(status, 200, "{operation}");
    api.wait(&operation).await;
    let (_, cluster) = api.get("clusters/one").await;
    assert_eq!(
        cluster["config"]["workerConfig"]["instanceNames"][2],
        "one-w-2"
    );
    assert_eq!(cluster["labels"]["a"], "b");
    assert_eq!(cluster["labels"]["goog-dataproc-cluster-name"], "one");
    assert_eq!(cluster["status"]["state"], "RUNNING");
    let machines = &api.emulator.clusters()[0]["machines"];
    assert_eq!(machines.as_array().unwrap().len(), 4);

    let body = json!({"config": {"lifecycleConfig": {"autoDeleteTtl": "7200s"}}});
    let (_, operation) = patch("config.lifecycleConfig.autoDeleteTtl", body).await;
    api.wait(&operation).await;
    assert_eq!(
        api.get("clusters/one").await.1["config"]["lifecycleConfig"]["autoDeleteTtl"],
        "7200s"
    );

    let image = json!({"config": {"softwareConfig": {"imageVersion": "2.1"}}});
    assert_eq!(
        patch("config.software_config.image_version", image).await.0,
        400
    );
    assert_eq!(patch("", json!({})).await.0, 400);
}

#[tokio::test]
async fn a_cluster_is_stopped_and_started() {
    let api = Api::new().await;
    api.made("one", json!({})).await;
    let verb = |verb: &str| {
        let path = format!("{REGION}/clusters/one:{verb}");
        let api = &api;
        async move { api.send("POST", &path, Some(json!({}))).await }
    };
    assert_eq!(verb("start").await.0, 400);
    let (_, operation) = verb("stop").await;
    assert_eq!(
        api.wait(&operation).await["metadata"]["operationType"],
        "STOP"
    );
    assert_eq!(
        api.get("clusters/one").await.1["status"]["state"],
        "STOPPED"
    );
    let (_, operation) = verb("start").await;
    api.wait(&operation).await;
    assert_eq!(
        api.get("clusters/one").await.1["status"]["state"],
        "RUNNING"
    );
    assert_eq!(verb("explode").await.0, 501);
}

#[tokio::test]
async fn an_old_cluster_deletes_itself() {
    let api = Api::new().await;
    api.made(
        "one",
        json!({"lifecycleConfig": {"autoDeleteTtl": "7200s"}}),
    )
    .await;
    api.emulator.advance(Duration::from_secs(7100)).await;
    assert_eq!(
        api.get("clusters/one").await.1["status"]["state"],
        "RUNNING"
    );
    api.emulator.advance(Duration::from_secs(101)).await;
    api.wait_gone("one").await;
}

#[tokio::test]
async fn an_idle_cluster_deletes_itself_and_a_busy_one_does_not() {
    let api = Api::new().await;
    for name in ["busy", "idle"] {
        api.runtime.set_busy(name, name == "busy");
        api.made(name, json!({"lifecycleConfig": {"idleDeleteTtl": "600s"}}))
            .await;
    }
    api.emulator.advance(Duration::from_secs(590)).await;
    let (_, idle) = api.get("clusters/idle").await;
    assert!(
        idle["config"]["lifecycleConfig"]["idleStartTime"].is_string(),
        "{idle}"
    );
    api.emulator.advance(Duration::from_secs(11)).await;
    api.wait_gone("idle").await;
    api.emulator.advance(Duration::from_secs(86_400)).await;
    assert_eq!(
        api.get("clusters/busy").await.1["status"]["state"],
        "RUNNING"
    );
    api.runtime.set_busy("busy", false);
    api.emulator.advance(Duration::from_secs(601)).await;
    api.wait_gone("busy").await;
}

#[tokio::test]
async fn fault_rules_strike_by_handle_and_by_call() {
    let api = Api::new().await;
    let clusters = format!("/{REGION}/clusters");
    api.emulator
        .faults()
        .add(FaultRule::on("POST", &clusters, FaultEffect::AnswerLost));
    let url = format!("{}{clusters}", api.emulator.url());
    let body = json!({"clusterName": "one"});
    let lost = api.client.post(&url).json(&body).send().await;
    assert!(lost.is_err(), "{lost:?}");
    assert_eq!(api.emulator.clusters().len(), 1);

    let rule = json!({"path": "*/clusters/one", "nth": 2, "effect": {"answer": {"status": 503, "body": "<html>"}}});
    assert_eq!(
        api.send("POST", "emulator/v1/faults", Some(rule)).await.0,
        200
    );
    assert_eq!(api.get("clusters/one").await.0, 200);
    assert_eq!(api.get("clusters/one").await.0, 503);
    assert_eq!(api.get("clusters/one").await.0, 200);

    api.emulator
        .faults()
        .add(FaultRule::on("GET", &clusters, FaultEffect::Reset));
    assert!(api.client.get(&url).send().await.is_err());
    assert!(api.client.get(&url).send().await.is_ok());
    assert_eq!(api.send("DELETE", "emulator/v1/faults", None).await.0, 200);
    assert!(api.emulator.faults().list().is_empty());
}

#[tokio::test]
async fn nothing_listens_beyond_loopback() {
    let runtime = Arc::new(ScriptedRuntime::without_machines());
    let options = EmulatorOptions::default().listen("0.0.0.0:0".parse().unwrap());
    let error = Emulator::start(runtime, options).await.unwrap_err();
    assert!(error.to_string().contains("not a loopback address"));
}
