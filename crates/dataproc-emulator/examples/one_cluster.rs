//! A cluster with a real SSH server is made over REST, looked at, grows old and deletes itself.
//!
//! `cargo run -p dataproc-emulator --example one_cluster`; needs OpenSSH's `sshd` and `ssh-keygen`.

use std::error::Error;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use dataproc_emulator::{
    Emulator, EmulatorOptions, FaultEffect, FaultRule, ScriptedOptions, ScriptedRuntime,
};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout();
    let runtime = Arc::new(ScriptedRuntime::new(ScriptedOptions::default()));
    let emulator = Emulator::start(runtime.clone(), EmulatorOptions::default()).await?;
    writeln!(out, "listening at {}", emulator.url())?;

    let client = reqwest::Client::new();
    let region = format!(
        "{}/v1/projects/my-project/regions/europe-west1",
        emulator.url()
    );
    let config = json!({"lifecycleConfig": {"autoDeleteTtl": "3600s"}});
    let body = json!({"clusterName": "mine", "config": config});
    let create = client
        .post(format!("{region}/clusters?requestId=once"))
        .json(&body);
    let operation: Value = create.send().await?.json().await?;
    let poll = format!(
        "{}/v1/{}",
        emulator.url(),
        operation["name"].as_str().unwrap_or_default()
    );
    // The second poll goes wrong, as polls do.
    let operations = "/v1/projects/*/operations/*";
    let unavailable = FaultEffect::Answer {
        status: 503,
        body: "try again".to_owned(),
    };
    emulator
        .faults()
        .add(FaultRule::on("GET", operations, unavailable).from_call(2));
    while client
        .get(&poll)
        .send()
        .await?
        .text()
        .await?
        .find("\"done\":true")
        .is_none()
    {
        tokio::task::yield_now().await;
    }
    let cluster: Value = client
        .get(format!("{region}/clusters/mine"))
        .send()
        .await?
        .json()
        .await?;
    writeln!(
        out,
        "mine is {} with {}",
        cluster["status"]["state"], cluster["config"]["workerConfig"]["instanceNames"]
    )?;
    if let Some(machine) = runtime.machine("mine") {
        writeln!(
            out,
            "ssh -p {} {}@{}",
            machine.ssh().port(),
            machine.user(),
            machine.address()
        )?;
        writeln!(out, "host key {}", machine.host_key())?;
    }

    emulator.advance(Duration::from_secs(3601)).await;
    while client
        .get(format!("{region}/clusters/mine"))
        .send()
        .await?
        .status()
        != 404
    {
        tokio::task::yield_now().await;
    }
    writeln!(out, "an hour later it is gone")?;
    emulator.stop().await;
    Ok(())
}
