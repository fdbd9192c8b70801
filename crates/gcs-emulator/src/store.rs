//! Buckets and objects, as an index in memory over what the disk holds.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::disk::{Disk, Found, Stored};
use crate::failure::Failure;
use crate::incoming::{Content, Received};
use crate::object::{Attributes, Object, time};
use crate::path::{check_bucket_name, check_object_name};
use crate::preconditions::Preconditions;

/// A bucket's own record.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct BucketRecord {
    pub(crate) name: String,
    pub(crate) created: Timestamp,
    #[serde(default)]
    pub(crate) updated: Option<Timestamp>,
    #[serde(default = "one")]
    pub(crate) metageneration: i64,
    pub(crate) location: String,
    /// What clients set, as they set it.
    #[serde(default)]
    pub(crate) settings: Map<String, Value>,
}

const fn one() -> i64 {
    1
}

impl BucketRecord {
    pub(crate) fn resource(&self, base: &str) -> Value {
        let mut resource = json!({
            "kind": "storage#bucket",
            "id": self.name,
            "name": self.name,
            "selfLink": format!("{base}/storage/v1/b/{}", self.name),
            "projectNumber": "1",
            "generation": "1",
            "metageneration": self.metageneration.to_string(),
            "etag": crate::object::etag(1, self.metageneration),
            "location": self.location,
            "locationType": "region",
            "storageClass": "STANDARD",
            "timeCreated": time(self.created),
            "updated": time(self.updated.unwrap_or(self.created)),
            "iamConfiguration": {
                "uniformBucketLevelAccess": {"enabled": true},
                "publicAccessPrevention": "inherited",
            },
            "softDeletePolicy": {"retentionDurationSeconds": "0"},
        });
        for (key, value) in &self.settings {
            resource[key] = value.clone();
        }
        resource
    }

    fn is_versioned(&self) -> bool {
        let versioning = self.settings.get("versioning");
        versioning.is_some_and(|it| it["enabled"] == json!(true))
    }
}

#[derive(Debug)]
struct Bucket {
    record: BucketRecord,
    live: BTreeMap<String, Arc<Object>>,
    noncurrent: BTreeMap<(String, i64), Arc<Object>>,
}

impl Bucket {
    fn new(record: BucketRecord) -> Self {
        Self {
            record,
            live: BTreeMap::new(),
            noncurrent: BTreeMap::new(),
        }
    }

    fn find(&self, name: &str, generation: Option<i64>) -> Result<&Arc<Object>, Failure> {
        let live = self.live.get(name);
        let found = match generation {
            None => live,
            Some(wanted) => live
                .filter(|object| object.generation == wanted)
                .or_else(|| self.noncurrent.get(&(name.to_owned(), wanted))),
        };
        found.ok_or_else(|| no_object(&self.record.name, name))
    }
}

#[derive(Debug, Default)]
struct Index {
    buckets: BTreeMap<String, Bucket>,
    last_generation: i64,
}

impl Index {
    fn bucket(&self, name: &str) -> Result<&Bucket, Failure> {
        self.buckets.get(name).ok_or_else(no_bucket)
    }

    fn bucket_mut(&mut self, name: &str) -> Result<&mut Bucket, Failure> {
        self.buckets.get_mut(name).ok_or_else(no_bucket)
    }
}

/// What a new object is, but for its content.
#[derive(Clone, Debug)]
pub(crate) struct NewObject {
    pub(crate) bucket: String,
    pub(crate) name: String,
    pub(crate) attributes: Attributes,
    pub(crate) conditions: Preconditions,
    pub(crate) components: Option<u32>,
}

/// Everything below one folder. The folder belongs to one store at a time; a second one is refused.
#[derive(Debug)]
pub struct Store {
    disk: Disk,
    index: Mutex<Index>,
}

impl Store {
    /// Opens a folder, making it when it is not there, and sweeps what an earlier crash left half done.
    ///
    /// # Errors
    /// When the folder cannot be used, or another emulator uses it.
    pub fn open(root: &Path) -> io::Result<Self> {
        let disk = Disk::open(root)?;
        let mut index = Index::default();
        for found in disk.load()? {
            let bucket = take_in(&disk, found, &mut index.last_generation)?;
            index.buckets.insert(bucket.record.name.clone(), bucket);
        }
        Ok(Self {
            disk,
            index: Mutex::new(index),
        })
    }

    /// Where unfinished content lies.
    pub(crate) fn incoming(&self) -> PathBuf {
        self.disk.incoming()
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a bucket.
    ///
    /// # Errors
    /// When the name is not one, or the bucket is there.
    pub fn create_bucket(&self, name: &str, location: &str) -> Result<(), Failure> {
        self.make_bucket(name, location, Map::new()).map(drop)
    }

    pub(crate) fn make_bucket(
        &self,
        name: &str,
        location: &str,
        settings: Map<String, Value>,
    ) -> Result<BucketRecord, Failure> {
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
            updated: None,
            metageneration: 1,
            location: location.to_owned(),
            settings,
        };
        self.disk.write_bucket(&record)?;
        let bucket = Bucket::new(record.clone());
        index.buckets.insert(name.to_owned(), bucket);
        Ok(record)
    }

