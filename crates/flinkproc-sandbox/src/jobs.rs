//! Jobs of the Jobs API: each driver is a program of the master.

mod driver;
mod files;
mod flink;
mod hadoop;
mod pig;
mod pyspark;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use dataproc_emulator::runtime::{DriverOutput, JobEnd, JobFacts, RuntimeError};
use flinkproc_core::Clock;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::watch;

use crate::error::SandboxError;
use crate::jobs::driver::{Command, Driver};
use crate::jobs::files::Files;
use crate::layout::Layout;
use crate::parts::Parts;
use crate::process::Processes;
use crate::resource_manager::ResourceManager;
use crate::yarn;

/// The jobs of one cluster that run now.
#[derive(Debug, Default)]
pub(crate) struct Jobs(Mutex<HashMap<String, watch::Sender<bool>>>);

/// What a job's driver is made from.
#[derive(Debug)]
struct Setting<'a> {
    layout: &'a Layout,
    parts: &'a Parts,
    files: Files<'a>,
    job: &'a JobFacts,
    /// The job's own folder, which is where its driver starts.
    folder: PathBuf,
}

/// What a job runs with; the parts of a cluster.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) layout: &'a Layout,
    pub(crate) parts: &'a Parts,
    pub(crate) processes: &'a Processes,
    pub(crate) http: &'a reqwest::Client,
    pub(crate) clock: &'a dyn Clock,
    /// Whether Pig is on the cluster's image, or was asked for as a component.
    pub(crate) has_pig: bool,
}

/// Log levels by logger, as every type of job has them.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct LoggingConfig {
    driver_log_levels: BTreeMap<String, String>,
}

/// What can end a job before its driver does.
#[derive(Debug)]
pub(crate) enum JobError {
    /// No runner for this.
    NotEmulated(&'static str),
    /// It was tried and failed.
    Failed(SandboxError),
}

impl From<SandboxError> for JobError {
    fn from(error: SandboxError) -> Self {
        Self::Failed(error)
    }
}

impl From<JobError> for RuntimeError {
    fn from(error: JobError) -> Self {
        match error {
            JobError::NotEmulated(what) => Self::NotEmulated { what },
            JobError::Failed(error) => crate::runtime::failed(&error),
        }
    }
}

impl Jobs {
    /// Runs a job to its end. Dropping the future ends its driver.
    pub(crate) async fn run(
        &self,
        place: Place<'_>,
        job: &JobFacts,
        output: &DriverOutput,
    ) -> Result<JobEnd, JobError> {
        let (sender, cancelled) = watch::channel(false);
        self.lock().insert(job.id.clone(), sender);
        let _registered = Registered { jobs: self, job };
        let prepared = tokio::select! {
            prepared = prepare(place, job) => prepared?,
            () = driver::wish(cancelled.clone()) => return Ok(JobEnd { exit_status: driver::TERMINATED }),
        };
        let driver = Driver {
            processes: place.processes,
            clock: place.clock,
            cancelled: cancelled.clone(),
        };
        let exit_status = driver.run(prepared, output).await?;
        if *cancelled.borrow() {
            // As the service does: what carries the job's tag goes with it.
            let manager = ResourceManager::of(place.layout, place.http);
            manager.kill_tagged(&job.tag).await;
        }
        Ok(JobEnd { exit_status })
    }

