//! The client program's output: kept in files as it comes, and passed on as events.

use std::io;
use std::path::{Path, PathBuf};

use flinkproc_core::Attempt;
use flinkproc_submit::Offsets;
use tokio::fs;
use tokio::io::AsyncWriteExt;

use crate::error::RunError;
use crate::events::{EventKind, Stream};
use crate::run::Run;

/// The two files that an attempt's output is kept in. How long they are is how far it was read: nothing is lost and nothing comes
/// twice, also across processes.
#[derive(Debug)]
pub(crate) struct SavedOutput {
    out: SavedStream,
    err: SavedStream,
}

#[derive(Debug)]
struct SavedStream {
    stream: Stream,
    path: PathBuf,
    length: u64,
    /// The beginning of a character whose rest has not come yet.
    partial: Vec<u8>,
}

impl Run {
    /// The directory of the saved logs.
    pub(crate) fn logs(&self) -> PathBuf {
        self.options.directory.join("logs")
    }

    /// Where an attempt's output is kept.
    pub(crate) fn output_file(&self, attempt: Attempt, stream: Stream) -> PathBuf {
        let end = match stream {
            Stream::Out => "out",
            Stream::Err => "err",
        };
        self.logs().join(format!("launcher-{attempt}.{end}"))
    }

    pub(crate) async fn open_output(&self, attempt: Attempt) -> Result<SavedOutput, RunError> {
        make_directory(&self.logs()).await?;
        let open = async |stream| {
            let path = self.output_file(attempt, stream);
            let length = match fs::metadata(&path).await {
                Ok(meta) => meta.len(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
                Err(error) => return Err(local(&path, "read")(error)),
            };
            Ok(SavedStream {
                stream,
                path,
                length,
                partial: Vec::new(),
            })
        };
        Ok(SavedOutput {
            out: open(Stream::Out).await?,
            err: open(Stream::Err).await?,
        })
    }

    /// Keeps new output and passes it on.
    pub(crate) async fn take_output(
        &self,
        saved: &mut SavedOutput,
        out: &[u8],
        err: &[u8],
    ) -> Result<(), RunError> {
        for (stream, bytes) in [(&mut saved.out, out), (&mut saved.err, err)] {
            if bytes.is_empty() {
                continue;
            }
            append(&stream.path, bytes).await?;
            stream.length += bytes.len() as u64;
            let text = stream.text(bytes);
            if !text.is_empty() {
                let stream = stream.stream;
                self.emit(EventKind::Output { stream, text });
            }
        }
        Ok(())
    }
}

impl SavedOutput {
    /// How far the output was read.
    pub(crate) const fn offsets(&self) -> Offsets {
        Offsets {
            out: self.out.length,
            err: self.err.length,
        }
    }
}

impl SavedStream {
    /// Whole characters; what is no UTF-8 is replaced, and a character cut by the piece's end waits for its rest.
    fn text(&mut self, bytes: &[u8]) -> String {
        self.partial.extend_from_slice(bytes);
        let cut = match std::str::from_utf8(&self.partial) {
            Ok(_) => self.partial.len(),
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            // Something is wrong in the middle; only a cut character at the very end waits.
            Err(_) => {
                let tail = self.partial.iter().rev().take(3).position(|b| *b >= 0xC0);
                tail.map_or(self.partial.len(), |back| {
                    let at = self.partial.len() - back - 1;
                    let cut = self.partial.get(at..).is_some_and(|rest| {
                        std::str::from_utf8(rest).is_err_and(|error| error.error_len().is_none())
                    });
                    if cut { at } else { self.partial.len() }
                })
            }
        };
        let rest = self.partial.split_off(cut);
        let whole = std::mem::replace(&mut self.partial, rest);
        String::from_utf8_lossy(&whole).into_owned()
    }
}

pub(crate) fn local(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> RunError {
    let path = path.display().to_string();
    move |source| RunError::Local {
        path,
        action,
        source,
    }
}

/// Makes a directory that only its owner can read: logs may hold the job's data.
pub(crate) async fn make_directory(path: &Path) -> Result<(), RunError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(path).await.map_err(local(path, "made"))
}

pub(crate) async fn append(path: &Path, bytes: &[u8]) -> Result<(), RunError> {
    let mut options = fs::OpenOptions::new();
    options.create(true).append(true).mode(0o600);
    let written = async {
        let mut file = options.open(path).await?;
        file.write_all(bytes).await?;
        file.flush().await
    };
    written.await.map_err(local(path, "written"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_that_is_cut_waits_for_its_rest() {
        let check = |pieces: &[&[u8]], expected: &[&str]| {
            let mut stream = SavedStream {
                stream: Stream::Out,
                path: PathBuf::new(),
                length: 0,
                partial: Vec::new(),
            };
            let texts: Vec<String> = pieces.iter().map(|piece| stream.text(piece)).collect();
            assert_eq!(texts, expected);
        };
        check(&[b"a\xc3", b"\xa9b"], &["a", "éb"]);
        check(&[b"a\xffb"], &["a\u{fffd}b"]);
        check(&[b"\xff\xe2\x82", b"\xac"], &["\u{fffd}", "€"]);
    }
}
