"""The fixtures, on a real sandbox: a job that succeeds, and one that fails."""

import csv
from pathlib import Path

GOOD = """
import sys
from pyflink.table import DataTypes, EnvironmentSettings, TableEnvironment
from pyflink.table.expressions import col
from pyflink.table.udf import udf


@udf(result_type=DataTypes.STRING())
def upper(word):
    return word.upper()


output, *words = sys.argv[1:]
tables = TableEnvironment.create(EnvironmentSettings.in_batch_mode())
tables.execute_sql(
    "CREATE TABLE sink (word STRING) WITH ("
    f"'connector'='filesystem', 'path'='{output}', 'format'='csv')"
)
rows = tables.from_elements([(word,) for word in words], ["word"])
rows.select(upper(col("word"))).execute_insert("sink").wait()
print("the driver has printed this")
"""


def test_a_job_hands_back_its_result(run_pyflink, tmp_path: Path) -> None:
    script = tmp_path / "my job.py"
    script.write_text(GOOD, encoding="utf-8")
    run = run_pyflink(script, args=["${staging}/output", "it's", "ünï"], result="${staging}/output/")
    assert run.succeeded, run.explain()
    assert run.verdict == "succeeded"
    rows = csv.reader(run.text().splitlines())
    assert sorted(row[0] for row in rows) == ["IT'S", "ÜNÏ"]
    assert "the driver has printed this" in run.output
    assert all(one.uri.startswith("gs://") for one in run.objects)
    assert any(path.name.startswith("launcher") for path in run.logs.iterdir())


def test_a_failing_job_hands_back_its_cause(run_pyflink, tmp_path: Path) -> None:
    script = tmp_path / "job.py"
    script.write_text("raise ValueError('no such day')\n", encoding="utf-8")
    run = run_pyflink(script)
    assert not run.succeeded
    assert run.exit_code != 0
    assert run.verdict != "succeeded"
    assert "no such day" in run.output + (run.cause or ""), run.explain()


def test_the_cluster_is_in_the_sandbox(flinkproc_sandbox, flinkproc_cluster) -> None:
    names = [cluster["name"] for cluster in flinkproc_sandbox.clusters()]
    assert names == [flinkproc_cluster.name]
    assert flinkproc_sandbox.variables()["STORAGE_EMULATOR_HOST"] == flinkproc_sandbox.storage
