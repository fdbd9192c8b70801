"""Workflow templates by `google-cloud-dataproc`."""

import pytest
from google.cloud import dataproc_v1

Graph = dataproc_v1.WorkflowMetadata.State
Node = dataproc_v1.WorkflowNode.NodeState

FIRST = {"step_id": "first", "pig_job": {"query_list": {"queries": ["sh true"]}}}
SECOND = {
    "step_id": "second",
    "prerequisite_step_ids": ["first"],
    "flink_job": {"main_jar_file_uri": "gs://code/job.jar", "args": ["--day", "0"]},
}


def template(name, **placement):
    if not placement:
        software = {"image_version": "2.2-debian12", "optional_components": ["FLINK"]}
        managed = {"cluster_name": name, "config": {"software_config": software}}
        placement = {"managed_cluster": managed}
    parameter = {"name": "DAY", "fields": ["jobs['second'].flinkJob.args[1]"], "validation": {"regex": {"regexes": ["[0-9]+"]}}}
    return {"id": name, "placement": placement, "jobs": [FIRST, SECOND], "parameters": [parameter]}


@pytest.fixture
def made(templates, parent, name):
    made = templates.create_workflow_template(request={"parent": parent, "template": template(name)})
    yield made
    templates.delete_workflow_template(request={"name": made.name})


def test_a_template_is_kept(refused, templates, parent, made, name):
    assert (made.id, made.version) == (name, 1)
    assert made.name == f"{parent}/workflowTemplates/{name}"
    assert templates.get_workflow_template(request={"name": made.name}) == made
    assert made in list(templates.list_workflow_templates(request={"parent": parent}))
    made.labels["team"] = "data"
    updated = templates.update_workflow_template(request={"template": made})
    assert (updated.version, updated.labels["team"]) == (2, "data")
    with refused("ALREADY_EXISTS"):
        templates.create_workflow_template(request={"parent": parent, "template": template(name)})
    with refused("NOT_FOUND"):
        templates.get_workflow_template(request={"name": f"{made.name}-x"})


def test_a_workflow_runs_on_a_cluster_of_its_own(templates, clusters, jobs, where, made, name):
    request = {"name": made.name, "parameters": {"DAY": "7"}}
    operation = templates.instantiate_workflow_template(request=request)
    operation.result(timeout=60)
    done = operation.metadata
    assert (done.state, done.template) == (Graph.DONE, made.name)
    assert {one.step_id: one.state for one in done.graph.nodes} == {
        "first": Node.COMPLETED,
        "second": Node.COMPLETED,
    }
    second = next(one for one in done.graph.nodes if one.step_id == "second")
    assert list(second.prerequisite_step_ids) == ["first"]
    assert jobs.get_job(request={**where, "job_id": second.job_id}).flink_job.args == ["--day", "7"]
    assert done.cluster_name.startswith(f"{name}-")
    names = [one.cluster_name for one in clusters.list_clusters(request=where)]
    assert done.cluster_name not in names


@pytest.mark.parametrize("parameters", [{"DAY": "monday"}, {}, {"DAY": "7", "NIGHT": "8"}])
def test_parameters_are_checked(refused, templates, made, parameters):
    with refused("INVALID_ARGUMENT"):
        templates.instantiate_workflow_template(request={"name": made.name, "parameters": parameters})


def test_a_workflow_runs_on_a_chosen_cluster(templates, make, parent, where, clusters, name):
    make(name)
    labels = {"goog-dataproc-cluster-name": name}
    inline = template(name, cluster_selector={"cluster_labels": labels})
    inline["parameters"] = []
    operation = templates.instantiate_inline_workflow_template(request={"parent": parent, "template": inline})
    operation.result(timeout=60)
    assert operation.metadata.cluster_name == name
    assert clusters.get_cluster(request={**where, "cluster_name": name}).cluster_name == name


@pytest.mark.parametrize(
    "jobs",
    [
        [{**FIRST, "prerequisite_step_ids": ["nowhere"]}],
        [FIRST, FIRST],
        [{**FIRST, "prerequisite_step_ids": ["second"]}, SECOND],
    ],
    ids=["unknown step", "twice", "circle"],
)
def test_what_the_service_refuses(refused, templates, parent, name, jobs):
    broken = {**template(name), "jobs": jobs, "parameters": []}
    with refused("INVALID_ARGUMENT"):
        templates.create_workflow_template(request={"parent": parent, "template": broken})


def test_a_template_may_be_half_made_but_not_run(refused, templates, parent, name):
    made = templates.create_workflow_template(request={"parent": parent, "template": {"id": name}})
    with refused("INVALID_ARGUMENT"):
        templates.instantiate_workflow_template(request={"name": made.name})
    with refused("INVALID_ARGUMENT"):
        inline = {**template(name), "jobs": [], "parameters": []}
        templates.instantiate_inline_workflow_template(request={"parent": parent, "template": inline})
    templates.delete_workflow_template(request={"name": made.name})
