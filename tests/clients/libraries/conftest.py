"""Google's own clients, pointed at the emulators that the environment names."""

import contextlib
import os
import time
import uuid

import pytest
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import compute_v1, dataproc_v1, oslogin_v1, storage

PROJECT, REGION = "my-project", "europe-west1"


@pytest.fixture(scope="session")
def api():
    return os.environ["DATAPROC_EMULATOR"]


@pytest.fixture(scope="session")
def client(api):
    """Makes a client of any class of Google's that speaks REST."""

    def make(kind):
        options = {"api_endpoint": api}
        return kind(transport="rest", credentials=AnonymousCredentials(), client_options=options)

    return make


@pytest.fixture(scope="session")
def clusters(client):
    return client(dataproc_v1.ClusterControllerClient)


@pytest.fixture(scope="session")
def jobs(client):
    return client(dataproc_v1.JobControllerClient)


@pytest.fixture(scope="session")
def policies(client):
    return client(dataproc_v1.AutoscalingPolicyServiceClient)


@pytest.fixture(scope="session")
def templates(client):
    return client(dataproc_v1.WorkflowTemplateServiceClient)


@pytest.fixture(scope="session")
def instances(client):
    return client(compute_v1.InstancesClient)


@pytest.fixture(scope="session")
def projects(client):
    return client(compute_v1.ProjectsClient)


@pytest.fixture(scope="session")
def os_login(client):
    return client(oslogin_v1.OsLoginServiceClient)


@pytest.fixture(scope="session")
def buckets():
    """Cloud Storage's client; its endpoint is in STORAGE_EMULATOR_HOST, which it reads itself."""
    return storage.Client(project=PROJECT, credentials=AnonymousCredentials())


@pytest.fixture
def name():
    """A name that no other test uses."""
    return f"t{uuid.uuid4().hex[:10]}"


@pytest.fixture
def where():
    return {"project_id": PROJECT, "region": REGION}


@pytest.fixture
def parent():
    return f"projects/{PROJECT}/regions/{REGION}"


def body(name, **config):
    """A small cluster."""
    software = {"image_version": "2.2-debian12", "optional_components": ["FLINK"]}
    config = {"software_config": software, **config}
    return {"project_id": PROJECT, "cluster_name": name, "config": config}


@pytest.fixture
def make(clusters, where):
    """Makes clusters, and deletes those that are left."""
    made = []

    def create(name, **config):
        made.append(name)
        request = {**where, "cluster": body(name, **config), "request_id": str(uuid.uuid4())}
        return clusters.create_cluster(request=request).result(timeout=60)

    yield create
    left = {one.cluster_name for one in clusters.list_clusters(request=where)}
    for one in left.intersection(made):
        clusters.delete_cluster(request={**where, "cluster_name": one}).result(timeout=60)


@pytest.fixture
def until():
    """Asks until the answer is so."""

    def ask(question, is_so, patience=60):
        deadline = time.monotonic() + patience
        while not is_so(answer := question()):
            assert time.monotonic() < deadline, answer
            time.sleep(0.05)
        return answer

    return ask


@pytest.fixture
def refused():
    """A context in which the service refuses with this status, in the JSON form of google.rpc.Status."""

    @contextlib.contextmanager
    def expect(status):
        with pytest.raises(exceptions.GoogleAPICallError) as caught:
            yield
        error = caught.value.response.json()["error"]
        assert (error["status"], error["code"]) == (status, caught.value.code), error
        assert error["message"]

    return expect
