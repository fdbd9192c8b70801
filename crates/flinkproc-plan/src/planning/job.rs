//! The job: its files, its arguments, and what Flink is told.

use std::collections::BTreeMap;

use flinkproc_core::{FlinkVersion, GcsUri, ImageVersion, ProjectId, YarnMode};

use super::containers::Containers;
use super::method::ChosenMethod;
use super::python::{ChosenPython, requirements};
use super::staging::{Demand, Staged};
use super::{Draft, address, archives, containers, flink_keys, image, session, variables};
use crate::files::{archive_parts, file_name, in_folder};
use crate::interpolate::Variables;
use crate::launcher::LaunchBundle;
use crate::plan::{ClaimMode, EntryPoint, FileRole, JobPlan, RemoteFile, RestorePlan};
use crate::plan_error::PlanError;

/// What was decided before the job.
pub(super) struct Chosen<'a> {
    pub(super) image: &'a ImageVersion,
    pub(super) method: &'a ChosenMethod,
    pub(super) python: &'a ChosenPython,
    pub(super) project: &'a ProjectId,
}

pub(super) fn plan(
    draft: &mut Draft<'_>,
    chosen: &Chosen<'_>,
    variables: &Variables,
    staged: &mut Staged<'_>,
) -> Result<JobPlan, PlanError> {
    let spec = &draft.spec().job;
    let image = chosen.image;
    let mut files = Vec::new();
    let entry = entry(draft, staged, &mut files)?;
    for (index, path) in spec.python_files.iter().enumerate() {
        let key = format!("job.python_files[{index}]");
        files.push(staged.job_file(&key, path, FileRole::PythonFile, Demand::Any)?);
    }
    if let Some(path) = &spec.requirements {
        files.push(staged.job_file(
            "job.requirements",
            path,
            FileRole::Requirements,
            Demand::Any,
        )?);
    }
    for (index, text) in spec.archives.iter().enumerate() {
        let (path, directory) = archive_parts(text);
        let directory = directory.to_owned();
        let key = format!("job.archives[{index}]");
        files.push(staged.job_file(&key, path, FileRole::Archive { directory }, Demand::Any)?);
    }
    for (index, path) in spec.jars.iter().enumerate() {
        let key = format!("job.jars[{index}]");
        files.push(staged.job_file(&key, path, FileRole::Jar, Demand::Any)?);
    }
    archives::check(draft)?;
    if let EntryPoint::Module(module) = &entry {
        archives::check_module(draft, module)?;
    }
    let unresolved = connectors(draft, staged, &mut files)?;
    if let Some((_, file)) = &chosen.python.shipped {
        staged.only(&file.name, "the shipped Python")?;
        files.push(file.clone());
    }

    let mode = image::mode(draft, image);
    if spec.mode.and_then(crate::spec::ModeSpec::named).is_none() {
        let source = format!("Flink {} of image {image}", image.flink());
        draft.note("job.mode", mode, source);
    }
    let name = draft.or("job.name", spec.name.clone(), || match &entry {
        EntryPoint::Script(name) => (
            name.strip_suffix(".py").unwrap_or(name).to_owned(),
            "job.script".to_owned(),
        ),
        EntryPoint::Module(name) => (name.clone(), "job.module".to_owned()),
    });
    if spec.python_functions.is_none() {
        draft.note("job.python_functions", true, super::BUILT_IN);
    }
    let (mut flink_config, mut parallelism) = flink_arguments(draft, image, variables)?;
    parallelism = spec.parallelism.or(parallelism);
    for (key, value) in spec.flink_config.iter() {
        let at = format!("job.flink_config.{key}");
        let value = variables.expand(&at, value)?;
        flink_config.insert(key.clone(), value);
    }
    let session = session::plan(draft, image, mode)?;
    if mode != YarnMode::Session {
        let wishes = Containers {
            section: "job",
            jobmanager_memory: spec.jobmanager_memory,
            taskmanager_memory: spec.taskmanager_memory,
            slots: spec.slots,
            queue: spec.queue.as_deref(),
            node_label: spec.node_label.as_deref(),
            application_type: spec.application_type.as_deref(),
        };
        containers::set(draft, &wishes, &mut flink_config)?;
    }
    check_config(draft, "job.flink_config", &flink_config)?;
    let keys = flink_config.keys().map(String::as_str);
    flink_keys::check_keys(draft, "job.flink_config", image.flink(), keys);
    let properties = draft.spec().cluster.properties.keys();
    let keys = properties.filter_map(|key| key.strip_prefix("flink:"));
    flink_keys::check_keys(draft, "cluster.properties.flink", image.flink(), keys);
    let containers = session.as_ref().map(|session| &session.flink_config);
    flink_keys::check_memory(draft, containers.unwrap_or(&flink_config))?;
    check_requirements(draft, image)?;
    let args = spec
        .args
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let key = format!("job.args[{index}]");
            let text = variables.expand(&key, text.as_str())?;
            text.parse()
                .map_err(|error| PlanError::name(draft.at(&key), &error))
        })
        .collect::<Result<_, _>>()?;
    let result = match &spec.result {
        None => None,
        Some(text) => {
            let text = variables.expand("job.result", text)?;
            Some(address(|| draft.at("job.result"), &text)?)
        }
    };
    let job = JobPlan {
        name,
        flink: image.flink(),
        mode,
        method: chosen.method.name.clone(),
        entry,
        args,
        files,
        parallelism,
        flink_config,
        tag: format!("flinkproc-{}", draft.request.deployment),
        result,
        restore: restore(draft, image, variables)?,
        session,
        python: chosen.python.plan.clone(),
        env: variables::env(draft, variables)?,
        secrets: variables::secrets(draft, chosen.project)?,
        mirror: mirror(draft, chosen.method, staged)?,
        classpaths: classpaths(draft)?,
        unresolved,
    };
    // What Flink's command line cannot carry is found now, not on the cluster.
    if !chosen.method.is_native() {
        LaunchBundle::new(&job, &format!("{}-1", job.tag))?;
    }
    Ok(job)
}

