//! `flinkproc logs`: what a deployment's programs said, from the saved logs.

use std::fs;
use std::path::{Path, PathBuf};

use crate::App;
use crate::args::{LogSource, Logs};
use crate::deployments::{Deployments, ended};
use crate::error::AppError;
use crate::report::{Problem, summary};

/// Shows the saved logs: the cause of a failure first, then the driver, then YARN's.
pub(crate) async fn run(app: &App, args: &Logs) -> Result<u8, Problem> {
    let deployments = Deployments::new(&app.environment);
    let id = deployments.find(&args.id).await?;
    let all = deployments.all().await?;
    let outcome = all
        .iter()
        .find(|(known, _)| *known == id)
        .and_then(|(_, records)| ended(records));
    let over = outcome.is_some();
    let cause = outcome.and_then(|outcome| outcome.cause.as_ref());
    if let Some(cause) = cause {
        app.stdio.tell(&summary::cause(cause, app.stdio));
    }
    let directory = deployments.directory(&id).join("logs");
    let files = wanted(&directory, args.source)?;
    if files.is_empty() {
        let hint = match (over, deployments.runs(&id)) {
            (true, _) => "none were made",
            (false, true) => {
                "it runs: its process shows what the program says, and saves the logs at the end"
            }
            (false, false) => {
                "`flinkproc deploy --resume` shows what the program says, `flinkproc down` saves the logs"
            }
        };
        app.stdio
            .tell(&format!("no logs of {id} are saved yet ({hint})"));
    }
    for file in &files {
        app.stdio.tell(&format!("==> {}", file.display()));
        let text = fs::read(file).map_err(AppError::file("the log", file))?;
        app.stdio.result(&String::from_utf8_lossy(&text));
    }
    Ok(0)
}

/// The saved logs in the order of their names, those of one source where that is named.
fn wanted(directory: &Path, source: Option<LogSource>) -> Result<Vec<PathBuf>, AppError> {
    if !directory.is_dir() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in
        fs::read_dir(directory).map_err(AppError::file("the directory of logs", directory))?
    {
        let path = entry
            .map_err(AppError::file("the directory of logs", directory))?
            .path();
        let yarn = path
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.starts_with("yarn"));
        let fits = match source {
            None => true,
            Some(LogSource::Driver) => !yarn,
            Some(LogSource::Yarn) => yarn,
        };
        if fits && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
