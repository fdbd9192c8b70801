//! Google's Python packages, in an environment that is made once and kept in the user's cache.

use std::fs::{File, create_dir_all, remove_dir_all, rename, write};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::process::Command;
use tokio::sync::OnceCell;

/// What is installed, each package with its version.
const REQUIREMENTS: &str = include_str!("requirements.txt");

/// How long one run may take; longer means that it hangs.
const PATIENCE: Duration = Duration::from_secs(900);

static READY: OnceCell<Option<Python>> = OnceCell::const_new();

/// A Python with the packages of the requirements.
#[derive(Clone, Debug)]
pub(crate) struct Python {
    program: PathBuf,
}

impl Python {
    /// The environment, made when it is not there; `None` where these suites are left out, which is told.
    pub(crate) async fn ready() -> Option<Self> {
        READY.get_or_init(prepare).await.clone()
    }

    /// Runs it in the folder of the suites, and fails with all that it said where it fails.
    pub(crate) async fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) {
        let tried = self.try_run(arguments, variables).await;
        tried.unwrap_or_else(|said| panic!("{arguments:?} failed\n{said}"));
    }

    /// Runs it in the folder of the suites; the error is all that it said.
    pub(crate) async fn try_run(
        &self,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Result<(), String> {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .current_dir(suites())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .envs(variables.iter().copied());
        match finish(command).await {
            (true, _) => Ok(()),
            (false, said) => Err(said),
        }
    }
}

/// Tells why something is left out, past the test's captured output: who skips a test has to see it.
pub(crate) fn left_out(why: &str) {
    let line = format!("left out: {why}\n");
    std::io::stderr().lock().write_all(line.as_bytes()).unwrap();
}

/// A variable of the environment that is not empty.
#[expect(
    clippy::disallowed_methods,
    reason = "the suite is chosen by the environment"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Where a program is.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = variable("PATH")?;
    let mut places = path
        .split(':')
        .map(|folder| Path::new(folder).join(program));
    places.find(|place| place.is_file())
}

fn suites() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/clients")
}

async fn prepare() -> Option<Python> {
    if variable("FLINKPROC_TEST_FAST").is_some() {
        left_out("FLINKPROC_TEST_FAST is set, and this suite needs Python and sshd");
        return None;
    }
    let named = variable("FLINKPROC_PYTHON").map(PathBuf::from);
    let Some(system) = named.or_else(|| find("python3")) else {
        left_out("no python3 is in the PATH, which Google's Python libraries need");
        return None;
    };
    let version = call(&system, &["--version"]).await;
    let digest = Sha256::digest(format!("{version}{REQUIREMENTS}"));
    let name: String = digest[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let cache = variable("FLINKPROC_CACHE").map_or_else(
        || {
            let own = variable("XDG_CACHE_HOME").map(PathBuf::from);
            let own = own.unwrap_or_else(|| Path::new(&variable("HOME").unwrap()).join(".cache"));
            own.join("flinkproc")
        },
        PathBuf::from,
    );
    let folder = cache.join("clients");
    create_dir_all(&folder).unwrap();
    let place = folder.join(name);
    let lock = File::create(folder.join("lock")).unwrap();
    // Another test run may be making the same; released when the file is closed.
    let lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock));
    let lock = lock.await.unwrap().unwrap();
    if !place.is_dir() {
        make(&system, &place).await;
    }
    drop(lock);
    Some(Python {
        program: place.join("bin/python"),
    })
}

/// Makes the environment beside its place and moves it there when it is whole.
async fn make(system: &Path, place: &Path) {
    let half = place.with_extension("half");
    if half.exists() {
        remove_dir_all(&half).unwrap();
    }
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    call(system, &["-m", "venv", &text(&half)]).await;
    let requirements = half.join("requirements.txt");
    write(&requirements, REQUIREMENTS).unwrap();
    let file = text(&requirements);
    let install = ["-m", "pip", "install", "--quiet", "--requirement", &file];
    call(&half.join("bin/python"), &install).await;
    rename(&half, place).unwrap();
}

async fn call(program: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(arguments);
    let (done, said) = finish(command).await;
    assert!(done, "{} {arguments:?}\n{said}", program.display());
    said
}

async fn finish(mut command: Command) -> (bool, String) {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let running = command.output();
    let Output {
        status,
        stdout,
        stderr,
    } = tokio::time::timeout(PATIENCE, running)
        .await
        .unwrap_or_else(|_| panic!("{command:?} hangs"))
        .unwrap();
    let [out, err] = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (status.success(), format!("{out}{err}"))
}
