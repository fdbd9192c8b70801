"""The check itself: what it lets pass, and what it has to find."""

import json

import pytest

import strict

REGION = "/v1/projects/p/regions/r"
CLUSTER = {"projectId": "p", "clusterName": "c", "config": {}}
OPERATION = {"name": "projects/p/regions/r/operations/o", "done": False}
ERROR = {"error": {"code": 404, "message": "no", "status": "NOT_FOUND", "details": []}}


def found(method, path, body=None, answer=None, status=200):
    texts = [None if value is None else json.dumps(value) for value in (body, answer)]
    call = {"by": "x", "method": method, "target": path, "body": texts[0], "answer": texts[1], "status": status}
    return [what for what, _ in strict.problems(call)]


@pytest.mark.parametrize(
    "body, answer, expected",
    [
        (CLUSTER, OPERATION, []),
        ({**CLUSTER, "clusterNme": "c"}, OPERATION, ["body"]),
        ({**CLUSTER, "config": {"lifecycleConfig": {"idleDeleteTtl": "10m"}}}, OPERATION, ["body"]),
        ({**CLUSTER, "config": {"secondaryWorkerConfig": {"preemptibility": "CHEAP"}}}, OPERATION, ["body"]),
        (CLUSTER, {**OPERATION, "state": "RUNNING"}, ["answer"]),
        (CLUSTER, {**OPERATION, "metadata": {"@type": "type.googleapis.com/google.protobuf.Empty", "a": 1}}, ["answer"]),
    ],
)
def test_bodies_and_answers(body, answer, expected):
    assert found("POST", f"{REGION}/clusters", body, answer) == expected


@pytest.mark.parametrize(
    "mask, expected",
    [
        ("labels,config.worker_config.num_instances", []),
        ("config.workerConfig.numInstances", []),
        ("config.labels", ["mask"]),
        ("config.worker_config.num_instances.more", ["mask"]),
    ],
)
def test_masks(mask, expected):
    assert found("PATCH", f"{REGION}/clusters/c?updateMask={mask}", CLUSTER, OPERATION) == expected


def test_errors_and_calls_that_nobody_has():
    path = f"{REGION}/clusters/c"
    assert found("GET", path, answer=ERROR, status=404) == []
    assert found("GET", path, answer={"error": {**ERROR["error"], "status": 404}}, status=404) == ["answer"]
    assert found("GET", path, answer={"message": "no"}, status=404) == ["answer"]
    assert found("GET", f"{REGION}/clusters/c/nodes", answer={}) == ["call"]


def test_compute():
    path = "/compute/v1/projects/p/zones/z/instances/i"
    assert found("GET", path, answer={"id": "1", "networkInterfaces": [{"networkIP": "10.0.0.2"}]}) == []
    assert found("GET", path, answer={"networkInterfaces": [{"networkIp": "10.0.0.2"}]}) == ["answer"]
    assert found("POST", f"{path}/setMetadata", {"items": [{"k": "a"}]}, {"name": "o"}) == ["body"]
