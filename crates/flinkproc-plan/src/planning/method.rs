//! How the job is handed over, and whether somebody enters the master for it.

use flinkproc_core::{FlinkVersion, ImageVersion, YarnMode};

use super::{ChosenImage, Draft, image};
use crate::methods::{self, MethodFacts};
use crate::plan_error::PlanError;
use crate::spec::AccessSpec;
use crate::spec_error::nearest;

/// The method that a job gets where nobody enters the master and none is named: it needs no component.
const WITHOUT_SSH: &str = "hadoop";

/// The first patch of each image line that takes Dataproc's Flink jobs.
const FLINK_JOBS_SINCE: [(&str, u32); 2] = [("2.0", 71), ("2.1", 19)];

/// What is allowed by `job.experimental`.
const EXPERIMENTS: [&str; 1] = ["native"];

/// The method, and the way to the master.
#[derive(Clone, Debug)]
pub(super) struct ChosenMethod {
    pub(super) name: String,
    /// None for a method of the caller's.
    pub(super) facts: Option<&'static MethodFacts>,
    pub(super) access: AccessSpec,
}

impl ChosenMethod {
    /// Whether Dataproc runs `flink` itself, without the launcher.
    pub(super) fn is_native(&self) -> bool {
        self.facts.is_some_and(|facts| !facts.uses_launcher)
    }

    /// Whether the launcher copies what it writes to the bucket.
    pub(super) fn mirrors(&self) -> bool {
        self.facts
            .is_none_or(|facts| facts.uses_launcher && !facts.needs_ssh)
    }
}

pub(super) fn choose(
    draft: &mut Draft<'_>,
    image: &ChosenImage,
) -> Result<ChosenMethod, PlanError> {
    let job = &draft.spec().job;
    if let Some((index, unknown)) = job
        .experimental
        .iter()
        .enumerate()
        .find(|(_, name)| !EXPERIMENTS.contains(&name.as_str()))
    {
        return Err(PlanError::Invalid {
            at: draft.at(&format!("job.experimental[{index}]")),
            value: unknown.clone(),
            problem: format!("the experiments are `{}`", EXPERIMENTS.join("`, `")),
        });
    }
    let access = access(draft);
    let method = named(draft, access)?;
    if access == AccessSpec::Never {
        if method.facts.is_some_and(|facts| facts.needs_ssh) {
            return Err(PlanError::Incompatible {
                first: format!("job.method {}", method.name),
                second: "ssh.access never".to_owned(),
                reason: "this method enters the master".to_owned(),
                fix: "Take one of the methods `pig`, `pyspark` and `hadoop`, or allow SSH."
                    .to_owned(),
            });
        }
        draft.warn("ssh.access is never: state, output and logs come through the Jobs API and the bucket, a few seconds late; the web pages of YARN and Flink cannot be forwarded");
    }
    let mode = image::mode(draft, &image.runs);
    if method.is_native() {
        native(draft, image, mode)?;
    }
    match method.name.as_str() {
        "pyspark" => draft.warn("job.method is pyspark: the job's wrapper is a Spark driver that does nothing but wait; it held 124 MB on the master beside Flink's client when it was measured, and took no YARN container"),
        "pig" if draft.spec().cluster.existing.is_some()
            && image.runs.installs_components_at_create() =>
        {
            draft.warn(format!(
                "job.method is pig: image {} has Pig only as a component, so the existing cluster must have been made with PIG",
                image.runs
            ));
        }
        _ => {}
    }
    Ok(method)
}

fn access(draft: &mut Draft<'_>) -> AccessSpec {
    match (&draft.request.sandbox, draft.spec().ssh.access) {
        // Everything on this machine is inside its network.
        (Some(_), None) => {
            draft.note("ssh.access", AccessSpec::Internal, "sandbox");
            AccessSpec::Internal
        }
        (_, written) => draft.or_built_in("ssh.access", written, AccessSpec::Auto),
    }
}

fn named(draft: &mut Draft<'_>, access: AccessSpec) -> Result<ChosenMethod, PlanError> {
    let written = draft.spec().job.method.clone();
    let name = draft.or("job.method", written, || {
        if access == AccessSpec::Never {
            (WITHOUT_SSH.to_owned(), "ssh.access is never".to_owned())
        } else {
            ("ssh".to_owned(), super::BUILT_IN.to_owned())
        }
    });
    let facts = methods::find(&name);
    if facts.is_none() && !draft.request.methods.contains(&name) {
        let known = methods::ALL.iter().map(|facts| facts.name.to_owned());
        let known: Vec<String> = known.chain(draft.request.methods.iter().cloned()).collect();
        return Err(PlanError::UnknownMethod {
            at: draft.at("job.method"),
            nearest: nearest(&name, known.iter().map(String::as_str)),
            name,
            known,
        });
    }
    Ok(ChosenMethod {
        name,
        facts,
        access,
    })
}

/// What Dataproc's own Flink job cannot do is refused; what nobody confirmed is said.
fn native(draft: &mut Draft<'_>, image: &ChosenImage, mode: YarnMode) -> Result<(), PlanError> {
    let refuse = |second: String, reason: &str, fix: &str| {
        Err(PlanError::Incompatible {
            first: "job.method native".to_owned(),
            second,
            reason: reason.to_owned(),
            fix: fix.to_owned(),
        })
    };
    let other = "Take another method: `ssh`, `pig`, `pyspark` or `hadoop`.";
    if !draft
        .spec()
        .job
        .experimental
        .iter()
        .any(|name| name == "native")
    {
        return refuse(
            "an empty job.experimental".to_owned(),
            "Dataproc runs `flink` itself: outside the launcher, so nothing promises that an attempt starts only once, that arguments arrive as they are, or that the exit status is true",
            "Write `experimental = [\"native\"]` in `[job]` to allow it, or take another method.",
        );
    }
    if mode == YarnMode::Session {
        return refuse(
            "job.mode session".to_owned(),
            "Dataproc's Flink job has no way to name a session",
            other,
        );
    }
    if !draft.spec().job.secrets.is_empty() {
        return refuse(
            "job.secrets".to_owned(),
            "the launcher fetches secrets, and Dataproc's Flink job has none",
            other,
        );
    }
    let asked = image.requested.as_ref().unwrap_or(&image.runs);
    if let Some((since, has)) = too_old(asked) {
        return refuse(
            format!("image {asked}"),
            &format!(
                "Flink jobs came with {}.{since}, and this is patch {has}",
                asked.line()
            ),
            "Name a later image, or take another method.",
        );
    }
    draft.warn("job.method is native: Google labels it a preview, and it is not confirmed that it runs PyFlink");
    if image.runs.flink() >= FlinkVersion::new(2, 0) {
        draft.warn("job.method is native: what Dataproc's Flink job does on images with Flink 2 is not confirmed");
    }
    if !draft.spec().job.env.is_empty() {
        draft.warn("job.method is native: job.env reaches Flink's containers by its configuration, and not a program that runs on the master");
    }
    Ok(())
}

/// The first patch of the image's line that takes Flink jobs and the image's own, where that is earlier.
fn too_old(image: &ImageVersion) -> Option<(u32, u32)> {
    let (_, since) = FLINK_JOBS_SINCE
        .iter()
        .find(|(line, _)| *line == image.line())?;
    let patch = image.as_str().strip_prefix(image.line())?;
    let patch = patch.strip_prefix('.')?.split('-').next()?;
    let patch = patch.parse().ok()?;
    (patch < *since).then_some((*since, patch))
}
