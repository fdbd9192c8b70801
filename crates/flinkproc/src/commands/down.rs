//! `flinkproc down`: ends what a deployment made.

use flinkproc_patterns::{Deployment, Options};
use flinkproc_plan::OnInterrupt;

use crate::App;
use crate::args::Down;
use crate::deployments::Deployments;
use crate::error::AppError;
use crate::follow::{follow, report};
use crate::place::Place;
use crate::report::Problem;
use crate::signals::Signals;

/// Cancels the job, saves the logs, deletes the cluster. May be repeated.
pub(crate) async fn run(app: &App, args: &Down) -> Result<u8, Problem> {
    let mut signals = Signals::listen().map_err(|error| AppError::Defect {
        what: format!("signals cannot be listened to: {error}"),
    })?;
    let deployments = Deployments::new(&app.environment);
    let id = deployments.find(&args.id).await?;
    let plan = deployments.plan(&id).await?;
    let place = Place::open(app, &plan).await?;
    let options = Options {
        agent: app.environment.path("SSH_AUTH_SOCK"),
        ..Options::new(deployments.directory(&id))
    };
    let done = async {
        let handle =
            Deployment::down(&id, place.clients().await?, deployments.journal(), options).await?;
        // An interrupt of a clean-up can only mean to leave it.
        let outcome = follow(app, handle, &mut signals, OnInterrupt::Detach, None).await?;
        Ok(report(app, &outcome))
    };
    let done = done.await;
    place.close(app).await;
    done
}
