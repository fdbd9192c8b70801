//! What Compute Engine lists: machines, operations, places, machine types and quotas.

use dataproc_emulator::{EmulatorOptions, ScriptedOptions};
use serde_json::{Value, json};

use crate::cloud::{Cloud, ZONE};

const PROJECT: &str = "compute/v1/projects/p";

async fn cloud() -> Cloud {
    let mut scripted = ScriptedOptions::default();
    scripted.machines = false;
    Cloud::with(scripted, EmulatorOptions::default(), json!({})).await
}

fn names(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().map(Vec::as_slice);
    let names = items.unwrap_or_default().iter();
    names.filter_map(|item| item["name"].as_str()).collect()
}

#[tokio::test]
async fn machines_are_listed_by_page_filter_and_zone() {
    let cloud = cloud().await;
    let get = async |query: &str| {
        cloud
            .call("GET", &format!("{ZONE}/instances{query}"), None)
            .await
    };
    let (_, all) = get("").await;
    assert_eq!(names(&all), ["one-m", "one-w-0", "one-w-1"]);
    let (_, first) = get("?maxResults=2").await;
    assert_eq!(names(&first), ["one-m", "one-w-0"]);
    let token = first["nextPageToken"].as_str().unwrap();
    let (_, rest) = get(&format!("?maxResults=2&pageToken={token}")).await;
    assert_eq!(names(&rest), ["one-w-1"]);
    assert!(rest.get("nextPageToken").is_none());
    let (_, workers) = get("?filter=(name%20eq%20%22one-w-.*%22)%20(status%20=%20RUNNING)").await;
    assert_eq!(names(&workers), ["one-w-0", "one-w-1"]);
    for query in [
        "?maxResults=0",
        "?maxResults=many",
        "?pageToken=%21",
        "?filter=name",
    ] {
        let (status, error) = get(query).await;
        let reason = &error["error"]["errors"][0]["reason"];
        assert_eq!((status, reason), (400, &json!("invalid")), "{query}");
    }
    assert_eq!(get("?orderBy=creationTimestamp").await.0, 501);
    let (_, by_zone) = cloud
        .call("GET", &format!("{PROJECT}/aggregated/instances"), None)
        .await;
    let instances = &by_zone["items"]["zones/europe-west1-b"]["instances"];
    assert_eq!(instances.as_array().map(Vec::len), Some(3));
    let (status, said) = cloud
        .call("GET", &format!("{ZONE}/instances/one-m/serialPort"), None)
        .await;
    assert_eq!((status, &said["start"]), (200, &json!("0")));
    assert_eq!(
        cloud
            .call("POST", &format!("{ZONE}/instances/one-m/reset"), None)
            .await
            .0,
        501
    );
    cloud.emulator.stop().await;
}

#[tokio::test]
async fn operations_are_listed_until_they_are_forgotten() {
    let cloud = cloud().await;
    let body = json!({"items": [{"key": "a", "value": "1"}]});
    let (_, operation) = cloud
        .call(
            "POST",
            &format!("{PROJECT}/setCommonInstanceMetadata"),
            Some(body),
        )
        .await;
    let list = format!("{PROJECT}/global/operations");
    let (_, listed) = cloud.call("GET", &list, None).await;
    let name = operation["name"].as_str().unwrap();
    assert_eq!(names(&listed), [name]);
    let (_, all) = cloud
        .call("GET", &format!("{PROJECT}/aggregated/operations"), None)
        .await;
    assert_eq!(all["items"]["global"]["operations"][0]["name"], name);
    let path = format!("{list}/{name}");
    let (_, done) = cloud.call("POST", &format!("{path}/wait"), None).await;
    assert_eq!(
        (&done["status"], &done["selfLink"]),
        (&json!("DONE"), &operation["selfLink"])
    );
    assert_eq!(cloud.call("DELETE", &path, None).await.0, 204);
    assert_eq!(cloud.call("GET", &path, None).await.0, 404);
    assert_eq!(cloud.call("DELETE", &path, None).await.0, 404);
    let (_, none) = cloud.call("GET", &format!("{ZONE}/operations"), None).await;
    assert!(names(&none).is_empty());
    cloud.emulator.stop().await;
}

#[tokio::test]
async fn places_types_and_quotas_can_be_asked() {
    let cloud = cloud().await;
    let get = async |path: &str| cloud.call("GET", &format!("{PROJECT}/{path}"), None).await;
    let (_, zones) = get("zones").await;
    assert!(names(&zones).contains(&"europe-west1-b"));
    assert_eq!(get("zones/nowhere").await.0, 404);
    let (_, machine) = get("zones/europe-west1-b/machineTypes/n1-standard-4").await;
    assert_eq!(
        (&machine["guestCpus"], &machine["memoryMb"]),
        (&json!(4), &json!(15360))
    );
    assert_eq!(
        get("zones/europe-west1-b/machineTypes/n1-other-4").await.0,
        404
    );
    let wish = |limit: f64| json!({"region": "europe-west1", "metric": "CPUS", "limit": limit});
    assert_eq!(
        cloud
            .call("POST", "emulator/v1/quotas", Some(wish(24.0)))
            .await
            .0,
        200
    );
    assert_eq!(
        cloud
            .call("POST", "emulator/v1/quotas", Some(wish(-1.0)))
            .await
            .0,
        400
    );
    let (_, region) = get("regions/europe-west1").await;
    let quotas = region["quotas"].as_array().unwrap();
    let cpus = quotas
        .iter()
        .find(|quota| quota["metric"] == "CPUS")
        .unwrap();
    assert_eq!(
        (&cpus["limit"], &cpus["usage"]),
        (&json!(24.0), &json!(12.0))
    );
    assert_eq!(get("regions/nowhere").await.0, 404);
    let (_, regions) = get("regions").await;
    assert!(names(&regions).contains(&"us-central1"));
    cloud.emulator.stop().await;
}

#[tokio::test]
async fn permissions_are_granted_but_for_those_taken_away() {
    let cloud = cloud().await;
    let denied = json!({"denied": ["dataproc.clusters.create"]});
    assert_eq!(
        cloud
            .call("POST", "emulator/v1/permissions", Some(denied))
            .await
            .0,
        200
    );
    let asked = json!({"permissions": ["dataproc.clusters.create", "dataproc.clusters.get"]});
    for call in [
        "v1/projects/p:testIamPermissions",
        "v3/projects/p:testIamPermissions",
        "compute/v1/projects/p/zones/europe-west1-b/instances/one-m/testIamPermissions",
    ] {
        let (status, granted) = cloud.call("POST", call, Some(asked.clone())).await;
        assert_eq!(
            (status, granted),
            (200, json!({"permissions": ["dataproc.clusters.get"]})),
            "{call}"
        );
    }
    for body in [
        json!({}),
        json!({"permissions": ["dataproc.*"]}),
        json!({"permissions": [1]}),
    ] {
        let (status, _) = cloud
            .call("POST", "v1/projects/p:testIamPermissions", Some(body))
            .await;
        assert_eq!(status, 400);
    }
    assert_eq!(
        cloud
            .call("POST", "v1/projects/p:setIamPolicy", None)
            .await
            .0,
        501
    );
    cloud.emulator.stop().await;
}
