//! Each call of each service fails once, or loses its answer once; then what fails for good.

use std::sync::Arc;

use flinkproc_core::{FailureKind, Fault, Faulty};
use flinkproc_dataproc::{Creation, MemoryDataproc};
use flinkproc_patterns::{CauseKind, Conclusion, Ending, EventKind, Outcome, Step, Verdict};
use flinkproc_rest::{ApplicationState, FinalStatus};
use flinkproc_staging::MemoryStaging;
use flinkproc_submit::{InMemoryMethod, Script};

use crate::world::{SCRIPT, World, all_events, cluster, good};

fn dataproc() -> MemoryDataproc {
    MemoryDataproc::new().with_polls(2)
}

fn staging() -> MemoryStaging {
    let staging = MemoryStaging::new().with_bucket("bucket".parse().expect("valid"));
    staging.overwrite(crate::world::uri("gs://bucket/out/part-0"), "hello 1\n");
    staging
}

async fn survives(world: World, when: &str) {
    let outcome = world.deploy().await;
    assert_eq!(outcome.exit_code(), 0, "{when}: {outcome:#?}");
    world.assert_nothing_left(when);
    assert_eq!(
        world.method.inner().started().len(),
        1,
        "started once: {when}"
    );
}

#[tokio::test(start_paused = true)]
async fn any_call_may_fail_once_or_lose_its_answer_once() {
    for fault in [Fault::Before, Fault::AnswerLost] {
        for method in ["find", "start_create", "operation", "start_delete"] {
            for nth in 1..=3 {
                let faulty = Faulty::new(dataproc()).with(method, nth, fault);
                let world = World::new(good()).with_dataproc(faulty);
                survives(
                    world,
                    &format!("{fault:?} at call {nth} of dataproc.{method}"),
                )
                .await;
            }
        }
        for method in ["check_bucket", "put_if_absent", "list", "read_range"] {
            let mut world = World::new(good());
            world.staging = Arc::new(Faulty::new(staging()).with(method, 1, fault));
            survives(world, &format!("{fault:?} at staging.{method}")).await;
        }
        for method in ["find", "admit", "expel", "host_keys"] {
            let mut world = World::new(good());
            let clock = Arc::clone(&world.clock) as Arc<dyn flinkproc_core::Clock>;
            let address = "127.0.10.2".parse().expect("valid");
            let gate = flinkproc_compute::MemoryGatekeeper::everywhere(clock, address);
            world.gate = Arc::new(Faulty::new(gate).with(method, 1, fault));
            survives(world, &format!("{fault:?} at gate.{method}")).await;
        }
        for method in ["submit", "observe"] {
            for nth in 1..=3 {
                let mut world = World::new(good());
                let faulty = Faulty::new(InMemoryMethod::new(good())).with(method, nth, fault);
                world.method = Arc::new(faulty);
                survives(world, &format!("{fault:?} at call {nth} of {method}")).await;
            }
        }
        let mut world = World::new(good());
        let connector = flinkproc_ssh::ScriptedConnector::new(world.shell.clone());
        world.connect = Arc::new(Faulty::new(connector).with("connect", 1, fault));
        survives(world, &format!("{fault:?} at connect")).await;
    }
}

/// A run in which nothing may have been made.
async fn refused_before_anything(world: World, kind: FailureKind) -> Outcome {
    let outcome = world.deploy().await;
    assert_eq!(outcome.kind(), Some(kind), "{outcome:#?}");
    assert_eq!(world.dataproc.calls("start_create"), 0);
    world.assert_nothing_left("refused");
    outcome
}

#[tokio::test(start_paused = true)]
async fn without_a_bucket_nothing_is_made() {
    let mut world = World::new(good());
    world.staging = Arc::new(Faulty::new(MemoryStaging::new()));
    let outcome = refused_before_anything(world, FailureKind::Input).await;
    assert_eq!(
        outcome.failure.expect("failed").step,
        Some(Step::CheckBucket)
    );
}

