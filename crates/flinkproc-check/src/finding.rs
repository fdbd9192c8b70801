//! One thing that is wrong in a text, with its code, its place and what to write instead.

use flinkproc_flink_cli::diagnosis::Severity;
use serde::{Serialize, Serializer};

use crate::source::Place;

/// What kind of mistake a finding outside Flink's own lines is; each has a stable code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// gcloud has no such flag.
    GcloudFlag,
    /// A flag with a newer name.
    GcloudOldFlag,
    /// gcloud has no such command.
    GcloudCommand,
    /// A Python job for `gcloud dataproc jobs submit flink`, which takes jars.
    GcloudFlinkPython,
    /// Flink is asked for, and the image is whichever is the default.
    ImageNotPinned,
    /// A filter of Cloud Logging that matches nothing.
    LoggingFilter,
    /// An address of Flink's page that is not there on YARN.
    FlinkAddress,
    /// A folder that Dataproc's images do not have.
    FlinkFolder,
    /// A part of a Pig line that Grunt takes for a comment.
    PigComment,
    /// Quotes that Grunt takes away.
    PigQuotes,
    /// Hadoop's classes are not named before `flink` runs.
    HadoopClasspath,
    /// The cluster never becomes idle: a session keeps it alive.
    NeverIdle,
    /// A quote that nothing closes.
    Unclosed,
}

impl Rule {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::GcloudFlag => "CHK030",
            Self::GcloudOldFlag => "CHK031",
            Self::GcloudCommand => "CHK032",
            Self::GcloudFlinkPython => "CHK033",
            Self::ImageNotPinned => "CHK034",
            Self::LoggingFilter => "CHK035",
            Self::FlinkAddress => "CHK036",
            Self::FlinkFolder => "CHK037",
            Self::PigComment => "CHK038",
            Self::PigQuotes => "CHK039",
            Self::HadoopClasspath => "CHK040",
            Self::NeverIdle => "CHK041",
            Self::Unclosed => "CHK042",
        }
    }

    /// How bad it is.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Self::GcloudOldFlag => Severity::Note,
            Self::ImageNotPinned | Self::HadoopClasspath | Self::NeverIdle | Self::FlinkAddress => {
                Severity::Warning
            }
            _ => Severity::Error,
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The stable code, such as `CHK001`.
    pub code: &'static str,
    /// How bad it is.
    #[serde(serialize_with = "as_text")]
    pub severity: Severity,
    /// Where it stands.
    #[serde(flatten)]
    pub place: Place,
    /// What happens.
    pub message: String,
    /// Why.
    pub why: String,
    /// What to do about it.
    pub help: String,
}

fn as_text<S: Serializer>(severity: &Severity, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(severity)
}

/// A command of the text, and what is said of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// The line that it begins on.
    pub line: usize,
    /// Its words; variables stay as they are written.
    pub words: Vec<String>,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// The lines to write instead, as words; empty where there is nothing to mend. `$NAME` and `${NAME}` are variables where
    /// [`open`](Self::open) says so, and letters otherwise.
    pub instead: Vec<Vec<String>>,
    /// Whether the shell fills in a part of it.
    pub open: bool,
}
