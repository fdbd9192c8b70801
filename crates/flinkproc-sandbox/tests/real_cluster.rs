//! One real cluster, from nothing to nothing.

#![cfg(target_os = "linux")]
#![expect(clippy::expect_used, reason = "a helper that fails is a failing test")]
#![expect(clippy::print_stdout, reason = "says where the time goes")]

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use flinkproc_core::{BucketName, Clock, Secret};
use flinkproc_sandbox::machine::listeners;
use flinkproc_sandbox::prerequisites::Environment;
use flinkproc_sandbox::progress::ProgressSink;
use flinkproc_sandbox::sandbox::{Sandbox, SandboxOptions};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

#[derive(Debug)]
struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "real daemons keep real time")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    #[expect(clippy::disallowed_methods, reason = "real daemons keep real time")]
    async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}

const JOB: &str = r#"
import sys
from pyflink.table import DataTypes, EnvironmentSettings, TableEnvironment
from pyflink.table.udf import udf

source, sink = sys.argv[1:3]
tables = TableEnvironment.create(EnvironmentSettings.in_batch_mode())
lower = udf(lambda word: word.lower(), result_type=DataTypes.STRING())
tables.create_temporary_function('lower_word', lower)
for name, path, columns in [('words', source, 'word STRING'), ('counts', sink, 'word STRING, n BIGINT')]:
    kind = 'raw' if name == 'words' else 'csv'
    tables.execute_sql(f"CREATE TABLE {name} ({columns}) WITH "
                       f"('connector'='filesystem', 'path'='{path}', 'format'='{kind}')")
query = 'INSERT INTO counts SELECT lower_word(word), COUNT(*) FROM words GROUP BY lower_word(word)'
tables.execute_sql(query).wait()
"#;

