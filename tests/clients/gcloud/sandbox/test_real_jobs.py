"""A cluster of the sandbox by gcloud: jobs that run for real, and a machine that is entered."""

import json
import os

SCRIPT = """
import sys
from pyflink.table import EnvironmentSettings, TableEnvironment

tables = TableEnvironment.create(EnvironmentSettings.in_batch_mode())
print('flink says', sys.argv[1:])
tables.execute_sql(
    "CREATE TABLE counts (word STRING, n BIGINT) WITH "
    f"('connector'='filesystem', 'path'='{sys.argv[1]}', 'format'='csv')")
rows = "(VALUES ('a'), ('b'), ('a')) AS t(word)"
tables.execute_sql(f"INSERT INTO counts SELECT word, COUNT(*) FROM {rows} GROUP BY word").wait()
"""


def test_jobs_run_for_real(gcloud, dataproc, name, tmp_path):
    told = json.loads(os.environ["SANDBOX_VARS"])
    bucket = told["FLINKPROC_BUCKET"]
    flags = ["--image-version=sandbox-1.20", "--optional-components=FLINK", "--num-workers=2"]
    dataproc("clusters", "create", name, *flags)

    script = tmp_path / "it's a job.py"
    script.write_text(SCRIPT)
    place = f"gs://{bucket}/{name}"
    given = ["--", place, "it's $5"]
    ran = dataproc("jobs", "submit", "pyflink", script, f"--cluster={name}", "--format=json", *given, patience=240)
    assert f"""flink says ['{place}', "it's $5"]""" in ran.err
    job = ran.json()
    assert job["status"]["state"] == "DONE"
    assert [one["state"] for one in job["yarnApplications"]] == ["FINISHED"]
    counts = gcloud("storage", "cat", f"{place}/**").out.split()
    assert sorted(counts) == ["a,2", "b,1"]

    failing = ("--execute=sh echo almost there; sh exit 7",)
    ran = dataproc("jobs", "submit", "pig", f"--cluster={name}", *failing, code=1)
    assert "almost there" in ran.err
    dataproc("jobs", "submit", "pig", f"--cluster={name}", f"--id={name}", "--execute=sh sleep 600", "--async")
    killed = dataproc("jobs", "kill", name, "--format=json").json()
    assert killed["status"]["state"] == "CANCELLED"

    ssh = ("--command=command -v flink", f"--ssh-flag=-p{told['FLINKPROC_SSH_PORT']}")
    entered = gcloud("compute", "ssh", f"{name}-m", *ssh)
    assert entered.out.strip().endswith("/flink")
    dataproc("clusters", "delete", name)
    assert dataproc("clusters", "list", "--format=value(clusterName)").out == ""
