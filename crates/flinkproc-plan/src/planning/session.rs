//! The session that a job in session mode goes into.

use std::collections::BTreeMap;

use flinkproc_core::{ByteSize, ImageVersion, YarnMode};

use super::containers::{self, Containers};
use super::{Draft, flink_keys};
use crate::plan::{SessionLifetime, SessionPlan};
use crate::plan_error::PlanError;
use crate::spec::SessionSpec;

/// Decides the session; there is one exactly in session mode.
pub(super) fn plan(
    draft: &mut Draft<'_>,
    image: &ImageVersion,
    mode: YarnMode,
) -> Result<Option<SessionPlan>, PlanError> {
    let spec = &draft.spec().session;
    if mode != YarnMode::Session {
        if *spec != SessionSpec::default() {
            draft.warn(format!(
                "[session] says something, and the job runs in {mode} mode: it is not used"
            ));
        }
        return Ok(None);
    }
    job_has_none_of_it(draft)?;
    let lifetime = spec.lifetime.unwrap_or_else(|| {
        draft.note("session.lifetime", "deployment", super::BUILT_IN);
        SessionLifetime::Deployment
    });
    let name = match (&spec.name, lifetime) {
        (Some(name), _) => name.clone(),
        (None, SessionLifetime::Keep) => {
            return Err(PlanError::Missing {
                key: "session.name",
                how: "Name the session that is to stay, so that the next job finds it.".to_owned(),
            });
        }
        (None, SessionLifetime::Deployment) => {
            let id = draft.request.deployment.to_string();
            draft.note("session.name", &id, "the deployment's id");
            id
        }
    };
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > 63 || !name.chars().all(plain) {
        return Err(PlanError::Invalid {
            at: draft.at("session.name"),
            value: name,
            problem: "it has 1 to 63 lower-case letters, digits and hyphens".to_owned(),
        });
    }
    if lifetime == SessionLifetime::Keep && draft.spec().cluster.existing.is_none() {
        draft.warn(format!(
            "session.lifetime is keep, and the cluster is made for this deployment: the session {name} ends with it"
        ));
    } else if lifetime == SessionLifetime::Keep {
        draft.warn(format!(
            "session.lifetime is keep: the session {name} goes on after the job, and while it runs Dataproc does not count the cluster as idle"
        ));
    }
    let mut flink_config = BTreeMap::new();
    for (key, value) in spec.flink_config.iter() {
        flink_config.insert(key.clone(), value.clone());
    }
    let wishes = Containers {
        section: "session",
        jobmanager_memory: spec.jobmanager_memory,
        taskmanager_memory: spec.taskmanager_memory,
        slots: spec.slots,
        queue: spec.queue.as_deref(),
        node_label: spec.node_label.as_deref(),
        application_type: None,
    };
    containers::set(draft, &wishes, &mut flink_config)?;
    let keys = flink_config.keys().map(String::as_str);
    flink_keys::check_keys(draft, "session.flink_config", image.flink(), keys);
    super::job::check_config(draft, "session.flink_config", &flink_config)?;
    Ok(Some(SessionPlan {
        tag: format!("flinkproc-session-{name}"),
        name,
        lifetime,
        flink_config,
    }))
}

/// A job in a session gets the session's containers: a wish of its own would do nothing.
fn job_has_none_of_it(draft: &Draft<'_>) -> Result<(), PlanError> {
    let job = &draft.spec().job;
    let size = |size: Option<ByteSize>| size.map(|size| size.to_string());
    let written = [
        ("jobmanager_memory", size(job.jobmanager_memory)),
        ("taskmanager_memory", size(job.taskmanager_memory)),
        ("slots", job.slots.map(|slots| slots.to_string())),
        ("queue", job.queue.clone()),
        ("node_label", job.node_label.clone()),
        ("application_type", job.application_type.clone()),
    ];
    let Some((key, _)) = written.iter().find(|(_, value)| value.is_some()) else {
        return Ok(());
    };
    let fix = if *key == "application_type" {
        "Remove it.".to_owned()
    } else {
        format!("Write `{key}` in `[session]`; it holds when this deployment starts the session.")
    };
    Err(PlanError::Incompatible {
        first: format!("job.{key}"),
        second: "job.mode session".to_owned(),
        reason: "a job in a session runs in the session's containers".to_owned(),
        fix,
    })
}
