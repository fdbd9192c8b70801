//! Up, create, job, delete, down, again and again, and nothing is left: no process, port, folder, or memory.
//!
//! `FLINKPROC_TEST_CYCLES` says how often; `cargo xtask test --full` says 100.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;

use crate::kernel::{listening, processes};
use crate::standing::{SPEC, Turn};

/// How often where nothing else is said.
const CYCLES: u32 = 5;
/// The most that the sandbox's own process may hold after its cluster has gone, in bytes.
const OWN_MEMORY: u64 = 200 << 20;

#[expect(
    clippy::disallowed_methods,
    reason = "the suite is chosen by the environment"
)]
fn cycles() -> u32 {
    let wish = std::env::var("FLINKPROC_TEST_CYCLES").ok();
    wish.and_then(|text| text.parse().ok()).unwrap_or(CYCLES)
}

/// Everything in the state folder but what a deployment keeps for its user, and what programs left in shared folders.
fn left(state: &Path) -> BTreeSet<String> {
    /// How names begin that Flink, Hadoop and Spark give; the emulators' own folders lie in the sandbox's.
    const OURS: [&str; 8] = [
        ".yarn-properties",
        "blobStore",
        "flink-",
        "hadoop-",
        "hsperf_cluster",
        "jm_",
        "pyflink",
        "tm_",
    ];
    let mut found = BTreeSet::new();
    files(state, &mut found);
    for folder in ["/tmp", "/dev/shm"] {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let ours = names.filter(|name| OURS.iter().any(|our| name.starts_with(our)));
        found.extend(ours.map(|name| format!("{folder}/{name}")));
    }
    found
}

fn files(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.ends_with("state/deployments") {
            continue;
        }
        if path.is_dir() {
            files(&path, found);
        }
        found.insert(path.display().to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cycles_leave_nothing() {
    let Some(turn) = Turn::take(SPEC).await else {
        return;
    };
    let home = &turn.0.home;
    let state = home.state();
    let mut before = None;
    for cycle in 1..=cycles() {
        home.run(&["sandbox", "up"]).await.ended_with(0);
        let ran = turn.0.deploy(&[]).await;
        ran.ended_with(0).told(&["the job has run"]);
        assert!(ran.out.contains("41\n42"), "{}", ran.out);
        // The cluster has gone with its deployment: only the sandbox's own process is there, and only its ports.
        let status = home.run(&["sandbox", "status", "--output", "json"]).await;
        let status = status.ended_with(0).json();
        assert_eq!(status[0]["processes"], 1, "cycle {cycle}: {status}");
        let memory = status[0]["memory_bytes"].as_u64().unwrap();
        assert!(memory < OWN_MEMORY, "cycle {cycle}: {memory} bytes");
        let ports = listening(&state);
        assert!(ports.len() < 10, "cycle {cycle}: {ports:?}");

        home.run(&["sandbox", "down"]).await.ended_with(0);
        assert_eq!(processes(&state), BTreeSet::new(), "cycle {cycle}");
        for port in &ports {
            assert!(TcpListener::bind(port).is_ok(), "cycle {cycle}: {port}");
        }
        let now = left(&state);
        let before = before.get_or_insert_with(|| now.clone());
        let more: Vec<_> = now.difference(before).collect();
        assert!(more.is_empty(), "cycle {cycle} left {more:?}");
        // Past the captured output: a hundred cycles take an hour, and somebody waits.
        writeln!(std::io::stderr().lock(), "cycle {cycle} has left nothing").unwrap();
    }
}
