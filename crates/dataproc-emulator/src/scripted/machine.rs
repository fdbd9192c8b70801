//! One scripted machine: its files, its SSH server and its web servers.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::task::JoinHandle;

use crate::clock::EmulatorClock;
use crate::runtime::{ClusterFacts, MetadataKey, RuntimeError};
use crate::scripted::processes::{MARK, Servers, kill_marked};
use crate::scripted::programs::{FlinkScript, Place, programs};
use crate::scripted::web::{self, Applications};
use crate::scripted::{Addresses, ScriptedOptions};

const YARN_PORT: u16 = 8088;
/// Where a job that flinkproc deploys looks for Secret Manager instead of at Google's.
const SECRETS: &str = "FLINKPROC_SECRET_MANAGER_ENDPOINT";
/// OpenSSH's server wants this directory when it runs as root.
const PRIVILEGE_SEPARATION: &str = "/run/sshd";

/// A machine that plays all machines of one cluster.
#[derive(Debug)]
pub struct ScriptedMachine {
    cluster: String,
    uuid: String,
    user: String,
    host_key: String,
    ssh: SocketAddr,
    yarn: SocketAddr,
    flink: SocketAddr,
    applications: Applications,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    servers: Servers,
    sshd: PathBuf,
    files: TempDir,
}

