//! What varies from job to job, as the launcher reads it: data, never shell text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flinkproc_core::YarnMode;
use flinkproc_flink_cli::answers;
use serde_json::json;

use super::error::LauncherError;
use crate::plan::{EntryPoint, FileRole, JobPlan, RemoteFile, SessionLifetime};

const HOOK: &str = include_str!("flinkproc_hook.py");

/// What lies beside the user's files where an application's program runs.
const OURS: [&str; 3] = ["flinkproc_entry.py", "entry.json", "sitecustomize.py"];

/// Variables that would change the interpreter or the launcher itself.
const RESERVED: [&str; 4] = ["PYTHONHOME", "PYTHONPATH", "LC_ALL", "HADOOP_CLASSPATH"];

/// What the launcher's script asks before it does anything, always in this order.
pub(super) fn facts(job: &JobPlan) -> Vec<u8> {
    let mode = match job.mode {
        YarnMode::PerJob => "per-job",
        YarnMode::Session => "session",
        YarnMode::Application => "application",
    };
    let session = job.session.as_ref();
    let lifetime = match session.map(|session| session.lifetime) {
        Some(SessionLifetime::Deployment) => "deployment",
        Some(SessionLifetime::Keep) => "keep",
        None => "",
    };
    let environment = job
        .files
        .iter()
        .find(|file| file.role == FileRole::Environment);
    let mirror = job.mirror.as_ref();
    zero_ended([
        mode.to_owned(),
        // YARN keeps tags in small letters.
        session
            .map(|session| session.tag.to_lowercase())
            .unwrap_or_default(),
        lifetime.to_owned(),
        mirror
            .map(|mirror| mirror.bucket().to_string())
            .unwrap_or_default(),
        mirror
            .map(|mirror| mirror.object().to_owned())
            .unwrap_or_default(),
        environment
            .map(|file| file.name.clone())
            .unwrap_or_default(),
    ])
}

/// One word for each file: `jar` for what goes onto Java's class path.
pub(super) fn roles(files: &[RemoteFile]) -> Vec<u8> {
    let role = |file: &RemoteFile| {
        if file.role == FileRole::Jar {
            "jar"
        } else {
            "file"
        }
    };
    zero_ended(files.iter().map(|file| role(file).to_owned()))
}

/// The module that Python loads at its start, where variables are to be set; empty where there are none.
pub(super) fn hook(job: &JobPlan, tag: &str) -> Vec<u8> {
    if job.env.is_empty() && job.secrets.is_empty() {
        return Vec::new();
    }
    let wish = json!({"tag": tag, "env": job.env, "secrets": job.secrets});
    HOOK.replace("@WISH@", &STANDARD.encode(wish.to_string()))
        .into_bytes()
}

/// Names and values of the variables, in turn.
pub(super) fn variables(job: &JobPlan) -> Vec<u8> {
    zero_ended(
        job.env
            .iter()
            .flat_map(|(name, value)| [name.clone(), value.clone()]),
    )
}

pub(super) fn check_variables(job: &JobPlan) -> Result<(), LauncherError> {
    let values = job.env.iter().map(|(name, value)| (name, value.as_str()));
    for (name, value) in values.chain(job.secrets.keys().map(|name| (name, ""))) {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let problem = if name.is_empty()
            || !name.chars().all(word)
            || name.starts_with(|c: char| c.is_ascii_digit())
        {
            "a name is letters, digits and `_`, no digit first"
        } else if RESERVED.contains(&name.as_str()) || name.starts_with("FLINKPROC_") {
            "it would change the interpreter or the launcher itself"
        } else if value.contains('\0') {
            "a value holds no NUL character"
        } else if job.env.contains_key(name) && job.secrets.contains_key(name) {
            "it is set twice: by `env` and by `secrets`"
        } else {
            continue;
        };
        return Err(LauncherError::InvalidVariable {
            name: name.clone(),
            problem,
        });
    }
    let thread = job
        .flink_config
        .get("python.execution-mode")
        .is_some_and(|mode| mode == "thread");
    if thread && !(job.env.is_empty() && job.secrets.is_empty()) {
        let problem =
            "with `python.execution-mode` `thread` no variable reaches the Python functions";
        return Err(LauncherError::Unfit { problem });
    }
    Ok(())
}

pub(super) fn check_names(files: &[RemoteFile]) -> Result<(), LauncherError> {
    for (index, file) in files.iter().enumerate() {
        let name = &file.name;
        let problem = if name.is_empty() || name == "." || name == ".." {
            "it is no file's name"
        } else if name.contains(['/', '\0', '\n']) {
            "it holds a slash, a line break or a NUL character"
        } else if OURS.contains(&name.as_str()) {
            "the launcher has a file of this name itself"
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

pub(super) fn entry(job: &JobPlan) -> Result<Vec<u8>, LauncherError> {
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
pub(super) fn object_path(file: &RemoteFile) -> String {
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

pub(super) fn sums(files: &[RemoteFile]) -> Result<Vec<u8>, LauncherError> {
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

pub(super) fn phrases() -> Vec<u8> {
    let phrases = answers::APPLICATION.iter().chain(&answers::JOB);
    phrases
        .flat_map(|phrase| [phrase, "\n"])
        .collect::<String>()
        .into_bytes()
}

pub(super) fn zero_ended(words: impl IntoIterator<Item = String>) -> Vec<u8> {
    words
        .into_iter()
        .flat_map(|word| [word, "\0".to_owned()])
        .collect::<String>()
        .into_bytes()
}
