//! What is wanted, and what comes back.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use flinkproc_core::{FlinkVersion, PythonVersion};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::EnvError;

/// The environment that a job needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentRequest {
    /// The interpreter's version.
    pub python: PythonVersion,
    /// The `apache-flink` that goes in, with its patch number: exactly the cluster's Flink.
    pub flink: FlinkVersion,
    /// The cluster's platform as [`Platform`] reads it: `x86_64-linux-gnu`, or `x86_64-linux-gnu.2.31` with its C library.
    pub platform: String,
    /// The user's requirements as `requirements.txt` has them; empty when PyFlink is all.
    pub requirements: String,
    /// A lock that the user gave: requirements with versions and hashes, taken as they are.
    pub lock: Option<String>,
    /// The package index; the tools' own setting when none is named. May hold a password: it is passed in the
    /// environment, never in an argument list.
    pub index_url: Option<String>,
}

impl EnvironmentRequest {
    /// Reads the platform.
    ///
    /// # Errors
    /// [`EnvError::Platform`] when it is none that Dataproc has.
    pub fn platform(&self) -> Result<Platform, EnvError> {
        self.platform.parse()
    }
}

/// The versions, and hashes, of every package that goes in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// Comments that name Python, Flink and platform, then one requirement with `==` and `--hash` per package.
    pub text: String,
    /// SHA-256 of the text in lower-case hexadecimal: the archive's name.
    pub sha256: String,
}

impl Lock {
    /// Names a text by its content.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let sha256 = hex(&Sha256::digest(text.as_bytes()));
        Self { text, sha256 }
    }
}

/// An archive that was built and checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuiltArchive {
    /// Where it lies on this machine.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
}

/// A kind of machine: processor, system and C library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// The processor, as `uname -m` calls it.
    pub machine: String,
    /// The C library that the archive must start on; unchecked (but told of, when newer than the oldest image's) without.
    pub glibc: Option<Glibc>,
}

impl FromStr for Platform {
    type Err = EnvError;

    fn from_str(text: &str) -> Result<Self, EnvError> {
        let unknown = || EnvError::Platform {
            platform: text.to_owned(),
            why: "Dataproc has `x86_64-linux-gnu` and `aarch64-linux-gnu`".to_owned(),
        };
        let (machine, rest) = text.split_once("-linux-gnu").ok_or_else(unknown)?;
        if !matches!(machine, "x86_64" | "aarch64") {
            return Err(unknown());
        }
        let glibc = match rest.strip_prefix('.') {
            None if rest.is_empty() => None,
            None => return Err(unknown()),
            Some(version) => Some(Glibc::parse(version).ok_or_else(unknown)?),
        };
        Ok(Self {
            machine: machine.to_owned(),
            glibc,
        })
    }
}

/// A version of the GNU C library; what was linked against a newer one does not start on an older.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Glibc(pub u16, pub u16);

impl Glibc {
    /// Debian 11's, the oldest among Dataproc's images (Rocky 9 has 2.34, Ubuntu 22 2.35, Debian 12 2.36).
    pub const OLDEST: Self = Self(2, 31);

    /// Reads `2.31`; a third number is dropped.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let (major, minor) = (parts.next()?, parts.next()?);
        Some(Self(major.parse().ok()?, minor.parse().ok()?))
    }
}

impl fmt::Display for Glibc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

impl fmt::Debug for Glibc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // writing into a String cannot fail
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::{Glibc, Lock, Platform};

    #[test]
    fn a_platform_names_its_processor_and_its_c_library() {
        let check = |text: &str, glibc: Option<Option<Glibc>>| {
            let platform = text.parse::<Platform>();
            assert_eq!(platform.ok().map(|it| it.glibc), glibc, "{text}");
        };
        check("x86_64-linux-gnu", Some(None));
        check("aarch64-linux-gnu.2.36", Some(Some(Glibc(2, 36))));
        check("x86_64-linux-gnu.", None);
        check("x86_64-linux-gnueabi", None);
        check("x86_64-linux-musl", None);
        check("riscv64-linux-gnu", None);
        assert!(Glibc(2, 4) < Glibc(2, 31));
    }

    #[test]
    fn a_lock_is_named_by_its_text() {
        assert_eq!(
            Lock::new("").sha256,
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
