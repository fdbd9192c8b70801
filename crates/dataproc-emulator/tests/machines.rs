//! Machines over HTTP and SSH: metadata decides who enters, and a machine ends with everything on it.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dataproc_emulator::{
    Addresses, Emulator, EmulatorOptions, FlinkScript, ScriptedMachine, ScriptedOptions,
    ScriptedRuntime,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

const ZONE: &str = "compute/v1/projects/p/zones/europe-west1-b";

struct Cloud {
    emulator: Emulator,
    runtime: Arc<ScriptedRuntime>,
    client: reqwest::Client,
    keys: TempDir,
}

impl Cloud {
    async fn new(options: ScriptedOptions) -> Self {
        let runtime = Arc::new(ScriptedRuntime::new(options));
        let options = EmulatorOptions::default().storage("http://127.0.0.1:1");
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
        let client = reqwest::Client::new();
        let cloud = Self {
            emulator,
            runtime,
            client,
            keys,
        };
        let body = json!({"clusterName": "one", "config": {"gceClusterConfig": {"metadata": {"enable-guest-attributes": "TRUE"}}}});
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

    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
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

    async fn wait_state(&self, state: &str) {
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

    fn machine(&self) -> Arc<ScriptedMachine> {
        self.runtime.machine("one").unwrap()
    }

    fn public_key(&self) -> String {
        let text = std::fs::read_to_string(self.keys.path().join("id.pub")).unwrap();
        text.trim().trim_end_matches(" me").to_owned()
    }

    /// Lets the key in through the machine's metadata, until a time.
    async fn admit(&self, until: &str) {
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

    async fn ssh(&self, command: &str) -> Output {
        ssh(&self.machine(), self.keys.path(), command)
            .output()
            .await
            .unwrap()
    }
}

fn ssh(machine: &ScriptedMachine, keys: &Path, command: &str) -> Command {
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

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn metadata_decides_who_enters_and_until_when() {
    let cloud = Cloud::new(ScriptedOptions::default()).await;
    let (status, instance) = cloud
        .call("GET", &format!("{ZONE}/instances/one-m"), None)
        .await;
    assert_eq!(status, 200);
    assert_eq!(
        instance["networkInterfaces"][0]["networkIP"],
        cloud.machine().address().to_string()
    );
    assert_eq!(
        cloud
            .call("GET", &format!("{ZONE}/instances/one-w-1"), None)
            .await
            .0,
        200
    );
    let (status, error) = cloud
        .call("GET", &format!("{ZONE}/instances/two-m"), None)
        .await;
    assert_eq!(
        (status, &error["error"]["errors"][0]["reason"]),
        (404, &json!("notFound"))
    );

    let home = cloud.machine().home();
    let folder = std::fs::metadata(home.parent().unwrap()).unwrap();
    assert_eq!(folder.permissions().mode() & 0o777, 0o700);

    assert!(!cloud.ssh("true").await.status.success());
    let soon = cloud.emulator.now() + Duration::from_secs(300);
    cloud
        .admit(&soon.strftime("%Y-%m-%dT%H:%M:%S+0000").to_string())
        .await;
    let told = cloud
        .ssh("echo in; pwd; echo $STORAGE_EMULATOR_HOST; command -v flink")
        .await;
    let home = cloud.machine().home();
    let flink = home.parent().unwrap().join("bin/flink");
    let expected = format!(
        "in\n{}\nhttp://127.0.0.1:1\n{}\n",
        home.display(),
        flink.display()
    );
    assert_eq!(text(&told.stdout), expected, "{}", text(&told.stderr));

    let stale = json!({"fingerprint": "AAAAAAAAAAA=", "items": []});
    let (status, error) = cloud
        .call(
            "POST",
            &format!("{ZONE}/instances/one-m/setMetadata"),
            Some(stale),
        )
        .await;
    assert_eq!(
        (status, &error["error"]["errors"][0]["reason"]),
        (412, &json!("conditionNotMet"))
    );

    cloud.emulator.advance(Duration::from_secs(301)).await;
    assert!(!cloud.ssh("true").await.status.success());
    cloud.emulator.stop().await;
}

#[tokio::test]
async fn host_keys_are_guest_attributes_where_these_are_on() {
    let cloud = Cloud::new(ScriptedOptions::default()).await;
    let path = format!("{ZONE}/instances/one-m/getGuestAttributes?queryPath=hostkeys/");
    let (status, found) = cloud.call("GET", &path, None).await;
    assert_eq!(status, 200);
    let item = &found["queryValue"]["items"][0];
    let told = format!(
        "{} {}",
        item["key"].as_str().unwrap(),
        item["value"].as_str().unwrap()
    );
    assert_eq!(told, cloud.machine().host_key());
    let (_, instance) = cloud
        .call("GET", &format!("{ZONE}/instances/one-m"), None)
        .await;
    let off = json!({"fingerprint": instance["metadata"]["fingerprint"], "items": []});
    cloud
        .call(
            "POST",
            &format!("{ZONE}/instances/one-m/setMetadata"),
            Some(off),
        )
        .await;
    assert_eq!(cloud.call("GET", &path, None).await.0, 404);
    cloud.emulator.stop().await;
}

#[tokio::test]
async fn the_projects_keys_enter_too() {
    let cloud = Cloud::new(ScriptedOptions::default()).await;
    let line = format!("{}:{}", cloud.machine().user(), cloud.public_key());
    let body = json!({"items": [{"key": "ssh-keys", "value": line}]});
    let path = "compute/v1/projects/p/setCommonInstanceMetadata";
    let (_, operation) = cloud.call("POST", path, Some(body)).await;
    let name = operation["name"].as_str().unwrap();
    cloud
        .call(
            "POST",
            &format!("compute/v1/projects/p/global/operations/{name}/wait"),
            None,
        )
        .await;
    assert!(cloud.ssh("true").await.status.success());
    let (_, project) = cloud.call("GET", "compute/v1/projects/p", None).await;
    assert_eq!(
        project["commonInstanceMetadata"]["items"][0]["key"],
        "ssh-keys"
    );
    cloud.emulator.stop().await;
}

#[tokio::test]
async fn the_fake_flink_is_told_by_yarn_and_flink() {
    let cloud = Cloud::new(ScriptedOptions::default()).await;
    cloud.admit("2100-01-01T00:00:00+0000").await;
    let rest = |path: &str| {
        let url = format!("http://{}/{path}", cloud.machine().yarn());
        let client = cloud.client.clone();
        async move {
            client
                .get(url)
                .send()
                .await
                .unwrap()
                .json::<Value>()
                .await
                .unwrap()
        }
    };
    assert_eq!(rest("ws/v1/cluster/apps").await, json!({"apps": null}));
    let ran = cloud.ssh("flink run -t yarn-per-job -Dyarn.tags=T-1 '-Dyarn.application.name=a b' -py x.py \"it's \\$5\"").await;
    let said = text(&ran.stdout);
    assert!(ran.status.success(), "{said}{}", text(&ran.stderr));
    assert!(
        said.contains("Submitted application application_"),
        "{said}"
    );
    assert!(
        said.contains("Job has been submitted with JobID "),
        "{said}"
    );
    let calls = cloud.machine().flink_calls();
    assert_eq!(calls[0].last().unwrap(), "it's $5");
    let apps = rest("ws/v1/cluster/apps?applicationTags=t-1").await;
    let app = &apps["apps"]["app"][0];
    assert_eq!(
        (&app["name"], &app["state"], &app["finalStatus"]),
        (&json!("a b"), &json!("FINISHED"), &json!("SUCCEEDED"))
    );

    cloud
        .runtime
        .set_flink(&FlinkScript::failing("ZeroDivisionError: division by zero"))
        .unwrap();
    let ran = cloud.ssh("flink run -py x.py").await;
    assert_eq!(ran.status.code(), Some(1));
    assert!(text(&ran.stderr).contains("ZeroDivisionError"));
    let apps = rest("ws/v1/cluster/apps").await;
    let app = &apps["apps"]["app"][0];
    assert_eq!(
        (&app["state"], &app["finalStatus"]),
        (&json!("FINISHED"), &json!("FAILED"))
    );
    assert_eq!(app["diagnostics"], "ZeroDivisionError: division by zero");
    cloud.emulator.stop().await;
}

#[tokio::test]
async fn a_running_job_keeps_the_cluster_busy_until_yarn_kills_it() {
    let mut options = ScriptedOptions::default();
    options.flink = FlinkScript::running_for(Duration::from_secs(3600));
    let cloud = Cloud::new(options).await;
    cloud.admit("2100-01-01T00:00:00+0000").await;
    let machine = cloud.machine();
    let client = ssh(
        &machine,
        cloud.keys.path(),
        "flink run -Dyarn.tags=t -py x.py",
    )
    .stdout(Stdio::piped())
    .stderr(Stdio::piped())
    .spawn()
    .unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !machine.is_busy() {
        assert!(Instant::now() < deadline, "flink did not start");
        tokio::task::yield_now().await;
    }
    let flink = format!("http://{}/jobs/overview", machine.flink());
    let jobs: Value = cloud
        .client
        .get(flink)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(jobs["jobs"][0]["state"], "RUNNING");
    let killed = cloud.ssh("yarn application -kill $(yarn application -list -appTags t | grep -o 'application_[0-9_]*')").await;
    assert!(killed.status.success(), "{}", text(&killed.stderr));
    let ended = client.wait_with_output().await.unwrap();
    assert_eq!(ended.status.code(), Some(1), "{}", text(&ended.stdout));
    assert!(!machine.is_busy());
    cloud.emulator.stop().await;
}

#[tokio::test]
async fn a_machine_ends_with_everything_that_was_started_on_it() {
    let mut options = ScriptedOptions::default();
    options.addresses = Addresses::Own { ssh_port: 0 };
    let cloud = Cloud::new(options).await;
    cloud.admit("2100-01-01T00:00:00+0000").await;
    let machine = cloud.machine();
    assert_eq!(machine.yarn().port(), 8088);
    assert_ne!(machine.address().to_string(), "127.0.0.1");
    let told = cloud
        .ssh("setsid sleep 3600 >/dev/null 2>&1 </dev/null & echo $!")
        .await;
    let pid = text(&told.stdout).trim().to_owned();
    let command = format!("/proc/{pid}/comm");
    let deadline = Instant::now() + Duration::from_secs(20);
    while std::fs::read_to_string(&command).unwrap_or_default() != "sleep\n" {
        assert!(Instant::now() < deadline, "no sleep: {told:?}");
        tokio::task::yield_now().await;
    }
    let home = machine.home();
    let address = machine.ssh();
    drop(machine);
    cloud.emulator.stop().await;
    let deadline = Instant::now() + Duration::from_secs(20);
    let state = format!("/proc/{pid}/stat");
    while std::fs::read_to_string(&state).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(Instant::now() < deadline, "{pid} still runs");
        tokio::task::yield_now().await;
    }
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    drop(cloud);
    assert!(!home.exists());
}
