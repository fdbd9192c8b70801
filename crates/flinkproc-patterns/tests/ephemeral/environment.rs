//! The Python that the job brings along: found, or built and uploaded once, before money is spent in vain.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use flinkproc_core::{Clock, FailureKind, Fault, Faulty};
use flinkproc_env::{
    BuiltArchive, EnvError, EnvironmentBuilder, EnvironmentRequest, Lock, MemoryBuilder,
};
use flinkproc_patterns::{Conclusion, Deployment, Started, Step};
use flinkproc_plan::FileRole;
use flinkproc_staging::{ContentHash, MemoryStaging, Staging};

use crate::world::{Shape, World, good, run, uri};

const SHAPE: Shape = Shape {
    environment: true,
    ..Shape::ENTERED
};
const POINTER: &str = "gs://bucket/flinkproc/env/by-request/k.json";

/// The environment that the job was handed over with: its place and its checksum.
fn handed_over(world: &World) -> (String, String) {
    let job = world.method.inner().job(&run(1)).expect("handed over");
    let mut files = job.files.into_iter();
    let file = files.find(|file| file.role == FileRole::Environment);
    let file = file.expect("there is one");
    (file.from.to_string(), file.sha256.expect("known"))
}

async fn content(world: &World, place: &str) -> Bytes {
    let place = uri(place);
    let read = world.staging.inner().read_range(&place, 0, 1 << 20);
    read.await.expect("there")
}

/// Where the environment of the plan belongs.
async fn archive(world: &World) -> String {
    let plan = world.plan().staging.environment.expect("wanted");
    let request = EnvironmentRequest {
        python: plan.python,
        flink: plan.flink,
        platform: plan.platform,
        requirements: plan.requirements,
        lock: plan.lock,
        index_url: None,
    };
    let lock = world.environments.lock(&request).await.expect("locked");
    format!("gs://bucket/flinkproc/env/{}/env.tar.gz", lock.sha256)
}

#[tokio::test(start_paused = true)]
async fn it_is_built_once_and_the_job_is_handed_over_with_it() {
    let world = World::of(SHAPE, good());
    let outcome = world.deploy().await;
    assert_eq!(outcome.exit_code(), 0, "{outcome:#?}");
    let (place, sha256) = handed_over(&world);
    assert_eq!(place, archive(&world).await);
    let built = content(&world, &place).await;
    assert_eq!(ContentHash::of(&built).to_string(), sha256);
    assert_eq!(world.environments.built().len(), 1);
    assert!(!world.directory.path().join("environment").exists());
    world.assert_nothing_left("built");

    // Another deployment of the same finds it.
    let mut next = World::of(SHAPE, good());
    next.staging = Arc::clone(&world.staging);
    let outcome = next.deploy().await;
    assert_eq!(outcome.exit_code(), 0, "{outcome:#?}");
    assert_eq!(next.environments.built().len(), 0);
    assert_eq!(handed_over(&next), (place, sha256));
}

#[tokio::test(start_paused = true)]
async fn another_request_with_the_same_lock_builds_nothing() {
    let world = World::of(SHAPE, good());
    world.deploy().await;
    let mut next = World::of(SHAPE, good());
    next.staging = Arc::clone(&world.staging);
    let mut plan = next.plan();
    let wanted = plan.staging.environment.as_mut().expect("wanted");
    wanted.key = "other".to_owned();
    wanted.pointer = uri("gs://bucket/flinkproc/env/by-request/other.json");
    let outcome = next.deploy_plan(plan).await;
    assert_eq!(outcome.exit_code(), 0, "{outcome:#?}");
    assert_eq!(next.environments.built().len(), 0);
    assert_eq!(handed_over(&next), handed_over(&world));
    content(&next, "gs://bucket/flinkproc/env/by-request/other.json").await;
}

/// A builder whose index takes a minute to answer.
#[derive(Debug)]
struct Slow(MemoryBuilder, Arc<dyn Clock>);

#[async_trait]
impl EnvironmentBuilder for Slow {
    fn name(&self) -> &str {
        "slow"
    }

    async fn can(&self, request: &EnvironmentRequest) -> Result<(), EnvError> {
        self.0.can(request).await
    }

    async fn lock(&self, request: &EnvironmentRequest) -> Result<Lock, EnvError> {
        self.1.sleep(Duration::from_secs(60)).await;
        self.0.lock(request).await
    }

