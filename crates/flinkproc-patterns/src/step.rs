//! The steps of a deployment, and what is written down before and after each.

use std::fmt;

use flinkproc_compute::Door;
use flinkproc_core::{
    Attempt, ClusterRef, ClusterUuid, ErrorCode, Explain, FailureKind, GcsUri, MachineRef,
    RequestId, Zone, messages,
};
use flinkproc_dataproc::OperationName;
use flinkproc_submit::JobAction;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::outcome::Ending;
use crate::verdict::Evidence;

/// The steps of an ephemeral batch deployment, in their order.
///
/// [`Step::Stage`], [`Step::Environment`] (where the job brings its Python along; it belongs to what is staged) and
/// [`Step::CreateCluster`] run side by side, and so does [`Step::FetchResult`] with the two before it. Where the plan says that
/// nobody enters the master, there is neither [`Step::Enter`] nor [`Step::LeaveMachine`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// See that the staging bucket can be used, before anything is made.
    CheckBucket,
    /// Upload what the job needs.
    Stage,
    /// Find the job's Python environment in the bucket, or build it and upload it.
    Environment,
    /// Make the cluster, or find it.
    CreateCluster,
    /// Let our key in and open the connection to the master.
    Enter,
    /// Hand the job to the launcher.
    Submit,
    /// Follow the job to its end.
    Watch,
    /// Cancel what still runs.
    Cancel,
    /// Bring the logs home.
    SaveLogs,
    /// Take our key out again.
    LeaveMachine,
    /// Delete the cluster that was made.
    DeleteCluster,
    /// Fetch the job's result.
    FetchResult,
}

impl Step {
    /// Every step, in order.
    pub const ALL: [Self; 12] = [
        Self::CheckBucket,
        Self::Stage,
        Self::Environment,
        Self::CreateCluster,
        Self::Enter,
        Self::Submit,
        Self::Watch,
        Self::Cancel,
        Self::SaveLogs,
        Self::LeaveMachine,
        Self::DeleteCluster,
        Self::FetchResult,
    ];

    /// The step's name, as `--until` takes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CheckBucket => "check-bucket",
            Self::Stage => "stage",
            Self::Environment => "environment",
            Self::CreateCluster => "create-cluster",
            Self::Enter => "enter",
            Self::Submit => "submit",
            Self::Watch => "watch",
            Self::Cancel => "cancel",
            Self::SaveLogs => "save-logs",
            Self::LeaveMachine => "leave-machine",
            Self::DeleteCluster => "delete-cluster",
            Self::FetchResult => "fetch-result",
        }
    }

    /// The steps that a run can be told to stop after.
    pub const UNTIL: [Self; 6] = [
        Self::CheckBucket,
        Self::Stage,
        Self::CreateCluster,
        Self::Enter,
        Self::Submit,
        Self::Watch,
    ];
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Step {
    type Err = UnknownStep;

    fn from_str(text: &str) -> Result<Self, UnknownStep> {
        let known = Self::UNTIL.into_iter().find(|step| step.as_str() == text);
        known.ok_or_else(|| UnknownStep(text.to_owned()))
    }
}

/// A word that names no step to stop after.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no step to stop after: check-bucket, stage, create-cluster, enter, submit or watch"
)]
pub struct UnknownStep(pub String);

/// What is about to happen, with every id chosen for it; durable before the first call is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Intent {
    /// The bucket is looked at.
    CheckBucket,
    /// Files are uploaded; each is named by the plan.
    Stage,
    /// The environment of this key is found, or built and uploaded.
    Environment {
        /// SHA-256 of what is wanted.
        key: String,
    },
    /// A cluster is made under this name with this request id, or found.
    CreateCluster {
        /// The cluster.
        cluster: ClusterRef,
        /// Our id of the request.
        request: RequestId,
        /// Whether it is made (and so deleted in the end), or was there before.
        ours: bool,
    },
    /// A public key is let in.
    Enter {
        /// The machine.
        machine: MachineRef,
        /// The key, as the gate takes it; never the private half.
        key: GateKey,
    },
    /// The job is handed over as this attempt.
    Submit {
        /// The attempt.
        attempt: Attempt,
    },
    /// The run is followed.
    Watch,
    /// Something is done to the job, by somebody who need not be the one that follows it.
    Act {
        /// The how manieth action on this deployment, from 1.
        number: u32,
        /// Which attempt it is done to.
        attempt: Attempt,
        /// What is done.
        what: JobAction,
    },
    /// Everything is brought to its end, for this reason.
    End {
        /// The reason.
        reason: Ending,
    },
    /// The cluster is deleted with this request id.
    DeleteCluster {
        /// The cluster.
        cluster: ClusterRef,
        /// Only this one, should another have taken its name.
        uuid: Option<ClusterUuid>,
        /// Our id of the request.
        request: RequestId,
    },
}

