//! Google's Compute Engine client on the wire: what it reads, what it writes, and how it sorts what comes back.
#![expect(clippy::expect_used, reason = "a test may fail where it stands")]

use std::sync::Arc;
use std::time::Duration;

use flinkproc_compute::{AdmittedKey, Door, GateError, Gatekeeper, GoogleGatekeeper, Reach};
use flinkproc_core::{MachineRef, ManualClock};
use google_cloud_auth::credentials::anonymous::Builder as Anonymous;
use serde_json::{Value, json};
use wiremock::matchers::{body_partial_json, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const INSTANCE: &str = "/compute/v1/projects/my-project/zones/europe-west4-a/instances/batch-m";
const PROJECT: &str = "/compute/v1/projects/my-project";
const ALICE: &str = "alice:ssh-ed25519 AAAAalice alice@example.com";
const OURS: &str = r#"deploy:ssh-ed25519 AAAAours google-ssh {"userName":"deploy","expireOn":"2026-11-22T14:00:00+0000"}"#;

fn machine() -> MachineRef {
    MachineRef {
        project: "my-project".parse().expect("valid"),
        zone: "europe-west4-a".parse().expect("valid"),
        instance: "batch-m".to_owned(),
    }
}

fn key() -> AdmittedKey {
    AdmittedKey {
        user: "deploy".to_owned(),
        public_key: "ssh-ed25519 AAAAours".to_owned(),
        expires: "2026-11-22T14:00:00Z".parse().expect("valid"),
        door: Door::Metadata,
    }
}

fn gatekeeper(uri: impl Into<String>) -> GoogleGatekeeper {
    let clock = ManualClock::eager("2026-11-22T12:00:00Z".parse().expect("valid"));
    GoogleGatekeeper::new(Anonymous::new().build(), Some(uri.into()), Arc::new(clock))
}

fn instance(fingerprint: &str, items: &[(&str, &str)]) -> ResponseTemplate {
    let items: Vec<_> = items
        .iter()
        .map(|(key, value)| json!({"key": key, "value": value}))
        .collect();
    ResponseTemplate::new(200).set_body_json(json!({
        "id": "4711", "name": "batch-m", "status": "RUNNING",
        "networkInterfaces": [{"networkIP": "10.0.0.2", "accessConfigs": [{"natIP": "192.0.2.7"}]}],
        "metadata": {"fingerprint": fingerprint, "items": items},
    }))
}

fn refusal(http: u16, status: &str, message: &str) -> ResponseTemplate {
    let error = json!({"error": {"code": http, "status": status, "message": message}});
    ResponseTemplate::new(http).set_body_json(error)
}

fn operation(status: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({"name": "operation-1", "status": status}))
}

async fn mount(server: &MockServer, verb: &str, at: &str, times: u64, answer: ResponseTemplate) {
    let mock = Mock::given(method(verb)).and(path(at)).respond_with(answer);
    mock.up_to_n_times(times).mount(server).await;
}

async fn project(server: &MockServer, items: &Value) {
    let body = json!({"name": "my-project", "commonInstanceMetadata": {"items": items}});
    mount(
        server,
        "GET",
        PROJECT,
        9,
        ResponseTemplate::new(200).set_body_json(body),
    )
    .await;
}

/// The bodies of the writes, in order.
async fn written(server: &MockServer) -> Vec<Value> {
    let sent = server.received_requests().await.unwrap_or_default();
    let posts = sent
        .into_iter()
        .filter(|request| request.method.as_str() == "POST");
    posts
        .filter_map(|request| request.body_json().ok())
        .collect()
}

