//! The plan of one deployment: everything that is going to happen, as values without any open choice.

use std::collections::BTreeMap;

use flinkproc_core::{
    ClusterRef, DeploymentId, FlinkVersion, GcsUri, ImageVersion, ProgramArg, PythonVersion,
    RunKey, SecretVersion, Span, YarnMode, Zone,
};
use serde::{Deserialize, Serialize};

use crate::spec::AccessSpec;

/// One deployment, decided to the last value.
///
/// Two plans of the same request differ in nothing but [`Plan::deployment`]. It can be written to a file as JSON and read
/// back (`flinkproc plan --out`, `flinkproc deploy PLAN`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The version of this format, now 1.
    pub format: u32,
    /// The id of the deployment; chosen before anything is made and part of every name that is made.
    pub deployment: DeploymentId,
    /// The user's own name for the run, if one was given.
    pub run_key: Option<RunKey>,
    /// The spec file that this plan came from.
    pub spec: SpecSource,
    /// The cluster that the job runs on.
    pub cluster: ClusterPlan,
    /// What goes to Cloud Storage first.
    pub staging: StagingPlan,
    /// What runs.
    pub job: JobPlan,
    /// How the master is entered.
    pub ssh: SshPlan,
    /// How the run is watched and ended.
    pub watch: WatchPlan,
    /// Every value that nobody wrote, and where it came from.
    pub defaults: Vec<DefaultTaken>,
    /// What the user should know and that does not stop the run.
    pub warnings: Vec<String>,
}

/// Where a plan came from, to notice that the spec changed since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpecSource {
    /// The file, as it was named.
    pub path: String,
    /// SHA-256 of its bytes, in lower-case hexadecimal.
    pub sha256: String,
}

/// The cluster of a deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterPlan {
    /// Project, region and name.
    pub cluster: ClusterRef,
    /// The zone; Dataproc chooses one when there is none.
    pub zone: Option<Zone>,
    /// The image that the cluster gets.
    pub image: ImageVersion,
    /// The image that the spec names, where the sandbox stands in with another one.
    pub requested_image: Option<ImageVersion>,
    /// Whether the deployment makes the cluster (and so deletes it) or finds it.
    pub ours: bool,
    /// The whole Dataproc v1 `Cluster` resource, in the JSON that the API takes; empty when the cluster is found.
    pub resource: serde_json::Value,
    /// The safety net: Dataproc deletes the cluster after this long without work.
    pub max_idle: Span,
    /// The safety net: Dataproc deletes the cluster at this age.
    pub max_age: Span,
}

/// What goes to Cloud Storage before the job starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StagingPlan {
    /// The deployment's own place, `gs://bucket/flinkproc/deployments/<id>/`; it ends with a slash.
    pub home: GcsUri,
    /// Files to upload.
    pub uploads: Vec<UploadPlan>,
    /// Texts of ours to upload, such as an initialization action; they are there before the cluster is made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<TextPlan>,
    /// The Python environment that is to be in the bucket before the job starts: found there, or built and uploaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentPlan>,
}

/// A text of ours and where it goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextPlan {
    /// Where it goes; named by its content.
    pub to: GcsUri,
    /// The text.
    pub text: String,
}

/// A self-contained Python (interpreter and packages) that is shipped with the job.
///
/// Which packages exactly is decided when it is built, by the lock; from then on [`EnvironmentPlan::pointer`] names the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentPlan {
    /// The interpreter's version.
    pub python: PythonVersion,
    /// The `apache-flink` that goes in: the image's version, with its patch number.
    pub flink: FlinkVersion,
    /// The cluster's platform, such as `x86_64-linux-gnu`.
    pub platform: String,
    /// The user's requirements as `requirements.txt` has them.
    pub requirements: String,
    /// Where packages come from instead of the public index; it says nothing about what they are, so it is not in the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index_url: Option<String>,
    /// A lock that the user gave: requirements with versions and hashes, taken as they are.
    pub lock: Option<String>,
    /// Who builds it: `auto`, `local` or `uv`.
    pub builder: String,
    /// SHA-256 of what decides its content: all of the above but where it comes from and who builds it.
    pub key: String,
    /// The object that names the archive once it was built: `gs://bucket/flinkproc/env/by-request/<key>.json`.
    pub pointer: GcsUri,
    /// Where archives lie, each below the hash of its lock: `gs://bucket/flinkproc/env/`.
    pub folder: GcsUri,
    /// The archive's name in the attempt's `files` directory.
    pub name: String,
}

/// One local file and where it goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UploadPlan {
    /// The local file.
    pub local: String,
    /// Where it goes. Code is named by its content (`…/flinkproc/<sha256>/<name>`), inputs live below [`StagingPlan::home`].
    pub to: GcsUri,
    /// Size in bytes.
    pub size: u64,
    /// SHA-256 of the content, in lower-case hexadecimal.
    pub sha256: String,
    /// CRC32C of the content, where it was found with the rest: the file is then read only while it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc32c: Option<u32>,
}

