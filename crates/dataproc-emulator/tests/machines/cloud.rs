//! An emulator with one scripted cluster, a key, and the `ssh` program.

use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dataproc_emulator::{
    Emulator, EmulatorOptions, ScriptedMachine, ScriptedOptions, ScriptedRuntime,
};
use reqwest::header::{AUTHORIZATION, HeaderMap};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

pub(crate) const ZONE: &str = "compute/v1/projects/p/zones/europe-west1-b";

pub(crate) struct Cloud {
    pub(crate) emulator: Emulator,
    pub(crate) runtime: Arc<ScriptedRuntime>,
    pub(crate) client: reqwest::Client,
    pub(crate) keys: TempDir,
    pub(crate) storage: gcs_emulator::Emulator,
    _buckets: TempDir,
}

impl Cloud {
    pub(crate) async fn new(options: ScriptedOptions) -> Self {
        let metadata = json!({"enable-guest-attributes": "TRUE"});
        Self::with(options, EmulatorOptions::default(), metadata).await
    }

    /// A cluster `one` whose machines have this metadata.
    pub(crate) async fn with(
        options: ScriptedOptions,
        emulator: EmulatorOptions,
        metadata: Value,
    ) -> Self {
        let runtime = Arc::new(ScriptedRuntime::new(options));
        let buckets = TempDir::new().unwrap();
        let storage = gcs_emulator::Options::new(buckets.path());
        let storage = gcs_emulator::Emulator::start(storage).await.unwrap();
        let token = emulator.token.clone();
        let options = emulator.storage(storage.url());
        let emulator = Emulator::start(runtime.clone(), options).await.unwrap();
        let keys = TempDir::new().unwrap();
        let key = keys.path().join("id");
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "me", "-f"])
            .arg(&key)
            .status()
            .await
            .unwrap();
        assert!(made.success());
        let mut headers = HeaderMap::new();
        if let Some(token) = token {
            headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        }
        let client = reqwest::Client::builder().default_headers(headers);
        let client = client.build().unwrap();
        let cloud = Self {
            emulator,
            runtime,
            client,
            keys,
            storage,
            _buckets: buckets,
        };
        let body =
            json!({"clusterName": "one", "config": {"gceClusterConfig": {"metadata": metadata}}});
        cloud
            .call(
                "POST",
                "v1/projects/p/regions/europe-west1/clusters",
                Some(body),
            )
            .await;
        cloud.wait_state("RUNNING").await;
        cloud
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let url = format!("{}/{path}", self.emulator.url());
        let mut request = self.client.request(method.parse().unwrap(), url);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        (
            answer.status().as_u16(),
            answer.json().await.unwrap_or_default(),
        )
    }

    pub(crate) async fn wait_state(&self, state: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let clusters = self.emulator.clusters();
            if clusters[0]["status"]["state"] == state {
                return;
            }
            assert!(Instant::now() < deadline, "{clusters:?}");
            tokio::task::yield_now().await;
        }
    }

    pub(crate) fn machine(&self) -> Arc<ScriptedMachine> {
        self.runtime.machine("one").unwrap()
    }

    pub(crate) fn public_key(&self) -> String {
        let text = std::fs::read_to_string(self.keys.path().join("id.pub")).unwrap();
        text.trim().trim_end_matches(" me").to_owned()
    }

    /// Lets the key in through the machine's metadata, until a time.
    pub(crate) async fn admit(&self, until: &str) {
        let path = format!("{ZONE}/instances/one-m");
        let (_, instance) = self.call("GET", &path, None).await;
        let user = self.machine().user().to_owned();
        let line = format!(
            "{user}:{} google-ssh {{\"userName\":\"{user}\",\"expireOn\":\"{until}\"}}",
            self.public_key()
        );
        let mut items = instance["metadata"]["items"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        items.retain(|item| item["key"] != "ssh-keys");
        items.push(json!({"key": "ssh-keys", "value": line}));
        let fingerprint = &instance["metadata"]["fingerprint"];
        let body = json!({"fingerprint": fingerprint, "items": items});
        let (status, operation) = self
            .call("POST", &format!("{path}/setMetadata"), Some(body))
            .await;
        assert_eq!(status, 200, "{operation}");
        let name = operation["name"].as_str().unwrap();
        let wait = format!("{ZONE}/operations/{name}/wait");
        let (_, done) = self.call("POST", &wait, None).await;
        assert_eq!(done["status"], "DONE");
        assert_eq!(done["selfLink"], operation["selfLink"]);
    }

    pub(crate) async fn ssh(&self, command: &str) -> Output {
        ssh(&self.machine(), self.keys.path(), command)
            .output()
            .await
            .unwrap()
    }
}

pub(crate) fn ssh(machine: &ScriptedMachine, keys: &Path, command: &str) -> Command {
    let mut ssh = Command::new("ssh");
    ssh.args([
        "-F",
        "none",
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "BatchMode=yes",
    ])
    .args([
        "-o",
        "UserKnownHostsFile=/dev/null",
        "-o",
        "IdentitiesOnly=yes",
        "-o",
        "LogLevel=ERROR",
    ])
    .arg("-i")
    .arg(keys.join("id"))
    .args([
        "-p",
        &machine.ssh().port().to_string(),
        "-l",
        machine.user(),
    ])
    .arg(machine.address().to_string())
    .arg(command)
    .stdin(Stdio::null())
    .kill_on_drop(true);
    ssh
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
