//! A master for tests: a home directory, a `flink` that runs the program at once, and a storage server.
#![expect(clippy::expect_used, reason = "a contract suite fails by panicking")]

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use flinkproc_core::YarnMode;
use flinkproc_plan::{EntryPoint, FileRole, JobPlan, RemoteFile};
use flinkproc_ssh::{
    Content, FileMode, Forward, LocalShell, Output, RemoteCommand, RemoteProcess, RemoteShell,
    ShellError,
};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::method::RunRef;

/// Says what Flink's client says, then runs the entry script with the program's interpreter: its last two arguments.
const FLINK: &str = r#"#!/bin/sh
echo run >>"$HOME/flink.runs"
echo "INFO  YarnClusterDescriptor [] - Submitting application master application_1700000000000_0001"
echo "Job has been submitted with JobID 4f0d1c3b2a49587766554433221100ff"
for word in "$@"; do
  case $word in -Dpython.client.executable=*) python=${word#*=} ;; esac
  entry=$last last=$word
done
[ "$HADOOP_CLASSPATH" = /hadoop/jars ] || exit 99
exec "$python" "$entry" "$last"
"#;
const FLINK_SAYS: &[u8] = b"INFO  YarnClusterDescriptor [] - Submitting application master application_1700000000000_0001\nJob has been submitted with JobID 4f0d1c3b2a49587766554433221100ff\n";
const HADOOP: &str = "#!/bin/sh\necho /hadoop/jars\n";
const YARN: &str = r#"#!/bin/sh
echo "$* " >>"$HOME/yarn.calls"
case $2 in -list)
  echo "Total number of applications (application-types: [], states: [RUNNING] and tags: [x]):1"
  echo "                Application-Id	    Application-Name"
  echo "application_1700000000000_0001	              my etl"
esac
"#;

/// What the launcher cannot do without; `yarn` and `flink` come from the cluster.
const NEEDED: [&str; 19] = [
    "sh",
    "bash",
    "tar",
    "setsid",
    "flock",
    "sha256sum",
    "mkdir",
    "chmod",
    "mktemp",
    "cat",
    "mv",
    "rm",
    "stat",
    "tail",
    "head",
    "tr",
    "grep",
    "sleep",
    "true",
];

type Objects = Arc<Mutex<HashMap<String, Vec<u8>>>>;

/// A master in a temporary directory; everything it started ends when it is dropped.
#[derive(Debug)]
pub struct FakeMaster {
    folder: TempDir,
    path: String,
    objects: Objects,
    storage: SocketAddr,
    server: JoinHandle<()>,
}

impl FakeMaster {
    /// Makes the directory and starts the storage server on loopback. Needs a tokio runtime and, on `PATH`, `python3`.
    pub async fn start() -> Self {
        let folder = TempDir::new().expect("temporary directory");
        std::fs::create_dir(folder.path().join("bin")).expect("folder");
        for (name, text) in [("flink", FLINK), ("hadoop", HADOOP), ("yarn", YARN)] {
            let path = folder.path().join("bin").join(name);
            std::fs::write(&path, text).expect("written");
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(&path, mode).expect("mode");
        }
        let shell = LocalShell::new(folder.path());
        let path = RemoteCommand::raw("printf %s \"$PATH\"");
        let path = shell.run(&path).await.expect("ran").stdout;
        let path = String::from_utf8_lossy(&path).into_owned();
        let objects = Objects::default();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("port");
        let storage = listener.local_addr().expect("address");
        let server = tokio::spawn(serve(listener, Arc::clone(&objects)));
        Self {
            folder,
            path,
            objects,
            storage,
            server,
        }
    }

    /// Takes everything from `PATH` but what the launcher cannot do without: no `curl`, no `setpriv`.
    pub async fn make_bare(&mut self) {
        let folder = self.home().join("bare");
        std::fs::create_dir(&folder).expect("folder");
        // `python3` may be a version manager's script, which needs more than itself.
        let link = "for name; do ln -s \"$(command -v \"$name\")\" bare/; done; \
                    ln -s \"$(python3 -c 'import sys; print(sys.executable)')\" bare/python3";
        let line = RemoteCommand::new("sh")
            .args(["-c", link, "link"])
            .args(NEEDED);
        let linked = LocalShell::new(self.home()).run(&line).await.expect("ran");
        assert!(linked.status.success(), "{linked:?}");
        self.path = folder.display().to_string();
    }

