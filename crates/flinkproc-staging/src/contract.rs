//! What every [`Staging`] must do, as a suite that any implementation can run.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a contract that is broken fails the test that runs it"
)]

use flinkproc_core::{Explain as _, GcsUri};

use crate::error::StagingError;
use crate::staging::{Content, Put, Staging};

/// Runs the whole suite below `place`, a prefix that ends in a slash in a bucket that exists; leaves nothing behind.
///
/// # Panics
/// Where the contract is broken.
pub async fn check(staging: &dyn Staging, place: &GcsUri) {
    let at = |name: &str| place.join(name).expect("a name");
    buckets(staging, place).await;
    writes_once(staging, &at("once")).await;
    any_name(staging, place).await;
    lists_in_order(staging, &at("list/")).await;
    large_files(staging, &at("large")).await;
    let left = staging.list(place).await.expect("list");
    assert!(left.is_empty(), "the suite leaves nothing: {left:?}");
}

async fn buckets(staging: &dyn Staging, place: &GcsUri) {
    staging.check_bucket(place.bucket()).await.expect("bucket");
    let missing: GcsUri = "gs://flinkproc-contract-no-such-bucket/x"
        .parse()
        .expect("uri");
    let errors = [
        staging.check_bucket(missing.bucket()).await.err(),
        staging.list(&missing).await.err(),
        staging
            .put_if_absent(&missing, &Content::Bytes("x".into()))
            .await
            .err(),
    ];
    for error in errors {
        let error = error.expect("a missing bucket fails");
        // The real service does not tell strangers whether a bucket exists.
        let told = matches!(
            error,
            StagingError::NotFound { .. } | StagingError::Denied { .. }
        );
        assert!(told, "{}: {error}", error.code());
    }
}

async fn writes_once(staging: &dyn Staging, to: &GcsUri) {
    let hello = Content::Bytes("hello world".into());
    assert!(staging.stat(to).await.expect("stat").is_none());
    let missing = staging.read_range(to, 0, 1).await;
    assert!(matches!(missing, Err(StagingError::NotFound { .. })));
    staging.delete(to).await.expect("deleting the absent is ok");

    let put = staging.put_if_absent(to, &hello).await.expect("first");
    assert_eq!(put, Put::Written);
    let put = staging.put_if_absent(to, &hello).await.expect("second");
    assert_eq!(put, Put::Present);
    for other in ["other", "hello_world"] {
        let other = staging
            .put_if_absent(to, &Content::Bytes(other.into()))
            .await;
        assert!(matches!(other, Err(StagingError::Conflict { .. })));
    }

    let meta = staging.stat(to).await.expect("stat").expect("is there");
    assert_eq!((meta.size, meta.crc32c), (11, 0xc994_65aa));
    assert_eq!(meta.uri, *to);
    for (offset, length, expected) in [
        (0, 100, "hello world"),
        (0, 5, "hello"),
        (6, 5, "world"),
        (6, 99, "world"),
        (11, 1, ""),
        (99, 9, ""),
        (3, 0, ""),
    ] {
        let read = staging.read_range(to, offset, length).await.expect("range");
        assert_eq!(read, expected, "{length} bytes from {offset}");
    }
    staging.delete(to).await.expect("delete");
    assert!(staging.stat(to).await.expect("stat").is_none());
    let put = staging.put_if_absent(to, &hello).await.expect("again");
    assert_eq!(put, Put::Written);
    staging.delete(to).await.expect("delete");
}

async fn any_name(staging: &dyn Staging, place: &GcsUri) {
    let names = [
        "my etl.py",
        "it's $5",
        "50%25+x?#&=.py",
        "dir",
        "dir/file",
        "dir//double",
        "dir/",
        "dir+/file",
        "ü\u{1F600}",
        "../up",
    ];
    let objects = names.map(|name| place.join(name).expect("a name"));
    for (object, name) in objects.iter().zip(names) {
        let content = Content::Bytes(name.into());
        let put = staging.put_if_absent(object, &content).await;
        assert_eq!(put.expect("put"), Put::Written, "{name}");
    }
    for (object, name) in objects.iter().zip(names) {
        let read = staging.read_range(object, 0, 99).await.expect("read");
        assert_eq!(read, name);
    }
    let mut expected: Vec<_> = objects.to_vec();
    expected.sort();
    let listed = staging.list(place).await.expect("list");
    let listed: Vec<_> = listed.into_iter().map(|meta| meta.uri).collect();
    assert_eq!(listed, expected);
    for object in &objects {
        staging.delete(object).await.expect("delete");
    }
}

