//! Builds with `uv`, which brings the interpreter too.

use std::path::{Path, PathBuf};

use async_trait::async_trait;

use crate::assemble;
use crate::builder::EnvironmentBuilder;
use crate::error::EnvError;
use crate::interpreter::Interpreter;
use crate::local::resolve;
use crate::lock;
use crate::packages::Installer;
use crate::program::{Program, find_programs};
use crate::request::{BuiltArchive, EnvironmentRequest, Lock};

/// Lets `uv` fetch a standalone interpreter, whose programs start on old systems, and the packages.
///
/// Where interpreters come from is uv's own setting (`UV_PYTHON_INSTALL_MIRROR`, `python-downloads-json-url`).
#[derive(Clone, Debug)]
pub struct UvBuilder {
    search: Vec<PathBuf>,
    interpreters: PathBuf,
}

impl UvBuilder {
    /// Looks for `uv` in these folders, and keeps what it fetches in the folder `interpreters`.
    #[must_use]
    pub fn new(
        search: impl IntoIterator<Item = PathBuf>,
        interpreters: impl Into<PathBuf>,
    ) -> Self {
        Self {
            search: search.into_iter().collect(),
            interpreters: interpreters.into(),
        }
    }

    fn uv(&self) -> Result<PathBuf, EnvError> {
        let found = find_programs(&self.search, "uv").into_iter().next();
        found.ok_or_else(|| EnvError::Tool {
            program: "uv".to_owned(),
            doing: "being looked for",
            output: "it is not on the search path".to_owned(),
        })
    }

    fn command(&self, uv: &Path, doing: &'static str) -> Program {
        Program::new(uv, doing)
            .args(["--no-progress", "--color", "never", "--managed-python"])
            .env("UV_PYTHON_INSTALL_DIR", self.interpreters.clone())
    }

    /// The interpreter, fetched where it is not there yet.
    async fn interpreter(&self, request: &EnvironmentRequest) -> Result<Interpreter, EnvError> {
        let uv = self.uv()?;
        let version = request.python.to_string();
        self.command(&uv, "fetching an interpreter")
            .args(["python", "install", "--no-bin", &version])
            .run()
            .await?;
        let found = self
            .command(&uv, "finding the interpreter it fetched")
            .args([
                "python",
                "find",
                "--no-project",
                "--no-python-downloads",
                &version,
            ])
            .run()
            .await?;
        Interpreter::ask(Path::new(found.trim())).await
    }
}

#[async_trait]
impl EnvironmentBuilder for UvBuilder {
    fn name(&self) -> &str {
        "uv"
    }

    async fn can(&self, request: &EnvironmentRequest) -> Result<(), EnvError> {
        let platform = request.platform()?;
        lock::check_wheels(request)?;
        let machine = std::env::consts::ARCH;
        if platform.machine != machine {
            return Err(EnvError::Platform {
                platform: request.platform.clone(),
                why: format!(
                    "the trial of what was built needs a {} machine",
                    platform.machine
                ),
            });
        }
        let uv = self.uv()?;
        let listed = self
            .command(&uv, "listing the interpreters it can fetch")
            .args(["python", "list", &request.python.to_string()])
            .run()
            .await?;
        let machine = format!("linux-{machine}-gnu");
        if listed
            .lines()
            .any(|line| line.starts_with("cpython-") && line.contains(&machine))
        {
            return Ok(());
        }
        Err(EnvError::NoInterpreter {
            python: request.python,
            looked: format!("uv at {} knows none to fetch", uv.display()),
        })
    }

    async fn lock(&self, request: &EnvironmentRequest) -> Result<Lock, EnvError> {
        if let Some(given) = lock::given(request) {
            return given;
        }
        lock::wanted(request)?;
        self.can(request).await?;
        resolve(&Installer::Uv(self.uv()?), request).await
    }

    async fn build(
        &self,
        request: &EnvironmentRequest,
        lock: &Lock,
        into: &Path,
    ) -> Result<BuiltArchive, EnvError> {
        self.can(request).await?;
        let interpreter = self.interpreter(request).await?;
        let uv = Installer::Uv(self.uv()?);
        assemble::build(&interpreter, &uv, request, lock, into).await
    }
}
