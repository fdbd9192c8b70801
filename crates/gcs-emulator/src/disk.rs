//! Where buckets and objects lie on the disk.
//!
//! `buckets/BUCKET/bucket.json` says that a bucket is there. A small object is one file, `GENERATION.object`: its record as
//! one line of JSON, then its bytes. A large one is two: `GENERATION.data`, and its record beside it in `GENERATION.json`.
//! An object exists from the moment the file with its record is renamed into place, after its data. So a crash at any point
//! leaves the old object or the new one, whole. Nothing is synced: after a power failure, data whose size is not the
//! recorded one is dropped, not served.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::Serialize;

use crate::incoming::{Content, Temporary};
use crate::object::Object;
use crate::store::BucketRecord;

/// Up to this size an object's bytes lie in one file with its record, and come from the disk at once.
pub(crate) const SMALL: u64 = 64 << 10;

/// The longest record of an object: names and metadata are bounded far below.
const LONGEST_RECORD: u64 = 1 << 20;

/// An object's bytes, ready to be read even if the object goes meanwhile.
#[derive(Debug)]
pub(crate) enum Stored {
    Small(Bytes),
    File(File),
}

/// One folder and everything in it.
#[derive(Debug)]
pub(crate) struct Disk {
    root: PathBuf,
    _lock: File,
}

/// What was found in a bucket's folder.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) record: BucketRecord,
    /// By name, oldest generation first.
    pub(crate) objects: BTreeMap<String, Vec<Object>>,
}

impl Disk {
    /// Takes a folder, which belongs to one emulator at a time, and sweeps unfinished content.
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        fs::create_dir_all(root.join("buckets"))?;
        let lock = File::create(root.join("lock"))?;
        lock.try_lock().map_err(|error| {
            io::Error::new(
                io::ErrorKind::ResourceBusy,
                format!("another emulator uses this folder: {error}"),
            )
        })?;
        let disk = Self {
            root: root.to_owned(),
            _lock: lock,
        };
        let incoming = disk.incoming();
        if incoming.exists() {
            fs::remove_dir_all(&incoming)?;
        }
        fs::create_dir_all(&incoming)?;
        Ok(disk)
    }

    /// Every bucket that is whole.
    pub(crate) fn load(&self) -> io::Result<Vec<Found>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.root.join("buckets"))? {
            found.extend(load_bucket(&entry?.path())?);
        }
        Ok(found)
    }

    /// Where unfinished content lies.
    pub(crate) fn incoming(&self) -> PathBuf {
        self.root.join("incoming")
    }

    fn folder(&self, bucket: &str) -> PathBuf {
        self.root.join("buckets").join(bucket)
    }

    fn file(&self, bucket: &str, generation: i64, extension: &str) -> PathBuf {
        self.folder(bucket)
            .join(format!("{generation}.{extension}"))
    }

    /// Where the record of an object is.
    fn record(&self, bucket: &str, object: &Object) -> PathBuf {
        let extension = if object.packed { "object" } else { "json" };
        self.file(bucket, object.generation, extension)
    }

    /// Writes a bucket's record, making its folder.
    pub(crate) fn write_bucket(&self, record: &BucketRecord) -> io::Result<()> {
        let folder = self.folder(&record.name);
        fs::create_dir_all(&folder)?;
        let draft = self.draft(record, &[])?;
        fs::rename(draft.path(), folder.join("bucket.json"))
    }

    /// Removes a bucket; without its record it is gone, whatever a crash leaves of it.
    pub(crate) fn remove_bucket(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.folder(name).join("bucket.json"))?;
        fs::remove_dir_all(self.folder(name))
    }

    /// Writes everything of an object but its place: that needs its generation, which is given out last.
    pub(crate) fn prepare(&self, object: &Object, content: &Content) -> io::Result<Temporary> {
        match content {
            Content::Small(bytes) => self.draft(object, bytes),
            Content::File(_) => self.draft(object, &[]),
        }
    }

    /// Puts a prepared object into its place.
    pub(crate) fn place(
        &self,
        bucket: &str,
        object: &Object,
        draft: &Temporary,
        content: &Content,
    ) -> io::Result<()> {
        if let Content::File(file) = content {
            fs::rename(file.path(), self.file(bucket, object.generation, "data"))?;
        }
        fs::rename(draft.path(), self.record(bucket, object))
    }

    /// Writes an object's record anew.
    pub(crate) fn rewrite(&self, bucket: &str, object: &Object) -> io::Result<()> {
        let draft = if object.packed {
            match self.read(bucket, object)? {
                Stored::Small(bytes) => self.draft(object, &bytes)?,
                Stored::File(_) => return Err(io::Error::other("a small object in two files")),
            }
        } else {
            self.draft(object, &[])?
        };
        fs::rename(draft.path(), self.record(bucket, object))
    }

    /// The bytes of an object.
    pub(crate) fn read(&self, bucket: &str, object: &Object) -> io::Result<Stored> {
        if !object.packed {
            let path = self.file(bucket, object.generation, "data");
            return File::open(path).map(Stored::File);
        }
        let bytes = Bytes::from(fs::read(self.record(bucket, object))?);
        let start = memchr::memchr(b'\n', &bytes).map_or(bytes.len(), |at| at + 1);
        Ok(Stored::Small(bytes.slice(start..)))
    }

    /// A second file with the same bytes: a hard link, since data files are never written again.
    pub(crate) fn duplicate(&self, bucket: &str, object: &Object) -> io::Result<Content> {
        if let Stored::Small(bytes) = self.read(bucket, object)? {
            return Ok(Content::Small(bytes));
        }
        let copy = Temporary::below(&self.incoming());
        let source = self.file(bucket, object.generation, "data");
        match fs::hard_link(&source, copy.path()) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(error),
            Err(_) => {
                fs::copy(&source, copy.path())?;
            }
        }
        Ok(Content::File(copy))
    }

    /// The record goes first: data without a record is swept, a record without data must never be.
    pub(crate) fn remove(&self, bucket: &str, object: &Object) -> io::Result<()> {
        fs::remove_file(self.record(bucket, object))?;
        if object.packed {
            return Ok(());
        }
        fs::remove_file(self.file(bucket, object.generation, "data"))
    }

    fn draft(&self, record: &impl Serialize, content: &[u8]) -> io::Result<Temporary> {
        let draft = Temporary::below(&self.incoming());
        let mut text = serde_json::to_vec(record)?;
        text.push(b'\n');
        text.extend_from_slice(content);
        File::create_new(draft.path())?.write_all(&text)?;
        Ok(draft)
    }
}

