//! The cluster: which one, for how long, and the resource that makes it.

use flinkproc_core::{ClusterName, ClusterRef, GcsUri, ProjectId, Region, Span, Zone};
use serde_json::Value;

use super::cluster_file::ClusterFile;
use super::{ChosenImage, Draft, GRACE, resource};
use crate::place::Source;
use crate::plan::ClusterPlan;
use crate::plan_error::PlanError;

/// What a made cluster's name starts with when nobody says.
const DEFAULT_PREFIX: &str = "flink";

/// Room for the suffix of a second try, `-r2`, within the service's 52 characters.
const LONGEST_NAME: usize = 49;

const MINUTE: u64 = 60;
const DAY: u64 = 86_400;

/// What method and Python add to a cluster that is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Additions<'a> {
    /// Components that the method needs where the image does not bring them.
    pub(super) components: &'a [&'a str],
    /// The script that makes the job's Python on every machine.
    pub(super) action: Option<&'a GcsUri>,
}

pub(super) fn plan(
    draft: &mut Draft<'_>,
    file: ClusterFile,
    image: &ChosenImage,
    deadline: Span,
    additions: &Additions<'_>,
) -> Result<ClusterPlan, PlanError> {
    let zone = zone(draft, &file)?;
    let project = project(draft)?;
    let region = region(draft, zone.as_ref())?;
    let zone = zone_in_region(draft, zone, &region)?;
    let (name, ours) = name(draft)?;
    let cluster = ClusterRef {
        project,
        region,
        name,
    };
    let max_idle = max_idle(draft, &file)?;
    let max_age = max_age(draft, &file, deadline)?;
    let resource = if ours {
        let parts = resource::Parts {
            cluster: &cluster,
            zone: zone.as_ref(),
            image: &image.runs,
            max_idle,
            max_age,
            additions,
        };
        resource::build(draft, file, &parts)?
    } else {
        Value::Object(serde_json::Map::new())
    };
    Ok(ClusterPlan {
        cluster,
        zone,
        image: image.runs.clone(),
        requested_image: image.requested.clone(),
        ours,
        resource,
        max_idle,
        max_age,
    })
}

fn project(draft: &mut Draft<'_>) -> Result<ProjectId, PlanError> {
    if let Some(project) = &draft.spec().cluster.project {
        return Ok(project.clone());
    }
    let how =
        "Name the project with `--project`, in `[cluster]`, or with `gcloud config set project`.";
    sandbox_value(draft, "cluster.project", "flinkproc-sandbox", how)
}

fn region(draft: &mut Draft<'_>, zone: Option<&Zone>) -> Result<Region, PlanError> {
    let key = "cluster.region";
    if let Some(region) = &draft.spec().cluster.region {
        return Ok(region.clone());
    }
    let of_zone = zone.and_then(|zone| zone.as_str().rsplit_once('-')?.0.parse::<Region>().ok());
    if let Some(region) = of_zone {
        draft.note(key, &region, "cluster.zone");
        return Ok(region);
    }
    let how = "Name the region with `--region`, in `[cluster]`, or with `gcloud config set dataproc/region`.";
    sandbox_value(draft, key, "local-sandbox1", how)
}

/// A value that Google Cloud must be told and the sandbox has of its own.
fn sandbox_value<T: std::str::FromStr + std::fmt::Display>(
    draft: &mut Draft<'_>,
    key: &'static str,
    value: &str,
    how: &str,
) -> Result<T, PlanError> {
    let sandboxed = draft.request.sandbox.is_some();
    let value = sandboxed.then(|| value.parse::<T>().ok()).flatten();
    let value = value.ok_or_else(|| PlanError::Missing {
        key,
        how: how.to_owned(),
    })?;
    draft.note(key, &value, "sandbox");
    Ok(value)
}

fn zone(draft: &Draft<'_>, file: &ClusterFile) -> Result<Option<Zone>, PlanError> {
    let in_file = file.text(&["config", "gceClusterConfig", "zoneUri"]);
    let in_file = in_file.map(|uri| crate::files::file_name(uri).to_owned());
    // The file is more particular than whatever gcloud has set, and less than the spec.
    let written = draft.spec().cluster.zone.clone();
    let outside = matches!(
        draft.request.spec.source("cluster.zone"),
        Some(Source::Outside(_))
    );
    let text = match (written, in_file) {
        (Some(_), Some(in_file)) if outside => Some(in_file),
        (None, in_file) => in_file,
        (written, _) => written,
    };
    match text.as_deref() {
        None | Some("auto" | "") => Ok(None),
        Some(text) => text
            .parse()
            .map(Some)
            .map_err(|error| PlanError::name(draft.at("cluster.zone"), &error)),
    }
}