    /// Asks a job's driver to end; its [`run`](Self::run) answers then. A job that has ended is no error.
    pub(crate) fn cancel(&self, job: &str) {
        if let Some(sender) = self.lock().get(job) {
            sender.send_replace(true);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, watch::Sender<bool>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a job off the list, however its run ends.
struct Registered<'a> {
    jobs: &'a Jobs,
    job: &'a JobFacts,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.jobs.lock().remove(&self.job.id);
    }
}

/// Fetches a job's files and says which program its driver is.
async fn prepare(place: Place<'_>, job: &JobFacts) -> Result<Command, JobError> {
    let folder = place.layout.at("jobs").join(&job.id);
    fs::create_dir_all(&folder).map_err(SandboxError::file("create the folder", &folder))?;
    let setting = Setting {
        layout: place.layout,
        parts: place.parts,
        files: Files::new(place.layout, place.parts, place.http, folder.clone()),
        job,
        folder,
    };
    if job.kind == "pigJob" && !place.has_pig {
        // What the service says is not known.
        let wrong = setting
            .wrong("Pig is not on this cluster: it was made without the optional component PIG");
        return Err(wrong.into());
    }
    Ok(match job.kind.as_str() {
        "pigJob" => pig::command(&setting).await?,
        "pysparkJob" => pyspark::command(&setting).await?,
        "hadoopJob" => hadoop::command(&setting).await?,
        "flinkJob" => flink::command(&setting).await?,
        "pyflinkJob" => flink::python_command(&setting).await?,
        _ => return Err(JobError::NotEmulated("this type of job")),
    })
}

impl Setting<'_> {
    /// The body of the job.
    fn body<T: DeserializeOwned>(&self) -> Result<T, SandboxError> {
        let body = self.job.resource.get(&self.job.kind);
        let body = body
            .cloned()
            .unwrap_or_else(|| Value::Object(serde_json::Map::default()));
        serde_json::from_value(body).map_err(|error| self.wrong(error.to_string()))
    }

    fn wrong(&self, detail: impl Into<String>) -> SandboxError {
        SandboxError::JobBody {
            kind: self.job.kind.clone(),
            detail: detail.into(),
        }
    }

    /// The variables of a driver: those of a login.
    fn variables(&self) -> Vec<(&'static str, String)> {
        self.layout.variables(self.parts)
    }

    /// Writes a file into the job's folder and answers its path as text.
    fn write(&self, name: &str, text: &str) -> Result<String, SandboxError> {
        let file = self.folder.join(name);
        fs::write(&file, text).map_err(SandboxError::file("write", &file))?;
        Ok(file.display().to_string())
    }

    /// A configuration folder for Hadoop with the job's own settings beside the cluster's.
    ///
    /// They do not travel as arguments: a program that does not parse Hadoop's general options would see them.
    fn hadoop_conf(
        &self,
        settings: &BTreeMap<String, String>,
        logging: &LoggingConfig,
    ) -> Result<String, SandboxError> {
        let folder = self.folder.join("conf");
        fs::create_dir_all(&folder).map_err(SandboxError::file("create the folder", &folder))?;
        for name in ["core-site.xml", "yarn-site.xml"] {
            let (from, to) = (self.layout.at("hadoop-conf").join(name), folder.join(name));
            fs::copy(&from, &to).map_err(SandboxError::file("write", to))?;
        }
        let mut all = yarn::mapreduce_settings(self.layout, self.parts);
        all.insert("mapreduce.job.tags".to_owned(), self.job.tag.clone());
        all.extend(settings.clone());
        let pairs = all.iter().map(|(key, value)| (key.as_str(), value.clone()));
        self.write("conf/mapred-site.xml", &crate::xml::configuration(pairs))?;
        let mut log = yarn::LOG4J.to_owned();
        for (logger, level) in &logging.driver_log_levels {
            let line = match logger.as_str() {
                "root" => format!("log4j.rootLogger={level},console\n"),
                other => format!("log4j.logger.{other}={level}\n"),
            };
            log.push_str(&line);
        }
        self.write("conf/log4j.properties", &log)?;
        Ok(folder.display().to_string())
    }

    /// Java on the master.
    fn java(&self) -> PathBuf {
        self.parts.prerequisites.java_home.join("bin/java")
    }
}

/// Paths as one list.
fn joined(paths: &[PathBuf], separator: &str) -> String {
    let texts: Vec<String> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    texts.join(separator)
}
