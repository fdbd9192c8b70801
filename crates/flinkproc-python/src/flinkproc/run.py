"""What a job came to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class ResultObject:
    """An object below the job's result address, brought home."""

    uri: str
    path: Path

    def read_bytes(self) -> bytes:
        """Its content."""
        return self.path.read_bytes()

    def read_text(self) -> str:
        """Its content as UTF-8."""
        return self.path.read_text(encoding="utf-8")


@dataclass(frozen=True)
class Run:
    """A PyFlink job that has ended, well or not."""

    deployment: str
    """The deployment's id."""
    verdict: str
    """``succeeded``, ``failed``, ``cancelled``, ``client-failed``, ``not-submitted``, ``unknown`` …; ``none`` without a verdict."""
    exit_code: int
    """The exit code of ``flinkproc``: 0 only when the job has succeeded."""
    output: str
    """What the driver printed, standard output and standard error."""
    objects: tuple[ResultObject, ...]
    """What the job wrote below ``result``."""
    logs: Path
    """The folder of the logs: the driver's and YARN's."""
    cause: str | None
    """Why it failed, from its logs."""
    told: str
    """What ``flinkproc`` told meanwhile."""
    outcome: dict[str, Any]
    """The whole outcome as ``flinkproc deploy --output json`` gives it."""

    @property
    def succeeded(self) -> bool:
        """Whether the job has run and succeeded."""
        return self.exit_code == 0

    def text(self) -> str:
        """The result's objects one after the other, as UTF-8, in the order of their addresses."""
        return "".join(one.read_text() for one in sorted(self.objects, key=lambda one: one.uri))

    def log(self, name: str) -> str:
        """One of the saved logs, such as ``launcher-1.err``."""
        return (self.logs / name).read_text(encoding="utf-8", errors="replace")

    def explain(self) -> str:
        """Everything that tells why it ended as it did, for the message of an assertion."""
        parts = [f"verdict: {self.verdict} (exit code {self.exit_code})"]
        if self.cause:
            parts.append(f"cause: {self.cause}")
        parts.append(f"told:\n{self.told.strip()}")
        return "\n".join(parts)
