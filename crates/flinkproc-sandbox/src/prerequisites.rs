//! What this machine must have, found by running it, all that is missing reported at once.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use flinkproc_core::{ByteSize, FlinkVersion, PythonVersion};
use tokio::process::Command;

use crate::error::SandboxError;
use crate::machine;

/// The Flink that the sandbox runs.
pub const FLINK: FlinkVersion = FlinkVersion::new(1, 20);
/// The only Java that Hadoop 3.3 and Flink 1.20 both run on here.
pub const JAVA: u32 = 17;
/// What one cluster needs at its peak: YARN, a JobManager, a TaskManager, a Python worker and a client.
pub const MEMORY: ByteSize = ByteSize::from_mib(2560);
/// Disk space for downloading and unpacking the parts.
pub const DISK_FOR_PARTS: ByteSize = ByteSize::from_mib(4096);
/// Disk space for running with the parts there.
pub const DISK: ByteSize = ByteSize::from_mib(512);

/// What the binary knows of the process environment; the library reads none of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Environment {
    /// The value of `PATH`.
    pub path: OsString,
    /// The value of `JAVA_HOME`, where it is set.
    pub java_home: Option<PathBuf>,
    /// The value of `FLINKPROC_PYTHON`: this interpreter and no other.
    pub python: Option<PathBuf>,
    /// The user's home, where launchers keep their folders.
    pub home: PathBuf,
    /// The login name of the user who runs the sandbox.
    pub user: String,
    /// The user's cache folder, such as `~/.cache/flinkproc`; the parts go below it.
    pub cache: PathBuf,
    /// Where the distribution puts its Javas.
    pub java_folder: PathBuf,
}

impl Environment {
    /// An environment without overrides.
    #[must_use]
    pub fn new(path: impl Into<OsString>, home: &Path, user: &str, cache: &Path) -> Self {
        Self {
            path: path.into(),
            java_home: None,
            python: None,
            home: home.to_owned(),
            user: user.to_owned(),
            cache: cache.to_owned(),
            java_folder: "/usr/lib/jvm".into(),
        }
    }

    fn every(&self, name: &str) -> Vec<PathBuf> {
        std::env::split_paths(&self.path)
            .filter(|folder| folder.is_absolute())
            .map(|folder| folder.join(name))
            .filter(|file| executable(file))
            .collect()
    }

    fn first(&self, name: &str) -> Option<PathBuf> {
        self.every(name).into_iter().next()
    }
}

/// What still has to be downloaded, and therefore which tools are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Jars are missing: Maven is needed.
    pub jars: bool,
    /// PyFlink is missing: a Python is needed that has a wheel for it.
    pub pyflink: bool,
}

impl Needs {
    /// Nothing is cached.
    pub const EVERYTHING: Self = Self {
        jars: true,
        pyflink: true,
    };
}

/// Something that the machine lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What it is and what was found instead.
    pub found: String,
    /// What to install.
    pub install: String,
}

/// An interpreter to make PyFlink's virtual environment with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interpreter {
    /// A Python that ran.
    Python(PathBuf, PythonVersion),
    /// No fitting Python ran, but `uv` can fetch one.
    Uv(PathBuf),
}

/// What was found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Prerequisites {
    /// The home of a Java 17.
    pub java_home: PathBuf,
    /// The home of the user who runs the sandbox: none of it is a worker's.
    pub home: PathBuf,
    /// Maven, where it was needed.
    pub maven: Option<PathBuf>,
    /// A Python, where it was needed.
    pub interpreter: Option<Interpreter>,
    /// OpenSSH's server, by its absolute path, as it demands.
    pub sshd: PathBuf,
    /// OpenSSH's key generator.
    pub ssh_keygen: PathBuf,
    /// What starts a program in namespaces of its own, where util-linux has it.
    pub unshare: Option<PathBuf>,
    /// Memory that is free for clusters.
    pub memory: ByteSize,
}

