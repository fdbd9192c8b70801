"""The place of jobs' files and output by `google-cloud-storage`, as far as Dataproc's clients need it."""

import os

import pytest
from google.api_core import exceptions

BLOCK = 256 * 1024


@pytest.fixture
def bucket(buckets, name):
    bucket = buckets.create_bucket(f"bucket-{name}")
    yield bucket
    bucket.delete(force=True)


def test_objects_are_put_read_listed_and_deleted(buckets, bucket):
    for path in ("a/1", "a/2", "b it's $5/ü"):
        bucket.blob(path).upload_from_string(path.encode())
    assert bucket.blob("b it's $5/ü").download_as_bytes() == "b it's $5/ü".encode()
    assert bucket.blob("a/1").download_as_bytes(start=1, end=2) == b"/1"
    assert [one.name for one in buckets.list_blobs(bucket, prefix="a/", page_size=1)] == ["a/1", "a/2"]
    folders = buckets.list_blobs(bucket, delimiter="/")
    assert list(folders) == []
    assert folders.prefixes == {"a/", "b it's $5/"}
    bucket.delete_blobs(["a/1", "a/2"])
    with pytest.raises(exceptions.NotFound):
        bucket.blob("a/1").download_as_bytes()


def test_a_large_object_goes_in_pieces_and_is_checked(bucket):
    content = os.urandom(3 * BLOCK + 17)
    blob = bucket.blob("large", chunk_size=BLOCK)
    blob.upload_from_string(content, checksum="crc32c")
    blob.reload()
    assert (blob.size, bool(blob.md5_hash), bool(blob.crc32c)) == (len(content), True, True)
    assert bucket.blob("large").download_as_bytes(checksum="crc32c") == content


def test_preconditions_hold(bucket):
    blob = bucket.blob("once")
    blob.upload_from_string(b"1", if_generation_match=0)
    with pytest.raises(exceptions.PreconditionFailed):
        blob.upload_from_string(b"2", if_generation_match=0)
    assert blob.download_as_bytes() == b"1"


def test_objects_are_copied_and_composed(bucket):
    for path in ("1", "2"):
        bucket.blob(path).upload_from_string(path.encode())
    bucket.copy_blob(bucket.blob("1"), bucket, "copy")
    whole = bucket.blob("whole")
    whole.compose([bucket.blob("copy"), bucket.blob("2")])
    assert whole.download_as_bytes() == b"12"