    /// The login directory.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.folder.path()
    }

    /// The environment that a login on this master has.
    #[must_use]
    pub fn environment(&self) -> BTreeMap<&'static str, String> {
        let home = self.home().display().to_string();
        BTreeMap::from([
            ("PATH", format!("{home}/bin:{}", self.path)),
            ("STORAGE_EMULATOR_HOST", format!("http://{}", self.storage)),
            ("PYTHONHOME", "/nowhere".to_owned()),
            ("HOME", home),
        ])
    }

    /// A shell that logs in here by starting processes on this machine.
    #[must_use]
    pub fn local_shell(&self) -> Arc<dyn RemoteShell> {
        let inner: Arc<dyn RemoteShell> = Arc::new(LocalShell::new(self.home()));
        Arc::new(MasterShell::new(inner, self.environment()))
    }

    /// A job that runs a script, without staging it.
    #[must_use]
    pub fn job(script: &str, args: &[&str]) -> JobPlan {
        let args = args
            .iter()
            .map(|arg| arg.parse().expect("argument"))
            .collect();
        JobPlan {
            restore: None,
            session: None,
            python: flinkproc_plan::PythonPlan::Image,
            env: BTreeMap::new(),
            secrets: BTreeMap::new(),
            mirror: None,
            name: format!("job of {} bytes", script.len()),
            flink: "1.17.0".parse().expect("version"),
            mode: YarnMode::PerJob,
            method: "any".to_owned(),
            entry: EntryPoint::Script("job.py".to_owned()),
            args,
            files: vec![file("job.py", "0", FileRole::Script)],
            parallelism: None,
            flink_config: BTreeMap::new(),
            tag: "unused".to_owned(),
            result: None,
        }
    }

    /// Stages a script named `job.py`, and the job that runs it.
    #[must_use]
    pub fn stage(&self, script: &str, args: &[&str]) -> JobPlan {
        self.stage_as("job.py", script, args)
    }

    /// Stages a script, and the job that runs it.
    #[must_use]
    pub fn stage_as(&self, name: &str, script: &str, args: &[&str]) -> JobPlan {
        let mut job = Self::job(script, args);
        job.entry = EntryPoint::Script(name.to_owned());
        job.files = vec![file(name, &self.put(script), FileRole::Script)];
        job
    }

    /// Stages a Python file beside a job's script.
    pub fn add_python_file(&self, job: &mut JobPlan, name: &str, text: &str) {
        let object = self.put(text);
        job.files.push(file(name, &object, FileRole::PythonFile));
    }

    fn put(&self, text: &str) -> String {
        let mut objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        let object = objects.len().to_string();
        objects.insert(object.clone(), text.as_bytes().to_vec());
        object
    }

    /// A program that says one line and then waits for a file in the login directory, or for the directory's end.
    #[must_use]
    pub fn script_that_waits(&self, file: &str) -> String {
        let home = self.home().display();
        format!(
            "import os, time\nprint('waiting')\nwhile os.path.isdir({home:?}) and not os.path.exists({file:?}):\n    time.sleep(0.02)\n",
            home = home.to_string(),
            file = format!("{home}/{file}"),
        )
    }

    /// Makes an empty file in the login directory.
    pub fn touch(&self, file: &str) {
        std::fs::write(self.home().join(file), "").expect("written");
    }

    /// How often `flink` was started.
    #[must_use]
    pub fn flink_runs(&self) -> usize {
        self.read("flink.runs").lines().count()
    }

    /// The arguments of each call of `yarn`, one line each.
    #[must_use]
    pub fn yarn_calls(&self) -> String {
        self.read("yarn.calls")
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.home().join(file)).unwrap_or_default()
    }

    /// What the program itself said on standard output.
    #[must_use]
    pub fn without_flinks_words(&self, out: &[u8]) -> Vec<u8> {
        out.strip_prefix(FLINK_SAYS)
            .expect("Flink's words")
            .to_vec()
    }

    /// Kills an attempt's launcher, and nothing else.
    pub async fn kill_launcher(&self, run: &RunRef) {
        let pid = self.read(&format!(
            ".flinkproc/{}/{}/pid",
            run.deployment, run.attempt
        ));
        let kill = RemoteCommand::new("kill").args(["-KILL", pid.trim()]);
        let killed = LocalShell::new(self.home()).run(&kill).await.expect("ran");
        assert!(killed.status.success(), "{killed:?}");
    }
}

impl Drop for FakeMaster {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn file(name: &str, object: &str, role: FileRole) -> RemoteFile {
    RemoteFile {
        from: format!("gs://bucket/{object}").parse().expect("address"),
        name: name.to_owned(),
        sha256: None,
        role,
    }
}

/// Answers downloads of the JSON API, one request for each connection.
async fn serve(listener: TcpListener, objects: Objects) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(answer(stream, Arc::clone(&objects)));
    }
}

async fn answer(mut stream: TcpStream, objects: Objects) -> Option<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.ok()?);
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let path = request.split(' ').nth(1).unwrap_or_default();
    let object = path
        .strip_prefix("/storage/v1/b/bucket/o/")
        .and_then(|rest| rest.strip_suffix("?alt=media"))
        .unwrap_or_default();
    let found = {
        let objects = objects.lock().unwrap_or_else(PoisonError::into_inner);
        objects.get(object).cloned()
    };
    let (status, body) = found.map_or(("404 Not Found", Vec::new()), |body| ("200 OK", body));
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(&body).await.ok()
}

/// A shell whose commands all get some environment, as a login's would.
pub struct MasterShell {
    inner: Arc<dyn RemoteShell>,
    environment: BTreeMap<&'static str, String>,
}

impl MasterShell {
    /// Puts an environment around a shell.
    pub fn new(inner: Arc<dyn RemoteShell>, environment: BTreeMap<&'static str, String>) -> Self {
        Self { inner, environment }
    }

    fn dress(&self, command: &RemoteCommand) -> RemoteCommand {
        let environment = self.environment.iter();
        environment.fold(command.clone(), |command, (name, value)| {
            command.env(*name, value)
        })
    }
}

impl fmt::Debug for MasterShell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl RemoteShell for MasterShell {
    async fn run(&self, command: &RemoteCommand) -> Result<Output, ShellError> {
        self.inner.run(&self.dress(command)).await
    }

    async fn spawn(&self, command: &RemoteCommand) -> Result<Box<dyn RemoteProcess>, ShellError> {
        self.inner.spawn(&self.dress(command)).await
    }

    async fn upload(&self, content: &Content, to: &str, mode: FileMode) -> Result<(), ShellError> {
        self.inner.upload(content, to, mode).await
    }

    async fn download(&self, from: &str, to: &Path) -> Result<u64, ShellError> {
        self.inner.download(from, to).await
    }

    async fn forward(&self, host: &str, port: u16) -> Result<Forward, ShellError> {
        self.inner.forward(host, port).await
    }
}