impl Prerequisites {
    /// Looks for everything at once; nothing is downloaded or written.
    ///
    /// # Errors
    /// [`SandboxError::Prerequisites`] with everything that is missing, or [`SandboxError::NotLinux`].
    pub async fn find(environment: &Environment, needs: Needs) -> Result<Self, SandboxError> {
        if !cfg!(target_os = "linux") {
            return Err(SandboxError::NotLinux {
                system: std::env::consts::OS,
            });
        }
        let (java, interpreter) = tokio::join!(find_java(environment), async {
            if needs.pyflink {
                find_python(environment).await.map(Some)
            } else {
                Ok(None)
            }
        });
        let mut missing = Vec::new();
        let mut note = |found: String, install: &str| {
            missing.push(Missing {
                found,
                install: install.to_owned(),
            });
        };
        let java_home = java
            .map_err(|found| {
                note(
                    found,
                    "install Java 17 (Debian: openjdk-17-jdk-headless), or point JAVA_HOME at one",
                );
            })
            .ok();
        let maven = environment.first("mvn");
        if needs.jars && maven.is_none() {
            note("Maven".to_owned(), "install Maven (Debian: maven)");
        }
        let interpreter = interpreter
            .map_err(|found| {
                note(
                    found,
                    "install Python 3.11, 3.10 or 3.9 with its venv module, or uv, or point FLINKPROC_PYTHON at one",
                );
            })
            .unwrap_or_default();
        let sshd = find_beside(environment, "sshd");
        let ssh_keygen = find_beside(environment, "ssh-keygen");
        if sshd.is_none() || ssh_keygen.is_none() {
            note(
                "OpenSSH's server".to_owned(),
                "install OpenSSH's server (Debian: openssh-server); it need not run",
            );
        }
        for tool in ["bash", "curl", "tar", "sha256sum", "flock", "setsid"] {
            if find_beside(environment, tool).is_none() {
                note(
                    format!("`{tool}`"),
                    "install bash, curl, tar, coreutils and util-linux: a job's launcher uses them on the master",
                );
            }
        }
        let memory = machine::available_memory().unwrap_or(MEMORY);
        if memory < MEMORY {
            note(
                format!(
                    "memory: {} MiB are free, {} MiB are needed",
                    memory.mib(),
                    MEMORY.mib()
                ),
                "end other programs, or use a larger machine",
            );
        }
        let downloads = needs.jars || needs.pyflink;
        let wanted = if downloads { DISK_FOR_PARTS } else { DISK };
        if let Some(free) = machine::free_disk(&environment.cache)
            && free < wanted
        {
            note(
                format!(
                    "disk space: {} MiB are free in {}, {} MiB are needed",
                    free.mib(),
                    environment.cache.display(),
                    wanted.mib()
                ),
                "make room on that disk",
            );
        }
        match (java_home, sshd, ssh_keygen) {
            (Some(java_home), Some(sshd), Some(ssh_keygen)) if missing.is_empty() => Ok(Self {
                java_home,
                home: environment.home.clone(),
                maven,
                interpreter,
                sshd,
                ssh_keygen,
                unshare: find_beside(environment, "unshare"),
                memory,
            }),
            _ => Err(SandboxError::Prerequisites { missing }),
        }
    }
}

/// Finds a program on `PATH` or where system programs lie that are on no user's path.
fn find_beside(environment: &Environment, name: &str) -> Option<PathBuf> {
    environment.first(name).or_else(|| {
        [
            "/usr/sbin",
            "/usr/bin",
            "/bin",
            "/usr/local/sbin",
            "/usr/lib/ssh",
        ]
        .iter()
        .map(|folder| Path::new(folder).join(name))
        .find(|file| executable(file))
    })
}

fn executable(file: &Path) -> bool {
    file.metadata()
        .is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// Runs a program to its end; answers standard output and standard error, or `None` when it fails.
async fn ask(program: &Path, arguments: &[&str]) -> Option<(String, String)> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .ok()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    output
        .status
        .success()
        .then(|| (text(&output.stdout), text(&output.stderr)))
}