impl ScriptedMachine {
    /// The name of its cluster.
    #[must_use]
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// Its address.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        self.ssh.ip()
    }

    /// Where its SSH server listens.
    #[must_use]
    pub const fn ssh(&self) -> SocketAddr {
        self.ssh
    }

    /// Where YARN's ResourceManager answers.
    #[must_use]
    pub const fn yarn(&self) -> SocketAddr {
        self.yarn
    }

    /// Where Flink answers.
    #[must_use]
    pub const fn flink(&self) -> SocketAddr {
        self.flink
    }

    /// Who can log in: the user that runs this process.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Its host key as OpenSSH writes it: type and key.
    #[must_use]
    pub fn host_key(&self) -> &str {
        &self.host_key
    }

    /// The home directory of whoever logs in.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.files.path().join("home")
    }

    /// The arguments of every start of `flink` so far, in their order.
    #[must_use]
    pub fn flink_calls(&self) -> Vec<Vec<String>> {
        let calls = self.files.path().join("calls");
        let arguments = |number: usize| {
            let bytes = fs::read(calls.join(number.to_string()).join("argv")).ok()?;
            let mut parts: Vec<&[u8]> = bytes.split(|byte| *byte == 0).collect();
            parts.pop();
            let text = |part: &[u8]| String::from_utf8_lossy(part).into_owned();
            Some(parts.into_iter().map(text).collect())
        };
        (1..).map_while(arguments).collect()
    }

    /// Whether a YARN application runs.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.applications.any_running()
    }

    pub(crate) async fn start(
        cluster: &ClusterFacts,
        options: &ScriptedOptions,
        flink: &FlinkScript,
    ) -> Result<Self, RuntimeError> {
        let files = TempDir::with_prefix("dataproc-machine-").map_err(failed("a directory"))?;
        let (ssh, yarn, web) = listeners(options.addresses).await?;
        let address = |listener: &TcpListener| listener.local_addr().map_err(failed("a port"));
        let (ssh_at, yarn_at, flink_at) = (address(&ssh)?, address(&yarn)?, address(&web)?);
        let started = EmulatorClock::default().now();
        let user = user_name().map_err(failed("the user's name"))?;
        let root = files.path();
        lay_out(root).map_err(failed("the machine's files"))?;
        let place = Place {
            root: &root.to_string_lossy(),
            stamp: started.as_millisecond(),
            job_prefix: &job_prefix(&cluster.uuid),
            flink: &flink_at.to_string(),
        };
        write_programs(root, &place).map_err(failed("the machine's programs"))?;
        let host_key = make_host_key(root).await?;
        write_configuration(root, cluster, options, &user).map_err(failed("the server's files"))?;
        let applications = Applications::new(root, yarn_at, flink_at, &user, started, cluster);
        let machine = Self {
            cluster: cluster.name.clone(),
            uuid: cluster.uuid.clone(),
            user,
            host_key,
            ssh: ssh_at,
            yarn: yarn_at,
            flink: flink_at,
            applications,
            tasks: Mutex::default(),
            servers: Servers::default(),
            sshd: options.sshd.clone(),
            files,
        };
        machine.serve(ssh, yarn, web);
        machine.write_flink(flink)?;
        machine.write_keys(&[])?;
        Ok(machine)
    }

    fn serve(&self, ssh: TcpListener, yarn: TcpListener, flink: TcpListener) {
        let sshd = Sshd {
            program: self.sshd.clone(),
            root: self.files.path().to_owned(),
            servers: self.servers.clone(),
        };
        let manager = web::resource_manager(self.applications.clone());
        self.tasks().extend([
            tokio::spawn(sshd.serve(ssh)),
            tokio::spawn(web::serve(yarn, manager)),
            tokio::spawn(web::serve(flink, web::flink(self.applications.clone()))),
        ]);
    }

    fn tasks(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends what runs on the machine and stops listening; its files stay. Idempotent.
    pub(crate) async fn power_off(&self) -> Result<(), RuntimeError> {
        let tasks: Vec<_> = self.tasks().drain(..).collect();
        for task in tasks {
            task.abort();
            // Its listener has gone with it; an error only says that it was aborted.
            task.await.ok();
        }
        self.stop();
        // A ResourceManager that keeps no state knows nothing of what ran before it.
        let applications = self.files.path().join("apps");
        fs::remove_dir_all(&applications)
            .and_then(|()| fs::create_dir(&applications))
            .map_err(failed("the machine's applications"))
    }

    /// Listens again where it did before.
    pub(crate) async fn power_on(&self) -> Result<(), RuntimeError> {
        let bind = TcpListener::bind::<SocketAddr>;
        let bound = tokio::try_join!(bind(self.ssh), bind(self.yarn), bind(self.flink));
        let (ssh, yarn, flink) = bound.map_err(failed("the machine's ports"))?;
        self.serve(ssh, yarn, flink);
        Ok(())
    }

    /// What a diagnosis of it gathers.
    pub(crate) fn report(&self) -> Vec<(String, String)> {
        let mut files = Vec::new();
        for name in ["sshd_config", "sshd.log", "flink.conf"] {
            if let Ok(text) = fs::read_to_string(self.files.path().join(name)) {
                files.push((format!("machine/{name}"), text));
            }
        }
        let calls = self.flink_calls();
        let calls: Vec<String> = calls.iter().map(|call| call.join(" ")).collect();
        files.push(("machine/flink_calls.txt".to_owned(), calls.join("\n")));
        files
    }

    /// Lets exactly these keys in.
    pub(crate) fn write_keys(&self, keys: &[MetadataKey]) -> Result<(), RuntimeError> {
        let own = keys.iter().filter(|key| key.user == self.user);
        let lines: String = own.map(|key| format!("{}\n", key.key)).collect();
        replace(&self.files.path().join("authorized_keys"), &lines).map_err(failed("the keys"))
    }

    /// Changes what `flink` does.
    pub(crate) fn write_flink(&self, flink: &FlinkScript) -> Result<(), RuntimeError> {
        replace(&self.files.path().join("flink.conf"), &flink.conf())
            .map_err(failed("flink's script"))
    }

    /// Ends the machine and what runs on it. Idempotent.
    pub(crate) fn stop(&self) {
        for task in self.tasks().drain(..) {
            task.abort();
        }
        self.servers.kill();
        kill_marked(&self.uuid);
    }
}

