//! Signals: what they do to a run, and what they leave.

use std::time::Duration;

use rustix::process::Signal;

use crate::cloud::{Cloud, SPEC, endless, good, until};

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_cancels_the_job_and_deletes_the_cluster() {
    for signal in [Signal::INT, Signal::TERM] {
        let cloud = Cloud::new(endless()).await;
        let running = cloud.start(&["deploy"]);
        running.tells("the launcher has the job").await;
        running.signal(signal);
        let ran = running.end().await;
        ran.ended_with(130).told(&["interrupted"]);
        cloud.is_empty();
        assert_eq!(
            cloud.deployment().await["outcome"]["remains"],
            serde_json::json!([])
        );
        cloud.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_while_the_cluster_is_made_deletes_it() {
    let cloud = Cloud::with(good(), |options| {
        options.create_time = Duration::from_secs(3);
    })
    .await;
    let running = cloud.start(&["deploy"]);
    running.tells("is creating").await;
    running.signal(Signal::INT);
    running.end().await.ended_with(130);
    cloud.is_empty();
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_ctrl_c_leaves_at_once_and_says_what_runs() {
    let cloud = Cloud::with(endless(), |options| {
        options.delete_time = Duration::from_secs(20);
    })
    .await;
    let running = cloud.start(&["deploy"]);
    running.tells("the launcher has the job").await;
    let name = cloud.clusters()[0].clone();
    running.signal(Signal::INT);
    running.tells("interrupted").await;
    running.signal(Signal::INT);
    let left = tokio::time::timeout(Duration::from_secs(10), running.end());
    let ran = left.await.unwrap();
    let id = cloud.deployment().await["deployment"].to_string();
    let down = format!("flinkproc down {}", id.trim_matches('"'));
    ran.ended_with(130).told(&["leaving at once", &name, &down]);
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_goes_away_takes_nothing_with_it() {
    let mut flink = good();
    flink.runs_for = Duration::from_secs(4);
    let cloud = Cloud::new(flink).await;
    let running = cloud.start(&["deploy"]);
    running.tells("the launcher has the job").await;
    let machine = cloud.machine();
    running.signal(Signal::HUP);
    let ran = running.end().await;
    ran.ended_with(130)
        .told(&["flinkproc deploy --resume job-"]);
    assert_eq!(cloud.clusters().len(), 1);
    let ran = cloud.run(&["deploy", "--resume"]).await;
    assert_eq!(ran.ended_with(0).out, "apple,3\n");
    cloud.is_empty();
    assert_eq!(machine.flink_calls().len(), 1);
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_may_be_made_to_detach() {
    let cloud = Cloud::new(endless()).await;
    let running = cloud.start(&["deploy", "--on-interrupt", "detach"]);
    running.tells("the launcher has the job").await;
    running.signal(Signal::INT);
    running.end().await.ended_with(130).told(&["--resume"]);
    assert_eq!(cloud.clusters().len(), 1);
    let machine = cloud.machine();
    until(|| machine.is_busy()).await;
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_leaves_a_cluster_that_is_not_ours() {
    let cloud = Cloud::new(endless()).await;
    cloud.make_cluster("theirs").await;
    let spec = SPEC.replace("image =", "existing = \"theirs\"\nimage =");
    cloud.home.write("flinkproc.toml", spec);
    let running = cloud.start(&["deploy"]);
    running.tells("the launcher has the job").await;
    running.signal(Signal::INT);
    running.end().await.ended_with(130);
    assert_eq!(cloud.clusters(), ["theirs"]);
    assert!(!cloud.machine().is_busy());
    assert_eq!(cloud.runtime.keys("theirs", "theirs-m"), []);
    cloud.stop().await;
}
