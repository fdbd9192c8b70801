//! The body of Dataproc's own Flink jobs for a plan, and what of a plan does not go into one.

use std::collections::BTreeMap;

use flinkproc_core::YarnMode;
use flinkproc_flink_cli::grammar::Action;
use flinkproc_flink_cli::reading::Reading;
use flinkproc_plan::{ClaimMode, EntryPoint, FileRole, JobPlan, PythonPlan, RemoteFile};
use serde_json::{Value, json};

use crate::carrier::plain;
use crate::error::SubmitError;
use crate::native::NativeKind;

/// Flink's main class for Python programs.
const DRIVER: &str = "org.apache.flink.client.python.PythonDriver";
const THROUGH: &str = "Flink's lists of files";
/// Where a shipped environment is unpacked.
const ENVIRONMENT: &str = "env";

fn not_native(what: impl Into<String>, problem: impl Into<String>) -> SubmitError {
    SubmitError::NotNative {
        what: what.into(),
        problem: problem.into(),
    }
}

/// The Dataproc v1 `Job` resource that runs a plan without the launcher.
pub(crate) fn resource(kind: NativeKind, job: &JobPlan, tag: &str) -> Result<Value, SubmitError> {
    let properties = properties(job, tag)?;
    let savepoint = job.restore.as_ref().map(|restore| restore.from.clone());
    let jars = addresses(job, |role| *role == FileRole::Jar)?;
    let code = addresses(job, |role| {
        matches!(role, FileRole::Script | FileRole::PythonFile)
    })?;
    let mut body = match kind {
        NativeKind::Flink => {
            let mut properties = properties;
            set(&mut properties, "python.files", code.join(","))?;
            let requirements = addresses(job, |role| *role == FileRole::Requirements)?;
            if let Some(uri) = requirements.first() {
                set(&mut properties, "python.requirements", uri.clone())?;
            }
            let jars = [vec![python_jar(job)], jars].concat();
            json!({
                "mainClass": DRIVER,
                "jarFileUris": jars,
                "args": arguments(kind, job)?,
                "properties": properties,
            })
        }
        NativeKind::PyFlink => {
            let files = addresses(job, |role| *role == FileRole::PythonFile)?;
            let mut body = json!({
                "pythonFileUris": files,
                "jarFileUris": jars,
                "args": arguments(kind, job)?,
                "properties": properties,
            });
            let requirements = addresses(job, |role| *role == FileRole::Requirements)?;
            if let Some(uri) = requirements.first() {
                body["pythonRequirements"] = json!(uri);
            }
            match &job.entry {
                EntryPoint::Module(name) => body["pythonModule"] = json!(name),
                EntryPoint::Script(name) => {
                    body["mainPythonFileUri"] = json!(address(script(job, name)?)?);
                }
            }
            body
        }
    };
    if let Some(savepoint) = savepoint {
        body["savepointUri"] = json!(savepoint);
    }
    Ok(match kind {
        NativeKind::Flink => json!({"flinkJob": body}),
        NativeKind::PyFlink => json!({"pyflinkJob": body}),
    })
}

/// Where Flink's Python jar lies in its distribution; Dataproc's images are not confirmed to have it.
fn python_jar(job: &JobPlan) -> String {
    let scala = if job.flink.minor() < (1, 15) {
        "_2.12"
    } else {
        ""
    };
    format!(
        "file:///usr/lib/flink/opt/flink-python{scala}-{}.jar",
        job.flink
    )
}

fn script<'a>(job: &'a JobPlan, name: &str) -> Result<&'a RemoteFile, SubmitError> {
    let found = job.files.iter().find(|file| file.name == name);
    found.ok_or_else(|| not_native(format!("the script `{name}`"), "it is not among the files"))
}

fn address(file: &RemoteFile) -> Result<String, SubmitError> {
    let uri = file.from.to_string();
    plain(&uri, THROUGH)?;
    if uri.contains(',') {
        return Err(not_native(uri, "Flink's lists are parted at commas"));
    }
    Ok(uri)
}

