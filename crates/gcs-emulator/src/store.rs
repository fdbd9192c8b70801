//! Buckets and objects on disk, with an index in memory.
//!
//! `buckets/BUCKET/bucket.json` says that a bucket is there; `buckets/BUCKET/GENERATION.data` holds an object's bytes and
//! `GENERATION.json` beside it everything else. An object exists from the moment its `.json` is renamed into place, after
//! its data; the newest generation of a name wins. So a crash at any point leaves the old object or the new one, whole.
//! Nothing is synced: after a power failure, data whose size is not the recorded one is dropped, not served.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::incoming::{Received, Temporary};
use crate::object::{Attributes, Checksums, Object, time};
use crate::preconditions::Preconditions;

/// A bucket's own record.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct BucketRecord {
    pub(crate) name: String,
    pub(crate) created: Timestamp,
    pub(crate) location: String,
}

impl BucketRecord {
    pub(crate) fn resource(&self, base: &str) -> Value {
        json!({
            "kind": "storage#bucket",
            "id": self.name,
            "name": self.name,
            "selfLink": format!("{base}/storage/v1/b/{}", self.name),
            "projectNumber": "1",
            "metageneration": "1",
            "etag": "CAE=",
            "location": self.location,
            "locationType": "region",
            "storageClass": "STANDARD",
            "timeCreated": time(self.created),
            "updated": time(self.created),
            "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": true}},
        })
    }
}

#[derive(Debug)]
struct Bucket {
    record: BucketRecord,
    objects: BTreeMap<String, Arc<Object>>,
}

#[derive(Debug)]
struct Index {
    buckets: BTreeMap<String, Bucket>,
    last_generation: i64,
}

/// Everything below one folder. The folder belongs to one store at a time; a second one is refused.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    index: Mutex<Index>,
    _lock: File,
}

impl Store {
    /// Opens a folder, making it when it is not there, and sweeps what an earlier crash left half done.
    ///
    /// # Errors
    /// When the folder cannot be used, or another emulator uses it.
    pub fn open(root: &Path) -> io::Result<Self> {
        fs::create_dir_all(root.join("buckets"))?;
        let lock = File::create(root.join("lock"))?;
        lock.try_lock().map_err(|error| {
            io::Error::new(
                io::ErrorKind::ResourceBusy,
                format!("another emulator uses this folder: {error}"),
            )
        })?;
        let incoming = root.join("incoming");
        if incoming.exists() {
            fs::remove_dir_all(&incoming)?;
        }
        fs::create_dir_all(&incoming)?;
        let mut index = Index {
            buckets: BTreeMap::new(),
            last_generation: 0,
        };
        for entry in fs::read_dir(root.join("buckets"))? {
            if let Some(bucket) = load_bucket(&entry?.path(), &mut index.last_generation)? {
                index.buckets.insert(bucket.record.name.clone(), bucket);
            }
        }
        Ok(Self {
            root: root.to_owned(),
            index: Mutex::new(index),
            _lock: lock,
        })
    }

