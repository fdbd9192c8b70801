//! What a local file is, found out in one pass: size, SHA-256 and CRC32C.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use bytes::Bytes;
use flinkproc_core::{GcsUri, InvalidName};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::StagingError;
use crate::staging::Content;

/// How much of a file is in memory while it is read.
const PIECE: usize = 1 << 18;

/// A text that is no [`ContentHash`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no SHA-256: 64 lower-case hexadecimal digits")]
pub struct InvalidHash(String);

/// A SHA-256, written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// Hashes bytes in memory.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ContentHash {
    type Err = InvalidHash;

    fn from_str(text: &str) -> Result<Self, InvalidHash> {
        let invalid = || InvalidHash(text.to_owned());
        let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() != 64 || !text.bytes().all(digit) {
            return Err(invalid());
        }
        let mut hash = [0; 32];
        for (byte, at) in hash.iter_mut().zip((0..64).step_by(2)) {
            let pair = text.get(at..at + 2).ok_or_else(invalid)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| invalid())?;
        }
        Ok(Self(hash))
    }
}

impl TryFrom<String> for ContentHash {
    type Error = InvalidHash;
    fn try_from(text: String) -> Result<Self, InvalidHash> {
        text.parse()
    }
}

impl From<ContentHash> for String {
    fn from(hash: ContentHash) -> Self {
        hash.to_string()
    }
}

/// A local file with everything that names and checks its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalFile {
    /// Where it is.
    pub path: PathBuf,
    /// Size in bytes.
    pub size: u64,
    /// SHA-256 of the content.
    pub sha256: ContentHash,
    /// CRC32C (Castagnoli) of the content.
    pub crc32c: u32,
}

impl LocalFile {
    /// Reads a file once, in 256 KiB of memory.
    ///
    /// # Errors
    /// [`StagingError::Local`] when it cannot be read or is a directory.
    pub async fn read(path: impl Into<PathBuf>) -> Result<Self, StagingError> {
        in_background(path.into(), |path| Self::read_with(path, |_| {})).await
    }

    /// The same where blocking is allowed; `each` sees the content in passing, piece by piece.
    ///
    /// # Errors
    /// When it cannot be read or is a directory.
    pub fn read_with(path: impl Into<PathBuf>, mut each: impl FnMut(&[u8])) -> io::Result<Self> {
        let path = path.into();
        let mut sha256 = Sha256::new();
        let (size, crc32c) = pass(&path, |piece| {
            sha256.update(piece);
            each(piece);
        })?;
        Ok(Self {
            path,
            size,
            sha256: ContentHash(sha256.finalize().into()),
            crc32c,
        })
    }

    /// The file as content to be staged, which is not read again for what is known of it.
    #[must_use]
    pub fn content(&self) -> Content {
        Content::Known {
            path: self.path.clone(),
            size: self.size,
            crc32c: self.crc32c,
        }
    }

    /// Where its content belongs: `base/flinkproc/SHA256/NAME`, so that the same file is the same object for everybody.
    ///
    /// # Errors
    /// When the resulting name is longer than Cloud Storage allows.
    pub fn address(&self, base: &GcsUri) -> Result<GcsUri, InvalidName> {
        let name = self.path.file_name().unwrap_or_default();
        content_address(base, self.sha256, &name.to_string_lossy())
    }
}

/// Where content of that hash belongs: `base/flinkproc/SHA256/NAME`.
///
/// # Errors
/// When the resulting name is longer than Cloud Storage allows.
pub fn content_address(
    base: &GcsUri,
    hash: ContentHash,
    name: &str,
) -> Result<GcsUri, InvalidName> {
    base.join("flinkproc")?.join(&hash.to_string())?.join(name)
}

/// Size and CRC32C of a file, without its SHA-256.
pub(crate) async fn size_and_crc32c(path: &Path) -> Result<(u64, u32), StagingError> {
    in_background(path.to_owned(), |path| pass(path, |_| {})).await
}

/// The content of a file that is to be what it was found to be.
pub(crate) async fn read_known(path: &Path, size: u64, crc32c: u32) -> Result<Bytes, StagingError> {
    let content = in_background(path.to_owned(), |path| std::fs::read(path)).await?;
    if (content.len() as u64, crc32c::crc32c(&content)) == (size, crc32c) {
        Ok(content.into())
    } else {
        Err(StagingError::changed(path))
    }
}

async fn in_background<T: Send + 'static>(
    path: PathBuf,
    work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> Result<T, StagingError> {
    let shown = path.clone();
    tokio::task::spawn_blocking(move || work(&path))
        .await
        .map_err(io::Error::other)
        .flatten()
        .map_err(|source| StagingError::local(shown, source))
}

fn pass(path: &Path, mut each: impl FnMut(&[u8])) -> io::Result<(u64, u32)> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; PIECE];
    let (mut size, mut crc32c) = (0, 0);
    loop {
        let read = file.read(&mut buffer)?;
        let Some(piece) = buffer.get(..read).filter(|piece| !piece.is_empty()) else {
            return Ok((size, crc32c));
        };
        each(piece);
        crc32c = crc32c::crc32c_append(crc32c, piece);
        size += piece.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use flinkproc_core::Explain as _;

    use super::{ContentHash, LocalFile};

    #[tokio::test]
    async fn one_pass_finds_everything_that_names_a_file() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("my etl.py");
        std::fs::write(&path, "hello world").expect("write");
        let file = LocalFile::read(&path).await.expect("file");
        let hash = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9";
        assert_eq!((file.size, file.crc32c), (11, 0xc994_65aa));
        assert_eq!(file.sha256.to_string(), hash);
        let base = "gs://bucket/team/".parse().expect("uri");
        assert_eq!(
            file.address(&base).expect("address").to_string(),
            format!("gs://bucket/team/flinkproc/{hash}/my etl.py")
        );
    }

    #[tokio::test]
    async fn what_is_no_file_is_refused() {
        let folder = tempfile::tempdir().expect("folder");
        for path in [folder.path().to_owned(), folder.path().join("none")] {
            let error = LocalFile::read(path).await.expect_err("no file");
            assert_eq!(error.code().as_str(), "STG006");
        }
    }

    #[test]
    fn a_hash_goes_through_text_unchanged() {
        let hash = ContentHash::of(b"x");
        assert_eq!(hash.to_string().parse::<ContentHash>().expect("hash"), hash);
        for text in ["", "ab", &"G".repeat(64), &"é".repeat(32)] {
            assert!(text.parse::<ContentHash>().is_err(), "{text}");
        }
    }
}
