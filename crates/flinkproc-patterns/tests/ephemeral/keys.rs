//! Run keys, two runs at once, and journals of files.

use std::sync::Arc;

use flinkproc_core::{DeploymentId, Explain};
use flinkproc_patterns::{
    Admission, Deployment, DeploymentStatus, Entry, FileJournal, Interrupt, Journal, JournalError,
    MemoryJournal, Options, Record, RunError, Scope, Started, admit, labelled_clusters,
};
use flinkproc_plan::Plan;
use flinkproc_submit::Script;
use jiff::Timestamp;

use crate::world::{World, good};

fn renamed(plan: &Plan, id: &str, key: Option<&str>) -> Plan {
    let mut plan = plan.clone();
    plan.deployment = id.parse().expect("valid");
    plan.run_key = key.map(|key| key.parse().expect("valid"));
    plan
}

#[tokio::test(start_paused = true)]
async fn a_second_run_of_an_unfinished_spec_is_refused() {
    let world = World::new(Script::default());
    let handle = world.start(world.plan()).await.expect("started");
    let second = world.start(renamed(&world.plan(), "d2", None)).await;
    let Err(error @ RunError::Unfinished { .. }) = second else {
        panic!("it is refused, not {second:?}");
    };
    insta::assert_snapshot!(format!("{error}\n{}", error.help().expect("help")), @r"
    deployment `d1` of the same spec, begun 2026-11-22T12:00:00Z, is not finished
    Carry that one on with `flinkproc deploy --resume d1`, end it with `flinkproc down d1`, or name this run as another one with `--run-key`.
    ");
    let keyed = admit(&renamed(&world.plan(), "d2", Some("k")), &world.journal).await;
    assert_eq!(keyed.expect("read"), Admission::Fresh);
    handle.cancel(Interrupt::Delete);
    handle.wait().await.expect("ended");
    let third = admit(&renamed(&world.plan(), "d3", None), &world.journal).await;
    assert_eq!(third.expect("read"), Admission::Fresh);
}

#[tokio::test(start_paused = true)]
async fn the_same_key_is_the_same_run() {
    let world = World::new(good());
    let first = renamed(&world.plan(), "d1", Some("2026-11-22"));
    let second = renamed(&first, "d2", Some("2026-11-22"));
    let handle = world.start(first).await.expect("started");
    // While it runs here, another process cannot take it over.
    let attached = world.start(second.clone()).await;
    assert!(matches!(
        attached,
        Err(RunError::Journal(JournalError::Held { .. }))
    ));
    handle.cancel(Interrupt::Detach);
    handle.wait().await.expect("ended");
    let attached = world.start(second.clone()).await.expect("attached");
    assert_eq!(attached.deployment().as_str(), "d1");
    assert_eq!(attached.wait().await.expect("ended").exit_code(), 0);
    let again = Deployment::start(
        second,
        world.clients(),
        world.shared_journal(),
        world.options(),
    );
    let Ok(Started::Succeeded(outcome)) = again.await else {
        panic!("it is not run again");
    };
    assert_eq!(outcome.deployment.as_str(), "d1");
    assert_eq!(world.method.inner().started().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failed_run_may_be_run_again_under_its_key() {
    let world = World::new(Script::default().exit(1));
    let first = renamed(&world.plan(), "d1", Some("k"));
    let outcome = world.deploy_plan(first.clone()).await;
    assert_ne!(outcome.exit_code(), 0);
    let again = admit(&renamed(&first, "d2", Some("k")), &world.journal).await;
    assert_eq!(again.expect("read"), Admission::Fresh);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_deployment_is_said_to_be_unknown() {
    let world = World::new(good());
    let id = "nobody".parse().expect("valid");
    let resumed = Deployment::resume(
        &id,
        world.clients(),
        world.shared_journal(),
        Options::new("/nowhere"),
    );
    assert!(matches!(
        resumed.await,
        Err(RunError::UnknownDeployment { .. })
    ));
}

fn record(plan: Plan) -> Record {
    Record {
        at: Timestamp::UNIX_EPOCH,
        entry: Entry::Planned {
            plan: Box::new(plan),
        },
    }
}

/// What every journal does.
async fn keeps_the_contract(journal: Arc<dyn Journal>, plan: Plan) {
    let id: DeploymentId = "d1".parse().expect("valid");
    assert_eq!(journal.list().await.expect("listed"), []);
    assert_eq!(journal.load(&id).await.expect("loaded"), []);
    let record = record(plan);
    for _ in 0..2 {
        journal.append(&id, &record).await.expect("written");
    }
    assert_eq!(
        journal.load(&id).await.expect("loaded"),
        [record.clone(), record]
    );
    assert_eq!(
        journal.list().await.expect("listed"),
        std::slice::from_ref(&id)
    );
    for scope in [Scope::Admission, Scope::Deployment(id)] {
        let hold = journal.hold(&scope).await.expect("free");
        assert!(matches!(
            journal.hold(&scope).await,
            Err(JournalError::Held { .. })
        ));
        drop(hold);
        drop(journal.hold(&scope).await.expect("free again"));
    }
}

#[tokio::test(start_paused = true)]
async fn journals_keep_their_contract() {
    let world = World::new(good());
    keeps_the_contract(Arc::new(MemoryJournal::new()), world.plan()).await;
    let root = world.directory.path().join("deployments");
    keeps_the_contract(Arc::new(FileJournal::new(root)), world.plan()).await;
}

#[tokio::test(start_paused = true)]
async fn a_torn_last_line_was_never_written() {
    let world = World::new(good());
    let journal = FileJournal::new(world.directory.path().join("deployments"));
    let id: DeploymentId = "d1".parse().expect("valid");
    let record = record(world.plan());
    journal.append(&id, &record).await.expect("written");
    let path = journal.directory(&id).join("journal.jsonl");
    let whole = std::fs::read(&path).expect("read");
    let torn: Vec<u8> = [whole.as_slice(), &whole[..20]].concat();
    std::fs::write(&path, &torn).expect("written");
    assert_eq!(
        journal.load(&id).await.expect("loaded"),
        std::slice::from_ref(&record)
    );
    journal.append(&id, &record).await.expect("written");
    assert_eq!(
        journal.load(&id).await.expect("loaded"),
        [record.clone(), record]
    );
    let garbled: Vec<u8> = [b"nonsense\n".as_slice(), &whole].concat();
    std::fs::write(&path, &garbled).expect("written");
    let corrupt = journal.load(&id).await;
    assert!(matches!(
        corrupt,
        Err(JournalError::Corrupt { line: 1, .. })
    ));
}

#[tokio::test(start_paused = true)]
async fn a_journal_of_files_carries_a_run() {
    let world = World::new(good());
    let journal: Arc<dyn Journal> =
        Arc::new(FileJournal::new(world.directory.path().join("deployments")));
    let started = Deployment::start(
        world.plan(),
        world.clients(),
        Arc::clone(&journal),
        world.options(),
    );
    let Ok(Started::Running(handle)) = started.await else {
        panic!("it is a new run");
    };
    assert_eq!(handle.wait().await.expect("ended").exit_code(), 0);
    let id = "d1".parse().expect("valid");
    let again = Deployment::resume(&id, world.clients(), journal, world.options());
    let outcome = again.await.expect("known").wait().await.expect("ended");
    assert_eq!(outcome.exit_code(), 0);
    assert_eq!(world.method.inner().started().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_status_tells_steps_and_leftovers() {
    let world = World::new(Script::default());
    let mut options = world.options();
    options.until = Some(flinkproc_patterns::Step::Submit);
    let started = Deployment::start(
        world.plan(),
        world.clients(),
        world.shared_journal(),
        options,
    );
    let Ok(Started::Running(handle)) = started.await else {
        panic!("it is a new run");
    };
    handle.wait().await.expect("ended");
    let all = DeploymentStatus::list(&world.journal).await.expect("read");
    let one = all.first().expect("known");
    assert_eq!(
        (one.step, one.outcome.is_none()),
        (Some(flinkproc_patterns::Step::Submit), true)
    );
    assert_eq!(one.clusters, [crate::world::cluster()]);
    let cluster = crate::world::cluster();
    let found = |journal: MemoryJournal| {
        let (dataproc, cluster) = (Arc::clone(&world.dataproc), cluster.clone());
        async move {
            let listed = labelled_clusters(
                dataproc.as_ref(),
                &journal,
                &cluster.project,
                &cluster.region,
            );
            listed
                .await
                .expect("listed")
                .iter()
                .map(|one| one.in_use)
                .collect::<Vec<_>>()
        }
    };
    assert_eq!(found(world.journal.clone()).await, [true]);
    assert_eq!(
        found(MemoryJournal::new()).await,
        [false],
        "nobody here knows it"
    );
}