#[tokio::test]
async fn a_machine_is_found_with_its_addresses() {
    let server = MockServer::start().await;
    project(
        &server,
        &json!([{"key": "enable-oslogin", "value": "TRUE"}]),
    )
    .await;
    mount(&server, "GET", INSTANCE, 1, instance("AAAA", &[])).await;
    let off = instance("AAAA", &[("enable-oslogin", "FALSE")]);
    mount(&server, "GET", INSTANCE, 1, off).await;
    mount(
        &server,
        "GET",
        INSTANCE,
        1,
        refusal(404, "NOT_FOUND", "no such instance"),
    )
    .await;
    let gate = gatekeeper(server.uri());
    let found = gate
        .find(&machine())
        .await
        .expect("answered")
        .expect("there");
    assert_eq!(
        (found.id.as_str(), found.status.as_str()),
        ("4711", "RUNNING")
    );
    assert_eq!(
        found.address(Reach::External).expect("there").to_string(),
        "192.0.2.7"
    );
    assert_eq!(
        found.address(Reach::Internal).expect("there").to_string(),
        "10.0.0.2"
    );
    assert!(found.os_login, "the project says so");
    let found = gate
        .find(&machine())
        .await
        .expect("answered")
        .expect("there");
    assert!(!found.os_login, "the instance counts before the project");
    assert_eq!(gate.find(&machine()).await, Ok(None));
}

#[tokio::test]
async fn a_key_is_written_beside_the_others_and_again_when_somebody_wrote_first() {
    let server = MockServer::start().await;
    project(&server, &json!([])).await;
    mount(
        &server,
        "GET",
        INSTANCE,
        1,
        instance("AAAA", &[("dataproc-role", "Master")]),
    )
    .await;
    let write = format!("{INSTANCE}/setMetadata");
    let mismatch = refusal(
        412,
        "FAILED_PRECONDITION",
        "Supplied fingerprint does not match",
    );
    mount(&server, "POST", &write, 1, mismatch).await;
    let both = [("dataproc-role", "Master"), ("ssh-keys", ALICE)];
    mount(&server, "GET", INSTANCE, 2, instance("BBBB", &both)).await;
    mount(&server, "POST", &write, 1, operation("RUNNING")).await;
    let all = format!("{ALICE}\n{OURS}");
    mount(
        &server,
        "GET",
        INSTANCE,
        1,
        instance("CCCC", &[("ssh-keys", &all)]),
    )
    .await;
    let gate = gatekeeper(server.uri());
    let login = gate.admit(&machine(), &key()).await;
    assert_eq!(login, Ok("deploy".to_owned()));
    let bodies = written(&server).await;
    assert_eq!(bodies.len(), 2);
    assert_eq!(bodies[0]["fingerprint"], json!("AAAA"));
    assert_eq!(
        bodies[1],
        json!({"fingerprint": "BBBB", "items": [
            {"key": "dataproc-role", "value": "Master"}, {"key": "ssh-keys", "value": all},
        ]}),
    );
}

#[tokio::test]
async fn where_os_login_decides_nothing_is_written() {
    let server = MockServer::start().await;
    project(
        &server,
        &json!([{"key": "enable-oslogin", "value": "true"}]),
    )
    .await;
    mount(&server, "GET", INSTANCE, 1, instance("AAAA", &[])).await;
    let refused = gatekeeper(server.uri()).admit(&machine(), &key()).await;
    assert_eq!(
        refused,
        Err(GateError::OsLoginRequired { machine: machine() })
    );
    assert!(written(&server).await.is_empty());
}

#[tokio::test]
async fn expelling_takes_out_ours_only_and_needs_neither_key_nor_machine() {
    let server = MockServer::start().await;
    let all = format!("{OURS}\n{ALICE}");
    mount(
        &server,
        "GET",
        INSTANCE,
        1,
        instance("AAAA", &[("ssh-keys", &all)]),
    )
    .await;
    Mock::given(method("POST"))
        .and(path(format!("{INSTANCE}/setMetadata")))
        .and(body_partial_json(
            json!({"items": [{"key": "ssh-keys", "value": ALICE}]}),
        ))
        .respond_with(operation("DONE"))
        .expect(1)
        .mount(&server)
        .await;
    mount(
        &server,
        "GET",
        INSTANCE,
        1,
        instance("BBBB", &[("ssh-keys", ALICE)]),
    )
    .await;
    mount(
        &server,
        "GET",
        INSTANCE,
        1,
        refusal(404, "NOT_FOUND", "no such instance"),
    )
    .await;
    let gate = gatekeeper(server.uri());
    for _ in 0..3 {
        assert_eq!(gate.expel(&machine(), &key()).await, Ok(()));
    }
}

