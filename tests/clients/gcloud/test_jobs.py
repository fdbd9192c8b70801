"""Jobs by gcloud: local files go up with them, their output comes down while they run."""

import pytest

JOBS = {
    "pig": ["--execute=sh true"],
    "pyspark": ["{script}", "--py-files={module}", "--properties=spark.executor.cores=1"],
    "hadoop": ["--class=org.example.Main", "--jars={jar}"],
    "flink": ["--jar={jar}", "--properties=taskmanager.numberOfTaskSlots=2"],
    "pyflink": ["{script}", "--py-files={module}"],
}
ARGUMENTS = {"pyspark", "hadoop", "flink", "pyflink"}
FIELDS = {"pig": "pigJob", "pyspark": "pysparkJob", "hadoop": "hadoopJob", "flink": "flinkJob", "pyflink": "pyflinkJob"}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    made = {"script": "it's a job.py", "module": "module.py", "jar": "job.jar"}
    for path in made.values():
        (folder / path).write_text("print(1)\n")
    return {name: str(folder / path) for name, path in made.items()}


@pytest.mark.parametrize("kind", JOBS)
def test_each_type_of_job_runs(dataproc, cluster, files, kind, name):
    flags = [one.format(**files) for one in JOBS[kind]]
    job = [f"--cluster={cluster}", f"--id={name}", "--labels=team=data"]
    given = ["--", "--day", "it's $5"] if kind in ARGUMENTS else []
    ran = dataproc("jobs", "submit", kind, *flags, *job, "--format=json", *given)
    done = ran.json()
    assert done["status"]["state"] == "DONE", done
    assert done["reference"]["jobId"] == name
    assert done["labels"]["team"] == "data"
    sent = done[FIELDS[kind]]
    if given:
        assert sent["args"] == given[1:]
    assert "counting\napple,3\n" in ran.err
    # The empty object at the end of the output was seen.
    assert "Waiting for job output" in ran.err
    assert "WARNING: Job terminated, but output did not finish streaming" not in ran.err


def test_a_job_that_has_ended(dataproc, cluster, name):
    job = ("--cluster", cluster, "--id", name, "--execute=sh true", "--async")
    dataproc("jobs", "submit", "pig", *job)
    waited = dataproc("jobs", "wait", name, "--format=json").json()
    assert waited["status"]["state"] == "DONE"
    described = dataproc("jobs", "describe", name, "--format=json").json()
    assert [one["state"] for one in described["statusHistory"]] == ["PENDING", "SETUP_DONE", "RUNNING"]
    listed = dataproc("jobs", "list", f"--cluster={cluster}", "--state-filter=inactive", "--format=value(reference.jobId)")
    assert name in listed.out.split()
    active = dataproc("jobs", "list", f"--cluster={cluster}", "--state-filter=active", "--format=value(reference.jobId)")
    assert name not in active.out.split()
    dataproc("jobs", "delete", name)
    assert "NOT_FOUND" in dataproc("jobs", "describe", name, code=1).err


def test_a_job_on_no_cluster(dataproc, name):
    refused = dataproc("jobs", "submit", "pig", f"--cluster={name}", "--execute=sh true", code=1)
    assert "NOT_FOUND" in refused.err