fn addresses(
    job: &JobPlan,
    wanted: impl Fn(&FileRole) -> bool,
) -> Result<Vec<String>, SubmitError> {
    let files = job.files.iter().filter(|file| wanted(&file.role));
    files.map(address).collect()
}

fn set(
    properties: &mut BTreeMap<String, String>,
    key: &str,
    value: impl Into<String>,
) -> Result<(), SubmitError> {
    let value = value.into();
    match properties.get(key) {
        Some(other) if *other != value => Err(not_native(
            format!("the Flink setting `{key}`"),
            "the method sets it itself",
        )),
        _ => {
            properties.insert(key.to_owned(), value);
            Ok(())
        }
    }
}

fn properties(job: &JobPlan, tag: &str) -> Result<BTreeMap<String, String>, SubmitError> {
    if !job.secrets.is_empty() {
        let names: Vec<&str> = job.secrets.keys().map(String::as_str).collect();
        let what = format!("the secrets {}", names.join(", "));
        return Err(not_native(what, "only the launcher fetches them"));
    }
    let target = match job.mode {
        YarnMode::PerJob => "yarn-per-job",
        YarnMode::Application => "yarn-application",
        YarnMode::Session => {
            let problem = "a Dataproc Flink job names no session";
            return Err(not_native("the mode `session`", problem));
        }
    };
    let mut all = job.flink_config.clone();
    set(&mut all, "execution.target", target)?;
    set(&mut all, "yarn.application.name", &job.name)?;
    set(&mut all, "pipeline.name", &job.name)?;
    set(&mut all, "yarn.tags", tag)?;
    if let Some(parallelism) = job.parallelism {
        set(&mut all, "parallelism.default", parallelism.to_string())?;
    }
    for (name, value) in &job.env {
        for side in ["master", "taskmanager"] {
            set(&mut all, &format!("containerized.{side}.env.{name}"), value)?;
        }
    }
    if !job.classpaths.is_empty() {
        set(&mut all, "pipeline.classpaths", job.classpaths.join(";"))?;
    }
    python(job, &mut all)?;
    restore(job, &mut all)?;
    for (key, value) in &all {
        if value.contains(['\n', '\r']) || value != value.trim() {
            let what = format!("the Flink setting `{key}`");
            return Err(not_native(
                what,
                "spaces at its ends and line breaks do not survive",
            ));
        }
    }
    Ok(all)
}

fn python(job: &JobPlan, all: &mut BTreeMap<String, String>) -> Result<(), SubmitError> {
    let mut archives = Vec::new();
    for file in &job.files {
        let directory = match &file.role {
            FileRole::Archive { directory } => plain(directory, THROUGH)?,
            FileRole::Environment => ENVIRONMENT,
            _ => continue,
        };
        archives.push(format!("{}#{directory}", address(file)?));
    }
    if !archives.is_empty() {
        set(all, "python.archives", archives.join(","))?;
    }
    let executable = match &job.python {
        PythonPlan::Image => return Ok(()),
        PythonPlan::Shipped => format!("{ENVIRONMENT}/bin/python"),
        PythonPlan::OnCluster(path) => path.clone(),
    };
    for key in ["python.executable", "python.client.executable"] {
        set(all, key, &executable)?;
    }
    Ok(())
}

fn restore(job: &JobPlan, all: &mut BTreeMap<String, String>) -> Result<(), SubmitError> {
    let Some(restore) = &job.restore else {
        return Ok(());
    };
    let (lax, claim) = if job.flink.minor() >= (1, 20) {
        (
            "execution.state-recovery.ignore-unclaimed-state",
            "execution.state-recovery.claim-mode",
        )
    } else {
        (
            "execution.savepoint.ignore-unclaimed-state",
            "execution.savepoint-restore-mode",
        )
    };
    if restore.allow_non_restored {
        set(all, lax, "true")?;
    }
    match restore.claim {
        Some(ClaimMode::Claim) => set(all, claim, "CLAIM"),
        Some(ClaimMode::NoClaim) => set(all, claim, "NO_CLAIM"),
        Some(ClaimMode::Legacy) => set(all, claim, "LEGACY"),
        None => Ok(()),
    }
}

