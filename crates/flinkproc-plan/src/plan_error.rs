//! Why a request cannot become a plan; nothing was made when one of these is raised.

use flinkproc_core::{
    ErrorCode, Explain, FailureKind, FlinkVersion, ImageVersion, InvalidName, PythonVersion, Span,
    YarnMode,
};
use flinkproc_flink_cli::FlinkCliError;

use crate::launcher::LauncherError;
use crate::place::At;
use crate::spec_error::SpecError;

/// A request that cannot be carried out.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The spec's texts cannot be read.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// Flink would refuse or misread what it is to be told.
    #[error(transparent)]
    Flink(#[from] FlinkCliError),
    /// The launcher could not run it.
    #[error(transparent)]
    Launcher(#[from] LauncherError),
    /// A value that has no default.
    #[error("`{key}` has no value")]
    Missing {
        /// The key.
        key: &'static str,
        /// How to give it.
        how: String,
    },
    /// Two keys of which only one can hold.
    #[error("`{first}` and `{second}` exclude each other")]
    Conflict {
        /// One key.
        first: String,
        /// The other.
        second: String,
    },
    /// A local file that is not there.
    #[error("there is no file `{path}`, named by {at}")]
    FileMissing {
        /// The key.
        at: At,
        /// The path.
        path: String,
    },
    /// A folder where a file is needed.
    #[error("`{path}` is a directory, named by {at}")]
    FileIsDirectory {
        /// The key.
        at: At,
        /// The path.
        path: String,
    },
    /// A local file that cannot be read.
    #[error("`{path}` cannot be read ({reason}), named by {at}")]
    FileUnreadable {
        /// The key.
        at: At,
        /// The path.
        path: String,
        /// The system's reason.
        reason: String,
    },
    /// A script without content.
    #[error("the file `{path}` is empty, named by {at}")]
    FileEmpty {
        /// The key.
        at: At,
        /// The path.
        path: String,
    },
    /// A script that is no text.
    #[error("the file `{path}` is not UTF-8, named by {at}")]
    FileNotUtf8 {
        /// The key.
        at: At,
        /// The path.
        path: String,
    },
    /// A pattern without a match.
    #[error("no file matches `{pattern}`, named by {at}")]
    NoMatch {
        /// The key.
        at: At,
        /// The pattern.
        pattern: String,
    },
    /// Two files that would get one name.
    #[error("two files are called `{name}`: `{first}` and `{second}`")]
    SameName {
        /// The name.
        name: String,
        /// One file.
        first: String,
        /// The other.
        second: String,
    },
    /// A mode that the image's Flink does not have.
    #[error("image {image} has Flink {flink}, which has no {mode} mode on YARN")]
    ModeNotInFlink {
        /// The image.
        image: ImageVersion,
        /// Its Flink.
        flink: FlinkVersion,
        /// The mode.
        mode: YarnMode,
    },
    /// An image whose own Python cannot run Python functions of its own Flink.
    #[error(
        "apache-flink {flink} has wheels for Python {lowest} to {highest}; image {image} brings {python}"
    )]
    PythonNotOnImage {
        /// The image.
        image: ImageVersion,
        /// Its Python.
        python: PythonVersion,
        /// Its Flink.
        flink: FlinkVersion,
        /// The lowest Python that has a wheel.
        lowest: PythonVersion,
        /// The highest.
        highest: PythonVersion,
    },
    /// A Python that the image's `PyFlink` has no wheel for.
    #[error(
        "apache-flink {flink} of image {image} has wheels for Python {lowest} to {highest}; {at} asks for {python}"
    )]
    NoWheel {
        /// The key.
        at: At,
        /// The Python asked for.
        python: PythonVersion,
        /// The image.
        image: ImageVersion,
        /// Its Flink.
        flink: FlinkVersion,
        /// The lowest Python that has a wheel.
        lowest: PythonVersion,
        /// The highest.
        highest: PythonVersion,
    },
    /// A method that there is not.
    #[error("there is no submission method `{name}`, named by {at}")]
    UnknownMethod {
        /// The key.
        at: At,
        /// The name.
        name: String,
        /// The known name that comes nearest.
        nearest: Option<String>,
        /// The methods that there are.
        known: Vec<String>,
    },
    /// Two choices that cannot be had together.
    #[error("{first} and {second} do not go together: {reason}")]
    Incompatible {
        /// One choice.
        first: String,
        /// The other.
        second: String,
        /// Why.
        reason: String,
        /// What to do.
        fix: String,
    },
    /// A file that is not the archive that its place needs.
    #[error("`{path}` {problem}, named by {at}")]
    NotAnArchive {
        /// The key.
        at: At,
        /// The path.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// A module that none of the Python files holds.
    #[error("no file of `job.python_files` holds the module `{module}`, named by {at}")]
    ModuleMissing {
        /// The key.
        at: At,
        /// The module.
        module: String,
        /// Where something like it is.
        seen: Option<String>,
    },
    /// A line of requirements that cannot be installed.
    #[error("line {line} of `{path}` is no requirement that can be carried: {problem}, named by {at}{}", quoted(.text))]
    Requirement {
        /// The key.
        at: At,
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
        /// The line's text.
        text: String,
        /// What is wrong.
        problem: String,
    },
    /// Connectors that were not resolved when the plan was made.
    #[error("the plan has connectors without jars: `{}`", names.join("`, `"))]
    PackagesUnresolved {
        /// What the spec names.
        names: Vec<String>,
    },
    /// Less memory than Flink itself needs.
    #[error("`{key}` is {size}, and Flink starts with {minimum_mib} MiB or more: {reason}")]
    TooLittleMemory {
        /// Flink's key.
        key: &'static str,
        /// Its value, as Flink writes it.
        size: String,
        /// The least that fits the other settings.
        minimum_mib: u64,
        /// What takes the memory.
        reason: String,
    },
    /// A sandbox image on Google Cloud, or the other way round.
    #[error("image {image} {problem}")]
    WrongImage {
        /// The image.
        image: ImageVersion,
        /// What is wrong.
        problem: &'static str,
    },
    /// A setting that breaks Python on the workers.
    #[error("{at} sets PYTHONHOME, which breaks the interpreter on the workers")]
    PythonHome {
        /// The key.
        at: At,
    },
    /// A value outside what the service takes.
    #[error("{at} is {value}, and it has to be from {lowest} to {highest}")]
    OutOfBounds {
        /// The key.
        at: At,
        /// The value.
        value: Span,
        /// The lowest that is taken.
        lowest: Span,
        /// The highest that is taken.
        highest: Span,
    },
    /// A value that the service would refuse.
    #[error("{at} cannot be `{value}`: {problem}")]
    Invalid {
        /// The key.
        at: At,
        /// The value.
        value: String,
        /// What is wrong.
        problem: String,
    },
    /// The file behind `cluster.from` is no cluster.
    #[error("`{path}` is no cluster as `gcloud dataproc clusters export` writes it: {problem}")]
    ClusterFile {
        /// The file.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// A free-form argument that the spec has a key for.
    #[error("the Flink argument `{argument}` is not taken from {at}")]
    FlinkArgument {
        /// The key.
        at: At,
        /// The argument.
        argument: String,
    },
    /// A plan file that is none, or of another version.
    #[error("this is no plan that this flinkproc can carry out: {problem}")]
    PlanFile {
        /// What is wrong.
        problem: String,
    },
}

/// The line itself, below the error.
fn quoted(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!("\n  {text}")
    }
}

