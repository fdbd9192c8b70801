//! Where a deployment happens: on Google Cloud (or what stands in for it), or in a sandbox of this process.

use flinkproc_patterns::Clients;
use flinkproc_plan::Plan;

use crate::App;
use crate::clients::{self, Endpoints};
use crate::report::Problem;
use crate::sandbox::RunningSandbox;

/// An open place; a sandbox has to be closed again.
#[derive(Debug)]
pub(crate) enum Place {
    Cloud(Endpoints),
    Sandbox(Box<RunningSandbox>),
}

impl Place {
    /// Opens the place that a plan was made for: plans for sandbox images run in a sandbox, unless the environment names
    /// endpoints of one that runs already.
    pub(crate) async fn open(app: &App, plan: &Plan) -> Result<Self, Problem> {
        if Self::is_passing(app, plan) {
            let sandbox = RunningSandbox::start(app, plan.staging.home.bucket()).await?;
            return Ok(Self::Sandbox(Box::new(sandbox)));
        }
        Ok(Self::Cloud(Endpoints::from_environment(&app.environment)))
    }

    /// Whether a plan gets a sandbox of this process, which ends with it.
    pub(crate) fn is_passing(app: &App, plan: &Plan) -> bool {
        plan.cluster.image.is_sandbox()
            && Endpoints::from_environment(&app.environment)
                .dataproc
                .is_none()
    }

    /// The clients of this place.
    pub(crate) async fn clients(&self) -> Result<Clients, Problem> {
        match self {
            Self::Cloud(endpoints) => clients::all(endpoints).await,
            Self::Sandbox(sandbox) => clients::all(&sandbox.endpoints()).await,
        }
    }

    /// Ends a sandbox with everything in it.
    pub(crate) async fn close(self, app: &App) {
        if let Self::Sandbox(sandbox) = self {
            sandbox.stop(app).await;
        }
    }
}
