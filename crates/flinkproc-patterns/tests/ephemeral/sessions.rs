//! Sessions on a cluster, apart from any deployment.

use std::collections::BTreeMap;
use std::sync::Arc;

use flinkproc_core::Explain;
use flinkproc_patterns::{SessionPlace, sessions};
use flinkproc_plan::{AccessSpec, SessionLifetime, SessionPlan};
use flinkproc_rest::{ApplicationState, FlinkJobState, MemoryYarn, YarnApi};
use flinkproc_ssh::Answer;
use flinkproc_submit::Script;

use crate::world::{SESSION, Shape, World, application, cluster, job};

fn place(world: &World) -> SessionPlace {
    SessionPlace {
        cluster: cluster(),
        ssh: world.plan().ssh,
        flink: "1.20.5".parse().expect("valid"),
    }
}

fn wanted() -> SessionPlan {
    SessionPlan {
        name: "s".to_owned(),
        tag: SESSION.to_owned(),
        lifetime: SessionLifetime::Keep,
        flink_config: BTreeMap::from([(
            "jobmanager.memory.process.size".to_owned(),
            "1024m".to_owned(),
        )]),
    }
}

/// A cluster of somebody without a session.
fn empty() -> World {
    let mut world = World::new(Script::default());
    world.plant();
    world.yarn = Arc::new(MemoryYarn::new());
    world
}

#[tokio::test(start_paused = true)]
async fn a_session_is_started_once_found_and_ended() {
    let world = empty();
    let yarn = Arc::clone(&world.yarn);
    world.shell.on(move |command, _| {
        let line = command.line().unwrap_or_default();
        line.contains("yarn-session.sh").then(|| {
            assert!(line.contains(&format!("yarn.tags={SESSION}")), "{line}");
            assert!(
                line.contains("jobmanager.memory.process.size=1024m"),
                "{line}"
            );
            yarn.put(MemoryYarn::running(application(), SESSION));
            Answer::ok()
        })
    });
    let start = async || {
        let (clients, options) = (world.clients(), world.options());
        sessions::start(&place(&world), &wanted(), clients, options).await
    };
    let first = start().await.expect("started");
    assert!(!first.found);
    assert_eq!(first.session.application, application());
    let again = start().await.expect("found");
    assert!(again.found);
    let here = place(&world);
    let list = sessions::list(&here, world.clients(), world.options());
    let list = list.await.expect("told");
    assert_eq!(
        list.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(),
        ["s"]
    );

    // One in which a job runs is not ended by the way.
    world.flink.put(job(), FlinkJobState::Running, None);
    let stop = async |name: &str, force| {
        let (clients, options) = (world.clients(), world.options());
        sessions::stop(&place(&world), name, force, clients, options).await
    };
    let busy = stop("s", false).await.expect_err("busy");
    assert_eq!(busy.to_string(), "the session `s` is busy with 1 job");
    let found = world.yarn.application(&application()).await.expect("read");
    assert_eq!(found.expect("known").state, ApplicationState::Running);
    let ended = stop("s", true).await.expect("ended");
    assert_eq!(ended.state, ApplicationState::Killed);
    let none = stop("s", true).await.expect_err("there is none");
    assert_eq!(none.code().as_str(), "RUN022");
    assert_eq!(world.keys(), Vec::<String>::new());
    assert_eq!(world.clusters(), ["batch-d1"]);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_does_not_start_is_told_with_the_clients_words() {
    for (answer, expected) in [
        (
            Answer::exit(1).stderr("Deployment took more than 60 seconds.\n"),
            "the session `s` did not start: status 1: Deployment took more than 60 seconds.",
        ),
        (
            Answer::ok(),
            "the session `s` did not start: its client ended well, yet YARN does not run it",
        ),
    ] {
        let world = empty();
        world.shell.on_program("sh", answer);
        let (clients, options) = (world.clients(), world.options());
        let started = sessions::start(&place(&world), &wanted(), clients, options).await;
        assert_eq!(started.expect_err("failed").to_string(), expected);
        assert_eq!(world.keys(), Vec::<String>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_way_in_there_is_nothing_to_be_asked() {
    let mut world = empty();
    world.shape = Shape::UNSEEN;
    let mut place = place(&world);
    place.ssh.access = AccessSpec::Never;
    let list = sessions::list(&place, world.clients(), world.options()).await;
    assert_eq!(list.expect_err("refused").code().as_str(), "RUN015");
}
