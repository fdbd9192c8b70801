//! The happy path, the deadline, what is kept, what is not ours, what cannot be deleted, and what dropping a handle does.

use flinkproc_core::{FailureKind, Fault, Faulty, Span};
use flinkproc_dataproc::MemoryDataproc;
use flinkproc_patterns::{Conclusion, Deployment, EventKind, Interrupt, Step, Verdict};
use flinkproc_plan::OnFailure;
use flinkproc_rest::{ApplicationState, FinalStatus};
use flinkproc_submit::Script;

use crate::world::{World, all_events, application, cluster, good, run};

#[tokio::test(start_paused = true)]
async fn a_job_is_deployed_and_nothing_is_left() {
    let world = World::new(good());
    let mut handle = world.start(world.plan()).await.expect("started");
    let events = all_events(&mut handle).await;
    let outcome = handle.wait().await.expect("ended");
    assert_eq!(outcome.exit_code(), 0, "{outcome:#?}");
    assert_eq!(outcome.verdict(), Some(&Verdict::Succeeded));
    assert_eq!(outcome.applications, [application()]);
    assert_eq!(outcome.jobs, [crate::world::job()]);
    assert_eq!(outcome.remains, []);
    let told: Vec<String> = events
        .iter()
        .filter_map(|event| match &event.what {
            EventKind::StepStarted { step } => Some(format!("{step} …")),
            EventKind::StepDone { step, .. } => Some(format!("{step} done")),
            EventKind::Output { text, .. } => Some(format!("{text:?}")),
            EventKind::Submitted { attempt } => Some(format!("submitted {attempt}")),
            EventKind::Result { uri, .. } => Some(uri.to_string()),
            EventKind::Ended { .. } => Some("ended".to_owned()),
            _ => None,
        })
        .collect();
    // What runs side by side comes in either order.
    let (beside, told): (Vec<String>, Vec<String>) = told.into_iter().partition(|line| {
        line.starts_with("stage") || line.starts_with("fetch-result") || line.starts_with("gs://")
    });
    assert_eq!(
        beside,
        [
            "stage …",
            "stage done",
            "fetch-result …",
            "gs://bucket/out/part-0",
            "fetch-result done"
        ]
    );
    insta::assert_snapshot!(told.join("\n"), @r#"
    check-bucket …
    check-bucket done
    create-cluster …
    create-cluster done
    enter …
    enter done
    submit …
    submitted 1
    submit done
    watch …
    "Submitted application application_1700000000000_0001\n"
    "Job has been submitted with JobID 0123456789abcdef0123456789abcdef\n"
    "hello\n"
    "wörld\n"
    watch done
    save-logs …
    save-logs done
    leave-machine …
    leave-machine done
    delete-cluster …
    delete-cluster done
    ended
    "#);
    world.assert_nothing_left("success");
    let text = serde_json::to_string(&events).expect("serialises");
    let back: Vec<flinkproc_patterns::Event> = serde_json::from_str(&text).expect("reads back");
    assert_eq!(back, events);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_everything_and_says_what_worked() {
    let world = World::new(Script::default().err(format!(
        "Submitted application {}\n",
        crate::world::APPLICATION
    )));
    world.yarn_says(ApplicationState::Running, FinalStatus::Undefined);
    let mut plan = world.plan();
    plan.watch.deadline = Span::from_secs(600);
    let outcome = world.deploy_plan(plan).await;
    assert_eq!(
        outcome.exit_code(),
        FailureKind::Deadline.exit_code(),
        "{outcome:#?}"
    );
    assert!(world.method.inner().is_cancelled(&run(1)));
    let told: Vec<String> = outcome
        .endings
        .iter()
        .map(|step| {
            format!(
                "{}: {}",
                step.what,
                if step.worked { "worked" } else { "failed" }
            )
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    tell the launcher to cancel attempt 1: worked
    kill YARN application application_1700000000000_0001: worked
    delete cluster batch-d1: worked
    ");
    world.assert_nothing_left("deadline");
}

#[tokio::test(start_paused = true)]
async fn the_deadline_counts_from_the_first_start_not_from_the_resume() {
    let world = World::new(Script::default());
    let mut plan = world.plan();
    plan.watch.deadline = Span::from_secs(600);
    let mut handle = world.start(plan).await.expect("started");
    let mut events = handle.events().expect("not taken");
    while !matches!(
        events.next().await.expect("goes on").what,
        EventKind::Submitted { .. }
    ) {}
    handle.cancel(Interrupt::Detach);
    let outcome = handle.wait().await.expect("ended");
    assert_eq!(outcome.conclusion, Conclusion::Detached);
    assert_eq!(world.clusters(), [cluster().name.as_str()]);
    assert_eq!(
        outcome.remains.first().expect("told").command,
        "flinkproc down d1"
    );
    flinkproc_core::Clock::sleep(world.clock.as_ref(), std::time::Duration::from_secs(700)).await;
    let before = flinkproc_core::Clock::now(world.clock.as_ref());
    let outcome = world.resume().await.wait().await.expect("ended");
    assert_eq!(outcome.kind(), Some(FailureKind::Deadline));
    let took = flinkproc_core::Clock::now(world.clock.as_ref()).duration_since(before);
    assert!(took.as_secs() < 120, "{took:?}");
    world.assert_nothing_left("deadline after a resume");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_we_did_not_make_is_never_deleted() {
    for (script, deadline) in [
        (good(), 7200),
        (Script::default().exit(1), 7200),
        (Script::default(), 60),
    ] {
        let world = World::new(script);
        world.plant();
        let mut plan = world.plan();
        plan.cluster.ours = false;
        plan.cluster.resource = serde_json::Value::Null;
        plan.watch.deadline = Span::from_secs(deadline);
        world.deploy_plan(plan).await;
        let id = "d1".parse().expect("valid");
        let down = Deployment::down(
            &id,
            world.clients(),
            world.shared_journal(),
            world.options(),
        );
        down.await.expect("held").wait().await.expect("ended");
        assert_eq!(world.dataproc.calls("start_delete"), 0);
        assert_eq!(world.dataproc.calls("start_create"), 0);
        assert_eq!(world.clusters(), [cluster().name.as_str()]);
        assert_eq!(world.keys(), Vec::<String>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn a_younger_cluster_of_the_same_name_is_left_alone() {
    let world = World::new(Script::default());
    let mut handle = world.start(world.plan()).await.expect("started");
    let mut events = handle.events().expect("not taken");
    while !matches!(
        events.next().await.expect("goes on").what,
        EventKind::Submitted { .. }
    ) {}
    world.dataproc.inner().remove(&cluster());
    world.plant();
    handle.cancel(Interrupt::Delete);
    let outcome = handle.wait().await.expect("ended");
    assert_eq!(outcome.remains, []);
    assert_eq!(world.clusters(), [cluster().name.as_str()]);
    assert_eq!(world.dataproc.calls("start_delete"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_cannot_be_deleted_is_named_with_the_command() {
    let mut faulty = Faulty::new(MemoryDataproc::new());
    for nth in 1..200 {
        faulty = faulty.with("start_delete", nth, Fault::Before);
    }
    let world = World::new(good()).with_dataproc(faulty);
    let outcome = world.deploy().await;
    assert_eq!(outcome.verdict(), Some(&Verdict::Succeeded));
    assert_ne!(outcome.exit_code(), 0, "something that costs money is left");
    let left = outcome.remains.first().expect("told");
    assert!(left.costs);
    insta::assert_snapshot!(left.command, @"gcloud dataproc clusters delete batch-d1 --region=europe-west4 --project=my-project --quiet");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_is_kept_when_the_job_fails_and_down_ends_it() {
    let world = World::new(Script::default().err("boom\n").exit(1));
    world.yarn_says(ApplicationState::Finished, FinalStatus::Failed);
    let mut plan = world.plan();
    plan.watch.on_failure = OnFailure::Keep;
    let outcome = world.deploy_plan(plan).await;
    assert_eq!(outcome.kind(), Some(FailureKind::Job));
    assert_eq!(world.clusters(), [cluster().name.as_str()]);
    assert_eq!(
        outcome.remains.first().expect("told").command,
        "flinkproc down d1"
    );
    let id = "d1".parse().expect("valid");
    let down = Deployment::down(
        &id,
        world.clients(),
        world.shared_journal(),
        world.options(),
    );
    let outcome = down.await.expect("held").wait().await.expect("ended");
    assert_eq!(outcome.exit_code(), 0, "{outcome:#?}");
    world.assert_nothing_left("down");
}

#[tokio::test(start_paused = true)]
async fn a_run_stops_after_the_step_it_was_told() {
    for step in Step::UNTIL {
        let world = World::new(good());
        let mut options = world.options();
        options.until = Some(step);
        let started = Deployment::start(
            world.plan(),
            world.clients(),
            world.shared_journal(),
            options,
        );
        let Ok(flinkproc_patterns::Started::Running(handle)) = started.await else {
            panic!("it is a new run");
        };
        let outcome = handle.wait().await.expect("ended");
        assert_eq!(outcome.conclusion, Conclusion::Reached(step));
        assert_eq!(outcome.exit_code(), 0);
        assert_eq!(
            world.clusters().len(),
            usize::from(step >= Step::CreateCluster),
            "{step}"
        );
        assert_eq!(
            world.method.inner().started().len(),
            usize::from(step >= Step::Submit),
            "{step}"
        );
        assert_eq!(world.keys(), Vec::<String>::new(), "{step}");
        let outcome = world.resume().await.wait().await.expect("ended");
        assert_eq!(outcome.exit_code(), 0, "{step}: {outcome:#?}");
        world.assert_nothing_left("resumed");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_handle_changes_nothing() {
    let world = World::new(good());
    let mut handle = world.start(world.plan()).await.expect("started");
    let mut events = handle.events().expect("not taken");
    drop(handle);
    let mut last = None;
    while let Some(event) = events.next().await {
        last = Some(event.what);
    }
    let Some(EventKind::Ended { outcome }) = last else {
        panic!("the run goes on to its end, not to {last:?}");
    };
    assert_eq!(outcome.exit_code(), 0);
    world.assert_nothing_left("dropped handle");
}
