//! The launcher: what lies on the master and runs there, as text and values.
//!
//! One directory for each attempt, `$HOME/.flinkproc/<deployment>/<attempt>/`, closed to others. [`DOOR`] makes it and
//! hands over to `launch.sh`, which fetches and checks the staged files, runs Flink's client, keeps what it says and writes,
//! last, how it ended. Whatever varies travels beside the scripts as data ([`LaunchBundle`]), never as shell text.

mod tar;

use flinkproc_core::{ErrorCode, Explain, FailureKind};
use flinkproc_flink_cli::{Archive, FlinkCliError, Program, RunSettings, answers};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::plan::{EntryPoint, FileRole, JobPlan, RemoteFile};

/// The POSIX `sh` script by which every submission method talks to an attempt on the master.
///
/// Its arguments are the deployment, the attempt and an action: `start DIGEST` (with [`LaunchBundle::tar`] on standard
/// input), `observe OUT ERR SECONDS`, `cancel`, `fence`. `start`, `cancel` and `fence` answer with the line
/// `flinkproc-answer WORD`, the word being `ok`, `fenced`, `refused` (with the reason on standard error) or `conflict`.
/// `observe` answers with the line `flinkproc-run 1 STATE EXIT IDS OUT ERR`, the numbers being the sizes in bytes of what follows in that order.
pub const DOOR: &str = include_str!("launcher/door.sh");

const LAUNCH: &str = include_str!("launcher/launch.sh");
const ENTRY: &str = include_str!("launcher/flinkproc_entry.py");
const FETCH: &str = include_str!("launcher/flinkproc_fetch.py");

/// Stands for the attempt's directory in Flink's arguments until the launcher knows it.
const HERE: char = '\u{1}';
/// The directory that shown commands name in its place.
const SHOWN: &str = "/tmp/flinkproc";
/// Stands for the Python interpreter in Flink's arguments until the launcher has found it.
const PYTHON: char = '\u{2}';

/// A job that the launcher cannot be told about.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LauncherError {
    /// Flink's command line cannot be built.
    #[error(transparent)]
    Flink(#[from] FlinkCliError),
    /// A file's name is no name of a file in one directory, or two files have the same.
    #[error("the file name `{name}` cannot be used on the master: {problem}")]
    InvalidFileName {
        /// The name.
        name: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// The entry point names a file that is not among the files.
    #[error("the script `{name}` is not among the job's files")]
    ScriptMissing {
        /// The name.
        name: String,
    },
    /// A Flink setting holds one of the two characters that the launcher replaces.
    #[error("the Flink setting `{setting}` holds a control character")]
    ControlCharacter {
        /// The setting, without the character.
        setting: String,
    },
    /// A digest that is none.
    #[error("`{digest}` is no SHA-256 in lower-case hexadecimal")]
    InvalidDigest {
        /// What stands there.
        digest: String,
    },
}

impl Explain for LauncherError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Flink(error) => error.code(),
            Self::InvalidFileName { .. } => ErrorCode::new("LCH001"),
            Self::ScriptMissing { .. } => ErrorCode::new("LCH002"),
            Self::ControlCharacter { .. } => ErrorCode::new("LCH003"),
            Self::InvalidDigest { .. } => ErrorCode::new("LCH004"),
        }
    }

    fn kind(&self) -> FailureKind {
        FailureKind::Input
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Flink(error) => error.help(),
            Self::InvalidFileName { .. } => Some("Rename the file.".to_owned()),
            Self::ScriptMissing { .. } | Self::InvalidDigest { .. } => Some(
                "The plan was changed by hand: make it again with `flinkproc plan`.".to_owned(),
            ),
            Self::ControlCharacter { .. } => {
                Some("Remove the character from the setting.".to_owned())
            }
        }
    }
}

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
    /// When Flink's command line cannot be built, or the files' names cannot stand in one directory.
    pub fn new(job: &JobPlan, tag: &str) -> Result<Self, LauncherError> {
        check_names(&job.files)?;
        let argv = flink_argv(job, tag)?;
        let objects = job.files.iter().map(object_path);
        let files = vec![
            ("launch.sh", 0o700, LAUNCH.into()),
            ("flinkproc_entry.py", 0o600, ENTRY.into()),
            ("flinkproc_fetch.py", 0o600, FETCH.into()),
            ("entry.json", 0o600, entry(job)?),
            ("argv", 0o600, zero_ended(argv)),
            (
                "names",
                0o600,
                zero_ended(job.files.iter().map(|file| file.name.clone())),
            ),
            ("objects", 0o600, zero_ended(objects)),
            ("sums", 0o600, sums(&job.files)?),
            ("phrases", 0o600, phrases()),
            ("tag", 0o600, format!("{tag}\n").into_bytes()),
        ];
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

    /// The files as one tar, the last of them the digest.
    #[must_use]
    pub fn tar(&self) -> Vec<u8> {
        let files = self.files.iter().map(|(name, mode, content)| tar::Entry {
            name,
            mode: *mode,
            content,
        });
        let digest = tar::Entry {
            name: "digest",
            mode: 0o600,
            content: self.digest.as_bytes(),
        };
        tar::archive(files.chain([digest]))
    }
}

