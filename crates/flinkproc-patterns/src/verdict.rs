//! How a run ended: a pure function of what the launcher, YARN and Flink said.

use std::fmt;

use flinkproc_core::{FailureKind, FlinkJobId, YarnApplicationId, YarnMode};
use flinkproc_rest::flink_values::FlinkJobState;
use flinkproc_rest::yarn_values::{ApplicationState, FinalStatus};
use flinkproc_submit::LauncherExit;
use serde::{Deserialize, Serialize};

/// What was seen of a run when it was over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What the launcher wrote last.
    pub launcher: LauncherWord,
    /// What YARN said of the applications that carry our tag.
    pub yarn: YarnWord,
    /// The last seen state of each Flink job of this deployment.
    pub flink: Vec<FlinkWord>,
    /// How Flink ran, which decides whose word counts.
    #[serde(default = "per_job")]
    pub mode: YarnMode,
    /// Who spoke for YARN and Flink.
    #[serde(default)]
    pub witness: Witness,
    /// In a session: that the launcher, before it ended well, has itself waited until Flink said of each of the program's jobs
    /// that it finished. It does where the session ends with the job, so that nobody can be asked afterwards.
    #[serde(default)]
    pub settled: bool,
}

/// Who spoke for YARN and Flink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Witness {
    /// They themselves: we asked them.
    #[default]
    Services,
    /// The launcher, which looked at them and wrote down what it saw: nobody enters the master.
    Launcher,
}

const fn per_job() -> YarnMode {
    YarnMode::PerJob
}

/// What the launcher wrote last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LauncherWord {
    /// How its program ended.
    Exit(LauncherExit),
    /// It is gone without a word.
    Lost,
    /// Nobody could look.
    Unseen,
}

/// What YARN said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum YarnWord {
    /// These are the applications of our tag; it may be none.
    Applications(Vec<ApplicationWord>),
    /// It gave no answer.
    Unseen,
}

/// One application's end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplicationWord {
    /// Its id.
    pub id: YarnApplicationId,
    /// Its state, which says nothing about success.
    pub state: ApplicationState,
    /// Its final status, which does.
    pub final_status: FinalStatus,
    /// YARN's or Flink's reason.
    pub diagnostics: String,
}

/// One Flink job's last seen state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlinkWord {
    /// Its id.
    pub id: FlinkJobId,
    /// The state.
    pub state: FlinkJobState,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Everybody whose word counts says so. Per job: the program ended with status 0, YARN says `SUCCEEDED`, and no Flink job
    /// says otherwise. In a session: status 0, and every Flink job of the program is `FINISHED`. As an application: YARN says
    /// `SUCCEEDED`, and no Flink job says otherwise.
    Succeeded,
    /// The launcher failed before it came to Flink, while it was doing this.
    NotSubmitted {
        /// `fetch`, `verify` or `prepare`.
        phase: String,
        /// Its exit status.
        status: u8,
    },
    /// Flink's client failed and no application was ever seen.
    ClientFailed {
        /// Its exit status.
        status: u8,
    },
    /// The job ran and failed.
    Failed,
    /// The job was cancelled.
    Cancelled,
    /// It could not be found out; never taken for success.
    Unknown {
        /// What is missing.
        missing: String,
    },
}

impl Verdict {
    /// The class of the failure; `None` for success.
    #[must_use]
    pub const fn kind(&self) -> Option<FailureKind> {
        match self {
            Self::Succeeded => None,
            Self::NotSubmitted { .. } | Self::ClientFailed { .. } => Some(FailureKind::Submission),
            Self::Failed => Some(FailureKind::Job),
            Self::Cancelled => Some(FailureKind::Cancelled),
            Self::Unknown { .. } => Some(FailureKind::Unknown),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Succeeded => f.write_str("succeeded"),
            Self::NotSubmitted { phase, status } => {
                write!(
                    f,
                    "not submitted: the launcher failed in `{phase}` with status {status}"
                )
            }
            Self::ClientFailed { status } => {
                write!(
                    f,
                    "not submitted: Flink's client ended with status {status} and no application was seen"
                )
            }
            Self::Failed => f.write_str("failed"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::Unknown { missing } => write!(f, "unknown: {missing}"),
        }
    }
}

/// What one witness says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Vote {
    Success,
    Failure,
    Cancelled,
    Silent,
}

