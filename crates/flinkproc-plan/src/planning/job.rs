//! The job: its files, its arguments, and what Flink is told.

use std::collections::BTreeMap;

use flinkproc_core::{ImageVersion, YarnMode};
use flinkproc_flink_cli::{Archive, Program, RunSettings};

use super::staging::{Demand, Staged};
use super::{Draft, address, image};
use crate::files::{archive_parts, file_name};
use crate::interpolate::Variables;
use crate::plan::{EntryPoint, FileRole, JobPlan, PythonPlan, RemoteFile};
use crate::plan_error::PlanError;

pub(super) fn plan(
    draft: &mut Draft<'_>,
    image: &ImageVersion,
    variables: &Variables,
    staged: &mut Staged<'_>,
) -> Result<JobPlan, PlanError> {
    let spec = &draft.spec().job;
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

    let mode = image::mode(draft, image);
    if spec.mode.and_then(crate::spec::ModeSpec::named).is_none() {
        let source = format!("Flink {} of image {image}", image.flink());
        draft.note("job.mode", mode, source);
    }
    let method = draft.or_built_in("job.method", spec.method.clone(), "ssh".to_owned());
    if method != "ssh" {
        return Err(PlanError::Invalid {
            at: draft.at("job.method"),
            value: method,
            problem: "the methods are `ssh`".to_owned(),
        });
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
    check_config(draft, &flink_config)?;
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
        method,
        entry,
        args,
        files,
        parallelism,
        flink_config,
        tag: format!("flinkproc-{}", draft.request.deployment),
        result,
        restore: None,
        session: None,
        python: PythonPlan::Image,
        env: BTreeMap::new(),
        secrets: BTreeMap::new(),
        mirror: None,
    };
    // What Flink's command line cannot carry is found now, not on the cluster.
    if mode == YarnMode::PerJob {
        settings(&job, "/files").argv()?;
    }
    Ok(job)
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

fn check_config(draft: &Draft<'_>, config: &BTreeMap<String, String>) -> Result<(), PlanError> {
    match config.keys().find(|key| key.ends_with("PYTHONHOME")) {
        None => Ok(()),
        Some(key) => Err(PlanError::PythonHome {
            at: draft.at(&format!("job.flink_config.{key}")),
        }),
    }
}

/// The job as `flink run` is told it, with its files in `folder` on the master.
pub(crate) fn settings(job: &JobPlan, folder: &str) -> RunSettings {
    let path = |name: &str| format!("{folder}/{name}");
    let program = match &job.entry {
        EntryPoint::Script(name) => Program::Script(path(name)),
        EntryPoint::Module(name) => Program::Module(name.clone()),
    };
    let mut settings = RunSettings::new(job.flink, job.mode, program)
        .name(&job.name)
        .tag(&job.tag);
    settings.parallelism = job.parallelism;
    settings.config.clone_from(&job.flink_config);
    settings.arguments = job.args.iter().map(ToString::to_string).collect();
    for file in &job.files {
        let path = path(&file.name);
        match &file.role {
            FileRole::Script => {}
            FileRole::PythonFile => settings.python_files.push(path),
            FileRole::Requirements => settings.python_requirements = Some(path),
            FileRole::Archive { directory } => settings.python_archives.push(Archive {
                path,
                directory: directory.clone(),
            }),
            FileRole::Jar => settings.jars.push(path),
            FileRole::Environment => {}
        }
    }
    settings
}
