"""Jobs that fail, by gcloud: every job fails with exit status 3 here."""


def test_a_failed_job_is_told_with_its_output(dataproc, cluster, name):
    job = ("--cluster", cluster, "--id", name, "--execute=sh false")
    ran = dataproc("jobs", "submit", "pig", *job, code=1)
    assert "no such column" in ran.err
    assert f"Job [{name}] failed" in ran.err
    described = dataproc("jobs", "describe", name, "--format=json").json()
    assert described["status"]["state"] == "ERROR"
    assert described["status"]["details"]
