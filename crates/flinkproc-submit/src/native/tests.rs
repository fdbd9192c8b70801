//! What is seen of Dataproc's own Flink jobs.

use std::sync::Arc;

use flinkproc_core::{Clock, ManualClock, Span};
use flinkproc_dataproc::{ClusterSpec, JobRun, MemoryDataproc};
use flinkproc_staging::{Content, MemoryStaging, Staging};
use serde_json::json;

use super::{NativeKind, NativeMethod};
use crate::contract::{self, FakeMaster};
use crate::method::{Offsets, RunRef, RunState, SubmissionMethod};
use crate::place::DataprocPlace;

const OUTPUT: &str = "gs://dataproc-staging-europe-west1-1/google-cloud-dataproc-metainfo/etl/jobs/flinkproc-etl-1/driveroutput";

struct World {
    dataproc: Arc<MemoryDataproc>,
    staging: Arc<MemoryStaging>,
    method: NativeMethod,
    run: RunRef,
}

fn world() -> World {
    let dataproc = Arc::new(MemoryDataproc::new());
    let cluster = json!({"project": "my-project", "region": "europe-west1", "name": "etl"});
    let cluster: flinkproc_core::ClusterRef = serde_json::from_value(cluster).expect("cluster");
    let spec = ClusterSpec {
        cluster: cluster.clone(),
        resource: json!({}),
    };
    dataproc.plant(&spec);
    let staging = MemoryStaging::new()
        .with_bucket("bucket".parse().expect("bucket"))
        .with_bucket("dataproc-staging-europe-west1-1".parse().expect("bucket"));
    let staging = Arc::new(staging);
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::eager(
        "2026-11-22T00:00:00Z".parse().expect("time"),
    ));
    let place = DataprocPlace {
        jobs: Arc::clone(&dataproc) as _,
        staging: Arc::clone(&staging) as _,
        cluster,
        home: "gs://bucket/deployments/etl/".parse().expect("address"),
        clock,
    };
    let run = RunRef {
        deployment: "etl".parse().expect("deployment"),
        attempt: flinkproc_core::Attempt::FIRST,
    };
    World {
        dataproc,
        staging,
        method: NativeMethod::new(NativeKind::Flink, place),
        run,
    }
}

async fn put(staging: &MemoryStaging, object: String, text: &'static str) {
    let content = Content::Bytes(text.into());
    let object = object.parse().expect("address");
    staging
        .put_if_absent(&object, &content)
        .await
        .expect("written");
}

#[tokio::test]
async fn attempts_are_remembered() {
    contract::remembers_attempts(&world().method).await;
}

#[tokio::test]
async fn output_comes_from_the_drivers_objects() {
    let World {
        dataproc,
        staging,
        method,
        run,
    } = world();
    dataproc.next_job(JobRun::Hangs);
    let job = FakeMaster::job("print()", &[]);
    method.submit(&run, &job).await.expect("submitted");
    method.submit(&run, &job).await.expect("submitted again");
    assert_eq!(dataproc.jobs().len(), 1);
    let id = "Job has been submitted with JobID 4f0d1c3b2a49587766554433221100ff\n";
    put(&staging, format!("{OUTPUT}.000000000"), id).await;
    put(&staging, format!("{OUTPUT}.000000001"), "rest").await;
    put(&staging, format!("{OUTPUT}.txt"), "foreign").await;
    let mut from = Offsets::default();
    let mut said = Vec::new();
    loop {
        let seen = method
            .observe(&run, from, Span::from_secs(3))
            .await
            .expect("observed");
        assert_eq!(seen.state, RunState::Running);
        assert_eq!(seen.jobs.len(), 1, "{seen:?}");
        if seen.out.is_empty() {
            break;
        }
        from.out += seen.out.len() as u64;
        said.extend_from_slice(&seen.out);
    }
    assert_eq!(String::from_utf8_lossy(&said), format!("{id}rest"));
    method.cancel(&run).await.expect("cancelled");
    let seen = method
        .observe(&run, from, Span::from_secs(3))
        .await
        .expect("observed");
    let RunState::Ended(exit) = seen.state else {
        unreachable!("{seen:?}");
    };
    assert!(exit.cancelled && exit.status == 143, "{exit:?}");
}

#[tokio::test]
async fn a_failed_job_is_a_failure() {
    let World {
        dataproc,
        method,
        run,
        ..
    } = world();
    let details = "Job failed".to_owned();
    dataproc.next_job(JobRun::Fails { details });
    let job = FakeMaster::job("print()", &[]);
    method.submit(&run, &job).await.expect("submitted");
    let seen = method
        .observe(&run, Offsets::default(), Span::from_secs(60))
        .await;
    let seen = seen.expect("observed");
    assert!(
        matches!(&seen.state, RunState::Ended(exit) if exit.status == 1 && !exit.cancelled),
        "{seen:?}"
    );
}
