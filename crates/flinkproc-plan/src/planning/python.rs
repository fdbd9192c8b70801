//! Which Python runs the job: image → Flink → Python → wheels, decided before anything costs money.

use flinkproc_core::{FlinkVersion, GcsUri, ImageVersion, PythonVersion};
use serde_json::json;

use super::method::ChosenMethod;
use super::{ChosenImage, Draft, staging};
use crate::files::{in_folder, is_remote};
use crate::plan::{EnvironmentPlan, FileRole, PythonPlan, RemoteFile, TextPlan};
use crate::plan_error::PlanError;
use crate::request::sha256_hex;
use crate::spec::{BuilderSpec, EnvironmentSpec, PythonSpec};

mod on_cluster;
mod platform;
pub(super) mod requirements;

/// The shipped environment's name among the job's files.
const ARCHIVE: &str = "flinkproc-python.tar.gz";

/// The sandbox's property that makes machines without PyFlink.
const BARE: &str = "flinkproc-sandbox:python";

/// The Python of a job and what it takes to have it.
#[derive(Clone, Debug)]
pub(super) struct ChosenPython {
    pub(super) plan: PythonPlan,
    /// The shipped environment and its place among the job's files.
    pub(super) shipped: Option<(EnvironmentPlan, RemoteFile)>,
    /// The initialization action that makes it on every machine.
    pub(super) action: Option<TextPlan>,
}

impl ChosenPython {
    const fn plain(plan: PythonPlan) -> Self {
        Self {
            plan,
            shipped: None,
            action: None,
        }
    }
}

pub(super) fn choose(
    draft: &mut Draft<'_>,
    image: &ChosenImage,
    method: &ChosenMethod,
    home: &GcsUri,
) -> Result<ChosenPython, PlanError> {
    let spec = &draft.spec().python;
    let need = Need::of(draft, &image.runs);
    let environment = environment(draft, &need)?;
    match environment {
        EnvironmentSpec::Image => {
            of_image(draft, &need)?;
            Ok(ChosenPython::plain(PythonPlan::Image))
        }
        EnvironmentSpec::Shipped | EnvironmentSpec::Auto => {
            if method.is_native() {
                return Err(incompatible(
                    "job.method native",
                    "a shipped Python",
                    &format!(
                        "{}, and Dataproc's Flink job ships nothing with it",
                        need.story()
                    ),
                    "Take another method, or write `environment = \"cluster\"` in `[python]`.",
                ));
            }
            let version = version(draft, &need)?;
            let plan = shipped(draft, &need, version, home)?;
            let file = RemoteFile {
                from: plan.pointer.clone(),
                name: plan.name.clone(),
                sha256: None,
                role: FileRole::Environment,
            };
            Ok(ChosenPython {
                plan: PythonPlan::Shipped,
                shipped: Some((plan, file)),
                action: None,
            })
        }
        EnvironmentSpec::Cluster => {
            if let Some(path) = &spec.executable {
                if !path.starts_with('/') || path.contains(['\0', '\n', '#', ',']) {
                    return Err(PlanError::Invalid {
                        at: draft.at("python.executable"),
                        value: path.clone(),
                        problem: "it is an absolute path on every machine, without `#` and `,`"
                            .to_owned(),
                    });
                }
                return Ok(ChosenPython::plain(PythonPlan::OnCluster(path.clone())));
            }
            if draft.spec().cluster.existing.is_some() {
                return Err(incompatible(
                    "python.environment cluster",
                    "cluster.existing",
                    "it is made while a cluster is created",
                    "Name an interpreter that the cluster has, with `python.executable`, or write `environment = \"shipped\"`.",
                ));
            }
            let version = version(draft, &need)?;
            let action = on_cluster::action(draft, &need, version, home)?;
            draft.warn("python.environment is cluster: the initialization action that makes it was never run on Google's images; look at the cluster's output when it fails");
            Ok(ChosenPython {
                plan: PythonPlan::OnCluster(on_cluster::PYTHON.to_owned()),
                shipped: None,
                action: Some(action),
            })
        }
    }
}

/// In a sandbox: what Dataproc's own image would have meant for the Python.
pub(super) fn on_dataproc(draft: &mut Draft<'_>, image: &ImageVersion) {
    let need = Need::of(draft, image);
    let written = draft.spec().python.environment;
    let auto = matches!(written, None | Some(EnvironmentSpec::Auto));
    if auto && need.functions && !need.image_has {
        draft.warn(format!(
            "on Dataproc the job would get a shipped Python {}: {}",
            need.highest,
            need.story()
        ));
    } else if written == Some(EnvironmentSpec::Image)
        && let Err(error) = of_image(&mut Draft::new(draft.request), &need)
    {
        draft.warn(format!("on Dataproc this would be refused: {error}"));
    }
}

/// What the job needs and what the image brings.
pub(super) struct Need {
    image: ImageVersion,
    flink: FlinkVersion,
    python: PythonVersion,
    lowest: PythonVersion,
    highest: PythonVersion,
    /// Whether the image's Python can have PyFlink.
    image_has: bool,
    /// Whether the machines are said to have none all the same.
    bare: bool,
    functions: bool,
}

