//! Makes a cluster although the answer to its creation is lost, and deletes it again; all in memory.
//!
//! `cargo run -p flinkproc-dataproc --example lost_answer`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use flinkproc_core::{ClusterRef, Explain, Fault, Faulty, ManualClock, RequestId, RetryHint};
use flinkproc_dataproc::{ClusterApi, ClusterSpec, MemoryDataproc, wait_cluster, wait_gone};
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let api = Faulty::new(MemoryDataproc::new().with_polls(4))
        .with("start_create", 1, Fault::AnswerLost)
        .with("operation", 2, Fault::Before);
    let clock = ManualClock::eager("2026-11-22T12:00:00Z".parse()?);
    let deadline = "2026-11-22T12:15:00Z".parse()?;
    let cluster = ClusterRef {
        project: "my-project".parse()?,
        region: "europe-west4".parse()?,
        name: "batch-1".parse()?,
    };
    let spec = ClusterSpec {
        cluster: cluster.clone(),
        resource: json!({"config": {"workerConfig": {"numInstances": 2}}}),
    };

    let request: RequestId = "create-batch-1".parse()?;
    let operation = match api.start_create(&spec, &request).await {
        Err(error) if error.retry() == RetryHint::CheckFirst => {
            println!("error[{}]: {error}", error.code());
            let found = api.find(&cluster).await?;
            println!("looked: it is {:?}", found.map(|cluster| cluster.state));
            api.start_create(&spec, &request).await?
        }
        other => other?,
    };
    println!("started once: {}", operation.0);
    let settled = wait_cluster(&api, &clock, &cluster, Some(&operation), deadline).await?;
    let running = settled.into_running(&cluster)?;
    println!(
        "runs: {} with {}",
        running.masters.join(","),
        running.workers.join(",")
    );

    let request: RequestId = "delete-batch-1".parse()?;
    let operation = api
        .start_delete(&cluster, Some(&running.uuid), &request)
        .await?;
    let uuid = Some(&running.uuid);
    wait_gone(&api, &clock, &cluster, uuid, operation.as_ref(), deadline).await?;
    println!("clusters left: {}", api.inner().clusters().len());
    Ok(())
}
