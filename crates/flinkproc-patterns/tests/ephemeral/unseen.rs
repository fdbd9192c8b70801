//! Nobody enters the master: everything goes through the submission method and the bucket.

use std::sync::Arc;

use flinkproc_core::{FailureKind, Fault, Faulty, Span};
use flinkproc_patterns::{EventKind, Verdict, Witness};
use flinkproc_rest::{ApplicationState, FinalStatus};
use flinkproc_submit::{InMemoryMethod, Script};

use crate::world::{APPLICATION, Shape, World, all_events, good, run, uri};

const GATE: &str = "gs://bucket/flinkproc/deployments/d1/runs/1/gate";

#[tokio::test(start_paused = true)]
async fn a_job_is_deployed_followed_and_judged_without_a_way_in() {
    let world = World::of(Shape::UNSEEN, good());
    let mut handle = world.start(world.plan()).await.expect("started");
    let events = all_events(&mut handle).await;
    let outcome = handle.wait().await.expect("ended");
    assert_eq!(outcome.exit_code(), 0, "{outcome:#?}");
    let evidence = outcome.evidence.expect("heard");
    assert_eq!(evidence.witness, Witness::Launcher);
    insta::assert_snapshot!(evidence, @"launcher: status 0 in `flink`; YARN (seen by the launcher): application_1700000000000_0001 FINISHED SUCCEEDED; Flink (seen by the launcher): 0123456789abcdef0123456789abcdef FINISHED");
    let told: Vec<String> = events
        .iter()
        .filter_map(|event| match &event.what {
            EventKind::StepStarted { step } => Some(step.to_string()),
            EventKind::Application { state, .. } => Some(format!("{state:?}")),
            EventKind::FlinkJob { state, .. } => Some(format!("{state:?}")),
            EventKind::LogSaved { path } => path.file_name()?.to_str().map(str::to_owned),
            _ => None,
        })
        .filter(|line| !line.contains("stage") && !line.contains("fetch-result"))
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    check-bucket
    create-cluster
    submit
    watch
    Finished
    Finished
    save-logs
    launcher-1.out
    launcher-1.err
    application_1700000000000_0001.log
    delete-cluster
    ");
    let log = world
        .directory
        .path()
        .join(format!("logs/{APPLICATION}.log"));
    let log = std::fs::read_to_string(log).expect("saved");
    assert_eq!(log, "Container: c on h\n");
    world.assert_the_way("a good run");
    world.assert_nothing_left("a good run");
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_seen_through_the_launcher_and_found_in_the_logs_that_it_brought() {
    let script = Script::default()
        .err(format!("Submitted application {APPLICATION}\n"))
        .exit(1);
    let world = World::of(Shape::UNSEEN, script);
    world.yarn_says(ApplicationState::Finished, FinalStatus::Failed);
    let log = format!("gs://bucket/flinkproc/deployments/d1/runs/1/logs/{APPLICATION}.log");
    let trace = "Traceback (most recent call last):\n  File \"wc.py\", line 3, in f\nZeroDivisionError: division by zero\n";
    world.staging.inner().overwrite(uri(&log), trace);
    let outcome = world.deploy().await;
    assert_eq!(outcome.verdict(), Some(&Verdict::Failed));
    let cause = outcome.cause.expect("found");
    assert!(
        format!("{cause:?}").contains("ZeroDivisionError"),
        "{cause:?}"
    );
    world.assert_nothing_left("a failure");
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_the_job_through_its_method() {
    let script = Script::default().err(format!("Submitted application {APPLICATION}\n"));
    let world = World::of(Shape::UNSEEN, script);
    world.yarn_says(ApplicationState::Running, FinalStatus::Undefined);
    let mut plan = world.plan();
    plan.watch.deadline = Span::from_secs(600);
    let outcome = world.deploy_plan(plan).await;
    assert_eq!(outcome.kind(), Some(FailureKind::Deadline), "{outcome:#?}");
    assert!(world.method.inner().is_cancelled(&run(1)));
    let told: Vec<String> = outcome
        .endings
        .iter()
        .map(|step| match &step.detail {
            Some(why) => format!("{}: {why}", step.what),
            None => step.what.clone(),
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    tell the launcher to cancel attempt 1
    see YARN application application_1700000000000_0001 end: the launcher saw it run when it looked last
    delete cluster batch-d1
    ");
    world.assert_the_way("deadline");
    world.assert_nothing_left("deadline");
}

#[tokio::test(start_paused = true)]
async fn what_goes_on_upon_somebodys_cluster_is_named_with_the_command_that_ends_it() {
    let world = World::of(Shape::UNSEEN, Script::default());
    world.yarn_says(ApplicationState::Running, FinalStatus::Undefined);
    world.plant();
    let mut plan = world.plan();
    plan.cluster.ours = false;
    plan.watch.deadline = Span::from_secs(60);
    let outcome = world.deploy_plan(plan).await;
    let left = outcome.remains.first().expect("told");
    assert!(left.costs && left.what.contains(APPLICATION), "{left:?}");
    assert_eq!(left.command, "flinkproc down d1");
}

#[tokio::test(start_paused = true)]
async fn a_launcher_that_never_came_to_its_gate_is_started_again() {
    let world = World::of(Shape::UNSEEN, Script::default().die());
    world.staging.inner().overwrite(uri(GATE), "fenced\n");
    let outcome = world.deploy().await;
    // The second one has a gate that nobody closed: it may have started something.
    assert_eq!(world.method.inner().started().len(), 2);
    assert!(
        matches!(outcome.verdict(), Some(Verdict::Unknown { .. })),
        "{outcome:#?}"
    );
    world.assert_nothing_left("lost");
}

#[tokio::test(start_paused = true)]
async fn a_launcher_that_was_lost_behind_its_gate_is_never_started_again() {
    let world = World::of(Shape::UNSEEN, Script::default().die());
    world.staging.inner().overwrite(uri(GATE), "started\n");
    let outcome = world.deploy().await;
    assert_eq!(world.method.inner().started().len(), 1);
    assert_eq!(outcome.kind(), Some(FailureKind::Unknown), "{outcome:#?}");
    world.assert_the_way("lost");
    world.assert_nothing_left("lost");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_vanishes_is_named_and_not_the_launcher() {
    let world = World::of(Shape::UNSEEN, Script::default().wait().die());
    let mut handle = world.start(world.plan()).await.expect("started");
    let mut events = handle.events().expect("not taken");
    while !matches!(
        events.next().await.expect("goes on").what,
        EventKind::Submitted { .. }
    ) {}
    world.dataproc.inner().remove(&crate::world::cluster());
    let outcome = handle.wait().await.expect("ended");
    assert_eq!(outcome.failure.expect("failed").code, "RUN007");
    world.assert_nothing_left("vanished");
}

#[tokio::test(start_paused = true)]
async fn any_call_may_fail_once_or_lose_its_answer_once() {
    for fault in [Fault::Before, Fault::AnswerLost] {
        for (method, nth) in [
            ("submit", 1),
            ("observe", 1),
            ("observe", 2),
            ("observe", 5),
        ] {
            let mut world = World::of(Shape::UNSEEN, good());
            let faulty = Faulty::new(InMemoryMethod::new(good())).with(method, nth, fault);
            world.method = Arc::new(faulty);
            let outcome = world.deploy().await;
            assert_eq!(
                outcome.exit_code(),
                0,
                "{fault:?} {method} {nth}: {outcome:#?}"
            );
            assert_eq!(world.method.inner().started().len(), 1);
            world.assert_the_way(method);
            world.assert_nothing_left(method);
        }
    }
}
