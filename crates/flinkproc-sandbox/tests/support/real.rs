//! A cluster of real parts without the API in front of it, and a storage server for its jobs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use dataproc_emulator::runtime::{
    ClusterFacts, ClusterRuntime, DriverOutput, JobEnd, JobFacts, Machines, MetadataKey,
    RuntimeError,
};
use flinkproc_core::Clock;
use flinkproc_sandbox::{Environment, Parts, Progress, ProgressSink, SandboxRuntime};
use jiff::Timestamp;
use serde_json::{Value, json};

#[derive(Debug)]
pub(crate) struct SystemClock;

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

pub(crate) const BUCKET: &str = "things";

/// One running cluster.
pub(crate) struct Real {
    pub(crate) runtime: SandboxRuntime,
    pub(crate) facts: ClusterFacts,
    pub(crate) machines: Machines,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) user: String,
    /// An interpreter that has PyFlink 1.20, whatever the machines have.
    pub(crate) python: PathBuf,
    storage: gcs_emulator::Emulator,
    began: Instant,
}

impl Real {
    /// Makes a cluster with so many workers and Flink on it.
    pub(crate) async fn start(name: &str, workers: u32) -> Self {
        Self::start_with(name, |facts| facts.workers = workers).await
    }

    /// The same with whatever else is wished of it.
    pub(crate) async fn start_with(name: &str, wish: impl FnOnce(&mut ClusterFacts)) -> Self {
        let folder = tempfile::tempdir().expect("made");
        let began = Instant::now();
        let progress = ProgressSink::new(move |one| {
            if !matches!(one, Progress::PartBytes(..)) {
                println!("{:?} {one:?}", began.elapsed());
            }
        });
        let clock = Arc::new(SystemClock);
        let environment = environment();
        let parts = Parts::ensure(&environment, clock.clone(), progress.clone())
            .await
            .expect("parts");
        let python = parts.python.clone();
        let storage = gcs_emulator::Emulator::start(gcs_emulator::Options::new(
            folder.path().join("storage"),
        ))
        .await
        .expect("storage");
        storage.create_bucket(BUCKET).expect("made");
        let runtime = SandboxRuntime::new(
            parts,
            folder.path().join("clusters"),
            &environment.user,
            &storage.url(),
            clock,
            progress,
        );
        let mut facts = ClusterFacts::new("sandbox-project", "europe-west1", name, "u-u-i-d");
        facts.components = vec!["FLINK".to_owned(), "PIG".to_owned()];
        wish(&mut facts);
        let machines = runtime.create(&facts).await.expect("created");
        println!("{:?} RUNNING", began.elapsed());
        Self {
            runtime,
            facts,
            machines,
            folder,
            user: environment.user,
            python,
            storage,
            began,
        }
    }

    /// The address of the master.
    pub(crate) fn address(&self) -> String {
        let master = self.machines.machines.first().expect("a master");
        master.address.to_string()
    }

    pub(crate) fn say(&self, what: &str) {
        println!("{:?} {what}", self.began.elapsed());
    }

    /// Puts an object and answers its URI.
    pub(crate) async fn upload(&self, name: &str, text: &str) -> String {
        let url = format!(
            "{}/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name={}",
            self.storage.url(),
            name.replace('/', "%2F")
        );
        let sent = reqwest::Client::new()
            .post(url)
            .body(text.to_owned())
            .send();
        sent.await
            .and_then(reqwest::Response::error_for_status)
            .expect("taken");
        format!("gs://{BUCKET}/{name}")
    }

    /// Runs a job to its end; its exit status and what it printed.
    pub(crate) async fn run(&self, id: &str, kind: &str, body: Value) -> (i32, String) {
        let job = JobFacts::new(id, kind, json!({kind: body}));
        let (end, text) = self.try_run(&job).await;
        self.say(&format!("{id}: {end:?}"));
        (end.expect("ran").exit_status, text)
    }

