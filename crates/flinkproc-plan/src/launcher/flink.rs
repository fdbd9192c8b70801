//! What Flink's own programs are told, for each mode of Flink on YARN.

use std::collections::BTreeMap;

use flinkproc_core::YarnMode;
use flinkproc_flink_cli::{Archive, Program, Restore, RunSettings, SessionSettings};

use super::error::LauncherError;
use crate::plan::{ClaimMode, EntryPoint, FileRole, JobPlan, PythonPlan, RestorePlan};

/// Stands for the attempt's directory in Flink's arguments until the launcher knows it.
pub(super) const HERE: char = '\u{1}';
/// Stands for the Python interpreter in Flink's arguments until the launcher has found it.
pub(super) const PYTHON: char = '\u{2}';
/// Stands for the YARN application of a session or of an action until the launcher knows it.
pub(super) const SESSION: char = '\u{3}';
/// Stands for the Flink job of an action until the launcher knows it.
pub(super) const JOB: char = '\u{4}';
/// Stands for the folder of an action's savepoint.
pub(super) const FOLDER: char = '\u{5}';

/// The interpreter inside a shipped environment, where Flink has unpacked it.
const SHIPPED: &str = "env/bin/python";
/// The key by which an attempt's jobs are known again among those of a session.
pub(super) const MARK: &str = "flinkproc-attempt";

/// Where the program is looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the attempt's directory, by way of the entry script.
    Attempt,
    /// Where a person would have it.
    Shown,
}

/// The arguments of `flink` that run the job.
pub(super) fn run_argv(
    job: &JobPlan,
    tag: &str,
    place: Place,
) -> Result<Vec<String>, LauncherError> {
    check_placeholders(job)?;
    let shipped = job.mode == YarnMode::Application;
    let folder = if shipped {
        "ship".to_owned()
    } else {
        format!("{HERE}/files")
    };
    // Only the path of a file goes through Flink's own parser, which eats some arguments.
    let program = match (place, &job.entry) {
        (Place::Attempt, _) if shipped => Program::Module("flinkproc_entry".to_owned()),
        (Place::Attempt, _) => Program::script(format!("{HERE}/job/flinkproc_entry.py")),
        (Place::Shown, EntryPoint::Script(name)) if shipped => {
            Program::script(format!("ship/{name}"))
        }
        (Place::Shown, EntryPoint::Script(name)) => Program::script(format!("{HERE}/files/{name}")),
        (Place::Shown, EntryPoint::Module(name)) => Program::Module(name.clone()),
    };
    let mut settings = RunSettings::new(job.flink, job.mode, program);
    match place {
        Place::Attempt if shipped => {}
        Place::Attempt => settings = settings.argument(format!("{HERE}/job/entry.json")),
        Place::Shown => {
            settings.arguments = job.args.iter().map(|arg| arg.as_str().to_owned()).collect();
        }
    }
    settings.parallelism = job.parallelism;
    settings.config.clone_from(&job.flink_config);
    match job.mode {
        YarnMode::Session => {
            settings.session = Some(SESSION.to_string());
            let mark = format!("{MARK}:{tag}");
            settings
                .config
                .entry("pipeline.global-job-parameters".to_owned())
                .and_modify(|own| *own = format!("{own},{mark}"))
                .or_insert(mark);
        }
        _ => settings = settings.name(&job.name).tag(tag),
    }
    if place == Place::Attempt && !(job.env.is_empty() && job.secrets.is_empty()) {
        if !shipped {
            settings
                .python_files
                .push(format!("{HERE}/hook/sitecustomize.py"));
        }
        // A session's containers run already. What Flink's file or YARN's start script would change is left to the hook.
        let plain = job.env.iter().filter(|(_, value)| is_plain(value));
        for (name, value) in plain.filter(|_| job.mode != YarnMode::Session) {
            for role in ["master", "taskmanager"] {
                let key = format!("containerized.{role}.env.{name}");
                settings.config.entry(key).or_insert_with(|| value.clone());
            }
        }
    }
    if shipped {
        settings.ship.push(format!("{HERE}/ship"));
        settings.python_files.insert(0, "ship".to_owned());
    }
    let mut jars = Vec::new();
    for file in &job.files {
        let path = format!("{folder}/{}", file.name);
        match &file.role {
            FileRole::Script => {}
            // A module lies in the shipped folder, which is on the path; a zip file has to be named.
            FileRole::PythonFile if shipped && file.name.ends_with(".py") => {}
            FileRole::PythonFile => settings.python_files.push(path),
            FileRole::Requirements => settings.python_requirements = Some(path),
            FileRole::Archive { directory } => settings.python_archives.push(Archive {
                path,
                directory: directory.clone(),
            }),
            FileRole::Jar => jars.push(format!("{HERE}/files/{}", file.name)),
            FileRole::Environment => settings.python_archives.push(Archive {
                path,
                directory: "env".to_owned(),
            }),
        }
    }
    settings.jars = match job.mode {
        // A session takes one, and finds others in its lib folder.
        YarnMode::Session if !jars.is_empty() => vec![format!("{HERE}/jars.jar")],
        _ => jars,
    };
    settings.classpaths.clone_from(&job.classpaths);
    settings.restore = job.restore.as_ref().map(restore);
    let (client, workers) = interpreters(job, shipped);
    let chosen = |key: &str| job.flink_config.contains_key(key);
    if !chosen("python.executable") {
        settings.python_executable = Some(workers);
    }
    if !chosen("python.client.executable") {
        settings.python_client_executable = Some(client);
    }
    Ok(settings.argv()?)
}

