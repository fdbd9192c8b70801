//! The launcher: what lies on the master and runs there, as text and values.
//!
//! One directory for each attempt, `$HOME/.flinkproc/<deployment>/<attempt>/`, closed to others. [`DOOR`] makes it and
//! hands over to `launch.sh`, which fetches and checks the staged files, runs Flink's client in the job's mode, keeps what
//! it says and writes, last, how it ended. Whatever varies travels beside the scripts as data ([`LaunchBundle`]), never as
//! shell text. Where nobody can look at the master, the same scripts travel as one text ([`LaunchBundle::bootstrap`],
//! [`action_bootstrap`]) and copy what they write to the bucket ([`JobPlan::mirror`]).

mod action;
mod bootstrap;
mod data;
mod error;
mod flink;
mod shown;
mod tar;

use sha2::{Digest, Sha256};

pub use self::action::{JobAction, action_bootstrap};
pub use self::bootstrap::BootstrapRun;
pub use self::error::LauncherError;
use self::flink::Place;
pub use self::shown::equivalent_commands;
use crate::plan::JobPlan;

/// The POSIX `sh` script by which every submission method talks to an attempt on the master.
///
/// Its arguments are the deployment, the attempt and an action: `start DIGEST` (with [`LaunchBundle::tar`] on standard
/// input), `attend DIGEST` (the same, in the foreground), `observe OUT ERR SECONDS`, `cancel`, `fence`, `act` with
/// [`JobAction::words`]. `start`, `cancel` and `fence` answer with the line
/// `flinkproc-answer WORD`, the word being `ok`, `fenced`, `refused` (with the reason on standard error) or `conflict`.
/// `observe` answers with the line `flinkproc-run 1 STATE EXIT IDS OUT ERR`, the numbers being the sizes in bytes of what follows in that order.
/// `act` answers with the line `flinkproc-act 1 STATUS SIZE` and what Flink's client said, or is `refused`.
pub const DOOR: &str = include_str!("launcher/door.sh");

/// Parts of one script: it is read whole before anything runs, and is one file on the master.
const LAUNCH: &str = concat!(
    include_str!("launcher/launch.sh"),
    include_str!("launcher/fetch.sh"),
    include_str!("launcher/prepare.sh"),
    include_str!("launcher/modes.sh"),
    include_str!("launcher/ids.sh"),
    include_str!("launcher/mirror.sh"),
    include_str!("launcher/look.sh"),
    include_str!("launcher/act.sh"),
    include_str!("launcher/main.sh"),
);
const ENTRY: &str = include_str!("launcher/flinkproc_entry.py");
const FETCH: &str = include_str!("launcher/flinkproc_fetch.py");
const CLUSTER: &str = include_str!("launcher/flinkproc_cluster.py");
const MIRROR: &str = include_str!("launcher/flinkproc_mirror.py");

/// Everything that one attempt needs on the master, as files that travel together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchBundle {
    files: Vec<(&'static str, u32, Vec<u8>)>,
    digest: String,
}

impl LaunchBundle {
    /// The files that run `job` in an attempt whose YARN applications carry `tag`.
    ///
    /// # Errors
    /// When Flink's command line cannot be built, the files' names cannot stand in one directory, or a variable cannot be set.
    pub fn new(job: &JobPlan, tag: &str) -> Result<Self, LauncherError> {
        data::check_names(&job.files)?;
        data::check_variables(job)?;
        let names = job.files.iter().map(|file| file.name.clone());
        let objects = job.files.iter().map(data::object_path);
        let secrets = job.secrets.values().map(ToString::to_string);
        let session = flink::session_argv(job)?.unwrap_or_default();
        let varying = [
            ("entry.json", data::entry(job)?),
            (
                "argv",
                data::zero_ended(flink::run_argv(job, tag, Place::Attempt)?),
            ),
            ("session-argv", data::zero_ended(session)),
            ("acts", action::action_lines(job)?),
            ("facts", data::facts(job)),
            ("names", data::zero_ended(names)),
            ("roles", data::roles(&job.files)),
            ("objects", data::zero_ended(objects)),
            ("sums", data::sums(&job.files)?),
            ("sitecustomize.py", data::hook(job, tag)),
            ("env", data::variables(job)),
            ("secrets", data::zero_ended(secrets)),
            ("phrases", data::phrases()),
            ("tag", format!("{tag}\n").into_bytes()),
        ];
        let mut files = vec![
            ("launch.sh", 0o700, LAUNCH.into()),
            ("flinkproc_entry.py", 0o600, ENTRY.into()),
            ("flinkproc_fetch.py", 0o600, FETCH.into()),
            ("flinkproc_cluster.py", 0o600, CLUSTER.into()),
            ("flinkproc_mirror.py", 0o600, MIRROR.into()),
        ];
        files.extend(varying.map(|(name, content)| (name, 0o600, content)));
        let mut digest = Sha256::new();
        for (name, _, content) in &files {
            digest.update(name.as_bytes());
            digest.update(content.len().to_le_bytes());
            digest.update(content);
        }
        let digest = digest
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Ok(Self { files, digest })
    }

    /// SHA-256 of the files: two bundles with the same digest do the same.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    fn entries(&self) -> impl Iterator<Item = tar::Entry<'_>> {
        self.files.iter().map(|(name, mode, content)| tar::Entry {
            name,
            mode: *mode,
            content,
        })
    }

    /// The files as one tar, the last of them the digest.
    #[must_use]
    pub fn tar(&self) -> Vec<u8> {
        let digest = tar::Entry {
            name: "digest",
            mode: 0o600,
            content: self.digest.as_bytes(),
        };
        tar::archive(self.entries().chain([digest]))
    }
}

#[cfg(test)]
mod tests;
