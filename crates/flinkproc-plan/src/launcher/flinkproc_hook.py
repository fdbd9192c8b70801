"""flinkproc's hook: Python loads it at its start, wherever the job's Python runs, and it sets the job's variables.

It carries names of secrets and no value: each process fetches those with its machine's own token, so that none is on a
disk, in Flink's configuration or in YARN's. Works with Python 3.6 and later.
"""


def _fetch(versions):
    import base64
    import json
    import os
    import time
    import urllib.error
    import urllib.request

    def call(url, headers):
        for turn in range(6):
            try:
                request = urllib.request.Request(url, headers=headers)
                with urllib.request.urlopen(request, timeout=30) as answer:
                    return json.loads(answer.read().decode("utf-8"))
            except urllib.error.HTTPError as error:
                if turn == 5 or (error.code < 500 and error.code not in (408, 429)):
                    raise
            except OSError:
                if turn == 5:
                    raise
            time.sleep(min(2 ** turn, 8))

    endpoint = "@SECRET_MANAGER@" or os.environ.get("FLINKPROC_SECRET_MANAGER_ENDPOINT", "")
    host = "@METADATA@" or os.environ.get("GCE_METADATA_HOST", "")
    headers = {}
    # An emulator may stand where there is no metadata server.
    if host or not endpoint:
        url = "http://%s/computeMetadata/v1/instance/service-accounts/default/token"
        token = call(url % (host or "metadata.google.internal"), {"Metadata-Flavor": "Google"})
        headers["Authorization"] = "Bearer " + token["access_token"]
    endpoint = (endpoint or "https://secretmanager.googleapis.com").rstrip("/")
    values = {}
    for name, version in sorted(versions.items()):
        try:
            answer = call("%s/v1/%s:access" % (endpoint, version), headers)
        except (OSError, ValueError) as error:
            raise OSError("cannot read %s: %s" % (version, error))
        values[name] = base64.b64decode(answer["payload"]["data"]).decode("utf-8")
    return values


def _set_variables():
    import base64
    import json
    import os
    import sys

    wish = json.loads(base64.b64decode("@WISH@").decode("utf-8"))
    # A child has its parent's variables, with what the program made of them.
    if os.environ.get("FLINKPROC_VARIABLES") == wish["tag"]:
        return
    try:
        values = _fetch(wish["secrets"]) if wish["secrets"] else {}
    except Exception as error:
        sys.stderr.write("flinkproc: %s\n" % error)
        sys.stderr.flush()
        # An exception here would only be noted by Python, which then goes on without the variables.
        os._exit(1)
    os.environ.update(wish["env"])
    os.environ.update(values)
    os.environ["FLINKPROC_VARIABLES"] = wish["tag"]


def _load_next():
    """The interpreter's own module of this name, which ours hides."""
    import importlib.machinery
    import importlib.util
    import os
    import sys

    own = os.path.realpath(os.path.dirname(__file__))
    rest = [path for path in sys.path if os.path.realpath(path or ".") != own]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", rest)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)


_set_variables()
if __name__ == "sitecustomize":
    try:
        _load_next()
    except Exception as problem:
        import sys

        sys.stderr.write("flinkproc: the interpreter's own sitecustomize: %s\n" % problem)
