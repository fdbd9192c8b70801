//! A builder whose index and interpreters are values.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use flinkproc_core::PythonVersion;
use sha2::{Digest as _, Sha256};

use crate::builder::EnvironmentBuilder;
use crate::error::EnvError;
use crate::lock::{self, Pin, normal_name};
use crate::request::{BuiltArchive, EnvironmentRequest, Lock, hex};

/// Builds small archives that hold their lock and nothing else; knows every package but those it was told are missing.
#[derive(Debug, Default)]
pub struct MemoryBuilder {
    pythons: Option<Vec<PythonVersion>>,
    missing: Vec<String>,
    built: Mutex<Vec<PathBuf>>,
}

impl MemoryBuilder {
    /// Has these interpreters only; without this it has every one.
    #[must_use]
    pub fn with_pythons(mut self, pythons: impl IntoIterator<Item = PythonVersion>) -> Self {
        self.pythons = Some(pythons.into_iter().collect());
        self
    }

    /// Does not find this package.
    #[must_use]
    pub fn without_package(mut self, name: &str) -> Self {
        self.missing.push(normal_name(name));
        self
    }

    /// The archives that were built, oldest first.
    #[must_use]
    pub fn built(&self) -> Vec<PathBuf> {
        let built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        built.clone()
    }
}

#[async_trait]
impl EnvironmentBuilder for MemoryBuilder {
    fn name(&self) -> &str {
        "memory"
    }

    async fn can(&self, request: &EnvironmentRequest) -> Result<(), EnvError> {
        request.platform()?;
        lock::check_wheels(request)?;
        match &self.pythons {
            Some(pythons) if !pythons.contains(&request.python) => Err(EnvError::NoInterpreter {
                python: request.python,
                looked: format!("{pythons:?}"),
            }),
            _ => Ok(()),
        }
    }

    async fn lock(&self, request: &EnvironmentRequest) -> Result<Lock, EnvError> {
        self.can(request).await?;
        if let Some(given) = lock::given(request) {
            return given;
        }
        let pins = lock::wanted(request)?.into_iter().map(|requirement| {
            let end =
                requirement.find(|it: char| !it.is_ascii_alphanumeric() && !"-_.".contains(it));
            let (name, rest) = requirement.split_at(end.unwrap_or(requirement.len()));
            let name = normal_name(name);
            if self.missing.contains(&name) {
                return Err(EnvError::Unresolvable {
                    requirement: requirement.clone(),
                    reason: "the index has no such package".to_owned(),
                });
            }
            let version = rest
                .split_once("==")
                .map_or("1.0", |(_, version)| version.trim());
            Ok(Pin {
                hashes: vec![hex(&Sha256::digest(format!("{name}=={version}")))],
                version: version.to_owned(),
                marker: None,
                name,
            })
        });
        lock::compose(request, pins.collect::<Result<_, _>>()?)
    }

    async fn build(
        &self,
        request: &EnvironmentRequest,
        lock: &Lock,
        into: &Path,
    ) -> Result<BuiltArchive, EnvError> {
        self.can(request).await?;
        let path = into.join(format!("{}.tar.gz", lock.sha256));
        tokio::fs::write(&path, &lock.text)
            .await
            .map_err(|source| EnvError::local(&path, source))?;
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        built.push(path.clone());
        Ok(BuiltArchive {
            path,
            size: lock.text.len() as u64,
            sha256: hex(&Sha256::digest(&lock.text)),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use insta::assert_snapshot;

    use super::MemoryBuilder;
    use crate::auto::AutoBuilder;
    use crate::builder::EnvironmentBuilder;
    use crate::contract;

    #[tokio::test]
    async fn the_double_keeps_the_contract() {
        let folder = tempfile::tempdir().expect("folder");
        let builder = MemoryBuilder::default().without_package("flinkproc-no-such-package");
        let wish = contract::Wish::example();
        contract::check(&builder, &wish, folder.path())
            .await
            .expect("contract");
        let auto = AutoBuilder::new(vec![Arc::new(builder)]);
        let folder = tempfile::tempdir().expect("folder");
        contract::check(&auto, &wish, folder.path())
            .await
            .expect("contract");
    }

    #[tokio::test]
    async fn the_first_that_can_is_asked_and_else_all_say_why_not() {
        let old = MemoryBuilder::default().with_pythons(["3.8".parse().expect("python")]);
        let none = MemoryBuilder::default().with_pythons([]);
        let mut request = contract::Wish::example().request();
        let auto = AutoBuilder::new(vec![Arc::new(none), Arc::new(old)]);
        let error = auto.can(&request).await.expect_err("neither has 3.10");
        assert_snapshot!(error, @"nobody here can build the environment: memory: no Python 3.10 that can be copied is on this machine ([]); memory: no Python 3.10 that can be copied is on this machine ([3.8])");
        request.python = "3.8".parse().expect("python");
        auto.can(&request).await.expect("the second has it");
    }
}
