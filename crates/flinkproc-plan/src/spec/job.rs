//! The spec's section `[job]`: the program and how Flink runs it.

use flinkproc_core::{ProgramArg, YarnMode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TextMap;

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
    /// A `requirements.txt` that Flink installs on the workers, local or `gs://`.
    pub requirements: Option<String>,
    /// Archives that are unpacked on the workers, local or `gs://`; `env.zip#venv` names the directory.
    pub archives: Vec<String>,
    /// Jars for the job's classpath, local or `gs://`.
    pub jars: Vec<String>,
    /// Flink's default parallelism, at least 1.
    pub parallelism: Option<u32>,
    /// How Flink runs on YARN; `auto`, the default, is per-job on Flink 1.x and application on 2.x.
    pub mode: Option<ModeSpec>,
    /// How the job is handed over; `ssh` is the one there is.
    pub method: Option<String>,
    /// Whether the job runs Python functions on the workers (also every `DataStream` job), by default true. `false` says that the Table API
    /// or SQL is used without them, which more images can run.
    pub python_functions: Option<bool>,
    /// Flink configuration, such as `"taskmanager.memory.process.size" = "2g"`.
    pub flink_config: TextMap,
    /// Free-form arguments as for `flink run`; only `-D` and `-p` are taken, the rest has keys here.
    pub flink_args: Vec<String>,
    /// A `gs://` object or prefix whose objects are shown at the end, such as `${staging}/output/`.
    pub result: Option<String>,
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
