//! The sandbox of this process: its environment, its progress, its endpoints.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use flinkproc_core::BucketName;
use flinkproc_plan::SandboxFacts;
use flinkproc_sandbox::{
    Environment as SandboxEnvironment, PartName, Progress, ProgressSink, Sandbox, SandboxOptions,
    ssh_port,
};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::App;
use crate::clients::Endpoints;
use crate::clock::SystemClock;
use crate::environment::Environment;
use crate::report::{Problem, Stdio};

/// What a plan has to know of the sandbox before it runs.
pub(crate) fn facts() -> SandboxFacts {
    SandboxFacts {
        image: None,
        ssh_port: ssh_port(),
    }
}

/// A sandbox that runs as long as this process.
#[derive(Debug)]
pub(crate) struct RunningSandbox(Sandbox);

impl RunningSandbox {
    /// Fetches what is missing, starts the servers and makes the bucket.
    pub(crate) async fn start(app: &App, bucket: &BucketName) -> Result<Self, Problem> {
        let teller = Teller::new(app.stdio);
        let mut options = SandboxOptions::new(
            environment(&app.environment),
            &app.environment.state(),
            Arc::new(SystemClock),
        );
        options.progress = ProgressSink::new(move |progress| teller.show(progress));
        let sandbox = Sandbox::start(options).await?;
        sandbox.ensure_bucket(bucket)?;
        app.stdio.tell(&format!(
            "The sandbox runs on this machine: Dataproc at {}, Cloud Storage at {}. Every local user can reach it.",
            sandbox.dataproc_url(),
            sandbox.storage_url()
        ));
        Ok(Self(sandbox))
    }

    pub(crate) fn endpoints(&self) -> Endpoints {
        Endpoints {
            dataproc: Some(self.0.dataproc_url()),
            compute: Some(self.0.compute_url()),
            storage: Some(self.0.storage_url()),
            anonymous: true,
        }
    }

    /// Ends it and says so; what could not be ended is named.
    pub(crate) async fn stop(self, app: &App) {
        match self.0.stop().await {
            Ok(()) => app
                .stdio
                .tell("The sandbox is stopped; nothing of it runs."),
            Err(error) => app.stdio.error(&Problem::of(&error).render(app.stdio)),
        }
    }
}

fn environment(environment: &Environment) -> SandboxEnvironment {
    let user = environment.login_user();
    let path = environment.path("PATH").unwrap_or_default();
    let mut found = SandboxEnvironment::new(path, &environment.home(), &user, &environment.cache());
    found.java_home = environment.path("JAVA_HOME");
    found.python = environment.path("FLINKPROC_PYTHON");
    found
}

/// Draws the downloads as bars, or tells them in lines.
struct Teller {
    stdio: Stdio,
    bars: MultiProgress,
    parts: Mutex<BTreeMap<PartName, ProgressBar>>,
}

impl Teller {
    fn new(stdio: Stdio) -> Self {
        Self {
            stdio,
            bars: MultiProgress::new(),
            parts: Mutex::default(),
        }
    }

    fn show(&self, progress: Progress) {
        match progress {
            Progress::PartStarted(part) => self.begin(part),
            Progress::PartBytes(part, bytes) => {
                if let Some(bar) = self.lock().get(&part) {
                    bar.set_position(bytes.min(part.expected_bytes()));
                }
            }
            Progress::PartDone(part) => {
                if let Some(bar) = self.lock().remove(&part) {
                    bar.finish_and_clear();
                }
                self.line(&format!("{part} is ready"));
            }
            Progress::PartWaiting(part) => self.line(&format!("another run fetches {part}; waiting for it")),
            Progress::WorkersCapped { cluster, wanted, given } => self.line(&format!(
                "cluster {cluster} gets {given} NodeManager(s) for its {wanted} workers: memory suffices for no more"
            )),
            Progress::CleanedUp { processes } => {
                self.line(&format!("cleaned up after a sandbox that was killed ({processes} processes ended)"));
            }
            // The deployment tells of its cluster itself.
            _ => {}
        }
    }

    fn begin(&self, part: PartName) {
        if !self.stdio.bars() {
            self.line(&format!(
                "fetching {part} (about {} MB on disk)",
                part.expected_bytes() >> 20
            ));
            return;
        }
        let bar = self.bars.add(ProgressBar::new(part.expected_bytes()));
        if let Ok(style) =
            ProgressStyle::with_template("{msg:<15} {bar:30} {bytes}/{total_bytes} ({elapsed})")
        {
            bar.set_style(style);
        }
        bar.set_message(part.to_string());
        self.lock().insert(part, bar);
    }

    fn line(&self, text: &str) {
        self.bars.suspend(|| self.stdio.tell(text));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<PartName, ProgressBar>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
