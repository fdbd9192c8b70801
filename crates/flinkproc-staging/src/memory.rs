//! Buckets in memory: a double that behaves as Cloud Storage does, for tests and examples.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use flinkproc_core::{BucketName, GcsUri};

use crate::digest::read_known;
use crate::error::StagingError;
use crate::staging::{Content, ObjectMeta, Put, Staging};

/// Objects in memory. Only the buckets that it was given exist.
#[derive(Debug, Default)]
pub struct MemoryStaging(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    buckets: BTreeSet<BucketName>,
    objects: BTreeMap<GcsUri, Bytes>,
}

impl MemoryStaging {
    /// No buckets, no objects.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more bucket.
    #[must_use]
    pub fn with_bucket(self, bucket: BucketName) -> Self {
        self.lock().buckets.insert(bucket);
        self
    }

    /// Writes an object whatever is there, as somebody else would.
    pub fn overwrite(&self, object: GcsUri, content: impl Into<Bytes>) {
        self.lock().objects.insert(object, content.into());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn in_bucket(&self, bucket: &BucketName) -> Result<MutexGuard<'_, State>, StagingError> {
        let state = self.lock();
        if state.buckets.contains(bucket) {
            Ok(state)
        } else {
            Err(StagingError::not_found(&format!("gs://{bucket}")))
        }
    }
}

fn meta(uri: &GcsUri, content: &[u8]) -> ObjectMeta {
    ObjectMeta {
        uri: uri.clone(),
        size: content.len() as u64,
        crc32c: crc32c::crc32c(content),
    }
}

/// The wanted part of some content; nothing behind its end.
pub(crate) fn cut(content: &Bytes, offset: u64, length: u64) -> Bytes {
    let size = content.len() as u64;
    let start = offset.min(size);
    let end = start.saturating_add(length).min(size);
    match (usize::try_from(start), usize::try_from(end)) {
        (Ok(start), Ok(end)) => content.slice(start..end),
        _ => Bytes::new(),
    }
}

#[async_trait]
impl Staging for MemoryStaging {
    async fn check_bucket(&self, bucket: &BucketName) -> Result<(), StagingError> {
        self.in_bucket(bucket).map(|_| ())
    }

    async fn put_if_absent(&self, to: &GcsUri, content: &Content) -> Result<Put, StagingError> {
        let content = match content {
            Content::Bytes(bytes) => bytes.clone(),
            Content::File(path) => tokio::fs::read(path)
                .await
                .map(Bytes::from)
                .map_err(|source| StagingError::local(path, source))?,
            Content::Known { path, size, crc32c } => {
                if let Some(there) = self.stat(to).await?
                    && (there.size, there.crc32c) == (*size, *crc32c)
                {
                    return Ok(Put::Present);
                }
                read_known(path, *size, *crc32c).await?
            }
        };
        let mut state = self.in_bucket(to.bucket())?;
        match state.objects.get(to) {
            None => {
                state.objects.insert(to.clone(), content);
                Ok(Put::Written)
            }
            Some(there) if *there == content => Ok(Put::Present),
            Some(_) => Err(StagingError::Conflict {
                what: to.to_string(),
            }),
        }
    }

    async fn stat(&self, object: &GcsUri) -> Result<Option<ObjectMeta>, StagingError> {
        let state = self.in_bucket(object.bucket())?;
        Ok(state
            .objects
            .get(object)
            .map(|content| meta(object, content)))
    }

    async fn read_range(
        &self,
        object: &GcsUri,
        offset: u64,
        length: u64,
    ) -> Result<Bytes, StagingError> {
        let state = self.in_bucket(object.bucket())?;
        let content = state.objects.get(object);
        content
            .map(|content| cut(content, offset, length))
            .ok_or_else(|| StagingError::not_found(object))
    }

    async fn list(&self, prefix: &GcsUri) -> Result<Vec<ObjectMeta>, StagingError> {
        let state = self.in_bucket(prefix.bucket())?;
        let found = state.objects.range(prefix.clone()..);
        let of_prefix = |uri: &GcsUri| {
            uri.bucket() == prefix.bucket() && uri.object().starts_with(prefix.object())
        };
        Ok(found
            .take_while(|(uri, _)| of_prefix(uri))
            .map(|(uri, content)| meta(uri, content))
            .collect())
    }

    async fn delete(&self, object: &GcsUri) -> Result<(), StagingError> {
        self.in_bucket(object.bucket())?.objects.remove(object);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::MemoryStaging;
    use crate::contract;

    #[tokio::test]
    async fn memory_keeps_the_contract() {
        let bucket = "bucket".parse().expect("bucket");
        let staging = MemoryStaging::new().with_bucket(bucket);
        contract::check(&staging, &"gs://bucket/contract/".parse().expect("uri")).await;
    }
}
