//! A cluster with Flink 2: Python functions in application mode and in a session, and jobs that Dataproc itself submits.

#![cfg(target_os = "linux")]
#![expect(clippy::expect_used, reason = "a helper that fails is a failing test")]
#![expect(clippy::print_stdout, reason = "says where the time goes")]

#[path = "support/real.rs"]
#[expect(dead_code, reason = "each suite uses some of it")]
mod real;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dataproc_emulator::runtime::JobFacts;
use flinkproc_core::Clock;
use flinkproc_sandbox::machine::listeners;
use real::{Login, Real, SystemClock};
use serde_json::{Value, json};

/// A Table job and a DataStream job, each with a Python function that runs on a worker.
const JOB: &str = r#"
import sys
from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.table import DataTypes, EnvironmentSettings, TableEnvironment
from pyflink.table.udf import udf

tables = TableEnvironment.create(EnvironmentSettings.in_batch_mode())
tables.create_temporary_function('twice', udf(lambda n: n * 2, result_type=DataTypes.INT()))
tables.execute_sql("CREATE TABLE sums (n INT) WITH ('connector' = 'filesystem', 'path' = '%s', 'format' = 'csv')" % sys.argv[1])
tables.execute_sql("INSERT INTO sums SELECT SUM(twice(x)) FROM (VALUES (1), (2), (3)) AS t(x)").wait()
stream = StreamExecutionEnvironment.get_execution_environment()
stream.from_collection([1, 2], Types.INT()).map(lambda n: n + 40, Types.INT()).print()
stream.execute("streamed")
sys.stdout.write("said %s\n" % sys.argv[1:])
"#;

#[tokio::test(flavor = "multi_thread")]
async fn flink_2_runs_in_each_of_its_modes() {
    let real = Real::start_with("flink-two", |facts| {
        facts.workers = 1;
        facts.components.retain(|name| name != "PIG");
        facts.image = "3.0-debian12".to_owned();
        facts
            .metadata
            .insert("flink-start-yarn-session".to_owned(), "true".to_owned());
    })
    .await;
    let login = real.login().await;
    let ask = "flink --version; python3 -c 'import pyflink.version as v; print(v.__version__)'";
    let (_, text) = login.run(ask).await;
    assert!(
        text.contains("Version: 2.2.1") && text.ends_with("2.2.1\n"),
        "{text}"
    );
    let write = format!("mkdir code && cat > code/job.py <<'END'{JOB}END");
    assert_eq!(login.run(&write).await, (0, String::new()));

    let seen = watch(&real, all(&real, &login)).await;
    let beyond: Vec<_> = seen.iter().filter(|one| !one.ip().is_loopback()).collect();
    assert!(
        beyond.is_empty(),
        "these listen beyond loopback: {beyond:?}"
    );
    assert!(seen.len() > 20, "{seen:?}");
    real.end().await;
}

async fn all(real: &Real, login: &Login<'_>) {
    session(real, login).await;
    application(real, login).await;
    native(real, login).await;
    history(real).await;
}

