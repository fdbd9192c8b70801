//! The emulators and the OpenSSH server that both ways are measured against.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::bench::workplace::{Workplace, text};
use crate::cargo::program;

/// The bucket that exists.
pub(crate) const BUCKET: &str = "bench-bucket";

/// Running servers with an empty bucket; ended when dropped.
pub(crate) struct Servers {
    child: Child,
    /// Where Dataproc and Compute Engine answer.
    pub(crate) dataproc: String,
    /// Where Cloud Storage answers.
    pub(crate) storage: String,
    _objects: TempDir,
}

impl Servers {
    /// Servers whose clusters and jobs take so long, in seconds.
    pub(crate) fn start(workplace: &Workplace, cluster: f32, job: f32) -> Result<Self, String> {
        let objects = TempDir::new_in(workplace.path()).map_err(text)?;
        let mut child = program(workplace.binary("dataproc-emulator"))
            .arg("--storage-root")
            .arg(objects.path())
            .args(["--machines", "own", "--ssh-port", SSH_PORT])
            .args(["--create-time", &cluster.to_string()])
            .args(["--job-time", &job.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(text)?;
        let said = child.stdout.take().ok_or("no output")?;
        let mut servers = Self {
            child,
            dataproc: String::new(),
            storage: String::new(),
            _objects: objects,
        };
        for line in BufReader::new(said).lines() {
            let line = line.map_err(text)?;
            if let Some(url) = line.strip_prefix("STORAGE_EMULATOR_HOST=") {
                servers.storage = url.to_owned();
                break;
            }
            if servers.dataproc.is_empty() {
                servers.dataproc = line;
            }
        }
        if servers.storage.is_empty() {
            return Err("the emulator ended before it was ready".to_owned());
        }
        servers.make_bucket()?;
        Ok(servers)
    }

    fn make_bucket(&self) -> Result<(), String> {
        let host = self.storage.trim_start_matches("http://");
        let body = format!(r#"{{"name":"{BUCKET}"}}"#);
        let mut stream = TcpStream::connect(host).map_err(text)?;
        write!(
            stream,
            "POST /storage/v1/b?project=bench-project HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .map_err(text)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map_err(text)?;
        if answer.starts_with("HTTP/1.1 200") {
            return Ok(());
        }
        Err(format!("no bucket: {answer}"))
    }
}

/// The port of the machines' SSH servers: one that anybody may bind.
pub(crate) const SSH_PORT: &str = "2222";

impl Drop for Servers {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            // It ends its machines itself; a failure means that it has ended already.
            kill(Pid::from_raw(pid), Signal::SIGTERM).ok();
        }
        self.child.wait().ok();
    }
}