#[tokio::test]
async fn the_last_key_takes_its_entry_with_it() {
    let server = MockServer::start().await;
    mount(
        &server,
        "GET",
        INSTANCE,
        1,
        instance("AAAA", &[("ssh-keys", OURS)]),
    )
    .await;
    mount(
        &server,
        "POST",
        &format!("{INSTANCE}/setMetadata"),
        1,
        operation("DONE"),
    )
    .await;
    assert_eq!(
        gatekeeper(server.uri()).expel(&machine(), &key()).await,
        Ok(())
    );
    assert_eq!(written(&server).await, [json!({"fingerprint": "AAAA"})]);
}

#[tokio::test]
async fn host_keys_are_read_where_they_are_published() {
    let server = MockServer::start().await;
    let at = format!("{INSTANCE}/getGuestAttributes");
    let published = json!({"queryPath": "hostkeys/", "queryValue": {"items": [
        {"namespace": "hostkeys", "key": "ssh-ed25519", "value": "AAAAhost"},
        {"namespace": "hostkeys", "key": "ssh-rsa", "value": "AAAArsa"},
    ]}});
    mount(
        &server,
        "GET",
        &at,
        1,
        ResponseTemplate::new(200).set_body_json(published),
    )
    .await;
    let none = "The resource 'hostkeys/' of type 'Guest Attribute' was not found.";
    mount(&server, "GET", &at, 1, refusal(404, "NOT_FOUND", none)).await;
    mount(
        &server,
        "GET",
        &at,
        1,
        refusal(404, "NOT_FOUND", "no such instance"),
    )
    .await;
    let gate = gatekeeper(server.uri());
    let expected = ["ssh-ed25519 AAAAhost", "ssh-rsa AAAArsa"];
    assert_eq!(
        gate.host_keys(&machine()).await.expect("answered"),
        expected
    );
    assert_eq!(gate.host_keys(&machine()).await, Ok(Vec::new()));
    let absent = Err(GateError::NotFound { machine: machine() });
    assert_eq!(gate.host_keys(&machine()).await, absent);
}

#[tokio::test]
async fn failures_are_sorted_and_what_passes_is_outlived() {
    let server = MockServer::start().await;
    project(&server, &json!([])).await;
    mount(
        &server,
        "GET",
        INSTANCE,
        1,
        refusal(429, "RESOURCE_EXHAUSTED", "slow down"),
    )
    .await;
    mount(
        &server,
        "GET",
        INSTANCE,
        1,
        refusal(503, "UNAVAILABLE", "again"),
    )
    .await;
    mount(&server, "GET", INSTANCE, 1, instance("AAAA", &[])).await;
    let denied = "Required 'compute.instances.get' permission";
    mount(
        &server,
        "GET",
        INSTANCE,
        1,
        refusal(403, "PERMISSION_DENIED", denied),
    )
    .await;
    let proxy = ResponseTemplate::new(404).set_body_string("<html>");
    mount(&server, "GET", INSTANCE, 1, proxy).await;
    let gate = gatekeeper(server.uri());
    assert!(
        gate.find(&machine())
            .await
            .is_ok_and(|found| found.is_some())
    );
    let refused = gate.find(&machine()).await;
    assert!(matches!(&refused, Err(GateError::Denied { message, .. }) if message == denied));
    let proxied = gate.find(&machine()).await;
    assert!(
        matches!(proxied, Err(GateError::Unreadable { .. })),
        "{proxied:?}"
    );
    let gate = gatekeeper("http://127.0.0.1:9").with_patience(Duration::from_millis(300));
    let nobody = gate.find(&machine()).await;
    assert!(
        matches!(nobody, Err(GateError::Unavailable { .. })),
        "{nobody:?}"
    );
}