const BUCKET: &str = "words";
const TOKEN: &str = "ya29.only-for-this-test";
const RESULT: &str = "alpha,2\nbeta,3\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_runs_a_python_job_and_leaves_nothing() {
    let state = tempfile::tempdir().expect("made");
    let began = Instant::now();
    let mut options = SandboxOptions::new(environment(), state.path(), Arc::new(SystemClock));
    options.progress = ProgressSink::new(move |one| println!("{:?} {one:?}", began.elapsed()));
    // Closed: the cluster's own parts get in by the token that their metadata server tells them.
    options.servers.token = Some(Secret::new(TOKEN.to_owned()));
    let sandbox = Sandbox::start(options).await.expect("started");
    let bucket: BucketName = BUCKET.parse().expect("valid");
    sandbox.ensure_bucket(&bucket).expect("made");
    sandbox.ensure_bucket(&bucket).expect("made already");
    let api = Api(sandbox.dataproc_url());

    let body = json!({
        "projectId": "sandbox-project",
        "clusterName": "words",
        "config": {
            "gceClusterConfig": {"zoneUri": "europe-west1-b"},
            "masterConfig": {"numInstances": 1},
            "workerConfig": {"numInstances": 2},
            "softwareConfig": {
                "imageVersion": "sandbox-1.20",
                "optionalComponents": ["FLINK"],
                "properties": {"flink:parallelism.default": "1"},
            },
        },
    });
    let operation = api.call("POST", &format!("{REGION}/clusters"), &body).await;
    api.wait(&operation).await;
    let cluster = api
        .call("GET", &format!("{REGION}/clusters/words"), &Value::Null)
        .await;
    assert_eq!(
        cluster.pointer("/status/state"),
        Some(&json!("RUNNING")),
        "{cluster}"
    );
    let master = api
        .call("GET", &format!("{ZONE}/instances/words-m"), &Value::Null)
        .await;
    let address = master
        .pointer("/networkInterfaces/0/networkIP")
        .and_then(Value::as_str);
    let address: IpAddr = address
        .and_then(|text| text.parse().ok())
        .expect("an address");
    let user = sandbox.login_user().to_owned();
    let login = Login::new(state.path(), &user, address, sandbox.ssh_port()).await;

    assert!(
        login.run("true", "").await.is_none(),
        "no key is let in yet"
    );
    api.set_keys(&format!("{user}:{}", login.key())).await;
    let home = login.run("pwd; echo $HOME", "").await.expect("let in");
    let [cwd, home] = home.lines().collect::<Vec<_>>()[..] else {
        panic!("{home}")
    };
    assert_eq!(cwd, home, "a command starts in the machine's own home");
    let ask = "command -v flink; python3 -c 'import pyflink.version as v; print(v.__version__)'";
    let answer = login.run(ask, "").await.expect("runs");
    assert!(answer.ends_with("/bin/flink\n1.20.5\n"), "{answer}");

    upload(
        &sandbox.storage_url(),
        "input/words.txt",
        "Alpha\nbeta\nBETA\nalpha\nBeta\n",
    )
    .await;
    login.run("cat > job.py", JOB).await.expect("written");
    let job = login.run(RUN, "");
    tokio::pin!(job);
    let processes = || {
        sandbox
            .runtime()
            .processes()
            .into_iter()
            .collect::<BTreeSet<_>>()
    };
    let mut seen = BTreeSet::new();
    let output = loop {
        tokio::select! {
            output = &mut job => break output,
            () = SystemClock.sleep(Duration::from_millis(250)) => seen.extend(listeners(&processes())),
        }
    };
    println!("{:?} the job has ended", began.elapsed());
    let beyond: Vec<_> = seen.iter().filter(|one| !one.ip().is_loopback()).collect();
    assert!(
        beyond.is_empty(),
        "these listen beyond loopback: {beyond:?}"
    );
    assert!(output.is_some(), "the job failed");
    // YARN's and OpenSSH's, and those of the JobManager, the TaskManager and the Python worker's services.
    assert!(seen.len() > 20, "{seen:?}");
    let counted = login
        .run("hadoop fs -cat 'gs://words/output/*' | sort", "")
        .await;
    assert_eq!(counted.as_deref(), Some(RESULT));
    api.set_keys("").await;
    assert!(
        login.run("true", "").await.is_none(),
        "the key is let in no more"
    );

    let before = processes();
    let operation = api
        .call("DELETE", &format!("{REGION}/clusters/words"), &Value::Null)
        .await;
    api.wait(&operation).await;
    println!("{:?} deleted", began.elapsed());
    assert!(
        before.iter().all(|one| !one.is_alive()),
        "something lives on"
    );
    sandbox.stop().await.expect("stopped");
    for port in [8030, 8088, 8042] {
        std::net::TcpListener::bind((address, port)).expect("the port is free");
    }
    let left: Vec<_> = std::fs::read_dir(state.path().join("sandbox"))
        .expect("there")
        .flatten()
        .collect();
    assert_eq!(left.len(), 1, "the lock alone: {left:?}");
}

const REGION: &str = "/v1/projects/sandbox-project/regions/europe-west1";
const ZONE: &str = "/compute/v1/projects/sandbox-project/zones/europe-west1-b";
const RUN: &str = "export HADOOP_CLASSPATH=$(hadoop classpath) && flink run -t yarn-per-job \
    -Dyarn.application.name=words -py job.py gs://words/input gs://words/output 2>&1";

/// The API as a client without a library sees it.
struct Api(String);