/// Into the session that the cluster's metadata asked for.
async fn session(real: &Real, login: &Login<'_>) {
    let page = real
        .machines
        .web_pages
        .get("Flink Session")
        .expect("asked for");
    let id = page
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .expect("an id");
    let (status, text) = login
        .run(&format!(
            "{CLASSPATH}flink run -t yarn-session -Dyarn.application.id={id} -py code/job.py gs://things/session \"it's \\$5\""
        ))
        .await;
    assert_eq!(status, 0, "{text}");
    assert!(
        text.contains(r#"said ['gs://things/session', "it's $5"]"#),
        "{text}"
    );
    assert_eq!(result(login, "session").await, "12");
    let (status, text) = login
        .run(&format!(
            "{CLASSPATH}flink run -t yarn-per-job -py code/job.py gs://things/never"
        ))
        .await;
    assert_ne!(status, 0, "{text}");
    assert!(text.contains("No ExecutorFactory found"), "{text}");
    let end = format!("{CLASSPATH}echo stop | yarn-session.sh -id {id}");
    let (status, text) = login.run(&end).await;
    assert_eq!(status, 0, "{text}");
    real.say("session");
}

async fn application(real: &Real, login: &Login<'_>) {
    let (status, text) = login
        .run(&format!(
            "{CLASSPATH}flink run -t yarn-application -Dyarn.application.name=app -Dyarn.ship-files=$PWD/code \
             -pyfs code -pym job gs://things/application"
        ))
        .await;
    assert_eq!(status, 0, "{text}");
    ended(real, "app").await;
    assert_eq!(result(login, "application").await, "12");
}

/// What the Jobs API runs without a launcher; Pig only where it was asked for.
async fn native(real: &Real, login: &Login<'_>) {
    let body = json!({"queryList": {"queries": ["sh true"]}});
    let pig = JobFacts::new("pig", "pigJob", json!({"pigJob": body}));
    let refused = real.try_run(&pig).await.0.expect_err("refused");
    assert!(refused.to_string().contains("component PIG"), "{refused}");
    let main = real.upload("job.py", JOB).await;
    let body = json!({
        "mainPythonFileUri": main,
        "pythonModule": "job",
        "args": ["gs://things/pyflink"],
        "properties": {"yarn.application.name": "pyflink"},
    });
    let (status, text) = real.run("pyflink", "pyflinkJob", body).await;
    println!("{text}");
    assert_eq!(status, 0, "{text}");
    ended(real, "pyflink").await;
    assert_eq!(result(login, "pyflink").await, "12");
    let body = json!({
        "mainClass": "org.apache.flink.client.python.PythonDriver",
        "jarFileUris": ["file:///usr/lib/flink/opt/flink-python-2.2.1.jar"],
        "args": ["-pym", "job", "gs://things/native"],
        "properties": {"yarn.application.name": "native", "python.files": main},
    });
    let (status, text) = real.run("native", "flinkJob", body).await;
    assert_eq!(status, 0, "{text}");
    ended(real, "native").await;
    assert_eq!(result(login, "native").await, "12");
}

async fn history(real: &Real) {
    let page = real
        .machines
        .web_pages
        .get("Flink History Server")
        .expect("there");
    real.until("the history has the finished jobs", 60, async || {
        let jobs = real.page(&format!("{page}jobs/overview")).await;
        jobs.matches("FINISHED").count() >= 4
    })
    .await;
}

const CLASSPATH: &str = "export HADOOP_CLASSPATH=$(hadoop classpath)\n";

async fn result(login: &Login<'_>, name: &str) -> String {
    let (status, text) = login
        .run(&format!(
            "hadoop fs -cat 'gs://things/{name}/*' 2>/dev/null"
        ))
        .await;
    assert_eq!(status, 0, "{text}");
    text.trim().to_owned()
}

/// Waits for the end of the application with this name, which must be a good one.
async fn ended(real: &Real, name: &str) {
    let find = async || -> Option<Value> {
        let url = format!(
            "http://{}:8088/ws/v1/cluster/apps?states=FINISHED,FAILED,KILLED",
            real.address()
        );
        let all: Value = serde_json::from_str(&real.page(&url).await).expect("JSON");
        let all = all.pointer("/apps/app")?.as_array()?.clone();
        all.into_iter()
            .find(|app| app.get("name") == Some(&json!(name)))
    };
    real.until(name, 120, async || find().await.is_some()).await;
    let app = find().await.expect("there");
    assert_eq!(app.get("finalStatus"), Some(&json!("SUCCEEDED")), "{app}");
}

/// Runs something, and answers where the cluster's processes listened meanwhile.
async fn watch(real: &Real, work: impl Future<Output = ()>) -> BTreeSet<SocketAddr> {
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let look = async {
        loop {
            let processes = real.runtime.processes().into_iter().collect();
            seen.lock()
                .expect("not poisoned")
                .extend(listeners(&processes));
            SystemClock.sleep(Duration::from_millis(250)).await;
        }
    };
    tokio::select! {
        () = work => (),
        () = look => (),
    }
    let seen = seen.lock().expect("not poisoned");
    seen.clone()
}
