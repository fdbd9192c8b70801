//! The spec's section `[job]`: the program and how Flink runs it.

use flinkproc_core::{ByteSize, ProgramArg, YarnMode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TextMap;
use crate::plan::ClaimMode;

/// What runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct JobSpec {
    /// The job's name, shown by YARN and Flink; by default the script's or module's.
    pub name: Option<String>,
    /// The main script: a file beside this one, or a `gs://` object. Exclusive with `module`.
    pub script: Option<String>,
    /// The main module, which one of `python_files` holds. Exclusive with `script`.
    pub module: Option<String>,
    /// The program's arguments; they reach `sys.argv` byte for byte. `${…}` is replaced, `$${` stands for `${`.
    pub args: Vec<ProgramArg>,
    /// Files that go onto `PYTHONPATH`: `.py`, `.zip`, `.whl`, local or `gs://`.
    pub python_files: Vec<String>,
    /// A `requirements.txt` that Flink installs on the workers when the job starts, local or `gs://`; `python.requirements` puts
    /// packages into the shipped Python instead.
    pub requirements: Option<String>,
    /// Archives that are unpacked on the workers, local or `gs://`; `env.zip#venv` names the directory.
    pub archives: Vec<String>,
    /// Jars for the job's classpath, local or `gs://`.
    pub jars: Vec<String>,
    /// Connectors, by a short name such as `kafka` or as `group:artifact:version`; their jars for the image's Flink are fetched,
    /// checked and staged once.
    pub packages: Vec<String>,
    /// Addresses for the program's classpath that every machine can read, such as `file:///opt/jars/x.jar`.
    pub classpaths: Vec<String>,
    /// Flink's default parallelism, at least 1.
    pub parallelism: Option<u32>,
    /// How Flink runs on YARN; `auto`, the default, is per-job on Flink 1.x and application on 2.x.
    pub mode: Option<ModeSpec>,
    /// How the job is handed over: `ssh` (by default), `pig`, `pyspark`, `hadoop`, or `native` (experimental).
    pub method: Option<String>,
    /// What is allowed although it is not proven: `native` is the one there is.
    pub experimental: Vec<String>,
    /// Whether the job runs Python functions on the workers (also every `DataStream` job), by default true. `false` says that the Table API
    /// or SQL is used without them: then the image's own Python is used on every image.
    pub python_functions: Option<bool>,
    /// The state that the job starts from.
    pub restore: RestoreSpec,
    /// Environment variables of the program and of its Python functions. They are visible in Flink's configuration: passwords
    /// go into `secrets`.
    pub env: TextMap,
    /// Environment variables whose values the cluster fetches from Secret Manager: `PASSWORD = "secret"`, `"secret:3"`, or a
    /// version's full name.
    pub secrets: TextMap,
    /// The memory of the `JobManager`'s process. In session mode the session has it.
    pub jobmanager_memory: Option<ByteSize>,
    /// The memory of each `TaskManager`'s process. In session mode the session has it.
    pub taskmanager_memory: Option<ByteSize>,
    /// Slots of each `TaskManager`. In session mode the session has them.
    pub slots: Option<u32>,
    /// The YARN queue. In session mode the session has it.
    pub queue: Option<String>,
    /// The YARN node label. In session mode the session has it.
    pub node_label: Option<String>,
    /// The YARN application's type, by default Flink's own. In session mode the session has it.
    pub application_type: Option<String>,
    /// Flink configuration, such as `"taskmanager.memory.process.size" = "2g"`.
    pub flink_config: TextMap,
    /// Free-form arguments as for `flink run`; only `-D` and `-p` are taken, the rest has keys here.
    pub flink_args: Vec<String>,
    /// A `gs://` object or prefix whose objects are shown at the end, such as `${staging}/output/`.
    pub result: Option<String>,
}

/// The state that a job starts from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RestoreSpec {
    /// A savepoint or retained checkpoint, such as `gs://bucket/savepoints/savepoint-1`.
    pub from: Option<String>,
    /// Who owns it afterwards: `claim`, `no-claim` or `legacy`. Flink 1.15 and later; Flink's default is `no-claim`.
    pub claim: Option<ClaimMode>,
    /// Whether state that no operator takes is dropped instead of an error. By default false.
    pub allow_non_restored: Option<bool>,
}

/// How Flink runs on YARN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ModeSpec {
    /// Per-job on Flink 1.x, application on 2.x.
    Auto,
    /// One YARN application for each job. Flink 1.x.
    PerJob,
    /// Many jobs share one YARN application.
    Session,
    /// One YARN application for each program, which runs in the `JobManager`.
    Application,
}

impl ModeSpec {
    /// The mode that is named; none for `auto`.
    #[must_use]
    pub const fn named(self) -> Option<YarnMode> {
        match self {
            Self::Auto => None,
            Self::PerJob => Some(YarnMode::PerJob),
            Self::Session => Some(YarnMode::Session),
            Self::Application => Some(YarnMode::Application),
        }
    }
}
