//! OpenSSH's server on the master's address: keys only, and only those that the metadata names.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use dataproc_emulator::runtime::MetadataKey;
use flinkproc_core::Clock;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::error::SandboxError;
use crate::layout::Layout;
use crate::machine::ProcessRef;
use crate::parts::{Parts, last_lines};
use crate::process::Processes;

const READY_WITHIN: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// OpenSSH's server, when it is root, wants this folder, which only the system's own service makes.
const PRIVILEGE_FOLDER: &str = "/run/sshd";

/// Makes the host key and the configuration; answers the public host key without its comment.
pub(crate) async fn configure(
    layout: &Layout,
    parts: &Parts,
    mark: &str,
) -> Result<String, SandboxError> {
    layout.create_folders(&["ssh/authorized_keys"])?;
    let key = layout.at("ssh/host_ed25519");
    layout.write("ssh/sshd_config", &config(layout, parts, mark))?;
    if let Ok(public) = fs::read_to_string(key.with_extension("pub")) {
        // A cluster that is started again is the machine that it was.
        return Ok(public.trim().to_owned());
    }
    let keygen = &parts.prerequisites.ssh_keygen;
    let not_started = |source| SandboxError::NotStarted {
        program: keygen.display().to_string(),
        source,
    };
    let output = Command::new(keygen)
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"])
        .arg(&key)
        .kill_on_drop(true)
        .output()
        .await
        .map_err(not_started)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(not_started(std::io::Error::other(said)));
    }
    let public = key.with_extension("pub");
    let public = fs::read_to_string(&public).map_err(SandboxError::file("read", public))?;
    Ok(public.trim().to_owned())
}

fn config(layout: &Layout, parts: &Parts, mark: &str) -> String {
    // Only the first SetEnv line counts, so everything stands on one.
    let environment: Vec<String> = layout
        .variables(parts)
        .into_iter()
        .map(|(key, value)| format!("{key}={value}"))
        .chain([mark.to_owned()])
        .map(|pair| format!("\"{pair}\""))
        .collect();
    format!(
        "ListenAddress {ip}:{port}\n\
         HostKey {key}\n\
         PidFile none\n\
         AuthorizedKeysFile {keys}/%u\n\
         StrictModes no\n\
         AllowUsers {user}\n\
         PermitRootLogin prohibit-password\n\
         AuthenticationMethods publickey\n\
         PasswordAuthentication no\n\
         KbdInteractiveAuthentication no\n\
         UsePAM no\n\
         UseDNS no\n\
         PermitUserRC no\n\
         PrintMotd no\n\
         X11Forwarding no\n\
         AllowAgentForwarding no\n\
         GatewayPorts no\n\
         MaxStartups 100\n\
         MaxSessions 100\n\
         Subsystem sftp internal-sftp -d {home}\n\
         SetEnv {environment}\n",
        ip = layout.ip,
        port = layout.ssh_port,
        key = layout.text("ssh/host_ed25519"),
        keys = layout.text("ssh/authorized_keys"),
        user = layout.user,
        home = layout.text("home"),
        environment = environment.join(" "),
    )
}

/// Starts the server.
pub(crate) fn start(
    layout: &Layout,
    parts: &Parts,
    processes: &Processes,
) -> Result<ProcessRef, SandboxError> {
    if rustix::process::geteuid().is_root() && !Path::new(PRIVILEGE_FOLDER).exists() {
        fs::DirBuilder::new()
            .mode(0o755)
            .recursive(true)
            .create(PRIVILEGE_FOLDER)
            .map_err(SandboxError::file("create the folder", PRIVILEGE_FOLDER))?;
    }
    let arguments = ["-D", "-e", "-f", &layout.text("ssh/sshd_config")];
    let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    processes.start(
        &parts.prerequisites.sshd,
        &arguments,
        &layout.variables(parts),
        &layout.at("log/sshd.log"),
    )
}

/// Waits until the server greets.
pub(crate) async fn wait_ready(
    layout: &Layout,
    process: ProcessRef,
    clock: &dyn Clock,
) -> Result<(), SandboxError> {
    let deadline = clock.now().checked_add(READY_WITHIN).unwrap_or(clock.now());
    let greets = async || {
        let mut stream = TcpStream::connect((layout.ip, layout.ssh_port))
            .await
            .ok()?;
        let mut greeting = [0; 4];
        stream.read_exact(&mut greeting).await.ok()?;
        (&greeting == b"SSH-").then_some(())
    };
    loop {
        if greets().await.is_some() {
            return Ok(());
        }
        let late = clock.now() > deadline;
        if late || !process.is_alive() {
            let log = fs::read_to_string(layout.at("log/sshd.log")).unwrap_or_default();
            return Err(SandboxError::NotReady {
                service: "OpenSSH's server".to_owned(),
                outcome: if late {
                    "was not ready in time"
                } else {
                    "ended"
                }
                .to_owned(),
                tail: last_lines(&log, 10),
            });
        }
        clock.sleep(LOOK_AGAIN).await;
    }
}

/// Lets exactly these keys in; each takes effect with the next connection.
pub(crate) fn set_keys(layout: &Layout, keys: &[MetadataKey]) -> Result<(), SandboxError> {
    let lines = keys
        .iter()
        .filter(|key| key.user == layout.user && !key.key.contains(['\n', '\r']))
        .map(|key| format!("{}\n", key.key));
    // Written aside and renamed: a login never meets half a file.
    let file = layout.at(&format!("ssh/authorized_keys/{}", layout.user));
    let part = layout.at("ssh/authorized_keys.part");
    fs::write(&part, lines.collect::<String>()).map_err(SandboxError::file("write", &part))?;
    fs::set_permissions(&part, fs::Permissions::from_mode(0o600))
        .and_then(|()| fs::rename(&part, &file))
        .map_err(SandboxError::file("write", file))
}
