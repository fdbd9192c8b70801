"""Finds the ``flinkproc`` binary and runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class FlinkprocError(Exception):
    """``flinkproc`` failed; the message is what it said."""

    def __init__(self, arguments: Sequence[str], code: int, said: str) -> None:
        super().__init__(f"flinkproc {' '.join(arguments)} ended with {code}:\n{said.strip()}")
        self.code = code
        """The exit code, as docs/exit-codes.md has them."""


class BinaryNotFound(Exception):
    """There is no ``flinkproc`` binary."""


def find_binary(environment: Mapping[str, str] | None = None) -> Path:
    """The binary that ``FLINKPROC_BIN`` names, else the one on ``PATH``."""
    environment = os.environ if environment is None else environment
    named = environment.get("FLINKPROC_BIN")
    found = shutil.which(named or "flinkproc", path=environment.get("PATH"))
    if found is None:
        where = f"FLINKPROC_BIN is {named}" if named else "it is not on PATH, and FLINKPROC_BIN is not set"
        raise BinaryNotFound(f"no flinkproc binary: {where}")
    return Path(found)


@dataclass(frozen=True)
class Finished:
    """What a run of the binary said."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Binary:
    """The binary, with the environment that it is run in."""

    path: Path
    environment: Mapping[str, str]

    @classmethod
    def find(cls, environment: Mapping[str, str] | None = None) -> Binary:
        """The binary of this environment, by default this process's own."""
        environment = dict(os.environ if environment is None else environment)
        # A sandbox is found by its name; addresses of another emulator would lead away from it.
        for name in ("DATAPROC", "COMPUTE", "STORAGE"):
            environment.pop(f"FLINKPROC_{name}_ENDPOINT", None)
        return cls(find_binary(environment), environment)

    def run(self, *arguments: str, cwd: Path | None = None, timeout: float | None = None) -> Finished:
        """Runs it to its end, whatever that is."""
        command = [str(self.path), *arguments]
        # The binary ends what it made when it is asked to; a killed one could not.
        with subprocess.Popen(
            command,
            cwd=cwd,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
        ) as process:
            try:
                out, err = process.communicate(timeout=timeout)
            except BaseException:
                process.terminate()
                try:
                    process.communicate(timeout=60)
                except subprocess.TimeoutExpired:
                    process.kill()
                raise
        return Finished(process.returncode, out, err)

    def json(self, *arguments: str, timeout: float | None = None) -> Any:
        """Runs it, and gives its result as a value; raises :class:`FlinkprocError` when it fails."""
        done = self.run(*arguments, "--output", "json", timeout=timeout)
        if done.code != 0:
            raise FlinkprocError(arguments, done.code, done.err)
        return json.loads(done.out)
