//! A Dataproc on this machine: its Jobs API in memory, its drivers as processes in the login of a [`FakeMaster`].
//!
//! Drivers behave as the real ones were seen to: Pig reads its script as Grunt does and makes every failure a 5, and neither
//! Pig nor spark-submit ends its child on SIGTERM.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use flinkproc_core::{ClusterRef, DataprocJobId, GcsUri, ProjectId, Region, RequestId};
use flinkproc_dataproc::{ApiError, Job, JobApi, JobError, JobSpec, JobState, Subject};
use flinkproc_staging::Staging;
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// A driver's process and what became of it.
#[derive(Debug)]
struct Driver {
    spec: JobSpec,
    request: RequestId,
    pid: Option<u32>,
    status: Option<i32>,
    cancelled: bool,
    since: Timestamp,
}

impl Driver {
    fn job(&self) -> Job {
        let state = match (self.status, self.cancelled) {
            (None, false) => JobState::Running,
            (None, true) => JobState::CancelStarted,
            (Some(_), true) => JobState::Cancelled,
            (Some(0), false) => JobState::Done,
            (Some(_), false) => JobState::Error,
        };
        let mut resource = self.spec.resource.clone();
        resource["status"] = json!({"stateStartTime": self.since});
        Job {
            id: self.spec.id.clone(),
            cluster: self.spec.cluster.name.to_string(),
            state,
            detail: self
                .status
                .map(|status| format!("the driver ended with {status}")),
            driver_output: None,
            resource,
        }
    }
}

type Drivers = Arc<Mutex<HashMap<DataprocJobId, Driver>>>;

/// The Jobs API; everything that it started ends when it is dropped.
#[derive(Debug)]
pub(crate) struct LocalDataproc {
    folder: TempDir,
    environment: BTreeMap<&'static str, String>,
    staging: Arc<dyn Staging>,
    drivers: Drivers,
}

