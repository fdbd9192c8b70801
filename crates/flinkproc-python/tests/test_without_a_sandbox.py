"""What needs no sandbox: finding the binary, and writing a spec."""

from pathlib import Path

import pytest

from flinkproc import BinaryNotFound, find_binary
from flinkproc.sandbox import to_toml


def executable(path: Path) -> Path:
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_the_named_binary_goes_before_the_path(tmp_path: Path) -> None:
    on_path = executable(tmp_path / "flinkproc")
    named = executable(tmp_path / "other")
    environment = {"PATH": str(tmp_path)}
    assert find_binary(environment) == on_path
    assert find_binary({**environment, "FLINKPROC_BIN": str(named)}) == named


def test_a_missing_binary_is_told_with_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(BinaryNotFound, match="FLINKPROC_BIN is not set"):
        find_binary({"PATH": str(tmp_path)})
    with pytest.raises(BinaryNotFound, match="FLINKPROC_BIN is /no/where"):
        find_binary({"PATH": str(tmp_path), "FLINKPROC_BIN": "/no/where"})


@pytest.mark.parametrize(
    "text", ["plain", "", "it's $5", 'a "b" \\ c', "line\nbreak\ttab", "\x01\x7f", "ünï 漢字 🎈"]
)
def test_any_text_goes_through_toml(text: str) -> None:
    tomllib = pytest.importorskip("tomllib")
    spec = {"job": {"args": [text], "flink_config": {"a.b": text}}, "cluster": {"workers": 1}}
    assert tomllib.loads(to_toml(spec)) == spec