/// The public half of a key that was let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateKey {
    /// The login name.
    pub user: String,
    /// `ssh-ed25519 AAAA…`.
    pub public_key: String,
    /// When it stops being accepted.
    pub expires: Timestamp,
    /// Who accepts it: the machine's metadata, or the OS Login profile.
    #[serde(default)]
    pub door: Door,
}

impl GateKey {
    /// Where the key is, in words.
    pub(crate) fn place(&self, machine: &MachineRef) -> String {
        match self.door {
            Door::Metadata => format!(
                "our key on {}, which expires at {}",
                machine.instance, self.expires
            ),
            Door::OsLogin => format!(
                "our key in the OS Login profile, which expires at {}",
                self.expires
            ),
        }
    }
}

/// What a step came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Output {
    /// The bucket can be used.
    CheckBucket,
    /// Every file is there.
    Stage {
        /// How many were written.
        written: u32,
        /// How many were there already.
        present: u32,
    },
    /// The environment is in the bucket.
    Environment(ProvidedEnvironment),
    /// The service took the request for a cluster.
    CreateStarted {
        /// The cluster.
        cluster: ClusterRef,
        /// The operation that makes it.
        operation: OperationName,
    },
    /// The cluster runs.
    CreateCluster(ClusterFacts),
    /// The cluster broke while it was made; its remains are to be deleted.
    ClusterBroken {
        /// The cluster.
        cluster: ClusterRef,
        /// What the service said.
        reason: String,
    },
    /// The key opened the door.
    Enter,
    /// The launcher has the job.
    Submit {
        /// The attempt.
        attempt: Attempt,
    },
    /// The attempt can never start any more.
    Fenced {
        /// The attempt.
        attempt: Attempt,
    },
    /// Flink's client has answered to an action.
    Act {
        /// Which action.
        number: u32,
        /// The client's exit status.
        status: u8,
        /// Where the savepoint is, when one was made.
        savepoint: Option<String>,
    },
    /// The run has ended, or was lost: this is what was seen of it.
    Watch(Evidence),
    /// What still ran was asked to end.
    Cancel,
    /// The logs are home.
    SaveLogs,
    /// The key is out.
    LeaveMachine {
        /// The key that was taken out.
        public_key: String,
    },
    /// The cluster is gone.
    DeleteCluster {
        /// The cluster.
        cluster: ClusterRef,
    },
    /// The result is here.
    FetchResult,
}

/// A Python environment that lies in the bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvidedEnvironment {
    /// Where.
    pub archive: GcsUri,
    /// SHA-256 of its content, in lower-case hexadecimal.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// Whether it was built for this deployment; otherwise it was there.
    pub built: bool,
}

/// What is needed of a running cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterFacts {
    /// Project, region and name.
    pub cluster: ClusterRef,
    /// Tells it from another one of that name.
    pub uuid: ClusterUuid,
    /// Its zone, as read back: what was asked for may differ.
    pub zone: Option<Zone>,
    /// The machine that is entered.
    pub master: Option<String>,
}

impl ClusterFacts {
    /// The machine that is entered.
    #[must_use]
    pub fn machine(&self) -> Option<MachineRef> {
        Some(MachineRef {
            project: self.cluster.project.clone(),
            zone: self.zone.clone()?,
            instance: self.master.clone()?,
        })
    }
}

/// A failure as it is written down and reported: the error's own words, without the error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The step that failed, when one did.
    pub step: Option<Step>,
    /// The error's stable code.
    pub code: String,
    /// Its class, which decides the exit code.
    pub kind: FailureKind,
    /// What happened; then what caused it, outermost first.
    pub messages: Vec<String>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Failure {
    /// Writes down an error with all its sources.
    pub fn of(step: Option<Step>, error: &dyn Explain) -> Self {
        let code: ErrorCode = error.code();
        Self {
            step,
            code: code.as_str().to_owned(),
            kind: error.kind(),
            messages: messages(error),
            help: error.help(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.messages.join(": "))
    }
}
