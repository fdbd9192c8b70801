//! Google's client against the emulator: the contract suite, and the failures that the service can give.
#![expect(clippy::expect_used, reason = "a test may fail where it stands")]

use std::sync::Arc;

use dataproc_emulator::{
    Emulator, EmulatorOptions, FaultEffect, FaultRule, RuntimeError, ScriptedRuntime,
};
use flinkproc_core::{ClusterRef, Explain, ManualClock, Span};
use flinkproc_dataproc::contract::{self, Ground};
use flinkproc_dataproc::{
    ApiError, ClusterApi, ClusterOutcome, ClusterSpec, GoogleDataproc, wait_cluster, wait_gone,
};
use google_cloud_auth::credentials::anonymous::Builder as Anonymous;
use serde_json::json;

const CLUSTERS: &str = "/v1/projects/*/regions/*/clusters";
const OPERATIONS: &str = "/v1/projects/*/regions/*/operations/*";

struct Cloud {
    /// Diagnoses and driver output go here.
    storage: gcs_emulator::Emulator,
    _root: tempfile::TempDir,
    emulator: Emulator,
    runtime: Arc<ScriptedRuntime>,
    api: GoogleDataproc,
    clock: ManualClock,
}

async fn cloud() -> Cloud {
    let root = tempfile::tempdir().expect("a folder");
    let storage = gcs_emulator::Emulator::start(gcs_emulator::Options::new(root.path())).await;
    let storage = storage.expect("the storage emulator starts");
    let runtime = Arc::new(ScriptedRuntime::without_machines());
    let options = EmulatorOptions::default().storage(storage.url());
    let started = Emulator::start(runtime.clone(), options).await;
    let emulator = started.expect("the emulator starts");
    let api = GoogleDataproc::new(Anonymous::new().build(), Some(emulator.url()));
    // Eager: it only shortens the pauses between polls, which have no deadline to fear for days of its time.
    let clock = ManualClock::eager("2026-11-22T12:00:00Z".parse().expect("valid"));
    Cloud {
        storage,
        _root: root,
        emulator,
        runtime,
        api,
        clock,
    }
}

fn cluster() -> ClusterRef {
    ClusterRef {
        project: "my-project".parse().expect("valid"),
        region: "europe-west4".parse().expect("valid"),
        name: "batch".parse().expect("valid"),
    }
}

fn spec() -> ClusterSpec {
    ClusterSpec {
        cluster: cluster(),
        resource: json!({"config": {
            "softwareConfig": {"imageVersion": "2.2-debian12", "optionalComponents": ["FLINK"]},
            "secondaryWorkerConfig": {"numInstances": 2, "preemptibility": "SPOT"},
            "lifecycleConfig": {"idleDeleteTtl": "600s", "autoDeleteTtl": "7200s"},
        }}),
    }
}

const DEADLINE: &str = "2027-11-22T12:00:00Z";

#[tokio::test]
async fn googles_client_keeps_the_contract() {
    let cloud = cloud().await;
    let (api, clock) = (&cloud.api, &cloud.clock);
    let ground = Ground {
        clock,
        project: "my-project".parse().expect("valid"),
        region: "europe-west4".parse().expect("valid"),
        prefix: "google".to_owned(),
        resource: json!({"config": {"gceClusterConfig": {"metadata": {"a": "b"}}}}),
        patience: Span::from_secs(1_000_000),
    };
    let kept = contract::clusters(api, &ground).await;
    kept.expect("the contract of clusters holds");
    let kept = contract::care(api, &ground).await;
    kept.expect("the contract of stops, starts and diagnoses holds");
    let kept = contract::jobs(api, api, &ground).await;
    kept.expect("the contract of jobs holds");
    assert!(cloud.emulator.clusters().is_empty());
    cloud.emulator.stop().await;
    cloud.storage.stop().await;
}

#[tokio::test]
async fn lost_answers_and_bad_polls_make_one_cluster() {
    let Cloud {
        emulator,
        api,
        clock,
        storage,
        _root,
        ..
    } = cloud().await;
    let faults = emulator.faults();
    faults.add(FaultRule::on("POST", CLUSTERS, FaultEffect::AnswerLost));
    let full = json!({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "slow"}});
    let answer = |status, body: &str| FaultEffect::Answer {
        status,
        body: body.to_owned(),
    };
    faults.add(FaultRule::on(
        "GET",
        OPERATIONS,
        answer(429, &full.to_string()),
    ));
    faults.add(FaultRule::on("GET", OPERATIONS, answer(502, "<html>Bad Gateway")).from_call(2));
    faults.add(FaultRule::on("GET", OPERATIONS, FaultEffect::Reset).from_call(3));
    let request = "create-1".parse().expect("valid");
    let operation = api.start_create(&spec(), &request).await.expect("started");
    let deadline = DEADLINE.parse().expect("valid");
    let settled = wait_cluster(&api, &clock, &cluster(), Some(&operation), deadline).await;
    let running = settled
        .expect("an answer")
        .into_running(&cluster())
        .expect("running");
    let ttl = running
        .resource
        .pointer("/config/lifecycleConfig/idleDeleteTtl");
    assert_eq!(ttl, Some(&json!("600s")));
    assert_eq!(emulator.clusters().len(), 1);
    emulator.stop().await;
    storage.stop().await;
}

#[tokio::test]
async fn a_broken_cluster_is_told_with_its_cause_and_can_be_deleted() {
    let check = async |failure: RuntimeError, expected: &str| {
        let Cloud {
            emulator,
            runtime,
            api,
            clock,
            storage,
            _root,
        } = cloud().await;
        runtime.fail_next_create(failure);
        let request = "create-1".parse().expect("valid");
        let operation = api.start_create(&spec(), &request).await.expect("started");
        let deadline = DEADLINE.parse().expect("valid");
        let settled = wait_cluster(&api, &clock, &cluster(), Some(&operation), deadline).await;
        let outcome = settled.expect("an answer").outcome;
        let ClusterOutcome::Error {
            cluster: broken,
            cause,
        } = outcome
        else {
            unreachable!("{outcome:?}");
        };
        assert_eq!(cause.code().as_str(), expected, "{cause}");
        let request = "delete-1".parse().expect("valid");
        let deleted = api
            .start_delete(&cluster(), Some(&broken.uuid), &request)
            .await;
        let operation = deleted.expect("started");
        let gone = wait_gone(&api, &clock, &cluster(), None, operation.as_ref(), deadline).await;
        assert_eq!(gone, Ok(()));
        assert!(emulator.clusters().is_empty());
        emulator.stop().await;
        storage.stop().await;
    };
    let detail = "initialization action failed".to_owned();
    check(RuntimeError::Failed { detail }, "DPR012").await;
    let detail = "n2-standard-4".to_owned();
    check(RuntimeError::Stockout { detail }, "DPR006").await;
}

#[tokio::test]
async fn an_image_that_is_none_is_not_valid() {
    let Cloud {
        emulator,
        api,
        storage,
        _root,
        ..
    } = cloud().await;
    let mut spec = spec();
    spec.resource["config"]["softwareConfig"]["imageVersion"] = json!("9.9-plan9");
    let request = "create-1".parse().expect("valid");
    let refused = api.start_create(&spec, &request).await;
    assert!(
        matches!(refused, Err(ApiError::Invalid { .. })),
        "{refused:?}"
    );
    assert!(emulator.clusters().is_empty());
    emulator.stop().await;
    storage.stop().await;
}