async fn find_java(environment: &Environment) -> Result<PathBuf, String> {
    let mut candidates: Vec<PathBuf> = Vec::new();
    candidates.extend(
        environment
            .java_home
            .iter()
            .map(|home| home.join("bin/java")),
    );
    candidates.extend(environment.every("java"));
    let mut installed: Vec<PathBuf> = std::fs::read_dir(&environment.java_folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin/java"))
        .collect();
    installed.sort();
    candidates.extend(installed);
    let mut wrong = Vec::new();
    let mut seen = Vec::new();
    for candidate in candidates {
        let Ok(real) = candidate.canonicalize() else {
            continue;
        };
        if seen.contains(&real) {
            continue;
        }
        seen.push(real);
        let answer = ask(&candidate, &["-XshowSettings:properties", "-version"]).await;
        let Some((home, version)) = answer.and_then(|(_, settings)| java_of(&settings)) else {
            wrong.push(format!("{} does not run", candidate.display()));
            continue;
        };
        if version == JAVA {
            return Ok(home);
        }
        wrong.push(format!("{} is Java {version}", candidate.display()));
    }
    Err(if wrong.is_empty() {
        format!("Java {JAVA}")
    } else {
        format!("Java {JAVA} ({})", wrong.join(", "))
    })
}

/// Reads the home and the major version out of what `java -XshowSettings:properties` says.
fn java_of(settings: &str) -> Option<(PathBuf, u32)> {
    let value = |key: &str| {
        settings.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            (name.trim() == key).then(|| value.trim().to_owned())
        })
    };
    let version = value("java.specification.version")?;
    let major = version
        .strip_prefix("1.")
        .unwrap_or(&version)
        .parse()
        .ok()?;
    Some((value("java.home")?.into(), major))
}

const PROBE: &str = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])";

async fn find_python(environment: &Environment) -> Result<Interpreter, String> {
    let (low, high) = FLINK.python_wheels();
    let wanted = format!(
        "a Python that PyFlink {FLINK} has a wheel for (3.{} to 3.{})",
        low.minor(),
        high.minor()
    );
    let candidates = match &environment.python {
        Some(python) => vec![python.clone()],
        None => {
            let versioned = (9..=11).rev().map(|minor| format!("python3.{minor}"));
            let names = versioned.chain(["python3".to_owned()]);
            names.flat_map(|name| environment.every(&name)).collect()
        }
    };
    let mut wrong = Vec::new();
    for candidate in candidates {
        match probe_python(&candidate).await {
            Some(version) if (low..=high).contains(&version) => {
                return Ok(Interpreter::Python(candidate, version));
            }
            Some(version) => wrong.push(format!(
                "{} is Python 3.{}",
                candidate.display(),
                version.minor()
            )),
            None => wrong.push(format!(
                "{} does not run, or has no venv module",
                candidate.display()
            )),
        }
    }
    if environment.python.is_none()
        && let Some(uv) = environment.first("uv")
    {
        if ask(&uv, &["--version"]).await.is_some() {
            return Ok(Interpreter::Uv(uv));
        }
        wrong.push(format!("{} does not run", uv.display()));
    }
    Err(if wrong.is_empty() {
        wanted
    } else {
        format!("{wanted}: {}", wrong.join(", "))
    })
}

