//! From a request to a plan: every open choice is made here, and every one that nobody wrote is noted.

use std::fmt::Display;

use flinkproc_core::{GcsUri, ImageVersion, Span};

use crate::files::in_folder;
use crate::interpolate::Variables;
use crate::place::At;
use crate::plan::{
    DefaultTaken, IdentityPlan, OnFailure, OnInterrupt, Plan, SpecSource, SshPlan, WatchPlan,
};
use crate::plan_error::PlanError;
use crate::request::DeployRequest;
use crate::spec::{AccessSpec, Spec};

mod archives;
mod cluster;
mod cluster_file;
mod containers;
mod flink_keys;
mod image;
mod job;
mod method;
mod python;
mod resource;
mod session;
mod staging;
mod variables;

/// The format of plans that this version writes and reads.
pub const PLAN_FORMAT: u32 = 1;

/// Where a value came from that the code has.
const BUILT_IN: &str = "built-in";

/// Decides a deployment to the last value, or says why it cannot be.
///
/// It is pure: the same request gives the same plan.
///
/// # Errors
/// On the first thing that cannot be carried out. Nothing was created then.
pub fn plan_deployment(request: &DeployRequest) -> Result<Plan, PlanError> {
    let mut draft = Draft::new(request);
    job::check_entry(&draft)?;
    let file = cluster_file::read(&draft)?;
    let image = image::choose(&mut draft, &file)?;
    let watch = watch(&mut draft)?;
    let params = Variables::of_params(&draft.spec().params, &request.params)?;
    let home = staging::home(&mut draft)?;
    let variables = params
        .with("deployment", request.deployment.as_str())
        .with("staging", home.to_string().trim_end_matches('/'));
    let method = method::choose(&mut draft, &image)?;
    let python = python::choose(&mut draft, &image, &method, &home)?;
    let additions = cluster::Additions {
        components: method.facts.map_or(&[], |facts| facts.components),
        action: python.action.as_ref().map(|text| &text.to),
    };
    let cluster = cluster::plan(&mut draft, file, &image, watch.deadline, &additions)?;
    let mut staged = staging::Staged::new(&draft, home);
    let chosen = job::Chosen {
        image: &image.runs,
        method: &method,
        python: &python,
        project: &cluster.cluster.project,
    };
    let job = job::plan(&mut draft, &chosen, &variables, &mut staged)?;
    staged.add_inputs(&variables)?;
    let ssh = ssh(&mut draft, watch.deadline, method.access)?;
    draft.note_outside();
    Ok(Plan {
        format: PLAN_FORMAT,
        deployment: request.deployment.clone(),
        run_key: request.run_key.clone(),
        spec: SpecSource::new(request.spec.name(), request.spec.text()),
        cluster,
        staging: staged.into_plan(python),
        job,
        ssh,
        watch,
        defaults: draft.defaults,
        warnings: draft.warnings,
    })
}

impl Plan {
    /// Whether everything that a run needs has a place; ask before it starts.
    ///
    /// # Errors
    /// When `job.packages` were not resolved to jars as the plan was made.
    pub fn check_resolved(&self) -> Result<(), PlanError> {
        match self.job.unresolved.as_slice() {
            [] => Ok(()),
            names => Err(PlanError::PackagesUnresolved {
                names: names.to_vec(),
            }),
        }
    }

    /// The plan as a file holds it.
    ///
    /// # Errors
    /// Never for a plan that was made here; JSON's writer has the error.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// Reads a plan file.
    ///
    /// # Errors
    /// When the text is no plan, or one of another format.
    pub fn from_json(text: &str) -> Result<Self, PlanError> {
        let wrong = |problem: String| PlanError::PlanFile { problem };
        let value: serde_json::Value =
            serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        match value.get("format").and_then(serde_json::Value::as_u64) {
            Some(format) if format == u64::from(PLAN_FORMAT) => {}
            Some(format) => {
                return Err(wrong(format!("its format is {format}, not {PLAN_FORMAT}")));
            }
            None => return Err(wrong("it has no `format`".to_owned())),
        }
        serde_json::from_value(value).map_err(|error| wrong(error.to_string()))
    }
}

/// The image that was asked for and the one that runs.
#[derive(Clone, Debug)]
pub(crate) struct ChosenImage {
    pub(crate) runs: ImageVersion,
    pub(crate) requested: Option<ImageVersion>,
}

/// A plan in the making: the request, and what was decided beside it.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    pub(crate) request: &'a DeployRequest,
    pub(crate) defaults: Vec<DefaultTaken>,
    pub(crate) warnings: Vec<String>,
}

impl<'a> Draft<'a> {
    const fn new(request: &'a DeployRequest) -> Self {
        Self {
            request,
            defaults: Vec::new(),
            warnings: Vec::new(),
        }
    }

