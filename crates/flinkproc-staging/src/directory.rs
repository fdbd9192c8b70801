//! Buckets as folders on this machine.
//!
//! An object `jobs/my etl.py` lies at `jobs+/my%20etl.py` below its bucket: folders carry a `+` so that `a` and `a/b`
//! can both be there, and everything a file system might not take is percent-encoded. A name's parts may thus have at
//! most 255 bytes after encoding.

use std::fs;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use flinkproc_core::{BucketName, GcsUri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::digest::size_and_crc32c;
use crate::error::StagingError;
use crate::staging::{Content, ObjectMeta, Put, Staging};

const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// Unfinished content; no object is named so, because a plus sign is encoded in names.
const DRAFT: &str = "+draft";

/// Objects below one folder; a bucket is there when its folder is.
#[derive(Clone, Debug)]
pub struct DirectoryStaging {
    root: PathBuf,
}

impl DirectoryStaging {
    /// Keeps buckets below `root`, which is made when it is needed.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Makes a bucket's folder. Idempotent.
    ///
    /// # Errors
    /// [`StagingError::Local`] when it cannot be made.
    pub fn create_bucket(&self, bucket: &BucketName) -> Result<(), StagingError> {
        let folder = self.folder(bucket);
        fs::create_dir_all(&folder).map_err(|source| StagingError::local(folder, source))
    }

    fn folder(&self, bucket: &BucketName) -> PathBuf {
        self.root.join(bucket.as_str())
    }

    fn existing(&self, bucket: &BucketName) -> Result<PathBuf, StagingError> {
        let folder = self.folder(bucket);
        if folder.is_dir() {
            Ok(folder)
        } else {
            Err(StagingError::not_found(&format!("gs://{bucket}")))
        }
    }

    fn file(&self, object: &GcsUri) -> Result<PathBuf, StagingError> {
        let mut path = self.existing(object.bucket())?;
        let mut parts = object.object().split('/').peekable();
        while let Some(part) = parts.next() {
            let mut name = encode(part);
            if parts.peek().is_some() {
                name.push('+');
            }
            path.push(name);
        }
        Ok(path)
    }
}

fn encode(part: &str) -> String {
    match part {
        "" => "%".to_owned(),
        "." | ".." => part.replace('.', "%2E"),
        part => utf8_percent_encode(part, PLAIN).to_string(),
    }
}

fn decode(name: &str) -> Option<String> {
    if name == "%" {
        return Some(String::new());
    }
    let text = percent_decode_str(name).decode_utf8().ok()?;
    Some(text.into_owned())
}

/// Every object's name below a folder, with its file.
fn walk(folder: &Path, name: &str, found: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(own) = path.file_name().and_then(|it| it.to_str()) else {
            continue;
        };
        if own.starts_with(DRAFT) {
            continue;
        }
        match own.strip_suffix('+') {
            Some(part) => {
                if let Some(part) = decode(part) {
                    walk(&path, &format!("{name}{part}/"), found)?;
                }
            }
            None => {
                if let Some(part) = decode(own) {
                    found.push((format!("{name}{part}"), path));
                }
            }
        }
    }
    Ok(())
}

/// Writes a file whole or not at all; false when one is there.
fn write_new(bucket: &Path, to: &Path, content: &Content) -> io::Result<bool> {
    let mut draft = tempfile::Builder::new().prefix(DRAFT).tempfile_in(bucket)?;
    match content {
        Content::File(from) | Content::Known { path: from, .. } => {
            io::copy(&mut fs::File::open(from)?, &mut draft)?;
        }
        Content::Bytes(bytes) => io::Write::write_all(&mut draft, bytes)?,
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    match draft.persist_noclobber(to) {
        Ok(_) => Ok(true),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error.error),
    }
}

async fn blocking<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StagingError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)
        .flatten()
        .map_err(|source| StagingError::local(path, source))
}

fn absent(error: &StagingError) -> bool {
    matches!(error, StagingError::Local { source, .. } if source.kind() == io::ErrorKind::NotFound)
}

