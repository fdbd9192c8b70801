"""Objects by gcloud: small, many and large."""

import hashlib
import os


def test_objects_go_and_come(gcloud, name, tmp_path):
    bucket = f"gs://bucket-{name}"
    gcloud("storage", "buckets", "create", bucket)
    small = tmp_path / "it's small.txt"
    small.write_text("hello\n")
    gcloud("storage", "cp", small, f"{bucket}/one.txt")
    assert gcloud("storage", "cat", f"{bucket}/one.txt").out == "hello\n"

    many = tmp_path / "many"
    many.mkdir()
    for number in range(50):
        (many / f"{number}.txt").write_text(str(number))
    gcloud("storage", "cp", "-r", many, bucket)
    listed = gcloud("storage", "ls", f"{bucket}/many/").out.split()
    assert len(listed) == 50 and f"{bucket}/many/49.txt" in listed

    large, back = tmp_path / "large", tmp_path / "back"
    large.write_bytes(os.urandom(1 << 20) * 100)
    gcloud("storage", "cp", large, f"{bucket}/large")
    gcloud("storage", "cp", f"{bucket}/large", back)
    digest = [hashlib.sha256(path.read_bytes()).digest() for path in (large, back)]
    assert digest[0] == digest[1]

    gcloud("storage", "rm", "-r", bucket)
    assert gcloud("storage", "ls", bucket, code=1).err
