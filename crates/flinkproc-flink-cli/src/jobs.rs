//! What is done to jobs that run: list, cancel, stop, savepoint, checkpoint.
//!
//! Each line names the cluster by `-t` and the YARN application's id. Without them Flink looks into a file in the temporary
//! directory, which names whatever session this user started last. Of the short options those are left out that mean another
//! thing elsewhere or break beside Flink's other parsers, such as `-d`.

use flinkproc_core::{FlinkVersion, YarnMode};

use crate::config::{Lines, placeholder};
use crate::error::FlinkCliError;
use crate::grammar::Action;

/// The Flink cluster that an action goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterTarget {
    /// How it was started.
    pub mode: YarnMode,
    /// Its YARN application.
    pub application: String,
}

impl ClusterTarget {
    /// The cluster of a YARN application.
    pub fn new(mode: YarnMode, application: impl Into<String>) -> Self {
        Self {
            mode,
            application: application.into(),
        }
    }

    fn line(&self, action: Action, version: FlinkVersion) -> Result<Lines, FlinkCliError> {
        crate::config::present(action, version)?;
        let mut line = Lines::action(action);
        line.target(self.mode, version)?;
        line.application(&self.application)?;
        Ok(line)
    }
}

/// How a savepoint is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SavepointFormat {
    /// The same for all state backends.
    Canonical,
    /// The state backend's own; quicker.
    Native,
}

impl SavepointFormat {
    const fn word(self) -> &'static str {
        match self {
            Self::Canonical => "canonical",
            Self::Native => "native",
        }
    }
}

fn format(
    line: &mut Lines,
    version: FlinkVersion,
    format: Option<SavepointFormat>,
) -> Result<(), FlinkCliError> {
    let Some(format) = format else { return Ok(()) };
    if version.minor() < (1, 15) {
        return Err(FlinkCliError::NotInVersion {
            version,
            what: "choice of a savepoint's format (`-type`)",
            known: "it came with Flink 1.15",
            instead: "Leave the format out: before Flink 1.15 all savepoints are canonical.",
        });
    }
    line.option("-type", format.word());
    Ok(())
}

fn detached(line: &mut Lines, version: FlinkVersion, detached: bool) -> Result<(), FlinkCliError> {
    if detached && version.minor() < (1, 19) {
        return Err(FlinkCliError::NotInVersion {
            version,
            what: "savepoint without waiting for it (`-detached`)",
            known: "it came with Flink 1.19",
            instead: "Wait for the savepoint, or trigger it over Flink's REST API.",
        });
    }
    if detached {
        line.word("-detached");
    }
    Ok(())
}

fn job(line: &mut Lines, job: &str) -> Result<(), FlinkCliError> {
    let hex = job.len() == 32 && job.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !hex && !job.chars().any(placeholder) {
        return Err(FlinkCliError::InvalidSetting {
            setting: "job",
            problem: "a Flink job's id is 32 hexadecimal digits",
        });
    }
    line.word(job);
    Ok(())
}

fn directory(setting: &'static str, text: &str) -> Result<(), FlinkCliError> {
    if text.is_empty() || text.starts_with('-') {
        let problem = "it is empty or starts like an option";
        return Err(FlinkCliError::InvalidSetting { setting, problem });
    }
    Ok(())
}

/// `flink list`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListSettings {
    /// The cluster.
    pub target: ClusterTarget,
    /// Which jobs.
    pub which: WhichJobs,
}

/// Which jobs `flink list` shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum WhichJobs {
    /// Those that run and those that wait.
    #[default]
    Unfinished,
    /// Those that run.
    Running,
    /// Those that wait.
    Scheduled,
    /// All, ended ones too.
    All,
}

impl ListSettings {
    /// Lists the jobs that have not ended.
    #[must_use]
    pub const fn new(target: ClusterTarget) -> Self {
        Self {
            target,
            which: WhichJobs::Unfinished,
        }
    }

    /// Says which jobs.
    #[must_use]
    pub const fn which(mut self, which: WhichJobs) -> Self {
        self.which = which;
        self
    }

    /// The arguments of the `flink` command.
    ///
    /// # Errors
    /// When this version cannot do it.
    pub fn argv(&self, version: FlinkVersion) -> Result<Vec<String>, FlinkCliError> {
        let mut line = self.target.line(Action::List, version)?;
        match self.which {
            WhichJobs::Unfinished => {}
            WhichJobs::Running => line.word("-r"),
            WhichJobs::Scheduled => line.word("-s"),
            WhichJobs::All => line.word("-a"),
        }
        Ok(line.into_argv())
    }
}

/// `flink cancel`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CancelSettings {
    /// The cluster.
    pub target: ClusterTarget,
    /// The job's id.
    pub job: String,
    /// Takes a savepoint into this directory first; deprecated by Flink in favour of [`StopSettings`].
    pub savepoint: Option<String>,
    /// That savepoint's format.
    pub format: Option<SavepointFormat>,
}

impl CancelSettings {
    /// Cancels a job.
    pub fn new(target: ClusterTarget, job: impl Into<String>) -> Self {
        Self {
            target,
            job: job.into(),
            savepoint: None,
            format: None,
        }
    }

