//! Flink jobs: Flink's own client on the master, one YARN application for each job.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use flinkproc_core::{FlinkVersion, YarnMode};
use serde::Deserialize;

use crate::error::SandboxError;
use crate::flink::hadoop_classpath;
use crate::jobs::driver::Command;
use crate::jobs::{Setting, joined};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct FlinkJob {
    main_jar_file_uri: Option<String>,
    main_class: Option<String>,
    args: Vec<String>,
    jar_file_uris: Vec<String>,
    savepoint_uri: Option<String>,
    properties: BTreeMap<String, String>,
}

/// As gcloud's hidden command sends it; no public definition has it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PyFlinkJob {
    main_python_file_uri: Option<String>,
    python_file_uris: Vec<String>,
    python_module: Option<String>,
    python_requirements: Option<String>,
    archive_uris: Vec<String>,
    jar_file_uris: Vec<String>,
    args: Vec<String>,
    properties: BTreeMap<String, String>,
    savepoint_uri: Option<String>,
}

const TARGET: &str = "execution.target";
const SHIPPED: &str = "yarn.ship-files";
const TAGS: &str = "yarn.tags";

/// Where the job runs unless its properties say: what the service does where Flink has no per-job mode is not known, and
/// application mode comes nearest.
fn target(flink: FlinkVersion, properties: &BTreeMap<String, String>) -> String {
    let usual = if flink.supports(YarnMode::PerJob) {
        "yarn-per-job"
    } else {
        "yarn-application"
    };
    let named = properties.get(TARGET).cloned();
    named.unwrap_or_else(|| usual.to_owned())
}

/// Whether the program itself runs on a worker, where no file of the master is.
fn is_application(target: &str) -> bool {
    target.ends_with("-application")
}

/// `flink run` up to the program: the target, the job's properties and tag, the savepoint.
fn run(
    flink: FlinkVersion,
    properties: &BTreeMap<String, String>,
    tag: &str,
    shipped: &[PathBuf],
    savepoint: Option<&str>,
) -> Vec<String> {
    let mut properties = properties.clone();
    let mut add = |key: &str, value: String, separator: char| {
        if value.is_empty() {
            return;
        }
        let all = properties.entry(key.to_owned()).or_default();
        if !all.is_empty() {
            all.push(separator);
        }
        all.push_str(&value);
    };
    add(TAGS, tag.to_owned(), ',');
    add(SHIPPED, joined(shipped, ";"), ';');
    let target = target(flink, &properties);
    properties.remove(TARGET);
    // Flink 1 starts application mode by a word of its own.
    let word = if is_application(&target) && !flink.is_2() {
        "run-application"
    } else {
        "run"
    };
    let mut arguments = vec![word.to_owned(), "-t".to_owned(), target];
    arguments.extend(
        properties
            .iter()
            .map(|(key, value)| format!("-D{key}={value}")),
    );
    if let Some(savepoint) = savepoint.filter(|text| !text.is_empty()) {
        arguments.extend(["-s".to_owned(), savepoint.to_owned()]);
    }
    arguments
}

fn program(setting: &Setting<'_>, arguments: Vec<String>, jars: &[PathBuf]) -> Command {
    let mut classpath = vec![hadoop_classpath(setting.layout, setting.parts)];
    classpath.extend(jars.iter().map(|jar| jar.display().to_string()));
    let mut variables = setting.variables();
    variables.push(("HADOOP_CLASSPATH", classpath.join(":")));
    Command {
        program: setting.layout.at("bin/flink"),
        arguments: arguments.into_iter().map(Into::into).collect(),
        variables,
        folder: setting.folder.clone(),
    }
}

/// What a Flink job's driver is: `flink run` with the job's jar.
///
/// Further jars are on the client's class path, and shipped to the containers.
pub(super) async fn command(setting: &Setting<'_>) -> Result<Command, SandboxError> {
    let job: FlinkJob = setting.body()?;
    let mut jars = setting.files.all(&job.jar_file_uris).await?;
    let main = match &job.main_jar_file_uri {
        Some(uri) => Some(setting.files.local(uri).await?),
        // The class is then in one of the jars, and the first is the program, as Flink's client wants one.
        None if !jars.is_empty() => Some(jars.remove(0)),
        None => None,
    };
    if main.is_none() && job.main_class.is_none() {
        return Err(setting.wrong("it has neither a main jar nor a main class"));
    }
    let savepoint = job.savepoint_uri.as_deref();
    let flink = setting.parts.flink;
    let mut arguments = run(flink, &job.properties, &setting.job.tag, &jars, savepoint);
    if let Some(class) = job.main_class {
        arguments.extend(["-c".to_owned(), class]);
    }
    arguments.extend(main.map(|jar| jar.display().to_string()));
    arguments.extend(job.args);
    Ok(program(setting, arguments, &jars))
}