/// Where the launcher copies what it writes, for a method that cannot look at the master.
fn mirror(
    draft: &Draft<'_>,
    method: &ChosenMethod,
    staged: &Staged<'_>,
) -> Result<Option<GcsUri>, PlanError> {
    if !method.mirrors() {
        return Ok(None);
    }
    let runs = staged.home().join("runs/");
    runs.map(Some)
        .map_err(|error| PlanError::name(draft.at("staging.bucket"), &error))
}

/// The connectors' jars; what was not resolved comes back by name.
fn connectors(
    draft: &mut Draft<'_>,
    staged: &mut Staged<'_>,
    files: &mut Vec<RemoteFile>,
) -> Result<Vec<String>, PlanError> {
    let mut unresolved = Vec::new();
    for (index, text) in draft.spec().job.packages.iter().enumerate() {
        let key = format!("job.packages[{index}]");
        let word = |part: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
            !part.is_empty() && part.chars().all(plain)
        };
        let parts: Vec<&str> = text.split(':').collect();
        if !matches!(parts.len(), 1 | 3) || !parts.iter().all(|part| word(part)) {
            return Err(PlanError::Invalid {
                at: draft.at(&key),
                value: text.clone(),
                problem:
                    "a connector is a short name, such as `kafka`, or `group:artifact:version`"
                        .to_owned(),
            });
        }
        let Some(jars) = draft.request.packages.get(text) else {
            draft.warn(format!(
                "{key}: the jars of `{text}` are not known yet: a deployment looks them up for Flink's version, which needs the network"
            ));
            unresolved.push(text.clone());
            continue;
        };
        for jar in jars {
            // Two connectors may need the same jar.
            if !files
                .iter()
                .any(|file| file.sha256.as_ref() == Some(&jar.sha256))
            {
                files.push(staged.connector(&key, jar)?);
            }
        }
    }
    Ok(unresolved)
}

fn restore(
    draft: &mut Draft<'_>,
    image: &ImageVersion,
    variables: &Variables,
) -> Result<Option<RestorePlan>, PlanError> {
    let spec = &draft.spec().job.restore;
    let Some(from) = &spec.from else {
        let lone = [
            ("job.restore.claim", spec.claim.is_some()),
            (
                "job.restore.allow_non_restored",
                spec.allow_non_restored.is_some(),
            ),
        ];
        return match lone.iter().find(|(_, set)| *set) {
            None => Ok(None),
            Some((key, _)) => Err(PlanError::Missing {
                key: "job.restore.from",
                how: format!("`{key}` says how: name the savepoint or checkpoint, or remove it."),
            }),
        };
    };
    let from = variables.expand("job.restore.from", from)?;
    if from.trim().is_empty() || from.contains(char::is_control) {
        return Err(PlanError::Invalid {
            at: draft.at("job.restore.from"),
            value: from,
            problem: "it is the address of a savepoint or checkpoint".to_owned(),
        });
    }
    let flink = image.flink();
    let legacy = spec.claim == Some(ClaimMode::Legacy);
    if spec.claim.is_some() && flink < FlinkVersion::new(1, 15) {
        return Err(PlanError::Incompatible {
            first: "job.restore.claim".to_owned(),
            second: format!("image {image}"),
            reason: format!("it came with Flink 1.15, and the image has {flink}"),
            fix: "Remove it: Flink before 1.15 always does what is now called `legacy`.".to_owned(),
        });
    }
    if legacy && flink.is_2() {
        return Err(PlanError::Incompatible {
            first: "job.restore.claim legacy".to_owned(),
            second: format!("image {image}"),
            reason: format!("Flink {flink} has only `claim` and `no-claim`"),
            fix: "Write `no-claim`, which leaves the state to you as well.".to_owned(),
        });
    }
    Ok(Some(RestorePlan {
        from,
        claim: spec.claim,
        allow_non_restored: draft.or_built_in(
            "job.restore.allow_non_restored",
            spec.allow_non_restored,
            false,
        ),
    }))
}

