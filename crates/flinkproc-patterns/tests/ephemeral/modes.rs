//! Sessions and applications: whose word counts, and what is ended.

use std::time::Duration;

use flinkproc_core::{Clock, FailureKind, FlinkJobId, Span};
use flinkproc_patterns::{Deployment, Interrupt, Outcome, Verdict};
use flinkproc_plan::{Plan, SessionLifetime};
use flinkproc_rest::{
    Application, ApplicationState, FinalStatus, FlinkApi, FlinkJobState, MemoryYarn, YarnApi,
};
use flinkproc_submit::{JobAction, Script};

use crate::world::{APPLICATION, JOB, SESSION, Shape, World, application, good, job, run};

fn other() -> FlinkJobId {
    "ffffffffffffffffffffffffffffffff".parse().expect("valid")
}

/// Somebody's cluster with a session in which somebody's job runs.
fn shared(script: Script) -> (World, Plan) {
    let world = World::of(Shape::SESSION, script);
    world.flink.put(other(), FlinkJobState::Running, None);
    world.plant();
    let mut plan = world.plan();
    plan.cluster.ours = false;
    (world, plan)
}

async fn session(world: &World) -> ApplicationState {
    let found = world.yarn.application(&application()).await.expect("read");
    found.expect("known").state
}

async fn state(world: &World, id: &FlinkJobId) -> FlinkJobState {
    let found = world.flink.job(id).await.expect("read");
    found.expect("known").state
}

/// What belongs to others is as it was.
async fn assert_untouched(world: &World, outcome: &Outcome) {
    assert_eq!(
        session(world).await,
        ApplicationState::Running,
        "{outcome:#?}"
    );
    assert_eq!(state(world, &other()).await, FlinkJobState::Running);
    assert_eq!(world.clusters(), ["batch-d1"]);
    world.assert_the_way("in a session");
}

