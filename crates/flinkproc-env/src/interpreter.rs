//! Finds interpreters by asking them, never by where they lie.

use std::path::{Path, PathBuf};

use flinkproc_core::PythonVersion;
use serde::Deserialize;

use crate::error::EnvError;
use crate::program::{Finished, Program, find_programs};

const PROBE: &str = include_str!("probe.py");

/// An interpreter of this machine, as it describes itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Interpreter {
    /// The program itself: no shim, no virtual environment, no link.
    pub(crate) executable: PathBuf,
    /// `3.10.13`.
    pub(crate) version: String,
    /// `cpython`.
    pub(crate) implementation: String,
    /// The processor.
    pub(crate) machine: String,
    /// The folder it was installed to.
    pub(crate) prefix: PathBuf,
    /// The standard library.
    pub(crate) stdlib: PathBuf,
    /// The extension modules of the standard library.
    pub(crate) dynload: PathBuf,
    /// pip's version, when it has one.
    pub(crate) pip: Option<String>,
}

impl Interpreter {
    /// Asks a program, which may be a shim or belong to a virtual environment.
    pub(crate) async fn ask(program: &Path) -> Result<Self, EnvError> {
        let mut asked = Self::probe(program, None).await?;
        if let Some(version) = pyenv_version(&asked.err).filter(|_| !asked.good) {
            asked = Self::probe(program, Some(version)).await?;
        }
        let answer = match asked {
            Finished {
                good: true, out, ..
            } => out,
            failed => return Err(failed.failed()),
        };
        serde_json::from_str(&answer).map_err(|source| EnvError::Tool {
            program: program.display().to_string(),
            doing: "being asked which Python it is",
            output: format!("{source}: {answer}"),
        })
    }

    async fn probe(program: &Path, pyenv: Option<String>) -> Result<Finished, EnvError> {
        let probe =
            Program::new(program, "being asked which Python it is").args(["-I", "-c", PROBE]);
        match pyenv {
            None => probe.finish().await,
            Some(version) => probe.env("PYENV_VERSION", version).finish().await,
        }
    }

    pub(crate) fn python(&self) -> Option<PythonVersion> {
        self.version.parse().ok()
    }

    /// Whether its pip can lock: dry runs with a report came with 22.2.
    pub(crate) fn pip_locks(&self) -> bool {
        let Some(pip) = &self.pip else { return false };
        let mut numbers = pip.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        version >= (22, 2)
    }
}

/// The version that pyenv's shim names when it has the program, but not in the version chosen now.
fn pyenv_version(said: &str) -> Option<String> {
    let (_, versions) = said.split_once("exists in these Python versions:")?;
    let versions = versions.lines().skip(1).map(str::trim);
    versions
        .take_while(|line| !line.is_empty())
        .last()
        .map(str::to_owned)
}

/// The first interpreter of a version in these folders; one with a pip that can lock is preferred.
///
/// # Errors
/// [`EnvError::NoInterpreter`] with the versions that are there.
pub(crate) async fn find(
    folders: &[PathBuf],
    python: PythonVersion,
    machine: &str,
) -> Result<Interpreter, EnvError> {
    let mut seen = Vec::new();
    let mut found: Option<Interpreter> = None;
    for name in [
        format!("python{python}"),
        "python3".to_owned(),
        "python".to_owned(),
    ] {
        for program in find_programs(folders, &name) {
            let interpreter = match Interpreter::ask(&program).await {
                Ok(interpreter) => interpreter,
                Err(error) => {
                    tracing::debug!(program = %program.display(), %error, "is no Python");
                    continue;
                }
            };
            let fits = interpreter.python() == Some(python)
                && interpreter.implementation == "cpython"
                && interpreter.machine == machine;
            if !fits {
                seen.push(format!(
                    "{} {} for {}",
                    interpreter.implementation, interpreter.version, interpreter.machine
                ));
            } else if interpreter.pip_locks() {
                return Ok(interpreter);
            } else {
                found = found.or(Some(interpreter));
            }
        }
    }
    seen.sort();
    seen.dedup();
    found.ok_or_else(|| EnvError::NoInterpreter {
        python,
        looked: if seen.is_empty() {
            "no other Python either".to_owned()
        } else {
            format!("there is {}", seen.join(", "))
        },
    })
}

#[cfg(test)]
mod tests {
    use super::{Interpreter, find, pyenv_version};

    #[test]
    fn a_shim_names_the_version_that_has_the_program() {
        let said = "pyenv: python3.8: command not found\n\nThe `python3.8' command exists in these Python versions:\n  3.8.1\n  3.8.18\n\nNote: See";
        assert_eq!(pyenv_version(said).as_deref(), Some("3.8.18"));
        assert_eq!(pyenv_version("No module named x"), None);
    }

    #[test]
    fn only_a_pip_with_reports_locks() {
        let with = |pip: Option<&str>| {
            let answer = serde_json::json!({
                "executable": "/p", "version": "3.10.1", "implementation": "cpython", "machine": "x86_64",
                "prefix": "/", "stdlib": "/l", "dynload": "/d", "pip": pip,
            });
            serde_json::from_value::<Interpreter>(answer)
                .expect("answer")
                .pip_locks()
        };
        for (pip, locks) in [
            (None, false),
            (Some("21.3.1"), false),
            (Some("22.1"), false),
            (Some("22.2"), true),
            (Some("26.0.dev0"), true),
        ] {
            assert_eq!(with(pip), locks, "{pip:?}");
        }
    }

    #[tokio::test]
    async fn the_program_behind_a_wrapper_is_found_by_asking_it() {
        let folder = tempfile::tempdir().expect("folder");
        let shim = folder.path().join("python3");
        std::fs::write(&shim, "#!/bin/sh\nexec /usr/bin/env python3 \"$@\"\n").expect("shim");
        std::os::unix::fs::symlink("/bin/false", folder.path().join("python")).expect("link");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&shim, mode).expect("mode");
        let folders = [folder.path().to_owned()];
        let machine = std::env::consts::ARCH;
        let here = Interpreter::ask(&shim).await.expect("python3 is on PATH");
        let found = find(&folders, here.python().expect("version"), machine).await;
        assert_eq!(found.expect("the same"), here);
        assert!(!here.executable.starts_with(folder.path()), "{here:?}");
        let error = find(&folders, "3.99".parse().expect("version"), machine).await;
        let error = error.expect_err("no such version").to_string();
        assert!(
            error.contains(&format!("there is cpython {}", here.version)),
            "{error}"
        );
    }
}