    pub(crate) async fn try_run(&self, job: &JobFacts) -> (Result<JobEnd, RuntimeError>, String) {
        let (output, mut pieces) = DriverOutput::channel(8);
        let read = async {
            let mut all = Vec::new();
            while let Some(piece) = pieces.recv().await {
                all.extend_from_slice(&piece);
            }
            String::from_utf8_lossy(&all).into_owned()
        };
        let run = async {
            let end = self.runtime.run_job(&self.facts, job, &output).await;
            drop(output);
            end
        };
        tokio::join!(run, read)
    }

    /// What a page answers.
    pub(crate) async fn page(&self, url: &str) -> String {
        let answer = reqwest::Client::new().get(url).send().await;
        let answer = answer.and_then(reqwest::Response::error_for_status);
        answer.expect("answers").text().await.expect("text")
    }

    /// Waits until something is so.
    pub(crate) async fn until(&self, what: &str, within: u64, ready: impl AsyncFn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(within);
        while !ready().await {
            assert!(Instant::now() < deadline, "not within {within} s: {what}");
            SystemClock.sleep(Duration::from_millis(200)).await;
        }
        self.say(what);
    }

    /// Ends the cluster; nothing of it may live on.
    pub(crate) async fn end(self) {
        let all = self.runtime.processes();
        let began = Instant::now();
        self.runtime.delete(&self.facts).await.expect("deleted");
        println!("deleted in {:?}", began.elapsed());
        assert!(all.iter().all(|one| !one.is_alive()), "something lives on");
        let left = std::fs::read_dir(self.folder.path().join("clusters")).expect("there");
        assert_eq!(left.count(), 0, "the cluster's folder is gone");
        self.storage.stop().await;
    }

    /// A key that is let in, for OpenSSH's client.
    pub(crate) async fn login(&self) -> Login<'_> {
        let key = self.folder.path().join("key");
        let made = tokio::process::Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(&key)
            .status()
            .await;
        assert!(made.expect("runs").success());
        let public = std::fs::read_to_string(key.with_extension("pub")).expect("there");
        let entry = MetadataKey {
            user: self.user.clone(),
            key: public.trim().to_owned(),
        };
        let master = format!("{}-m", self.facts.name);
        let entries = [entry];
        let set = self.runtime.set_keys(&self.facts, &master, &entries);
        set.await.expect("let in");
        Login { real: self, key }
    }

    /// The same key again, which a cluster that was stopped still lets in.
    pub(crate) fn again(&self) -> Login<'_> {
        let key = self.folder.path().join("key");
        Login { real: self, key }
    }
}

/// Who logs in to the master.
pub(crate) struct Login<'a> {
    real: &'a Real,
    key: PathBuf,
}

impl Login<'_> {
    /// Runs a command line; its exit status and all that it said.
    pub(crate) async fn run(&self, line: &str) -> (i32, String) {
        let output = tokio::process::Command::new("ssh")
            .args([
                "-F",
                "none",
                "-o",
                "BatchMode=yes",
                "-o",
                "StrictHostKeyChecking=no",
            ])
            .args([
                "-o",
                "UserKnownHostsFile=/dev/null",
                "-o",
                "LogLevel=ERROR",
                "-i",
            ])
            .arg(&self.key)
            .args(["-p", &self.real.runtime.ssh_port().to_string()])
            .arg(format!("{}@{}", self.real.user, self.real.address()))
            .arg(format!("{{ {line}\n}} 2>&1"))
            .kill_on_drop(true)
            .output()
            .await
            .expect("runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code().unwrap_or(-1), text)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test stands in for the binary, which reads the environment"
)]
fn environment() -> Environment {
    let read = |name: &str| std::env::var(name).unwrap_or_default();
    let user = std::process::Command::new("id").arg("-un").output();
    let user = String::from_utf8(user.expect("runs").stdout).expect("text");
    let home = PathBuf::from(read("HOME"));
    let cache = home.join(".cache/flinkproc");
    let mut environment = Environment::new(read("PATH"), &home, user.trim(), &cache);
    environment.java_home = std::env::var_os("JAVA_HOME").map(PathBuf::from);
    environment.python = std::env::var_os("FLINKPROC_PYTHON").map(PathBuf::from);
    environment
}
