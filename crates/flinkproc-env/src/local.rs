//! Builds with an interpreter that is on this machine.

use std::path::{Path, PathBuf};

use async_trait::async_trait;

use crate::assemble;
use crate::builder::EnvironmentBuilder;
use crate::error::EnvError;
use crate::interpreter::{self, Interpreter};
use crate::lock;
use crate::packages::Installer;
use crate::program::find_programs;
use crate::request::{BuiltArchive, EnvironmentRequest, Lock};

/// Copies an interpreter of the right version, wherever the folders of the search path lead to one.
///
/// Packages come by its own pip (22.2 and later), or by `uv` where that is on the path too.
#[derive(Clone, Debug)]
pub struct LocalBuilder {
    search: Vec<PathBuf>,
}

impl LocalBuilder {
    /// Looks into these folders, in this order: usually those of `PATH`.
    #[must_use]
    pub fn new(search: impl IntoIterator<Item = PathBuf>) -> Self {
        Self {
            search: search.into_iter().collect(),
        }
    }

    async fn prepare(
        &self,
        request: &EnvironmentRequest,
    ) -> Result<(Interpreter, Installer), EnvError> {
        let platform = request.platform()?;
        lock::check_wheels(request)?;
        let machine = std::env::consts::ARCH;
        if platform.machine != machine {
            return Err(EnvError::Platform {
                platform: request.platform.clone(),
                why: format!("the interpreters of this machine are for {machine}"),
            });
        }
        let interpreter = interpreter::find(&self.search, request.python, machine).await?;
        if interpreter.pip_locks() {
            let pip = Installer::Pip(interpreter.executable.clone());
            return Ok((interpreter, pip));
        }
        let uv = find_programs(&self.search, "uv").into_iter().next();
        let uv = uv.ok_or_else(|| EnvError::NoInterpreter {
            python: request.python,
            looked: format!(
                "{} has {}, which cannot lock: it takes pip 22.2, or uv beside it",
                interpreter.executable.display(),
                interpreter
                    .pip
                    .as_ref()
                    .map_or("no pip".to_owned(), |it| format!("pip {it}")),
            ),
        })?;
        Ok((interpreter, Installer::Uv(uv)))
    }
}

#[async_trait]
impl EnvironmentBuilder for LocalBuilder {
    fn name(&self) -> &str {
        "local"
    }

    async fn can(&self, request: &EnvironmentRequest) -> Result<(), EnvError> {
        let (interpreter, _) = self.prepare(request).await?;
        assemble::check_interpreter(&interpreter, request).await
    }

    async fn lock(&self, request: &EnvironmentRequest) -> Result<Lock, EnvError> {
        if let Some(given) = lock::given(request) {
            return given;
        }
        lock::wanted(request)?;
        let (_, installer) = self.prepare(request).await?;
        resolve(&installer, request).await
    }

    async fn build(
        &self,
        request: &EnvironmentRequest,
        lock: &Lock,
        into: &Path,
    ) -> Result<BuiltArchive, EnvError> {
        let (interpreter, installer) = self.prepare(request).await?;
        assemble::build(&interpreter, &installer, request, lock, into).await
    }
}

/// Locks in a folder that is gone afterwards.
pub(crate) async fn resolve(
    installer: &Installer,
    request: &EnvironmentRequest,
) -> Result<Lock, EnvError> {
    let scratch = tempfile::tempdir();
    let scratch = scratch.map_err(|source| EnvError::local(std::env::temp_dir(), source))?;
    installer
        .lock(request, &request.platform()?, scratch.path())
        .await
}
