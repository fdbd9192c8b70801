//! Crash before and after each journal line, and resume; interrupt at each line.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use flinkproc_core::{DeploymentId, FailureKind};
use flinkproc_patterns::{
    Conclusion, Deployment, Entry, Hold, Interrupt, Journal, JournalError, MemoryJournal, Record,
    Scope, Started, Verdict,
};
use tokio::sync::Notify;

use crate::world::{Shape, World, good};

/// What happens when the chosen line is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// The process stops before the line is durable.
    Before,
    /// The process stops when the line is durable.
    After,
    /// Everything goes on; the line is only noticed.
    Noticed,
}

/// A journal that tells when a line is reached, and may never come back from it.
#[derive(Debug)]
struct Watched {
    inner: MemoryJournal,
    line: usize,
    at: At,
    written: AtomicUsize,
    reached: Arc<Notify>,
}

#[async_trait]
impl Journal for Watched {
    async fn hold(&self, scope: &Scope) -> Result<Hold, JournalError> {
        self.inner.hold(scope).await
    }

    async fn append(&self, id: &DeploymentId, record: &Record) -> Result<(), JournalError> {
        let here = self.written.fetch_add(1, Ordering::SeqCst) + 1 == self.line;
        if !(here && self.at == At::Before) {
            self.inner.append(id, record).await?;
        }
        if here {
            self.reached.notify_one();
            if self.at != At::Noticed {
                std::future::pending::<()>().await;
            }
        }
        Ok(())
    }

    async fn load(&self, id: &DeploymentId) -> Result<Vec<Record>, JournalError> {
        self.inner.load(id).await
    }

    async fn list(&self) -> Result<Vec<DeploymentId>, JournalError> {
        self.inner.list().await
    }
}

async fn lines(world: &World) -> Vec<Record> {
    let id = "d1".parse().expect("valid");
    world.journal.load(&id).await.expect("loaded")
}

async fn lines_of_a_good_run(shape: Shape) -> usize {
    let world = World::of(shape, good());
    let outcome = world.deploy().await;
    assert_eq!(outcome.exit_code(), 0);
    lines(&world).await.len()
}

/// Every line of a good run of every shape.
async fn every_line() -> Vec<(Shape, usize)> {
    let mut all = Vec::new();
    for shape in Shape::ALL {
        let total = lines_of_a_good_run(shape).await;
        all.extend((2..=total).map(|line| (shape, line)));
    }
    all
}

/// Runs until the line is reached, then interrupts; gives the conclusion.
async fn run_to(world: &World, line: usize, at: At, interrupt: Interrupt) -> Option<Conclusion> {
    let reached = Arc::new(Notify::new());
    let journal = Arc::new(Watched {
        inner: world.journal.clone(),
        line,
        at,
        written: AtomicUsize::new(0),
        reached: Arc::clone(&reached),
    });
    let started = Deployment::start(world.plan(), world.clients(), journal, world.options());
    let handle = tokio::select! {
        biased;
        started = started => match started.expect("started") {
            Started::Running(handle) => handle,
            Started::Succeeded(_) => panic!("it is a new run"),
        },
        // The very first line: the process is gone before there is a handle.
        () = reached.notified() => return None,
    };
    reached.notified().await;
    handle.cancel(interrupt);
    let outcome = handle.wait().await.expect("ended");
    Some(outcome.conclusion)
}