    /// The arguments of the `flink` command.
    ///
    /// # Errors
    /// When this version cannot do it.
    pub fn argv(&self, version: FlinkVersion) -> Result<Vec<String>, FlinkCliError> {
        let mut line = self.target.line(Action::Cancel, version)?;
        if let Some(to) = &self.savepoint {
            directory("savepoint", to)?;
            line.option("-s", to);
        } else if self.format.is_some() {
            return Err(FlinkCliError::InvalidSetting {
                setting: "format",
                problem: "no savepoint is taken",
            });
        }
        format(&mut line, version, self.format)?;
        job(&mut line, &self.job)?;
        Ok(line.into_argv())
    }
}

/// `flink stop`: a savepoint, then the end of the job.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StopSettings {
    /// The cluster.
    pub target: ClusterTarget,
    /// The job's id.
    pub job: String,
    /// Where the savepoint goes; the cluster's `state.savepoints.dir` when none is named.
    pub directory: Option<String>,
    /// Whether all windows fire before the end. State of a drained job is not to be resumed from.
    pub drain: bool,
    /// The savepoint's format.
    pub format: Option<SavepointFormat>,
    /// Whether the client leaves without waiting for the savepoint; Flink 1.19 and later.
    pub detached: bool,
}

impl StopSettings {
    /// Stops a job.
    pub fn new(target: ClusterTarget, job: impl Into<String>) -> Self {
        Self {
            target,
            job: job.into(),
            directory: None,
            drain: false,
            format: None,
            detached: false,
        }
    }

    /// Writes the savepoint below a directory.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<String>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Lets all windows fire before the end.
    #[must_use]
    pub const fn drain(mut self) -> Self {
        self.drain = true;
        self
    }

    /// The arguments of the `flink` command.
    ///
    /// # Errors
    /// When this version cannot do it.
    pub fn argv(&self, version: FlinkVersion) -> Result<Vec<String>, FlinkCliError> {
        let mut line = self.target.line(Action::Stop, version)?;
        // Without a directory `-p` would take the job's id for one.
        if let Some(to) = &self.directory {
            directory("directory", to)?;
            line.option("-p", to);
        }
        if self.drain {
            line.word("--drain");
        }
        format(&mut line, version, self.format)?;
        detached(&mut line, version, self.detached)?;
        job(&mut line, &self.job)?;
        Ok(line.into_argv())
    }
}

/// `flink savepoint`: a savepoint of a job that runs on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SavepointSettings {
    /// The cluster.
    pub target: ClusterTarget,
    /// The job's id.
    pub job: String,
    /// Where the savepoint goes; the cluster's `state.savepoints.dir` when none is named.
    pub directory: Option<String>,
    /// The savepoint's format.
    pub format: Option<SavepointFormat>,
    /// Whether the client leaves without waiting for the savepoint; Flink 1.19 and later.
    pub detached: bool,
}

impl SavepointSettings {
    /// Takes a savepoint.
    pub fn new(target: ClusterTarget, job: impl Into<String>) -> Self {
        Self {
            target,
            job: job.into(),
            directory: None,
            format: None,
            detached: false,
        }
    }

    /// Writes the savepoint below a directory.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<String>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// The arguments of the `flink` command.
    ///
    /// # Errors
    /// When this version cannot do it.
    pub fn argv(&self, version: FlinkVersion) -> Result<Vec<String>, FlinkCliError> {
        let mut line = self.target.line(Action::Savepoint, version)?;
        format(&mut line, version, self.format)?;
        detached(&mut line, version, self.detached)?;
        job(&mut line, &self.job)?;
        if let Some(to) = &self.directory {
            directory("directory", to)?;
            line.word(to);
        }
        Ok(line.into_argv())
    }
}

/// `flink savepoint --dispose`: deletes a savepoint.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DisposeSettings {
    /// The cluster that deletes it.
    pub target: ClusterTarget,
    /// The savepoint.
    pub path: String,
    /// A local jar with the classes that the savepoint's state is made of.
    pub jar: Option<String>,
}

impl DisposeSettings {
    /// Deletes a savepoint.
    pub fn new(target: ClusterTarget, path: impl Into<String>) -> Self {
        Self {
            target,
            path: path.into(),
            jar: None,
        }
    }

    /// The arguments of the `flink` command.
    ///
    /// # Errors
    /// When this version cannot do it.
    pub fn argv(&self, version: FlinkVersion) -> Result<Vec<String>, FlinkCliError> {
        let mut line = self.target.line(Action::Savepoint, version)?;
        directory("path", &self.path)?;
        // `-d` is read as `--detached` here, which takes no value.
        line.option("--dispose", &self.path);
        if let Some(jar) = &self.jar {
            directory("jar", jar)?;
            line.option("-j", jar);
        }
        Ok(line.into_argv())
    }
}

/// `flink checkpoint`: a checkpoint now; Flink 1.19 and later.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckpointSettings {
    /// The cluster.
    pub target: ClusterTarget,
    /// The job's id.
    pub job: String,
    /// Whether it holds all state instead of what changed.
    pub full: bool,
}

impl CheckpointSettings {
    /// Takes a checkpoint of the kind that the job is configured for.
    pub fn new(target: ClusterTarget, job: impl Into<String>) -> Self {
        Self {
            target,
            job: job.into(),
            full: false,
        }
    }

    /// The arguments of the `flink` command.
    ///
    /// # Errors
    /// When this version cannot do it.
    pub fn argv(&self, version: FlinkVersion) -> Result<Vec<String>, FlinkCliError> {
        let mut line = self.target.line(Action::Checkpoint, version)?;
        if self.full {
            line.word("-full");
        }
        job(&mut line, &self.job)?;
        Ok(line.into_argv())
    }
}