/// The arguments of `yarn-session.sh` that start the session, where the job goes into one.
pub(super) fn session_argv(job: &JobPlan) -> Result<Option<Vec<String>>, LauncherError> {
    if job.mode != YarnMode::Session {
        return Ok(None);
    }
    let Some(session) = &job.session else {
        let problem = "session mode needs the session's name";
        return Err(LauncherError::Unfit { problem });
    };
    let mut settings = SessionSettings::new().name(&session.name).tag(&session.tag);
    settings.config.clone_from(&session.flink_config);
    Ok(Some(settings.argv(job.flink)?))
}

/// The interpreters of the program and of its functions.
fn interpreters(job: &JobPlan, shipped: bool) -> (String, String) {
    match &job.python {
        PythonPlan::Image => (PYTHON.to_string(), PYTHON.to_string()),
        PythonPlan::OnCluster(path) => (path.clone(), path.clone()),
        PythonPlan::Shipped if shipped => (SHIPPED.to_owned(), SHIPPED.to_owned()),
        PythonPlan::Shipped => (format!("{HERE}/{SHIPPED}"), SHIPPED.to_owned()),
    }
}

fn restore(plan: &RestorePlan) -> Restore {
    let mut restore = Restore::from(&plan.from);
    restore.allow_non_restored = plan.allow_non_restored;
    restore.claim = plan.claim.map(|claim| match claim {
        ClaimMode::Claim => flinkproc_flink_cli::ClaimMode::Claim,
        ClaimMode::NoClaim => flinkproc_flink_cli::ClaimMode::NoClaim,
        ClaimMode::Legacy => flinkproc_flink_cli::ClaimMode::Legacy,
    });
    restore
}

/// Whether a value survives Flink's configuration file and YARN's start script unchanged.
fn is_plain(value: &str) -> bool {
    !value.is_empty()
        && value.chars().all(|c| {
            c.is_ascii_alphanumeric()
                || matches!(c, '_' | '-' | '.' | '/' | ':' | '@' | '%' | '+' | '=' | ',')
        })
}

fn check_placeholders(job: &JobPlan) -> Result<(), LauncherError> {
    let placeholders = [HERE, PYTHON, SESSION, JOB, FOLDER];
    let nothing = BTreeMap::new();
    let session = job
        .session
        .as_ref()
        .map_or(&nothing, |session| &session.flink_config);
    let texts = job
        .flink_config
        .iter()
        .chain(session)
        .flat_map(|(key, value)| [key, value]);
    let names = job.files.iter().map(|file| &file.name);
    let from = job.restore.iter().map(|restore| &restore.from);
    for text in texts.chain([&job.name]).chain(names).chain(from) {
        if text.contains(placeholders) {
            let setting = text.replace(placeholders, "");
            return Err(LauncherError::ControlCharacter { setting });
        }
    }
    Ok(())
}