impl PlanError {
    /// A name that a service would refuse, at its key.
    pub(crate) fn name(at: At, error: &InvalidName) -> Self {
        Self::Invalid {
            at,
            value: error.text.clone(),
            problem: format!("a {} has this form: {}", error.what, error.rule),
        }
    }
}

impl Explain for PlanError {
    fn code(&self) -> ErrorCode {
        ErrorCode::new(match self {
            Self::Spec(error) => return error.code(),
            Self::Flink(error) => return error.code(),
            Self::Launcher(error) => return error.code(),
            Self::Missing { .. } => "SPC020",
            Self::Conflict { .. } => "SPC021",
            Self::FileMissing { .. } => "SPC022",
            Self::FileIsDirectory { .. } => "SPC023",
            Self::FileUnreadable { .. } => "SPC024",
            Self::FileEmpty { .. } => "SPC025",
            Self::FileNotUtf8 { .. } => "SPC026",
            Self::NoMatch { .. } => "SPC027",
            Self::SameName { .. } => "SPC028",
            Self::ModeNotInFlink { .. } => "SPC029",
            Self::PythonNotOnImage { .. } => "SPC031",
            Self::WrongImage { .. } => "SPC032",
            Self::PythonHome { .. } => "SPC033",
            Self::OutOfBounds { .. } => "SPC034",
            Self::Invalid { .. } => "SPC035",
            Self::ClusterFile { .. } => "SPC036",
            Self::FlinkArgument { .. } => "SPC037",
            Self::PlanFile { .. } => "SPC038",
            Self::UnknownMethod { .. } => "SPC039",
            Self::Incompatible { .. } => "SPC040",
            Self::NotAnArchive { .. } => "SPC041",
            Self::ModuleMissing { .. } => "SPC042",
            Self::Requirement { .. } => "SPC043",
            Self::NoWheel { .. } => "SPC044",
            Self::PackagesUnresolved { .. } => "SPC045",
            Self::TooLittleMemory { .. } => "SPC046",
        })
    }