async fn probe_python(candidate: &Path) -> Option<PythonVersion> {
    let (version, _) = ask(candidate, &["-c", PROBE]).await?;
    let minor = version.trim().strip_prefix("3.")?.parse().ok()?;
    Some(PythonVersion::new(minor))
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.found, self.install)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Environment, Interpreter, Needs, Prerequisites, find_python, java_of};
    use crate::error::SandboxError;

    /// A folder of programs that answer as told.
    struct Machine(tempfile::TempDir);

    impl Machine {
        /// Another process writes the programs: were it this one, a fork of a parallel test could hold one open for writing while
        /// it is to be run.
        #[expect(clippy::disallowed_methods, reason = "a test may block")]
        fn new(programs: &[(&str, &str)]) -> Self {
            const WRITE: &str = r#"printf '#!/bin/sh\n%s\n' "$2" >"$1" && chmod +x "$1""#;
            let machine = Self(tempfile::tempdir().expect("made"));
            for (name, answer) in programs {
                let file = machine.0.path().join(name);
                let mut shell = std::process::Command::new("/bin/sh");
                let shell = shell.args(["-c", WRITE, "write"]).arg(&file).arg(answer);
                assert!(shell.status().expect("runs").success());
            }
            machine
        }

        fn environment(&self) -> Environment {
            let folder = self.0.path();
            let mut environment = Environment::new(folder, folder, "someone", folder);
            environment.java_folder = folder.join("no-javas");
            environment
        }
    }

    const OLD: &str = "echo 3.6";
    const GOOD: &str = "echo 3.11";
    /// As a shim of pyenv answers for a version that is not chosen.
    const SHIM: &str = "echo 'pyenv: command not found' >&2; exit 127";

    #[tokio::test]
    async fn an_interpreter_is_chosen_by_what_it_answers_not_by_its_name() {
        let check = async |programs: &[(&str, &str)], expected: Result<&str, &str>| {
            let machine = Machine::new(programs);
            let name = |path: &Path| {
                path.file_name()
                    .map(|one| one.to_string_lossy().into_owned())
            };
            let found = find_python(&machine.environment()).await;
            match (&found, expected) {
                (Ok(Interpreter::Python(path, _) | Interpreter::Uv(path)), Ok(expected)) => {
                    assert_eq!(name(path).as_deref(), Some(expected));
                }
                (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
                _ => panic!("{programs:?} gave {found:?}"),
            }
        };
        check(&[("python3.11", GOOD), ("python3", OLD)], Ok("python3.11")).await;
        check(&[("python3.11", SHIM), ("python3", GOOD)], Ok("python3")).await;
        check(&[("python3", OLD), ("uv", "echo uv 1")], Ok("uv")).await;
        check(
            &[("python3", OLD), ("uv", SHIM)],
            Err("python3 is Python 3.6"),
        )
        .await;
        check(&[("python3.9", SHIM)], Err("python3.9 does not run")).await;
        check(&[], Err("3.11")).await;
    }

    #[tokio::test]
    async fn the_chosen_interpreter_is_taken_and_no_other() {
        let machine = Machine::new(&[("mine", OLD), ("python3.11", GOOD)]);
        let mut environment = machine.environment();
        environment.python = Some(machine.0.path().join("mine"));
        let error = find_python(&environment).await.expect_err("is too old");
        assert!(error.contains("mine is Python 3.6"), "{error}");
    }

    #[tokio::test]
    async fn everything_that_is_missing_is_named_at_once() {
        let java = "echo 'java.specification.version = 25' >&2; echo 'java.home = /j' >&2";
        let machine = Machine::new(&[("java", java)]);
        let error = Prerequisites::find(&machine.environment(), Needs::EVERYTHING).await;
        let Err(SandboxError::Prerequisites { missing }) = error else {
            panic!("found it all: {error:?}")
        };
        let found: Vec<&str> = missing.iter().map(|one| one.found.as_str()).collect();
        assert!(
            found
                .iter()
                .any(|one| one.starts_with("Java 17") && one.contains("is Java 25"))
        );
        assert!(found.contains(&"Maven"));
        assert!(found.iter().any(|one| one.contains("PyFlink")));
        assert!(missing.iter().all(|one| one.install.contains(' ')));
        assert!(
            std::fs::read_dir(machine.0.path()).expect("there").count() == 1,
            "nothing is written"
        );
    }

    #[test]
    fn versions_of_java() {
        let check = |text: &str, expected: Option<u32>| {
            assert_eq!(
                java_of(text).map(|(_, version)| version),
                expected,
                "{text}"
            );
        };
        check(
            "    java.home = /usr/lib/jvm/j\n    java.specification.version = 17\n",
            Some(17),
        );
        check(
            "java.home = /j\njava.specification.version = 1.8\n",
            Some(8),
        );
        check("java.specification.version = 17\n", None);
        check("", None);
    }
}
