//! Bytes on their way to the disk: hashed and written beside the network, in bounded memory.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use md5::{Digest, Md5};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::disk::SMALL;
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
        Self(folder.join(uuid::Uuid::new_v4().simple().to_string()))
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

/// The bytes of an object to be.
#[derive(Debug)]
pub(crate) enum Content {
    Small(Bytes),
    File(Temporary),
}

/// Content that is whole, waiting to become an object.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) content: Content,
    pub(crate) sums: Checksums,
}

impl Received {
    /// Content that is in memory.
    pub(crate) fn small(bytes: Bytes) -> Self {
        Self {
            sums: Checksums {
                size: bytes.len() as u64,
                crc32c: crc32c::crc32c(&bytes),
                md5: Some(Md5::digest(&bytes).into()),
            },
            content: Content::Small(bytes),
        }
    }
}

#[derive(Debug)]
struct Sink {
    file: File,
    place: Temporary,
    crc32c: u32,
    size: u64,
}

impl Sink {
    fn create(place: Temporary) -> io::Result<Self> {
        Ok(Self {
            file: File::create_new(place.path())?,
            place,
            crc32c: 0,
            size: 0,
        })
    }

    fn write(&mut self, batch: &[Bytes]) -> io::Result<()> {
        for bytes in batch {
            self.crc32c = crc32c::crc32c_append(self.crc32c, bytes);
            self.file.write_all(bytes)?;
            self.size += bytes.len() as u64;
        }
        Ok(())
    }
}

/// Content that goes to a file. MD5 costs more than all the rest, so it has a thread of its own.
#[derive(Debug)]
enum State {
    New(Temporary),
    Idle(Box<Sink>, Md5),
    Busy(JoinHandle<io::Result<(Box<Sink>, Md5)>>),
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
    /// Content that will lie below `folder` until it is an object; the file is made when it is known to be long.
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
        let batch: Arc<[Bytes]> = std::mem::take(&mut self.batch).into();
        self.batched = 0;
        let (sink, mut md5) = match state {
            State::New(place) => (Err(place), Md5::new()),
            State::Idle(sink, md5) => (Ok(sink), md5),
            State::Busy(_) | State::Broken => return Err(broken()),
        };
        let hashed = Arc::clone(&batch);
        let hash = spawn_blocking(move || {
            hashed.iter().for_each(|bytes| md5.update(bytes));
            md5
        });
        let write = spawn_blocking(move || {
            let mut sink = match sink {
                Ok(sink) => sink,
                Err(place) => Box::new(Sink::create(place)?),
            };
            sink.write(&batch)?;
            Ok(sink)
        });
        // One handle for both, so that a call may be dropped while it waits.
        self.state = State::Busy(tokio::spawn(async move {
            let sink = write.await.map_err(io::Error::other).flatten()?;
            Ok((sink, hash.await.map_err(io::Error::other)?))
        }));
        Ok(())
    }

    async fn settle(&mut self) -> Result<(), Failure> {
        if let State::Busy(both) = &mut self.state {
            let outcome = both.await.map_err(io::Error::other).flatten();
            self.state = State::Broken;
            let (sink, md5) = outcome?;
            self.state = State::Idle(sink, md5);
        }
        match &self.state {
            State::Broken => Err(broken()),
            State::New(_) | State::Idle(..) | State::Busy(_) => Ok(()),
        }
    }

    /// Ends the content. Nothing is synced to the platter: a crash of the emulator loses nothing,
    /// and what a power failure tears is found by its size at the next start.
    pub(crate) async fn finish(mut self) -> Result<Received, Failure> {
        if matches!(self.state, State::New(_)) && self.received <= SMALL {
            let mut pieces = self.batch.into_iter();
            let mut whole = pieces.next().unwrap_or_default();
            let mut pieces = pieces.peekable();
            if pieces.peek().is_some() {
                let mut joined = BytesMut::from(whole);
                pieces.for_each(|piece| joined.extend_from_slice(&piece));
                whole = joined.freeze();
            }
            return Ok(Received::small(whole));
        }
        if !self.batch.is_empty() {
            self.start_write().await?;
        }
        self.settle().await?;
        match self.state {
            State::Idle(sink, md5) => Ok(Received {
                content: Content::File(sink.place),
                sums: Checksums {
                    size: sink.size,
                    crc32c: sink.crc32c,
                    md5: Some(md5.finalize().into()),
                },
            }),
            State::New(_) | State::Busy(_) | State::Broken => Err(broken()),
        }
    }
}

fn broken() -> Failure {
    io::Error::other("an earlier write failed").into()
}