    /// Where unfinished content lies.
    pub(crate) fn incoming(&self) -> PathBuf {
        self.root.join("incoming")
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn folder(&self, bucket: &str) -> PathBuf {
        self.root.join("buckets").join(bucket)
    }

    fn file(&self, bucket: &str, generation: i64, extension: &str) -> PathBuf {
        self.folder(bucket)
            .join(format!("{generation}.{extension}"))
    }

    /// Makes a bucket.
    ///
    /// # Errors
    /// When the name is not one, or the bucket is there.
    pub fn create_bucket(&self, name: &str, location: &str) -> Result<(), Failure> {
        check_bucket_name(name)?;
        let mut index = self.lock();
        if index.buckets.contains_key(name) {
            return Err(Failure::Conflict(
                "Your previous request to create the named bucket succeeded and you already own it."
                    .to_owned(),
            ));
        }
        let record = BucketRecord {
            name: name.to_owned(),
            created: now(),
            location: location.to_owned(),
        };
        fs::create_dir_all(self.folder(name))?;
        self.write_json(&self.folder(name).join("bucket.json"), &record)?;
        index.buckets.insert(
            name.to_owned(),
            Bucket {
                record,
                objects: BTreeMap::new(),
            },
        );
        Ok(())
    }

    /// Deletes an empty bucket.
    pub(crate) fn delete_bucket(&self, name: &str) -> Result<(), Failure> {
        let mut index = self.lock();
        if !bucket(&index, name)?.objects.is_empty() {
            return Err(Failure::Conflict(
                "The bucket you tried to delete is not empty.".to_owned(),
            ));
        }
        fs::remove_file(self.folder(name).join("bucket.json"))?;
        index.buckets.remove(name);
        fs::remove_dir_all(self.folder(name))?;
        Ok(())
    }

    pub(crate) fn buckets(&self, prefix: &str) -> Vec<BucketRecord> {
        let index = self.lock();
        let records = index.buckets.values().map(|bucket| bucket.record.clone());
        records
            .filter(|record| record.name.starts_with(prefix))
            .collect()
    }

    pub(crate) fn bucket(&self, name: &str) -> Result<BucketRecord, Failure> {
        Ok(bucket(&self.lock(), name)?.record.clone())
    }

    /// One object; `generation` asks for that one and no other.
    pub(crate) fn object(
        &self,
        in_bucket: &str,
        name: &str,
        generation: Option<i64>,
    ) -> Result<Arc<Object>, Failure> {
        let index = self.lock();
        find(bucket(&index, in_bucket)?, in_bucket, name, generation).cloned()
    }

    /// One object and its data, which stays readable even if the object is replaced meanwhile.
    pub(crate) fn open_object(
        &self,
        in_bucket: &str,
        name: &str,
        generation: Option<i64>,
    ) -> Result<(Arc<Object>, File), Failure> {
        let index = self.lock();
        let object = find(bucket(&index, in_bucket)?, in_bucket, name, generation)?;
        let file = File::open(self.file(in_bucket, object.generation, "data"))?;
        Ok((Arc::clone(object), file))
    }

    /// Visits the objects from `start` on, in the order of their names, until `visit` says no.
    pub(crate) fn walk(
        &self,
        in_bucket: &str,
        start: &str,
        mut visit: impl FnMut(&Arc<Object>) -> bool,
    ) -> Result<(), Failure> {
        let index = self.lock();
        let objects = &bucket(&index, in_bucket)?.objects;
        for (_, object) in objects.range(start.to_owned()..) {
            if !visit(object) {
                break;
            }
        }
        Ok(())
    }

    /// Makes received content an object, if the conditions hold at that moment.
    pub(crate) fn commit(
        &self,
        in_bucket: &str,
        name: &str,
        content: &Received,
        attributes: Attributes,
        conditions: Preconditions,
        components: Option<u32>,
    ) -> Result<Arc<Object>, Failure> {
        check_object_name(name)?;
        let mut index = self.lock();
        let live = bucket(&index, in_bucket)?.objects.get(name).cloned();
        conditions.check(live.as_deref())?;
        let written = now();
        let generation = index
            .last_generation
            .saturating_add(1)
            .max(written.as_microsecond());
        index.last_generation = generation;
        let object = Arc::new(Object {
            name: name.to_owned(),
            generation,
            metageneration: 1,
            sums: content.sums,
            created: written,
            updated: written,
            attributes,
            components,
        });
        fs::rename(
            content.file.path(),
            self.file(in_bucket, generation, "data"),
        )?;
        self.write_json(&self.file(in_bucket, generation, "json"), object.as_ref())?;
        if let Some(bucket) = index.buckets.get_mut(in_bucket) {
            bucket.objects.insert(name.to_owned(), Arc::clone(&object));
        }
        if let Some(old) = live {
            self.remove_files(in_bucket, old.generation)?;
        }
        Ok(object)
    }

    /// Puts new attributes on an object.
    pub(crate) fn patch(
        &self,
        in_bucket: &str,
        name: &str,
        conditions: Preconditions,
        change: impl FnOnce(Attributes) -> Attributes,
    ) -> Result<Arc<Object>, Failure> {
        let mut index = self.lock();
        let live = find(bucket(&index, in_bucket)?, in_bucket, name, None)?;
        conditions.check(Some(live))?;
        let mut object = Object::clone(live);
        object.attributes = change(object.attributes);
        object.metageneration += 1;
        object.updated = now();
        self.write_json(&self.file(in_bucket, object.generation, "json"), &object)?;
        let object = Arc::new(object);
        if let Some(bucket) = index.buckets.get_mut(in_bucket) {
            bucket.objects.insert(name.to_owned(), Arc::clone(&object));
        }
        Ok(object)
    }

    /// Deletes an object.
    pub(crate) fn delete(
        &self,
        in_bucket: &str,
        name: &str,
        generation: Option<i64>,
        conditions: Preconditions,
    ) -> Result<(), Failure> {
        let mut index = self.lock();
        let live = find(bucket(&index, in_bucket)?, in_bucket, name, generation)?;
        conditions.check(Some(live))?;
        let generation = live.generation;
        self.remove_files(in_bucket, generation)?;
        if let Some(bucket) = index.buckets.get_mut(in_bucket) {
            bucket.objects.remove(name);
        }
        Ok(())
    }

    /// A second file with the same bytes: a hard link, since data files are never written again.
    pub(crate) fn duplicate(&self, in_bucket: &str, object: &Object) -> Result<Received, Failure> {
        let file = Temporary::below(&self.incoming());
        let source = self.file(in_bucket, object.generation, "data");
        match fs::hard_link(&source, file.path()) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(no_object(in_bucket, &object.name));
            }
            Err(_) => {
                fs::copy(&source, file.path())?;
            }
        }
        Ok(Received {
            file,
            sums: object.sums,
        })
    }

    /// Writes several files one behind the other.
    pub(crate) fn concatenate(&self, parts: Vec<File>) -> Result<Received, Failure> {
        let place = Temporary::below(&self.incoming());
        let mut out = File::create_new(place.path())?;
        let mut sums = Checksums {
            size: 0,
            crc32c: 0,
            md5: None,
        };
        let mut buffer = vec![0; 1 << 18];
        for mut part in parts {
            loop {
                let read = io::Read::read(&mut part, &mut buffer)?;
                let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else {
                    break;
                };
                sums.crc32c = crc32c::crc32c_append(sums.crc32c, bytes);
                sums.size += bytes.len() as u64;
                out.write_all(bytes)?;
            }
        }
        Ok(Received { file: place, sums })
    }

    /// The record goes first: data without a record is swept, a record without data must never be.
    fn remove_files(&self, bucket: &str, generation: i64) -> io::Result<()> {
        fs::remove_file(self.file(bucket, generation, "json"))?;
        fs::remove_file(self.file(bucket, generation, "data"))
    }

    fn write_json(&self, to: &Path, value: &impl Serialize) -> io::Result<()> {
        let draft = Temporary::below(&self.incoming());
        fs::write(draft.path(), serde_json::to_vec(value)?)?;
        fs::rename(draft.path(), to)
    }
}