/// What the driver of a job of gcloud's hidden `submit pyflink` is: `flink run` with a Python program.
pub(super) async fn python_command(setting: &Setting<'_>) -> Result<Command, SandboxError> {
    let job: PyFlinkJob = setting.body()?;
    let flink = setting.parts.flink;
    let mut shipped = setting.files.all(&job.jar_file_uris).await?;
    let jars = shipped.clone();
    let main = job
        .main_python_file_uri
        .as_deref()
        .filter(|uri| !uri.is_empty());
    let module = job.python_module.filter(|name| !name.is_empty());
    let mut files = setting.files.all(&job.python_file_uris).await?;
    let mut program = Vec::new();
    let mut add = |option: &str, value: String| program.extend([option.to_owned(), value]);
    let away = is_application(&target(flink, &job.properties));
    let place = |path: &Path| ship(setting, path, away);
    match (module, main) {
        (Some(module), main) => {
            // A module is looked for among the files.
            if let Some(uri) = main {
                files.push(setting.files.local(uri).await?);
            }
            add("-pym", module);
        }
        (None, Some(uri)) => add("-py", place(&setting.files.local(uri).await?)?),
        (None, None) => return Err(setting.wrong("it has neither a file nor a module")),
    }
    let archives = setting.files.all(&job.archive_uris).await?;
    for (option, paths) in [("-pyfs", &files), ("-pyarch", &archives)] {
        let places: Result<Vec<String>, _> = paths.iter().map(|path| place(path)).collect();
        let places = places?;
        if !places.is_empty() {
            add(option, places.join(","));
        }
    }
    if let Some(uri) = job.python_requirements.filter(|uri| !uri.is_empty()) {
        add("-pyreq", place(&setting.files.local(&uri).await?)?);
    }
    if away {
        shipped.push(setting.folder.join(SHIP));
    }
    let savepoint = job.savepoint_uri.as_deref();
    let mut arguments = run(
        flink,
        &job.properties,
        &setting.job.tag,
        &shipped,
        savepoint,
    );
    arguments.extend(program);
    arguments.extend(job.args);
    Ok(self::program(setting, arguments, &jars))
}

/// The folder that goes to the containers where the program runs there, and what it is called there.
const SHIP: &str = "ship";

/// How a program that runs here, or in a container, calls a file of the job.
fn ship(setting: &Setting<'_>, path: &Path, away: bool) -> Result<String, SandboxError> {
    let Some(name) = path.file_name().filter(|_| away) else {
        return Ok(path.display().to_string());
    };
    let folder = setting.folder.join(SHIP);
    fs::create_dir_all(&folder).map_err(SandboxError::file("create the folder", &folder))?;
    let to = folder.join(name);
    fs::copy(path, &to).map_err(SandboxError::file("write", &to))?;
    Ok(format!("{SHIP}/{}", name.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use flinkproc_core::FlinkVersion;

    use super::run;

    #[test]
    fn the_jobs_own_settings_stay() {
        let properties = [
            ("execution.target", "yarn-application"),
            ("yarn.tags", "mine"),
            ("a.b", "c d"),
        ];
        let properties: BTreeMap<String, String> = properties
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        let jars = [PathBuf::from("/j/a.jar"), "/j/b.jar".into()];
        let flink = FlinkVersion::new(1, 20);
        let arguments = run(
            flink,
            &properties,
            "dataproc_job_x",
            &jars,
            Some("gs://b/s"),
        );
        assert_eq!(
            arguments.join("|"),
            "run-application|-t|yarn-application|-Da.b=c d|-Dyarn.ship-files=/j/a.jar;/j/b.jar|-Dyarn.tags=mine,dataproc_job_x|-s|gs://b/s"
        );
        let arguments = run(flink, &BTreeMap::new(), "t", &[], None);
        assert_eq!(arguments.join("|"), "run|-t|yarn-per-job|-Dyarn.tags=t");
        let flink = FlinkVersion::new(2, 2);
        let arguments = run(flink, &BTreeMap::new(), "t", &[], None);
        assert_eq!(arguments.join("|"), "run|-t|yarn-application|-Dyarn.tags=t");
    }
}
