//! One thing that is wrong with a line: its rule, where it stands, what happens, why, and what to write instead.

use std::fmt;
use std::ops::Range;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; the line does what it says.
    Note,
    /// The line works under a condition that it does not name.
    Warning,
    /// The line fails, or does something else than it says.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// What kind of mistake a finding is; each has a stable code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// The active parser drops the option without a word.
    Dropped,
    /// The option is read as another one.
    Misread,
    /// The word ends the parsing; what follows becomes the program's arguments.
    EndsParsing,
    /// Flink takes what was meant for the program.
    Swallowed,
    /// An option behind the program, which goes to the program.
    BehindProgram,
    /// Flink refuses the line.
    Refused,
    /// This version has no such action.
    NoAction,
    /// This version cannot run in that mode, or not by that action.
    NoMode,
    /// Deprecated, and works.
    Deprecated,
    /// A script that is no local file.
    RemoteScript,
    /// Application mode, and nobody ships the script.
    NotShipped,
    /// `flink info` with the id of a job.
    InfoOfJob,
    /// No cluster is named: whatever a file in `/tmp` says is taken.
    NoCluster,
    /// `-d` has another meaning here.
    OtherMeaning,
    /// The exit status says nothing of the job.
    Detached,
    /// An archive that nobody puts on the Python path.
    ArchiveUnused,
    /// `PYTHONHOME` breaks a shipped interpreter.
    PythonHome,
    /// Does nothing without another option.
    NoEffect,
    /// A module, and no files that hold it.
    ModuleWithoutFiles,
    /// The option takes local paths only.
    RemoteFile,
    /// The second of an option that Flink reads once.
    Repeated,
    /// A size without a unit, which is bytes.
    Bytes,
    /// A Python script where Flink expects a jar.
    ScriptAsJar,
    /// A configuration key that this version does not know.
    UnknownKey,
    /// Less memory than the process needs to start.
    TooSmall,
}

impl Rule {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Dropped => "CHK001",
            Self::Misread => "CHK002",
            Self::EndsParsing => "CHK003",
            Self::Swallowed => "CHK004",
            Self::BehindProgram => "CHK005",
            Self::Refused => "CHK006",
            Self::NoAction => "CHK007",
            Self::NoMode => "CHK008",
            Self::Deprecated => "CHK009",
            Self::RemoteScript => "CHK010",
            Self::NotShipped => "CHK011",
            Self::InfoOfJob => "CHK012",
            Self::NoCluster => "CHK013",
            Self::OtherMeaning => "CHK014",
            Self::Detached => "CHK015",
            Self::ArchiveUnused => "CHK016",
            Self::PythonHome => "CHK017",
            Self::NoEffect => "CHK018",
            Self::ModuleWithoutFiles => "CHK019",
            Self::RemoteFile => "CHK020",
            Self::Repeated => "CHK021",
            Self::Bytes => "CHK022",
            Self::ScriptAsJar => "CHK023",
            Self::UnknownKey => "CHK024",
            Self::TooSmall => "CHK025",
        }
    }

    /// How bad it is.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Self::Deprecated | Self::Detached => Severity::Note,
            Self::NoCluster
            | Self::OtherMeaning
            | Self::ArchiveUnused
            | Self::NoEffect
            | Self::UnknownKey
            | Self::BehindProgram => Severity::Warning,
            _ => Severity::Error,
        }
    }
}

/// One thing that is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The kind of mistake.
    pub rule: Rule,
    /// The words that it is about, counted from 0 in the line as it was given.
    pub words: Range<usize>,
    /// What Flink does with them.
    pub happens: String,
    /// Why.
    pub why: &'static str,
    /// What to write instead.
    pub help: String,
}

impl Finding {
    /// How bad it is.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        self.rule.severity()
    }
}
