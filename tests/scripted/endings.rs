//! How a job can end, and the exit code of each.

use std::time::Duration;

use dataproc_emulator::{FlinkScript, YarnEnd};
use serde_json::{Value, json};

use crate::cloud::{Cloud, endless, good, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_fails_shows_its_cause() {
    let trace = "Traceback (most recent call last):\n  File \"job.py\", line 3, in parse\nValueError: not a number: 'x'";
    let cloud = Cloud::new(FlinkScript::failing(trace)).await;
    let ran = cloud.run(&["deploy"]).await;
    ran.ended_with(7)
        .told(&["cause", "ValueError: not a number: 'x'"]);
    cloud.is_empty();
    let row = cloud.deployment().await;
    assert_eq!(row["state"], "failed");
    let id = row["deployment"].as_str().unwrap();
    let logs = cloud.run(&["logs", id]).await;
    logs.ended_with(0).told(&["ValueError"]);
    assert!(logs.out.contains("Traceback"), "{}", logs.out);
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_that_is_refused_is_no_failed_job() {
    let refusal = "org.apache.flink.client.deployment.ClusterDeploymentException: Could not deploy Yarn job cluster.";
    let cloud = Cloud::new(FlinkScript::refusing(refusal)).await;
    let ran = cloud.run(&["deploy"]).await;
    ran.ended_with(6)
        .told(&["Could not deploy Yarn job cluster"]);
    cloud.is_empty();
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_somebody_kills_was_cancelled() {
    let cloud = Cloud::new(endless()).await;
    let running = cloud.start(&["deploy"]);
    running.tells("the launcher has the job").await;
    let machine = cloud.machine();
    until(|| machine.is_busy()).await;
    let applications = format!("http://{}/ws/v1/cluster/apps", machine.yarn());
    let client = reqwest::Client::new();
    let all: Value = client
        .get(&applications)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let id = all["apps"]["app"][0]["id"].as_str().unwrap();
    let killed = client
        .put(format!("{applications}/{id}/state"))
        .json(&json!({"state": "KILLED"}))
        .send();
    assert!(killed.await.unwrap().status().is_success());
    running.end().await.ended_with(8).told(&["cancelled"]);
    cloud.is_empty();
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_ends_everything() {
    let cloud = Cloud::new(endless()).await;
    // The shortest deadline of a spec is a minute; a plan can be made to have a shorter one.
    cloud
        .run(&["plan", "--out", "plan.json"])
        .await
        .ended_with(0);
    let path = cloud.home.work().join("plan.json");
    let mut plan: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(plan["watch"]["deadline"], "6h");
    plan["watch"]["deadline"] = json!("6s");
    cloud.home.write("plan.json", plan.to_string());
    let ran = cloud.run(&["deploy", "plan.json"]).await;
    ran.ended_with(9)
        .told(&["the launcher has the job", "the deadline has passed"]);
    // What was ended on purpose did not fail.
    assert!(!ran.err.contains("cause:"), "{}", ran.err);
    cloud.is_empty();
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_found_out_is_never_success() {
    // YARN forgets the application, and the client says that all is well.
    let mut flink = FlinkScript::running_for(Duration::from_millis(100));
    flink.end = YarnEnd::Running;
    flink.body = "rm -r \"$application\"".to_owned();
    let cloud = Cloud::new(flink).await;
    let ran = cloud.run(&["deploy"]).await;
    ran.ended_with(10).told(&["unknown"]);
    cloud.is_empty();
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_kept_when_that_was_asked_for() {
    let cloud = Cloud::new(FlinkScript::failing("java.lang.RuntimeException: no")).await;
    let ran = cloud
        .run(&["deploy", "--set", "watch.on_failure=keep"])
        .await;
    ran.ended_with(7)
        .told(&["still costs money", "flinkproc down job-"]);
    assert_eq!(cloud.clusters().len(), 1);
    // Its key is not kept.
    let name = &cloud.clusters()[0];
    assert_eq!(cloud.runtime.keys(name, &format!("{name}-m")), []);
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_run_may_be_run_again() {
    let cloud = Cloud::new(FlinkScript::failing("java.lang.RuntimeException: no")).await;
    let deploy = ["deploy", "--run-key", "k"];
    cloud.run(&deploy).await.ended_with(7);
    cloud.runtime.set_flink(&good()).unwrap();
    cloud.run(&deploy).await.ended_with(0);
    cloud.is_empty();
    cloud.stop().await;
}