fn classpaths(draft: &Draft<'_>) -> Result<Vec<String>, PlanError> {
    let classpaths = &draft.spec().job.classpaths;
    for (index, url) in classpaths.iter().enumerate() {
        let known = ["file:///", "http://", "https://"]
            .iter()
            .any(|start| url.starts_with(start));
        if !known || url.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(PlanError::Invalid {
                at: draft.at(&format!("job.classpaths[{index}]")),
                value: url.clone(),
                problem: "Java reads `file:///…`, `http://…` and `https://…` on every machine; a jar of your own goes into `job.jars`".to_owned(),
            });
        }
    }
    Ok(classpaths.clone())
}

/// The requirements that Flink hands to pip on the workers, where they can be read here.
fn check_requirements(draft: &Draft<'_>, image: &ImageVersion) -> Result<(), PlanError> {
    let Some(path) = &draft.spec().job.requirements else {
        return Ok(());
    };
    let local = in_folder(&draft.request.folder, path);
    match draft.request.files.texts.get(&local) {
        None => Ok(()),
        Some(text) => {
            let at = draft.at("job.requirements");
            requirements::check(&at, &local, text, image.flink())
        }
    }
}

/// Whether the spec says what runs; asked before anything else, so that an empty spec hears of it first.
pub(super) fn check_entry(draft: &Draft<'_>) -> Result<(), PlanError> {
    let spec = &draft.spec().job;
    match (&spec.script, &spec.module) {
        (Some(_), Some(_)) => Err(PlanError::Conflict {
            first: "job.script".to_owned(),
            second: "job.module".to_owned(),
        }),
        (None, None) => Err(missing_script()),
        _ => Ok(()),
    }
}

fn missing_script() -> PlanError {
    PlanError::Missing {
        key: "job.script",
        how: "Name the job's Python script in `[job]`, such as `script = \"job.py\"`.".to_owned(),
    }
}

fn entry(
    draft: &Draft<'_>,
    staged: &mut Staged<'_>,
    files: &mut Vec<RemoteFile>,
) -> Result<EntryPoint, PlanError> {
    let spec = &draft.spec().job;
    match (&spec.script, &spec.module) {
        (None, None) => Err(missing_script()),
        (Some(path), _) => {
            let file = staged.job_file("job.script", path, FileRole::Script, Demand::Script)?;
            let name = file_name(path).to_owned();
            files.push(file);
            Ok(EntryPoint::Script(name))
        }
        (None, Some(module)) => {
            let part = |part: &str| {
                !part.is_empty()
                    && !part.starts_with(|c: char| c.is_ascii_digit())
                    && part.chars().all(|c| c.is_alphanumeric() || c == '_')
            };
            if !module.split('.').all(part) {
                return Err(PlanError::Invalid {
                    at: draft.at("job.module"),
                    value: module.clone(),
                    problem: "a module is written as `package.module`".to_owned(),
                });
            }
            if spec.python_files.is_empty() {
                return Err(PlanError::Missing {
                    key: "job.python_files",
                    how: "Name the files that hold the module.".to_owned(),
                });
            }
            Ok(EntryPoint::Module(module.clone()))
        }
    }
}

/// Configuration and parallelism from free-form arguments, after Flink's own reading of them was checked.
fn flink_arguments(
    draft: &Draft<'_>,
    image: &ImageVersion,
    variables: &Variables,
) -> Result<(BTreeMap<String, String>, Option<u32>), PlanError> {
    let words = draft
        .spec()
        .job
        .flink_args
        .iter()
        .enumerate()
        .map(|(index, word)| variables.expand(&format!("job.flink_args[{index}]"), word))
        .collect::<Result<Vec<_>, _>>()?;
    flinkproc_flink_cli::lint(image.flink(), &words)?;
    let mut config = BTreeMap::new();
    let mut parallelism = None;
    let mut rest = words.iter().map(String::as_str).enumerate();
    while let Some((index, word)) = rest.next() {
        let refuse = |argument: &str| PlanError::FlinkArgument {
            at: draft.at(&format!("job.flink_args[{index}]")),
            argument: argument.to_owned(),
        };
        let mut value = || rest.next().map(|(_, word)| word).unwrap_or_default();
        if let Some(inline) = word.strip_prefix("-D") {
            let pair = if inline.is_empty() { value() } else { inline };
            let (key, value) = pair.split_once('=').ok_or_else(|| refuse(pair))?;
            config.insert(key.to_owned(), value.to_owned());
        } else if matches!(word, "-p" | "--parallelism") {
            let number = value();
            parallelism = Some(number.parse().map_err(|_| refuse(number))?);
        } else {
            return Err(refuse(word));
        }
    }
    Ok((config, parallelism))
}

pub(super) fn check_config(
    draft: &Draft<'_>,
    section: &str,
    config: &BTreeMap<String, String>,
) -> Result<(), PlanError> {
    match config.keys().find(|key| key.ends_with("PYTHONHOME")) {
        None => Ok(()),
        Some(key) => Err(PlanError::PythonHome {
            at: draft.at(&format!("{section}.{key}")),
        }),
    }
}