#[tokio::test(start_paused = true)]
async fn a_file_that_changed_since_the_plan_is_not_deployed() {
    // With and without what the plan may know of it beyond its digest; then of the same size.
    for (known, other) in [
        (true, "print('other')\n".to_owned()),
        (false, "print('other')\n".to_owned()),
        (true, "#".repeat(SCRIPT.len())),
    ] {
        let world = World::new(good());
        let mut plan = world.plan();
        for upload in &mut plan.staging.uploads {
            upload.crc32c = upload.crc32c.filter(|_| known);
        }
        std::fs::write(world.script_file(), other).expect("written");
        let outcome = world.deploy_plan(plan).await;
        assert_eq!(outcome.failure.expect("failed").code, "RUN011");
        world.assert_nothing_left("drifted");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_cluster_is_deleted_and_made_again_under_a_fresh_name() {
    let world = World::new(good());
    world.dataproc.inner().next_creation(Creation::Fails {
        code: 13,
        message: "Cannot start master".to_owned(),
    });
    let mut handle = world.start(world.plan()).await.expect("started");
    let events = all_events(&mut handle).await;
    let outcome = handle.wait().await.expect("ended");
    assert_eq!(outcome.exit_code(), 0, "{outcome:#?}");
    assert_eq!(outcome.cluster.expect("made").name.as_str(), "batch-d1-r2");
    let why = events.iter().find_map(|event| match &event.what {
        EventKind::Retrying { what, why } if what.contains("fresh name") => Some(why.clone()),
        _ => None,
    });
    assert!(why.expect("told").contains("Cannot start master"));
    world.assert_nothing_left("made again");
}

#[tokio::test(start_paused = true)]
async fn two_error_clusters_are_a_failure_and_leave_nothing() {
    let world = World::new(good());
    for _ in 0..2 {
        world.dataproc.inner().next_creation(Creation::Errs {
            detail: "Initialization action failed".to_owned(),
        });
    }
    let outcome = world.deploy().await;
    assert_eq!(outcome.kind(), Some(FailureKind::Cluster));
    let failure = outcome.failure.expect("failed");
    assert!(
        failure.to_string().contains("Initialization action failed"),
        "{failure}"
    );
    world.assert_nothing_left("two error clusters");
}

#[tokio::test(start_paused = true)]
async fn a_used_up_quota_is_explained_and_not_tried_again() {
    for creation in [
        Creation::Refused {
            code: 3,
            message: "Insufficient 'CPUS' quota. Requested 24.0, available 8.0.".to_owned(),
        },
        Creation::Fails {
            code: 13,
            message: "Insufficient 'CPUS' quota. Requested 24.0, available 8.0.".to_owned(),
        },
    ] {
        let world = World::new(good());
        world.dataproc.inner().next_creation(creation);
        let outcome = world.deploy().await;
        assert_eq!(
            outcome.exit_code(),
            FailureKind::Capacity.exit_code(),
            "{outcome:#?}"
        );
        assert_eq!(world.dataproc.calls("start_create"), 1);
        world.assert_nothing_left("quota");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_somebody_deletes_is_not_taken_for_a_running_one() {
    let world = World::new(good());
    world.dataproc.inner().next_creation(Creation::Deleting);
    let outcome = world.deploy().await;
    assert_eq!(outcome.kind(), Some(FailureKind::Cluster), "{outcome:#?}");
    world.assert_nothing_left("deleted by somebody");
}

#[tokio::test(start_paused = true)]
async fn a_taken_name_is_refused_and_the_cluster_left_alone() {
    let world = World::new(good());
    world.plant();
    let outcome = world.deploy().await;
    assert_eq!(outcome.failure.expect("failed").code, "RUN006");
    assert_eq!(world.clusters(), [cluster().name.as_str()]);
    assert_eq!(world.dataproc.calls("start_delete"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_raises_fails_with_its_traceback() {
    let script = Script::default()
        .err("Traceback (most recent call last):\n  File \"wc.py\", line 1, in <module>\nZeroDivisionError: division by zero\n")
        .exit(1);
    let world = World::new(script);
    world.yarn_says(ApplicationState::Finished, FinalStatus::Failed);
    let outcome = world.deploy().await;
    assert_eq!(outcome.kind(), Some(FailureKind::Job));
    let cause = outcome.cause.expect("found");
    assert_eq!(
        (cause.kind, cause.headline.as_str()),
        (
            CauseKind::PythonTraceback,
            "ZeroDivisionError: division by zero"
        )
    );
    world.assert_nothing_left("failed job");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_ends_well_over_a_failed_application_is_a_failure_with_all_three_shown() {
    let world = World::new(good());
    world.yarn_says(ApplicationState::Finished, FinalStatus::Failed);
    let outcome = world.deploy().await;
    assert_eq!(outcome.verdict(), Some(&Verdict::Failed));
    let evidence = outcome.evidence.expect("seen");
    assert!(!evidence.agree());
    insta::assert_snapshot!(evidence, @"launcher: status 0 in `flink`; YARN: application_1700000000000_0001 FINISHED FAILED; Flink: 0123456789abcdef0123456789abcdef state not seen");
    world.assert_nothing_left("failed job");
}

#[tokio::test(start_paused = true)]
async fn a_launcher_that_vanishes_before_yarn_knew_is_started_again() {
    let mut world = World::new(good());
    world.yarn = Arc::new(flinkproc_rest::MemoryYarn::new());
    world.method = Arc::new(Faulty::new(InMemoryMethod::new(
        Script::default().out("a\n").die(),
    )));
    let outcome = world.deploy().await;
    assert_eq!(
        outcome.failure.as_ref().expect("failed").code,
        "RUN013",
        "{outcome:#?}"
    );
    assert_eq!(world.method.inner().started().len(), 3);
    world.assert_nothing_left("launcher lost");
}

#[tokio::test(start_paused = true)]
async fn a_launcher_that_vanishes_while_yarn_runs_is_never_started_again_and_unknown() {
    let world = World::new(
        Script::default()
            .err(format!(
                "Submitted application {}\n",
                crate::world::APPLICATION
            ))
            .die(),
    );
    let outcome = world.deploy().await;
    assert_eq!(outcome.kind(), Some(FailureKind::Unknown), "{outcome:#?}");
    assert_eq!(outcome.exit_code(), 10);
    assert_eq!(world.method.inner().started().len(), 1);
    world.assert_nothing_left("launcher lost");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_vanishes_under_the_job_is_named() {
    let world = World::new(Script::default());
    let mut handle = world.start(world.plan()).await.expect("started");
    let mut events = handle.events().expect("not taken");
    while let Some(event) = events.next().await {
        if matches!(event.what, EventKind::Submitted { .. }) {
            break;
        }
    }
    world.dataproc.inner().remove(&cluster());
    handle.cancel(flinkproc_patterns::Interrupt::Delete);
    let outcome = handle.wait().await.expect("ended");
    assert_eq!(
        outcome.conclusion,
        Conclusion::Ended {
            ending: Ending::Interrupted,
            verdict: None
        }
    );
    assert_eq!(outcome.remains, []);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_long_away_loses_neither_the_job_nor_a_byte() {
    let mut world = World::new(good());
    let connector = flinkproc_ssh::ScriptedConnector::new(world.shell.clone());
    let mut faulty = Faulty::new(connector);
    // Ten minutes and more of refused connections.
    for nth in 2..300 {
        faulty = faulty.with("connect", nth, Fault::Before);
    }
    world.connect = Arc::new(faulty);
    let method = InMemoryMethod::new(good());
    world.method = Arc::new(Faulty::new(method).with("observe", 3, Fault::Before));
    let directory = world.directory.path().to_owned();
    let before = flinkproc_core::Clock::now(world.clock.as_ref());
    let outcome = world.deploy().await;
    let took = flinkproc_core::Clock::now(world.clock.as_ref()).duration_since(before);
    assert!(took.as_secs() > 600, "{took:?}");
    assert_eq!(outcome.exit_code(), 0, "{outcome:#?}");
    let saved = std::fs::read_to_string(directory.join("logs/launcher-1.out"));
    assert_eq!(saved.expect("saved"), "hello\nwörld\n");
    world.assert_nothing_left("long away");
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_while_the_service_is_away_makes_no_cluster_afterwards() {
    let mut faulty = Faulty::new(dataproc());
    for nth in 1..20 {
        faulty = faulty.with("start_create", nth, Fault::Before);
    }
    let world = World::new(good()).with_dataproc(faulty);
    let mut handle = world.start(world.plan()).await.expect("started");
    let mut events = handle.events().expect("not taken");
    while !matches!(
        events.next().await.expect("goes on").what,
        EventKind::Retrying { .. }
    ) {}
    handle.cancel(flinkproc_patterns::Interrupt::Delete);
    handle.wait().await.expect("ended");
    let calls = world.dataproc.calls("start_create");
    flinkproc_core::Clock::sleep(world.clock.as_ref(), std::time::Duration::from_secs(3600)).await;
    assert_eq!(world.dataproc.calls("start_create"), calls);
    world.assert_nothing_left("interrupted while away");
}