impl LocalDataproc {
    /// Drivers get this environment, and their files from here.
    pub(crate) fn new(
        environment: BTreeMap<&'static str, String>,
        staging: Arc<dyn Staging>,
    ) -> Self {
        Self {
            folder: TempDir::new().expect("temporary directory"),
            environment,
            staging,
            drivers: Drivers::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DataprocJobId, Driver>> {
        self.drivers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings an object into a driver's folder, under its own name.
    async fn fetch(&self, uri: &str, folder: &Path) -> PathBuf {
        let uri: GcsUri = uri.parse().expect("address");
        let content = self.staging.read_range(&uri, 0, 1 << 30).await;
        let to = folder.join(uri.file_name());
        std::fs::write(&to, content.expect("object")).expect("written");
        to
    }

    /// The process of a driver.
    async fn driver(&self, resource: &Value, folder: &Path) -> Command {
        if let Some(job) = resource.get("pigJob") {
            return self.pig(job, folder).await;
        }
        if let Some(job) = resource.get("pysparkJob") {
            let main = self.fetch(text(&job["mainPythonFileUri"]), folder).await;
            // What spark-submit leaves alive when it is ended itself.
            let mut submit = script("python3 \"$0\"\nexit $?\n");
            submit
                .arg(main)
                .env("SPARK_HOME", "/spark")
                .env("PYTHONPATH", "/spark/python");
            return submit;
        }
        let job = resource.get("hadoopJob").expect("a known type");
        let jar = self.fetch(text(&job["mainJarFileUri"]), folder).await;
        for uri in job["fileUris"].as_array().into_iter().flatten() {
            self.fetch(text(uri), folder).await;
        }
        let mut java = Command::new("java");
        java.args(["-XX:TieredStopAtLevel=1", "-Xmx64m", "-jar"])
            .arg(jar);
        java.args(job["args"].as_array().into_iter().flatten().map(text));
        java
    }

    async fn pig(&self, job: &Value, folder: &Path) -> Command {
        let mut lines = String::new();
        let queries = job["queryList"]["queries"].as_array().into_iter().flatten();
        for query in queries.map(text) {
            let line = grunt(query);
            // The machine is not ours alone: what goes to /tmp there goes to the job's folder here.
            let line = line.replace("/tmp/", &format!("{}/", folder.display()));
            if let Some(words) = line.strip_prefix("fs -copyToLocal ") {
                let (from, to) = words.split_once(' ').expect("two names");
                let source = folder.join("source");
                std::fs::create_dir_all(&source).expect("folder");
                let source = self.fetch(from, &source).await;
                lines.push_str(&format!(
                    "[ ! -e {to} ] && cp {} {to} || exit 5\n",
                    source.display()
                ));
            } else if let Some(command) = line.strip_prefix("sh ") {
                let command = command.replace('\'', "'\\''");
                lines.push_str(&format!("sh -c '{command}' || exit 5\n"));
            } else {
                lines.push_str("exit 8\n");
            }
        }
        script(&lines)
    }
}

/// A process that runs a text as `bash` does, with commands as its children.
fn script(text: &str) -> Command {
    let mut bash = Command::new("bash");
    bash.args(["-c", text]);
    bash
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

/// What Grunt makes of a line: cut at `;`, at ` --`, without single quotes.
fn grunt(line: &str) -> String {
    let line = line.split(';').next().unwrap_or_default();
    let mut quoted = false;
    let mut end = line.len();
    for (at, letter) in line.char_indices() {
        match letter {
            '"' => quoted = !quoted,
            '-' if !quoted && line[..at].ends_with(' ') && line[at..].starts_with("--") => {
                end = at;
                break;
            }
            _ => {}
        }
    }
    line[..end].replace('\'', "").trim().to_owned()
}

async fn wait(mut child: Child, id: DataprocJobId, drivers: Drivers) {
    let status = child.wait().await.ok();
    let status = status.and_then(|status| status.code()).unwrap_or(143);
    let mut drivers = drivers.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(driver) = drivers.get_mut(&id) {
        driver.status = Some(status);
        driver.since = Timestamp::now();
    }
}

#[async_trait]
impl JobApi for LocalDataproc {
    async fn submit(&self, job: &JobSpec, request: &RequestId) -> Result<Job, JobError> {
        {
            let mut drivers = self.lock();
            if let Some(driver) = drivers.get(&job.id) {
                let subject = Subject::Job(job.id.clone());
                let same = driver.request == *request;
                return same
                    .then(|| driver.job())
                    .ok_or(ApiError::AlreadyExists { subject });
            }
            let driver = Driver {
                spec: job.clone(),
                request: request.clone(),
                pid: None,
                status: None,
                cancelled: false,
                since: Timestamp::now(),
            };
            drivers.insert(job.id.clone(), driver);
        }
        let folder = self.folder.path().join(job.id.as_str());
        std::fs::create_dir(&folder).expect("folder");
        let mut command = self.driver(&job.resource, &folder).await;
        let mut environment = self.environment.clone();
        if job.resource.get("pysparkJob").is_some() {
            // With the login's, no Python of Spark's would start.
            environment.remove("PYTHONHOME");
        }
        let output = std::fs::File::create(folder.join("driveroutput")).expect("created");
        let errors = output.try_clone().expect("cloned");
        command
            .current_dir(&folder)
            .envs(&environment)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .kill_on_drop(true);
        let child = command.spawn().expect("started");
        let pid = child.id();
        tokio::spawn(wait(child, job.id.clone(), Arc::clone(&self.drivers)));
        let cancelled = {
            let mut drivers = self.lock();
            let driver = drivers.get_mut(&job.id).expect("known");
            driver.pid = pid;
            driver.cancelled
        };
        if cancelled {
            end(pid).await;
        }
        let drivers = self.lock();
        Ok(drivers.get(&job.id).expect("known").job())
    }

    async fn find(
        &self,
        _: &ProjectId,
        _: &Region,
        id: &DataprocJobId,
    ) -> Result<Option<Job>, JobError> {
        Ok(self.lock().get(id).map(Driver::job))
    }

    async fn list(
        &self,
        _: &ProjectId,
        _: &Region,
        _: Option<&ClusterRef>,
    ) -> Result<Vec<Job>, JobError> {
        Ok(self.lock().values().map(Driver::job).collect())
    }

    async fn cancel(
        &self,
        _: &ProjectId,
        _: &Region,
        id: &DataprocJobId,
    ) -> Result<bool, JobError> {
        let pid = {
            let mut drivers = self.lock();
            let Some(driver) = drivers.get_mut(id).filter(|driver| driver.status.is_none()) else {
                return Ok(false);
            };
            driver.cancelled = true;
            driver.pid
        };
        end(pid).await;
        Ok(true)
    }
}

async fn end(pid: Option<u32>) {
    if let Some(pid) = pid {
        let mut kill = Command::new("kill");
        kill.args(["-TERM", &pid.to_string()]).stderr(Stdio::null());
        kill.status().await.expect("ran");
    }
}

#[test]
fn grunt_cuts_lines() {
    let check = |line: &str, expected: &str| assert_eq!(grunt(line), expected, "{line}");
    check("sh bash /a.sh;", "sh bash /a.sh");
    check("sh setpriv --pdeathsig TERM bash /a.sh;", "sh setpriv");
    check(
        "sh exec setpriv \"--pdeathsig\" TERM bash /a.sh;",
        "sh exec setpriv \"--pdeathsig\" TERM bash /a.sh",
    );
    check("sh echo 'it''s'; rm x", "sh echo its");
}

/// The cluster that everything here runs on.
pub(crate) fn cluster() -> ClusterRef {
    let part = json!({"project": "my-project", "region": "europe-west1", "name": "etl"});
    serde_json::from_value(part).expect("cluster")
}
