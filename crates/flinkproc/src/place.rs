//! Where a deployment happens: on Google Cloud (or what stands in for it), in a sandbox that stays, or in one of this process.

use std::fs;
use std::path::PathBuf;

use flinkproc_core::DeploymentId;
use flinkproc_patterns::Clients;
use flinkproc_plan::Plan;
use serde::{Deserialize, Serialize};

use crate::App;
use crate::clients::{self, Endpoints};
use crate::error::AppError;
use crate::report::Problem;
use crate::sandbox::api::SandboxApi;
use crate::sandbox::{DEFAULT, Kind, PassingSandbox, Record, Shelf};

/// The file in a deployment's directory that names its sandbox.
const FILE: &str = "sandbox.json";

/// Where a deployment is to happen; nothing is started yet.
#[derive(Clone, Debug)]
pub(crate) enum Choice {
    Cloud,
    /// In a sandbox that runs, and stays.
    Standing(Box<Record>),
    /// In a sandbox that ends with this process.
    Passing,
}

/// Which sandbox a deployment was made in; a later one of the same name is another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Whereabouts {
    name: String,
    pid: u32,
    started: u64,
}

impl Whereabouts {
    fn of(record: &Record) -> Self {
        Self {
            name: record.name.clone(),
            pid: record.pid,
            started: record.started,
        }
    }
}

impl Choice {
    /// The place of a new deployment: plans for sandbox images run in a sandbox, unless the environment names endpoints.
    ///
    /// `name` is the sandbox that was named on the command line; empty when only a sandbox was asked for.
    pub(crate) fn of_new(app: &App, plan: &Plan, name: Option<&str>) -> Result<Self, AppError> {
        let named = name.filter(|name| !name.is_empty());
        if named.is_none() && !in_sandbox(app, plan) {
            return Ok(Self::Cloud);
        }
        let running = Shelf::new(app)?.running(named.unwrap_or(DEFAULT))?;
        match (
            running.filter(|record| record.wish.kind == Kind::Real),
            named,
        ) {
            (Some(record), _) => Ok(Self::Standing(Box::new(record))),
            (None, Some(name)) => Err(AppError::NoSandbox {
                name: name.to_owned(),
            }),
            (None, None) => Ok(Self::Passing),
        }
    }

    /// The place of a deployment that was begun before; passing where its sandbox has ended.
    pub(crate) fn of_known(app: &App, plan: &Plan, id: &DeploymentId) -> Result<Self, AppError> {
        if !in_sandbox(app, plan) {
            return Ok(Self::Cloud);
        }
        let text = fs::read(whereabouts(app, id)).unwrap_or_default();
        let Ok(was) = serde_json::from_slice::<Whereabouts>(&text) else {
            return Ok(Self::Passing);
        };
        let running = Shelf::new(app)?.running(&was.name)?;
        let same = running.filter(|record| Whereabouts::of(record) == was);
        Ok(same.map_or(Self::Passing, |record| Self::Standing(Box::new(record))))
    }

    /// Whether it ends with this process.
    pub(crate) const fn is_passing(&self) -> bool {
        matches!(self, Self::Passing)
    }

    /// Writes down in which sandbox a deployment is, so that whoever goes on with it finds it there.
    pub(crate) fn note(&self, app: &App, id: &DeploymentId) -> Result<(), AppError> {
        let Self::Standing(record) = self else {
            return Ok(());
        };
        let path = whereabouts(app, id);
        let text = serde_json::to_string(&Whereabouts::of(record)).unwrap_or_default();
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(AppError::file("the directory", folder))?;
        }
        fs::write(&path, text).map_err(AppError::file("the file", &path))
    }
}

fn in_sandbox(app: &App, plan: &Plan) -> bool {
    plan.cluster.image.is_sandbox() && !app.environment.is_set("FLINKPROC_DATAPROC_ENDPOINT")
}

fn whereabouts(app: &App, id: &DeploymentId) -> PathBuf {
    let deployments = app.environment.state().join("deployments");
    deployments.join(id.as_str()).join(FILE)
}

/// An open place; a sandbox of this process has to be closed again.
#[derive(Debug)]
pub(crate) enum Place {
    Cloud(Box<Endpoints>),
    Sandbox(Box<PassingSandbox>),
}

impl Place {
    /// Opens the place that was chosen for a plan.
    pub(crate) async fn open(app: &App, choice: &Choice, plan: &Plan) -> Result<Self, Problem> {
        let bucket = plan.staging.home.bucket();
        match choice {
            Choice::Cloud => Ok(Self::Cloud(Box::new(Endpoints::from_environment(
                &app.environment,
            )?))),
            Choice::Standing(record) => {
                SandboxApi::new(record)?.ensure_bucket(bucket).await?;
                app.stdio.tell(&format!(
                    "in the sandbox {}, which stays: Dataproc at {}, Cloud Storage at {}",
                    record.name, record.dataproc, record.storage
                ));
                Ok(Self::Cloud(Box::new(record.endpoints()?)))
            }
            Choice::Passing => {
                let sandbox = PassingSandbox::start(app, bucket).await?;
                Ok(Self::Sandbox(Box::new(sandbox)))
            }
        }
    }

    /// The clients of this place.
    pub(crate) async fn clients(&self) -> Result<Clients, Problem> {
        match self {
            Self::Cloud(endpoints) => clients::all(endpoints).await,
            Self::Sandbox(sandbox) => clients::all(&sandbox.endpoints()).await,
        }
    }

    /// Ends a sandbox of this process with everything in it.
    pub(crate) async fn close(self, app: &App) {
        if let Self::Sandbox(sandbox) = self {
            sandbox.stop(app).await;
        }
    }
}
