//! The launcher's work as commands that a person would type.

use flinkproc_core::YarnMode;

use super::data::check_names;
use super::error::LauncherError;
use super::flink::{self, HERE, PYTHON, Place, SESSION};
use crate::plan::{FileRole, JobPlan};

/// The directory that shown commands name in place of the attempt's.
const SHOWN: &str = "/tmp/flinkproc";

/// What a person would type to the same effect on the master: fetch the files, then run Flink.
///
/// # Errors
/// As [`LaunchBundle::new`](super::LaunchBundle::new).
pub fn equivalent_commands(job: &JobPlan, tag: &str) -> Result<Vec<Vec<String>>, LauncherError> {
    check_names(&job.files)?;
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    // In application mode the program runs in a container, which has nothing but what is shipped.
    let ship = format!("{SHOWN}/ship");
    let shipped = job.mode == YarnMode::Application;
    let folder = if shipped { ship.as_str() } else { SHOWN };
    let mut commands: Vec<Vec<String>> = vec![words(&["mkdir", "-p", folder])];
    for file in &job.files {
        let folder = if file.role == FileRole::Jar {
            SHOWN
        } else {
            folder
        };
        let to = format!("{folder}/{}", file.name);
        let from = file.from.to_string();
        commands.push(words(&["gcloud", "storage", "cp", &from, &to]));
    }
    let environment = job
        .files
        .iter()
        .find(|file| file.role == FileRole::Environment);
    if let Some(file) = environment.filter(|_| !shipped) {
        let to = format!("{SHOWN}/env");
        let from = format!("{SHOWN}/{}", file.name);
        commands.push(words(&["mkdir", "-p", &to]));
        commands.push(words(&["tar", "-xzf", &from, "-C", &to]));
    }
    let plain = |word: String| {
        word.replace(&format!("{HERE}/files"), SHOWN)
            .replace(HERE, SHOWN)
            .replace(PYTHON, "python3")
            .replace(SESSION, "APPLICATION_ID")
    };
    if let Some(argv) = flink::session_argv(job)? {
        let mut session = vec!["yarn-session.sh".to_owned()];
        session.extend(argv.into_iter().map(plain));
        commands.push(session);
    }
    let mut command = vec!["flink".to_owned()];
    command.extend(
        flink::run_argv(job, tag, Place::Shown)?
            .into_iter()
            .map(plain),
    );
    commands.push(command);
    Ok(commands)
}
