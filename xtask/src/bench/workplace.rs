//! A temporary folder with a home of its own, and the two programs that are measured.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::bench::measure::Program;
use crate::bench::servers::{BUCKET, SSH_PORT, Servers};
use crate::cargo::{program, target_directory};

/// Any error as text.
pub(crate) fn text(error: impl std::error::Error) -> String {
    error.to_string()
}

/// Where the bench works; removed at its end.
pub(crate) struct Workplace {
    folder: TempDir,
    user: String,
    gcloud: bool,
    /// The folder of the build that is measured.
    build: &'static str,
}

impl Workplace {
    pub(crate) fn new(debug: bool) -> Result<Self, String> {
        let folder = TempDir::with_prefix("flinkproc-bench-").map_err(text)?;
        for name in ["home/.ssh", "gcloud", "state"] {
            fs::create_dir_all(folder.path().join(name)).map_err(text)?;
        }
        let user = program("id").arg("-un").output().map_err(text)?;
        let user = String::from_utf8_lossy(&user.stdout).trim().to_owned();
        let found = program("gcloud").arg("--version").output();
        let gcloud = found.is_ok_and(|output| output.status.success());
        Ok(Self {
            folder,
            user,
            gcloud,
            build: if debug { "debug" } else { "release" },
        })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Whether gcloud is here to be measured.
    pub(crate) const fn has_gcloud(&self) -> bool {
        self.gcloud
    }

    /// One of our programs, as it was built.
    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        target_directory().join(self.build).join(name)
    }

    /// Writes a file below this folder and tells its path.
    pub(crate) fn write(&self, name: &str, contents: &str) -> Result<PathBuf, String> {
        let path = self.path().join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(text)?;
        }
        fs::write(&path, contents).map_err(text)?;
        Ok(path)
    }

    /// gcloud, sent to these servers.
    pub(crate) fn gcloud<T: Into<OsString>>(
        &self,
        servers: &Servers,
        arguments: impl IntoIterator<Item = T>,
    ) -> Program {
        let (dataproc, storage) = (&servers.dataproc, &servers.storage);
        let mut program = Program::new("gcloud").args(arguments);
        for (name, value) in [
            ("AUTH_DISABLE_CREDENTIALS", "1"),
            ("CORE_ACCOUNT", "bench@example.com"),
            ("CORE_PROJECT", "bench-project"),
            ("CORE_DISABLE_PROMPTS", "1"),
            ("CORE_DISABLE_USAGE_REPORTING", "1"),
            ("COMPONENT_MANAGER_DISABLE_UPDATE_CHECK", "1"),
            ("DATAPROC_REGION", "us-central1"),
            ("COMPUTE_ZONE", "us-central1-a"),
            ("API_ENDPOINT_OVERRIDES_DATAPROC", &format!("{dataproc}/")),
            (
                "API_ENDPOINT_OVERRIDES_COMPUTE",
                &format!("{dataproc}/compute/v1/"),
            ),
            (
                "API_ENDPOINT_OVERRIDES_STORAGE",
                &format!("{storage}/storage/v1/"),
            ),
        ] {
            program = program.env(&format!("CLOUDSDK_{name}"), value);
        }
        program
            .env("CLOUDSDK_CONFIG", self.path().join("gcloud"))
            .env("HOME", self.path().join("home"))
    }

    /// `flinkproc deploy`, sent to these servers, with its events in a file.
    pub(crate) fn deploy<T: Into<OsString>>(
        &self,
        servers: &Servers,
        arguments: impl IntoIterator<Item = T>,
    ) -> Program {
        Program::new(self.binary("flinkproc"))
            .args(["deploy", "--bucket", BUCKET, "--events"])
            .args([self.events()])
            .args(arguments)
            .env("FLINKPROC_STATE", self.path().join("state"))
            .env("FLINKPROC_PROJECT", "bench-project")
            .env("FLINKPROC_REGION", "us-central1")
            .env("FLINKPROC_ANONYMOUS", "1")
            .env("FLINKPROC_SSH_PORT", SSH_PORT)
            .env("FLINKPROC_DATAPROC_ENDPOINT", &servers.dataproc)
            .env("FLINKPROC_COMPUTE_ENDPOINT", &servers.dataproc)
            .env("FLINKPROC_STORAGE_ENDPOINT", &servers.storage)
            .env("HOME", self.path().join("home"))
            .env("USER", &self.user)
    }

    /// Where the events of the last deployment are.
    pub(crate) fn events(&self) -> PathBuf {
        self.path().join("events.jsonl")
    }
}
