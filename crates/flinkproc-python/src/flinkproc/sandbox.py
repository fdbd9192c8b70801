"""Sandboxes, and clusters in them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from flinkproc.binary import Binary, FlinkprocError
from flinkproc.run import ResultObject, Run

START = 1800.0
"""How long a sandbox may take to start, in seconds: the first one fetches YARN and Flink."""
JOB = 600.0
"""How long a job may take where nothing else is said, in seconds."""


@dataclass(frozen=True)
class Sandbox:
    """A sandbox that runs. As a context manager it is ended at the end of the block."""

    binary: Binary
    name: str
    record: Mapping[str, Any]
    """What ``flinkproc sandbox up --output json`` says of it."""

    @classmethod
    def up(
        cls,
        name: str = "default",
        *,
        options: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> Sandbox:
        """Starts the sandbox of a name, or finds the one that runs."""
        binary = Binary.find(environment)
        record = binary.json("sandbox", "up", "--name", name, *options, timeout=START)
        return cls(binary, name, record)

    @property
    def dataproc(self) -> str:
        """The endpoint of Dataproc's API."""
        return str(self.record["dataproc"])

    @property
    def compute(self) -> str:
        """The endpoint of Compute Engine's API."""
        return str(self.record["compute"])

    @property
    def storage(self) -> str:
        """The endpoint of Cloud Storage's API."""
        return str(self.record["storage"])

    def variables(self) -> dict[str, str]:
        """The variables that point gcloud, Google's clients and flinkproc at it."""
        found: dict[str, str] = self.binary.json("sandbox", "vars", "--name", self.name)
        return found

    def clusters(self) -> list[dict[str, Any]]:
        """Its clusters, as ``flinkproc sandbox status`` has them."""
        rows = self.binary.json("sandbox", "status", "--name", self.name)
        return [cluster for row in rows for cluster in row["clusters"]]

    def make_cluster(self, workers: int = 0) -> Cluster:
        """Makes a cluster that stays until it is deleted, or the sandbox ends; without workers, the master works itself."""
        spec = {
            "job": {"script": "none.py"},
            "cluster": {"workers": workers, "prefix": "pytest", "max_age": "1d"},
        }
        with tempfile.TemporaryDirectory(prefix="flinkproc-") as folder:
            Path(folder, "none.py").write_text("# No job runs: only the cluster is made.\n", encoding="utf-8")
            Path(folder, "flinkproc.toml").write_text(to_toml(spec), encoding="utf-8")
            arguments = ["deploy", folder, f"--sandbox={self.name}", "--until", "create-cluster"]
            answer = self.binary.json(*arguments, timeout=START)
        outcome = answer["outcome"]
        return Cluster(self, str(outcome["cluster"]["name"]), str(outcome["deployment"]))

    def run(self, *arguments: Any, **options: Any) -> Run:
        """Runs a job on a cluster of its own; see :meth:`Cluster.run`."""
        return _run(self, None, *arguments, **options)

    def down(self) -> None:
        """Ends it with everything in it; may be repeated."""
        self.binary.json("sandbox", "down", "--name", self.name, timeout=300)

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.down()


@dataclass(frozen=True)
class Cluster:
    """A cluster of a sandbox."""

    sandbox: Sandbox
    name: str
    deployment: str
    """The deployment that made it."""

    def run(
        self,
        script: str | Path,
        *,
        args: Sequence[str] = (),
        result: str | None = None,
        python_files: Sequence[str | Path] = (),
        inputs: Sequence[str | Path] = (),
        flink_config: Mapping[str, str] | None = None,
        timeout: float = JOB,
    ) -> Run:
        """Runs a PyFlink script to its end.

        ``args`` reach the script's ``sys.argv`` byte for byte, but that ``${staging}`` stands for the job's own folder in the
        bucket; objects below ``result`` are brought home; ``inputs`` are put below ``${staging}/input/`` first. A job that
        fails is a :class:`Run` too; :class:`flinkproc.FlinkprocError` is raised when there was none.
        """
        return _run(
            self.sandbox,
            self.name,
            script,
            args=args,
            result=result,
            python_files=python_files,
            inputs=inputs,
            flink_config=flink_config,
            timeout=timeout,
        )

    def delete(self) -> None:
        """Deletes it; may be repeated."""
        self.sandbox.binary.json("down", self.deployment, timeout=300)


