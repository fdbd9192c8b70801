//! What can go wrong before a job runs, and the exit code of each.

use dataproc_emulator::{FaultEffect, FaultRule, FlinkScript, RuntimeError};
use serde_json::json;

use crate::cloud::{CLUSTERS, Cloud, ONE_CLUSTER, good};

fn broken() -> RuntimeError {
    RuntimeError::Failed {
        detail: "Multiple Errors: worker-0 did not start".to_owned(),
    }
}

fn answer(status: u16, code: &str, message: &str) -> FaultEffect {
    let error = json!({"error": {"code": status, "status": code, "message": message}});
    FaultEffect::Answer {
        status,
        body: error.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_cluster_is_made_anew_once() {
    let cloud = Cloud::new(good()).await;
    cloud.runtime.fail_next_create(broken());
    let ran = cloud.run(&["deploy"]).await;
    ran.ended_with(0).told(&["worker-0 did not start"]);
    cloud.is_empty();
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_breaks_again_is_the_end() {
    let cloud = Cloud::new(good()).await;
    cloud.runtime.fail_next_create(broken());
    cloud.runtime.fail_next_create(broken());
    let ran = cloud.run(&["deploy"]).await;
    ran.ended_with(5)
        .told(&["error[", "worker-0 did not start", "help:"]);
    cloud.is_empty();
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stockout_has_an_exit_code_of_its_own() {
    let cloud = Cloud::new(good()).await;
    for _ in 0..2 {
        let detail = "n2-standard-4 in europe-west1-b".to_owned();
        cloud
            .runtime
            .fail_next_create(RuntimeError::Stockout { detail });
    }
    let ran = cloud.run(&["deploy"]).await;
    ran.ended_with(4).told(&["error[DPR", "help:"]);
    cloud.is_empty();
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_up_quota_has_the_same() {
    let cloud = Cloud::new(good()).await;
    let message = "Insufficient 'CPUS' quota. Requested 12.0, available 4.0.";
    let effect = answer(400, "INVALID_ARGUMENT", message);
    let rule = FaultRule::on("POST", CLUSTERS, effect).times(100);
    cloud.emulator.faults().add(rule);
    let ran = cloud.run(&["deploy"]).await;
    ran.ended_with(4).told(&["error[DPR", "CPUS", "help:"]);
    cloud.is_empty();
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_may_not_be_made_is_a_matter_of_permission() {
    let cloud = Cloud::new(good()).await;
    let message =
        "Not authorized to requested resource: dataproc.clusters.create on projects/my-project";
    let rule =
        FaultRule::on("POST", CLUSTERS, answer(403, "PERMISSION_DENIED", message)).times(100);
    cloud.emulator.faults().add(rule);
    let ran = cloud.run(&["deploy"]).await;
    ran.ended_with(3)
        .told(&["error[DPR", "dataproc.clusters.create", "help:"]);
    cloud.is_empty();
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_is_missing_is_found_before_anything_is_made() {
    let cloud = Cloud::new(good()).await;
    // A rule that is never to strike counts the calls.
    let counter = FaultRule::on("POST", CLUSTERS, FaultEffect::Reset);
    cloud.emulator.faults().add(counter.from_call(1000));
    let ran = cloud.run(&["deploy", "--bucket", "no-such-bucket"]).await;
    ran.ended_with(2)
        .told(&["error[STG", "gs://no-such-bucket", "help:"]);
    assert_eq!(cloud.emulator.faults().list()[0].1, 0);
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_is_forbidden_is_found_before_anything_is_made() {
    let mut cloud = Cloud::new(good()).await;
    let storage = wiremock::MockServer::start().await;
    let refusal = json!({"error": {"code": 403, "message":
        "me@example.com does not have storage.buckets.get access to the Google Cloud Storage bucket."}});
    wiremock::Mock::given(wiremock::matchers::any())
        .respond_with(wiremock::ResponseTemplate::new(403).set_body_json(refusal))
        .mount(&storage)
        .await;
    cloud.home.set("FLINKPROC_STORAGE_ENDPOINT", storage.uri());
    // A rule that is never to strike counts the calls.
    let counter = FaultRule::on("POST", CLUSTERS, FaultEffect::Reset);
    cloud.emulator.faults().add(counter.from_call(1000));
    let ran = cloud.run(&["deploy"]).await;
    ran.ended_with(3)
        .told(&["error[STG", "gs://my-bucket", "help:"]);
    assert_eq!(cloud.emulator.faults().list()[0].1, 0);
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_cannot_be_deleted_is_named_with_the_command() {
    let cloud = Cloud::new(FlinkScript::default()).await;
    let message = "Not authorized to requested resource: dataproc.clusters.delete";
    let rule = FaultRule::on(
        "DELETE",
        ONE_CLUSTER,
        answer(403, "PERMISSION_DENIED", message),
    )
    .times(1000);
    cloud.emulator.faults().add(rule);
    let ran = cloud
        .run(&["deploy", "--set", "job.result=gs://my-bucket/no/"])
        .await;
    assert_ne!(ran.code, Some(0), "{}", ran.err);
    let clusters = cloud.clusters();
    let command = format!("gcloud dataproc clusters delete {}", clusters[0]);
    ran.told(&["still costs money", &command]);
    // Once it may be deleted, `down` does it.
    cloud.emulator.faults().clear();
    let id = cloud.deployment().await["deployment"].to_string();
    cloud
        .run(&["down", id.trim_matches('"')])
        .await
        .ended_with(0);
    cloud.is_empty();
    cloud.stop().await;
}
