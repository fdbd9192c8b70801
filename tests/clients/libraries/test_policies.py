"""Autoscaling policies by `google-cloud-dataproc`."""

import pytest


def policy(name, **changes):
    yarn = {
        "graceful_decommission_timeout": {"seconds": 3600},
        "scale_up_factor": 0.5,
        "scale_down_factor": 1.0,
    }
    return {
        "id": name,
        "basic_algorithm": {"cooldown_period": {"seconds": 240}, "yarn_config": {**yarn, **changes}},
        "worker_config": {"min_instances": 2, "max_instances": 5},
        "secondary_worker_config": {"max_instances": 10, "weight": 2},
    }


def test_a_policy_from_its_creation_to_its_deletion(refused, policies, parent, name):
    made = policies.create_autoscaling_policy(request={"parent": parent, "policy": policy(name)})
    assert (made.id, made.name) == (name, f"{parent}/autoscalingPolicies/{name}")
    assert policies.get_autoscaling_policy(request={"name": made.name}) == made
    listed = list(policies.list_autoscaling_policies(request={"parent": parent, "page_size": 1}))
    assert made in listed
    with refused("ALREADY_EXISTS"):
        policies.create_autoscaling_policy(request={"parent": parent, "policy": policy(name)})
    made.worker_config.max_instances = 7
    updated = policies.update_autoscaling_policy(request={"policy": made})
    assert updated.worker_config.max_instances == 7
    policies.delete_autoscaling_policy(request={"name": made.name})
    for call in (policies.get_autoscaling_policy, policies.delete_autoscaling_policy):
        with refused("NOT_FOUND"):
            call(request={"name": made.name})


@pytest.mark.parametrize("change", [{"scale_up_factor": 1.5}, {"graceful_decommission_timeout": {"seconds": 999999}}])
def test_what_the_service_refuses(refused, policies, parent, name, change):
    with refused("INVALID_ARGUMENT"):
        policies.create_autoscaling_policy(request={"parent": parent, "policy": policy(name, **change)})


def test_a_policy_in_use_stays(refused, policies, clusters, where, parent, make, name):
    made = policies.create_autoscaling_policy(request={"parent": parent, "policy": policy(name)})
    make(name, autoscaling_config={"policy_uri": made.name})
    with refused("FAILED_PRECONDITION"):
        policies.delete_autoscaling_policy(request={"name": made.name})
    clusters.delete_cluster(request={**where, "cluster_name": name}).result(timeout=60)
    policies.delete_autoscaling_policy(request={"name": made.name})
    with refused("NOT_FOUND"):
        make(f"{name}-x", autoscaling_config={"policy_uri": made.name})
