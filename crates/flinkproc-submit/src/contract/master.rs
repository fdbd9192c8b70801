//! A master for tests: a home directory, a `flink` and a `yarn` that do as the real ones, and the servers they ask.
#![expect(clippy::expect_used, reason = "a contract suite fails by panicking")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use flinkproc_core::YarnMode;
use flinkproc_plan::{EntryPoint, FileRole, JobPlan, RemoteFile};
use flinkproc_ssh::{LocalShell, RemoteCommand, RemoteShell};
use flinkproc_staging::{MemoryStaging, Staging};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::run::{LIMIT, pause};
use super::servers::{Served, serve};
use super::shell::MasterShell;
use crate::method::RunRef;

/// The bucket of a fake master's storage.
pub const BUCKET: &str = "bucket";

/// The programs of a fake cluster; what they do is in them.
const PROGRAMS: [(&str, &str); 4] = [
    ("flink", include_str!("fake/flink.sh")),
    ("yarn", include_str!("fake/yarn.sh")),
    ("yarn-session.sh", include_str!("fake/yarn-session.sh")),
    ("hadoop", "#!/bin/sh\necho /hadoop/jars\n"),
];

/// The last of what the fake `flink` says before the program speaks.
const SUBMITTED: &[u8] = b"Job has been submitted with JobID ";

/// What the launcher cannot do without; `yarn` and `flink` come from the cluster.
const NEEDED: [&str; 25] = [
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
    "cut",
    "ln",
    "cp",
    "env",
    "base64",
    "dirname",
];

