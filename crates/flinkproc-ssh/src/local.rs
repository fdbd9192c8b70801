//! [`LocalShell`]: this machine as the host, for whoever already is on the master.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use tokio::fs::{self, File, OpenOptions};
use tokio::io::{self, AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::task::JoinHandle;

use crate::command::RemoteCommand;
use crate::error::ShellError;
use crate::part_file::{PartFile, cannot_read, cannot_write};
use crate::shell::{
    Content, ExitStatus, FileMode, Forward, Output, ProcessEvent, RemoteProcess, RemoteShell,
};

/// Bytes read from a process at once.
const CHUNK: usize = 32 << 10;

/// Runs commands with `/bin/sh` on this machine; uploads and downloads are copies, forwards lead straight to their target.
///
/// ```
/// # use flinkproc_ssh::{LocalShell, RemoteCommand, RemoteShell};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), flinkproc_ssh::ShellError> {
/// let shell = LocalShell::new("/");
/// let output = shell.run(&RemoteCommand::new("printf").args(["%s|", "it's", "$5"])).await?;
/// assert_eq!(output.stdout, "it's|$5|");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct LocalShell {
    home: PathBuf,
}

impl LocalShell {
    /// Commands run in `home`, and relative paths start there, as in the login directory of a host.
    pub fn new(home: impl Into<PathBuf>) -> Self {
        Self { home: home.into() }
    }

    fn start(&self, command: &RemoteCommand) -> Result<LocalProcess, ShellError> {
        let mut child = Command::new("/bin/sh")
            .arg("-c")
            .arg(command.line()?)
            .current_dir(&self.home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(cannot("start /bin/sh"))?;
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let input = command.input().clone();
        let feeder = tokio::spawn(async move {
            if let Some(mut stdin) = stdin {
                // A program that does not read its input to the end is no failure.
                stdin.write_all(&input).await.ok();
            }
        });
        Ok(LocalProcess {
            child,
            stdout,
            stderr,
            feeder,
            ended: false,
        })
    }
}

#[async_trait]
impl RemoteShell for LocalShell {
    async fn run(&self, command: &RemoteCommand) -> Result<Output, ShellError> {
        Output::collect(&mut self.start(command)?).await
    }

    async fn spawn(&self, command: &RemoteCommand) -> Result<Box<dyn RemoteProcess>, ShellError> {
        Ok(Box::new(self.start(command)?))
    }

    async fn upload(&self, content: &Content, to: &str, mode: FileMode) -> Result<(), ShellError> {
        let target = self.home.join(to);
        let refused = |problem: String| ShellError::RemoteFile {
            action: "write",
            path: to.to_owned(),
            problem,
        };
        let write = |error: io::Error| refused(error.to_string());
        if target.is_dir() {
            return Err(refused("it is a folder".to_owned()));
        }
        let part = PartFile::beside(&target)?;
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(part.path())
            .await
            .map_err(write)?;
        match content {
            Content::Bytes(bytes) => file.write_all(bytes).await.map_err(write)?,
            Content::File(path) => {
                let mut source = File::open(path).await.map_err(cannot_read(path))?;
                io::copy(&mut source, &mut file).await.map_err(write)?;
            }
        }
        file.flush().await.map_err(write)?;
        let mode = std::fs::Permissions::from_mode(mode.0 & 0o7777);
        file.set_permissions(mode).await.map_err(write)?;
        part.finish().await.map_err(write)
    }

    async fn download(&self, from: &str, to: &Path) -> Result<u64, ShellError> {
        let source = self.home.join(from);
        let part = PartFile::beside(to)?;
        let read = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => ShellError::RemoteFileMissing {
                path: from.to_owned(),
            },
            _ => ShellError::RemoteFile {
                action: "read",
                path: from.to_owned(),
                problem: error.to_string(),
            },
        };
        if fs::metadata(&source).await.map_err(read)?.is_dir() {
            return Err(read(io::ErrorKind::IsADirectory.into()));
        }
        let mut source = File::open(&source).await.map_err(read)?;
        let mut file = File::create(part.path()).await.map_err(cannot_write(to))?;
        let size = io::copy(&mut source, &mut file)
            .await
            .map_err(cannot_write(to))?;
        file.flush().await.map_err(cannot_write(to))?;
        part.finish().await.map_err(cannot_write(to))?;
        Ok(size)
    }

