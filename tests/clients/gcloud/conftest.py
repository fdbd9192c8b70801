"""The `gcloud` of this machine, pointed at the emulators that the environment names, away from its user's settings."""

import json
import os
import subprocess
import uuid

import pytest

PROJECT, REGION, ZONE = "my-project", "europe-west1", "europe-west1-b"


class Ran:
    """What a run of gcloud came to."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def json(self):
        return json.loads(self.out)


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def environment(home):
    api, storage = (os.environ.get(name, "") for name in ("DATAPROC_EMULATOR", "STORAGE_EMULATOR_HOST"))
    # What `flinkproc sandbox vars` told, where the services are a sandbox's.
    told = json.loads(os.environ.get("SANDBOX_VARS", "{}"))
    return {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "CLOUDSDK_CONFIG": str(home / "gcloud"),
        "CLOUDSDK_CORE_PROJECT": PROJECT,
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1",
        "CLOUDSDK_CORE_CHECK_GCE_METADATA": "0",
        "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "1",
        "CLOUDSDK_SURVEY_DISABLE_PROMPTS": "1",
        "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "1",
        "CLOUDSDK_DATAPROC_REGION": REGION,
        "CLOUDSDK_COMPUTE_ZONE": ZONE,
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_DATAPROC": f"{api}/",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE": f"{api}/compute/v1/",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_OSLOGIN": f"{api}/",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE": f"{storage}/storage/v1/",
        **told,
    }


@pytest.fixture(scope="session")
def gcloud(environment):
    """Runs gcloud to its end, and fails with all that it said where the exit code is another than expected."""

    def run(*arguments, code=0, patience=120, env=None, **more):
        command = ["gcloud", *map(str, arguments)]
        given = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, **more}
        ran = subprocess.run(command, env={**environment, **(env or {})}, timeout=patience, **given)
        said = f"{' '.join(command)}\nended with {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
        assert code is None or ran.returncode == code, said
        return Ran(ran.returncode, ran.stdout, ran.stderr)

    return run


@pytest.fixture(scope="session")
def dataproc(gcloud):
    return lambda *arguments, **more: gcloud("dataproc", *arguments, **more)


@pytest.fixture(scope="module")
def cluster(dataproc):
    """A small cluster of the module."""
    name = f"g{uuid.uuid4().hex[:10]}"
    dataproc("clusters", "create", name, "--image-version=2.2-debian12", "--optional-components=FLINK")
    yield name
    dataproc("clusters", "delete", name)


@pytest.fixture
def name():
    return f"g{uuid.uuid4().hex[:10]}"
