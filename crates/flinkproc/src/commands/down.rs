//! `flinkproc down`: ends what a deployment made.

use flinkproc_patterns::{Deployment, labelled_clusters};
use flinkproc_plan::OnInterrupt;
use serde_json::json;

use crate::App;
use crate::args::Down;
use crate::clients;
use crate::commands::cluster;
use crate::deployments::Deployments;
use crate::error::AppError;
use crate::follow::{Manner, follow, report};
use crate::place::{Choice, Place};
use crate::report::Problem;
use crate::report::progress::word;
use crate::signals::Signals;

/// Cancels the job, saves the logs, deletes the cluster. May be repeated.
pub(crate) async fn run(app: &App, args: &Down) -> Result<u8, Problem> {
    let mut signals = Signals::listen().map_err(|error| AppError::Defect {
        what: format!("signals cannot be listened to: {error}"),
    })?;
    let deployments = Deployments::new(&app.environment);
    let Some(id) = &args.id else {
        return orphans(app, args, &deployments).await;
    };
    let id = deployments.find(id).await?;
    let plan = deployments.plan(&id).await?;
    let choice = Choice::of_known(app, &plan, &id)?;
    let place = Place::open(app, &choice, &plan).await?;
    let options = app.environment.options(deployments.directory(&id));
    let done = async {
        let handle =
            Deployment::down(&id, place.clients().await?, deployments.journal(), options).await?;
        // An interrupt of a clean-up can only mean to leave it.
        let manner = Manner {
            on_interrupt: OnInterrupt::Detach,
            passing: false,
        };
        let outcome = follow(app, handle, &mut signals, manner, None).await?;
        Ok(report(app, &outcome))
    };
    let done = done.await;
    place.close(app).await;
    done
}

/// Shows the clusters that bear a deployment's label and are not in use from here, and deletes them where that was asked for.
async fn orphans(app: &App, args: &Down, deployments: &Deployments) -> Result<u8, Problem> {
    let (project, region) = cluster::find_place(app, &args.place)?;
    let api = clients::dataproc(&cluster::endpoints(app, &args.place)?).await?;
    let journal = deployments.journal();
    let mut found = labelled_clusters(&api, journal.as_ref(), &project, &region).await?;
    found.retain(|one| !one.in_use);
    if args.delete {
        for one in &found {
            cluster::delete(app, &api, &one.cluster).await?;
        }
    }
    if app.stdio.json() {
        let rows: Vec<_> = found
            .iter()
            .map(|one| json!({ "cluster": one.cluster, "state": one.state, "deployment": one.deployment }))
            .collect();
        app.stdio
            .json_result(&json!({ "orphans": rows, "deleted": args.delete }));
    } else if found.is_empty() {
        app.stdio
            .result(&format!("no orphans in {region} of {project}"));
    } else if !args.delete {
        for one in &found {
            app.stdio.result(&format!(
                "{:<40} {:<10} of {}",
                one.cluster.name,
                word(&one.state),
                one.deployment
            ));
        }
        app.stdio.tell(
            "Deployments that another machine follows are not known here: look before `flinkproc down --orphans --delete`.",
        );
    }
    Ok(0)
}
