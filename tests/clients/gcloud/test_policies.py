"""Autoscaling policies and workflow templates by gcloud."""

import json

import pytest

POLICY = """
basicAlgorithm:
  cooldownPeriod: 240s
  yarnConfig:
    gracefulDecommissionTimeout: 3600s
    scaleDownFactor: 1.0
    scaleUpFactor: 0.5
workerConfig:
  minInstances: 2
  maxInstances: 5
secondaryWorkerConfig:
  maxInstances: 10
"""

WORKFLOW = """
jobs:
- stepId: first
  pigJob: {queryList: {queries: ["sh true"]}}
- stepId: second
  prerequisiteStepIds: [first]
  hadoopJob: {mainClass: org.example.Main, args: ["it's $5"]}
placement:
  managedCluster:
    clusterName: from-file
    config: {softwareConfig: {imageVersion: 2.2-debian12}}
"""


@pytest.fixture
def policy(dataproc, name, tmp_path):
    """A policy, imported from a file."""
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    dataproc("autoscaling-policies", "import", name, f"--source={file}")
    yield name
    dataproc("autoscaling-policies", "delete", name)


def test_a_policy_is_kept_and_used(dataproc, policy):
    described = dataproc("autoscaling-policies", "describe", policy, "--format=json").json()
    assert described["workerConfig"]["maxInstances"] == 5
    assert described["basicAlgorithm"]["yarnConfig"]["scaleUpFactor"] == 0.5
    listed = dataproc("autoscaling-policies", "list", "--format=value(id)")
    assert policy in listed.out.split()
    dataproc("clusters", "create", policy, f"--autoscaling-policy={policy}")
    cluster = dataproc("clusters", "describe", policy, "--format=json").json()
    uri = cluster["config"]["autoscalingConfig"]["policyUri"]
    assert uri.endswith(f"/autoscalingPolicies/{policy}")
    refused = dataproc("autoscaling-policies", "delete", policy, code=1)
    assert "FAILED_PRECONDITION" in refused.err
    dataproc("clusters", "delete", policy)


def test_a_template_is_made_and_run(dataproc, name):
    templates = ("workflow-templates",)
    dataproc(*templates, "create", name)
    chosen = (f"--cluster-name={name}", "--image-version=2.2-debian12", "--num-workers=2")
    dataproc(*templates, "set-managed-cluster", name, *chosen)
    step = (f"--workflow-template={name}", "--step-id=first", "--execute=sh true")
    dataproc(*templates, "add-job", "pig", *step)
    described = dataproc(*templates, "describe", name, "--format=json").json()
    assert [one["stepId"] for one in described["jobs"]] == ["first"]
    assert described["placement"]["managedCluster"]["clusterName"] == name
    assert name in dataproc(*templates, "list", "--format=value(id)").out.split()
    dataproc(*templates, "instantiate", name)
    dataproc(*templates, "delete", name)
    assert "NOT_FOUND" in dataproc(*templates, "describe", name, code=1).err
    left = dataproc("clusters", "list", "--format=value(clusterName)").out.split()
    assert not [one for one in left if one.startswith(name)]


def test_a_workflow_from_a_file(dataproc, tmp_path):
    file = tmp_path / "workflow.yaml"
    file.write_text(WORKFLOW)
    dataproc("workflow-templates", "instantiate-from-file", f"--file={file}")
    listed = dataproc("operations", "list", "--format=json").json()
    workflows = [one for one in listed if "WorkflowMetadata" in json.dumps(one["metadata"])]
    states = [node["state"] for one in workflows for node in one["metadata"]["graph"]["nodes"]]
    assert states and set(states) == {"COMPLETED"}