fn bucket<'a>(index: &'a Index, name: &str) -> Result<&'a Bucket, Failure> {
    index
        .buckets
        .get(name)
        .ok_or_else(|| Failure::NotFound("The specified bucket does not exist.".to_owned()))
}

fn no_object(bucket: &str, name: &str) -> Failure {
    Failure::NotFound(format!("No such object: {bucket}/{name}"))
}

fn find<'a>(
    bucket: &'a Bucket,
    bucket_name: &str,
    name: &str,
    generation: Option<i64>,
) -> Result<&'a Arc<Object>, Failure> {
    bucket
        .objects
        .get(name)
        .filter(|object| generation.is_none_or(|wanted| wanted == object.generation))
        .ok_or_else(|| no_object(bucket_name, name))
}

fn check_bucket_name(name: &str) -> Result<(), Failure> {
    let inner = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(b);
    let outer = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = name.as_bytes();
    let valid = (3..=222).contains(&bytes.len())
        && bytes.iter().all(inner)
        && bytes.first().is_some_and(outer)
        && bytes.last().is_some_and(outer);
    if valid {
        Ok(())
    } else {
        Err(Failure::Invalid(format!("Invalid bucket name: '{name}'")))
    }
}

fn check_object_name(name: &str) -> Result<(), Failure> {
    if name.is_empty()
        || name.len() > 1024
        || name.contains(['\r', '\n'])
        || name == "."
        || name == ".."
    {
        return Err(Failure::Invalid(
            "object names are 1 to 1024 bytes of UTF-8 without line breaks, not `.` or `..`"
                .to_owned(),
        ));
    }
    Ok(())
}

/// Reads one bucket's folder; `None` when it was being deleted or made as the emulator died.
fn load_bucket(folder: &Path, last_generation: &mut i64) -> io::Result<Option<Bucket>> {
    let Ok(record) = fs::read(folder.join("bucket.json")) else {
        fs::remove_dir_all(folder)?;
        return Ok(None);
    };
    let record: BucketRecord = serde_json::from_slice(&record)?;
    let mut objects: BTreeMap<String, Arc<Object>> = BTreeMap::new();
    let mut keep = std::collections::BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_record = path.extension().is_some_and(|it| it == "json");
        if !is_record || path.ends_with("bucket.json") {
            continue;
        }
        let Some(object) = load_object(&path) else {
            tracing::warn!(path = %path.display(), "dropping an object whose data is not whole");
            continue;
        };
        *last_generation = object.generation.max(*last_generation);
        let newest = objects
            .entry(object.name.clone())
            .or_insert_with(|| Arc::new(object.clone()));
        if newest.generation < object.generation {
            *newest = Arc::new(object);
        }
    }
    for object in objects.values() {
        keep.insert(folder.join(format!("{}.json", object.generation)));
        keep.insert(folder.join(format!("{}.data", object.generation)));
    }
    keep.insert(folder.join("bucket.json"));
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if !keep.contains(&path) {
            fs::remove_file(path)?;
        }
    }
    Ok(Some(Bucket { record, objects }))
}

