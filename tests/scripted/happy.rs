//! A deployment that goes well, and what can be asked about it afterwards.

use dataproc_emulator::FlinkScript;
use serde_json::Value;

use crate::cloud::{Cloud, SPEC, endless, good, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_good_job_ends_with_its_result_and_nothing_left() {
    let cloud = Cloud::new(good()).await;
    let running = cloud.start(&["deploy", "--events", "events.jsonl"]);
    running.tells("the launcher has the job").await;
    let machine = cloud.machine();
    let ran = running.end().await;
    ran.ended_with(0).told(&[
        "It deletes cluster flink-job-",
        "counting",
        "deployment   job-",
        "phases ",
        "gs://my-bucket/result/part-0",
    ]);
    assert_eq!(ran.out, "apple,3\n");
    cloud.is_empty();
    let name = machine.cluster();
    assert_eq!(cloud.runtime.keys(name, &format!("{name}-m")), []);
    let calls = machine.flink_calls();
    let [run] = calls.as_slice() else {
        panic!("flink was called {} times", calls.len());
    };
    assert!(run.contains(&"run".to_owned()), "{run:?}");

    // Logs are home, and the journal has its end.
    let row = cloud.deployment().await;
    assert_eq!(row["state"], "succeeded");
    let id = row["deployment"].as_str().unwrap();
    assert_eq!(row["outcome"]["remains"], serde_json::json!([]));
    let journal = cloud.home.state().join("deployments").join(id);
    assert!(journal.join("journal.jsonl").is_file());
    let logs = cloud.run(&["logs", id]).await;
    assert!(
        logs.ended_with(0).out.contains("counting"),
        "{}\n{}",
        logs.out,
        logs.err
    );
    let one = cloud.run(&["status", &id[..6]]).await;
    assert!(one.ended_with(0).out.contains("succeeded"), "{}", one.out);

    // Every event is a line of JSON, and the last one is the end.
    let events = std::fs::read_to_string(cloud.home.work().join("events.jsonl")).unwrap();
    let events: Vec<Value> = events
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(events.iter().all(|event| event["deployment"] == id));
    let kinds: Vec<&str> = events
        .iter()
        .map(|event| event["event"].as_str().unwrap())
        .collect();
    assert_eq!(kinds.first(), Some(&"began"));
    assert_eq!(kinds.last(), Some(&"ended"));
    for kind in ["staged", "submitted", "application", "result"] {
        assert!(kinds.contains(&kind), "{kind} is not in {kinds:?}");
    }
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_outcome_comes_as_json_where_asked_for() {
    let cloud = Cloud::new(good()).await;
    let ran = cloud.run(&["deploy", "--output", "json", "--quiet"]).await;
    let outcome = ran.ended_with(0).json();
    assert_eq!(outcome["exit_code"], 0);
    assert_eq!(
        outcome["outcome"]["result"][0]["uri"],
        "gs://my-bucket/result/part-0"
    );
    assert_eq!(ran.err, "");
    cloud.is_empty();
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_in_a_file_is_what_is_carried_out() {
    let cloud = Cloud::new(good()).await;
    cloud
        .run(&["plan", "--out", "plan.json"])
        .await
        .ended_with(0);
    let plan = std::fs::read_to_string(cloud.home.work().join("plan.json")).unwrap();
    let plan: Value = serde_json::from_str(&plan).unwrap();
    cloud.run(&["deploy", "plan.json"]).await.ended_with(0);
    let row = cloud.deployment().await;
    assert_eq!(row["deployment"], plan["deployment"]);
    cloud.is_empty();
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detached_deployment_is_ended_by_down_which_may_be_repeated() {
    let cloud = Cloud::new(endless()).await;
    let ran = cloud.run(&["deploy", "--detach"]).await;
    ran.ended_with(0).told(&["flinkproc down job-"]);
    assert_eq!(cloud.clusters().len(), 1);
    let machine = cloud.machine();
    until(|| machine.is_busy()).await;
    let id = cloud.deployment().await["deployment"].to_string();
    let id = id.trim_matches('"');
    cloud.run(&["down", id]).await.ended_with(0);
    cloud.is_empty();
    cloud.run(&["down", id]).await.ended_with(0);
    cloud.is_empty();
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_key_names_one_run() {
    let cloud = Cloud::new(good()).await;
    let deploy = ["deploy", "--run-key", "2026-11-22"];
    let ran = cloud.run(&[&deploy[..], &["--detach"]].concat()).await;
    ran.ended_with(0);
    let machine = cloud.machine();
    // The same key: the same run, which now comes to its end.
    let ran = cloud.run(&deploy).await;
    assert_eq!(ran.ended_with(0).out, "apple,3\n");
    cloud.is_empty();
    // Once more: it is done.
    let ran = cloud.run(&deploy).await;
    ran.ended_with(0).told(&["has succeeded before"]);
    assert_eq!(ran.out, "apple,3\n");
    assert_eq!(machine.flink_calls().len(), 1);
    let row = cloud.deployment().await;
    assert_eq!(row["state"], "succeeded");
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_of_an_unfinished_one_is_refused_with_both_choices() {
    let cloud = Cloud::new(endless()).await;
    cloud.run(&["deploy", "--detach"]).await.ended_with(0);
    let id = cloud.deployment().await["deployment"].to_string();
    let id = id.trim_matches('"');
    let ran = cloud.run(&["deploy"]).await;
    let resume = format!("flinkproc deploy --resume {id}");
    ran.ended_with(2).told(&[
        "error[RUN004]",
        &resume,
        &format!("flinkproc down {id}"),
        "--run-key",
    ]);
    assert_eq!(cloud.clusters().len(), 1);
    cloud.run(&["down", id]).await.ended_with(0);
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clusters_are_listed_described_and_deleted() {
    let cloud = Cloud::new(good()).await;
    cloud.make_cluster("by-hand").await;
    let place = ["--project", "my-project", "--region", "europe-west1"];
    let verb = |words: &[&'static str]| [&["cluster"][..], words, &place].concat();
    let ran = cloud.run(&verb(&["list"])).await;
    assert!(ran.ended_with(0).out.contains("by-hand"), "{}", ran.out);
    let ran = cloud.run(&verb(&["describe", "by-hand"])).await;
    assert!(ran.ended_with(0).out.contains("running"), "{}", ran.out);
    let ran = cloud.run(&verb(&["delete", "by-hand"])).await;
    assert!(ran.ended_with(0).out.contains("gone"), "{}", ran.out);
    cloud.is_empty();
    let ran = cloud.run(&verb(&["describe", "by-hand"])).await;
    ran.ended_with(2).told(&["error[APP009]", "by-hand"]);
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_not_ours_is_never_deleted() {
    let cloud = Cloud::new(good()).await;
    cloud.make_cluster("theirs").await;
    let spec = SPEC.replace("image =", "existing = \"theirs\"\nimage =");
    cloud.home.write("flinkproc.toml", spec);
    let ran = cloud.run(&["deploy"]).await;
    ran.ended_with(0)
        .told(&["did not make and will not delete"]);
    assert_eq!(cloud.clusters(), ["theirs"]);
    assert_eq!(cloud.runtime.keys("theirs", "theirs-m"), []);

    // Nor when the job fails, nor when it is taken down.
    let failing = FlinkScript::failing("java.lang.RuntimeException: no");
    cloud.runtime.set_flink(&failing).unwrap();
    cloud.run(&["deploy"]).await.ended_with(7);
    cloud.runtime.set_flink(&endless()).unwrap();
    let ran = cloud.run(&["deploy", "--detach", "--output", "json"]).await;
    let id = ran.ended_with(0).json()["outcome"]["deployment"].to_string();
    cloud
        .run(&["down", id.trim_matches('"')])
        .await
        .ended_with(0);
    assert_eq!(cloud.clusters(), ["theirs"]);
    assert!(!cloud.machine().is_busy());

    // And a name that is taken is not taken over.
    let spec = SPEC.replace("image =", "name = \"theirs\"\nimage =");
    cloud.home.write("flinkproc.toml", spec);
    let ran = cloud.run(&["deploy"]).await;
    ran.ended_with(2).told(&["error[RUN006]", "theirs"]);
    assert_eq!(cloud.clusters(), ["theirs"]);
    cloud.stop().await;
}
