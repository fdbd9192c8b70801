//! What is built from the single calls: many uploads at once, whole downloads.

use std::path::Path;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use flinkproc_core::GcsUri;
use futures::{StreamExt as _, TryStreamExt as _};
use tokio::io::AsyncWriteExt as _;

use crate::digest::LocalFile;
use crate::error::StagingError;
use crate::staging::{Content, ObjectMeta, Put, Staging};

/// How many uploads run side by side: enough to hide the service's latency, few enough to stay within 64 MiB.
pub const SIDE_BY_SIDE: usize = 16;

/// How much one read of a download asks for.
const PIECE: u64 = 4 << 20;

/// Convenience on every [`Staging`].
#[async_trait]
pub trait StagingExt: Staging {
    /// Writes many objects, up to [`SIDE_BY_SIDE`] at once; answers in the order of the wishes.
    ///
    /// Idempotent. The first failure ends it; what was written by then stays, and is [`Put::Present`] the next time.
    async fn put_all(&self, wishes: &[(GcsUri, Content)]) -> Result<Vec<Put>, StagingError> {
        // A loop, because a closure would have to name the lifetime that `async_trait` gives the future.
        let mut puts = Vec::with_capacity(wishes.len());
        for (to, content) in wishes {
            puts.push(self.put_if_absent(to, content));
        }
        futures::stream::iter(puts)
            .buffered(SIDE_BY_SIDE)
            .try_collect()
            .await
    }

    /// Puts a file where its content belongs below `base`, and says where that is. Idempotent.
    async fn put_by_content(
        &self,
        base: &GcsUri,
        file: &LocalFile,
    ) -> Result<(GcsUri, Put), StagingError> {
        let to = file.address(base).map_err(|error| StagingError::Refused {
            what: base.to_string(),
            source: Box::new(error),
        })?;
        if let Some(there) = self.stat(&to).await? {
            return if (there.size, there.crc32c) == (file.size, file.crc32c) {
                Ok((to, Put::Present))
            } else {
                Err(StagingError::Conflict {
                    what: to.to_string(),
                })
            };
        }
        let put = self.put_if_absent(&to, &file.content()).await?;
        Ok((to, put))
    }

    /// Reads a whole object into memory and checks its CRC32C; for small ones.
    async fn read_all(&self, object: &GcsUri) -> Result<Bytes, StagingError> {
        let meta = existing(self.stat(object).await?, object)?;
        let mut content = BytesMut::new();
        let mut crc32c = 0;
        while (content.len() as u64) < meta.size {
            let piece = self.read_range(object, content.len() as u64, PIECE).await?;
            if piece.is_empty() {
                break;
            }
            crc32c = crc32c::crc32c_append(crc32c, &piece);
            content.extend_from_slice(&piece);
        }
        check(&meta, content.len() as u64, crc32c)?;
        Ok(content.freeze())
    }

    /// Writes an object to a local file, whole or not at all, and checks its CRC32C; replaces what is there.
    async fn download(&self, object: &GcsUri, to: &Path) -> Result<ObjectMeta, StagingError> {
        let meta = existing(self.stat(object).await?, object)?;
        let local = |source| StagingError::local(to, source);
        let folder = match to.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let draft = tempfile::NamedTempFile::new_in(folder).map_err(local)?;
        let mut file = tokio::fs::File::from_std(draft.reopen().map_err(local)?);
        let (mut offset, mut crc32c) = (0, 0);
        while offset < meta.size {
            let piece = self.read_range(object, offset, PIECE).await?;
            if piece.is_empty() {
                break;
            }
            crc32c = crc32c::crc32c_append(crc32c, &piece);
            offset += piece.len() as u64;
            file.write_all(&piece).await.map_err(local)?;
        }
        file.flush().await.map_err(local)?;
        check(&meta, offset, crc32c)?;
        draft.persist(to).map_err(|error| local(error.error))?;
        Ok(meta)
    }
}

impl<S: Staging + ?Sized> StagingExt for S {}

fn existing(meta: Option<ObjectMeta>, object: &GcsUri) -> Result<ObjectMeta, StagingError> {
    meta.ok_or_else(|| StagingError::not_found(object))
}

fn check(meta: &ObjectMeta, size: u64, crc32c: u32) -> Result<(), StagingError> {
    if (size, crc32c) == (meta.size, meta.crc32c) {
        Ok(())
    } else {
        Err(StagingError::corrupt(&meta.uri))
    }
}

#[cfg(test)]
mod tests {
    use flinkproc_core::{Explain as _, GcsUri};

    use super::{PIECE, StagingExt as _};
    use crate::digest::LocalFile;
    use crate::memory::MemoryStaging;
    use crate::staging::{Content, Put, Staging as _};

    fn staging() -> MemoryStaging {
        MemoryStaging::new().with_bucket("bucket".parse().expect("bucket"))
    }

    #[tokio::test]
    async fn many_files_are_answered_in_order() {
        let staging = staging();
        let wish = |name: String| {
            let to: GcsUri = format!("gs://bucket/{name}").parse().expect("uri");
            (to, Content::Bytes(name.into()))
        };
        let mut wishes: Vec<_> = (0..40).map(|n| wish(n.to_string())).collect();
        // The first takes longer than the others: it is read from a file.
        let file = tempfile::NamedTempFile::new().expect("file");
        wishes[0].1 = Content::File(file.path().to_owned());
        staging.put_all(&wishes[7..8]).await.expect("one");
        let puts = staging.put_all(&wishes).await.expect("all");
        let present: Vec<_> = (0..40).filter(|n| puts[*n] == Put::Present).collect();
        assert_eq!(present, [7]);
    }

    #[tokio::test]
    async fn a_file_goes_up_by_its_content_and_comes_back_whole() {
        let staging = staging();
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("large");
        let size = usize::try_from(PIECE).expect("size") + 3;
        std::fs::write(&path, vec![7; size]).expect("write");
        let file = LocalFile::read(&path).await.expect("file");
        let base = "gs://bucket".parse().expect("uri");
        let (to, put) = staging.put_by_content(&base, &file).await.expect("put");
        assert_eq!(put, Put::Written);
        let (_, again) = staging.put_by_content(&base, &file).await.expect("again");
        assert_eq!(again, Put::Present);
        let back = folder.path().join("back");
        staging.download(&to, &back).await.expect("download");
        assert_eq!(std::fs::read(back).expect("read"), vec![7; size]);
        assert_eq!(staging.read_all(&to).await.expect("read").len(), size);
        staging.overwrite(to, "other");
        let error = staging.put_by_content(&base, &file).await;
        assert_eq!(error.expect_err("conflict").code().as_str(), "STG003");
    }

    #[tokio::test]
    async fn what_is_not_there_leaves_no_file() {
        let folder = tempfile::tempdir().expect("folder");
        let to = folder.path().join("file");
        let object: GcsUri = "gs://bucket/none".parse().expect("uri");
        let staging = staging();
        assert!(staging.stat(&object).await.expect("stat").is_none());
        assert!(staging.download(&object, &to).await.is_err());
        assert!(!to.exists());
    }
}
