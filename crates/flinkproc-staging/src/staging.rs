//! The trait [`Staging`] and its values.

use std::fmt::Debug;
use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;
use flinkproc_core::{BucketName, GcsUri};

use crate::error::StagingError;

/// Objects in Cloud Storage, or what stands in for it.
#[async_trait]
pub trait Staging: Debug + Send + Sync + 'static {
    /// Whether the bucket can be used: fails with [`StagingError::NotFound`] or [`StagingError::Denied`] otherwise. Idempotent.
    async fn check_bucket(&self, bucket: &BucketName) -> Result<(), StagingError>;

    /// Writes an object unless one of that name is there.
    ///
    /// The content's CRC32C is checked on both sides. Idempotent: repeated, it answers [`Put::Present`]; an object of that name
    /// with other content is [`StagingError::Conflict`]. Cancelled or with its answer lost, the object is there whole or not at
    /// all; call again. Memory stays bounded for content of any size.
    async fn put_if_absent(&self, to: &GcsUri, content: &Content) -> Result<Put, StagingError>;

    /// Size and checksum of an object; `None` when there is none. Idempotent.
    async fn stat(&self, object: &GcsUri) -> Result<Option<ObjectMeta>, StagingError>;

    /// Reads up to `length` bytes from `offset`; fewer at the object's end, none behind it. Idempotent.
    async fn read_range(
        &self,
        object: &GcsUri,
        offset: u64,
        length: u64,
    ) -> Result<Bytes, StagingError>;

    /// Lists the objects whose names start with `prefix`, in the order of their names. Idempotent.
    async fn list(&self, prefix: &GcsUri) -> Result<Vec<ObjectMeta>, StagingError>;

    /// Deletes an object; the absent one too. Idempotent.
    async fn delete(&self, object: &GcsUri) -> Result<(), StagingError>;
}

/// What is to be written.
#[derive(Clone, Debug)]
pub enum Content {
    /// A local file, read once for its checksum and once while it is sent.
    File(PathBuf),
    /// A local file whose size and checksum are known, read while it is sent. If it is another by then, nothing is written
    /// and [`StagingError::Changed`] says so; if an object with this size and checksum is there already, the file may stay
    /// unread.
    Known {
        /// Where it is.
        path: PathBuf,
        /// Size in bytes.
        size: u64,
        /// CRC32C (Castagnoli) of the content.
        crc32c: u32,
    },
    /// Bytes in memory.
    Bytes(Bytes),
}

/// What became of a [`Staging::put_if_absent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// The object was written.
    Written,
    /// The same object was there already.
    Present,
}

/// An object's name, size and checksum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Its address.
    pub uri: GcsUri,
    /// Size in bytes.
    pub size: u64,
    /// CRC32C (Castagnoli) of the content.
    pub crc32c: u32,
}