impl Drop for ScriptedMachine {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The SSH server: one process for each connection, as inetd starts it.
///
/// So the port is bound by this process and ready at once, and nothing is left listening.
#[derive(Debug)]
struct Sshd {
    program: PathBuf,
    root: PathBuf,
    servers: Servers,
}

impl Sshd {
    async fn serve(self, listener: TcpListener) {
        let this = Arc::new(self);
        loop {
            let Ok((connection, _)) = listener.accept().await else {
                return;
            };
            if let Err(error) = this.connect(connection) {
                tracing::warn!(%error, "could not start sshd");
            }
        }
    }

    fn connect(self: &Arc<Self>, connection: TcpStream) -> io::Result<()> {
        let connection = connection.into_std()?;
        connection.set_nonblocking(false)?;
        connection.set_nodelay(true)?;
        let log = fs::File::options()
            .append(true)
            .create(true)
            .open(self.root.join("sshd.log"))?;
        let mut child = Command::new(&self.program)
            .arg("-i")
            .arg("-e")
            .arg("-f")
            .arg(self.root.join("sshd_config"))
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::from(std::os::fd::OwnedFd::from(
                connection.try_clone()?,
            )))
            .stdout(Stdio::from(std::os::fd::OwnedFd::from(connection)))
            .stderr(log)
            .process_group(0)
            .spawn()?;
        let pid = child.id().unwrap_or_default();
        self.servers.add(pid);
        let this = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(error) = child.wait().await {
                tracing::debug!(%error, "sshd could not be waited for");
            }
            this.servers.remove(pid);
        });
        Ok(())
    }
}

