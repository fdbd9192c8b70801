//! A sandbox that runs as long as this process.

use std::sync::Arc;

use flinkproc_core::BucketName;
use flinkproc_sandbox::{ProgressSink, Sandbox, SandboxOptions};

use super::environment;
use super::teller::Teller;
use crate::App;
use crate::clients::Endpoints;
use crate::clock::SystemClock;
use crate::report::Problem;

/// A sandbox that runs as long as this process.
#[derive(Debug)]
pub(crate) struct PassingSandbox(Sandbox);

impl PassingSandbox {
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
            ..Endpoints::default()
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