impl Api {
    async fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let method = method.parse().expect("a method");
        let mut request = reqwest::Client::new()
            .request(method, format!("{}{path}", self.0))
            .bearer_auth(TOKEN);
        if !body.is_null() {
            request = request.json(body);
        }
        let answer = request
            .send()
            .await
            .and_then(reqwest::Response::error_for_status);
        answer
            .expect("answers well")
            .json()
            .await
            .expect("answers JSON")
    }

    async fn wait(&self, operation: &Value) {
        let name = operation
            .get("name")
            .and_then(Value::as_str)
            .expect("a name");
        let deadline = Instant::now() + Duration::from_secs(180);
        loop {
            let now = self.call("GET", &format!("/v1/{name}"), &Value::Null).await;
            if now.get("done") == Some(&json!(true)) {
                assert_eq!(now.get("error"), None);
                return;
            }
            assert!(Instant::now() < deadline, "{now}");
            SystemClock.sleep(Duration::from_millis(100)).await;
        }
    }

    async fn set_keys(&self, keys: &str) {
        let path = format!("{ZONE}/instances/words-m");
        let machine = self.call("GET", &path, &Value::Null).await;
        let fingerprint = machine.pointer("/metadata/fingerprint").cloned();
        let body = json!({
            "fingerprint": fingerprint,
            "items": [{"key": "ssh-keys", "value": keys}],
        });
        let operation = self
            .call("POST", &format!("{path}/setMetadata"), &body)
            .await;
        let name = operation
            .get("name")
            .and_then(Value::as_str)
            .expect("a name");
        self.call(
            "POST",
            &format!("{ZONE}/operations/{name}/wait"),
            &Value::Null,
        )
        .await;
    }
}

/// Who logs in to a master by OpenSSH's own client.
struct Login {
    folder: PathBuf,
    user: String,
    address: IpAddr,
    port: u16,
}

impl Login {
    async fn new(folder: &Path, user: &str, address: IpAddr, port: u16) -> Self {
        let key = folder.join("key");
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(&key)
            .status()
            .await;
        assert!(made.expect("runs").success());
        Self {
            folder: folder.to_owned(),
            user: user.to_owned(),
            address,
            port,
        }
    }

    fn key(&self) -> String {
        let key = std::fs::read_to_string(self.folder.join("key.pub")).expect("there");
        key.trim().to_owned()
    }

    /// Runs a command and answers what it says, or `None` when it fails.
    async fn run(&self, command: &str, input: &str) -> Option<String> {
        let known = self.folder.join("known_hosts");
        let mut child = Command::new("ssh")
            .args([
                "-F",
                "none",
                "-o",
                "BatchMode=yes",
                "-o",
                "StrictHostKeyChecking=accept-new",
            ])
            .args([
                "-o",
                "IdentitiesOnly=yes",
                "-o",
                &format!("UserKnownHostsFile={}", known.display()),
            ])
            .arg("-i")
            .arg(self.folder.join("key"))
            .args(["-p", &self.port.to_string(), "-l", &self.user])
            .args([&self.address.to_string(), command])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("starts");
        let mut pipe = child.stdin.take().expect("piped");
        let _ = pipe.write_all(input.as_bytes()).await;
        drop(pipe);
        let output = child.wait_with_output().await.expect("ends");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            println!("{command}: {}\n{text}", output.status);
            return None;
        }
        Some(text)
    }
}

async fn upload(storage: &str, name: &str, text: &str) {
    let name = name.replace('/', "%2F");
    let call = format!("/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name={name}");
    post(storage, &call, text.to_owned()).await;
}

async fn post(storage: &str, call: &str, body: String) {
    let request = reqwest::Client::new()
        .post(format!("{storage}{call}"))
        .bearer_auth(TOKEN);
    let sent = request
        .header("content-type", "application/json")
        .body(body)
        .send()
        .await;
    sent.and_then(reqwest::Response::error_for_status)
        .expect("taken");
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test stands in for the binary, which reads the environment"
)]
fn environment() -> Environment {
    let read = |name: &str| std::env::var(name).unwrap_or_default();
    let user = std::process::Command::new("id")
        .arg("-un")
        .output()
        .expect("runs");
    let user = String::from_utf8(user.stdout)
        .expect("text")
        .trim()
        .to_owned();
    let home = PathBuf::from(read("HOME"));
    let cache = home.join(".cache/flinkproc");
    let mut environment = Environment::new(read("PATH"), &home, &user, &cache);
    environment.java_home = std::env::var_os("JAVA_HOME").map(PathBuf::from);
    environment.python = std::env::var_os("FLINKPROC_PYTHON").map(PathBuf::from);
    environment
}
