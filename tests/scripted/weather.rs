//! Services that fail for a moment: refused, overloaded and cut calls are survived, and nothing is made twice.

use std::time::Duration;

use dataproc_emulator::{FaultEffect, FaultRule};

use crate::cloud::{CLUSTERS, Cloud, ONE_CLUSTER, OPERATIONS, good};

fn status(status: u16) -> FaultEffect {
    FaultEffect::Answer {
        status,
        body: "<html>try again</html>".to_owned(),
    }
}

async fn survives(faults: Vec<(&'static str, &'static str, FaultEffect, u32, u32)>) {
    let cloud = Cloud::with(good(), |options| {
        options.create_time = Duration::from_secs(1);
    })
    .await;
    for (method, path, effect, nth, times) in faults {
        let rule = FaultRule::on(method, path, effect);
        cloud
            .emulator
            .faults()
            .add(rule.from_call(nth).times(times));
    }
    let running = cloud.start(&["deploy"]);
    running.tells("the launcher has the job").await;
    let machine = cloud.machine();
    let ran = running.end().await;
    assert_eq!(ran.ended_with(0).out, "apple,3\n");
    for (rule, seen) in cloud.emulator.faults().list() {
        assert!(seen >= rule.nth, "the fault never struck: {rule:?}");
    }
    assert_eq!(machine.flink_calls().len(), 1);
    cloud.is_empty();
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overloaded_service_is_asked_again() {
    survives(vec![
        ("POST", CLUSTERS, status(503), 1, 2),
        ("GET", OPERATIONS, status(429), 1, 2),
        ("GET", ONE_CLUSTER, status(503), 2, 1),
        ("DELETE", ONE_CLUSTER, status(429), 1, 1),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_connections_are_opened_again() {
    survives(vec![
        ("POST", CLUSTERS, FaultEffect::Reset, 1, 1),
        ("GET", OPERATIONS, FaultEffect::Reset, 1, 2),
        ("DELETE", ONE_CLUSTER, FaultEffect::Reset, 1, 1),
        (
            "POST",
            "/compute/v1/*/setMetadata",
            FaultEffect::Reset,
            1,
            1,
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_makes_nothing_twice() {
    survives(vec![
        ("POST", CLUSTERS, FaultEffect::AnswerLost, 1, 1),
        ("DELETE", ONE_CLUSTER, FaultEffect::AnswerLost, 1, 1),
        (
            "POST",
            "/compute/v1/*/setMetadata",
            FaultEffect::AnswerLost,
            1,
            1,
        ),
    ])
    .await;
}
