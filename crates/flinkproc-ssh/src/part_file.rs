//! [`PartFile`]: a local file that is whole or absent, and the errors of local files.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::ShellError;
use crate::identity::random;

/// A name beside `path` that nobody else uses.
pub(crate) fn part_of(path: &Path) -> Result<PathBuf, ShellError> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.part", token()?));
    Ok(PathBuf::from(name))
}

/// A random word for names that nobody else uses.
pub(crate) fn token() -> Result<String, ShellError> {
    Ok(random::<8>()?
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

/// A file of this machine that failed to be read.
pub(crate) fn cannot_read(path: &Path) -> impl Fn(io::Error) -> ShellError {
    local("read", path)
}

/// A file of this machine that failed to be written.
pub(crate) fn cannot_write(path: &Path) -> impl Fn(io::Error) -> ShellError {
    local("write", path)
}

fn local(action: &'static str, path: &Path) -> impl Fn(io::Error) -> ShellError {
    let path = path.to_owned();
    move |source| ShellError::LocalFile {
        action,
        path: path.clone(),
        source,
    }
}

/// A local file that comes to its name only when it is whole; removed when it is dropped before.
#[derive(Debug)]
pub(crate) struct PartFile {
    part: PathBuf,
    target: PathBuf,
    finished: bool,
}

impl PartFile {
    /// Names the file to come.
    pub(crate) fn beside(target: &Path) -> Result<Self, ShellError> {
        Ok(Self {
            part: part_of(target)?,
            target: target.to_owned(),
            finished: false,
        })
    }

    /// Where to write.
    pub(crate) fn path(&self) -> &Path {
        &self.part
    }

    /// Gives the file its name.
    pub(crate) async fn finish(mut self) -> io::Result<()> {
        tokio::fs::rename(&self.part, &self.target).await?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        if !self.finished
            && let Err(error) = std::fs::remove_file(&self.part)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.part.display(), %error, "a partial file could not be removed");
        }
    }
}
