//! The request: a spec and everything from outside that a plan depends on.

use std::collections::BTreeMap;

use flinkproc_core::{DeploymentId, ImageVersion, RunKey};
use sha2::{Digest, Sha256};

use crate::files::LocalFacts;
use crate::layers::LayeredSpec;
use crate::plan::SpecSource;

/// What [`plan_deployment`](crate::plan_deployment) turns into a [`Plan`](crate::Plan).
#[derive(Clone, Debug)]
pub struct DeployRequest {
    /// The spec; project, region and zone come in through its layers.
    pub spec: LayeredSpec,
    /// The spec file's folder, from which its relative paths are taken.
    pub folder: String,
    /// The new deployment's id.
    pub deployment: DeploymentId,
    /// The user's own name for the run.
    pub run_key: Option<RunKey>,
    /// The `--param`s, in their order; the last one of a name holds.
    pub params: Vec<(String, String)>,
    /// The login name where the spec has none.
    pub login_user: String,
    /// The local Dataproc, when it is to be used.
    pub sandbox: Option<SandboxFacts>,
    /// What was found out about the files that [`Spec::local_files`](crate::Spec::local_files) lists.
    pub files: LocalFacts,
    /// Submission methods that the caller brings beside [`methods::ALL`](crate::methods::ALL), by name. They need no SSH and run
    /// the launcher.
    pub methods: Vec<String>,
    /// The jars of each entry of `job.packages`, by its text. An entry that lacks is planned as unresolved.
    pub packages: BTreeMap<String, Vec<ResolvedJar>>,
}

/// A connector's jar that lies on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedJar {
    /// Where it comes from: `group:artifact:version`.
    pub coordinate: String,
    /// Its file's name.
    pub file_name: String,
    /// The file.
    pub local: String,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of its content, in lower-case hexadecimal.
    pub sha256: String,
    /// CRC32C of its content, where it was found with the rest.
    pub crc32c: Option<u32>,
}

/// What a plan has to know of the local Dataproc.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxFacts {
    /// The image to use whatever the spec names; by default the nearest one.
    pub image: Option<ImageVersion>,
    /// The port of the master's SSH server.
    pub ssh_port: u16,
}

impl SpecSource {
    /// Names a spec file by its path and content.
    #[must_use]
    pub fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            sha256: sha256_hex(text.as_bytes()),
        }
    }
}

/// SHA-256 in lower-case hexadecimal, as plans name content.
///
/// ```
/// assert!(flinkproc_plan::sha256_hex(b"").starts_with("e3b0c442"));
/// ```
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes)
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}
