//! Keeps what another builder built in a folder of this machine, for deployments to come.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;

use crate::builder::{EnvironmentBuilder, provide};
use crate::error::EnvError;
use crate::request::{BuiltArchive, EnvironmentRequest, Lock};

/// A builder that builds each lock once.
#[derive(Clone, Debug)]
pub struct KeptBuilder {
    inner: Arc<dyn EnvironmentBuilder>,
    folder: PathBuf,
}

impl KeptBuilder {
    /// Keeps what `inner` builds in `folder`, such as `flinkproc/env` in the user's cache. Nothing is ever removed from there.
    #[must_use]
    pub fn new(inner: Arc<dyn EnvironmentBuilder>, folder: impl Into<PathBuf>) -> Self {
        Self {
            inner,
            folder: folder.into(),
        }
    }
}

#[async_trait]
impl EnvironmentBuilder for KeptBuilder {
    fn name(&self) -> &str {
        self.inner.name()
    }

    async fn can(&self, request: &EnvironmentRequest) -> Result<(), EnvError> {
        self.inner.can(request).await
    }

    async fn lock(&self, request: &EnvironmentRequest) -> Result<Lock, EnvError> {
        self.inner.lock(request).await
    }

    async fn build(
        &self,
        request: &EnvironmentRequest,
        lock: &Lock,
        into: &Path,
    ) -> Result<BuiltArchive, EnvError> {
        // With its lock given, the inner builder takes it as it is, and what is built is this very one.
        let locked = EnvironmentRequest {
            lock: Some(lock.text.clone()),
            ..request.clone()
        };
        let kept = provide(&*self.inner, &self.folder, &locked).await?.archive;
        let path = into.join(format!("{}.tar.gz", lock.sha256));
        if path == kept.path {
            return Ok(kept);
        }
        match tokio::fs::remove_file(&path).await {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(EnvError::local(path, source));
            }
            _ => {}
        }
        // A link costs nothing; another file system needs a copy.
        if tokio::fs::hard_link(&kept.path, &path).await.is_err() {
            let copied = tokio::fs::copy(&kept.path, &path).await;
            copied.map_err(|source| EnvError::local(&path, source))?;
        }
        Ok(BuiltArchive { path, ..kept })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::KeptBuilder;
    use crate::builder::EnvironmentBuilder as _;
    use crate::contract;
    use crate::memory::MemoryBuilder;

    #[tokio::test]
    async fn each_lock_is_built_once_whoever_asks() {
        let folder = tempfile::tempdir().expect("folder");
        let memory =
            Arc::new(MemoryBuilder::default().without_package("flinkproc-no-such-package"));
        let kept = KeptBuilder::new(Arc::clone(&memory) as _, folder.path().join("kept"));
        let wish = contract::Wish::example();
        for name in ["one", "two"] {
            let into = folder.path().join(name);
            contract::check(&kept, &wish, &into)
                .await
                .expect("contract");
        }
        assert_eq!(memory.built().len(), 1);
        assert_eq!(kept.name(), "memory");
    }
}
