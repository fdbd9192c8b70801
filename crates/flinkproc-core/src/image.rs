//! Which Dataproc image carries which Flink and Python, and what each Flink can do.
//!
//! Sources: Google's image release pages 2.0 to 3.0 and PyPI's wheels for `apache-flink`, read on 2026-11-22.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A text that names no image or version that flinkproc knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no {what} that flinkproc knows; it knows {known}")]
#[non_exhaustive]
pub struct UnknownVersion {
    /// What was written.
    pub text: String,
    /// What it should have been.
    pub what: &'static str,
    /// What would have been understood.
    pub known: &'static str,
}

macro_rules! text_serde {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = UnknownVersion;
            fn try_from(text: String) -> Result<Self, UnknownVersion> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

/// How Flink runs on YARN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum YarnMode {
    /// One YARN application for each job, the program on the master. Flink 1.x; deprecated since 1.15, gone in 2.0.
    PerJob,
    /// Many jobs share one YARN application.
    Session,
    /// One YARN application for each program, which runs in the JobManager.
    Application,
}

impl fmt::Display for YarnMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PerJob => "per-job",
            Self::Session => "session",
            Self::Application => "application",
        })
    }
}

/// A Flink version, `1.12` to `2.2`, with or without a patch number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FlinkVersion {
    major: u8,
    minor: u8,
    patch: Option<u8>,
}

impl FlinkVersion {
    /// A version without a patch number.
    #[must_use]
    pub const fn new(major: u8, minor: u8) -> Self {
        Self {
            major,
            minor,
            patch: None,
        }
    }

    const fn patched(major: u8, minor: u8, patch: u8) -> Self {
        Self {
            major,
            minor,
            patch: Some(patch),
        }
    }

    /// Major and minor number; command lines differ between these, never between patches.
    #[must_use]
    pub const fn minor(self) -> (u8, u8) {
        (self.major, self.minor)
    }

    /// Whether this is Flink 2.
    #[must_use]
    pub const fn is_2(self) -> bool {
        self.major >= 2
    }

    /// Whether this Flink can run in `mode` on YARN.
    #[must_use]
    pub const fn supports(self, mode: YarnMode) -> bool {
        match mode {
            YarnMode::PerJob => !self.is_2(),
            YarnMode::Session | YarnMode::Application => true,
        }
    }

    /// The mode that a batch job gets when none is named: per-job on 1.x, application on 2.x.
    #[must_use]
    pub const fn default_mode(self) -> YarnMode {
        if self.is_2() {
            YarnMode::Application
        } else {
            YarnMode::PerJob
        }
    }

    /// The Python versions, lowest and highest, that PyPI has wheels of `apache-flink` for.
    #[must_use]
    pub const fn python_wheels(self) -> (PythonVersion, PythonVersion) {
        let (low, high) = match (self.major, self.minor) {
            (1, ..=12) => (5, 8),
            (1, 13..=15) => (6, 8),
            (1, 16) => (6, 9),
            (1, 17..=18) => (7, 10),
            (1, _) | (2, 0) => (8, 11),
            (2, 1) => (9, 11),
            _ => (9, 12),
        };
        (PythonVersion::new(low), PythonVersion::new(high))
    }
}

impl FromStr for FlinkVersion {
    type Err = UnknownVersion;

    fn from_str(text: &str) -> Result<Self, UnknownVersion> {
        let parse = || -> Option<Self> {
            let mut parts = text.split('.').map(|part| part.parse::<u8>().ok());
            let (major, minor) = (parts.next()??, parts.next()??);
            let patch = match parts.next() {
                None => None,
                Some(patch) => Some(patch?),
            };
            let known = matches!((major, minor), (1, 12..=20) | (2, 0..=2));
            (known && parts.next().is_none()).then_some(Self {
                major,
                minor,
                patch,
            })
        };
        parse().ok_or_else(|| UnknownVersion {
            text: text.to_owned(),
            what: "Flink version",
            known: "1.12 to 1.20 and 2.0 to 2.2",
        })
    }
}

