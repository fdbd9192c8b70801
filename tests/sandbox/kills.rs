//! `kill -9` at any moment of a real deployment leaves nothing running, and `down` closes it. `FLINKPROC_TEST_FULL=1` tries
//! more moments, and ten whole deployments one after the other.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::full;
use crate::kernel::processes;
use crate::real::Real;
use crate::word_count::copied;

/// What is told when a moment has come, the usual one first: containers of YARN run then.
const MOMENTS: [&str; 4] = [
    "YARN application",
    "done create-cluster",
    "the launcher has the job",
    "Flink job",
];

/// How long what was killed may take to be gone.
const GONE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_deployment_leaves_nothing_running() {
    let Some(real) = Real::turn().await else {
        return;
    };
    let example = copied(&real.home.work().join("docs"));
    let moments = if full() { MOMENTS.len() } else { 1 };
    for moment in &MOMENTS[..moments] {
        let running = real.start(&[example.to_str().unwrap()]);
        let told = running.tells(moment).await;
        running.signal(Signal::KILL);
        running.end().await;
        let until = Instant::now() + GONE;
        while !processes(&real.home.state()).is_empty() {
            assert!(
                Instant::now() < until,
                "killed at {moment}, and these live on: {:?}",
                processes(&real.home.state())
            );
            tokio::task::yield_now().await;
        }
        let cluster = told.split("cluster flink-").nth(1).unwrap();
        let id = cluster.split_whitespace().next().unwrap();
        real.home.run(&["down", id]).await.ended_with(0);
        real.left_nothing();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_deployments_in_a_row_leave_nothing() {
    if !full() {
        return;
    }
    let Some(real) = Real::turn().await else {
        return;
    };
    let example = copied(&real.home.work().join("docs"));
    for _ in 0..10 {
        real.deploy(&[example.to_str().unwrap()])
            .await
            .ended_with(0);
        real.left_nothing();
    }
}