impl Need {
    fn of(draft: &Draft<'_>, image: &ImageVersion) -> Self {
        let flink = image.flink();
        let (lowest, highest) = flink.python_wheels();
        let spec = draft.spec();
        let property = spec.cluster.properties.get(BARE);
        let bare = image.is_sandbox() && property.is_some_and(|value| value == "bare");
        Self {
            image: image.clone(),
            flink,
            python: image.python(),
            lowest,
            highest,
            image_has: image.python_fits() && !bare,
            bare,
            functions: spec.job.python_functions != Some(false),
        }
    }

    /// Why the image's own Python does or does not do.
    fn story(&self) -> String {
        let Self {
            image,
            flink,
            python,
            lowest,
            highest,
            ..
        } = self;
        if self.bare {
            return format!("the machines of this sandbox have no PyFlink ({BARE} is bare)");
        }
        format!(
            "apache-flink {flink} has wheels for Python {lowest} to {highest}, and image {image} brings {python}"
        )
    }
}

/// Where the Python comes from.
fn environment(draft: &mut Draft<'_>, need: &Need) -> Result<EnvironmentSpec, PlanError> {
    let spec = &draft.spec().python;
    let written = spec.environment.filter(|one| *one != EnvironmentSpec::Auto);
    for (key, set) in [
        (
            "python.builder cluster",
            spec.builder == Some(BuilderSpec::Cluster),
        ),
        ("python.executable", spec.executable.is_some()),
    ] {
        let elsewhere = written.filter(|one| *one != EnvironmentSpec::Cluster);
        if let (true, Some(other)) = (set, elsewhere) {
            return Err(incompatible(
                key,
                &format!("python.environment {}", other.as_str()),
                "it is about a Python that is on the cluster",
                "Remove one of them, or write `environment = \"cluster\"`.",
            ));
        }
        if set && written.is_none() {
            draft.note("python.environment", "cluster", key);
            return Ok(EnvironmentSpec::Cluster);
        }
    }
    if spec
        .builder
        .is_some_and(|builder| builder != BuilderSpec::Cluster)
        && written == Some(EnvironmentSpec::Cluster)
    {
        return Err(incompatible(
            "python.builder",
            "python.environment cluster",
            "the cluster builds it",
            "Remove `builder`, or write `environment = \"shipped\"`.",
        ));
    }
    if let Some(written) = written {
        return Ok(written);
    }
    let config = &draft.spec().job.flink_config;
    let (chosen, why) = if config.contains_key("python.executable") {
        let why = "job.flink_config names the interpreter".to_owned();
        (EnvironmentSpec::Image, why)
    } else if let Some(key) = wants_own(spec) {
        (EnvironmentSpec::Shipped, key.to_owned())
    } else if spec.version.is_some_and(|version| version != need.python) {
        (EnvironmentSpec::Shipped, "python.version".to_owned())
    } else if need.image_has || !need.functions {
        (EnvironmentSpec::Image, need.story())
    } else {
        (EnvironmentSpec::Shipped, need.story())
    };
    draft.note("python.environment", chosen.as_str(), why);
    Ok(chosen)
}

/// The key that asks for packages, which the image's own Python does not get.
fn wants_own(spec: &PythonSpec) -> Option<&'static str> {
    if spec.lock.is_some() {
        Some("python.lock")
    } else if spec.requirements.is_some() {
        Some("python.requirements")
    } else {
        None
    }
}

/// Whether the image's own Python will do; without Python functions that is the user's risk.
fn of_image(draft: &mut Draft<'_>, need: &Need) -> Result<(), PlanError> {
    let spec = &draft.spec().python;
    if let Some(key) = wants_own(spec) {
        return Err(incompatible(
            key,
            "python.environment image",
            "packages go into a Python of the job's own",
            "Write `environment = \"shipped\"`, or let Flink install packages on the workers: `job.requirements`.",
        ));
    }
    if let Some(version) = spec.version.filter(|version| *version != need.python) {
        return Err(incompatible(
            &format!("python.version {version}"),
            "python.environment image",
            &format!("image {} brings Python {}", need.image, need.python),
            "Write `environment = \"shipped\"`, or remove the version.",
        ));
    }
    if need.image_has
        || draft
            .spec()
            .job
            .flink_config
            .contains_key("python.executable")
    {
        return Ok(());
    }
    if !need.functions {
        draft.warn(format!(
            "{}: without Python functions the job may run, by the Python files of Flink's own distribution; whether Dataproc's image keeps them is not confirmed",
            need.story()
        ));
        return Ok(());
    }
    Err(PlanError::PythonNotOnImage {
        image: need.image.clone(),
        python: need.python,
        flink: need.flink,
        lowest: need.lowest,
        highest: need.highest,
    })
}