impl fmt::Display for FlinkVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        self.patch.map_or(Ok(()), |patch| write!(f, ".{patch}"))
    }
}

text_serde!(FlinkVersion);

/// A Python 3 version, by its minor number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PythonVersion(u8);

impl PythonVersion {
    /// Python 3.`minor`.
    #[must_use]
    pub const fn new(minor: u8) -> Self {
        Self(minor)
    }

    /// The number after `3.`.
    #[must_use]
    pub const fn minor(self) -> u8 {
        self.0
    }
}

impl FromStr for PythonVersion {
    type Err = UnknownVersion;

    fn from_str(text: &str) -> Result<Self, UnknownVersion> {
        text.strip_prefix("3.")
            .and_then(|rest| rest.split('.').next())
            .and_then(|minor| minor.parse().ok())
            .map(Self)
            .ok_or_else(|| UnknownVersion {
                text: text.to_owned(),
                what: "Python version",
                known: "Python 3, written as `3.11`",
            })
    }
}

impl fmt::Display for PythonVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "3.{}", self.0)
    }
}

text_serde!(PythonVersion);

/// What an image is known to hold.
struct Row {
    name: &'static str,
    flink: FlinkVersion,
    python: PythonVersion,
    java: u8,
    sandbox: bool,
    components_at_create: bool,
}

const fn row(name: &'static str, flink: FlinkVersion, python: u8, java: u8) -> Row {
    Row {
        name,
        flink,
        python: PythonVersion::new(python),
        java,
        sandbox: false,
        components_at_create: false,
    }
}

const ROWS: [Row; 7] = [
    row("2.0", FlinkVersion::new(1, 12), 8, 8),
    row("2.1", FlinkVersion::patched(1, 15, 4), 10, 11),
    row("2.2", FlinkVersion::patched(1, 17, 0), 11, 11),
    Row {
        components_at_create: true,
        ..row("2.3", FlinkVersion::patched(1, 17, 0), 11, 11)
    },
    Row {
        components_at_create: true,
        ..row("3.0", FlinkVersion::patched(2, 2, 0), 12, 21)
    },
    Row {
        sandbox: true,
        ..row("sandbox-1.20", FlinkVersion::patched(1, 20, 5), 11, 17)
    },
    Row {
        sandbox: true,
        // Like the image that it stands for.
        components_at_create: true,
        ..row("sandbox-2.2", FlinkVersion::patched(2, 2, 1), 11, 17)
    },
];

/// A Dataproc image line (`2.2`, also as `2.2-debian12` or `2.2.31-ubuntu22`) or a sandbox image (`sandbox-1.20`).
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageVersion {
    text: String,
    // Skipped, or the derived impl would only read text that lives for ever; `try_from` sets it.
    #[serde(skip)]
    line: &'static str,
}

impl ImageVersion {
    /// Every image line that flinkproc knows, oldest first, the sandbox's own last.
    pub fn known() -> impl Iterator<Item = Self> {
        ROWS.iter().map(|row| Self {
            text: row.name.to_owned(),
            line: row.name,
        })
    }

