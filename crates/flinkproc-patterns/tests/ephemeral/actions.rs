//! What is done to a job from beside, while another process follows it.

use std::sync::Arc;

use flinkproc_core::{Explain, Fault, Faulty};
use flinkproc_patterns::{
    ActionDone, Deployment, Entry, EventKind, Handle, Intent, Interrupt, Output, RunError,
};
use flinkproc_rest::FlinkJobState;
use flinkproc_submit::{InMemoryMethod, JobAction, Script};

use crate::world::{JOB, Shape, World, good, job};

fn runs() -> Script {
    Script::default().err(format!("Job has been submitted with JobID {JOB}\n"))
}

async fn followed(world: &World) -> Handle {
    let mut handle = world.start(world.plan()).await.expect("started");
    let mut events = handle.events().expect("not taken");
    while !matches!(
        events.next().await.expect("goes on").what,
        EventKind::FlinkJob { .. } | EventKind::Output { .. }
    ) {}
    handle
}

async fn act(world: &World, action: JobAction) -> Result<ActionDone, RunError> {
    let id = "d1".parse().expect("valid");
    let (clients, journal) = (world.clients(), world.shared_journal());
    Deployment::act(&id, action, clients, journal, world.options()).await
}

fn savepoint() -> JobAction {
    JobAction::Savepoint {
        job: None,
        directory: Some("gs://bucket/savepoints".to_owned()),
    }
}

#[tokio::test(start_paused = true)]
async fn a_savepoint_is_taken_beside_the_one_who_follows() {
    for shape in [Shape::ENTERED, Shape::UNSEEN, Shape::SESSION] {
        let world = World::of(shape, runs());
        world.flink.put(job(), FlinkJobState::Running, None);
        let handle = followed(&world).await;
        let keys = world.keys();
        let done = act(&world, savepoint()).await.expect("taken");
        assert_eq!(
            done.savepoint.as_deref(),
            Some("gs://bucket/savepoints/savepoint-1")
        );
        // The key of the one who follows is still let in, and no other.
        assert_eq!(world.keys(), keys, "{shape:?}");
        let id = "d1".parse().expect("valid");
        let records = world.shared_journal().load(&id).await.expect("loaded");
        let told: Vec<u32> = records
            .iter()
            .filter_map(|record| match &record.entry {
                Entry::Started {
                    intent: Intent::Act { number, .. },
                } => Some(*number),
                Entry::Done {
                    output:
                        Output::Act {
                            number, savepoint, ..
                        },
                } => {
                    assert_eq!(*savepoint, done.savepoint);
                    Some(*number)
                }
                _ => None,
            })
            .collect();
        assert_eq!(told, [1, 1], "{shape:?}");
        let jobs = Deployment::jobs(
            &id,
            world.clients(),
            world.shared_journal(),
            world.options(),
        );
        let jobs = jobs.await.expect("told");
        assert_eq!(jobs.iter().map(|one| &one.id).collect::<Vec<_>>(), [&job()]);
        assert_eq!(world.keys(), keys, "{shape:?}");
        world.assert_the_way("beside");
        handle.cancel(Interrupt::Delete);
        handle.wait().await.expect("ended");
        world.assert_nothing_left("afterwards");
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_is_stopped_and_the_one_who_follows_sees_it() {
    let world = World::new(runs());
    let handle = followed(&world).await;
    let stop = JobAction::Stop {
        job: Some(job()),
        directory: None,
        drain: false,
    };
    let done = act(&world, stop.clone()).await.expect("stopped");
    assert_eq!(done.action, stop);
    assert!(done.savepoint.is_some());
    let outcome = handle.wait().await.expect("ended");
    assert_eq!(outcome.exit_code(), 0, "{outcome:#?}");
    world.assert_nothing_left("stopped");
    let refused = act(&world, savepoint()).await.expect_err("it is over");
    assert_eq!(refused.code().as_str(), "RUN016");
}

#[tokio::test(start_paused = true)]
async fn an_action_is_repeated_only_when_it_did_not_begin() {
    for (fault, calls) in [(Fault::Before, 2), (Fault::AnswerLost, 1)] {
        let mut world = World::new(runs());
        let faulty = Faulty::new(InMemoryMethod::new(runs())).with("act", 1, fault);
        world.method = Arc::new(faulty);
        let handle = followed(&world).await;
        let done = act(&world, savepoint()).await;
        assert_eq!(done.is_ok(), fault == Fault::Before, "{done:?}");
        assert_eq!(world.method.calls("act"), calls);
        handle.cancel(Interrupt::Delete);
        handle.wait().await.expect("ended");
        world.assert_nothing_left("afterwards");
    }
}

#[tokio::test(start_paused = true)]
async fn there_is_nothing_to_act_on_without_a_job() {
    let world = World::new(good());
    let unknown = act(&world, savepoint()).await.expect_err("unknown");
    assert_eq!(unknown.code().as_str(), "RUN005");
    let outcome = world.deploy().await;
    assert_eq!(outcome.exit_code(), 0);
    let over = act(&world, savepoint()).await.expect_err("over");
    assert_eq!(
        over.to_string(),
        "no job of deployment `d1` runs: it is over"
    );
    let id = "d1".parse().expect("valid");
    let jobs = Deployment::jobs(
        &id,
        world.clients(),
        world.shared_journal(),
        world.options(),
    );
    let jobs = jobs.await.expect("told");
    assert_eq!(jobs.iter().map(|one| &one.id).collect::<Vec<_>>(), [&job()]);
}