async fn lists_in_order(staging: &dyn Staging, place: &GcsUri) {
    let names = ["b", "a/2", "a/10", "a/1", "ab"];
    for name in names {
        let to = place.join(name).expect("a name");
        let content = Content::Bytes(name.into());
        staging.put_if_absent(&to, &content).await.expect("put");
    }
    let list = async |prefix: &str| {
        let prefix = place.join(prefix).expect("a prefix");
        let listed = staging.list(&prefix).await.expect("list");
        let name = |uri: &GcsUri| uri.object().replacen(place.object(), "", 1);
        let names: Vec<_> = listed.iter().map(|meta| name(&meta.uri)).collect();
        names.join(" ")
    };
    assert_eq!(list("").await, "a/1 a/10 a/2 ab b");
    assert_eq!(list("a/").await, "a/1 a/10 a/2");
    assert_eq!(list("a").await, "a/1 a/10 a/2 ab");
    assert_eq!(list("none").await, "");
    for name in names {
        let object = place.join(name).expect("a name");
        staging.delete(&object).await.expect("delete");
    }
}

/// Larger than every buffer and every threshold on the way.
async fn large_files(staging: &dyn Staging, to: &GcsUri) {
    const SIZE: usize = (20 << 20) + 7;
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("large");
    let content: Vec<u8> = (0..SIZE).map(|n| (n % 251) as u8).collect();
    std::fs::write(&path, &content).expect("write");
    let file = Content::File(path);
    let put = staging.put_if_absent(to, &file).await.expect("put");
    assert_eq!(put, Put::Written);
    let meta = staging.stat(to).await.expect("stat").expect("is there");
    assert_eq!(meta.size, SIZE as u64);
    assert_eq!(meta.crc32c, crc32c::crc32c(&content));
    let put = staging.put_if_absent(to, &file).await.expect("again");
    assert_eq!(put, Put::Present);
    let tail = staging.read_range(to, SIZE as u64 - 9, 99).await;
    assert_eq!(tail.expect("tail"), &content[SIZE - 9..]);
    staging.delete(to).await.expect("delete");

    let known = |name: &str, size: usize, content: &[u8]| Content::Known {
        path: folder.path().join(name),
        size: size as u64,
        crc32c: crc32c::crc32c(content),
    };
    let put = staging
        .put_if_absent(to, &known("large", SIZE, &content))
        .await;
    assert_eq!(put.expect("known"), Put::Written);
    // What is there already need not be read, even if the file is gone.
    let put = staging
        .put_if_absent(to, &known("none", SIZE, &content))
        .await;
    assert_eq!(put.expect("known"), Put::Present);
    staging.delete(to).await.expect("delete");
    let mut other = content.clone();
    other[SIZE / 2] ^= 1;
    std::fs::write(folder.path().join("small"), "small").expect("write");
    for (name, size, content) in [
        ("large", SIZE, other.as_slice()),
        ("large", SIZE - 1, &other[1..]),
        ("small", 5, b"other"),
        ("small", 4, b"smal"),
    ] {
        match staging.put_if_absent(to, &known(name, size, content)).await {
            Err(StagingError::Changed { .. }) => {}
            other => panic!("another file than was known of is changed, not {other:?}"),
        }
        assert!(staging.stat(to).await.expect("stat").is_none());
    }
    match staging.put_if_absent(to, &known("none", 5, b"small")).await {
        Err(StagingError::Local { .. }) => {}
        other => panic!("a missing local file is a local error, not {other:?}"),
    }

    let missing = Content::File(folder.path().join("none"));
    match staging.put_if_absent(to, &missing).await {
        Err(StagingError::Local { .. }) => {}
        other => panic!("a missing local file is a local error, not {other:?}"),
    }
    let empty = Content::Bytes("".into());
    let put = staging.put_if_absent(to, &empty).await.expect("empty");
    assert_eq!(put, Put::Written);
    let read = staging.read_range(to, 0, 9).await.expect("read");
    assert!(read.is_empty());
    staging.delete(to).await.expect("delete");
}
