"""Makes a machine whose Python knows nothing of PyFlink, beside a Flink as its distribution has it.

Usage: bare_python.py FOLDER, run by the interpreter that has PyFlink. Makes `FOLDER/python`, a virtual environment of the
same interpreter with nothing in it, and `FOLDER/flink-opt`: the jars of Flink's folder `opt`, and in `python/` the archives
that the distribution has there and PyPI's package of it lacks.
"""

import os
import sys
import venv
import zipfile
from importlib.metadata import version

import cloudpickle
import py4j
import pyflink

NOT_PYTHON = {"bin", "conf", "examples", "lib", "licenses", "log", "opt", "plugins", "__pycache__"}


def archive(path, package):
    root = os.path.dirname(package.__file__)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as target:
        for folder, folders, files in os.walk(root):
            folders[:] = sorted(name for name in folders if name not in NOT_PYTHON)
            for name in sorted(files):
                if name.endswith(".py"):
                    file = os.path.join(folder, name)
                    target.write(file, os.path.relpath(file, os.path.dirname(root)))


def main(folder):
    venv.EnvBuilder(symlinks=True, with_pip=False).create(os.path.join(folder, "python"))
    opt = os.path.join(folder, "flink-opt")
    python = os.path.join(opt, "python")
    os.makedirs(python)
    jars = os.path.join(os.path.dirname(pyflink.__file__), "opt")
    for name in os.listdir(jars):
        if name.endswith(".jar"):
            os.symlink(os.path.join(jars, name), os.path.join(opt, name))
    archive(os.path.join(python, "pyflink.zip"), pyflink)
    for package in (py4j, cloudpickle):
        name = package.__name__
        archive(os.path.join(python, f"{name}-{version(name)}-src.zip"), package)


if __name__ == "__main__":
    main(sys.argv[1])
