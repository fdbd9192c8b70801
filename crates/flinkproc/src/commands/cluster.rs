//! `flinkproc cluster`: the clusters of a region.

use std::fmt::Write;

use flinkproc_core::{Clock, ClusterRef, ProjectId, Region, RequestId, Span};
use flinkproc_dataproc::{Cluster, ClusterApi, GoogleDataproc, wait_gone};
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::App;
use crate::args::{Cluster as Args, ClusterCommand, PlaceArgs};
use crate::clients::{self, Endpoints};
use crate::clock::SystemClock;
use crate::commands::session;
use crate::error::AppError;
use crate::gcloud::GcloudConfiguration;
use crate::report::Problem;
use crate::report::progress::word;
use crate::sandbox::{self, Shelf};

/// How long a deletion is waited for; the service takes a minute or two.
const DELETION: Span = Span::from_secs(30 * 60);

/// Runs one of the sub-verbs.
pub(crate) async fn run(app: &App, args: &Args) -> Result<u8, Problem> {
    match &args.command {
        ClusterCommand::List { place, filter } => {
            let api = open(app, place).await?;
            list(app, &api, place, filter).await
        }
        ClusterCommand::Describe { name, place } => {
            let api = open(app, place).await?;
            describe(app, &api, &named(app, name, place)?).await
        }
        ClusterCommand::Delete { name, place } => {
            let cluster = named(app, name, place)?;
            delete(app, &open(app, place).await?, &cluster).await?;
            if app.stdio.json() {
                app.stdio.json_result(&json!({ "deleted": cluster.name }));
            }
            Ok(0)
        }
        ClusterCommand::Session(command) => session::run(app, command).await,
    }
}

async fn open(app: &App, place: &PlaceArgs) -> Result<GoogleDataproc, Problem> {
    Ok(clients::dataproc(&endpoints(app, place)?).await?)
}

async fn list(
    app: &App,
    api: &GoogleDataproc,
    place: &PlaceArgs,
    filter: &str,
) -> Result<u8, Problem> {
    let (project, region) = find_place(app, place)?;
    let mut clusters = api.list(&project, &region, filter).await?;
    clusters.sort_by(|a, b| a.cluster.name.cmp(&b.cluster.name));
    if app.stdio.json() {
        let resources: Vec<_> = clusters.iter().map(|cluster| &cluster.resource).collect();
        app.stdio.json_result(&resources);
        return Ok(0);
    }
    let mut text = format!(
        "{:<40} {:<12} {:<20} DEPLOYMENT\n",
        "CLUSTER", "STATE", "IMAGE"
    );
    for cluster in &clusters {
        let deployment = cluster.labels.get("flinkproc").map_or("-", String::as_str);
        let image = cluster.image.as_deref().unwrap_or("-");
        let state = word(&cluster.state);
        let _ = writeln!(
            text,
            "{:<40} {state:<12} {image:<20} {deployment}",
            cluster.cluster.name
        );
    }
    app.stdio.result(&text);
    Ok(0)
}

async fn describe(app: &App, api: &GoogleDataproc, wanted: &ClusterRef) -> Result<u8, Problem> {
    let cluster = get(api, wanted).await?;
    if app.stdio.json() {
        app.stdio.json_result(&cluster.resource);
        return Ok(0);
    }
    let mut text = String::new();
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<10} {value}");
    };
    row("name", cluster.cluster.name.as_str());
    row("uuid", cluster.uuid.as_str());
    row("state", &word(&cluster.state));
    for (name, value) in [
        ("detail", &cluster.detail),
        ("since", &cluster.state_since),
        ("image", &cluster.image),
    ] {
        if let Some(value) = value {
            row(name, value);
        }
    }
    if let Some(zone) = &cluster.zone {
        row("zone", zone.as_str());
    }
    row("masters", &cluster.masters.join(" "));
    row("workers", &cluster.workers.join(" "));
    for (key, value) in &cluster.labels {
        row("label", &format!("{key}={value}"));
    }
    app.stdio.result(&text);
    Ok(0)
}