    async fn forward(&self, host: &str, port: u16) -> Result<Forward, ShellError> {
        let resolve = cannot("resolve the forward's target");
        let found = tokio::net::lookup_host((host, port))
            .await
            .map_err(&resolve)?;
        let addresses: Vec<SocketAddr> = found.collect();
        // Servers of Hadoop and Flink listen on IPv4, while a name such as `localhost` often comes first as IPv6.
        let address = addresses.iter().find(|a| a.is_ipv4()).or(addresses.first());
        let none = || resolve(io::ErrorKind::NotFound.into());
        Ok(Forward::new(*address.ok_or_else(none)?, ()))
    }
}

#[derive(Debug)]
struct LocalProcess {
    child: Child,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    feeder: JoinHandle<()>,
    ended: bool,
}

#[async_trait]
impl RemoteProcess for LocalProcess {
    async fn next(&mut self) -> Result<Option<ProcessEvent>, ShellError> {
        if self.ended {
            return Ok(None);
        }
        let read = cannot("read from a process");
        while self.stdout.is_some() || self.stderr.is_some() {
            tokio::select! {
                bytes = chunk(&mut self.stdout) => match bytes.map_err(&read)? {
                    Some(bytes) => return Ok(Some(ProcessEvent::Stdout(bytes))),
                    None => self.stdout = None,
                },
                bytes = chunk(&mut self.stderr) => match bytes.map_err(&read)? {
                    Some(bytes) => return Ok(Some(ProcessEvent::Stderr(bytes))),
                    None => self.stderr = None,
                },
            }
        }
        let status = self
            .child
            .wait()
            .await
            .map_err(cannot("wait for a process"))?;
        self.ended = true;
        let status = match (status.code(), status.signal()) {
            (Some(code), _) => ExitStatus::Code(code.unsigned_abs()),
            (None, signal) => ExitStatus::Signal(signal_name(signal.unwrap_or_default())),
        };
        Ok(Some(ProcessEvent::Exited(status)))
    }
}

impl Drop for LocalProcess {
    fn drop(&mut self) {
        self.feeder.abort();
    }
}

/// The next bytes of a stream, `None` at its end; waits for ever when there is no stream.
async fn chunk<R: AsyncRead + Unpin>(stream: &mut Option<R>) -> io::Result<Option<Bytes>> {
    let Some(stream) = stream else {
        return std::future::pending().await;
    };
    let mut buffer = BytesMut::with_capacity(CHUNK);
    let read = stream.read_buf(&mut buffer).await?;
    Ok((read > 0).then(|| buffer.freeze()))
}

fn cannot(action: &'static str) -> impl Fn(io::Error) -> ShellError {
    move |source| ShellError::LocalMachine { action, source }
}

/// The name of a signal as SSH writes it (RFC 4254, 6.10), or its number.
fn signal_name(signal: i32) -> String {
    const NAMES: [(i32, &str); 15] = [
        (1, "HUP"),
        (2, "INT"),
        (3, "QUIT"),
        (4, "ILL"),
        (5, "TRAP"),
        (6, "ABRT"),
        (7, "BUS"),
        (8, "FPE"),
        (9, "KILL"),
        (10, "USR1"),
        (11, "SEGV"),
        (12, "USR2"),
        (13, "PIPE"),
        (14, "ALRM"),
        (15, "TERM"),
    ];
    let name = NAMES.iter().find(|(number, _)| *number == signal);
    name.map_or_else(|| signal.to_string(), |(_, name)| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use tempfile::tempdir;

    use super::LocalShell;
    use crate::contract;

    #[tokio::test]
    async fn keeps_the_contract() {
        let dir = tempdir().expect("dir");
        let shell = LocalShell::new(dir.path());
        contract::keeps_files(&shell).await;
        contract::runs_commands(&shell).await;
        contract::runs_real_programs(&shell).await;
        contract::carries_connections(&shell).await;
    }
}