/// A master in a temporary directory; everything it started ends when it is dropped.
#[derive(Debug)]
pub struct FakeMaster {
    folder: TempDir,
    path: String,
    staging: Arc<MemoryStaging>,
    secrets: Arc<Mutex<BTreeMap<String, String>>>,
    staged: AtomicUsize,
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl FakeMaster {
    /// Makes the directory and starts the servers on loopback. Needs a tokio runtime and, on `PATH`, `python3`.
    pub async fn start() -> Self {
        let folder = TempDir::new().expect("temporary directory");
        std::fs::create_dir(folder.path().join("bin")).expect("folder");
        for (name, text) in PROGRAMS {
            let path = folder.path().join("bin").join(name);
            std::fs::write(&path, text).expect("written");
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(&path, mode).expect("mode");
        }
        let shell = LocalShell::new(folder.path());
        let path = RemoteCommand::raw("printf %s \"$PATH\"");
        let path = shell.run(&path).await.expect("ran").stdout;
        let path = String::from_utf8_lossy(&path).into_owned();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("port");
        let address = listener.local_addr().expect("address");
        let conf = folder.path().join("conf");
        std::fs::create_dir(&conf).expect("folder");
        let site = format!(
            "<configuration><property><name>yarn.resourcemanager.webapp.address</name><value>{address}</value></property></configuration>"
        );
        std::fs::write(conf.join("yarn-site.xml"), site).expect("written");
        let bucket = BUCKET.parse().expect("bucket");
        let staging = Arc::new(MemoryStaging::new().with_bucket(bucket));
        let secrets = Arc::default();
        let served = Served {
            staging: Arc::clone(&staging),
            yarn: folder.path().join("yarn"),
            secrets: Arc::clone(&secrets),
        };
        let server = tokio::spawn(serve(listener, served));
        Self {
            folder,
            path,
            staging,
            secrets,
            staged: AtomicUsize::new(0),
            address,
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
            ("STORAGE_EMULATOR_HOST", format!("http://{}", self.address)),
            ("HADOOP_CONF_DIR", format!("{home}/conf")),
            (
                "FLINKPROC_SECRET_MANAGER_ENDPOINT",
                format!("http://{}", self.address),
            ),
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
            classpaths: Vec::new(),
            unresolved: Vec::new(),
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
        job.files = vec![file(name, &self.put(script.to_owned()), FileRole::Script)];
        job
    }

    /// Stages a Python file beside a job's script.
    pub fn add_python_file(&self, job: &mut JobPlan, name: &str, text: &str) {
        let object = self.put(text.to_owned());
        job.files.push(file(name, &object, FileRole::PythonFile));
    }

    /// Stages an archive, such as a Python environment.
    pub fn add_file(&self, job: &mut JobPlan, name: &str, content: Vec<u8>, role: FileRole) {
        let object = self.put(content);
        job.files.push(file(name, &object, role));
    }

    /// The master's storage: the bucket is [`BUCKET`].
    #[must_use]
    pub fn staging(&self) -> Arc<dyn Staging> {
        Arc::clone(&self.staging) as Arc<dyn Staging>
    }

    /// Gives Secret Manager a value, under its whole name with the version.
    pub fn add_secret(&self, version: &str, value: &str) {
        let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        secrets.insert(version.to_owned(), value.to_owned());
    }

    fn put(&self, content: impl Into<bytes::Bytes>) -> String {
        let object = self.staged.fetch_add(1, Ordering::Relaxed).to_string();
        let uri = format!("gs://{BUCKET}/{object}").parse().expect("address");
        self.staging.overwrite(uri, content);
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

    /// The arguments of each `flink run`, one line each.
    #[must_use]
    pub fn flink_calls(&self) -> String {
        self.read("flink.calls")
    }

    /// The arguments of each other call of `flink`, one line each.
    #[must_use]
    pub fn flink_acts(&self) -> String {
        self.read("flink.acts")
    }

    /// How often a session was started.
    #[must_use]
    pub fn session_starts(&self) -> usize {
        self.read("session.starts").lines().count()
    }

    /// The state of a YARN application, in YARN's words.
    #[must_use]
    pub fn application_state(&self, id: &str) -> String {
        let state = self.read(&format!("yarn/{id}/state"));
        state.trim().to_owned()
    }

    /// What an application's program said in its container.
    #[must_use]
    pub fn container_output(&self, id: &str) -> String {
        self.read(&format!("yarn/{id}/container/jobmanager.out"))
    }

    /// The states of an application's Flink jobs, in Flink's words, the oldest first.
    #[must_use]
    pub fn job_states(&self, id: &str) -> Vec<String> {
        let states = self.jobs(id).into_iter();
        states
            .map(|job| {
                self.read(&format!("yarn/{id}/jobs/{job}/state"))
                    .trim()
                    .to_owned()
            })
            .collect()
    }

    fn jobs(&self, id: &str) -> Vec<String> {
        let jobs = std::fs::read_dir(self.home().join(format!("yarn/{id}/jobs")));
        let names = jobs
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.file_name());
        let mut jobs: Vec<String> = names
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        jobs.sort();
        jobs
    }

    /// Waits until an application has a job that runs, and names it.
    pub async fn until_a_job_runs(&self, id: &str) -> String {
        let running = || {
            let states = self.job_states(id).into_iter();
            let found = self.jobs(id).into_iter().zip(states);
            found
                .filter(|(_, state)| state == "RUNNING")
                .map(|(job, _)| job)
                .next()
        };
        wait_for(running).await
    }

    /// Waits until an application's program says this.
    pub async fn until_container_says(&self, id: &str, text: &str) {
        wait_for(|| self.container_output(id).contains(text).then_some(())).await;
    }

    /// Takes from an attempt what it noted of ids.
    pub fn forget_ids(&self, run: &RunRef) {
        let file = format!(".flinkproc/{}/{}/ids", run.deployment, run.attempt);
        std::fs::write(self.home().join(file), "").expect("written");
    }

    /// A Python environment for this machine: its `bin/python` sets `FROM_ARCHIVE` and becomes the machine's own.
    pub async fn python_archive(&self, mark: &str) -> Vec<u8> {
        let line = format!(
            "mkdir -p archive/bin && printf '#!/bin/sh\nFROM_ARCHIVE=%s exec %s \"$@\"\n' {mark} \
             \"$(python3 -c 'import sys; print(sys.executable)')\" >archive/bin/python && \
             chmod 755 archive/bin/python && tar -czf archive.tar.gz -C archive bin && cat archive.tar.gz"
        );
        let line = RemoteCommand::new("sh").args(["-c", &line]);
        let made = LocalShell::new(self.home()).run(&line).await.expect("ran");
        assert!(made.status.success(), "{made:?}");
        made.stdout.to_vec()
    }

    /// What the program itself said on standard output.
    #[must_use]
    pub fn without_flinks_words(&self, out: &[u8]) -> Vec<u8> {
        let mut windows = out.windows(SUBMITTED.len());
        let at = windows
            .position(|window| window == SUBMITTED)
            .expect("Flink's words");
        let mut rest = out.split_at(at).1.splitn(2, |byte| *byte == b'\n');
        rest.nth(1).unwrap_or_default().to_vec()
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
        from: format!("gs://{BUCKET}/{object}").parse().expect("address"),
        name: name.to_owned(),
        sha256: None,
        role,
    }
}

/// Waits for something that a process of the cluster does.
async fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begin.elapsed() < LIMIT, "it never came");
        pause().await;
    }
}
