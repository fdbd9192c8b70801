//! OS Login: keys of a profile enter machines that ask for it, until they expire or are taken back.

use std::time::Duration;

use dataproc_emulator::{EmulatorOptions, ScriptedOptions, ScriptedRuntime};
use serde_json::{Value, json};

use crate::cloud::Cloud;

const USER: &str = "v1/users/me@example.com";

async fn cloud(metadata: Value) -> Cloud {
    let user = ScriptedRuntime::login_user().unwrap();
    let options = EmulatorOptions::default().login_user(user);
    Cloud::with(ScriptedOptions::default(), options, metadata).await
}

async fn import(cloud: &Cloud, key: Value) -> (u16, Value) {
    let call = format!("{USER}:importSshPublicKey?projectId=p");
    cloud.call("POST", &call, Some(key)).await
}

#[tokio::test]
async fn an_imported_key_enters_until_it_expires() {
    let cloud = cloud(json!({"enable-oslogin": "TRUE"})).await;
    // The metadata's keys do not count where OS Login is on.
    cloud.admit("2100-01-01T00:00:00+0000").await;
    assert!(!cloud.ssh("true").await.status.success());

    let expires = cloud.emulator.now() + Duration::from_secs(300);
    let expires = expires.as_microsecond().to_string();
    let key = json!({"key": cloud.public_key(), "expirationTimeUsec": expires});
    let (status, answer) = import(&cloud, key).await;
    assert_eq!(status, 200, "{answer}");
    let profile = &answer["loginProfile"];
    let account = &profile["posixAccounts"][0];
    assert_eq!(account["username"], cloud.machine().user());
    assert_eq!(
        (&account["accountId"], &account["primary"]),
        (&json!("p"), &json!(true))
    );
    let (fingerprint, held) = profile["sshPublicKeys"]
        .as_object()
        .unwrap()
        .iter()
        .next()
        .unwrap();
    assert_eq!(
        (&held["key"], &held["expirationTimeUsec"]),
        (&json!(cloud.public_key()), &json!(expires))
    );
    assert!(cloud.ssh("true").await.status.success());

    let path = format!("{USER}/sshPublicKeys/{fingerprint}");
    cloud.emulator.advance(Duration::from_secs(301)).await;
    assert!(!cloud.ssh("true").await.status.success());
    let later = cloud.emulator.now() + Duration::from_secs(300);
    let body = json!({"expirationTimeUsec": later.as_microsecond()});
    let patch = format!("{path}?updateMask=expirationTimeUsec");
    assert_eq!(cloud.call("PATCH", &patch, Some(body)).await.0, 200);
    assert!(cloud.ssh("true").await.status.success());

    assert_eq!(cloud.call("DELETE", &path, None).await, (200, json!({})));
    assert!(!cloud.ssh("true").await.status.success());
    let (status, error) = cloud.call("GET", &path, None).await;
    assert_eq!(
        (status, &error["error"]["status"]),
        (404, &json!("NOT_FOUND"))
    );
    cloud.emulator.stop().await;
}

#[tokio::test]
async fn a_second_factor_keeps_every_key_outside() {
    let cloud = cloud(json!({"enable-oslogin": "TRUE", "enable-oslogin-2fa": "TRUE"})).await;
    let (status, _) = import(&cloud, json!({"key": cloud.public_key()})).await;
    assert_eq!(status, 200);
    assert!(!cloud.ssh("true").await.status.success());
    cloud.emulator.stop().await;
}

#[tokio::test]
async fn accounts_are_made_by_project_and_taken_away() {
    let cloud = cloud(json!({})).await;
    let (_, empty) = cloud
        .call("GET", &format!("{USER}/loginProfile?projectId=p"), None)
        .await;
    assert!(
        empty["name"].is_string() && empty.get("posixAccounts").is_none(),
        "{empty}"
    );
    let (status, account) = cloud
        .call(
            "POST",
            "v1beta/users/me@example.com/projects/q",
            Some(json!({"regions": []})),
        )
        .await;
    assert_eq!((status, &account["accountId"]), (200, &json!("q")));
    let (_, other) = cloud
        .call("GET", &format!("{USER}/loginProfile?projectId=p"), None)
        .await;
    assert!(other.get("posixAccounts").is_none(), "{other}");
    assert_eq!(
        cloud
            .call("DELETE", &format!("{USER}/projects/q"), None)
            .await
            .0,
        200
    );
    assert_eq!(
        cloud
            .call("DELETE", &format!("{USER}/projects/q"), None)
            .await
            .0,
        404
    );
    cloud.emulator.stop().await;
}

#[tokio::test]
async fn bad_calls_are_refused_and_change_nothing() {
    let cloud = cloud(json!({})).await;
    let refused = async |body: Value| {
        let (status, error) = import(&cloud, body).await;
        assert_eq!(
            (status, &error["error"]["status"]),
            (400, &json!("INVALID_ARGUMENT")),
            "{error}"
        );
    };
    refused(json!([])).await;
    refused(json!({"key": "no key"})).await;
    refused(json!({"key": cloud.public_key(), "expirationTimeUsec": "soon"})).await;
    refused(json!({"key": cloud.public_key(), "expires": "1"})).await;
    let status = async |method: &str, path: &str| cloud.call(method, path, Some(json!({}))).await.0;
    assert_eq!(
        status("POST", "v1/users/nobody:importSshPublicKey").await,
        400
    );
    assert_eq!(
        status("POST", "v1/users/me@example.com:signSshPublicKey").await,
        501
    );
    assert_eq!(
        status("PATCH", &format!("{USER}/sshPublicKeys/ff?updateMask=key")).await,
        400
    );
    assert_eq!(
        status("PATCH", &format!("{USER}/sshPublicKeys/ff")).await,
        404
    );
    assert_eq!(status("POST", &format!("{USER}/sshPublicKeys")).await, 400);
    let (_, profile) = cloud
        .call("GET", &format!("{USER}/loginProfile"), None)
        .await;
    assert!(profile.get("sshPublicKeys").is_none(), "{profile}");
    cloud.emulator.stop().await;
}
