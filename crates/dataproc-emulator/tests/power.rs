//! Machines of a cluster that is stopped and started: the same host key, address and files, and nothing running between.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use dataproc_emulator::{Emulator, EmulatorOptions, ScriptedOptions, ScriptedRuntime};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

const REGION: &str = "v1/projects/p/regions/europe-west1";

async fn call(emulator: &Emulator, method: &str, path: &str, body: Value) -> (u16, Value) {
    let url = format!("{}/{REGION}/{path}", emulator.url());
    let request = reqwest::Client::new().request(method.parse().unwrap(), url);
    let request = match method {
        "GET" => request,
        _ => request.json(&body),
    };
    let answer = request.send().await.unwrap();
    (
        answer.status().as_u16(),
        answer.json().await.unwrap_or_default(),
    )
}

/// Does something and waits until the cluster is in that state.
async fn brought(emulator: &Emulator, path: &str, body: Value, state: &str) -> Value {
    let (status, operation) = call(emulator, "POST", path, body).await;
    assert_eq!(status, 200, "{operation}");
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let (_, cluster) = call(emulator, "GET", "clusters/c", json!({})).await;
        if cluster["status"]["state"] == state {
            return cluster;
        }
        assert!(Instant::now() < deadline, "{cluster}");
        tokio::task::yield_now().await;
    }
}

/// The first line of an SSH server.
async fn greeting(address: std::net::SocketAddr) -> Option<String> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let mut line = [0; 7];
    stream.read_exact(&mut line).await.ok()?;
    Some(String::from_utf8_lossy(&line).into_owned())
}

#[tokio::test]
async fn a_stopped_machine_keeps_what_is_its_own() {
    let runtime = Arc::new(ScriptedRuntime::new(ScriptedOptions::default()));
    let options = EmulatorOptions::default();
    let emulator = Emulator::start(runtime.clone(), options).await.unwrap();
    brought(
        &emulator,
        "clusters",
        json!({"clusterName": "c"}),
        "RUNNING",
    )
    .await;
    let machine = runtime.machine("c").unwrap();
    let (ssh, yarn, key) = (machine.ssh(), machine.yarn(), machine.host_key().to_owned());
    assert_eq!(greeting(ssh).await.as_deref(), Some("SSH-2.0"));
    std::fs::write(machine.home().join("kept"), "kept").unwrap();

    let cluster = brought(&emulator, "clusters/c:stop", json!({}), "STOPPED").await;
    assert_eq!(cluster["statusHistory"].as_array().unwrap().len(), 3);
    assert!(TcpStream::connect(ssh).await.is_err());
    assert!(TcpStream::connect(yarn).await.is_err());

    brought(&emulator, "clusters/c:start", json!({}), "RUNNING").await;
    let machine = runtime.machine("c").unwrap();
    assert_eq!((machine.ssh(), machine.host_key()), (ssh, key.as_str()));
    assert_eq!(greeting(ssh).await.as_deref(), Some("SSH-2.0"));
    assert_eq!(
        std::fs::read_to_string(machine.home().join("kept")).unwrap(),
        "kept"
    );
    let info = format!("http://{yarn}/ws/v1/cluster/info");
    assert_eq!(reqwest::get(info).await.unwrap().status(), 200);
    emulator.stop().await;
}