    /// Changes a bucket's settings.
    pub(crate) fn patch_bucket(
        &self,
        name: &str,
        conditions: Preconditions,
        change: impl FnOnce(&mut Map<String, Value>),
    ) -> Result<BucketRecord, Failure> {
        let mut index = self.lock();
        let bucket = index.bucket_mut(name)?;
        conditions.check_bucket(bucket.record.metageneration)?;
        let mut record = bucket.record.clone();
        change(&mut record.settings);
        record.metageneration += 1;
        record.updated = Some(now());
        self.disk.write_bucket(&record)?;
        bucket.record = record.clone();
        Ok(record)
    }

    /// Deletes an empty bucket.
    pub(crate) fn delete_bucket(
        &self,
        name: &str,
        conditions: Preconditions,
    ) -> Result<(), Failure> {
        let mut index = self.lock();
        let bucket = index.bucket(name)?;
        conditions.check_bucket(bucket.record.metageneration)?;
        if !bucket.live.is_empty() || !bucket.noncurrent.is_empty() {
            return Err(Failure::Conflict(
                "The bucket you tried to delete is not empty.".to_owned(),
            ));
        }
        self.disk.remove_bucket(name)?;
        index.buckets.remove(name);
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
        Ok(self.lock().bucket(name)?.record.clone())
    }

    /// One object; `generation` asks for that one and no other.
    pub(crate) fn object(
        &self,
        in_bucket: &str,
        name: &str,
        generation: Option<i64>,
    ) -> Result<Arc<Object>, Failure> {
        let index = self.lock();
        index.bucket(in_bucket)?.find(name, generation).cloned()
    }

    /// One object and its data, which stays readable even if the object is replaced meanwhile.
    pub(crate) fn open_object(
        &self,
        in_bucket: &str,
        name: &str,
        generation: Option<i64>,
    ) -> Result<(Arc<Object>, Stored), Failure> {
        let index = self.lock();
        let object = index.bucket(in_bucket)?.find(name, generation)?;
        let stored = self.disk.read(in_bucket, object)?;
        Ok((Arc::clone(object), stored))
    }

    /// Visits the live objects from `start` on, in the order of their names, until `visit` says no.
    pub(crate) fn walk(
        &self,
        in_bucket: &str,
        start: &str,
        mut visit: impl FnMut(&Arc<Object>) -> bool,
    ) -> Result<(), Failure> {
        let index = self.lock();
        let live = &index.bucket(in_bucket)?.live;
        for (_, object) in live.range(start.to_owned()..) {
            if !visit(object) {
                break;
            }
        }
        Ok(())
    }

    /// As [`walk`](Self::walk), over all generations, the older ones of a name first.
    pub(crate) fn walk_versions(
        &self,
        in_bucket: &str,
        start: (&str, i64),
        mut visit: impl FnMut(&Arc<Object>) -> bool,
    ) -> Result<(), Failure> {
        let index = self.lock();
        let bucket = index.bucket(in_bucket)?;
        let from = (start.0.to_owned(), start.1);
        let live = bucket.live.range(start.0.to_owned()..);
        let live = live
            .map(|(_, object)| object)
            .filter(|it| (it.name.as_str(), it.generation) >= start);
        let old = bucket.noncurrent.range(from..).map(|(_, object)| object);
        let (mut live, mut old) = (live.peekable(), old.peekable());
        let key = |object: &Arc<Object>| (object.name.clone(), object.generation);
        loop {
            let old_first = match (old.peek(), live.peek()) {
                (Some(old), Some(live)) => key(old) < key(live),
                (old, _) => old.is_some(),
            };
            let next = if old_first { old.next() } else { live.next() };
            match next {
                Some(object) if visit(object) => {}
                _ => return Ok(()),
            }
        }
    }