/// What a person would type to the same effect on the master: fetch the files, then run Flink.
///
/// # Errors
/// As [`LaunchBundle::new`].
pub fn equivalent_commands(job: &JobPlan, tag: &str) -> Result<Vec<Vec<String>>, LauncherError> {
    check_names(&job.files)?;
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let mut commands: Vec<Vec<String>> = vec![words(&["mkdir", "-p", SHOWN])];
    for file in &job.files {
        let to = format!("{SHOWN}/{}", file.name);
        commands.push(words(&[
            "gcloud",
            "storage",
            "cp",
            &file.from.to_string(),
            &to,
        ]));
    }
    let mut settings = settings(job, tag)?;
    settings.program = match &job.entry {
        EntryPoint::Script(name) => Program::script(format!("{HERE}/files/{name}")),
        EntryPoint::Module(name) => Program::Module(name.clone()),
    };
    settings.arguments = job.args.iter().map(|arg| arg.as_str().to_owned()).collect();
    let plain = |word: String| {
        word.replace(&format!("{HERE}/files"), SHOWN)
            .replace(PYTHON, "python3")
    };
    let mut flink = vec!["flink".to_owned()];
    flink.extend(settings.argv()?.into_iter().map(plain));
    commands.push(flink);
    Ok(commands)
}

fn flink_argv(job: &JobPlan, tag: &str) -> Result<Vec<String>, LauncherError> {
    Ok(settings(job, tag)?.argv()?)
}

fn settings(job: &JobPlan, tag: &str) -> Result<RunSettings, LauncherError> {
    // Only the path of a file goes through Flink's own parser, which eats some arguments.
    let program = Program::script(format!("{HERE}/job/flinkproc_entry.py"));
    let mut settings = RunSettings::new(job.flink, job.mode, program)
        .argument(format!("{HERE}/job/entry.json"))
        .name(&job.name)
        .tag(tag);
    settings.parallelism = job.parallelism;
    settings.config.clone_from(&job.flink_config);
    let texts = job
        .flink_config
        .iter()
        .flat_map(|(key, value)| [key, value]);
    for text in texts
        .chain([&job.name])
        .chain(job.files.iter().map(|file| &file.name))
    {
        if text.contains([HERE, PYTHON]) {
            let setting = text.replace([HERE, PYTHON], "");
            return Err(LauncherError::ControlCharacter { setting });
        }
    }
    let chosen = |key: &str| job.flink_config.contains_key(key);
    if !chosen("python.executable") {
        settings.python_executable = Some(PYTHON.to_string());
    }
    if !chosen("python.client.executable") {
        settings.python_client_executable = Some(PYTHON.to_string());
    }
    for file in &job.files {
        let path = format!("{HERE}/files/{}", file.name);
        match &file.role {
            FileRole::Script => {}
            FileRole::PythonFile => settings.python_files.push(path),
            FileRole::Requirements => settings.python_requirements = Some(path),
            FileRole::Archive { directory } => settings.python_archives.push(Archive {
                path,
                directory: directory.clone(),
            }),
            FileRole::Jar => settings.jars.push(path),
            FileRole::Environment => {}
        }
    }
    Ok(settings)
}

fn check_names(files: &[RemoteFile]) -> Result<(), LauncherError> {
    for (index, file) in files.iter().enumerate() {
        let name = &file.name;
        let problem = if name.is_empty() || name == "." || name == ".." {
            "it is no file's name"
        } else if name.contains(['/', '\0', '\n']) {
            "it holds a slash, a line break or a NUL character"
        } else if name.len() > 255 {
            "it is longer than 255 bytes"
        } else if files.iter().take(index).any(|other| other.name == *name) {
            "another file has the same name"
        } else {
            continue;
        };
        let name = name.clone();
        return Err(LauncherError::InvalidFileName { name, problem });
    }
    Ok(())
}

fn entry(job: &JobPlan) -> Result<Vec<u8>, LauncherError> {
    let args: Vec<&str> = job.args.iter().map(|arg| arg.as_str()).collect();
    let wish = match &job.entry {
        EntryPoint::Script(name) if !job.files.iter().any(|file| file.name == *name) => {
            return Err(LauncherError::ScriptMissing { name: name.clone() });
        }
        EntryPoint::Script(name) => json!({"script": name, "args": args}),
        EntryPoint::Module(name) => json!({"module": name, "args": args}),
    };
    Ok(wish.to_string().into_bytes())
}

/// The path of a file's content in Cloud Storage's JSON API.
fn object_path(file: &RemoteFile) -> String {
    let mut path = format!("/storage/v1/b/{}/o/", file.from.bucket());
    for byte in file.from.object().bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    path.push_str("?alt=media");
    path
}

fn sums(files: &[RemoteFile]) -> Result<Vec<u8>, LauncherError> {
    let mut sums = String::new();
    for (index, file) in files.iter().enumerate() {
        let Some(digest) = &file.sha256 else { continue };
        if digest.len() != 64
            || !digest
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        {
            let digest = digest.clone();
            return Err(LauncherError::InvalidDigest { digest });
        }
        sums.push_str(&format!("{digest}  {index}\n"));
    }
    Ok(sums.into_bytes())
}

fn phrases() -> Vec<u8> {
    let phrases = answers::APPLICATION.iter().chain(&answers::JOB);
    phrases
        .flat_map(|phrase| [phrase, "\n"])
        .collect::<String>()
        .into_bytes()
}

fn zero_ended(words: impl IntoIterator<Item = String>) -> Vec<u8> {
    words
        .into_iter()
        .flat_map(|word| [word, "\0".to_owned()])
        .collect::<String>()
        .into_bytes()
}

#[cfg(test)]
mod tests;
