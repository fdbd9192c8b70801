"""Runs flinkproc's launcher under spark-submit: no Spark session, its exit status, its end on SIGTERM or with Spark's driver."""
import base64
import ctypes
import os
import signal
import subprocess
import sys
import tempfile

SCRIPT = "@SCRIPT@"
PR_SET_PDEATHSIG = 1


def tie_to_parent():
    """Asks the kernel for SIGTERM when whoever started us is gone: spark-submit does not end its Python."""
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    except (OSError, AttributeError):
        pass


def clean_environment():
    """The environment without Spark's and Python's variables, which would mislead Flink's own Python."""
    foreign = ("SPARK_", "PYSPARK_", "PYTHON")
    return {name: value for name, value in os.environ.items() if not name.lstrip("_").startswith(foreign)}


def main():
    parent = os.getppid()
    tie_to_parent()
    if os.getppid() != parent:
        return 143
    ended = []
    child = None

    def end(number, frame):
        ended.append(number)
        if child is not None and child.poll() is None:
            child.send_signal(signal.SIGTERM)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, end)
    handle, path = tempfile.mkstemp(prefix="flinkproc-", suffix=".sh")
    try:
        with os.fdopen(handle, "wb") as script:
            script.write(base64.b64decode(SCRIPT))
        if ended:
            return 143
        child = subprocess.Popen(
            ["bash", path],
            stdin=subprocess.DEVNULL,
            env=clean_environment(),
            preexec_fn=tie_to_parent,
        )
        if ended:
            child.send_signal(signal.SIGTERM)
        status = child.wait()
    finally:
        os.unlink(path)
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
