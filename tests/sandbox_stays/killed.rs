//! `kill -9` of a sandbox: the next verb cleans up, and a stale file is no trouble.

use std::time::Instant;

use flinkproc_sandbox::machine::ProcessRef;
use rustix::process::{Pid, Signal, kill_process};

use crate::Sandboxes;
use crate::binary::PATIENCE;

fn kill(record: &serde_json::Value) {
    let pid = u32::try_from(record["pid"].as_u64().unwrap()).unwrap();
    let process = ProcessRef::of(pid).unwrap();
    let raw = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(raw, Signal::KILL).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while process.is_alive() {
        assert!(Instant::now() < deadline, "it lives on");
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn each_verb_cleans_up_after_a_killed_sandbox() {
    let sandboxes = Sandboxes::new();
    let up = ["up", "--control-plane-only", "--scripted-machines"];
    for verb in [&["status"][..], &["down"], &up] {
        let first = sandboxes.up(&["--scripted-machines"]).await;
        let api = first["dataproc"].as_str().unwrap();
        let url = format!("{api}/v1/projects/p-one/regions/europe-west1/clusters");
        let body = serde_json::json!({"projectId": "p-one", "clusterName": "one", "config": {}});
        let made = reqwest::Client::new().post(url).json(&body).send().await;
        assert!(made.unwrap().status().is_success());
        let deadline = Instant::now() + PATIENCE;
        loop {
            let status = sandboxes.json(&["status"]).await;
            if status[0]["clusters"][0]["state"] == "RUNNING" {
                break;
            }
            assert!(Instant::now() < deadline, "{status}");
        }
        let machines = sandboxes.home.state().join("sandboxes/default/machines");
        let files = || std::fs::read_dir(&machines).map_or(0, Iterator::count);
        assert!(files() > 0);
        kill(&first);
        let ran = sandboxes.run(verb).await;
        ran.ended_with(0)
            .told(&["was killed; its log is", "cleaned up after a sandbox"]);
        assert_eq!(files(), 0, "{verb:?}");
        if verb[0] == "up" {
            let second = sandboxes.json(&["status"]).await;
            assert_ne!(second[0]["pid"], first["pid"]);
            assert_eq!(second[0]["clusters"], serde_json::json!([]));
            sandboxes.run(&["down"]).await.ended_with(0);
        }
        sandboxes.left_nothing();
    }
}

#[tokio::test]
async fn a_stale_or_broken_file_is_no_trouble() {
    let sandboxes = Sandboxes::new();
    let record = sandboxes.up(&[]).await;
    let folder = sandboxes.home.state().join("sandboxes/default");
    let file = folder.join("running.json");
    let written = std::fs::read(&file).unwrap();
    sandboxes.run(&["down"]).await.ended_with(0);
    // A process of that id may run again, started at another time.
    let mut stale: serde_json::Value = serde_json::from_slice(&written).unwrap();
    stale["pid"] = std::process::id().into();
    for text in [stale.to_string(), "{".to_owned(), String::new()] {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(&file, &text).unwrap();
        let status = sandboxes.json(&["status"]).await;
        assert_eq!(status, serde_json::json!([]), "{text}");
        let again = sandboxes.up(&[]).await;
        assert_ne!(again["pid"], record["pid"]);
        sandboxes.run(&["down"]).await.ended_with(0);
    }
    sandboxes.left_nothing();
}
