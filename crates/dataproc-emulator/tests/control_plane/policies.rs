//! Autoscaling policies and the autoscaler, over HTTP.

use std::time::Duration;

use dataproc_emulator::YarnMemory;
use serde_json::{Value, json};

use crate::api::{Api, REGION};

const POLICIES: &str = "autoscalingPolicies";

fn policy(id: &str) -> Value {
    json!({
        "id": id,
        "workerConfig": {"minInstances": 2, "maxInstances": 10},
        "secondaryWorkerConfig": {"maxInstances": 10},
        "basicAlgorithm": {
            "cooldownPeriod": "240s",
            "yarnConfig": {
                "scaleUpFactor": 1.0, "scaleDownFactor": 1.0, "gracefulDecommissionTimeout": "3600s",
            },
        },
    })
}

fn name_of(id: &str) -> String {
    format!("projects/p/regions/europe-west1/autoscalingPolicies/{id}")
}

fn memory(available: u64, allocated: u64, pending: u64) -> YarnMemory {
    YarnMemory {
        available,
        allocated,
        pending,
    }
}

fn sizes(cluster: &Value) -> (u64, u64) {
    let of = |group: &str| {
        cluster["config"][group]["numInstances"]
            .as_u64()
            .unwrap_or(0)
    };
    (of("workerConfig"), of("secondaryWorkerConfig"))
}

#[tokio::test]
async fn a_policy_is_made_read_changed_and_deleted() {
    let api = Api::new().await;
    let made = api.fine("POST", POLICIES, policy("abc")).await;
    assert_eq!(made["name"], name_of("abc"));
    let twice = (409, "ALREADY_EXISTS");
    api.refused(("POST", POLICIES), policy("abc"), twice, "abc")
        .await;
    for id in ["abd", "abe"] {
        api.fine("POST", POLICIES, policy(id)).await;
    }

    let first = api
        .fine("GET", "autoscalingPolicies?pageSize=2", Value::Null)
        .await;
    assert_eq!(first["policies"].as_array().unwrap().len(), 2);
    let token = first["nextPageToken"].as_str().unwrap();
    let path = format!("{POLICIES}?pageSize=2&pageToken={token}");
    let second = api.fine("GET", &path, Value::Null).await;
    assert_eq!(second["policies"][0]["id"], "abe");
    assert_eq!(second.get("nextPageToken"), None);

    let at_location = "v1/projects/p/locations/europe-west1/autoscalingPolicies/abc";
    let (status, read) = api.send("GET", at_location, None).await;
    assert_eq!(
        (status, &read["name"]),
        (
            200,
            &json!("projects/p/locations/europe-west1/autoscalingPolicies/abc")
        )
    );

    let mut changed = policy("abc");
    changed["workerConfig"]["maxInstances"] = json!(20);
    let path = format!("{POLICIES}/abc");
    let answer = api.fine("PUT", &path, changed.clone()).await;
    assert_eq!(answer["workerConfig"]["maxInstances"], 20);
    let other = json!({"id": "other"});
    changed["id"] = other["id"].clone();
    let invalid = (400, "INVALID_ARGUMENT");
    api.refused(("PUT", &path), changed, invalid, "other").await;
    let missing = (404, "NOT_FOUND");
    api.refused(
        ("PUT", "autoscalingPolicies/nope"),
        policy("nope"),
        missing,
        "nope",
    )
    .await;

    api.fine("DELETE", &path, Value::Null).await;
    api.refused(("GET", &path), Value::Null, missing, "abc")
        .await;
    api.refused(("DELETE", &path), Value::Null, missing, "abc")
        .await;
    let (_, elsewhere) = api
        .send(
            "GET",
            "v1/projects/p/regions/us-east1/autoscalingPolicies",
            None,
        )
        .await;
    assert_eq!(elsewhere, json!({}));
}

