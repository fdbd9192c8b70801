//! The process of a sandbox that stays: starts it, writes down where it is, and ends it when it is told to.

use std::path::Path;
use std::sync::Arc;

use flinkproc_core::{BucketName, Clock};
use flinkproc_sandbox::machine::ProcessRef;
use flinkproc_sandbox::{
    ControlPlane, ControlPlaneOptions, ProgressSink, Sandbox, SandboxError, SandboxOptions,
    ServerOptions, ssh_port,
};
use serde::{Deserialize, Serialize};

use super::record::{Kind, Record, Tunnel, Wish};
use super::shelf::Place;
use super::teller::Teller;
use super::{BUCKET, environment};
use crate::App;
use crate::clock::SystemClock;
use crate::error::AppError;
use crate::report::Problem;
use crate::signals::{Signals, Wish as Signal};

/// What the process says, as a line of JSON each, to the one that started it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Said {
    /// Something that a person wants to know meanwhile.
    Line(String),
    /// It runs.
    Ready(Box<Record>),
    /// It could not be started.
    Failed(Box<Problem>),
}

/// A sandbox of either kind.
#[derive(Debug)]
enum Served {
    Real(Box<Sandbox>),
    ControlPlane(Box<ControlPlane>),
}

/// Starts a sandbox, calls `ready`, and serves until a signal ends it.
pub(crate) async fn serve(
    app: &App,
    place: &Place,
    wish: Wish,
    state: &Path,
    teller: Teller,
    ready: impl FnOnce(&Record),
) -> Result<(), Problem> {
    let mut signals = Signals::listen().map_err(|error| AppError::Defect {
        what: format!("signals cannot be listened to: {error}"),
    })?;
    let teller = Arc::new(teller);
    let shown = Arc::clone(&teller);
    let progress = ProgressSink::new(move |progress| shown.show(progress));
    let served = tokio::select! {
        served = Served::start(app, &wish, state, progress) => served?,
        () = ended(&mut signals) => return Err(AppError::InterruptedEarly.into()),
    };
    let record = served.record(app, place, wish)?;
    place.write_record(&record)?;
    ready(&record);
    ended(&mut signals).await;
    app.stdio.tell("ending the sandbox");
    let stopped = served.stop().await;
    place.forget();
    stopped?;
    app.stdio.tell("the sandbox has ended; nothing of it runs");
    Ok(())
}

/// Waits for a signal that means the end; a terminal that goes away does not.
async fn ended(signals: &mut Signals) {
    while signals.next().await == Signal::Detach {}
}

impl Served {
    async fn start(
        app: &App,
        wish: &Wish,
        state: &Path,
        progress: ProgressSink,
    ) -> Result<Self, Problem> {
        let servers = servers(app, wish)?;
        let clock = Arc::new(SystemClock);
        let served = if wish.kind == Kind::Real {
            let mut options = SandboxOptions::new(environment(&app.environment), state, clock);
            options.servers = servers;
            options.progress = progress;
            Self::Real(Box::new(Sandbox::start(options).await?))
        } else {
            let mut options = ControlPlaneOptions::new(state, clock);
            options.servers = servers;
            options.progress = progress;
            options.machines = (wish.kind == Kind::ScriptedMachines).then(ssh_port);
            Self::ControlPlane(Box::new(ControlPlane::start(options).await?))
        };
        let bucket: BucketName = BUCKET
            .parse()
            .map_err(|error: flinkproc_core::InvalidName| AppError::Defect {
                what: error.to_string(),
            })?;
        match &served {
            Self::Real(sandbox) => sandbox.ensure_bucket(&bucket)?,
            Self::ControlPlane(plane) => plane.ensure_bucket(&bucket)?,
        }
        Ok(served)
    }

    fn record(&self, app: &App, place: &Place, wish: Wish) -> Result<Record, AppError> {
        let own = ProcessRef::of(std::process::id()).ok_or_else(|| AppError::Defect {
            what: "this process cannot be found in /proc".to_owned(),
        })?;
        let (api, storage, folder) = match self {
            Self::Real(one) => (one.api(), one.storage_url(), one.folder()),
            Self::ControlPlane(one) => (one.api(), one.storage_url(), one.folder()),
        };
        Ok(Record {
            name: place.name.clone(),
            pid: own.pid,
            started: own.started,
            since: SystemClock.now(),
            dataproc: api.url(),
            compute: api.url(),
            storage,
            iap: Tunnel {
                url: api.iap().url(),
                ca_file: api.iap().ca_file().to_owned(),
            },
            ssh_port: (wish.kind != Kind::ControlPlane).then(ssh_port),
            login_user: app.environment.login_user(),
            folder: folder.to_owned(),
            wish,
        })
    }

    async fn stop(self) -> Result<(), SandboxError> {
        match self {
            Self::Real(sandbox) => sandbox.stop().await,
            Self::ControlPlane(plane) => plane.stop().await,
        }
    }
}

fn servers(app: &App, wish: &Wish) -> Result<ServerOptions, AppError> {
    let mut servers = ServerOptions::default();
    servers.port = wish.port;
    servers.storage_port = wish.storage_port;
    servers.storage = wish.storage_root.clone();
    servers.faults = wish.faults.clone();
    servers.login_user = Some(app.environment.login_user());
    servers.token = wish.token()?;
    Ok(servers)
}
