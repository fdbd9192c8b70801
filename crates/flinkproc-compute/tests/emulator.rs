//! Google's client against the emulator: the contract suite, with another person's key beside ours.
#![expect(clippy::expect_used, reason = "a test may fail where it stands")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use dataproc_emulator::{Emulator, EmulatorOptions, FaultEffect, FaultRule, ScriptedRuntime};
use flinkproc_compute::contract::gatekeeper;
use flinkproc_compute::{AdmittedKey, Door, Gatekeeper, GoogleGatekeeper};
use flinkproc_core::{MachineRef, ManualClock};
use google_cloud_auth::credentials::anonymous::Builder as Anonymous;
use serde_json::{Value, json};

const SET_METADATA: &str = "*/setMetadata";

fn machine() -> MachineRef {
    MachineRef {
        project: "my-project".parse().expect("valid"),
        zone: "europe-west4-b".parse().expect("valid"),
        instance: "batch-m".to_owned(),
    }
}

fn key(user: &str, public_key: &str) -> AdmittedKey {
    AdmittedKey {
        user: user.to_owned(),
        public_key: format!("ssh-ed25519 {public_key}"),
        expires: "2100-01-01T00:00:00Z".parse().expect("valid"),
        door: Door::Metadata,
    }
}

/// An emulator with one running cluster whose machines are names only.
async fn cloud() -> (Emulator, Arc<ScriptedRuntime>, GoogleGatekeeper) {
    let runtime = Arc::new(ScriptedRuntime::without_machines());
    let started = Emulator::start(runtime.clone(), EmulatorOptions::default()).await;
    let emulator = started.expect("the emulator starts");
    let url = format!(
        "{}/v1/projects/my-project/regions/europe-west4/clusters",
        emulator.url()
    );
    let zone = json!({"zoneUri": "europe-west4-b"});
    let body = json!({"clusterName": "batch", "config": {"gceClusterConfig": zone}});
    let answer = reqwest::Client::new()
        .post(url)
        .json(&body)
        .send()
        .await
        .expect("answered");
    assert_eq!(answer.status(), 200);
    let deadline = Instant::now() + Duration::from_secs(60);
    let running = |clusters: &[Value]| {
        let state = clusters
            .first()
            .and_then(|cluster| cluster.pointer("/status/state"));
        state == Some(&json!("RUNNING"))
    };
    while !running(&emulator.clusters()) {
        assert!(Instant::now() < deadline, "{:?}", emulator.clusters());
        tokio::task::yield_now().await;
    }
    let clock = ManualClock::eager("2026-11-22T12:00:00Z".parse().expect("valid"));
    let credentials = Anonymous::new().build();
    let gate = GoogleGatekeeper::new(credentials, Some(emulator.url()), Arc::new(clock));
    (emulator, runtime, gate)
}

/// The login names that a machine lets in.
fn let_in(runtime: &ScriptedRuntime) -> Vec<String> {
    let keys = runtime.keys("batch", "batch-m");
    keys.into_iter().map(|key| key.user).collect()
}

#[tokio::test]
async fn googles_client_keeps_the_contract_and_spares_the_keys_of_others() {
    let (emulator, runtime, gate) = cloud().await;
    let alice = key("alice", "AAAAC3NzaC1lZDI1NTE5AAAAIAlice");
    let ours = key("deploy", "AAAAC3NzaC1lZDI1NTE5AAAAIOurs");
    gate.admit(&machine(), &alice).await.expect("let in");
    gatekeeper(&gate, &machine(), &ours)
        .await
        .expect("the contract holds");
    assert_eq!(let_in(&runtime), ["alice"]);
    gate.admit(&machine(), &ours).await.expect("let in");
    assert_eq!(let_in(&runtime), ["alice", "deploy"]);
    emulator.stop().await;
}

#[tokio::test]
async fn a_lost_answer_neither_loses_nor_doubles_a_key() {
    let (emulator, runtime, gate) = cloud().await;
    let lost = FaultRule::on("POST", SET_METADATA, FaultEffect::AnswerLost);
    emulator.faults().add(lost);
    let ours = key("deploy", "AAAAC3NzaC1lZDI1NTE5AAAAIOurs");
    gate.admit(&machine(), &ours).await.expect("let in");
    assert_eq!(let_in(&runtime), ["deploy"]);
    let cut = FaultRule::on("POST", SET_METADATA, FaultEffect::Reset).times(2);
    emulator.faults().add(cut);
    gate.expel(&machine(), &ours).await.expect("taken out");
    assert!(let_in(&runtime).is_empty());
    emulator.stop().await;
}
