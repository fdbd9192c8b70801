"""Jobs that run on, by gcloud: every job runs until it is cancelled here."""


def test_a_job_is_killed(dataproc, cluster, name):
    job = ("--cluster", cluster, "--id", name, "--execute=sh sleep 600", "--async")
    dataproc("jobs", "submit", "pig", *job)
    active = ("jobs", "list", f"--cluster={cluster}", "--state-filter=active", "--format=value(reference.jobId)")
    assert dataproc(*active).out.split() == [name]
    killed = dataproc("jobs", "kill", name, "--format=json").json()
    assert killed["status"]["state"] == "CANCELLED"
    assert dataproc(*active).out.split() == []


def test_a_cluster_takes_its_jobs_with_it(dataproc, name):
    dataproc("clusters", "create", name)
    dataproc("jobs", "submit", "pig", "--cluster", name, "--id", name, "--execute=sh sleep 600", "--async")
    dataproc("clusters", "delete", name)
    described = dataproc("jobs", "describe", name, "--format=json").json()
    assert described["status"]["state"] in ("CANCELLED", "ERROR")