fn load_object(record: &Path) -> Option<Object> {
    let object: Object = serde_json::from_slice(&fs::read(record).ok()?).ok()?;
    let size = fs::metadata(record.with_extension("data")).ok()?.len();
    (size == object.sums.size).then_some(object)
}

#[expect(
    clippy::disallowed_methods,
    reason = "an object's time is the time of this server, which stands for an outside service"
)]
fn now() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::Store;
    use crate::failure::Failure;
    use crate::incoming::{Received, Temporary};
    use crate::object::{Attributes, Checksums, Object};
    use crate::preconditions::Preconditions;

    fn put(store: &Store, name: &str, text: &str, when: Preconditions) -> Result<i64, Failure> {
        let file = Temporary::below(&store.incoming());
        fs::write(file.path(), text)?;
        let content = Received {
            file,
            sums: Checksums {
                size: text.len() as u64,
                crc32c: 0,
                md5: None,
            },
        };
        store
            .commit("buc", name, &content, Attributes::default(), when, None)
            .map(|object| object.generation)
    }

    fn read(store: &Store, name: &str) -> Option<String> {
        let (_, file) = store.open_object("buc", name, None).ok()?;
        std::io::read_to_string(file).ok()
    }

    fn opened() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().expect("folder");
        let store = Store::open(folder.path()).expect("store");
        store.create_bucket("buc", "eu").expect("bucket");
        (folder, store)
    }

    #[test]
    fn a_name_is_written_once_when_it_must_be_absent() {
        let (_folder, store) = opened();
        let first = put(&store, "a", "one", Preconditions::ABSENT).expect("first");
        assert!(matches!(
            put(&store, "a", "two", Preconditions::ABSENT),
            Err(Failure::PreconditionFailed)
        ));
        assert_eq!(read(&store, "a").as_deref(), Some("one"));
        let second = put(&store, "a", "two", Preconditions::default()).expect("second");
        assert!(second > first);
        assert_eq!(read(&store, "a").as_deref(), Some("two"));
    }

    #[test]
    fn what_was_written_is_there_after_a_restart_and_leftovers_are_not() {
        let (folder, store) = opened();
        let long = "x/".repeat(500);
        put(&store, &long, "whole", Preconditions::default()).expect("long name");
        let torn = put(&store, "torn", "torn", Preconditions::default()).expect("torn");
        let twice = put(&store, "twice", "old", Preconditions::default()).expect("old");
        let bucket = folder.path().join("buckets/buc");
        let old = fs::read(bucket.join(format!("{twice}.json"))).expect("record");
        put(&store, "twice", "new", Preconditions::default()).expect("new");
        drop(store);

        // As after a crash: a torn file, a replaced generation not yet swept, data without a record, half an upload.
        fs::write(bucket.join(format!("{torn}.data")), "to").expect("tear");
        fs::write(bucket.join(format!("{twice}.json")), old).expect("record");
        fs::write(bucket.join(format!("{twice}.data")), "old").expect("data");
        fs::write(bucket.join("5.data"), "orphan").expect("orphan");
        fs::write(folder.path().join("incoming/half"), "half").expect("half");

        let store = Store::open(folder.path()).expect("store");
        assert_eq!(read(&store, &long).as_deref(), Some("whole"));
        assert_eq!(read(&store, "twice").as_deref(), Some("new"));
        assert_eq!(read(&store, "torn"), None);
        assert_eq!(fs::read_dir(bucket).expect("bucket").count(), 5);
        let incoming = fs::read_dir(folder.path().join("incoming"));
        assert_eq!(incoming.expect("incoming").count(), 0);
    }

    #[test]
    fn a_folder_has_one_store() {
        let (folder, _store) = opened();
        assert!(Store::open(folder.path()).is_err());
    }

    #[test]
    fn a_copy_outlives_its_source() {
        let (_folder, store) = opened();
        put(&store, "a", "one", Preconditions::default()).expect("put");
        let source: Object = store.object("buc", "a", None).expect("a").as_ref().clone();
        let copy = store.duplicate("buc", &source).expect("copy");
        store
            .commit(
                "buc",
                "b",
                &copy,
                Attributes::default(),
                Preconditions::default(),
                None,
            )
            .expect("commit");
        store
            .delete("buc", "a", None, Preconditions::default())
            .expect("delete");
        assert_eq!(read(&store, "a"), None);
        assert_eq!(read(&store, "b").as_deref(), Some("one"));
    }
}