    /// Makes received content an object, if the conditions hold at that moment.
    pub(crate) fn commit(
        &self,
        new: NewObject,
        received: &Received,
    ) -> Result<Arc<Object>, Failure> {
        check_object_name(&new.name)?;
        let written = now();
        let mut object = Object {
            name: new.name,
            generation: 0,
            metageneration: 1,
            sums: received.sums,
            created: written,
            updated: written,
            deleted: None,
            attributes: new.attributes,
            components: new.components,
            packed: matches!(received.content, Content::Small(_)),
        };
        // What takes long comes before the lock.
        let draft = self.disk.prepare(&object, &received.content)?;
        let mut index = self.lock();
        let generation = index
            .last_generation
            .saturating_add(1)
            .max(written.as_microsecond());
        let live = index.bucket(&new.bucket)?.live.get(&object.name).cloned();
        new.conditions.check(live.as_deref())?;
        index.last_generation = generation;
        object.generation = generation;
        self.disk
            .place(&new.bucket, &object, &draft, &received.content)?;
        let object = Arc::new(object);
        let bucket = index.bucket_mut(&new.bucket)?;
        bucket.live.insert(object.name.clone(), Arc::clone(&object));
        if let Some(old) = live {
            self.retire(bucket, &old)?;
        }
        Ok(object)
    }

    /// Puts new attributes on an object.
    pub(crate) fn patch(
        &self,
        in_bucket: &str,
        name: &str,
        generation: Option<i64>,
        conditions: Preconditions,
        change: impl FnOnce(Attributes) -> Attributes,
    ) -> Result<Arc<Object>, Failure> {
        let mut index = self.lock();
        let bucket = index.bucket_mut(in_bucket)?;
        let old = bucket.find(name, generation)?;
        conditions.check(Some(old))?;
        let mut object = Object::clone(old);
        object.attributes = change(object.attributes);
        object.metageneration += 1;
        object.updated = now();
        self.disk.rewrite(in_bucket, &object)?;
        let object = Arc::new(object);
        let new = Arc::clone(&object);
        if object.deleted.is_some() {
            let key = (name.to_owned(), object.generation);
            bucket.noncurrent.insert(key, new);
        } else {
            bucket.live.insert(name.to_owned(), new);
        }
        Ok(object)
    }

    /// Deletes an object: for good where a generation is named or the bucket keeps no old ones.
    pub(crate) fn delete(
        &self,
        in_bucket: &str,
        name: &str,
        generation: Option<i64>,
        conditions: Preconditions,
    ) -> Result<(), Failure> {
        let mut index = self.lock();
        let bucket = index.bucket_mut(in_bucket)?;
        let object = Arc::clone(bucket.find(name, generation)?);
        conditions.check(Some(&object))?;
        if generation.is_none() {
            bucket.live.remove(name);
            return Ok(self.retire(bucket, &object)?);
        }
        self.disk.remove(in_bucket, &object)?;
        if object.deleted.is_some() {
            let key = (name.to_owned(), object.generation);
            bucket.noncurrent.remove(&key);
        } else {
            bucket.live.remove(name);
        }
        Ok(())
    }

    /// What becomes of an object that is no longer the live one.
    fn retire(&self, bucket: &mut Bucket, object: &Object) -> io::Result<()> {
        let name = &bucket.record.name;
        if !bucket.record.is_versioned() {
            return self.disk.remove(name, object);
        }
        let mut old = object.clone();
        old.deleted = Some(now());
        self.disk.rewrite(name, &old)?;
        let key = (old.name.clone(), old.generation);
        bucket.noncurrent.insert(key, Arc::new(old));
        Ok(())
    }

    /// The same bytes once more.
    pub(crate) fn duplicate(&self, in_bucket: &str, object: &Object) -> Result<Received, Failure> {
        let content = self.disk.duplicate(in_bucket, object);
        let content = content.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => no_object(in_bucket, &object.name),
            _ => error.into(),
        })?;
        Ok(Received {
            content,
            sums: object.sums,
        })
    }
}

fn no_bucket() -> Failure {
    Failure::NotFound("The specified bucket does not exist.".to_owned())
}

fn no_object(bucket: &str, name: &str) -> Failure {
    Failure::NotFound(format!("No such object: {bucket}/{name}"))
}

/// Sorts what a bucket's folder holds: the newest generation of a name is live unless it was deleted.
fn take_in(disk: &Disk, found: Found, last_generation: &mut i64) -> io::Result<Bucket> {
    let mut bucket = Bucket::new(found.record);
    for (name, generations) in found.objects {
        let mut newer: Option<Timestamp> = None;
        for mut object in generations.into_iter().rev() {
            *last_generation = object.generation.max(*last_generation);
            if newer.is_none() && object.deleted.is_none() {
                newer = Some(object.created);
                bucket.live.insert(name.clone(), Arc::new(object));
                continue;
            }
            // A crash came between the new generation and the farewell to the old one.
            object.deleted = object.deleted.or(newer);
            newer = newer.or(Some(object.created));
            if bucket.record.is_versioned() {
                let key = (name.clone(), object.generation);
                bucket.noncurrent.insert(key, Arc::new(object));
            } else {
                disk.remove(&bucket.record.name, &object)?;
            }
        }
    }
    Ok(bucket)
}

#[expect(
    clippy::disallowed_methods,
    reason = "an object's time is the time of this server, which stands for an outside service"
)]
fn now() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
mod tests;
