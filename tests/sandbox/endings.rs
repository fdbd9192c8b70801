//! A failing Python function, an interrupt and a deadline: the right exit code, and nothing left.

use rustix::process::Signal;

use crate::real::Real;

const SPEC: &str = r#"
[job]
script = "job.py"

[watch]
deadline = "10m"
"#;

/// A job whose Python function does what `body` says for each of a few rows.
fn job(body: &str) -> String {
    format!(
        r#"
import time
from pyflink.table import DataTypes, EnvironmentSettings, TableEnvironment
from pyflink.table.expressions import col
from pyflink.table.udf import udf


@udf(result_type=DataTypes.INT())
def parse(text):
    {body}


environment = TableEnvironment.create(EnvironmentSettings.in_batch_mode())
environment.execute_sql("CREATE TABLE sink (n INT) WITH ('connector' = 'blackhole')")
rows = environment.from_elements([("1",), ("x",)], ["text"])
rows.select(parse(col("text"))).execute_insert("sink").wait()
"#
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_python_function_shows_its_traceback() {
    let Some(real) = Real::turn().await else {
        return;
    };
    real.home.write("flinkproc.toml", SPEC);
    real.home.write("job.py", job("return int(text)"));
    let ran = real.deploy(&[]).await;
    ran.ended_with(7).told(&[
        "cause: ValueError: invalid literal for int() with base 10: 'x'",
        "Traceback (most recent call last)",
        "in parse",
        "delete cluster",
    ]);
    real.left_nothing();
    // The logs came home before the cluster went.
    let status = real.home.run(&["status", "--output", "json"]).await;
    let row = status.ended_with(0).json();
    assert_eq!(row[0]["outcome"]["remains"], serde_json::json!([]));
    let id = row[0]["deployment"].as_str().unwrap();
    let logs = real.home.run(&["logs", id]).await;
    assert!(
        logs.ended_with(0).out.contains("invalid literal for int()"),
        "{}",
        logs.err
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_deployment_leaves_nothing() {
    let Some(real) = Real::turn().await else {
        return;
    };
    real.home.write("flinkproc.toml", SPEC);
    real.home.write("job.py", job("time.sleep(600)"));
    let running = real.start(&[]);
    running.tells("Flink job ").await;
    running.signal(Signal::INT);
    let ran = running.end().await;
    ran.ended_with(130).told(&["interrupted"]);
    real.left_nothing();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_leaves_nothing() {
    let Some(real) = Real::turn().await else {
        return;
    };
    real.home.write("flinkproc.toml", SPEC);
    real.home.write("job.py", job("time.sleep(600)"));
    // The shortest that there is; the cluster and the job's start take half of it.
    let ran = real.deploy(&["--deadline", "1m"]).await;
    ran.ended_with(9)
        .told(&["the launcher has the job", "the deadline has passed"]);
    real.left_nothing();
}
