"""PyFlink jobs on a Dataproc of this machine.

:class:`Sandbox` starts, finds and ends a sandbox; :class:`Cluster` is a cluster in one; :class:`Run` is what a job came to.
The pytest plugin in :mod:`flinkproc.pytest_plugin` makes fixtures of them.
"""

from flinkproc.binary import BinaryNotFound, FlinkprocError, find_binary
from flinkproc.run import Run, ResultObject
from flinkproc.sandbox import Cluster, Sandbox

__all__ = [
    "BinaryNotFound",
    "Cluster",
    "FlinkprocError",
    "ResultObject",
    "Run",
    "Sandbox",
    "find_binary",
]