/// What stands in the job's `args`, so that the program gets its own arguments as they are.
fn arguments(kind: NativeKind, job: &JobPlan) -> Result<Vec<String>, SubmitError> {
    let own: Vec<String> = job.args.iter().map(|arg| arg.as_str().to_owned()).collect();
    if job.mode == YarnMode::Application {
        // They go through Flink's configuration, which loses text in some versions.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._/=,@:+%-".contains(c);
        if let Some(lost) = own
            .iter()
            .find(|arg| arg.is_empty() || !arg.chars().all(is_plain))
        {
            return Err(not_native(
                format!("the argument {lost:?}"),
                "in application mode arguments travel in Flink's configuration, which does not bring all text as it is",
            ));
        }
    }
    let driver = match (kind, &job.entry) {
        (NativeKind::Flink, EntryPoint::Module(name)) => vec!["-pym".to_owned(), name.clone()],
        (NativeKind::Flink, EntryPoint::Script(name)) => vec!["-pym".to_owned(), module(name)?],
        (NativeKind::PyFlink, _) => Vec::new(),
    };
    // Each of the two parsers on the way, Flink's and PythonDriver's, takes one `--` as the end of its options.
    let ends = match kind {
        _ if own.is_empty() => 0,
        NativeKind::Flink => 1,
        NativeKind::PyFlink => 2,
    };
    let ends = std::iter::repeat_n("--".to_owned(), ends);
    let sent: Vec<String> = driver
        .iter()
        .cloned()
        .chain(ends)
        .chain(own.clone())
        .collect();
    arrives(kind, job, &driver, &own, &sent)?;
    Ok(sent)
}

/// Reads the line as Flink's own parser of this version does: what PythonDriver gets must be what was sent.
fn arrives(
    kind: NativeKind,
    job: &JobPlan,
    driver: &[String],
    own: &[String],
    sent: &[String],
) -> Result<(), SubmitError> {
    let before: &[&str] = match kind {
        NativeKind::Flink => &["-c", DRIVER, "/python.jar"],
        NativeKind::PyFlink => &["-py", "/program.py"],
    };
    let line = before
        .iter()
        .copied()
        .chain(sent.iter().map(String::as_str));
    let line: Vec<&str> = line.collect();
    let mut expected = match kind {
        NativeKind::Flink => driver.to_vec(),
        NativeKind::PyFlink => vec!["--python".to_owned(), "/program.py".to_owned()],
    };
    if !own.is_empty() {
        expected.push("--".to_owned());
    }
    expected.extend_from_slice(own);
    match Reading::of(job.flink, Action::Run, &line) {
        Ok(reading) if reading.arguments == expected => Ok(()),
        Ok(reading) => {
            let lost = own.iter().find(|arg| !reading.arguments.contains(arg));
            let lost = lost.map_or("the arguments".to_owned(), |arg| {
                format!("the argument {arg:?}")
            });
            Err(not_native(lost, "Flink's own parser takes it for itself"))
        }
        Err(_) => Err(not_native(
            "the arguments",
            "Flink's own parser refuses them",
        )),
    }
}

/// The module that a script is once it lies on Python's path.
fn module(script: &str) -> Result<String, SubmitError> {
    let name = script.strip_suffix(".py").unwrap_or_default();
    let mut letters = name.chars();
    let starts = letters
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if starts && letters.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        Ok(name.to_owned())
    } else {
        let what = format!("the script `{script}`");
        Err(not_native(
            what,
            "it is run as a module, and its name is none",
        ))
    }
}

#[cfg(test)]
mod tests;
