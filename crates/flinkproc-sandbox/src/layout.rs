//! Where the things of one cluster lie, and what its programs need to know.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use crate::error::SandboxError;
use crate::parts::Parts;

/// One cluster's folder, address and neighbours.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) folder: PathBuf,
    pub(crate) ip: Ipv4Addr,
    pub(crate) ssh_port: u16,
    pub(crate) user: String,
    pub(crate) home: PathBuf,
    /// Such as `http://127.0.9.2:4443`, without a slash at the end.
    pub(crate) storage: String,
    /// Where the machines' metadata server is, such as `127.0.0.1:8090`; storage then wants its token.
    pub(crate) metadata_host: Option<String>,
    /// Where Secret Manager is for the machines, such as `http://127.0.0.1:8081`.
    pub(crate) secrets: Option<String>,
}

impl Layout {
    /// A file or folder of the cluster.
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The same as text, for configuration files.
    pub(crate) fn text(&self, name: &str) -> String {
        self.at(name).display().to_string()
    }

    pub(crate) fn create_folders(&self, names: &[&str]) -> Result<(), SandboxError> {
        for name in names {
            let folder = self.at(name);
            fs::create_dir_all(&folder).map_err(SandboxError::file("create the folder", folder))?;
        }
        Ok(())
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> Result<(), SandboxError> {
        let file = self.at(name);
        fs::write(&file, text).map_err(SandboxError::file("write", file))
    }

    /// What the environment of a login, and of every program of the machine, holds.
    pub(crate) fn variables(&self, parts: &Parts) -> Vec<(&'static str, String)> {
        let text = |path: &Path| path.display().to_string();
        let mut variables = vec![
            ("PATH", format!("{}:{SYSTEM_PATH}", self.text("bin"))),
            ("HOME", text(&self.home)),
            ("USER", self.user.clone()),
            ("LOGNAME", self.user.clone()),
            ("LANG", "C.UTF-8".to_owned()),
            // What programs leave in the temporary folder goes with the cluster.
            ("TMPDIR", self.text("tmp")),
            ("JAVA_HOME", text(&parts.prerequisites.java_home)),
            ("HADOOP_CONF_DIR", self.text("hadoop-conf")),
            ("YARN_CONF_DIR", self.text("hadoop-conf")),
            ("FLINK_CONF_DIR", self.text("flink-conf")),
            ("FLINK_LOG_DIR", self.text("flink-log")),
            ("STORAGE_EMULATOR_HOST", self.storage.clone()),
        ];
        if let Some(host) = &self.metadata_host {
            variables.push(("GCE_METADATA_HOST", host.clone()));
        }
        if let Some(endpoint) = &self.secrets {
            variables.push((SECRETS, endpoint.clone()));
        }
        variables
    }
}

/// Where a job that flinkproc deploys looks for Secret Manager instead of at Google's.
pub(crate) const SECRETS: &str = "FLINKPROC_SECRET_MANAGER_ENDPOINT";
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