    async fn build(
        &self,
        request: &EnvironmentRequest,
        lock: &Lock,
        into: &Path,
    ) -> Result<BuiltArchive, EnvError> {
        self.0.build(request, lock, into).await
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_resolved_is_refused_before_a_cluster_is_made() {
    let world = World::of(SHAPE, good());
    let without = MemoryBuilder::default().without_package("requests");
    let clock = Arc::clone(&world.clock) as Arc<dyn Clock>;
    let clients = world.clients().with_environments(Slow(without, clock));
    let mut plan = world.plan();
    if let Some(wanted) = &mut plan.staging.environment {
        wanted.builder = "slow".to_owned();
    }
    let started = Deployment::start(plan, clients, world.shared_journal(), world.options());
    let Ok(Started::Running(handle)) = started.await else {
        panic!("it is a new run");
    };
    let outcome = handle.wait().await.expect("ended");
    let failure = outcome.failure.clone().expect("failed");
    assert_eq!(failure.step, Some(Step::Environment), "{failure:?}");
    assert_eq!(outcome.kind(), Some(FailureKind::Input));
    assert_eq!(world.dataproc.calls("start_create"), 0);
    world.assert_nothing_left("refused");
}

#[tokio::test(start_paused = true)]
async fn a_builder_that_nobody_has_is_refused_before_a_cluster_is_made() {
    let world = World::of(SHAPE, good());
    let mut plan = world.plan();
    if let Some(wanted) = &mut plan.staging.environment {
        wanted.builder = "conda".to_owned();
    }
    let outcome = world.deploy_plan(plan).await;
    assert_eq!(outcome.failure.expect("failed").code, "RUN018");
    assert_eq!(world.dataproc.calls("start_create"), 0);
}

#[tokio::test(start_paused = true)]
async fn of_two_who_build_the_first_upload_counts() {
    let world = World::of(SHAPE, good());
    // The other one has uploaded and not named it yet, and never will.
    let place = archive(&world).await;
    let theirs = "the same packages in other bytes";
    world.staging.inner().overwrite(uri(&place), theirs);
    let outcome = world.deploy().await;
    assert_eq!(outcome.exit_code(), 0, "{outcome:#?}");
    let sha256 = ContentHash::of(theirs.as_bytes()).to_string();
    assert_eq!(handed_over(&world), (place.clone(), sha256));
    assert_eq!(content(&world, &place).await, theirs);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_gone_from_the_bucket_is_built_again() {
    let world = World::of(SHAPE, good());
    world.deploy().await;
    let (place, _) = handed_over(&world);
    world.staging.delete(&uri(&place)).await.expect("deleted");
    let mut next = World::of(SHAPE, good());
    next.staging = Arc::clone(&world.staging);
    let outcome = next.deploy().await;
    assert_eq!(outcome.exit_code(), 0, "{outcome:#?}");
    assert_eq!(next.environments.built().len(), 1);
    content(&next, &place).await;
    assert_eq!(handed_over(&next).0, place);
}

#[tokio::test(start_paused = true)]
async fn a_pointer_that_is_none_is_named() {
    let world = World::of(SHAPE, good());
    world.staging.inner().overwrite(uri(POINTER), "{}");
    let outcome = world.deploy().await;
    let failure = outcome.failure.expect("failed");
    assert_eq!(failure.code, "RUN019");
    assert!(failure.help.is_some_and(|help| help.contains(POINTER)));
    world.assert_nothing_left("no pointer");
}

#[tokio::test(start_paused = true)]
async fn it_belongs_to_what_is_staged() {
    let world = World::of(SHAPE, good());
    let mut options = world.options();
    options.until = Some(Step::Stage);
    let (clients, journal) = (world.clients(), world.shared_journal());
    let started = Deployment::start(world.plan(), clients, journal, options).await;
    let Ok(Started::Running(handle)) = started else {
        panic!("it is a new run");
    };
    let outcome = handle.wait().await.expect("ended");
    assert_eq!(outcome.conclusion, Conclusion::Reached(Step::Stage));
    assert_eq!(world.environments.built().len(), 1);
    assert_eq!(world.dataproc.calls("start_create"), 0);
    content(&world, POINTER).await;
}

#[tokio::test(start_paused = true)]
async fn any_call_of_the_bucket_may_fail_once_or_lose_its_answer_once() {
    for fault in [Fault::Before, Fault::AnswerLost] {
        for method in ["put_if_absent", "stat", "read_range"] {
            for nth in 1..=4 {
                let mut world = World::of(SHAPE, good());
                let staging = MemoryStaging::new().with_bucket("bucket".parse().expect("valid"));
                world.staging = Arc::new(Faulty::new(staging).with(method, nth, fault));
                let mut plan = world.plan();
                plan.job.result = None;
                let outcome = world.deploy_plan(plan).await;
                let when = format!("{fault:?} {method} {nth}");
                assert_eq!(outcome.exit_code(), 0, "{when}: {outcome:#?}");
                assert_eq!(world.environments.built().len(), 1, "{when}");
                world.assert_nothing_left(&when);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn texts_are_there_before_the_cluster_is_made() {
    let world = World::new(good());
    let mut plan = world.plan();
    let to = uri("gs://bucket/flinkproc/init/1/init.sh");
    plan.staging.texts.push(flinkproc_plan::TextPlan {
        to: to.clone(),
        text: "#!/bin/bash\n".to_owned(),
    });
    let mut handle = world.start(plan).await.expect("started");
    let events = crate::world::all_events(&mut handle).await;
    assert_eq!(handle.wait().await.expect("ended").exit_code(), 0);
    let at = |wanted: &dyn Fn(&flinkproc_patterns::EventKind) -> bool| {
        events.iter().position(|event| wanted(&event.what))
    };
    let text =
        at(&|what| matches!(what, flinkproc_patterns::EventKind::Staged { uri, .. } if *uri == to));
    let create = at(
        &|what| matches!(what, flinkproc_patterns::EventKind::StepStarted { step } if *step == Step::CreateCluster),
    );
    assert!(text.is_some() && text < create, "{text:?} {create:?}");
    assert_eq!(content(&world, &to.to_string()).await, "#!/bin/bash\n");
}