    fn kind(&self) -> FailureKind {
        FailureKind::Input
    }

    fn help(&self) -> Option<String> {
        let text = match self {
            Self::Spec(error) => return error.help(),
            Self::Flink(error) => return error.help(),
            Self::Launcher(error) => return error.help(),
            Self::Missing { how, .. } => return Some(how.clone()),
            Self::Conflict { first, second } => {
                return Some(format!("Remove `{first}` or `{second}`."));
            }
            Self::FileMissing { path, .. } if path.contains("~/") => {
                "Write the whole path: `~` is not replaced here."
            }
            Self::FileMissing { .. } => {
                "Paths are taken from the spec file's own folder; check the spelling."
            }
            Self::FileIsDirectory { .. } => {
                "Name a file. Python packages go as a zip (`zip -r package.zip package`), inputs as a pattern (`data/**`)."
            }
            Self::FileUnreadable { .. } => "Check the file's permissions.",
            Self::FileEmpty { .. } => "Save the script, or name the right one.",
            Self::FileNotUtf8 { .. } => "Python reads UTF-8: convert the script.",
            Self::NoMatch { .. } => {
                "Patterns are taken from the spec file's own folder; `**` matches any number of folders."
            }
            Self::SameName { .. } => {
                "All files of a job lie in one folder on the master: rename one, or put them into one zip."
            }
            Self::ModeNotInFlink { .. } => {
                "Remove `job.mode` (or write `auto`), or name an image with a Flink that has it: 2.2 and 2.3 have 1.17, 3.0 has 2.2."
            }
            Self::PythonNotOnImage { .. } => {
                "Workers could not run Python functions. Remove `python.environment` (a Python with PyFlink is then shipped with the job); for a job without them (Table API or SQL only) write `python_functions = false` in `[job]`."
            }
            Self::NoWheel {
                lowest, highest, ..
            } => {
                return Some(format!(
                    "Write a version from {lowest} to {highest}, or remove `python.version`: it is then chosen."
                ));
            }
            Self::UnknownMethod { nearest, known, .. } => {
                let near = nearest.as_ref();
                let near = near
                    .map(|near| format!("Did you mean `{near}`? "))
                    .unwrap_or_default();
                return Some(format!(
                    "{near}There are these methods: `{}`.",
                    known.join("`, `")
                ));
            }
            Self::Incompatible { fix, .. } => return Some(fix.clone()),
            Self::NotAnArchive { .. } => {
                "Look at it with `file`, and make it again: `zip -r name.zip folder`, or `tar -czf name.tar.gz folder`."
            }
            Self::ModuleMissing {
                seen: Some(seen), ..
            } => {
                return Some(format!(
                    "There is {seen}: make the zip from inside that folder, or write the module's whole name."
                ));
            }
            Self::ModuleMissing { .. } => {
                "Name the `.py` or `.zip` file that holds it in `job.python_files`; in a zip the packages stand at the top."
            }
            Self::Requirement { .. } => {
                "Write each requirement as pip takes it, one a line: `name`, `name==1.2`, `name>=1,<2; python_version < \"3.11\"`."
            }
            Self::PackagesUnresolved { .. } => {
                "Make the plan again where Maven Central (or its mirror) can be reached, or deploy the spec itself."
            }
            Self::TooLittleMemory { .. } => {
                "Give it more: `job.jobmanager_memory` and `job.taskmanager_memory`, or those of `[session]`."
            }
            Self::WrongImage { .. } => {
                "Name an image of Dataproc, such as `2.2`, or run with `--sandbox`."
            }
            Self::PythonHome { .. } => {
                "Remove it; Flink finds the interpreter by `python.executable`."
            }
            Self::OutOfBounds { .. } => "The bounds are those of Dataproc's scheduled deletion.",
            Self::Invalid { .. } => "Nothing was created; change the value and run it again.",
            Self::ClusterFile { .. } => {
                "Write it with `gcloud dataproc clusters export NAME --region=REGION --destination=cluster.yaml`."
            }
            Self::FlinkArgument { .. } => {
                "`-D` and `-p` are taken. The rest has keys: `job.mode`, `job.script`, `job.module`, `job.python_files`, `job.requirements`, `job.archives`, `job.jars`, `job.flink_config`."
            }
            Self::PlanFile { .. } => "Make it again with `flinkproc plan SPEC --out FILE`.",
        };
        Some(text.to_owned())
    }
}