/// Deletes a cluster and waits until it is gone.
pub(crate) async fn delete(
    app: &App,
    api: &GoogleDataproc,
    wanted: &ClusterRef,
) -> Result<(), Problem> {
    let cluster = get(api, wanted).await?;
    let request: RequestId =
        Uuid::new_v4()
            .to_string()
            .parse()
            .map_err(|error| AppError::Defect {
                what: format!("a request id: {error}"),
            })?;
    if let Some(operation) = api
        .start_delete(wanted, Some(&cluster.uuid), &request)
        .await?
    {
        app.stdio.tell(&format!("deleting {}", wanted.name));
        let deadline = SystemClock
            .now()
            .checked_add(DELETION.as_duration())
            .unwrap_or(Timestamp::MAX);
        wait_gone(
            api,
            &SystemClock,
            wanted,
            Some(&cluster.uuid),
            Some(&operation),
            deadline,
        )
        .await?;
    }
    if !app.stdio.json() {
        app.stdio.result(&format!("{} is gone", wanted.name));
    }
    Ok(())
}

async fn get(api: &GoogleDataproc, wanted: &ClusterRef) -> Result<Cluster, Problem> {
    let missing = || AppError::UnknownCluster {
        name: wanted.name.to_string(),
        region: wanted.region.to_string(),
    };
    Ok(api.find(wanted).await?.ok_or_else(missing)?)
}

pub(crate) fn named(app: &App, name: &str, place: &PlaceArgs) -> Result<ClusterRef, Problem> {
    let (project, region) = find_place(app, place)?;
    let name = parse(name, "cluster name")?;
    Ok(ClusterRef {
        project,
        region,
        name,
    })
}

/// Where a region's clusters are asked for: in a sandbox where one is meant.
pub(crate) fn endpoints(app: &App, place: &PlaceArgs) -> Result<Endpoints, AppError> {
    let Some(name) = &place.sandbox else {
        return Endpoints::from_environment(&app.environment);
    };
    let name = match name.as_str() {
        "" => sandbox::DEFAULT,
        name => name,
    };
    let running = Shelf::new(app)?.running(name)?;
    let record = running.ok_or_else(|| AppError::NoSandbox {
        name: name.to_owned(),
    })?;
    record.endpoints()
}

/// Project and region from flags, environment and gcloud's configuration, in this order; a sandbox has its own.
pub(crate) fn find_place(app: &App, place: &PlaceArgs) -> Result<(ProjectId, Region), Problem> {
    let gcloud = GcloudConfiguration::read(&app.environment);
    let text = |name| app.environment.text(name).map(str::to_owned);
    let project = place.project.clone().or_else(|| text("FLINKPROC_PROJECT"));
    let project = project
        .or_else(|| text("GOOGLE_CLOUD_PROJECT"))
        .or(gcloud.project);
    let region = place
        .region
        .clone()
        .or_else(|| text("FLINKPROC_REGION"))
        .or(gcloud.region);
    let own = |name: &str| place.sandbox.as_ref().map(|_| name.to_owned());
    let project = project.or_else(|| own(sandbox::PROJECT));
    let region = region.or_else(|| own(sandbox::REGION));
    let missing = |what, how| AppError::Missing { what, how };
    let project = project.ok_or_else(|| {
        missing(
            "project",
            "give it with --project, FLINKPROC_PROJECT or `gcloud config set project`",
        )
    })?;
    let region = region.ok_or_else(|| {
        missing(
            "region",
            "give it with --region, FLINKPROC_REGION or `gcloud config set dataproc/region`",
        )
    })?;
    Ok((parse(&project, "project")?, parse(&region, "region")?))
}

fn parse<T>(text: &str, what: &'static str) -> Result<T, AppError>
where
    T: std::str::FromStr<Err = flinkproc_core::InvalidName>,
{
    text.parse()
        .map_err(|error: flinkproc_core::InvalidName| AppError::Argument {
            text: text.to_owned(),
            what,
            how: error.rule.to_owned(),
        })
}