/// Reads one bucket's folder; `None` when it was being deleted or made as the emulator died.
fn load_bucket(folder: &Path) -> io::Result<Option<Found>> {
    let Ok(record) = fs::read(folder.join("bucket.json")) else {
        fs::remove_dir_all(folder)?;
        return Ok(None);
    };
    let mut found = Found {
        record: serde_json::from_slice(&record)?,
        objects: BTreeMap::new(),
    };
    let mut whole = std::collections::HashSet::new();
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.ends_with("bucket.json") {
            continue;
        }
        if path.extension().is_some_and(|it| it != "data") {
            match load_object(&path) {
                Some(object) => {
                    whole.insert(object.generation.to_string());
                    let generations = found.objects.entry(object.name.clone()).or_default();
                    generations.push(object);
                }
                None => {
                    tracing::warn!(path = %path.display(), "dropping an object that is not whole");
                }
            }
        }
        all.push(path);
    }
    for path in all {
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        if !stem.is_some_and(|stem| whole.contains(stem)) {
            fs::remove_file(path)?;
        }
    }
    for generations in found.objects.values_mut() {
        generations.sort_by_key(|object| object.generation);
    }
    Ok(Some(found))
}

/// An object by the file that holds its record: the file's name is its generation.
fn load_object(path: &Path) -> Option<Object> {
    let generation = path.file_stem()?.to_str()?.parse().ok()?;
    let packed = path.extension()? == "object";
    let file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    let mut text = Vec::new();
    file.take(LONGEST_RECORD).read_to_end(&mut text).ok()?;
    let line = text.split(|byte| *byte == b'\n').next()?;
    let mut object: Object = serde_json::from_slice(line).ok()?;
    object.generation = generation;
    object.packed = packed;
    let size = if packed {
        length.checked_sub(line.len() as u64 + 1)?
    } else {
        fs::metadata(path.with_extension("data")).ok()?.len()
    };
    (size == object.sums.size).then_some(object)
}
