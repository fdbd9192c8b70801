//! [`TestSshd`]: a real OpenSSH server for tests, one process for each connection.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use ssh_key::{LineEnding, PrivateKey, private::Ed25519Keypair};
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::abort_on_drop::AbortOnDrop;
use crate::identity::{Identity, random};
use crate::known_hosts::{HostKey, HostKeyPolicy};
use crate::shell::SshTarget;

/// Where OpenSSH's server lies; it insists on being called by its full path.
const SSHD: [&str; 3] = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"];

/// A real `sshd` on a free loopback port, for the user who runs the test, with keys and configuration of its own.
///
/// It listens here and hands each connection to an `sshd -i`, so there is no race for a port, nothing to wait for, and
/// dropping it ends the listening and every connection. Works as root and as an ordinary user.
#[derive(Debug)]
pub struct TestSshd {
    address: SocketAddr,
    user: String,
    host_key: HostKey,
    folder: PathBuf,
    _serving: AbortOnDrop,
}

impl TestSshd {
    /// Starts a server that lets in the holders of these public keys, with further lines of configuration.
    ///
    /// # Errors
    /// When there is no `sshd` on this machine, or it does not take the configuration.
    pub async fn start(public_keys: &[&str], settings: &[&str]) -> io::Result<Self> {
        let missing = || io::Error::other("no sshd found: install OpenSSH's server");
        let sshd = SSHD
            .iter()
            .find(|path| Path::new(path).exists())
            .ok_or_else(missing)?;
        let name: [u8; 8] = random().map_err(io::Error::other)?;
        let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
        let folder = std::env::temp_dir().join(format!("flinkproc-sshd-{name}"));
        DirBuilder::new().mode(0o700).create(&folder)?;
        let prepared = Self::prepare(sshd, &folder, public_keys, settings).await;
        match prepared {
            Ok((host_key, user)) => Self::serve(sshd, folder, host_key, user).await,
            Err(error) => {
                fs::remove_dir_all(&folder)?;
                Err(error)
            }
        }
    }

    async fn prepare(
        sshd: &str,
        folder: &Path,
        public_keys: &[&str],
        settings: &[&str],
    ) -> io::Result<(HostKey, String)> {
        let seed = random().map_err(io::Error::other)?;
        let key = PrivateKey::from(Ed25519Keypair::from_seed(&seed));
        let text = key.to_openssh(LineEnding::LF).map_err(io::Error::other)?;
        write(&folder.join("host_key"), &text)?;
        write(
            &folder.join("authorized_keys"),
            &(public_keys.join("\n") + "\n"),
        )?;
        let shown = folder.display();
        // Debian's bash reads the user's `.bashrc` for commands that come over SSH, unless it sees an outer shell; a test must
        // not depend on what is in there. Of several `SetEnv` lines sshd takes the first: a caller's own goes before.
        let config = format!(
            "HostKey {shown}/host_key\nAuthorizedKeysFile {shown}/authorized_keys\nPidFile none\n\
             StrictModes no\nUsePAM no\nUseDNS no\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n{}\nSetEnv SHLVL=2\n",
            settings.join("\n")
        );
        write(&folder.join("sshd_config"), &config)?;
        // As root, sshd wants an empty folder to lock its network process into; a service manager would make it.
        let root = fs::metadata(folder)?.uid() == 0;
        if root && !Path::new("/run/sshd").exists() {
            fs::create_dir_all("/run/sshd")?;
            fs::set_permissions("/run/sshd", Permissions::from_mode(0o755))?;
        }
        let config = folder.join("sshd_config");
        let tested = Command::new(sshd)
            .arg("-t")
            .arg("-f")
            .arg(&config)
            .output()
            .await?;
        if !tested.status.success() {
            let said = String::from_utf8_lossy(&tested.stderr).into_owned();
            return Err(io::Error::other(said));
        }
        let user = Command::new("id").arg("-un").output().await?;
        let user = String::from_utf8_lossy(&user.stdout).trim().to_owned();
        let host_key = key.public_key().to_openssh().map_err(io::Error::other)?;
        Ok((host_key.parse().map_err(io::Error::other)?, user))
    }

    async fn serve(
        sshd: &str,
        folder: PathBuf,
        host_key: HostKey,
        user: String,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (sshd, config, log) = (
            sshd.to_owned(),
            folder.join("sshd_config"),
            folder.join("log"),
        );
        let serving = tokio::spawn(async move {
            // Dropped with this task: so are the servers in it.
            let mut servers = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(stream) = stream.into_std() else {
                    continue;
                };
                let blocking = stream.set_nonblocking(false);
                let (Ok(()), Ok(twin)) = (blocking, stream.try_clone()) else {
                    continue;
                };
                let server = Command::new(&sshd)
                    .args(["-i", "-f"])
                    .arg(&config)
                    .arg("-E")
                    .arg(&log)
                    .stdin(Stdio::from(OwnedFd::from(stream)))
                    .stdout(Stdio::from(OwnedFd::from(twin)))
                    .stderr(Stdio::null())
                    .kill_on_drop(true)
                    .spawn();
                servers.extend(server.ok());
            }
        });
        Ok(Self {
            address,
            user,
            host_key,
            folder,
            _serving: AbortOnDrop(serving.abort_handle()),
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The key it shows.
    #[must_use]
    pub const fn host_key(&self) -> &HostKey {
        &self.host_key
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// A way in, with this key, that believes exactly this server.
    #[must_use]
    pub fn target(&self, identity: Identity) -> SshTarget {
        SshTarget {
            host: self.address.ip().to_string(),
            port: self.address.port(),
            user: self.user.clone(),
            identity,
            host_keys: HostKeyPolicy::exactly(vec![self.host_key.clone()]),
            jumps: Vec::new(),
            connect_timeout: None,
        }
    }
}

impl Drop for TestSshd {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).ok();
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}