/// A zone outside the region is a mistake where the user wrote it, and nothing where gcloud happens to have it set.
fn zone_in_region(
    draft: &mut Draft<'_>,
    zone: Option<Zone>,
    region: &Region,
) -> Result<Option<Zone>, PlanError> {
    let key = "cluster.zone";
    match zone {
        Some(zone)
            if zone
                .as_str()
                .rsplit_once('-')
                .is_some_and(|(of, _)| of == region.as_str()) =>
        {
            Ok(Some(zone))
        }
        Some(zone) => match draft.request.spec.source(key) {
            Some(Source::Outside(outside)) => {
                let source = format!("{zone} of the {outside} is not in {region}");
                draft.note(key, "auto", source);
                Ok(None)
            }
            _ => Err(PlanError::Invalid {
                at: draft.at(key),
                value: zone.to_string(),
                problem: format!("it is not in the region {region}"),
            }),
        },
        None => {
            if draft.spec().cluster.zone.is_none() {
                draft.note(key, "auto", super::BUILT_IN);
            }
            Ok(None)
        }
    }
}

fn name(draft: &mut Draft<'_>) -> Result<(ClusterName, bool), PlanError> {
    let spec = &draft.spec().cluster;
    let written = [
        ("cluster.name", &spec.name),
        ("cluster.prefix", &spec.prefix),
        ("cluster.existing", &spec.existing),
    ];
    let mut written = written
        .iter()
        .filter(|(_, name)| name.is_some())
        .map(|(key, _)| *key);
    if let (Some(first), Some(second)) = (written.next(), written.next()) {
        return Err(PlanError::Conflict {
            first: first.to_owned(),
            second: second.to_owned(),
        });
    }
    if let Some(existing) = &spec.existing {
        return Ok((existing.clone(), false));
    }
    let (key, name) = match (&spec.name, &spec.prefix) {
        (Some(name), _) => ("cluster.name", name.to_string()),
        (None, prefix) => {
            let prefix = prefix.as_ref().map(ToString::to_string);
            let prefix = draft.or_built_in("cluster.prefix", prefix, DEFAULT_PREFIX.to_owned());
            (
                "cluster.prefix",
                format!("{prefix}-{}", draft.request.deployment),
            )
        }
    };
    if name.len() > LONGEST_NAME {
        return Err(PlanError::Invalid {
            at: draft.at(key),
            problem: format!(
                "the cluster's name has {} characters; Dataproc takes 52, of which 3 are kept for a second try",
                name.len()
            ),
            value: name,
        });
    }
    let name = name
        .parse::<ClusterName>()
        .map_err(|error| PlanError::name(draft.at(key), &error))?;
    Ok((name, true))
}

/// The time after which Dataproc ends an idle cluster.
fn max_idle(draft: &mut Draft<'_>, file: &ClusterFile) -> Result<Span, PlanError> {
    let key = "cluster.max_idle";
    let written = draft.spec().cluster.max_idle;
    let in_file = lifecycle(file, "idleDeleteTtl");
    let span = match written.or(in_file) {
        Some(span) => span,
        None => draft.or_built_in(key, None, Span::from_secs(30 * MINUTE)),
    };
    bounds(draft, key, span, 5 * MINUTE)?;
    if span < Span::from_secs(10 * MINUTE) {
        draft.warn(format!(
            "cluster.max_idle is {span}: below 10m the idle timer may end the cluster before the job has started"
        ));
    }
    Ok(span)
}

/// The age at which Dataproc ends the cluster whatever it does.
fn max_age(draft: &mut Draft<'_>, file: &ClusterFile, deadline: Span) -> Result<Span, PlanError> {
    let key = "cluster.max_age";
    let written = draft.spec().cluster.max_age;
    let in_file = lifecycle(file, "autoDeleteTtl");
    let span = match written.or(in_file) {
        Some(span) => span,
        None => {
            let span = (deadline.as_secs() + GRACE).clamp(10 * MINUTE, 14 * DAY);
            let source = "watch.deadline and an hour".to_owned();
            draft.or(key, None, || (Span::from_secs(span), source))
        }
    };
    bounds(draft, key, span, 10 * MINUTE)?;
    if span < deadline {
        draft.warn(format!(
            "cluster.max_age ({span}) is shorter than watch.deadline ({deadline}): Dataproc ends the cluster first"
        ));
    }
    Ok(span)
}

fn lifecycle(file: &ClusterFile, key: &str) -> Option<Span> {
    file.text(&["config", "lifecycleConfig", key])?.parse().ok()
}

fn bounds(draft: &Draft<'_>, key: &str, value: Span, lowest: u64) -> Result<(), PlanError> {
    let (lowest, highest) = (Span::from_secs(lowest), Span::from_secs(14 * DAY));
    if (lowest..=highest).contains(&value) {
        return Ok(());
    }
    Err(PlanError::OutOfBounds {
        at: draft.at(key),
        value,
        lowest,
        highest,
    })
}
