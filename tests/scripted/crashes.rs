//! `kill -9` at any moment: `deploy --resume` finishes, and the job was started once.

use std::time::Duration;

use rustix::process::Signal;

use crate::cloud::{Cloud, good};

async fn killed_at(moment: &str) {
    let mut flink = good();
    flink.runs_for = Duration::from_secs(2);
    let cloud = Cloud::with(flink, |options| {
        options.create_time = Duration::from_millis(500);
    })
    .await;
    let running = cloud.start(&["deploy"]);
    running.tells(moment).await;
    running.signal(Signal::KILL);
    running.end().await;
    let resumed = cloud.start(&["deploy", "--resume"]);
    resumed.tells("connected to the master").await;
    let machine = cloud.machine();
    let ran = resumed.end().await;
    assert_eq!(ran.ended_with(0).out, "apple,3\n", "{moment}");
    cloud.is_empty();
    assert_eq!(machine.flink_calls().len(), 1, "{moment}");
    let row = cloud.deployment().await;
    assert_eq!(row["state"], "succeeded", "{moment}");
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_the_cluster_is_made() {
    killed_at("is creating").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_files_are_staged() {
    killed_at("  staged gs://").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_when_the_connection_is_open() {
    killed_at("connected to the master").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_when_the_launcher_has_the_job() {
    killed_at("the launcher has the job").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_the_job_runs() {
    killed_at("YARN application").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_the_end_is_under_way() {
    let cloud = Cloud::with(good(), |options| {
        options.delete_time = Duration::from_secs(1);
    })
    .await;
    let running = cloud.start(&["deploy"]);
    running.tells("Bringing everything to its end").await;
    let machine = cloud.machine();
    running.signal(Signal::KILL);
    running.end().await;
    let ran = cloud.run(&["deploy", "--resume"]).await;
    ran.ended_with(0);
    cloud.is_empty();
    assert_eq!(machine.flink_calls().len(), 1);
    assert_eq!(cloud.deployment().await["state"], "succeeded");
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_run_left_is_ended_by_down() {
    let cloud = Cloud::new(crate::cloud::endless()).await;
    let running = cloud.start(&["deploy"]);
    running.tells("the launcher has the job").await;
    running.signal(Signal::KILL);
    running.end().await;
    assert_eq!(cloud.clusters().len(), 1);
    let id = cloud.deployment().await["deployment"].to_string();
    cloud
        .run(&["down", id.trim_matches('"')])
        .await
        .ended_with(0);
    cloud.is_empty();
    cloud.stop().await;
}
