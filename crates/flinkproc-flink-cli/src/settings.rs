//! What a `flink run` is to do, as typed values.

use std::collections::BTreeMap;

use flinkproc_core::{FlinkVersion, YarnMode};

/// Everything that one `flink run` (or, in application mode of Flink 1, `flink run-application`) is told.
///
/// Unless [`RunSettings::detached`] is set, the client of per-job and session mode stays until the job has ended: its exit
/// status is then the job's. The client of application mode leaves at submission.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunSettings {
    /// The Flink that reads the line.
    pub version: FlinkVersion,
    /// How Flink runs on YARN.
    pub mode: YarnMode,
    /// The session's YARN application; needed in session mode, and meaningless in the others.
    pub session: Option<String>,
    /// What runs.
    pub program: Program,
    /// The program's own arguments.
    pub arguments: Vec<String>,
    /// The YARN application's name; a job in a session has none of its own, and it is left out there.
    pub name: Option<String>,
    /// The YARN application's tags; left out in a session, as the name.
    pub tags: Vec<String>,
    /// What the containers get.
    pub containers: Containers,
    /// Default parallelism of the job.
    pub parallelism: Option<u32>,
    /// Whether the client leaves once the job is submitted.
    pub detached: bool,
    /// Whether the job is cancelled when its attached client ends.
    pub cancel_with_client: bool,
    /// The state that the job starts from.
    pub restore: Option<Restore>,
    /// Files, zip files or directories that go onto `PYTHONPATH`, of the main program and of the workers.
    pub python_files: Vec<String>,
    /// A `requirements.txt` that Flink installs on the workers.
    pub python_requirements: Option<String>,
    /// A directory of packages that the requirements are installed from, without a network.
    pub python_requirements_cache: Option<String>,
    /// Archives that Flink unpacks on the workers.
    pub python_archives: Vec<Archive>,
    /// The interpreter of the Python workers.
    pub python_executable: Option<String>,
    /// The interpreter of the main program.
    pub python_client_executable: Option<String>,
    /// What goes onto the workers' `PYTHONPATH` as it is; Flink 1.18 and later.
    pub python_path: Option<String>,
    /// Absolute paths of jars: on the program's classpath, and shipped to every container. A session takes one.
    pub jars: Vec<String>,
    /// URLs that are on the classpath of every machine already.
    pub classpaths: Vec<String>,
    /// Local files and directories that are copied into every container; not in a session, whose containers run already.
    pub ship: Vec<String>,
    /// Flink configuration, key to value.
    pub config: BTreeMap<String, String>,
}

/// What runs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Program {
    /// A Python script, by its path where the main program runs.
    Script(String),
    /// A Python module that one of the Python files holds.
    Module(String),
    /// A jar.
    Jar {
        /// Its path.
        path: String,
        /// The entry class, where the jar's manifest does not name it.
        class: Option<String>,
    },
}

impl Program {
    /// A Python script, by its path where the main program runs.
    pub fn script(path: impl Into<String>) -> Self {
        Self::Script(path.into())
    }

    /// A Python module that one of the Python files holds.
    pub fn module(name: impl Into<String>) -> Self {
        Self::Module(name.into())
    }

    /// A jar whose manifest names the entry class.
    pub fn jar(path: impl Into<String>) -> Self {
        let path = path.into();
        Self::Jar { path, class: None }
    }
}

/// An archive and the directory that it is unpacked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    /// The archive, by its path.
    pub path: String,
    /// The directory's name on the workers.
    pub directory: String,
}

/// The state that a job starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restore {
    /// A savepoint or a retained checkpoint.
    pub path: String,
    /// Who owns it afterwards; Flink's default ([`ClaimMode::NoClaim`] from 1.15 on) when none is named.
    pub claim: Option<ClaimMode>,
    /// Whether state that no operator takes is dropped instead of an error.
    pub allow_non_restored: bool,
}

impl Restore {
    /// Starts from this savepoint or checkpoint.
    pub fn from(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            claim: None,
            allow_non_restored: false,
        }
    }

    /// Says who owns the state afterwards.
    #[must_use]
    pub const fn claim(mut self, claim: ClaimMode) -> Self {
        self.claim = Some(claim);
        self
    }

    /// Drops state that no operator takes.
    #[must_use]
    pub const fn allow_non_restored(mut self) -> Self {
        self.allow_non_restored = true;
        self
    }
}

/// Who owns the state that a job was started from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClaimMode {
    /// The job, which may delete it.
    Claim,
    /// The user, and the job's first checkpoint does not depend on it.
    NoClaim,
    /// The user, and the job's checkpoints may depend on it: what Flink did before 1.15; deprecated since 1.20.
    Legacy,
}

impl ClaimMode {
    /// As Flink's command line takes it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Claim => "CLAIM",
            Self::NoClaim => "NO_CLAIM",
            Self::Legacy => "LEGACY",
        }
    }
}

/// What the containers of a YARN application get; what is not set, Flink's configuration decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Containers {
    /// Memory of the JobManager's process, in MiB.
    pub jobmanager_memory: Option<u32>,
    /// Memory of each TaskManager's process, in MiB.
    pub taskmanager_memory: Option<u32>,
    /// Slots of each TaskManager.
    pub slots: Option<u32>,
    /// YARN's queue.
    pub queue: Option<String>,
    /// The label of the nodes that the containers go to.
    pub node_label: Option<String>,
    /// The type that YARN shows for the application.
    pub application_type: Option<String>,
}

impl RunSettings {
    /// Runs `program` with Flink's defaults.
    #[must_use]
    pub fn new(version: FlinkVersion, mode: YarnMode, program: Program) -> Self {
        Self {
            version,
            mode,
            session: None,
            program,
            arguments: Vec::new(),
            name: None,
            tags: Vec::new(),
            containers: Containers::default(),
            parallelism: None,
            detached: false,
            cancel_with_client: false,
            restore: None,
            python_files: Vec::new(),
            python_requirements: None,
            python_requirements_cache: None,
            python_archives: Vec::new(),
            python_executable: None,
            python_client_executable: None,
            python_path: None,
            jars: Vec::new(),
            classpaths: Vec::new(),
            ship: Vec::new(),
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

    /// Names the session's YARN application.
    #[must_use]
    pub fn session(mut self, application: impl Into<String>) -> Self {
        self.session = Some(application.into());
        self
    }

    /// Sets the default parallelism.
    #[must_use]
    pub const fn parallelism(mut self, parallelism: u32) -> Self {
        self.parallelism = Some(parallelism);
        self
    }

    /// Lets the client leave once the job is submitted.
    #[must_use]
    pub const fn detached(mut self) -> Self {
        self.detached = true;
        self
    }

    /// Starts the job from a savepoint or checkpoint.
    #[must_use]
    pub fn restore(mut self, restore: Restore) -> Self {
        self.restore = Some(restore);
        self
    }

    /// Copies a local file or directory into every container.
    #[must_use]
    pub fn ship(mut self, path: impl Into<String>) -> Self {
        self.ship.push(path.into());
        self
    }

    /// Runs a module of the Python files.
    #[must_use]
    pub fn module(mut self, name: impl Into<String>) -> Self {
        self.program = Program::Module(name.into());
        self
    }

    /// Sets a configuration key.
    #[must_use]
    pub fn config(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.config.insert(key.into(), value.into());
        self
    }
}
