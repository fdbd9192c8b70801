"""Fixtures for tests of PyFlink jobs: a sandbox, a cluster in it, and a way to run a job there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from flinkproc.run import Run
from flinkproc.sandbox import Cluster, Sandbox


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds ``--flinkproc-sandbox``."""
    group = parser.getgroup("flinkproc")
    group.addoption(
        "--flinkproc-sandbox",
        metavar="NAME",
        default=None,
        help="use the flinkproc sandbox of this name, and leave it running",
    )


@pytest.fixture(scope="session")
def flinkproc_sandbox(pytestconfig: pytest.Config) -> Iterator[Sandbox]:
    """A running sandbox, ended with the session.

    It has a name of its own, so that sessions side by side do not share one. ``--flinkproc-sandbox NAME`` takes the one of
    that name and leaves it running.
    """
    named = pytestconfig.getoption("--flinkproc-sandbox")
    if named is not None:
        yield Sandbox.up(named)
        return
    with Sandbox.up(f"pytest-{os.getpid()}") as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def flinkproc_cluster(flinkproc_sandbox: Sandbox) -> Iterator[Cluster]:
    """A cluster of one machine, which all jobs of the session share."""
    cluster = flinkproc_sandbox.make_cluster()
    yield cluster
    cluster.delete()


@pytest.fixture
def run_pyflink(flinkproc_cluster: Cluster) -> Callable[..., Run]:
    """Runs a PyFlink script on the session's cluster; takes what :meth:`flinkproc.Cluster.run` takes."""
    return flinkproc_cluster.run