#[tokio::test]
async fn bindings_are_kept_and_their_etag_is_checked() {
    let api = Api::new().await;
    api.fine("POST", POLICIES, policy("abc")).await;
    let path = |verb: &str| format!("{POLICIES}/abc:{verb}");
    let before = api.fine("POST", &path("getIamPolicy"), json!({})).await;
    let bindings = json!([{"role": "roles/dataproc.editor", "members": ["user:a@b.c"]}]);
    let body = json!({"policy": {"bindings": bindings, "etag": before["etag"]}});
    let after = api.fine("POST", &path("setIamPolicy"), body.clone()).await;
    assert_ne!(after["etag"], before["etag"]);
    let read = api.fine("GET", &path("getIamPolicy"), Value::Null).await;
    assert_eq!(read["bindings"], bindings);
    let stale = (409, "ABORTED");
    api.refused(("POST", &path("setIamPolicy")), body, stale, "concurrent")
        .await;
    let asked = json!({"permissions": ["dataproc.autoscalingPolicies.use"]});
    assert_eq!(
        api.fine("POST", &path("testIamPermissions"), asked.clone())
            .await,
        asked
    );
}

#[tokio::test]
async fn a_cluster_needs_a_policy_that_is_there_and_holds_it() {
    let api = Api::new().await;
    let with = |id: &str| json!({"autoscalingConfig": {"policyUri": name_of(id)}});
    let (status, error) = api.create("one", with("abc")).await;
    assert_eq!(
        (status, &error["error"]["status"]),
        (404, &json!("NOT_FOUND"))
    );
    api.fine("POST", POLICIES, policy("abc")).await;
    api.made("one", with("abc")).await;
    let in_use = (400, "FAILED_PRECONDITION");
    let path = format!("{POLICIES}/abc");
    api.refused(
        ("DELETE", &path),
        Value::Null,
        in_use,
        "in use by the cluster 'one'",
    )
    .await;

    let patch = "clusters/one?updateMask=config.autoscaling_config.policy_uri";
    api.refused(
        ("PATCH", patch),
        json!({"config": with("nope")}),
        (404, "NOT_FOUND"),
        "nope",
    )
    .await;
    let unset = api.fine("PATCH", patch, json!({})).await;
    let done = api.wait(&unset).await;
    assert_eq!(done["response"]["config"].get("autoscalingConfig"), None);
    api.fine("DELETE", &path, Value::Null).await;
}

#[tokio::test]
async fn the_autoscaler_follows_the_load() {
    let api = Api::new().await;
    api.fine("POST", POLICIES, policy("abc")).await;
    api.runtime.set_yarn_memory("one", memory(0, 20_000, 0));
    api.made(
        "one",
        json!({"autoscalingConfig": {"policyUri": name_of("abc")}}),
    )
    .await;
    // Half of the period waits for seven workers: on average that is four, rounded up.
    api.emulator.advance(Duration::from_secs(120)).await;
    api.runtime
        .set_yarn_memory("one", memory(0, 20_000, 70_000));
    api.emulator.advance(Duration::from_secs(100)).await;
    assert_eq!(sizes(&api.get("clusters/one").await.1), (2, 0));
    api.emulator.advance(Duration::from_secs(25)).await;
    let cluster = api
        .cluster_when("one", |cluster| {
            cluster["status"]["state"] == "RUNNING" && sizes(cluster) != (2, 0)
        })
        .await;
    assert_eq!(sizes(&cluster), (3, 3));
    let history = cluster["statusHistory"].as_array().unwrap();
    assert_eq!(history.last().unwrap()["state"], "UPDATING");
    let (_, operations) = api
        .get("operations?filter=operationType%20%3D%20UPDATE")
        .await;
    let metadata = &operations["operations"][0]["metadata"];
    assert_eq!(
        metadata["description"],
        "Update cluster to 3 workers and 3 secondary workers"
    );

    // Nothing wants them any more.
    api.runtime.set_yarn_memory("one", memory(60_000, 0, 0));
    api.emulator.advance(Duration::from_secs(1)).await;
    api.emulator.advance(Duration::from_secs(240)).await;
    api.cluster_when("one", |cluster| {
        cluster["status"]["state"] == "RUNNING" && sizes(cluster) == (2, 0)
    })
    .await;

    // A narrower policy holds from the next period on.
    let mut wider = policy("abc");
    wider["workerConfig"]["minInstances"] = json!(4);
    api.fine("PUT", &format!("{POLICIES}/abc"), wider).await;
    api.runtime.set_yarn_memory("one", memory(0, 20_000, 0));
    api.emulator.advance(Duration::from_secs(1)).await;
    api.emulator.advance(Duration::from_secs(240)).await;
    api.cluster_when("one", |cluster| sizes(cluster) == (4, 0))
        .await;
    let (status, _) = api
        .send("DELETE", &format!("{REGION}/clusters/one"), None)
        .await;
    assert_eq!(status, 200);
}
