//! What a `flink run` is to do, as typed values.

use std::collections::BTreeMap;

use flinkproc_core::{FlinkVersion, YarnMode};

/// Everything that one `flink run` is told.
///
/// The client stays attached until the job has ended: its exit status is then the job's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunSettings {
    /// The Flink that reads the line.
    pub version: FlinkVersion,
    /// How Flink runs on YARN.
    pub mode: YarnMode,
    /// What runs.
    pub program: Program,
    /// The program's own arguments; Flink's parser eats some, so pass a file's path rather than what a user typed.
    pub arguments: Vec<String>,
    /// The YARN application's name.
    pub name: Option<String>,
    /// The YARN application's tags.
    pub tags: Vec<String>,
    /// Default parallelism of the job.
    pub parallelism: Option<u32>,
    /// Files, zip files or directories that go onto `PYTHONPATH`, on the master and on the workers.
    pub python_files: Vec<String>,
    /// A `requirements.txt` that Flink installs on the workers.
    pub python_requirements: Option<String>,
    /// Archives that Flink unpacks on the workers.
    pub python_archives: Vec<Archive>,
    /// The interpreter of the Python workers.
    pub python_executable: Option<String>,
    /// The interpreter of the main program on the master.
    pub python_client_executable: Option<String>,
    /// Absolute paths of jars: on the program's classpath, and shipped to every container.
    pub jars: Vec<String>,
    /// Flink configuration, key to value.
    pub config: BTreeMap<String, String>,
}

/// What runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// A Python script, by its path on the master.
    Script(String),
    /// A Python module that one of the Python files holds.
    Module(String),
}

impl Program {
    /// A Python script, by its path on the master.
    pub fn script(path: impl Into<String>) -> Self {
        Self::Script(path.into())
    }
}

/// An archive and the directory that it is unpacked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    /// The archive, by its path on the master.
    pub path: String,
    /// The directory's name on the workers.
    pub directory: String,
}

impl RunSettings {
    /// Runs `program` with Flink's defaults.
    #[must_use]
    pub const fn new(version: FlinkVersion, mode: YarnMode, program: Program) -> Self {
        Self {
            version,
            mode,
            program,
            arguments: Vec::new(),
            name: None,
            tags: Vec::new(),
            parallelism: None,
            python_files: Vec::new(),
            python_requirements: None,
            python_archives: Vec::new(),
            python_executable: None,
            python_client_executable: None,
            jars: Vec::new(),
            config: BTreeMap::new(),
        }
    }

    /// Adds an argument of the program.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Names the YARN application.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Tags the YARN application.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Sets the default parallelism.
    #[must_use]
    pub const fn parallelism(mut self, parallelism: u32) -> Self {
        self.parallelism = Some(parallelism);
        self
    }

    /// Sets a configuration key.
    #[must_use]
    pub fn config(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.config.insert(key.into(), value.into());
        self
    }
}
