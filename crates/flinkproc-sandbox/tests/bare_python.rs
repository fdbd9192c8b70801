//! Machines whose Python has no PyFlink: what still runs there, and what needs a Python of the job's own.

#![cfg(target_os = "linux")]
#![expect(clippy::expect_used, reason = "a helper that fails is a failing test")]
#![expect(clippy::print_stdout, reason = "says where the time goes")]

#[path = "support/real.rs"]
#[expect(dead_code, reason = "each suite uses some of it")]
mod real;

use real::{Login, Real};

const QUERY: &str = r#"
from pyflink.table import EnvironmentSettings, TableEnvironment
tables = TableEnvironment.create(EnvironmentSettings.in_batch_mode())
tables.execute_sql("SELECT COUNT(*) AS n FROM (VALUES (1), (2), (3)) AS t(x)").print()
"#;

const FUNCTION: &str = r#"
from pyflink.table import DataTypes, EnvironmentSettings, TableEnvironment
from pyflink.table.udf import udf
tables = TableEnvironment.create(EnvironmentSettings.in_batch_mode())
tables.create_temporary_function('twice', udf(lambda n: n * 2, result_type=DataTypes.INT()))
tables.execute_sql("SELECT SUM(twice(x)) AS n FROM (VALUES (1), (2), (3)) AS t(x)").print()
"#;

#[tokio::test(flavor = "multi_thread")]
async fn workers_with_a_bare_python_run_queries_and_no_functions() {
    let real = Real::start_with("bare", |facts| {
        facts.workers = 1;
        let property = ("flinkproc-sandbox:python".to_owned(), "bare".to_owned());
        facts.properties.extend([property]);
    })
    .await;
    let login = real.login().await;
    for python in ["python", "python3"] {
        let (status, text) = login.run(&format!("{python} -c 'import pyflink'")).await;
        assert_eq!(status, 1, "{text}");
        assert!(text.contains("No module named 'pyflink'"), "{text}");
    }
    let write = format!("cat > query.py <<'END'{QUERY}END\ncat > function.py <<'END'{FUNCTION}END");
    assert_eq!(login.run(&write).await, (0, String::new()));
    // The client finds PyFlink in Flink's distribution, but not what PyFlink 1.20 itself needs.
    let (status, text) = per_job(&login, "-py query.py").await;
    assert_ne!(status, 0, "{text}");
    assert!(text.contains("No module named 'ruamel'"), "{text}");
    // With a client that has it all, a query needs no Python on the workers, and a function does.
    let client = format!("-pyclientexec '{}'", real.python.display());
    let (status, text) = per_job(&login, &format!("{client} -py query.py")).await;
    assert_eq!(status, 0, "{text}");
    assert!(text.contains("|                    3 |"), "{text}");
    let (status, text) = per_job(&login, &format!("{client} -py function.py")).await;
    assert_ne!(status, 0, "{text}");
    assert!(text.contains("No module named 'pyflink'"), "{text}");
    real.end().await;
}

async fn per_job(login: &Login<'_>, options: &str) -> (i32, String) {
    let line = "export HADOOP_CLASSPATH=$(hadoop classpath)\nflink run -t yarn-per-job";
    login.run(&format!("{line} {options}")).await
}