/// What runs on the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobPlan {
    /// The job's name, shown by YARN and Flink.
    pub name: String,
    /// The Flink that runs it.
    pub flink: FlinkVersion,
    /// How Flink runs on YARN.
    pub mode: YarnMode,
    /// How the job is handed over, such as `ssh`.
    pub method: String,
    /// The program.
    pub entry: EntryPoint,
    /// The program's own arguments, byte for byte.
    pub args: Vec<ProgramArg>,
    /// Files that the launcher fetches to the master before it starts Flink.
    pub files: Vec<RemoteFile>,
    /// Flink's parallelism, when set.
    pub parallelism: Option<u32>,
    /// Flink configuration, key to value.
    pub flink_config: BTreeMap<String, String>,
    /// The YARN application's tag, by which it is found again: `flinkproc-<deployment>`; the launcher's attempt is
    /// appended when it is submitted (`-<attempt>`).
    pub tag: String,
    /// Where the job's result lies, to be shown at the end.
    pub result: Option<GcsUri>,
    /// The state that the job starts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore: Option<RestorePlan>,
    /// The session that the job goes into; there is one exactly in session mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionPlan>,
    /// The Python that runs it.
    #[serde(default)]
    pub python: PythonPlan,
    /// Environment variables of the program and of its Python functions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Environment variables whose values the cluster fetches from Secret Manager; never a value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, SecretVersion>,
    /// Where the launcher copies what it writes, for those who cannot look at the master: `…/deployments/<id>/runs/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<GcsUri>,
    /// Addresses that are on the program's classpath, on every machine that has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classpaths: Vec<String>,
    /// Connectors that were not resolved to jars when this was planned ([`Plan::check_resolved`]); a run has none of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unresolved: Vec<String>,
}

/// The state that a job starts from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestorePlan {
    /// A savepoint or retained checkpoint.
    pub from: String,
    /// Who owns it afterwards; Flink's default when none is named.
    pub claim: Option<ClaimMode>,
    /// Whether state that no operator takes is dropped instead of an error.
    pub allow_non_restored: bool,
}

/// Who owns the state that a job was started from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClaimMode {
    /// The job, which may delete it.
    Claim,
    /// The user, and the job's first checkpoint does not depend on it.
    NoClaim,
    /// The user, and the job's checkpoints may depend on it. Flink 1.15 to 1.20.
    Legacy,
}

/// A Flink session on YARN.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionPlan {
    /// Its name.
    pub name: String,
    /// The tag by which it is found: `flinkproc-session-<name>`.
    pub tag: String,
    /// What becomes of it after the job.
    pub lifetime: SessionLifetime,
    /// The session's own Flink configuration, used when it is started.
    pub flink_config: BTreeMap<String, String>,
}

/// What becomes of a session after the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SessionLifetime {
    /// A session that this deployment started ends with the job.
    Deployment,
    /// It stays for the next job.
    Keep,
}

/// The Python that runs a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PythonPlan {
    /// The image's own: the first one with PyFlink that the launcher finds.
    #[default]
    Image,
    /// The shipped environment: the file with the role [`FileRole::Environment`].
    Shipped,
    /// One that an initialization action made on every machine, at this path.
    OnCluster(String),
}

/// Where the program starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryPoint {
    /// A script; the name of the [`RemoteFile`] with role [`FileRole::Script`].
    Script(String),
    /// A module that one of the Python files holds.
    Module(String),
}

/// A file that the launcher fetches, checks and hands to Flink.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteFile {
    /// Where it lies.
    pub from: GcsUri,
    /// Its name in the attempt's `files` directory on the master; unique, no slash.
    pub name: String,
    /// SHA-256 in lower-case hexadecimal; none for a file that was already in a bucket.
    pub sha256: Option<String>,
    /// What Flink does with it.
    pub role: FileRole,
}

/// What Flink does with a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileRole {
    /// The main script.
    Script,
    /// Goes onto `PYTHONPATH`.
    PythonFile,
    /// A `requirements.txt` that Flink installs on the workers.
    Requirements,
    /// An archive that is unpacked on the workers, under this directory name.
    Archive {
        /// The directory's name.
        directory: String,
    },
    /// A jar on the job's classpath.
    Jar,
    /// The shipped Python environment, a `.tar.gz` with `bin/python` in it; there is at most one.
    Environment,
}

/// How the master is entered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SshPlan {
    /// The login name.
    pub user: String,
    /// The port.
    pub port: u16,
    /// Which key opens the door.
    pub identity: IdentityPlan,
    /// How long the key stays valid where the deployment lets it in.
    pub key_ttl: Span,
    /// The way to the master.
    #[serde(default)]
    pub access: AccessSpec,
    /// Whether the user's `~/.ssh/config` is followed where the spec is silent.
    #[serde(default)]
    pub config: bool,
}

/// Which key opens the door.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdentityPlan {
    /// A new key for this deployment alone, let in by OS Login or the instance's metadata and taken out again.
    Ephemeral,
    /// The user's own key file, which the master already accepts.
    File(String),
    /// The user's SSH agent, whose key the master already accepts.
    Agent,
}

/// How the run is watched and ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchPlan {
    /// The one deadline of the whole deployment, counted from its start.
    pub deadline: Span,
    /// What becomes of the cluster when the job fails.
    pub on_failure: OnFailure,
    /// What becomes of everything on Ctrl-C.
    pub on_interrupt: OnInterrupt,
}

/// What becomes of a cluster that the deployment made when its job fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// It is deleted, after the logs are saved.
    Delete,
    /// It is kept to be looked at; max-idle and max-age still end it.
    Keep,
}

/// What an interrupt does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnInterrupt {
    /// The job is cancelled and the cluster deleted.
    Delete,
    /// Everything goes on; `flinkproc deploy --resume` attaches again.
    Detach,
}

/// A value that nobody wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefaultTaken {
    /// The key, as in the spec: `cluster.workers`.
    pub key: String,
    /// The value taken.
    pub value: String,
    /// Where it came from: `built-in`, `gcloud configuration`, `environment FLINKPROC_REGION`, …
    pub source: String,
}
