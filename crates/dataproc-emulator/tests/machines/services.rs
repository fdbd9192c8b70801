//! Secret Manager, Cloud Logging and Service Usage, as far as a deployment asks them.

use dataproc_emulator::{EmulatorOptions, ScriptedOptions};
use serde_json::{Value, json};

use crate::cloud::Cloud;

const SECRETS: &str = "v1/projects/p/secrets";

async fn cloud() -> Cloud {
    let mut scripted = ScriptedOptions::default();
    scripted.machines = false;
    Cloud::with(scripted, EmulatorOptions::default(), json!({})).await
}

#[tokio::test]
async fn a_secrets_newest_version_is_read_until_it_is_destroyed() {
    let cloud = cloud().await;
    let body = json!({"replication": {"automatic": {}}});
    let create = format!("{SECRETS}?secretId=password");
    assert_eq!(cloud.call("POST", &create, Some(body.clone())).await.0, 200);
    assert_eq!(cloud.call("POST", &create, Some(body.clone())).await.0, 409);
    let access = format!("{SECRETS}/password/versions/latest:access");
    assert_eq!(cloud.call("GET", &access, None).await.0, 404);
    let add = format!("{SECRETS}/password:addVersion");
    for data in ["b25l", "dHdv"] {
        let (status, version) = cloud
            .call("POST", &add, Some(json!({"payload": {"data": data}})))
            .await;
        assert_eq!((status, &version["state"]), (200, &json!("ENABLED")));
    }
    let (_, read) = cloud.call("GET", &access, None).await;
    assert_eq!(read["payload"]["data"], "dHdv");
    assert!(
        read["name"]
            .as_str()
            .unwrap()
            .ends_with("/secrets/password/versions/2"),
        "{read}"
    );
    let (_, first) = cloud
        .call(
            "GET",
            &format!("{SECRETS}/password/versions/1:access"),
            None,
        )
        .await;
    assert_eq!(first["payload"]["data"], "b25l");

    let denied = json!({"denied": ["secretmanager.versions.access"]});
    cloud
        .call("POST", "emulator/v1/permissions", Some(denied))
        .await;
    let (status, error) = cloud.call("GET", &access, None).await;
    assert_eq!(
        (status, &error["error"]["status"]),
        (403, &json!("PERMISSION_DENIED"))
    );
    cloud
        .call(
            "POST",
            "emulator/v1/permissions",
            Some(json!({"denied": []})),
        )
        .await;

    let destroy = format!("{SECRETS}/password/versions/2:destroy");
    assert_eq!(cloud.call("POST", &destroy, Some(json!({}))).await.0, 200);
    assert_eq!(cloud.call("GET", &access, None).await.0, 400);
    assert_eq!(cloud.call("POST", &destroy, Some(json!({}))).await.0, 400);

    let refused = async |path: &str, body: Value, expected: u16| {
        let (status, error) = cloud.call("POST", path, Some(body)).await;
        assert_eq!(status, expected, "{path} {error}");
    };
    refused(&format!("{SECRETS}?secretId=a%20b"), body, 400).await;
    refused(&format!("{SECRETS}?secretId=other"), json!({}), 400).await;
    refused(&add, json!({"payload": {"data": "?"}}), 400).await;
    refused(
        &add,
        json!({"payload": {"data": "b25l", "dataCrc32c": "1"}}),
        400,
    )
    .await;
    refused(&add, json!({"payload": {}}), 400).await;
    refused(
        &format!("{SECRETS}/other:addVersion"),
        json!({"payload": {"data": ""}}),
        404,
    )
    .await;
    refused(&format!("{SECRETS}/password:setIamPolicy"), json!({}), 501).await;
    assert_eq!(
        cloud
            .call("DELETE", &format!("{SECRETS}/password"), None)
            .await
            .0,
        200
    );
    let (_, none) = cloud.call("GET", SECRETS, None).await;
    assert_eq!(none["totalSize"], 0);
    cloud.emulator.stop().await;
}

#[tokio::test]
async fn written_log_entries_are_listed_by_filter_and_page() {
    let cloud = cloud().await;
    let entry = |text: &str, severity: &str| json!({"textPayload": text, "severity": severity});
    let body = json!({
        "logName": "projects/p/logs/mine",
        "resource": {"type": "global"},
        "entries": [entry("one", "INFO"), entry("two", "ERROR"), entry("three", "ERROR")],
    });
    assert_eq!(
        cloud.call("POST", "v2/entries:write", Some(body)).await,
        (200, json!({}))
    );
    let list = async |body: Value| cloud.call("POST", "v2/entries:list", Some(body)).await;
    let wish =
        json!({"resourceNames": ["projects/p"], "filter": "severity>=WARNING", "pageSize": 1});
    let (_, first) = list(wish.clone()).await;
    assert_eq!(first["entries"][0]["textPayload"], "two");
    let mut next = wish;
    next["pageToken"] = first["nextPageToken"].clone();
    let (_, last) = list(next).await;
    assert_eq!(last["entries"][0]["textPayload"], "three");
    assert!(last.get("nextPageToken").is_none());
    assert_eq!(
        list(json!({"resourceNames": ["projects/q"]})).await,
        (200, json!({}))
    );
    assert_eq!(list(json!({})).await.0, 400);
    assert_eq!(
        list(json!({"resourceNames": ["projects/p"], "filter": "a OR b"}))
            .await
            .0,
        400
    );
    assert_eq!(
        list(json!({"resourceNames": ["projects/p"], "orderBy": "name"}))
            .await
            .0,
        400
    );
    let nameless = json!({"entries": [{"textPayload": "x"}]});
    assert_eq!(
        cloud
            .call("POST", "v2/entries:write", Some(nameless))
            .await
            .0,
        400
    );
    assert_eq!(
        cloud
            .call("POST", "v2/entries:tail", Some(json!({})))
            .await
            .0,
        501
    );
    cloud.emulator.stop().await;
}

#[tokio::test]
async fn emulated_apis_are_on() {
    let cloud = cloud().await;
    let get = async |name: &str| {
        cloud
            .call("GET", &format!("v1/projects/p/services/{name}"), None)
            .await
            .1
    };
    assert_eq!(get("dataproc.googleapis.com").await["state"], "ENABLED");
    assert_eq!(get("bigquery.googleapis.com").await["state"], "DISABLED");
    let enable = async |name: &str| {
        let call = format!("v1/projects/p/services/{name}:enable");
        cloud.call("POST", &call, Some(json!({}))).await.0
    };
    assert_eq!(enable("oslogin.googleapis.com").await, 200);
    assert_eq!(enable("bigquery.googleapis.com").await, 501);
    cloud.emulator.stop().await;
}
