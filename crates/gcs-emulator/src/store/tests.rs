//! Tests of the store on a folder of its own.

use std::fs;

use serde_json::json;

use super::{NewObject, Store};
use crate::disk::{SMALL, Stored};
use crate::failure::Failure;
use crate::incoming::{Content, Received, Temporary};
use crate::object::{Attributes, Object};
use crate::preconditions::Preconditions;

fn new(name: &str, conditions: Preconditions) -> NewObject {
    NewObject {
        bucket: "buc".to_owned(),
        name: name.to_owned(),
        attributes: Attributes::default(),
        conditions,
        components: None,
    }
}

/// Small objects lie in one file, large ones in two: `text` decides.
fn put(store: &Store, name: &str, text: &str, when: Preconditions) -> Result<i64, Failure> {
    let mut received = Received::small(text.to_owned().into());
    if text.len() as u64 > SMALL {
        let file = Temporary::below(&store.incoming());
        fs::write(file.path(), text)?;
        received.content = Content::File(file);
    }
    let object = store.commit(new(name, when), &received)?;
    Ok(object.generation)
}

fn read(store: &Store, name: &str, generation: Option<i64>) -> Option<String> {
    match store.open_object("buc", name, generation).ok()?.1 {
        Stored::Small(bytes) => String::from_utf8(bytes.into()).ok(),
        Stored::File(file) => std::io::read_to_string(file).ok(),
    }
}

fn large(text: &str) -> String {
    text.repeat(usize::try_from(SMALL).expect("size"))
}

fn opened() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().expect("folder");
    let store = Store::open(folder.path()).expect("store");
    store.create_bucket("buc", "eu").expect("bucket");
    (folder, store)
}

#[test]
fn a_name_is_written_once_when_it_must_be_absent() {
    for text in ["one\n{\n", &large("one")] {
        let (folder, store) = opened();
        let first = put(&store, "a", text, Preconditions::ABSENT).expect("first");
        assert!(matches!(
            put(&store, "a", "two", Preconditions::ABSENT),
            Err(Failure::PreconditionFailed)
        ));
        assert_eq!(read(&store, "a", None).as_deref(), Some(text));
        let second = put(&store, "a", "two", Preconditions::default()).expect("second");
        assert!(second > first);
        assert_eq!(read(&store, "a", None).as_deref(), Some("two"));
        assert_eq!(read(&store, "a", Some(first)), None);
        let files = fs::read_dir(folder.path().join("buckets/buc")).expect("bucket");
        assert_eq!(files.count(), 2, "the bucket's record and the object");
        let incoming = fs::read_dir(folder.path().join("incoming"));
        assert_eq!(incoming.expect("incoming").count(), 0);
    }
}

#[test]
fn what_was_written_is_there_after_a_restart_and_leftovers_are_not() {
    let (folder, store) = opened();
    let long = "x/".repeat(500);
    let (big, other) = (large("x"), large("y"));
    put(&store, &long, "whole", Preconditions::default()).expect("long name");
    put(&store, "big", &large("big"), Preconditions::default()).expect("big");
    let torn = put(&store, "torn", &large("torn"), Preconditions::default()).expect("torn");
    let cut = put(&store, "cut", "cut", Preconditions::default()).expect("cut");
    let twice = put(&store, "twice", &large("old"), Preconditions::default()).expect("old");
    let bucket = folder.path().join("buckets/buc");
    let file = |generation: i64, kind: &str| bucket.join(format!("{generation}.{kind}"));
    let old = fs::read(file(twice, "json")).expect("record");
    put(&store, "twice", "new", Preconditions::default()).expect("new");
    drop(store);

    // As after a crash: torn files, a replaced generation not yet swept, data without a record, half an upload.
    fs::write(file(torn, "data"), "to").expect("tear");
    let whole = fs::read(file(cut, "object")).expect("object");
    fs::write(file(cut, "object"), &whole[..whole.len() - 1]).expect("cut");
    fs::write(file(twice, "json"), old).expect("record");
    fs::write(file(twice, "data"), large("old")).expect("data");
    fs::write(file(5, "data"), big + &other).expect("orphan");
    fs::write(folder.path().join("incoming/half"), "half").expect("half");

    let store = Store::open(folder.path()).expect("store");
    assert_eq!(read(&store, &long, None).as_deref(), Some("whole"));
    assert_eq!(read(&store, "big", None), Some(large("big")));
    assert_eq!(read(&store, "twice", None).as_deref(), Some("new"));
    assert_eq!(read(&store, "torn", None), None);
    assert_eq!(read(&store, "cut", None), None);
    assert_eq!(
        fs::read_dir(&bucket).expect("bucket").count(),
        1 + 1 + 2 + 1
    );
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
    for text in ["one", &large("one")] {
        let (_folder, store) = opened();
        put(&store, "a", text, Preconditions::default()).expect("put");
        let source: Object = store.object("buc", "a", None).expect("a").as_ref().clone();
        let copy = store.duplicate("buc", &source).expect("copy");
        store
            .commit(new("b", Preconditions::default()), &copy)
            .expect("commit");
        store
            .delete("buc", "a", None, Preconditions::default())
            .expect("delete");
        assert_eq!(read(&store, "b", None).as_deref(), Some(text));
    }
}

#[test]
fn old_generations_stay_where_the_bucket_keeps_them() {
    let (folder, store) = opened();
    store
        .patch_bucket("buc", Preconditions::default(), |settings| {
            settings.insert("versioning".to_owned(), json!({"enabled": true}));
        })
        .expect("patch");
    let first = put(&store, "a", "one", Preconditions::default()).expect("first");
    let second = put(&store, "a", &large("two"), Preconditions::default()).expect("second");
    put(&store, "b", "b", Preconditions::default()).expect("b");
    store
        .delete("buc", "b", None, Preconditions::default())
        .expect("delete");
    drop(store);
    let store = Store::open(folder.path()).expect("store");
    let versions = || {
        let mut seen = Vec::new();
        store
            .walk_versions("buc", ("", 0), |object| {
                seen.push((object.name.clone(), object.deleted.is_some()));
                true
            })
            .expect("walk");
        seen
    };
    let of = |name: &str, deleted| (name.to_owned(), deleted);
    assert_eq!(versions(), [of("a", true), of("a", false), of("b", true)]);
    assert_eq!(read(&store, "a", Some(first)).as_deref(), Some("one"));
    assert_eq!(read(&store, "a", None), Some(large("two")));
    assert_eq!(read(&store, "b", None), None);
    let mut deleted = store.delete("buc", "a", Some(first), Preconditions::default());
    deleted.expect("old");
    deleted = store.delete("buc", "a", Some(second), Preconditions::default());
    deleted.expect("live");
    assert_eq!(versions(), [of("b", true)]);
}