/// The version of a Python of the job's own.
fn version(draft: &mut Draft<'_>, need: &Need) -> Result<PythonVersion, PlanError> {
    let fits = |version: PythonVersion| (need.lowest..=need.highest).contains(&version);
    let written = draft.spec().python.version;
    if let Some(version) = written.filter(|version| !fits(*version)) {
        return Err(PlanError::NoWheel {
            at: draft.at("python.version"),
            python: version,
            image: need.image.clone(),
            flink: need.flink,
            lowest: need.lowest,
            highest: need.highest,
        });
    }
    Ok(draft.or("python.version", written, || {
        if fits(need.python) {
            (need.python, format!("as image {} has", need.image))
        } else {
            let wheels = format!("the highest with a wheel of apache-flink {}", need.flink);
            (need.highest, wheels)
        }
    }))
}

fn shipped(
    draft: &mut Draft<'_>,
    need: &Need,
    python: PythonVersion,
    home: &GcsUri,
) -> Result<EnvironmentPlan, PlanError> {
    let spec = &draft.spec().python;
    let builder = match spec.builder {
        Some(builder) => builder.as_str().to_owned(),
        None => draft.or_built_in("python.builder", None, "auto".to_owned()),
    };
    let platform = platform::choose(draft, &need.image)?;
    let (requirements, lock) = packages(draft, need.flink)?;
    let index_url = index_url(draft)?;
    let content = json!({
        "python": python,
        "flink": need.flink,
        "platform": platform,
        "requirements": requirements,
        "lock": lock,
    });
    let key = sha256_hex(content.to_string().as_bytes());
    let place = |object: String| {
        GcsUri::new(home.bucket().clone(), object)
            .map_err(|error| PlanError::name(draft.at("staging.bucket"), &error))
    };
    Ok(EnvironmentPlan {
        python,
        flink: need.flink,
        platform,
        requirements,
        index_url,
        lock,
        builder,
        pointer: place(format!("flinkproc/env/by-request/{key}.json"))?,
        folder: place("flinkproc/env/".to_owned())?,
        key,
        name: ARCHIVE.to_owned(),
    })
}

/// The user's requirements and lock, checked.
fn packages(draft: &Draft<'_>, flink: FlinkVersion) -> Result<(String, Option<String>), PlanError> {
    let spec = &draft.spec().python;
    if spec.requirements.is_some() && spec.lock.is_some() {
        return Err(PlanError::Conflict {
            first: "python.requirements".to_owned(),
            second: "python.lock".to_owned(),
        });
    }
    let read = |key: &'static str, path: &Option<String>| match path {
        None => Ok(None),
        Some(path) => text(draft, key, path).map(Some),
    };
    let given = read("python.requirements", &spec.requirements)?;
    if let Some((path, text)) = &given {
        requirements::check(&draft.at("python.requirements"), path, text, flink)?;
    }
    let lock = read("python.lock", &spec.lock)?;
    if let Some((path, text)) = &lock {
        requirements::check_lock(&draft.at("python.lock"), path, text, flink)?;
    }
    let given = given.map(|(_, text)| text).unwrap_or_default();
    Ok((given, lock.map(|(_, text)| text)))
}

/// A local file's text.
fn text(draft: &Draft<'_>, key: &str, path: &str) -> Result<(String, String), PlanError> {
    if is_remote(path) {
        return Err(PlanError::Invalid {
            at: draft.at(key),
            value: path.to_owned(),
            problem: "it is a local file: what it says decides which archive is shipped".to_owned(),
        });
    }
    let local = in_folder(&draft.request.folder, path);
    if let Some(text) = draft.request.files.texts.get(&local) {
        return Ok((local, text.clone()));
    }
    let at = draft.at(key);
    staging::look_at(draft.request, at.clone(), &local, staging::Demand::Script)?;
    Err(PlanError::FileNotUtf8 { at, path: local })
}

fn index_url(draft: &Draft<'_>) -> Result<Option<String>, PlanError> {
    let Some(url) = &draft.spec().python.index_url else {
        return Ok(None);
    };
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    let problem = match rest {
        None => "it starts with `https://` or `http://`",
        Some(rest)
            if rest
                .split('/')
                .next()
                .is_some_and(|host| host.contains('@')) =>
        {
            "it holds a user or password, which would be written into the plan"
        }
        Some(rest)
            if rest.is_empty() || rest.contains(|c: char| c.is_whitespace() || c.is_control()) =>
        {
            "it is no address"
        }
        Some(_) => return Ok(Some(url.clone())),
    };
    let value = match (rest, url.split_once('@')) {
        (Some(_), Some((_, host))) => format!("…@{host}"),
        _ => url.clone(),
    };
    Err(PlanError::Invalid {
        at: draft.at("python.index_url"),
        value,
        problem: problem.to_owned(),
    })
}

fn incompatible(first: &str, second: &str, reason: &str, fix: &str) -> PlanError {
    PlanError::Incompatible {
        first: first.to_owned(),
        second: second.to_owned(),
        reason: reason.to_owned(),
        fix: fix.to_owned(),
    }
}
