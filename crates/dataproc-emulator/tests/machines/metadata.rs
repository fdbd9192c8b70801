//! A machine's metadata server: what it tells, to whom, and in which form.

use dataproc_emulator::{EmulatorOptions, ScriptedOptions};
use serde_json::{Value, json};

use crate::cloud::{Cloud, ZONE, text};

async fn cloud(options: EmulatorOptions) -> (Cloud, String) {
    let metadata = json!({"enable-guest-attributes": "TRUE", "myKey": "my value"});
    let cloud = Cloud::with(ScriptedOptions::default(), options, metadata).await;
    cloud.admit("2100-01-01T00:00:00+0000").await;
    let told = cloud.ssh("echo $GCE_METADATA_HOST").await;
    let host = text(&told.stdout).trim().to_owned();
    (cloud, host)
}

async fn get(cloud: &Cloud, host: &str, path: &str) -> (u16, String) {
    let url = format!("http://{host}/computeMetadata/v1/{path}");
    let request = cloud.client.get(url).header("Metadata-Flavor", "Google");
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["metadata-flavor"], "Google");
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn a_machine_learns_what_it_is() {
    let (cloud, host) = cloud(EmulatorOptions::default()).await;
    let (_, machine) = cloud
        .call("GET", &format!("{ZONE}/instances/one-m"), None)
        .await;
    let check = async |path: &str, expected: &str| {
        assert_eq!(
            get(&cloud, &host, path).await,
            (200, expected.to_owned()),
            "{path}"
        );
    };
    check("instance/name", "one-m").await;
    check("instance/id", machine["id"].as_str().unwrap()).await;
    check("instance/hostname", "one-m.europe-west1-b.c.p.internal").await;
    check("instance/attributes/myKey", "my value").await;
    check("instance/attributes/dataproc-role", "Master").await;
    check("instance/attributes/dataproc-cluster-name", "one").await;
    check("instance/attributes/dataproc-region", "europe-west1").await;
    check("instance/name?alt=json", "\"one-m\"").await;
    check("project/project-id", "p").await;
    check("", "instance/\noslogin/\nproject/\n").await;
    let (_, zone) = get(&cloud, &host, "instance/zone").await;
    assert!(zone.ends_with("/zones/europe-west1-b"), "{zone}");
    let (_, bucket) = get(&cloud, &host, "instance/attributes/dataproc-bucket").await;
    assert!(
        bucket.starts_with("dataproc-staging-europe-west1-"),
        "{bucket}"
    );
    // Without the slash a folder moves, which the client follows.
    let (_, attributes) = get(&cloud, &host, "instance/attributes").await;
    assert!(
        attributes.lines().any(|line| line == "myKey"),
        "{attributes}"
    );
    let (_, all) = get(&cloud, &host, "instance/?recursive=true").await;
    let all: Value = serde_json::from_str(&all).unwrap();
    assert_eq!(all["attributes"]["myKey"], "my value");
    assert_eq!(
        all["serviceAccounts"]["default"]["aliases"],
        json!(["default"])
    );

    let asked = cloud.ssh("curl -s -H 'Metadata-Flavor: Google' $GCE_METADATA_HOST/computeMetadata/v1/instance/name").await;
    assert_eq!(text(&asked.stdout), "one-m");
    cloud.emulator.stop().await;
    let gone = cloud.client.get(format!("http://{host}/")).send().await;
    assert!(gone.is_err(), "{gone:?}");
}

