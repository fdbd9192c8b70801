"""Clusters and their operations by `google-cloud-dataproc`."""

import io
import tarfile

import pytest
from google.cloud import dataproc_v1, storage
from google.longrunning import operations_pb2

State = dataproc_v1.ClusterStatus.State


def test_a_cluster_from_its_creation_to_its_deletion(refused, clusters, where, make, name):
    lifecycle = {"idle_delete_ttl": {"seconds": 600}, "auto_delete_ttl": {"seconds": 7200}}
    secondary = {"num_instances": 2, "preemptibility": "SPOT"}
    made = make(name, lifecycle_config=lifecycle, secondary_worker_config=secondary)
    assert made.cluster_name == name
    found = clusters.get_cluster(request={**where, "cluster_name": name})
    assert found.status.state == State.RUNNING
    assert [one.state for one in found.status_history] == [State.CREATING]
    assert found.cluster_uuid and found.config.config_bucket and found.config.temp_bucket
    assert found.config.lifecycle_config.idle_delete_ttl.seconds == 600
    assert found.config.secondary_worker_config.num_instances == 2
    assert found.config.worker_config.num_instances == 2
    assert found.config.master_config.instance_names == [f"{name}-m"]
    assert [one.name for one in found.config.software_config.optional_components] == ["FLINK"]

    clusters.delete_cluster(request={**where, "cluster_name": name}).result(timeout=60)
    with refused("NOT_FOUND"):
        clusters.get_cluster(request={**where, "cluster_name": name})


def test_a_taken_name_and_an_absent_one(refused, clusters, where, make, name):
    make(name)
    with refused("ALREADY_EXISTS"):
        make(name)
    for call in (clusters.get_cluster, clusters.delete_cluster, clusters.stop_cluster):
        with refused("NOT_FOUND"):
            call(request={**where, "cluster_name": f"{name}-x"})


def test_a_request_id_makes_one_cluster(clusters, where, make, name):
    cluster = make(name)
    request_id = "00000000-0000-4000-8000-000000000001"
    request = {**where, "cluster_name": name, "request_id": request_id}
    first = clusters.delete_cluster(request=request)
    again = clusters.delete_cluster(request=request)
    assert first.operation.name == again.operation.name
    first.result(timeout=60)
    assert cluster.cluster_name == name


@pytest.mark.parametrize(
    "config",
    [
        {"lifecycle_config": {"idle_delete_ttl": {"seconds": 10}}},
        {"software_config": {"image_version": "9.9-plan9"}},
        {"master_config": {"num_instances": 2}},
    ],
)
def test_what_the_service_refuses(refused, make, name, config):
    with refused("INVALID_ARGUMENT"):
        make(name, **config)


def test_lists_are_filtered_and_paged(clusters, where, make, name):
    names = [f"{name}-{n}" for n in range(3)]
    for one in names:
        make(one)
    listed = clusters.list_clusters(request={**where, "page_size": 2})
    pages = [[one.cluster_name for one in page.clusters] for page in listed.pages]
    assert all(len(page) <= 2 for page in pages)
    assert set(names) <= {one for page in pages for one in page}
    filters = {
        f"clusterName = {names[1]}": [names[1]],
        f"status.state = ACTIVE AND clusterName = {names[2]}": [names[2]],
        f"status.state = INACTIVE AND clusterName = {names[2]}": [],
        f"labels.goog-dataproc-cluster-name = {names[0]}": [names[0]],
    }
    for text, expected in filters.items():
        found = clusters.list_clusters(request={**where, "filter": text})
        assert [one.cluster_name for one in found] == expected, text


def test_an_update_changes_what_its_mask_names(refused, clusters, where, make, name):
    make(name)

    def update(mask, cluster, **more):
        request = {**where, "cluster_name": name, "cluster": cluster, "update_mask": {"paths": mask}, **more}
        clusters.update_cluster(request=request).result(timeout=60)
        return clusters.get_cluster(request={**where, "cluster_name": name})

    workers = {"config": {"worker_config": {"num_instances": 4}}}
    timeout = {"graceful_decommission_timeout": {"seconds": 60}}
    found = update(["config.worker_config.num_instances"], workers, **timeout)
    assert found.config.worker_config.num_instances == 4
    assert len(found.config.worker_config.instance_names) == 4
    found = update(["labels"], {"labels": {"team": "data"}})
    assert found.labels["team"] == "data"
    assert found.config.worker_config.num_instances == 4
    found = update(
        ["config.lifecycle_config.idle_delete_ttl"],
        {"config": {"lifecycle_config": {"idle_delete_ttl": {"seconds": 900}}}},
    )
    assert found.config.lifecycle_config.idle_delete_ttl.seconds == 900
    with refused("INVALID_ARGUMENT"):
        update(["config.software_config.image_version"], {"config": {"software_config": {"image_version": "2.1"}}})


def test_a_cluster_stops_and_starts(clusters, where, make, name):
    make(name)
    request = {**where, "cluster_name": name}
    stopped = clusters.stop_cluster(request=request).result(timeout=60)
    assert stopped.cluster_name in ("", name)
    assert clusters.get_cluster(request=request).status.state == State.STOPPED
    clusters.start_cluster(request=request).result(timeout=60)
    assert clusters.get_cluster(request=request).status.state == State.RUNNING


def test_a_diagnosis_leaves_an_archive(clusters, buckets, where, make, name):
    make(name)
    found = clusters.diagnose_cluster(request={**where, "cluster_name": name}).result(timeout=60)
    assert found.output_uri.startswith("gs://")
    report = storage.Blob.from_uri(found.output_uri, buckets).download_as_text()
    place = next(word for word in report.split() if word.startswith("gs://"))
    archive = storage.Blob.from_uri(place.rstrip(".'"), buckets).download_as_bytes()
    with tarfile.open(fileobj=io.BytesIO(archive)) as held:
        assert held.getnames()


def test_operations_are_listed_read_and_deleted(refused, clusters, where, make, parent, name):
    make(name)
    deleting = clusters.delete_cluster(request={**where, "cluster_name": name})
    deleting.result(timeout=60)
    metadata = deleting.metadata
    assert (metadata.cluster_name, metadata.operation_type) == (name, "DELETE")
    found = clusters.get_operation(operations_pb2.GetOperationRequest(name=deleting.operation.name))
    assert found.done and found.name == deleting.operation.name
    request = operations_pb2.ListOperationsRequest(name=f"{parent}/operations", page_size=100)
    listed = clusters.list_operations(request)
    assert deleting.operation.name in [one.name for one in listed.operations]
    clusters.delete_operation(operations_pb2.DeleteOperationRequest(name=deleting.operation.name))
    with refused("NOT_FOUND"):
        clusters.get_operation(operations_pb2.GetOperationRequest(name=deleting.operation.name))