    pub(crate) const fn spec(&self) -> &'a Spec {
        &self.request.spec.spec
    }

    pub(crate) fn at(&self, key: &str) -> At {
        self.request.spec.at(key)
    }

    /// What was written, or else a value of ours, which is noted.
    pub(crate) fn or_built_in<T: Display>(&mut self, key: &str, written: Option<T>, ours: T) -> T {
        self.or(key, written, || (ours, BUILT_IN.to_owned()))
    }

    /// What was written, or else a value and its source, which are noted.
    pub(crate) fn or<T: Display>(
        &mut self,
        key: &str,
        written: Option<T>,
        other: impl FnOnce() -> (T, String),
    ) -> T {
        written.unwrap_or_else(|| {
            let (value, source) = other();
            self.note(key, &value, source);
            value
        })
    }

    pub(crate) fn note(&mut self, key: &str, value: impl Display, source: impl Into<String>) {
        self.defaults.push(DefaultTaken {
            key: key.to_owned(),
            value: value.to_string(),
            source: source.into(),
        });
    }

    pub(crate) fn warn(&mut self, text: impl Into<String>) {
        self.warnings.push(text.into());
    }

    /// Notes every value that the environment or something outside gave, and sorts all by key.
    fn note_outside(&mut self) {
        for given in self.request.spec.outside_values() {
            self.note(&given.key, &given.value, given.source.to_string());
        }
        self.defaults.sort_by(|a, b| a.key.cmp(&b.key));
        // A value that was given outside and then not used was noted where it was passed over.
        self.defaults
            .dedup_by(|later, first| later.key == first.key);
    }
}

/// A `gs://` address.
pub(crate) fn address(at: impl FnOnce() -> At, text: &str) -> Result<GcsUri, PlanError> {
    text.parse().map_err(|error| PlanError::name(at(), &error))
}

fn watch(draft: &mut Draft<'_>) -> Result<WatchPlan, PlanError> {
    let written = &draft.spec().watch;
    let deadline = draft.or_built_in(
        "watch.deadline",
        written.deadline,
        Span::from_secs(6 * 3600),
    );
    let (lowest, highest) = (Span::from_secs(60), Span::from_secs(14 * 86_400));
    if !(lowest..=highest).contains(&deadline) {
        return Err(PlanError::OutOfBounds {
            at: draft.at("watch.deadline"),
            value: deadline,
            lowest,
            highest,
        });
    }
    let on_failure = written.on_failure.unwrap_or_else(|| {
        draft.note("watch.on_failure", "delete", BUILT_IN);
        OnFailure::Delete
    });
    let on_interrupt = written.on_interrupt.unwrap_or_else(|| {
        draft.note("watch.on_interrupt", "delete", BUILT_IN);
        OnInterrupt::Delete
    });
    Ok(WatchPlan {
        deadline,
        on_failure,
        on_interrupt,
    })
}

/// An hour, which is what keys and clusters outlive the deadline by.
pub(crate) const GRACE: u64 = 3600;

fn ssh(draft: &mut Draft<'_>, deadline: Span, access: AccessSpec) -> Result<SshPlan, PlanError> {
    let request = draft.request;
    let written = &draft.spec().ssh;
    if access == AccessSpec::Never {
        // Nobody enters: these are not asked for, and not noted.
        return Ok(SshPlan {
            user: request.login_user.clone(),
            port: 22,
            identity: IdentityPlan::Ephemeral,
            key_ttl: deadline,
            access,
            config: false,
        });
    }
    let user = draft.or("ssh.user", written.user.clone(), || {
        let source = "the user who runs flinkproc".to_owned();
        (request.login_user.clone(), source)
    });
    let port = match (&request.sandbox, written.port) {
        // The sandbox's SSH server is where it could be bound, whatever the spec says for Dataproc.
        (Some(sandbox), _) => {
            draft.note("ssh.port", sandbox.ssh_port, "sandbox");
            sandbox.ssh_port
        }
        (None, written) => draft.or_built_in("ssh.port", written, 22),
    };
    let identity = draft.or_built_in(
        "ssh.identity",
        written.identity.clone(),
        "ephemeral".to_owned(),
    );
    let identity = match identity.as_str() {
        "ephemeral" => IdentityPlan::Ephemeral,
        "agent" => IdentityPlan::Agent,
        path => {
            let path = in_folder(&request.folder, path);
            let at = draft.at("ssh.identity");
            staging::look_at(request, at, &path, staging::Demand::Any)?;
            IdentityPlan::File(path)
        }
    };
    let longest = Span::from_secs(deadline.as_secs() + GRACE);
    let key_ttl = draft.or("ssh.key_ttl", written.key_ttl, || {
        (longest, "watch.deadline and an hour".to_owned())
    });
    if key_ttl < deadline && identity == IdentityPlan::Ephemeral {
        draft.warn(format!(
            "ssh.key_ttl ({key_ttl}) is shorter than the deadline ({deadline}): a connection that drops after it cannot be made again"
        ));
    }
    let config = draft.or_built_in("ssh.config", written.config, false);
    Ok(SshPlan {
        user,
        port,
        identity,
        key_ttl,
        access,
        config,
    })
}

#[cfg(test)]
mod tests;
