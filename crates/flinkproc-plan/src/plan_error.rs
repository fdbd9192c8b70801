//! Why a request cannot become a plan; nothing was made when one of these is raised.

use flinkproc_core::{
    ErrorCode, Explain, FailureKind, FlinkVersion, ImageVersion, InvalidName, PythonVersion, Span,
    YarnMode,
};
use flinkproc_flink_cli::FlinkCliError;

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
    /// A mode that flinkproc does not run yet.
    #[error(
        "flinkproc cannot run a job in {mode} mode yet, and image {image} with Flink {flink} would get it"
    )]
    ModeNotYet {
        /// The image.
        image: ImageVersion,
        /// Its Flink.
        flink: FlinkVersion,
        /// The mode.
        mode: YarnMode,
    },
    /// An image whose own Python cannot run Python functions of its own Flink.
    #[error(
        "image {image} has Python {python}, and PyFlink {flink} exists for Python {lowest} to {highest} only"
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
            Self::ModeNotYet { .. } => "SPC030",
            Self::PythonNotOnImage { .. } => "SPC031",
            Self::WrongImage { .. } => "SPC032",
            Self::PythonHome { .. } => "SPC033",
            Self::OutOfBounds { .. } => "SPC034",
            Self::Invalid { .. } => "SPC035",
            Self::ClusterFile { .. } => "SPC036",
            Self::FlinkArgument { .. } => "SPC037",
            Self::PlanFile { .. } => "SPC038",
        })
    }

    fn kind(&self) -> FailureKind {
        FailureKind::Input
    }

    fn help(&self) -> Option<String> {
        let text = match self {
            Self::Spec(error) => return error.help(),
            Self::Flink(error) => return error.help(),
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
            Self::ModeNotYet { .. } => {
                "What runs today is per-job mode, on images with Flink 1.x (2.0 to 2.3) and in the sandbox (`--sandbox`)."
            }
            Self::PythonNotOnImage { .. } => {
                "Workers could not run Python functions. If the job has none (Table API or SQL only), write `python_functions = false` in `[job]`; `--sandbox` runs the job on this machine."
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
