//! What can be done to the Flink jobs of a run, by Flink's own client on the cluster.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flinkproc_core::FlinkJobId;
use flinkproc_flink_cli::{CancelSettings, ClusterTarget, SavepointSettings, StopSettings};

use super::bootstrap::{BootstrapRun, carried};
use super::data::zero_ended;
use super::error::LauncherError;
use super::flink::{JOB, SESSION};
use super::{LaunchBundle, tar};
use crate::plan::JobPlan;

/// What is done to the Flink jobs of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LauncherAction {
    /// A savepoint is taken; the job goes on.
    Savepoint {
        /// The job; the run's only one when none is named.
        job: Option<FlinkJobId>,
        /// The folder; the configured one when none is named.
        directory: Option<String>,
    },
    /// A savepoint is taken and the job ends.
    Stop {
        /// The job; the run's only one when none is named.
        job: Option<FlinkJobId>,
        /// The folder; the configured one when none is named.
        directory: Option<String>,
        /// Whether windows are flushed to the end of time first.
        drain: bool,
    },
    /// The job is cancelled without a savepoint.
    Cancel {
        /// The job; the run's only one when none is named.
        job: Option<FlinkJobId>,
    },
}

impl LauncherAction {
    /// The job that is named.
    #[must_use]
    pub const fn job(&self) -> Option<&FlinkJobId> {
        match self {
            Self::Savepoint { job, .. } | Self::Stop { job, .. } | Self::Cancel { job } => {
                job.as_ref()
            }
        }
    }
}

/// The arguments of `flink` for an action, with the launcher's signs where the application and the job come in; each word
/// is ended by NUL.
///
/// # Errors
/// When this Flink cannot do it, or would misread the folder.
pub fn action_argv(job: &JobPlan, action: &LauncherAction) -> Result<Vec<u8>, LauncherError> {
    let target = ClusterTarget::new(job.mode, SESSION);
    let words = match action {
        LauncherAction::Savepoint { directory, .. } => {
            let mut settings = SavepointSettings::new(target, JOB);
            settings.directory.clone_from(directory);
            settings.argv(job.flink)?
        }
        LauncherAction::Stop {
            directory, drain, ..
        } => {
            let mut settings = StopSettings::new(target, JOB);
            settings.directory.clone_from(directory);
            settings.drain = *drain;
            settings.argv(job.flink)?
        }
        LauncherAction::Cancel { .. } => CancelSettings::new(target, JOB).argv(job.flink)?,
    };
    Ok(zero_ended(words))
}

/// One `bash` script that does something to the Flink jobs of a run, from any folder of the master and as any user.
///
/// The answer goes to `answer_object`, a `gs://` address or a name in the attempt's folder of [`JobPlan::mirror`] such as
/// `acts/1`: JSON with `status` (of Flink's client), `said` (base64) and, where nothing was done, `refused` (the reason).
/// The script exits with 0 as soon as that is written, and with 74 when it could not be.
///
/// # Errors
/// As [`LaunchBundle::new`] and [`action_argv`].
pub fn action_bootstrap(
    job: &JobPlan,
    run: &BootstrapRun,
    action: &LauncherAction,
    answer_object: &str,
) -> Result<String, LauncherError> {
    let tag = format!("flinkproc-{}-{}", run.deployment, run.attempt);
    let bundle = LaunchBundle::new(job, &tag)?;
    let argv = action_argv(job, action)?;
    let wanted = action.job().map(ToString::to_string).unwrap_or_default();
    let asked = zero_ended([wanted, answer_object.to_owned()]);
    let more = [("action-argv", argv), ("action", asked)];
    let mut files: Vec<tar::Entry<'_>> = bundle.entries().collect();
    for (name, content) in &more {
        files.push(tar::Entry {
            name,
            mode: 0o600,
            content,
        });
    }
    let digest = STANDARD.encode(bundle.digest());
    files.push(tar::Entry {
        name: "digest",
        mode: 0o600,
        content: digest.as_bytes(),
    });
    Ok(carried(run, &["act-alone", &digest], &tar::archive(files)))
}