def _run(
    sandbox: Sandbox,
    cluster: str | None,
    script: str | Path,
    *,
    args: Sequence[str] = (),
    result: str | None = None,
    python_files: Sequence[str | Path] = (),
    inputs: Sequence[str | Path] = (),
    flink_config: Mapping[str, str] | None = None,
    timeout: float = JOB,
) -> Run:
    def whole(path: str | Path) -> str:
        return str(Path(path).resolve())

    job: dict[str, Any] = {"script": whole(script), "args": list(args)}
    if result is not None:
        job["result"] = result
    if python_files:
        job["python_files"] = [whole(path) for path in python_files]
    if flink_config:
        job["flink_config"] = dict(flink_config)
    spec: dict[str, Any] = {"job": job, "watch": {"deadline": f"{max(60, int(timeout))}s"}}
    spec["cluster"] = {"workers": 0} if cluster is None else {"existing": cluster}
    if inputs:
        spec["staging"] = {"input": [{"from": whole(path)} for path in inputs]}
    with tempfile.TemporaryDirectory(prefix="flinkproc-") as folder:
        Path(folder, "flinkproc.toml").write_text(to_toml(spec), encoding="utf-8")
        arguments = ["deploy", folder, f"--sandbox={sandbox.name}", "--output", "json"]
        # The deadline is the binary's own; this is for one that hangs.
        done = sandbox.binary.run(*arguments, timeout=timeout + 300)
    try:
        answer = json.loads(done.out)
        outcome = answer["outcome"]
    except (ValueError, KeyError):
        raise FlinkprocError(arguments, done.code, done.err) from None
    logs = Path(outcome["logs"]) if outcome.get("logs") else Path()
    output = [logs / name for name in sorted(_names(logs)) if name.startswith("launcher")]
    cause = outcome.get("cause") or {}
    found = tuple(
        ResultObject(one["uri"], Path(one["local"])) for one in outcome.get("result", []) if one.get("local")
    )
    return Run(
        deployment=outcome["deployment"],
        verdict=_verdict(outcome),
        exit_code=done.code,
        output="".join(path.read_text(encoding="utf-8", errors="replace") for path in output),
        objects=found,
        logs=logs,
        cause=cause.get("headline"),
        told=done.err,
        outcome=outcome,
    )


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []


def _verdict(outcome: Mapping[str, Any]) -> str:
    """The verdict's name: a text where it says no more, else the key of what it says."""
    conclusion = outcome.get("conclusion")
    ended = conclusion.get("ended") if isinstance(conclusion, dict) else None
    verdict = ended.get("verdict") if isinstance(ended, dict) else None
    if isinstance(verdict, dict):
        verdict = next(iter(verdict), None)
    return str(verdict) if verdict else "none"


def to_toml(value: Mapping[str, Any]) -> str:
    """A spec as TOML; its strings and lists are written as JSON, which TOML reads alike."""
    lines: list[str] = []
    for table, entries in value.items():
        lines.append(f"[{table}]")
        lines.extend(f"{_key(key)} = {_value(entry)}" for key, entry in entries.items())
    return "\n".join(lines) + "\n"


def _key(key: str) -> str:
    return json.dumps(key)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(key)} = {_value(entry)}" for key, entry in value.items())
        return "{ " + inner + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(entry) for entry in value) + "]"
    if isinstance(value, str):
        # JSON writes characters beyond the first plane as two escapes, which TOML refuses; and leaves DEL as it is.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)