    fn row(&self) -> &'static Row {
        ROWS.iter()
            .find(|row| row.name == self.line)
            .unwrap_or(&ROWS[0])
    }

    /// The image as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The line that the image belongs to, such as `2.2`.
    #[must_use]
    pub const fn line(&self) -> &'static str {
        self.line
    }

    /// The Flink on this image.
    #[must_use]
    pub fn flink(&self) -> FlinkVersion {
        self.row().flink
    }

    /// The Python that runs by default on this image.
    ///
    /// A sandbox image runs the Python that was found on this machine; the row's is the one it is tested with.
    #[must_use]
    pub fn python(&self) -> PythonVersion {
        self.row().python
    }

    /// The major version of Java on this image.
    #[must_use]
    pub fn java(&self) -> u8 {
        self.row().java
    }

    /// Whether this is an image of the local sandbox.
    #[must_use]
    pub fn is_sandbox(&self) -> bool {
        self.row().sandbox
    }

    /// Whether optional components are installed while the cluster is made (2.3 and later) instead of lying ready.
    #[must_use]
    pub fn installs_components_at_create(&self) -> bool {
        self.row().components_at_create
    }

    /// Whether the image's own Python can install the image's own PyFlink.
    #[must_use]
    pub fn python_fits(&self) -> bool {
        let (low, high) = self.flink().python_wheels();
        (low..=high).contains(&self.python())
    }

    /// The sandbox image that comes nearest to this one: the one with the same major version of Flink.
    #[must_use]
    pub fn nearest_sandbox(&self) -> Self {
        let flink_2 = self.flink().is_2();
        let name = ROWS
            .iter()
            .rfind(|row| row.sandbox && row.flink.is_2() == flink_2)
            .map_or("sandbox-1.20", |row| row.name);
        if self.is_sandbox() {
            self.clone()
        } else {
            Self {
                text: name.to_owned(),
                line: name,
            }
        }
    }
}

impl FromStr for ImageVersion {
    type Err = UnknownVersion;

    fn from_str(text: &str) -> Result<Self, UnknownVersion> {
        let line_of = |row: &&Row| {
            text.strip_prefix(row.name).is_some_and(|rest| {
                rest.is_empty() || (!row.sandbox && rest.starts_with(['.', '-']) && rest.len() > 1)
            })
        };
        let row = ROWS.iter().find(line_of).ok_or_else(|| UnknownVersion {
            text: text.to_owned(),
            what: "image",
            known: "2.0, 2.1, 2.2, 2.3, 3.0 (also with patch and distribution, such as 2.2.31-debian12), sandbox-1.20 and sandbox-2.2",
        })?;
        Ok(Self {
            text: text.to_owned(),
            line: row.name,
        })
    }
}

impl fmt::Display for ImageVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

text_serde!(ImageVersion);

impl JsonSchema for ImageVersion {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ImageVersion".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "examples": ["2.2", "2.2-debian12", "3.0", "sandbox-1.20"]})
    }
}

#[cfg(test)]
mod tests {
    use super::{FlinkVersion, ImageVersion, YarnMode};

    #[test]
    fn the_image_decides_flink_and_flink_decides_the_rest() {
        let check = |text: &str, flink: &str, fits: bool, mode: YarnMode| {
            let image: ImageVersion = text.parse().expect(text);
            assert_eq!(image.flink().to_string(), flink, "{text}");
            assert_eq!(image.python_fits(), fits, "{text}");
            assert_eq!(image.flink().default_mode(), mode, "{text}");
            assert_eq!(image.as_str(), text);
        };
        check("2.0", "1.12", true, YarnMode::PerJob);
        check("2.1.15-debian11", "1.15.4", false, YarnMode::PerJob);
        check("2.2-debian12", "1.17.0", false, YarnMode::PerJob);
        check("2.3", "1.17.0", false, YarnMode::PerJob);
        check("3.0", "2.2.0", true, YarnMode::Application);
        check("sandbox-1.20", "1.20.5", true, YarnMode::PerJob);
        check("sandbox-2.2", "2.2.1", true, YarnMode::Application);
        for unknown in ["", "1.5", "2.20", "2.2-", "sandbox-1.200", "latest"] {
            assert!(unknown.parse::<ImageVersion>().is_err(), "{unknown}");
        }
    }

    #[test]
    fn versions_outside_the_range_are_refused() {
        for (text, valid) in [
            ("1.12", true),
            ("1.20.5", true),
            ("2.2", true),
            ("1.11", false),
            ("2.3", false),
            ("1", false),
            ("1.17.x", false),
        ] {
            assert_eq!(text.parse::<FlinkVersion>().is_ok(), valid, "{text}");
        }
    }
}
