"""A cluster's machines by `google-cloud-compute`."""

import pytest
from google.api_core import exceptions
from google.cloud import compute_v1

PROJECT = "my-project"


@pytest.fixture
def waited(client):
    """Waits for an operation with a client of our own making: the one inside `result()` asks Google whatever the endpoint is."""
    zones = client(compute_v1.ZoneOperationsClient)
    everywhere = client(compute_v1.GlobalOperationsClient)

    def wait(operation, zone=None):
        request = {"project": PROJECT, "operation": operation.name}
        done = zones.wait(request={**request, "zone": zone}) if zone else everywhere.wait(request=request)
        assert (done.name, done.self_link) == (operation.name, operation.self_link)
        assert done.operation_type and done.status == compute_v1.Operation.Status.DONE
        assert not done.error.errors, done.error

    return wait


@pytest.fixture
def master(make, clusters, where, name):
    make(name, gce_cluster_config={"zone_uri": "europe-west1-b"})
    cluster = clusters.get_cluster(request={**where, "cluster_name": name})
    zone = cluster.config.gce_cluster_config.zone_uri.rpartition("/")[2]
    return {"project": PROJECT, "zone": zone, "instance": f"{name}-m"}


def test_a_machine_is_found(instances, master):
    machine = instances.get(request=master)
    assert (machine.name, machine.status) == (master["instance"], "RUNNING")
    assert machine.id and machine.network_interfaces[0].network_i_p
    listed = instances.list(request={"project": PROJECT, "zone": master["zone"]})
    assert machine.name in [one.name for one in listed]
    with pytest.raises(exceptions.NotFound):
        instances.get(request={**master, "instance": "nowhere"})


def test_machines_of_all_zones_are_listed(instances, master):
    zones = instances.aggregated_list(request={"project": PROJECT})
    held = {zone: [one.name for one in scoped.instances] for zone, scoped in zones}
    assert master["instance"] in held[f"zones/{master['zone']}"]


def test_a_key_is_let_in_once_a_fingerprint(instances, waited, master):
    before = instances.get(request=master).metadata
    item = compute_v1.Items(key="ssh-keys", value="me:ssh-ed25519 AAAA me@example.com")
    kept = [one for one in before.items if one.key != "ssh-keys"]
    changed = compute_v1.Metadata(fingerprint=before.fingerprint, items=[*kept, item])
    waited(instances.set_metadata_unary(request={**master, "metadata_resource": changed}), master["zone"])
    after = instances.get(request=master).metadata
    assert item in after.items
    assert after.fingerprint != before.fingerprint
    with pytest.raises(exceptions.PreconditionFailed):
        instances.set_metadata_unary(request={**master, "metadata_resource": changed})


def test_the_projects_metadata_changes(projects, waited):
    before = projects.get(request={"project": PROJECT}).common_instance_metadata
    item = compute_v1.Items(key="proof", value="1")
    items = [one for one in before.items if one.key != "proof"] + [item]
    changed = compute_v1.Metadata(fingerprint=before.fingerprint, items=items)
    request = {"project": PROJECT, "metadata_resource": changed}
    waited(projects.set_common_instance_metadata_unary(request=request))
    assert item in projects.get(request={"project": PROJECT}).common_instance_metadata.items