#[tokio::test(start_paused = true)]
async fn the_jobs_of_this_run_decide_and_the_session_lives_on() {
    let (world, plan) = shared(good());
    let outcome = world.deploy_plan(plan).await;
    assert_eq!(outcome.verdict(), Some(&Verdict::Succeeded), "{outcome:#?}");
    assert_eq!(outcome.jobs, [job()]);
    assert_eq!(outcome.remains, []);
    assert_untouched(&world, &outcome).await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_the_client_did_not_name_is_known_by_its_mark() {
    let (world, plan) = shared(good());
    let second: FlinkJobId = "22222222222222222222222222222222".parse().expect("valid");
    let marked = second.clone();
    world.flink.put(marked, FlinkJobState::Failed, Some("boom"));
    let tag = run(1).tag();
    world
        .flink
        .put_parameter(second.clone(), "flinkproc-attempt", &tag);
    let outcome = world.deploy_plan(plan).await;
    assert_eq!(outcome.verdict(), Some(&Verdict::Failed), "{outcome:#?}");
    assert_eq!(outcome.jobs, [job(), second]);
    let saved = world.directory.path().join("logs/flink-exceptions.txt");
    assert_eq!(std::fs::read_to_string(saved).expect("saved"), "boom");
    assert_untouched(&world, &outcome).await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_goes_on_without_its_client_is_waited_for() {
    let (world, plan) = shared(good());
    world.flink.put(job(), FlinkJobState::Running, None);
    let handle = world.start(plan).await.expect("started");
    let clock = world.clock.clone();
    let flink = world.flink.clone();
    let later = tokio::spawn(async move {
        clock.sleep(Duration::from_secs(3000)).await;
        flink.put(job(), FlinkJobState::Finished, None);
    });
    let outcome = handle.wait().await.expect("ended");
    later.await.expect("done");
    assert_eq!(outcome.verdict(), Some(&Verdict::Succeeded), "{outcome:#?}");
    assert_untouched(&world, &outcome).await;
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_ends_its_own_jobs_only() {
    let running = Script::default().err(format!("Job has been submitted with JobID {JOB}\n"));
    for by_deadline in [true, false] {
        let (world, mut plan) = shared(running.clone());
        world.flink.put(job(), FlinkJobState::Running, None);
        plan.watch.deadline = Span::from_secs(if by_deadline { 600 } else { 6000 });
        let handle = world.start(plan).await.expect("started");
        if !by_deadline {
            world.clock.sleep(Duration::from_secs(300)).await;
            handle.cancel(Interrupt::Delete);
        }
        let outcome = handle.wait().await.expect("ended");
        let kind = if by_deadline {
            FailureKind::Deadline
        } else {
            FailureKind::Interrupted
        };
        assert_eq!(outcome.kind(), Some(kind), "{outcome:#?}");
        let cancel = JobAction::Cancel { job: Some(job()) };
        assert_eq!(*world.acts.lock().expect("whole"), [cancel]);
        assert_eq!(state(&world, &job()).await, FlinkJobState::Canceled);
        assert_untouched(&world, &outcome).await;
    }
}

#[tokio::test(start_paused = true)]
async fn down_leaves_the_session_of_others() {
    let (world, plan) = shared(Script::default());
    let handle = world.start(plan).await.expect("started");
    world.clock.sleep(Duration::from_secs(60)).await;
    handle.cancel(Interrupt::Leave);
    handle.wait().await.expect("left");
    let id = "d1".parse().expect("valid");
    let (clients, journal) = (world.clients(), world.shared_journal());
    let down = Deployment::down(&id, clients, journal, world.options());
    let outcome = down.await.expect("held").wait().await.expect("ended");
    assert_eq!(outcome.exit_code(), 0, "{outcome:#?}");
    assert_untouched(&world, &outcome).await;
}

#[tokio::test(start_paused = true)]
async fn a_session_of_this_deployment_alone_ends_with_it() {
    let (world, mut plan) = shared(Script::default());
    let tags = format!("{SESSION},flinkproc-d1");
    world.yarn.put(MemoryYarn::running(application(), &tags));
    if let Some(session) = &mut plan.job.session {
        session.lifetime = SessionLifetime::Deployment;
    }
    plan.watch.deadline = Span::from_secs(60);
    let outcome = world.deploy_plan(plan).await;
    assert_eq!(
        session(&world).await,
        ApplicationState::Killed,
        "{outcome:#?}"
    );
    let ended = outcome
        .endings
        .iter()
        .find(|step| step.what.contains("session"));
    assert!(ended.is_some_and(|step| step.worked), "{outcome:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_launcher_that_vanishes_is_started_again_only_when_no_job_of_it_is_known() {
    for (script, starts) in [
        (Script::default().die(), 3),
        (
            Script::default()
                .err(format!("Job has been submitted with JobID {JOB}\n"))
                .die(),
            1,
        ),
    ] {
        let (world, plan) = shared(script);
        world.flink.forget(&job());
        let outcome = world.deploy_plan(plan).await;
        assert_eq!(world.method.inner().started().len(), starts, "{outcome:#?}");
        assert_ne!(outcome.exit_code(), 0);
        assert_untouched(&world, &outcome).await;
    }
}

#[tokio::test(start_paused = true)]
async fn earlier_sessions_of_the_same_name_are_none_of_ours() {
    let (world, plan) = shared(good());
    let old = MemoryYarn::running(
        "application_1700000000000_0000".parse().expect("valid"),
        SESSION,
    );
    world.yarn.put(Application {
        state: ApplicationState::Killed,
        final_status: FinalStatus::Killed,
        finished_time: 1,
        ..old
    });
    let outcome = world.deploy_plan(plan).await;
    assert_eq!(outcome.verdict(), Some(&Verdict::Succeeded), "{outcome:#?}");
    assert_eq!(outcome.applications, [application()]);
}

#[tokio::test(start_paused = true)]
async fn an_application_is_judged_by_yarn() {
    let submitted = || Script::default().err(format!("Submitted application {APPLICATION}\n"));
    for (script, status, expected) in [
        (
            submitted().exit(0),
            FinalStatus::Succeeded,
            Verdict::Succeeded,
        ),
        (submitted().exit(0), FinalStatus::Failed, Verdict::Failed),
        (
            submitted().die(),
            FinalStatus::Succeeded,
            Verdict::Succeeded,
        ),
        (
            submitted().exit(1),
            FinalStatus::Succeeded,
            Verdict::Succeeded,
        ),
    ] {
        let world = World::new(script);
        world.yarn_says(ApplicationState::Finished, status);
        let mut plan = world.plan();
        plan.job.mode = flinkproc_core::YarnMode::Application;
        let outcome = world.deploy_plan(plan).await;
        assert_eq!(outcome.verdict(), Some(&expected), "{outcome:#?}");
        assert_eq!(world.method.inner().started().len(), 1);
        world.assert_nothing_left("an application");
    }
}
