//! The whole run over the real launcher as the driver of a Dataproc job, with no way to the master: real shells, real time.

use std::sync::Arc;
use std::time::Duration;

use flinkproc_core::{FailureKind, YarnMode};
use flinkproc_patterns::{
    Clients, Deployment, EventKind, Handle, Interrupt, Started, Verdict, Witness,
};
use flinkproc_plan::{JobPlan, SessionLifetime, SessionPlan};
use flinkproc_submit::contract::FakeMaster;
use flinkproc_submit::{DataprocJobMethod, DataprocPlace, JobAction, PySpark, Script};

use crate::driver::LocalJobs;
use crate::world::{SESSION, Shape, World, uri};

/// The world with the master's bucket, and a Dataproc that runs drivers.
fn clients(world: &World, master: &FakeMaster) -> Clients {
    let clock = Arc::clone(&world.clock);
    let mut clients = world.clients().with_method("pyspark", move |there| {
        assert!(there.shell.is_none());
        let place = DataprocPlace {
            jobs: Arc::clone(&there.jobs),
            staging: Arc::clone(&there.staging),
            cluster: there.cluster.clone(),
            home: there.home.clone(),
            clock: Arc::clone(&clock) as _,
        };
        let method = DataprocJobMethod::new(PySpark, place);
        Ok(Arc::new(method.pausing(Duration::from_millis(200))))
    });
    clients.jobs = Arc::new(LocalJobs::new(master, Arc::clone(&world.clock) as _));
    clients.staging = master.staging();
    clients
}

async fn start(world: &World, clients: &Clients, job: JobPlan) -> Handle {
    let mut plan = world.plan();
    plan.job = JobPlan {
        method: "pyspark".to_owned(),
        mirror: Some(uri("gs://bucket/flinkproc/deployments/d1/runs/")),
        ..job
    };
    let journal = world.shared_journal();
    let started = Deployment::start(plan, clients.clone(), journal, world.options());
    match started.await.expect("started") {
        Started::Running(handle) => handle,
        Started::Succeeded(_) => panic!("it is a new run"),
    }
}

async fn until_it_waits(handle: &mut Handle) {
    let mut events = handle.events().expect("not taken");
    while let Some(event) = events.next().await {
        if matches!(&event.what, EventKind::Output { text, .. } if text.contains("waiting")) {
            return;
        }
    }
    panic!("it never waited");
}

fn session(lifetime: SessionLifetime) -> SessionPlan {
    SessionPlan {
        name: "s".to_owned(),
        tag: SESSION.to_owned(),
        lifetime,
        flink_config: std::collections::BTreeMap::new(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_runs_and_everything_comes_home_through_the_bucket() {
    let master = FakeMaster::start().await;
    let world = World::of(Shape::UNSEEN, Script::default());
    let clients = clients(&world, &master);
    let job = master.stage("import sys\nprint('args', sys.argv[1:])\n", &["it's $5"]);
    let handle = start(&world, &clients, job).await;
    let outcome = handle.wait().await.expect("ended");
    assert_eq!(outcome.exit_code(), 0, "{outcome:#?}");
    let logs = world.directory.path().join("logs");
    let said = std::fs::read_to_string(logs.join("launcher-1.out")).expect("saved");
    assert!(said.contains("args [\"it's $5\"]"), "{said}");
    let application = outcome.applications.first().expect("seen");
    assert!(
        logs.join(format!("{application}.log")).exists(),
        "{outcome:#?}"
    );
    assert_eq!(outcome.evidence.expect("heard").witness, Witness::Launcher);
    world.assert_the_way("unseen");
    world.assert_nothing_left("unseen");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_in_a_session_is_judged_by_its_flink_jobs() {
    for (lifetime, session_ends) in [
        (SessionLifetime::Keep, false),
        (SessionLifetime::Deployment, true),
    ] {
        let master = FakeMaster::start().await;
        let world = World::of(Shape::UNSEEN, Script::default());
        let clients = clients(&world, &master);
        let job = JobPlan {
            mode: YarnMode::Session,
            session: Some(session(lifetime)),
            ..master.stage("print('hello')\n", &[])
        };
        let handle = start(&world, &clients, job).await;
        let outcome = handle.wait().await.expect("ended");
        assert_eq!(outcome.verdict(), Some(&Verdict::Succeeded), "{outcome:#?}");
        assert_eq!(outcome.jobs.len(), 1, "{outcome:#?}");
        let application = outcome.applications.first().expect("seen");
        let state = master.application_state(application.as_str());
        assert_eq!(state != "RUNNING", session_ends, "{state}");
        world.assert_nothing_left("a session");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupt_reaches_the_program_through_the_jobs_api() {
    let master = FakeMaster::start().await;
    let world = World::of(Shape::UNSEEN, Script::default());
    let clients = clients(&world, &master);
    let job = master.stage(&master.script_that_waits("go"), &[]);
    let mut handle = start(&world, &clients, job).await;
    until_it_waits(&mut handle).await;
    handle.cancel(Interrupt::Delete);
    let outcome = handle.wait().await.expect("ended");
    assert_eq!(outcome.kind(), Some(FailureKind::Interrupted));
    assert!(
        outcome.endings.iter().all(|step| step.worked),
        "{outcome:#?}"
    );
    let application = outcome.applications.first().expect("seen");
    let state = master.application_state(application.as_str());
    assert_ne!(state, "RUNNING");
    world.assert_nothing_left("interrupted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_savepoint_is_taken_through_the_jobs_api_and_the_run_goes_on() {
    let master = FakeMaster::start().await;
    let world = World::of(Shape::UNSEEN, Script::default());
    let clients = clients(&world, &master);
    let job = master.stage(&master.script_that_waits("go"), &[]);
    let mut handle = start(&world, &clients, job).await;
    until_it_waits(&mut handle).await;
    let action = JobAction::Savepoint {
        job: None,
        directory: Some("gs://bucket/savepoints".to_owned()),
    };
    let id = "d1".parse().expect("valid");
    let (journal, options) = (world.shared_journal(), world.options());
    let done = Deployment::act(&id, action, clients.clone(), journal, options).await;
    let savepoint = done.expect("taken").savepoint.expect("made");
    assert!(
        savepoint.starts_with("gs://bucket/savepoints/"),
        "{savepoint}"
    );
    master.touch("go");
    let outcome = handle.wait().await.expect("ended");
    assert_eq!(outcome.exit_code(), 0, "{outcome:#?}");
    world.assert_nothing_left("a savepoint");
}
