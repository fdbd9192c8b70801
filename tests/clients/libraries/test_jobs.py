"""Jobs by `google-cloud-dataproc`."""

import uuid

import pytest
from google.cloud import dataproc_v1

State = dataproc_v1.JobStatus.State

TYPES = {
    "pig_job": {"query_list": {"queries": ["sh true"]}},
    "pyspark_job": {"main_python_file_uri": "gs://code/job.py", "args": ["it's $5"], "properties": {"a": "b"}},
    "hadoop_job": {"main_class": "org.example.Main", "jar_file_uris": ["gs://code/job.jar"]},
    "flink_job": {"main_jar_file_uri": "gs://code/job.jar", "args": ["--day", "1"]},
}


@pytest.fixture(scope="module")
def cluster(clusters):
    name = f"j{uuid.uuid4().hex[:10]}"
    where = {"project_id": "my-project", "region": "europe-west1"}
    software = {"image_version": "2.2-debian12", "optional_components": ["FLINK"]}
    body = {"project_id": "my-project", "cluster_name": name, "config": {"software_config": software}}
    clusters.create_cluster(request={**where, "cluster": body}).result(timeout=60)
    yield name
    clusters.delete_cluster(request={**where, "cluster_name": name}).result(timeout=60)


@pytest.fixture
def submit(jobs, where, cluster):
    def send(**job):
        job = {"placement": {"cluster_name": cluster}, **job}
        return jobs.submit_job(request={**where, "job": job, "request_id": str(uuid.uuid4())})

    return send


@pytest.fixture
def ended(jobs, where, until):
    def wait(job):
        request = {**where, "job_id": job.reference.job_id}
        return until(lambda: jobs.get_job(request=request), lambda found: found.done)

    return wait


@pytest.mark.parametrize("kind", TYPES)
def test_each_type_of_job_runs(submit, ended, cluster, kind, name):
    job = submit(reference={"job_id": name}, labels={"team": "data"}, **{kind: TYPES[kind]})
    assert job.reference.job_id == name
    assert job.placement.cluster_uuid
    done = ended(job)
    assert done.status.state == State.DONE, done.status
    states = [one.state for one in done.status_history]
    assert states == [State.PENDING, State.SETUP_DONE, State.RUNNING]
    assert (done.labels["team"], done.placement.cluster_name) == ("data", cluster)
    assert done._pb.HasField(kind)
    assert done.job_uuid


def test_the_drivers_output_is_in_numbered_objects(submit, ended, buckets):
    done = ended(submit(pig_job=TYPES["pig_job"]))
    bucket, _, prefix = done.driver_output_resource_uri.removeprefix("gs://").partition("/")
    pieces = [one for one in buckets.list_blobs(bucket, prefix=f"{prefix}.")]
    assert [one.name for one in pieces] == [f"{prefix}.{n:09}" for n in range(len(pieces))]
    assert pieces[-1].size == 0, "an empty object closes it"


def test_a_job_is_an_operation_too(jobs, where, cluster):
    job = {"placement": {"cluster_name": cluster}, "pig_job": TYPES["pig_job"]}
    operation = jobs.submit_job_as_operation(request={**where, "job": job})
    assert operation.metadata.job_id
    done = operation.result(timeout=60)
    assert done.status.state == State.DONE


def test_a_request_id_makes_one_job(refused, jobs, where, cluster, name):
    job = {"reference": {"job_id": name}, "placement": {"cluster_name": cluster}, "pig_job": TYPES["pig_job"]}
    request = {**where, "job": job, "request_id": str(uuid.uuid4())}
    first, again = jobs.submit_job(request=request), jobs.submit_job(request=request)
    assert first.job_uuid == again.job_uuid
    with refused("ALREADY_EXISTS"):
        jobs.submit_job(request={**request, "request_id": str(uuid.uuid4())})


def test_jobs_are_listed(jobs, where, submit, ended, cluster, name):
    job = ended(submit(labels={"one": name}, pig_job=TYPES["pig_job"]))

    def listed(**more):
        return [one.reference.job_id for one in jobs.list_jobs(request={**where, **more})]

    own = [job.reference.job_id]
    assert listed(filter=f"labels.one = {name}") == own
    assert set(own) <= set(listed(cluster_name=cluster, page_size=1))
    matcher = dataproc_v1.ListJobsRequest.JobStateMatcher
    assert set(own) <= set(listed(cluster_name=cluster, job_state_matcher=matcher.NON_ACTIVE))
    assert not set(own) & set(listed(cluster_name=cluster, job_state_matcher=matcher.ACTIVE))


def test_labels_change_and_an_ended_job_can_be_deleted(refused, jobs, where, submit, ended):
    job = ended(submit(pig_job=TYPES["pig_job"]))
    one = {**where, "job_id": job.reference.job_id}
    changed = jobs.update_job(request={**one, "job": {"labels": {"a": "b"}}, "update_mask": {"paths": ["labels"]}})
    assert changed.labels["a"] == "b"
    with refused("FAILED_PRECONDITION"):
        jobs.cancel_job(request=one)
    assert jobs.get_job(request=one).status.state == State.DONE
    jobs.delete_job(request=one)
    for call in (jobs.get_job, jobs.delete_job, jobs.cancel_job):
        with refused("NOT_FOUND"):
            call(request=one)


def test_what_the_service_refuses(refused, submit, cluster):
    with refused("NOT_FOUND"):
        submit(placement={"cluster_name": f"{cluster}-x"}, pig_job=TYPES["pig_job"])
    with refused("INVALID_ARGUMENT"):
        submit()
    with refused("INVALID_ARGUMENT"):
        submit(reference={"job_id": "not valid!"}, pig_job=TYPES["pig_job"])
    with refused("UNIMPLEMENTED"):
        submit(presto_job={"query_list": {"queries": ["select 1"]}})
