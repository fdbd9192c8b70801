//! A job of the Jobs API fails once, starts again and succeeds, and its output is read from the bucket.
//!
//! `cargo run -p dataproc-emulator --example one_job`

use std::error::Error;
use std::io::Write as _;
use std::sync::Arc;

use dataproc_emulator::{Emulator, EmulatorOptions, JobScript, ScriptedRuntime};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout();
    let folder = tempfile::tempdir()?;
    let storage = gcs_emulator::Emulator::start(gcs_emulator::Options::new(folder.path())).await?;
    let runtime = Arc::new(ScriptedRuntime::without_machines());
    let options = EmulatorOptions::default().storage(storage.url());
    let emulator = Emulator::start(runtime.clone(), options).await?;
    runtime.push_job(JobScript::failing(1).printing(["no luck\n"]));
    runtime.push_job(JobScript::default().printing(["it works\n"]));

    let client = reqwest::Client::new();
    let region = format!("{}/v1/projects/p/regions/europe-west1", emulator.url());
    let cluster = json!({"clusterName": "mine"});
    let create = client.post(format!("{region}/clusters")).json(&cluster);
    create.send().await?.error_for_status()?;
    let read = async |path: &str| -> Result<Value, reqwest::Error> {
        let answer = client.get(format!("{region}/{path}")).send().await?;
        answer.error_for_status()?.json().await
    };
    while read("clusters/mine").await?["status"]["state"] != "RUNNING" {
        tokio::task::yield_now().await;
    }
    let job = json!({"job": {
        "reference": {"jobId": "one"},
        "placement": {"clusterName": "mine"},
        "pigJob": {"queryList": {"queries": ["sh bash /some/script.sh;"]}},
        "scheduling": {"maxFailuresPerHour": 1},
    }});
    let submit = client.post(format!("{region}/jobs:submit")).json(&job);
    submit.send().await?.error_for_status()?;
    let ended = loop {
        let job = read("jobs/one").await?;
        if job["done"] == true {
            break job;
        }
        tokio::task::yield_now().await;
    };
    for status in ended["statusHistory"].as_array().into_iter().flatten() {
        writeln!(out, "{}", status["state"])?;
    }
    writeln!(out, "{}", ended["status"]["state"])?;

    let uri = ended["driverOutputResourceUri"]
        .as_str()
        .unwrap_or_default();
    let path = uri
        .strip_prefix("gs://")
        .and_then(|path| path.split_once('/'));
    let (bucket, object) = path.unwrap_or_default();
    let object = format!("{object}.000000000").replace('/', "%2F");
    let url = format!(
        "{}/storage/v1/b/{bucket}/o/{object}?alt=media",
        storage.url()
    );
    let text = client
        .get(url)
        .send()
        .await?
        .error_for_status()?
        .text()
        .await?;
    write!(out, "{text}")?;
    emulator.stop().await;
    storage.stop().await;
    Ok(())
}
