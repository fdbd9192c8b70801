//! Bytes on their way to the disk: hashed and written beside the network, in bounded memory.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use md5::{Digest, Md5};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::failure::Failure;
use crate::object::Checksums;

/// How much is collected before it goes to the disk: twice this is the memory of one upload.
const BATCH: usize = 1 << 20;

/// A file that is removed unless it was moved to its place.
#[derive(Debug)]
pub(crate) struct Temporary(PathBuf);

impl Temporary {
    /// Names a file below `folder`; nothing is created yet.
    pub(crate) fn below(folder: &Path) -> Self {
        Self(folder.join(uuid::Uuid::new_v4().to_string()))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Moved away is the good case; a leftover is swept at the next start.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Content that is whole, waiting to become an object.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) file: Temporary,
    pub(crate) sums: Checksums,
}

#[derive(Debug)]
struct Sink {
    file: File,
    place: Temporary,
    crc32c: u32,
    md5: Md5,
    size: u64,
}

impl Sink {
    fn create(place: Temporary) -> io::Result<Self> {
        Ok(Self {
            file: File::create_new(place.path())?,
            place,
            crc32c: 0,
            md5: Md5::new(),
            size: 0,
        })
    }

    fn write(&mut self, batch: &[Bytes]) -> io::Result<()> {
        for bytes in batch {
            self.crc32c = crc32c::crc32c_append(self.crc32c, bytes);
            self.md5.update(bytes);
            self.file.write_all(bytes)?;
            self.size += bytes.len() as u64;
        }
        Ok(())
    }
}

#[derive(Debug)]
enum State {
    New(Temporary),
    Idle(Box<Sink>),
    Busy(JoinHandle<io::Result<Box<Sink>>>),
    Broken,
}

/// Takes content piece by piece. Dropping a call's future loses nothing: what was pushed stays pushed.
#[derive(Debug)]
pub(crate) struct Incoming {
    state: State,
    batch: Vec<Bytes>,
    batched: usize,
    received: u64,
}

impl Incoming {
    /// Content that will lie below `folder` until it is an object; the file is made with the first bytes.
    pub(crate) fn below(folder: &Path) -> Self {
        Self {
            state: State::New(Temporary::below(folder)),
            batch: Vec::new(),
            batched: 0,
            received: 0,
        }
    }

    /// How many bytes were pushed.
    pub(crate) const fn received(&self) -> u64 {
        self.received
    }

    pub(crate) async fn push(&mut self, bytes: Bytes) -> Result<(), Failure> {
        self.received += bytes.len() as u64;
        self.batched += bytes.len();
        self.batch.push(bytes);
        if self.batched >= BATCH {
            self.start_write().await?;
        }
        Ok(())
    }

    async fn start_write(&mut self) -> Result<(), Failure> {
        self.settle().await?;
        let state = std::mem::replace(&mut self.state, State::Broken);
        let batch = std::mem::take(&mut self.batch);
        self.batched = 0;
        self.state = State::Busy(spawn_blocking(move || {
            let mut sink = match state {
                State::New(place) => Box::new(Sink::create(place)?),
                State::Idle(sink) => sink,
                State::Busy(_) | State::Broken => {
                    return Err(io::Error::other("an earlier write failed"));
                }
            };
            sink.write(&batch)?;
            Ok(sink)
        }));
        Ok(())
    }

    async fn settle(&mut self) -> Result<(), Failure> {
        if let State::Busy(job) = &mut self.state {
            let outcome = job.await.map_err(io::Error::other).flatten();
            self.state = match outcome {
                Ok(sink) => State::Idle(sink),
                Err(error) => {
                    self.state = State::Broken;
                    return Err(error.into());
                }
            };
        }
        match &self.state {
            State::Broken => Err(io::Error::other("an earlier write failed").into()),
            State::New(_) | State::Idle(_) | State::Busy(_) => Ok(()),
        }
    }

    /// Ends the content. Nothing is synced to the platter: a crash of the emulator loses nothing,
    /// and what a power failure tears is found by its size at the next start.
    pub(crate) async fn finish(mut self) -> Result<Received, Failure> {
        if !self.batch.is_empty() || matches!(self.state, State::New(_)) {
            self.start_write().await?;
        }
        self.settle().await?;
        match self.state {
            State::Idle(sink) => Ok(Received {
                file: sink.place,
                sums: Checksums {
                    size: sink.size,
                    crc32c: sink.crc32c,
                    md5: Some(sink.md5.finalize().into()),
                },
            }),
            State::New(_) | State::Busy(_) | State::Broken => {
                Err(io::Error::other("a write failed").into())
            }
        }
    }
}