#[async_trait]
impl Staging for DirectoryStaging {
    async fn check_bucket(&self, bucket: &BucketName) -> Result<(), StagingError> {
        self.existing(bucket).map(|_| ())
    }

    async fn put_if_absent(&self, to: &GcsUri, content: &Content) -> Result<Put, StagingError> {
        let bucket = self.existing(to.bucket())?;
        let path = self.file(to)?;
        let wanted = match content {
            Content::File(from) => size_and_crc32c(from).await?,
            Content::Known { path, size, crc32c } => {
                match self.stat(to).await? {
                    Some(there) if (there.size, there.crc32c) == (*size, *crc32c) => {
                        return Ok(Put::Present);
                    }
                    _ => {}
                }
                if size_and_crc32c(path).await? != (*size, *crc32c) {
                    return Err(StagingError::changed(path));
                }
                (*size, *crc32c)
            }
            Content::Bytes(bytes) => (bytes.len() as u64, crc32c::crc32c(bytes)),
        };
        let (place, content) = (path.clone(), content.clone());
        let written = blocking(&path, move || write_new(&bucket, &place, &content)).await?;
        let there = size_and_crc32c(&path).await?;
        match (written, there == wanted) {
            (true, true) => Ok(Put::Written),
            (true, false) => Err(StagingError::corrupt(to)),
            (false, true) => Ok(Put::Present),
            (false, false) => Err(StagingError::Conflict {
                what: to.to_string(),
            }),
        }
    }

    async fn stat(&self, object: &GcsUri) -> Result<Option<ObjectMeta>, StagingError> {
        match size_and_crc32c(&self.file(object)?).await {
            Ok((size, crc32c)) => Ok(Some(ObjectMeta {
                uri: object.clone(),
                size,
                crc32c,
            })),
            Err(error) if absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn read_range(
        &self,
        object: &GcsUri,
        offset: u64,
        length: u64,
    ) -> Result<Bytes, StagingError> {
        let path = self.file(object)?;
        let place = path.clone();
        let read = blocking(&path, move || {
            let mut file = fs::File::open(place)?;
            file.seek(SeekFrom::Start(offset))?;
            let mut content = Vec::new();
            file.take(length).read_to_end(&mut content)?;
            Ok(Bytes::from(content))
        });
        match read.await {
            Err(error) if absent(&error) => Err(StagingError::not_found(object)),
            other => other,
        }
    }

    async fn list(&self, prefix: &GcsUri) -> Result<Vec<ObjectMeta>, StagingError> {
        let folder = self.existing(prefix.bucket())?;
        let place = folder.clone();
        let mut found = blocking(&folder, move || {
            let mut found = Vec::new();
            walk(&place, "", &mut found)?;
            Ok(found)
        })
        .await?;
        found.retain(|(name, _)| name.starts_with(prefix.object()));
        found.sort();
        let mut objects = Vec::with_capacity(found.len());
        for (name, path) in found {
            let Ok(uri) = GcsUri::new(prefix.bucket().clone(), name) else {
                continue;
            };
            let (size, crc32c) = size_and_crc32c(&path).await?;
            objects.push(ObjectMeta { uri, size, crc32c });
        }
        Ok(objects)
    }

    async fn delete(&self, object: &GcsUri) -> Result<(), StagingError> {
        let path = self.file(object)?;
        let place = path.clone();
        match blocking(&path, move || fs::remove_file(place)).await {
            Err(error) if absent(&error) => Ok(()),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::DirectoryStaging;
    use crate::contract;

    #[tokio::test]
    async fn a_directory_keeps_the_contract() {
        let folder = tempfile::tempdir().expect("folder");
        let staging = DirectoryStaging::new(folder.path());
        staging
            .create_bucket(&"bucket".parse().expect("bucket"))
            .expect("create");
        contract::check(&staging, &"gs://bucket/contract/".parse().expect("uri")).await;
    }
}
