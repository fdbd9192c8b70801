//! Runs the real binary away from everything of its user: own home, state, cache, environment and working directory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;

/// How long one run of the binary may take; longer means that it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A home of its own, in which the binary runs.
#[derive(Debug)]
pub(crate) struct Home {
    directory: TempDir,
    variables: BTreeMap<&'static str, String>,
}

/// What a run of the binary came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Home {
    /// An empty home; services are expected at `endpoint`.
    pub(crate) fn new(endpoint: &str) -> Self {
        let directory = TempDir::with_prefix("flinkproc-test-").unwrap();
        let below = |name: &str| directory.path().join(name).display().to_string();
        for name in ["home", "work"] {
            std::fs::create_dir(below(name)).unwrap();
        }
        let variables = BTreeMap::from([
            ("HOME", below("home")),
            ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin".to_owned()),
            ("TZ", "UTC".to_owned()),
            ("FLINKPROC_STATE", below("state")),
            ("FLINKPROC_CACHE", below("cache")),
            ("FLINKPROC_DATAPROC_ENDPOINT", endpoint.to_owned()),
            ("FLINKPROC_COMPUTE_ENDPOINT", endpoint.to_owned()),
            ("FLINKPROC_STORAGE_ENDPOINT", endpoint.to_owned()),
            ("FLINKPROC_ANONYMOUS", "1".to_owned()),
        ]);
        Self {
            directory,
            variables,
        }
    }

    /// Changes the environment of later runs; an empty value counts as none.
    pub(crate) fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.variables.insert(name, value.into());
    }

    /// The working directory.
    pub(crate) fn work(&self) -> PathBuf {
        self.directory.path().join("work")
    }

    /// The directory of journals, logs and sandboxes.
    pub(crate) fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    /// Writes a file into the working directory.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.work().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// The binary, ready to be started; it is killed with its handle.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flinkproc"));
        command
            .args(arguments)
            .current_dir(self.work())
            .env_clear()
            .envs(&self.variables)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Runs the binary to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ran {
        let running = self.command(arguments).output();
        let output = tokio::time::timeout(PATIENCE, running)
            .await
            .unwrap_or_else(|_| panic!("{arguments:?} hangs"))
            .unwrap();
        Ran {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// Fails with everything that was said unless the exit code is this one.
    #[track_caller]
    pub(crate) fn ended_with(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "\n{}\n{}", self.out, self.err);
        self
    }

    /// Fails unless standard error holds all of these.
    #[track_caller]
    pub(crate) fn told(&self, texts: &[&str]) -> &Self {
        for text in texts {
            assert!(self.err.contains(text), "{text:?} is not in\n{}", self.err);
        }
        self
    }

    /// The result as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}\n{}", self.out))
    }
}