impl Evidence {
    /// Nothing was seen.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            launcher: LauncherWord::Unseen,
            yarn: YarnWord::Unseen,
            flink: Vec::new(),
            mode: YarnMode::PerJob,
            witness: Witness::Services,
            settled: false,
        }
    }

    /// How the run ended.
    ///
    /// A failure that YARN or Flink saw outweighs everything; then a cancellation; then a failure of the client program alone.
    /// Success needs the launcher *and* YARN: a lost launcher may have had more jobs to start. In a session YARN's word is about
    /// the session and Flink's takes its place; an application's program runs in the application, so YARN's word is enough.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let (launcher, yarn, flink) = (self.launcher_vote(), self.yarn_vote(), self.flink_vote());
        let exit = match &self.launcher {
            LauncherWord::Exit(exit) => Some(exit),
            LauncherWord::Lost | LauncherWord::Unseen => None,
        };
        if yarn == Vote::Failure || flink == Vote::Failure {
            return Verdict::Failed;
        }
        if [launcher, yarn, flink].contains(&Vote::Cancelled) {
            return Verdict::Cancelled;
        }
        if self.mode == YarnMode::Application && yarn == Vote::Success {
            return Verdict::Succeeded;
        }
        if let (Vote::Failure, Some(exit)) = (launcher, exit) {
            let nothing_seen = yarn == Vote::Silent && flink == Vote::Silent;
            return match exit.phase.as_str() {
                "flink" if nothing_seen && self.nothing_ran() => Verdict::ClientFailed {
                    status: exit.status,
                },
                "flink" => Verdict::Failed,
                phase => Verdict::NotSubmitted {
                    phase: phase.to_owned(),
                    status: exit.status,
                },
            };
        }
        let cluster = match self.mode {
            YarnMode::Session
                if self.settled && flink == Vote::Silent && !self.flink.is_empty() =>
            {
                launcher
            }
            YarnMode::Session => flink,
            _ => yarn,
        };
        if launcher == Vote::Success && cluster == Vote::Success {
            return Verdict::Succeeded;
        }
        Verdict::Unknown {
            missing: self.missing(),
        }
    }

    /// Whether those who spoke say the same.
    #[must_use]
    pub fn agree(&self) -> bool {
        let mut votes = [self.launcher_vote(), self.yarn_vote(), self.flink_vote()]
            .into_iter()
            .filter(|vote| *vote != Vote::Silent);
        let first = votes.next();
        votes.all(|vote| Some(vote) == first)
    }

    fn nothing_ran(&self) -> bool {
        if self.mode == YarnMode::Session {
            return self.flink.is_empty();
        }
        matches!(&self.yarn, YarnWord::Applications(applications) if applications.is_empty())
            || matches!(self.yarn, YarnWord::Unseen)
    }

    fn missing(&self) -> String {
        match (&self.launcher, &self.yarn) {
            (LauncherWord::Lost, _) => "the launcher is gone without a word".to_owned(),
            (LauncherWord::Unseen, _) => "the launcher's exit status could not be read".to_owned(),
            _ if self.mode == YarnMode::Session && self.flink.is_empty() => {
                "the program ended well, yet the session knows no Flink job of it".to_owned()
            }
            _ if self.mode == YarnMode::Session => {
                "Flink did not tell how the program's jobs ended".to_owned()
            }
            (_, YarnWord::Unseen) => "YARN gave no answer".to_owned(),
            (_, YarnWord::Applications(applications)) if applications.is_empty() => {
                "the program ended well, yet YARN knows no application of this deployment"
                    .to_owned()
            }
            _ => "YARN has not recorded a final status".to_owned(),
        }
    }

    fn launcher_vote(&self) -> Vote {
        match &self.launcher {
            LauncherWord::Exit(exit) if exit.status == 0 => Vote::Success,
            LauncherWord::Exit(exit) if exit.cancelled => Vote::Cancelled,
            LauncherWord::Exit(_) => Vote::Failure,
            LauncherWord::Lost | LauncherWord::Unseen => Vote::Silent,
        }
    }

    fn yarn_vote(&self) -> Vote {
        let YarnWord::Applications(applications) = &self.yarn else {
            return Vote::Silent;
        };
        if self.mode == YarnMode::Session {
            // The application is the session, which lives on, or ends, for reasons of its own.
            return Vote::Silent;
        }
        combine(applications.iter().map(|application| {
            match (application.final_status, application.state) {
                (FinalStatus::Succeeded, state)
                    if state.is_terminal() || state == ApplicationState::Finishing =>
                {
                    Vote::Success
                }
                (FinalStatus::Failed, _) | (_, ApplicationState::Failed) => Vote::Failure,
                (FinalStatus::Killed, _) | (_, ApplicationState::Killed) => Vote::Cancelled,
                _ => Vote::Silent,
            }
        }))
    }

    fn flink_vote(&self) -> Vote {
        combine(self.flink.iter().map(|job| match job.state {
            FlinkJobState::Finished => Vote::Success,
            FlinkJobState::Failed => Vote::Failure,
            FlinkJobState::Canceled => Vote::Cancelled,
            // On YARN the JobManager goes away with its last job: the state seen last may be an old one.
            _ => Vote::Silent,
        }))
    }
}