#[tokio::test(start_paused = true)]
async fn a_run_goes_on_after_a_crash_at_any_line() {
    for (shape, at) in Shape::ALL
        .into_iter()
        .flat_map(|shape| [(shape, At::Before), (shape, At::After)])
    {
        let total = lines_of_a_good_run(shape).await;
        for line in 2..=total {
            let when = format!("crash {at:?} line {line} of {total}, {shape:?}");
            let world = World::of(shape, good());
            run_to(&world, line, at, Interrupt::Leave).await;
            let outcome = world.resume().await.wait().await.expect("ended");
            assert_eq!(
                outcome.verdict(),
                Some(&Verdict::Succeeded),
                "{when}: {outcome:#?}"
            );
            assert_eq!(outcome.exit_code(), 0, "{when}: {outcome:#?}");
            world.assert_nothing_left(&when);
            assert_eq!(
                world.method.inner().started().len(),
                1,
                "started once: {when}"
            );
            let saved = std::fs::read_to_string(world.directory.path().join("logs/launcher-1.out"));
            assert_eq!(saved.expect("saved"), "hello\nwörld\n", "{when}");
            let result = std::fs::read_to_string(world.directory.path().join("result/part-0"));
            assert_eq!(result.expect("fetched"), "hello 1\n", "{when}");
            world.assert_the_way(&when);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_crash_left_is_taken_down() {
    for (shape, line) in every_line().await {
        let when = format!("down after a crash at line {line}, {shape:?}");
        let world = World::of(shape, good());
        run_to(&world, line, At::After, Interrupt::Leave).await;
        for turn in 1..=2 {
            let id = "d1".parse().expect("valid");
            let down = Deployment::down(
                &id,
                world.clients(),
                world.shared_journal(),
                world.options(),
            );
            let outcome = down.await.expect("held").wait().await.expect("ended");
            assert_eq!(outcome.exit_code(), 0, "{when}: {outcome:#?}");
            world.assert_nothing_left(&when);
            assert!(
                turn == 1 || outcome.endings.is_empty(),
                "{when}: {outcome:#?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_at_any_line_leaves_nothing() {
    for (shape, line) in every_line().await {
        let when = format!("interrupt at line {line}, {shape:?}");
        let world = World::of(shape, good());
        let conclusion = run_to(&world, line, At::Noticed, Interrupt::Delete).await;
        assert!(
            matches!(conclusion, Some(Conclusion::Ended { .. })),
            "{when}: {conclusion:?}"
        );
        world.assert_nothing_left(&when);
    }
}

#[tokio::test(start_paused = true)]
async fn a_detached_run_is_carried_on() {
    for (shape, line) in every_line().await {
        let when = format!("detach at line {line}, {shape:?}");
        let world = World::of(shape, good());
        run_to(&world, line, At::Noticed, Interrupt::Detach).await;
        assert_eq!(world.keys(), Vec::<String>::new(), "{when}");
        let outcome = world.resume().await.wait().await.expect("ended");
        assert_eq!(outcome.exit_code(), 0, "{when}: {outcome:#?}");
        world.assert_nothing_left(&when);
        assert_eq!(
            world.method.inner().started().len(),
            1,
            "started once: {when}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn no_line_is_written_after_its_effect() {
    let world = World::new(good());
    world.deploy().await;
    let told: Vec<String> = lines(&world)
        .await
        .iter()
        .map(|record| match &record.entry {
            Entry::Planned { .. } => "planned".to_owned(),
            Entry::Started { intent } => format!("started {}", tag(intent)),
            Entry::Done { output } => format!("done {}", tag(output)),
            Entry::Failed { failure } => format!("failed {}", failure.code),
            Entry::Ended { .. } => "ended".to_owned(),
        })
        .collect();
    // What runs side by side comes in either order.
    let (beside, told): (Vec<String>, Vec<String>) = told
        .into_iter()
        .partition(|line| line.ends_with(" stage") || line.ends_with(" fetch-result"));
    assert_eq!(beside, ["started stage", "done stage", "done fetch-result"]);
    insta::assert_snapshot!(told.join("\n"), @r"
    planned
    started check-bucket
    done check-bucket
    started create-cluster
    done create-started
    done create-cluster
    started enter
    done enter
    started submit
    done submit
    started watch
    done watch
    started end
    done save-logs
    done leave-machine
    started delete-cluster
    done delete-cluster
    ended
    ");
}

fn tag(value: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).expect("serialises");
    value["step"].as_str().expect("tagged").to_owned()
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_run_has_its_own_exit_code() {
    let world = World::new(flinkproc_submit::Script::default());
    let handle = world.start(world.plan()).await.expect("started");
    handle.cancel(Interrupt::Delete);
    let outcome = handle.wait().await.expect("ended");
    assert_eq!(outcome.kind(), Some(FailureKind::Interrupted));
    world.assert_nothing_left("interrupted at the start");
}
