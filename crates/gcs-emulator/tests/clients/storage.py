"""PyPI google-cloud-storage against the emulator that STORAGE_EMULATOR_HOST names."""

import base64
import gzip
import hashlib
import io
import os

import google_crc32c
import pytest
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from google.cloud.storage import transfer_manager


@pytest.fixture(scope="module")
def client():
    return storage.Client(project="my-project", credentials=AnonymousCredentials())


@pytest.fixture
def bucket(client, request):
    name = "py-" + hashlib.sha1(request.node.name.encode()).hexdigest()[:16]
    bucket = client.create_bucket(name, location="europe-west1")
    yield bucket
    bucket.delete(force=True)


def test_buckets_have_settings(client, bucket):
    bucket.labels = {"team": "data"}
    bucket.versioning_enabled = True
    bucket.patch()
    again = client.get_bucket(bucket.name)
    assert again.labels == {"team": "data"} and again.versioning_enabled
    assert again.location == "EUROPE-WEST1"
    assert bucket.name in [it.name for it in client.list_buckets()]
    assert client.lookup_bucket("no-such-bucket") is None
    with pytest.raises(exceptions.Conflict):
        client.create_bucket(bucket.name)
    assert bucket.test_iam_permissions(["storage.objects.get"]) == ["storage.objects.get"]
    assert bucket.get_iam_policy().version == 1
    with pytest.raises(exceptions.BadRequest):
        client.create_bucket("Not-a-Bucket")


def test_small_objects_come_back_with_their_sums(bucket):
    blob = bucket.blob("a folder/ü?#%.txt")
    blob.metadata = {"key": "value"}
    blob.upload_from_string("hello", content_type="text/plain", checksum="crc32c", if_generation_match=0)
    assert blob.md5_hash == base64.b64encode(hashlib.md5(b"hello").digest()).decode()
    assert blob.download_as_bytes(checksum="md5") == b"hello"
    assert blob.download_as_bytes(start=1, end=2, checksum=None) == b"el"
    again = bucket.get_blob(blob.name)
    assert again.metadata == {"key": "value"} and again.content_type == "text/plain"
    with pytest.raises(exceptions.PreconditionFailed):
        blob.upload_from_string("other", if_generation_match=0)
    again.metadata = {"other": "1"}
    again.cache_control = "no-store"
    again.patch(if_metageneration_match=again.metageneration)
    assert again.metageneration == 2
    with pytest.raises(exceptions.NotFound):
        bucket.blob("none").download_as_bytes()
    assert not bucket.blob("none").exists()


def test_large_objects_go_in_chunks(bucket):
    content = os.urandom((9 << 20) + 5)
    blob = bucket.blob("chunked", chunk_size=1 << 20)
    blob.upload_from_file(io.BytesIO(content), checksum="crc32c")
    assert blob.size == len(content)
    whole = bucket.blob("chunked")
    assert whole.download_as_bytes(checksum="crc32c") == content
    assert blob.download_as_bytes() == content, "in chunks of 1 MiB"
    crc32c = google_crc32c.Checksum(content).digest()
    whole.reload()
    assert base64.b64decode(whole.crc32c) == crc32c
    with whole.open("rb") as reader:
        reader.seek(5 << 20)
        assert reader.read(7) == content[5 << 20 : (5 << 20) + 7]
    with bucket.blob("written").open("wb", chunk_size=256 << 10) as writer:
        for start in range(0, len(content), 100_000):
            writer.write(content[start : start + 100_000])
    assert bucket.blob("written").download_as_bytes() == content


def test_what_was_compressed_is_unpacked(bucket):
    blob = bucket.blob("packed")
    blob.content_encoding = "gzip"
    packed = gzip.compress(b"plain text" * 100)
    blob.upload_from_string(packed)
    assert blob.download_as_bytes(raw_download=True) == packed
    assert blob.download_as_bytes() == b"plain text" * 100


def test_lists_are_paged_folded_and_matched(client, bucket):
    names = [f"d{folder}/f{number}" for folder in range(3) for number in range(5)] + ["top"]
    for name in names:
        bucket.blob(name).upload_from_string(name)
    assert [it.name for it in bucket.list_blobs(page_size=4)] == names
    folded = bucket.list_blobs(delimiter="/")
    assert [it.name for it in folded] == ["top"] and folded.prefixes == {"d0/", "d1/", "d2/"}
    assert [it.name for it in bucket.list_blobs(match_glob="*/f3")] == ["d0/f3", "d1/f3", "d2/f3"]
    assert len(list(bucket.list_blobs(start_offset="d1", end_offset="d2"))) == 5
    with client.batch():
        for name in names[:5]:
            bucket.delete_blob(name)
    assert len(list(bucket.list_blobs())) == len(names) - 5


def test_objects_are_made_of_objects(bucket):
    parts = [bucket.blob(f"part{number}") for number in range(3)]
    for part in parts:
        part.upload_from_string(part.name * 30_000)
    whole = bucket.blob("whole")
    whole.compose(parts, if_generation_match=0)
    expected = b"".join((f"part{number}" * 30_000).encode() for number in range(3))
    assert whole.download_as_bytes(checksum="crc32c") == expected
    assert whole.component_count == 3 and whole.md5_hash is None
    copy = bucket.copy_blob(whole, bucket, "copy")
    assert copy.size == whole.size
    token, done, total = bucket.blob("rewritten").rewrite(whole)
    assert token is None and done == total == whole.size
    bucket.delete_blobs([copy, *parts])
    assert {it.name for it in bucket.list_blobs()} == {"whole", "rewritten"}
    bucket.blob("rewritten").update_storage_class("NEARLINE")
    assert bucket.get_blob("rewritten").storage_class == "NEARLINE"


def test_old_generations_are_kept_where_wanted(bucket):
    bucket.versioning_enabled = True
    bucket.patch()
    blob = bucket.blob("v")
    blob.upload_from_string("one")
    first = blob.generation
    blob.upload_from_string("two")
    assert bucket.blob("v", generation=first).download_as_bytes() == b"one"
    versions = list(bucket.list_blobs(versions=True))
    assert len(versions) == 2 and versions[0].time_deleted
    for version in versions:
        version.delete()


def test_many_go_side_by_side(bucket, tmp_path):
    names = [f"{number:03}.bin" for number in range(60)]
    for name in names:
        (tmp_path / name).write_bytes(name.encode() * 100)
    results = transfer_manager.upload_many_from_filenames(
        bucket, names, source_directory=str(tmp_path), max_workers=8, worker_type="thread"
    )
    assert not [it for it in results if isinstance(it, Exception)]
    back = tmp_path / "back"
    transfer_manager.download_many_to_path(
        bucket, names, destination_directory=str(back), max_workers=8, worker_type="thread"
    )
    assert all((back / name).read_bytes() == (tmp_path / name).read_bytes() for name in names)
    large = tmp_path / "large"
    large.write_bytes(os.urandom(20 << 20))
    blob = bucket.blob("large")
    blob.upload_from_filename(str(large))
    transfer_manager.download_chunks_concurrently(
        blob, str(back / "large"), chunk_size=4 << 20, max_workers=4, worker_type="thread"
    )
    assert (back / "large").read_bytes() == large.read_bytes()