#[tokio::test]
async fn its_token_opens_a_closed_emulator() {
    let options = EmulatorOptions::default().token("a-secret");
    let (cloud, host) = cloud(options).await;
    let account = "instance/service-accounts/default";
    let (status, token) = get(&cloud, &host, &format!("{account}/token")).await;
    let token: Value = serde_json::from_str(&token).unwrap();
    assert_eq!((status, &token["token_type"]), (200, &json!("Bearer")));
    let clusters = format!(
        "{}/v1/projects/p/regions/europe-west1/clusters",
        cloud.emulator.url()
    );
    let status = async |bearer: &str| {
        let request = reqwest::Client::new().get(&clusters).bearer_auth(bearer);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(status("another").await, 401);
    assert_eq!(status(token["access_token"].as_str().unwrap()).await, 200);
    let (_, email) = get(&cloud, &host, &format!("{account}/email")).await;
    assert!(
        email.ends_with("-compute@developer.gserviceaccount.com"),
        "{email}"
    );
    let (_, scopes) = get(&cloud, &host, &format!("{account}/scopes")).await;
    assert_eq!(scopes, "https://www.googleapis.com/auth/cloud-platform\n");
    let (_, identity) = get(&cloud, &host, &format!("{account}/identity?audience=me")).await;
    assert_eq!(identity.split('.').count(), 3);
    assert_eq!(
        get(&cloud, &host, &format!("{account}/identity")).await.0,
        400
    );
    assert_eq!(
        get(
            &cloud,
            &host,
            "instance/service-accounts/other/identity?audience=me"
        )
        .await
        .0,
        404
    );
    cloud.emulator.stop().await;
}

#[tokio::test]
async fn a_machine_fetches_a_secret_with_its_token() {
    let (cloud, _) = cloud(EmulatorOptions::default().token("a-secret")).await;
    let secrets = "v1/projects/p/secrets";
    for (path, body) in [
        (
            "?secretId=password",
            json!({"replication": {"automatic": {}}}),
        ),
        ("/password:addVersion", json!({"payload": {"data": "dHdv"}})),
    ] {
        let url = format!("{}/{secrets}{path}", cloud.emulator.url());
        let call = cloud.client.post(url).bearer_auth("a-secret").json(&body);
        assert_eq!(call.send().await.unwrap().status().as_u16(), 200);
    }
    let line = format!(
        "token=$(curl -s -H 'Metadata-Flavor: Google' \
         $GCE_METADATA_HOST/computeMetadata/v1/instance/service-accounts/default/token | sed 's/.*access_token\":\"//; s/\".*//') \
         && curl -s -H \"Authorization: Bearer $token\" \
         $FLINKPROC_SECRET_MANAGER_ENDPOINT/{secrets}/password/versions/latest:access"
    );
    let read = cloud.ssh(&line).await;
    let read: Value = serde_json::from_str(&text(&read.stdout)).unwrap();
    assert_eq!(read["payload"]["data"], "dHdv");
    cloud.emulator.stop().await;
}

#[tokio::test]
async fn pages_proxies_and_bad_calls_learn_nothing() {
    let (cloud, host) = cloud(EmulatorOptions::default()).await;
    let url = format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/token");
    let status = async |method: &str, headers: &[(&str, &str)]| {
        let mut request = cloud.client.request(method.parse().unwrap(), &url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap().status().as_u16()
    };
    let flavor = ("Metadata-Flavor", "Google");
    assert_eq!(status("GET", &[]).await, 403);
    assert_eq!(status("GET", &[("Metadata-Flavor", "google")]).await, 403);
    assert_eq!(
        status("GET", &[flavor, ("X-Forwarded-For", "10.0.0.1")]).await,
        403
    );
    assert_eq!(status("GET", &[flavor, ("Host", "example.com")]).await, 403);
    assert_eq!(status("POST", &[flavor]).await, 405);
    assert_eq!(
        status("GET", &[flavor, ("Host", "metadata.google.internal")]).await,
        200
    );
    assert_eq!(get(&cloud, &host, "instance/none").await.0, 404);
    assert_eq!(get(&cloud, &host, "instance/name?alt=xml").await.0, 400);
    assert_eq!(
        get(&cloud, &host, "instance/name?timeout_sec=soon").await.0,
        400
    );
    let call = "instance/name?wait_for_change=true&timeout_sec=0";
    assert_eq!(get(&cloud, &host, call).await, (200, "one-m".to_owned()));
    cloud.emulator.stop().await;
}