/// One bad vote decides; success needs all.
fn combine(votes: impl Iterator<Item = Vote>) -> Vote {
    let votes: Vec<Vote> = votes.collect();
    [Vote::Failure, Vote::Cancelled, Vote::Silent]
        .into_iter()
        .find(|bad| votes.contains(bad))
        .unwrap_or(if votes.is_empty() {
            Vote::Silent
        } else {
            Vote::Success
        })
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.launcher {
            LauncherWord::Exit(exit) => {
                write!(f, "launcher: status {} in `{}`", exit.status, exit.phase)?;
            }
            LauncherWord::Lost => f.write_str("launcher: lost")?,
            LauncherWord::Unseen => f.write_str("launcher: not seen")?,
        }
        let seen = match self.witness {
            Witness::Services => "",
            Witness::Launcher => " (seen by the launcher)",
        };
        let session = match self.mode {
            YarnMode::Session => "session ",
            _ => "",
        };
        match &self.yarn {
            YarnWord::Applications(applications) if applications.is_empty() => {
                write!(f, "; YARN{seen}: no application")?;
            }
            YarnWord::Applications(applications) => {
                for one in applications {
                    let (state, status) = (word(&one.state), word(&one.final_status));
                    write!(f, "; YARN{seen}: {session}{} {state} {status}", one.id)?;
                }
            }
            YarnWord::Unseen => f.write_str("; YARN: no answer")?,
        }
        if self.flink.is_empty() {
            write!(f, "; Flink{seen}: no job seen")?;
        }
        for job in &self.flink {
            let state = match job.state {
                FlinkJobState::Unknown => "state not seen".to_owned(),
                state => word(&state),
            };
            write!(f, "; Flink{seen}: {} {state}", job.id)?;
        }
        Ok(())
    }
}

/// The service's own word for a state.
pub(crate) fn word(state: &impl Serialize) -> String {
    match serde_json::to_value(state) {
        Ok(serde_json::Value::String(word)) => word,
        _ => "?".to_owned(),
    }
}

#[cfg(test)]
mod tests;
