//! The whole run over the real launcher: real shells and processes on this machine, in real time; the cloud stays a double.

use std::sync::Arc;

use async_trait::async_trait;
use flinkproc_core::FailureKind;
use flinkproc_patterns::{Deployment, EventKind, Handle, Interrupt, Started, Verdict};
use flinkproc_plan::JobPlan;
use flinkproc_rest::{ApplicationState, FinalStatus};
use flinkproc_ssh::{ByteStream, Connect, RemoteShell, ShellError, SshTarget};
use flinkproc_submit::contract::FakeMaster;
use flinkproc_submit::{Script, SshMethod, SubmissionMethod};

use crate::world::World;

/// Every connection leads to the fake master's login.
#[derive(Debug)]
struct ToMaster(Arc<dyn RemoteShell>);

#[async_trait]
impl Connect for ToMaster {
    async fn connect(&self, _: &SshTarget) -> Result<Arc<dyn RemoteShell>, ShellError> {
        Ok(Arc::clone(&self.0))
    }

    async fn connect_over(
        &self,
        _: &SshTarget,
        _: Box<dyn ByteStream>,
    ) -> Result<Arc<dyn RemoteShell>, ShellError> {
        Ok(Arc::clone(&self.0))
    }
}

async fn start(world: &World, master: &FakeMaster, mut job: JobPlan) -> Handle {
    let mut plan = world.plan();
    job.method = "ssh".to_owned();
    plan.job = job;
    let mut clients = world.clients().with_method("ssh", |there| {
        Ok(Arc::new(SshMethod::over(there.shell.as_ref())?) as Arc<dyn SubmissionMethod>)
    });
    clients.connect = Arc::new(ToMaster(master.local_shell()));
    let started = Deployment::start(plan, clients, world.shared_journal(), world.options());
    match started.await.expect("started") {
        Started::Running(handle) => handle,
        Started::Succeeded(_) => panic!("it is a new run"),
    }
}

fn saved(world: &World, name: &str) -> String {
    let path = world.directory.path().join("logs").join(name);
    std::fs::read_to_string(path).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_runs_through_the_launcher_and_its_output_comes_home() {
    let master = FakeMaster::start().await;
    let world = World::new(Script::default());
    let job = master.stage("import sys\nprint('args', sys.argv[1:])\n", &["it's $5"]);
    let outcome = start(&world, &master, job)
        .await
        .wait()
        .await
        .expect("ended");
    assert_eq!(outcome.exit_code(), 0, "{outcome:#?}");
    assert!(saved(&world, "launcher-1.out").contains("args [\"it's $5\"]"));
    assert_eq!(outcome.applications, [crate::world::application()]);
    assert_eq!(master.flink_runs(), 1);
    world.assert_nothing_left("launcher");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_raises_is_a_failed_job_with_its_traceback() {
    let master = FakeMaster::start().await;
    let world = World::new(Script::default());
    world.yarn_says(ApplicationState::Finished, FinalStatus::Failed);
    let job = master.stage("def f():\n    return {}['missing']\nf()\n", &[]);
    let outcome = start(&world, &master, job)
        .await
        .wait()
        .await
        .expect("ended");
    assert_eq!(outcome.kind(), Some(FailureKind::Job), "{outcome:#?}");
    let cause = outcome.cause.expect("found");
    assert_eq!(cause.headline, "KeyError: 'missing'");
    world.assert_nothing_left("raised");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupt_reaches_the_program_and_leaves_nothing() {
    let master = FakeMaster::start().await;
    let world = World::new(Script::default());
    world.yarn_says(ApplicationState::Running, FinalStatus::Undefined);
    let job = master.stage(&master.script_that_waits("go"), &[]);
    let mut handle = start(&world, &master, job).await;
    let mut events = handle.events().expect("not taken");
    while let Some(event) = events.next().await {
        if matches!(&event.what, EventKind::Output { text, .. } if text.contains("waiting")) {
            break;
        }
    }
    handle.cancel(Interrupt::Delete);
    let outcome = handle.wait().await.expect("ended");
    assert_eq!(
        outcome.kind(),
        Some(FailureKind::Interrupted),
        "{outcome:#?}"
    );
    assert!(
        outcome.endings.iter().all(|step| step.worked),
        "{outcome:#?}"
    );
    assert_ne!(outcome.verdict(), Some(&Verdict::Succeeded));
    world.assert_nothing_left("interrupted");
}