/// The listeners for SSH, YARN and Flink.
async fn listeners(
    addresses: Addresses,
) -> Result<(TcpListener, TcpListener, TcpListener), RuntimeError> {
    let bind = |ip: Ipv4Addr, port: u16| TcpListener::bind((ip, port));
    let Addresses::Own { ssh_port } = addresses else {
        let ip = Ipv4Addr::LOCALHOST;
        let bound = tokio::try_join!(bind(ip, 0), bind(ip, 0), bind(ip, 0));
        return bound.map_err(failed("a port"));
    };
    // Who binds YARN's port of an address has the address; other processes try the next.
    let start = std::process::id();
    for step in 0..4096_u32 {
        let number = start.wrapping_mul(7).wrapping_add(step) % (190 * 250);
        let (high, low) = (number / 250, number % 250);
        let (Ok(high), Ok(low)) = (u8::try_from(high + 64), u8::try_from(low + 2)) else {
            continue;
        };
        let ip = Ipv4Addr::new(127, high, low, 1);
        match bind(ip, YARN_PORT).await {
            Ok(yarn) => {
                let rest = tokio::try_join!(bind(ip, ssh_port), bind(ip, 0));
                let (ssh, web) = rest.map_err(failed("the machine's ports"))?;
                return Ok((ssh, yarn, web));
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(failed("a loopback address of its own")(error)),
        }
    }
    Err(RuntimeError::Stockout {
        detail: "no loopback address is free".to_owned(),
    })
}

fn failed(what: &'static str) -> impl Fn(io::Error) -> RuntimeError {
    move |error| RuntimeError::Failed {
        detail: format!("could not set up {what}: {error}"),
    }
}

fn lay_out(root: &Path) -> io::Result<()> {
    // What a program is told and says is nobody else's.
    fs::set_permissions(root, fs::Permissions::from_mode(0o700))?;
    for directory in [
        "home",
        "bin",
        "apps",
        "calls",
        "lib",
        "hadoop",
        "flink-conf",
        "java",
        "python/pyflink",
    ] {
        fs::create_dir_all(root.join(directory))?;
    }
    let pyflink = "__version__ = \"1.20.5\"\n";
    fs::write(root.join("python/pyflink/__init__.py"), "")?;
    fs::write(root.join("python/pyflink/version.py"), pyflink)?;
    // A login shell, and a bash that sshd starts, read one of these instead of the user's own.
    let start = format!("PATH={}/bin:$PATH\nexport PATH\n", root.display());
    fs::write(root.join("home/.profile"), &start)?;
    fs::write(root.join("home/.zshenv"), &start)?;
    fs::write(root.join("home/.bashrc"), format!("{start}cd\n"))?;
    fs::set_permissions(root.join("home"), fs::Permissions::from_mode(0o700))
}

fn write_programs(root: &Path, place: &Place<'_>) -> io::Result<()> {
    for (name, text) in programs(place) {
        let path = root.join("bin").join(name);
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

fn write_configuration(
    root: &Path,
    cluster: &ClusterFacts,
    options: &ScriptedOptions,
    user: &str,
) -> io::Result<()> {
    if rustix::process::geteuid().is_root() {
        fs::create_dir_all(PRIVILEGE_SEPARATION)?;
    }
    let at = root.display();
    let storage = cluster.storage_endpoint.as_ref();
    let storage = storage.map_or(String::new(), |url| format!(" STORAGE_EMULATOR_HOST={url}"));
    let metadata = cluster.metadata_host.as_ref();
    let metadata = metadata.map_or(String::new(), |host| format!(" GCE_METADATA_HOST={host}"));
    let api = cluster.api_endpoint.as_ref();
    let api = api.map_or(String::new(), |url| format!(" {SECRETS}={url}"));
    let path = &options.path;
    // One `SetEnv` line only: OpenSSH ignores a second one.
    let configuration = format!(
        "HostKey {at}/host_key\n\
         AuthorizedKeysFile {at}/authorized_keys\n\
         AllowUsers {user}\n\
         AuthenticationMethods publickey\n\
         StrictModes no\n\
         UsePAM no\n\
         UseDNS no\n\
         PasswordAuthentication no\n\
         KbdInteractiveAuthentication no\n\
         PermitRootLogin prohibit-password\n\
         PermitUserRC no\n\
         PidFile none\n\
         PrintMotd no\n\
         PrintLastLog no\n\
         LogLevel ERROR\n\
         MaxSessions 100\n\
         Subsystem sftp internal-sftp -d {at}/home\n\
         SetEnv {MARK}={uuid} HOME={at}/home \"PATH={at}/bin:{path}\" JAVA_HOME={at}/java HADOOP_CONF_DIR={at}/hadoop FLINK_CONF_DIR={at}/flink-conf{storage}{metadata}{api}\n",
        uuid = cluster.uuid,
    );
    fs::write(root.join("sshd_config"), configuration)
}

/// Makes the host key and gives its public half.
async fn make_host_key(root: &Path) -> Result<String, RuntimeError> {
    let path = root.join("host_key");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"])
        .arg(&path)
        .stdin(Stdio::null())
        .output()
        .await
        .map_err(failed("a host key (ssh-keygen)"))?;
    if !made.status.success() {
        let detail = String::from_utf8_lossy(&made.stderr).trim().to_owned();
        return Err(RuntimeError::Failed { detail });
    }
    let public = fs::read_to_string(path.with_extension("pub")).map_err(failed("a host key"))?;
    Ok(public.trim().to_owned())
}

/// Writes a file so that readers see the old or the new one.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, text)?;
    fs::rename(new, path)
}

/// The login name of the user that runs this process.
pub(super) fn user_name() -> io::Result<String> {
    let own = rustix::process::getuid().as_raw().to_string();
    let users = fs::read_to_string("/etc/passwd")?;
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == own).then(|| name.to_owned())
    });
    name.ok_or_else(|| io::Error::other(format!("user number {own} has no name")))
}

fn job_prefix(uuid: &str) -> String {
    let digits = uuid.chars().filter(char::is_ascii_hexdigit);
    let digits: String = digits.take(24).collect();
    format!("{digits:0<24}")
}

/// The milliseconds of a time, for YARN and Flink.
pub(crate) fn millis(time: Timestamp) -> i64 {
    time.as_millisecond()
}
