//! Who builds an environment, and how it is found again.

use std::fmt::Debug;
use std::path::Path;

use async_trait::async_trait;

use crate::error::EnvError;
use crate::request::{BuiltArchive, EnvironmentRequest, Lock};

/// Makes environments.
#[async_trait]
pub trait EnvironmentBuilder: Debug + Send + Sync {
    /// The name that a person chooses it by, such as `local`.
    fn name(&self) -> &str;

    /// Whether it can build what is wanted; looks, and downloads nothing.
    ///
    /// # Errors
    /// Why it cannot.
    async fn can(&self, request: &EnvironmentRequest) -> Result<(), EnvError>;

    /// Decides which versions go in. A lock that came with the request is checked and taken as it is.
    ///
    /// # Errors
    /// [`EnvError::Unresolvable`] names the requirement and gives the tool's reason.
    async fn lock(&self, request: &EnvironmentRequest) -> Result<Lock, EnvError>;

    /// Builds the archive `<lock.sha256>.tar.gz` in the folder `into`, and starts it once to see that it works.
    ///
    /// Nothing is there under that name before it is whole; building again replaces it.
    ///
    /// # Errors
    /// When a package cannot be had, or the result does not work.
    async fn build(
        &self,
        request: &EnvironmentRequest,
        lock: &Lock,
        into: &Path,
    ) -> Result<BuiltArchive, EnvError>;
}

/// What [`provide`] found or built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provided {
    /// What is in it.
    pub lock: Lock,
    /// The archive.
    pub archive: BuiltArchive,
    /// Whether it was built now; otherwise it lay in the folder.
    pub built: bool,
}

/// Locks what is wanted and builds it, unless `folder` has an archive of that lock already.
///
/// # Errors
/// Those of the builder, and [`EnvError::Local`].
pub async fn provide(
    builder: &dyn EnvironmentBuilder,
    folder: &Path,
    request: &EnvironmentRequest,
) -> Result<Provided, EnvError> {
    let lock = builder.lock(request).await?;
    let record = folder.join(format!("{}.json", lock.sha256));
    if let Some(archive) = kept(&record).await {
        tracing::debug!(lock = lock.sha256, "the environment was built before");
        let built = false;
        return Ok(Provided {
            lock,
            archive,
            built,
        });
    }
    tokio::fs::create_dir_all(folder)
        .await
        .map_err(|source| EnvError::local(folder, source))?;
    let archive = builder.build(request, &lock, folder).await?;
    // Written last: a record stands for a whole archive.
    let text =
        serde_json::to_vec(&archive).map_err(|source| EnvError::local(&record, source.into()))?;
    tokio::fs::write(&record, text)
        .await
        .map_err(|source| EnvError::local(&record, source))?;
    Ok(Provided {
        lock,
        archive,
        built: true,
    })
}

/// The archive of a record, when it still has its size.
async fn kept(record: &Path) -> Option<BuiltArchive> {
    let text = tokio::fs::read(record).await.ok()?;
    let archive: BuiltArchive = serde_json::from_slice(&text).ok()?;
    let there = tokio::fs::metadata(&archive.path).await.ok()?;
    (there.len() == archive.size).then_some(archive)
}
