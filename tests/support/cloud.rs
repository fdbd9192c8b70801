//! A Dataproc and a Cloud Storage of this process, with scripted machines: real SSH servers and a fake `flink`.

use std::sync::Arc;
use std::time::Duration;

use dataproc_emulator::{
    Addresses, Emulator, EmulatorOptions, FlinkScript, ScriptedMachine, ScriptedOptions,
    ScriptedRuntime,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::binary::{Home, Ran};
use crate::running::Running;

/// The port of the scripted machines' SSH servers.
const SSH_PORT: u16 = 2222;

/// Calls of Dataproc, as fault rules name them.
pub(crate) const CLUSTERS: &str = "/v1/projects/*/regions/*/clusters";
pub(crate) const ONE_CLUSTER: &str = "/v1/projects/*/regions/*/clusters/*";
pub(crate) const OPERATIONS: &str = "/v1/projects/*/regions/*/operations/*";

/// A spec for these services.
pub(crate) const SPEC: &str = r#"
[job]
script = "job.py"
args = ["--day", "it's $5"]
result = "gs://my-bucket/result/"

[cluster]
project = "my-project"
region = "europe-west1"
image = "2.0"

[staging]
bucket = "my-bucket"
"#;

/// A job that leaves a result.
pub(crate) fn good() -> FlinkScript {
    let mut flink = FlinkScript::running_for(Duration::from_millis(300));
    flink.output = "counting".to_owned();
    flink.body = "curl -sS -o /dev/null --data-binary 'apple,3' \
        \"$STORAGE_EMULATOR_HOST/upload/storage/v1/b/my-bucket/o?uploadType=media&name=result%2Fpart-0\""
        .to_owned();
    flink
}

/// A job that runs until somebody ends it.
pub(crate) fn endless() -> FlinkScript {
    FlinkScript::running_for(Duration::from_secs(600))
}

/// Services, and a home whose runs use them.
#[derive(Debug)]
pub(crate) struct Cloud {
    pub(crate) home: Home,
    pub(crate) emulator: Emulator,
    pub(crate) runtime: Arc<ScriptedRuntime>,
    pub(crate) storage: gcs_emulator::Emulator,
    _folder: TempDir,
}

impl Cloud {
    /// Services whose clusters run this `flink`.
    pub(crate) async fn new(flink: FlinkScript) -> Self {
        Self::with(flink, |_| {}).await
    }

    /// The same with other options.
    pub(crate) async fn with(flink: FlinkScript, change: fn(&mut ScriptedOptions)) -> Self {
        Self::served(flink, change, |options| options).await
    }

    /// The same with other options of the services too.
    pub(crate) async fn served(
        flink: FlinkScript,
        change: fn(&mut ScriptedOptions),
        serve: impl FnOnce(EmulatorOptions) -> EmulatorOptions,
    ) -> Self {
        let folder = TempDir::with_prefix("flinkproc-storage-").unwrap();
        let storage = gcs_emulator::Emulator::start(gcs_emulator::Options::new(folder.path()))
            .await
            .unwrap();
        storage.create_bucket("my-bucket").unwrap();
        let mut options = ScriptedOptions::default();
        options.addresses = Addresses::Own { ssh_port: SSH_PORT };
        options.flink = flink;
        change(&mut options);
        let runtime = Arc::new(ScriptedRuntime::new(options));
        let options = EmulatorOptions::default().storage(storage.url());
        let options = serve(options.login_user(user()));
        let emulator = Emulator::start(runtime.clone(), options).await.unwrap();
        let mut home = Home::new(&emulator.url());
        home.set("FLINKPROC_STORAGE_ENDPOINT", storage.url());
        home.set("FLINKPROC_SSH_PORT", SSH_PORT.to_string());
        home.set("USER", user());
        home.write("flinkproc.toml", SPEC);
        home.write("job.py", "print(1)\n");
        Self {
            home,
            emulator,
            runtime,
            storage,
            _folder: folder,
        }
    }

    /// Runs the binary to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ran {
        self.home.run(arguments).await
    }

    /// Starts the binary.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        Running::start(&self.home, arguments)
    }

    /// The only deployment's row of `flinkproc status`.
    pub(crate) async fn deployment(&self) -> Value {
        let ran = self.run(&["status", "--output", "json"]).await;
        let rows = ran.ended_with(0).json();
        assert_eq!(rows.as_array().map(Vec::len), Some(1), "{rows}");
        rows[0].clone()
    }

    /// The names of the clusters that there are.
    pub(crate) fn clusters(&self) -> Vec<String> {
        let clusters = self.emulator.clusters();
        let name = |cluster: &Value| cluster["clusterName"].as_str().unwrap().to_owned();
        clusters.iter().map(name).collect()
    }

    /// The machine of the only cluster.
    #[track_caller]
    pub(crate) fn machine(&self) -> Arc<ScriptedMachine> {
        let clusters = self.clusters();
        let [name] = clusters.as_slice() else {
            panic!("not one cluster but {clusters:?}");
        };
        self.runtime.machine(name).unwrap()
    }

    /// Makes a cluster that no deployment made, and waits until it runs.
    pub(crate) async fn make_cluster(&self, name: &str) {
        let url = format!(
            "{}/v1/projects/my-project/regions/europe-west1/clusters",
            self.emulator.url()
        );
        let config = json!({"softwareConfig": {
            "imageVersion": "2.0-debian10", "optionalComponents": ["FLINK"],
        }});
        let body = json!({"clusterName": name, "projectId": "my-project", "config": config});
        let client = reqwest::Client::new();
        let made = client.post(url).json(&body).send().await.unwrap();
        assert!(made.status().is_success(), "{}", made.text().await.unwrap());
        let running = || {
            let clusters = self.emulator.clusters();
            clusters
                .iter()
                .any(|one| one["clusterName"] == name && one["status"]["state"] == "RUNNING")
        };
        until(running).await;
    }

    /// Fails unless no cluster is left.
    #[track_caller]
    pub(crate) fn is_empty(&self) {
        assert_eq!(self.clusters(), Vec::<String>::new());
    }

    /// Ends the services and every machine.
    pub(crate) async fn stop(self) {
        self.emulator.stop().await;
        self.storage.stop().await;
    }
}

/// Asks again and again until something is so.
pub(crate) async fn until(mut so: impl FnMut() -> bool) {
    let mut pause = tokio::time::interval(Duration::from_millis(20));
    let asking = async {
        while !so() {
            pause.tick().await;
        }
    };
    tokio::time::timeout(crate::binary::PATIENCE, asking)
        .await
        .unwrap();
}

/// The login name of the user that runs the tests, who is the one that machines let in.
fn user() -> String {
    let own = rustix::process::getuid().as_raw().to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let line = users
        .lines()
        .find(|line| line.split(':').nth(2) == Some(&own));
    let name = line.and_then(|line| line.split(':').next());
    name.unwrap().to_owned()
}
