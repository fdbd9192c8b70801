//! What can be done to the Flink jobs of a run, by Flink's own client on the cluster.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flinkproc_core::FlinkJobId;
use flinkproc_flink_cli::{CancelSettings, ClusterTarget, SavepointSettings, StopSettings};
use serde::{Deserialize, Serialize};

use super::bootstrap::{BootstrapRun, carried};
use super::data::zero_ended;
use super::error::LauncherError;
use super::flink::{FOLDER, JOB, SESSION};
use super::{LaunchBundle, tar};
use crate::plan::JobPlan;

/// What is done to the Flink jobs of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub enum JobAction {
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
        /// Whether windows are flushed to the end of time first: the state is of no use for going on then.
        drain: bool,
    },
    /// The job is cancelled without a savepoint.
    Cancel {
        /// The job; the run's only one when none is named.
        job: Option<FlinkJobId>,
    },
}

impl JobAction {
    /// The job that is named.
    #[must_use]
    pub const fn job(&self) -> Option<&FlinkJobId> {
        match self {
            Self::Savepoint { job, .. } | Self::Stop { job, .. } | Self::Cancel { job } => {
                job.as_ref()
            }
        }
    }

    /// What [`DOOR`](super::DOOR) takes behind `act`: the kind, the job or nothing, the folder or nothing.
    ///
    /// # Errors
    /// When Flink would misread the folder.
    pub fn words(&self) -> Result<[String; 3], LauncherError> {
        let (kind, directory) = match self {
            Self::Savepoint { directory, .. } => ("savepoint", directory.as_deref()),
            Self::Stop {
                directory,
                drain: false,
                ..
            } => ("stop", directory.as_deref()),
            Self::Stop { directory, .. } => ("drain", directory.as_deref()),
            Self::Cancel { .. } => ("cancel", None),
        };
        if let Some(folder) = directory
            && (folder.is_empty() || folder.starts_with('-') || folder.contains(char::is_control))
        {
            let problem = "a savepoint's folder is not empty, begins with no `-` and holds no control character";
            return Err(LauncherError::Unfit { problem });
        }
        let job = self.job().map(ToString::to_string).unwrap_or_default();
        let directory = directory.unwrap_or_default().to_owned();
        Ok([kind.to_owned(), job, directory])
    }
}

/// The arguments of `flink` for every action, each behind its name and ended by an empty word; the launcher puts the
/// application, the job and the folder in.
pub(super) fn action_lines(job: &JobPlan) -> Result<Vec<u8>, LauncherError> {
    let mut words = Vec::new();
    for (name, directory) in [("", None), ("-to", Some(FOLDER.to_string()))] {
        let target = || ClusterTarget::new(job.mode, SESSION);
        let mut savepoint = SavepointSettings::new(target(), JOB);
        savepoint.directory.clone_from(&directory);
        let mut stop = StopSettings::new(target(), JOB);
        stop.directory.clone_from(&directory);
        let drain = stop.clone().drain();
        let mut lines = vec![
            ("savepoint", savepoint.argv(job.flink)?),
            ("stop", stop.argv(job.flink)?),
            ("drain", drain.argv(job.flink)?),
        ];
        if directory.is_none() {
            lines.push((
                "cancel",
                CancelSettings::new(target(), JOB).argv(job.flink)?,
            ));
        }
        for (kind, argv) in lines {
            words.push(format!("{kind}{name}"));
            words.extend(argv);
            words.push(String::new());
        }
    }
    Ok(zero_ended(words))
}

/// One `bash` script that does something to the Flink jobs of a run, from any folder of the master and as any user.
///
/// The answer goes to `answer_object`, a `gs://` address or a name in the attempt's folder of [`JobPlan::mirror`] such as
/// `acts/1`: JSON with `status` (of Flink's client), `said` (base64) and, where nothing was done, `refused` (the reason).
/// The script exits with 0 as soon as that is written, and with 74 when it could not be.
///
/// # Errors
/// As [`LaunchBundle::new`] and [`JobAction::words`].
pub fn action_bootstrap(
    job: &JobPlan,
    run: &BootstrapRun,
    action: &JobAction,
    answer_object: &str,
) -> Result<String, LauncherError> {
    let tag = format!("flinkproc-{}-{}", run.deployment, run.attempt);
    let bundle = LaunchBundle::new(job, &tag)?;
    let [kind, wanted, directory] = action.words()?;
    let asked = zero_ended([kind, wanted, directory, answer_object.to_owned()]);
    let more = [("action", asked)];
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
