//! Every line that this crate builds, as one value.

use flinkproc_core::FlinkVersion;

use crate::error::FlinkCliError;
use crate::grammar::Action;
use crate::jobs::{
    CancelSettings, CheckpointSettings, DisposeSettings, ListSettings, SavepointSettings,
    StopSettings,
};
use crate::run::InfoSettings;
use crate::session::{AttachSettings, SessionSettings};
use crate::settings::RunSettings;

/// What the `flink` command or `yarn-session.sh` is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Runs a program, in whichever mode.
    Run(Box<RunSettings>),
    /// Prints the plan of a program.
    Info(InfoSettings),
    /// Lists jobs.
    List(ListSettings),
    /// Cancels a job.
    Cancel(CancelSettings),
    /// Stops a job with a savepoint.
    Stop(StopSettings),
    /// Takes a savepoint.
    Savepoint(SavepointSettings),
    /// Deletes a savepoint.
    Dispose(DisposeSettings),
    /// Takes a checkpoint.
    Checkpoint(CheckpointSettings),
    /// Starts a session.
    Session(Box<SessionSettings>),
    /// Attaches to a session; with [`crate::session::STOP`] on its standard input it ends the session.
    Attach(AttachSettings),
}

impl Command {
    /// The action that it is in this version.
    #[must_use]
    pub fn action(&self) -> Action {
        match self {
            Self::Run(run) => run.action(),
            Self::Info(_) => Action::Info,
            Self::List(_) => Action::List,
            Self::Cancel(_) => Action::Cancel,
            Self::Stop(_) => Action::Stop,
            Self::Savepoint(_) | Self::Dispose(_) => Action::Savepoint,
            Self::Checkpoint(_) => Action::Checkpoint,
            Self::Session(_) | Self::Attach(_) => Action::Session,
        }
    }

    /// The arguments: of `flink`, from the action's word on; of `yarn-session.sh`.
    ///
    /// [`RunSettings`] know their version themselves, which must be this one.
    ///
    /// # Errors
    /// When this version cannot do it, or would drop or misread a part of it.
    pub fn argv(&self, version: FlinkVersion) -> Result<Vec<String>, FlinkCliError> {
        match self {
            Self::Run(run) if run.version != version => Err(FlinkCliError::InvalidSetting {
                setting: "version",
                problem: "the settings of `run` are for another version",
            }),
            Self::Run(run) => run.argv(),
            Self::Info(info) => info.argv(version),
            Self::List(list) => list.argv(version),
            Self::Cancel(cancel) => cancel.argv(version),
            Self::Stop(stop) => stop.argv(version),
            Self::Savepoint(savepoint) => savepoint.argv(version),
            Self::Dispose(dispose) => dispose.argv(version),
            Self::Checkpoint(checkpoint) => checkpoint.argv(version),
            Self::Session(session) => session.argv(version),
            Self::Attach(attach) => attach.argv(),
        }
    }
}

#[cfg(test)]
mod tests;
