# Run by the environment's own interpreter: everything it uses must come from its own folder.
import os, sys
root = os.path.realpath(sys.argv[1])
import bz2, ctypes, hashlib, json, lzma, sqlite3, ssl, uuid, zlib
import pyflink
if sys.argv[2]:
    import apache_beam, numpy, pandas, pyarrow
    from pyflink.common import Row
    from pyflink.datastream import StreamExecutionEnvironment
    from pyflink.fn_execution import flink_fn_execution_pb2
    from pyflink.fn_execution.beam import beam_sdk_worker_main
    from pyflink.table import TableEnvironment
    runner = os.path.join(os.path.dirname(pyflink.__file__), "bin", "pyflink-udf-runner.sh")
    assert os.access(runner, os.X_OK), runner + " cannot be executed"
for path in [sys.prefix, sys.exec_prefix, sys.executable, *sys.path]:
    below = os.path.realpath(path)
    assert below == root or below.startswith(root + os.sep), path + " is not in the environment"
own = ("ld-linux", "ld-", "libc.", "libc-", "libm.", "libm-", "libdl", "libpthread", "librt", "libutil", "libresolv", "libgcc_s", "libstdc++", "libnss_")
with open("/proc/self/maps") as maps:
    for line in maps:
        path = line.rstrip("\n").split(None, 5)[5:]
        if path and path[0].startswith("/") and ".so" in path[0]:
            name = os.path.basename(path[0])
            assert path[0].startswith(root + os.sep) or name.startswith(own), path[0] + " is not in the environment"
