//! Starts the programs of this machine that a build needs, and reports how they failed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::error::EnvError;

/// What a Python or its tools would take from the caller's environment and must not.
const NOT_INHERITED: [&str; 8] = [
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "PYTHONUSERBASE",
    "PIP_TARGET",
    "PIP_USER",
    "PIP_REQUIREMENT",
    "VIRTUAL_ENV",
];

/// One call of a program; it ends with this value's future.
#[derive(Debug)]
pub(crate) struct Program {
    path: PathBuf,
    command: Command,
    doing: &'static str,
}

impl Program {
    /// A program with what it is to do, as a person would say it.
    pub(crate) fn new(path: &Path, doing: &'static str) -> Self {
        let mut command = Command::new(path);
        command
            .stdin(Stdio::null())
            .current_dir("/")
            .kill_on_drop(true);
        for name in NOT_INHERITED {
            command.env_remove(name);
        }
        Self {
            path: path.to_owned(),
            command,
            doing,
        }
    }

    pub(crate) fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.command.args(args.into_iter().map(Into::into));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.command.env(name, value.into());
        self
    }

    /// Gives it nothing of the caller's environment.
    pub(crate) fn bare(mut self) -> Self {
        self.command.env_clear();
        self
    }

    /// Runs it to its end, whatever that is.
    pub(crate) async fn finish(mut self) -> Result<Finished, EnvError> {
        tracing::debug!(program = %self.path.display(), doing = self.doing, "started");
        let output = self.command.output().await;
        let output = output.map_err(|source| EnvError::Tool {
            program: self.path.display().to_string(),
            doing: self.doing,
            output: source.to_string(),
        })?;
        Ok(Finished {
            program: self.path,
            doing: self.doing,
            good: output.status.success(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Runs it and returns what it writes.
    ///
    /// # Errors
    /// [`EnvError::Tool`] when it does not end well.
    pub(crate) async fn run(self) -> Result<String, EnvError> {
        let finished = self.finish().await?;
        if finished.good {
            return Ok(finished.out);
        }
        Err(finished.failed())
    }
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Finished {
    program: PathBuf,
    doing: &'static str,
    pub(crate) good: bool,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Finished {
    pub(crate) fn failed(&self) -> EnvError {
        EnvError::Tool {
            program: self.program.display().to_string(),
            doing: self.doing,
            output: end_of(&format!("{}\n{}", self.out, self.err)),
        }
    }
}

/// The last lines of an output that say something.
pub(crate) fn end_of(output: &str) -> String {
    let lines: Vec<_> = output
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let from = lines.len().saturating_sub(12);
    lines[from..].join("\n")
}

/// The programs of that name in these folders, in their order.
pub(crate) fn find_programs(folders: &[PathBuf], name: &str) -> Vec<PathBuf> {
    let files = folders.iter().map(|folder| folder.join(name));
    files.filter(|file| file.is_file()).collect()
}
