//! What may go wrong on the way to an environment or a connector.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use flinkproc_core::{ErrorCode, Explain, FailureKind, FlinkVersion, PythonVersion, RetryHint};

/// An environment or a connector that could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvError {
    /// No interpreter of that version is on this machine.
    #[error("no Python {python} that can be copied is on this machine ({looked})")]
    NoInterpreter {
        /// The version.
        python: PythonVersion,
        /// What was found instead.
        looked: String,
    },
    /// A requirement has no solution.
    #[error("{requirement} cannot be resolved: {reason}")]
    Unresolvable {
        /// The requirement, as it was written.
        requirement: String,
        /// What the tool says.
        reason: String,
    },
    /// None of the builders can build it.
    #[error("nobody here can build the environment: {}", list(.reasons))]
    NoBuilder {
        /// Each builder, and why not.
        reasons: Vec<(String, String)>,
    },
    /// A lock that does not say exactly what goes in.
    #[error("the lock cannot be used: line {line} {why}")]
    InvalidLock {
        /// From 1; 0 for the whole.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// No machine of Dataproc, or not one that this machine can build for.
    #[error("no environment for {platform} can be built here: {why}")]
    Platform {
        /// What was asked for.
        platform: String,
        /// Why not.
        why: String,
    },
    /// There is no PyFlink of that version for that Python.
    #[error("apache-flink {flink} has wheels for Python {lowest} to {highest}, not {python}")]
    NoPyFlink {
        /// The version of Flink.
        flink: FlinkVersion,
        /// The Python that was asked for.
        python: PythonVersion,
        /// The first one that would do.
        lowest: PythonVersion,
        /// The last one that would do.
        highest: PythonVersion,
    },
    /// A program that the build needs is missing, or failed.
    #[error("{program} failed while {doing}: {output}")]
    Tool {
        /// The program.
        program: String,
        /// What it was to do.
        doing: &'static str,
        /// The end of its output.
        output: String,
    },
    /// A local file cannot be read or written.
    #[error("{} cannot be used", path.display())]
    Local {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The archive was built and does not do what it must.
    #[error("the environment that was built does not work: {why}")]
    Broken {
        /// What was tried, and what came.
        why: String,
    },
    /// The archive would not start on the cluster's C library.
    #[error("{file} needs glibc {needs}, and the cluster has {has}")]
    Glibc {
        /// The file in the archive.
        file: String,
        /// What it was linked against.
        needs: String,
        /// What the cluster has.
        has: String,
    },
    /// No connector has that short name.
    #[error("`{name}` is no connector that flinkproc knows")]
    UnknownConnector {
        /// What was written.
        name: String,
        /// What would have been understood.
        known: String,
    },
    /// The connector was never released for that Flink.
    #[error("there is no `{name}` connector for Flink {flink}: {exists}")]
    NoConnector {
        /// The short name.
        name: String,
        /// The version of Flink.
        flink: FlinkVersion,
        /// What there is.
        exists: String,
    },
    /// The repository has no such jar.
    #[error("{coordinate} is not in the repository: {exists}")]
    NoJar {
        /// What was asked for.
        coordinate: String,
        /// What there is.
        exists: String,
    },
    /// The repository cannot be reached.
    #[error("{what} cannot be fetched")]
    Unavailable {
        /// What was asked for, without any password.
        what: String,
        /// The failure.
        source: Box<dyn Error + Send + Sync>,
    },
    /// What was fetched is not what its checksum says.
    #[error("{what} does not have the checksum that the repository gives")]
    Corrupt {
        /// The file.
        what: String,
    },
    /// A requirement that no lock can hold, such as a path of this machine.
    #[error("line {line} of the requirements, `{text}`, {why}")]
    InvalidRequirement {
        /// From 1.
        line: usize,
        /// The line.
        text: String,
        /// What is wrong.
        why: &'static str,
    },
}

fn list(reasons: &[(String, String)]) -> String {
    let reasons = reasons.iter().map(|(name, why)| format!("{name}: {why}"));
    reasons.collect::<Vec<_>>().join("; ")
}

impl EnvError {
    pub(crate) fn local(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Local {
            path: path.into(),
            source,
        }
    }
}

impl Explain for EnvError {
    fn code(&self) -> ErrorCode {
        ErrorCode::new(match self {
            Self::NoInterpreter { .. } => "ENV001",
            Self::Unresolvable { .. } => "ENV002",
            Self::NoBuilder { .. } => "ENV003",
            Self::InvalidLock { .. } => "ENV004",
            Self::Platform { .. } => "ENV005",
            Self::NoPyFlink { .. } => "ENV006",
            Self::Tool { .. } => "ENV007",
            Self::Local { .. } => "ENV008",
            Self::Broken { .. } => "ENV009",
            Self::Glibc { .. } => "ENV010",
            Self::UnknownConnector { .. } => "ENV011",
            Self::NoConnector { .. } => "ENV012",
            Self::NoJar { .. } => "ENV013",
            Self::Unavailable { .. } => "ENV014",
            Self::Corrupt { .. } => "ENV015",
            Self::InvalidRequirement { .. } => "ENV016",
        })
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::Unavailable { .. } | Self::Corrupt { .. } | Self::Tool { .. } => {
                FailureKind::Submission
            }
            Self::Broken { .. } => FailureKind::Internal,
            _ => FailureKind::Input,
        }
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::NoInterpreter { python, .. } => format!(
                "Install Python {python} with pip (such as `python{python}` of your distribution, or `pyenv install {python}`), or `uv`, which brings its own."
            ),
            Self::Unresolvable { .. } => "Change the requirement to what the index has for this Python and platform; PyFlink's own bounds count too (docs/python.md).".to_owned(),
            Self::NoBuilder { .. } => "Do what one of the reasons asks for, or let the cluster make its own Python with `python.environment = \"cluster\"`.".to_owned(),
            Self::InvalidLock { .. } => "Make it with `uv pip compile --generate-hashes` or `pip-compile --generate-hashes`: every line a package with `==` and `--hash=sha256:`.".to_owned(),
            Self::Platform { .. } => "Build on a machine of that kind, or let the cluster make its own Python with `python.environment = \"cluster\"`.".to_owned(),
            Self::NoPyFlink { lowest, highest, .. } => format!(
                "Ask for a Python from {lowest} to {highest}: the environment brings its own interpreter, whatever the image has."
            ),
            Self::Tool { .. } => "Run it by hand to see more; an unreachable index is given by `index_url` or by the tool's own settings.".to_owned(),
            Self::Local { .. } => "See that the folder may be written and the disk has 2 GB to spare.".to_owned(),
            Self::Broken { .. } => "Try another builder or another interpreter of the same version, and report this with the output.".to_owned(),
            Self::Glibc { .. } => "Build on an older distribution, use `uv` (its interpreters start on glibc 2.17), or choose a newer image.".to_owned(),
            Self::UnknownConnector { known, .. } => format!(
                "Known are {known}; any other jar goes as `group:artifact:version`."
            ),
            Self::NoConnector { .. } => "Choose an image whose Flink has it, or give a jar of your own in `job.jars`.".to_owned(),
            Self::NoJar { .. } => "Correct the version, or name another repository.".to_owned(),
            Self::Unavailable { .. } => "Check the network and a proxy's settings, or name a mirror; every call may be repeated.".to_owned(),
            Self::Corrupt { .. } => "Try again; a mirror that keeps saying so is broken.".to_owned(),
            Self::InvalidRequirement { .. } => "Name packages by name and version; files of your own go into `job.python_files`.".to_owned(),
        })
    }

    fn retry(&self) -> RetryHint {
        match self {
            Self::Unavailable { .. } | Self::Corrupt { .. } => RetryHint::Safe,
            _ => RetryHint::Never,
        }
    }
}
