//! Every type of job on one real cluster.

#![cfg(target_os = "linux")]
#![expect(clippy::expect_used, reason = "a helper that fails is a failing test")]
#![expect(clippy::print_stdout, reason = "says where the time goes")]

#[path = "support/real.rs"]
#[expect(dead_code, reason = "each suite uses some of it")]
mod real;

use std::time::Instant;

use dataproc_emulator::runtime::{ClusterRuntime, DriverOutput, JobFacts, RuntimeError};
use real::Real;
use serde_json::{Value, json};

const SPARK: &str = r#"
import os, sys
from pyspark import SparkContext, SparkFiles
import helper
context = SparkContext(appName="counted")
def told(n):
    import helper, os
    return (helper.NAME, os.path.exists(os.environ["HOME"] + "/on-master"), open("note.txt").read())
open(os.environ["HOME"] + "/on-master", "w").close()
total = sum(context.parallelize(range(100), 2).collect())
seen = context.parallelize([1], 1).map(told).collect()
# One write: Spark's log goes to the same place.
sys.stdout.write(f"spark says {total} {seen} {sys.argv[1:]}\n")
context.stop()
sys.exit(3)
"#;

const FLINK: &str = r#"
import sys
from pyflink.table import EnvironmentSettings, TableEnvironment
import pyhelper
tables = TableEnvironment.create(EnvironmentSettings.in_batch_mode())
sys.stdout.write(f"flink says {pyhelper.NAME} {sys.argv[1:]}\n")
tables.execute_sql("SELECT COUNT(*) AS n FROM (VALUES (1), (2), (3)) AS t(x)").print()
"#;

#[tokio::test(flavor = "multi_thread")]
async fn each_type_of_job_runs_as_its_own_program() {
    let real = Real::start("jobs", 1).await;
    pig(&real).await;
    hadoop(&real).await;
    refused(&real).await;
    spark(&real).await;
    flink(&real).await;
    pyflink(&real).await;
    cancelled(&real).await;
    real.end().await;
}

async fn pig(real: &Real) {
    let script = "sh bash /dev/stdin < /dev/null;\nfs -mkdir file://$HERE/made;\nsh echo $WORD;\n";
    let uri = real.upload("script.pig", script).await;
    let home = real.folder.path().display().to_string();
    let (status, text) = real
        .run(
            "pig-file",
            "pigJob",
            json!({"queryFileUri": uri, "scriptVariables": {"WORD": "hello", "HERE": home}}),
        )
        .await;
    assert_eq!(status, 0, "{text}");
    assert!(text.lines().any(|line| line == "hello"), "{text}");
    assert!(real.folder.path().join("made").is_dir());
    let queries = json!(["sh env; sh command -v flink", "sh exit 7", "sh echo never"]);
    let (status, text) = real
        .run(
            "pig-list",
            "pigJob",
            json!({"queryList": {"queries": queries}}),
        )
        .await;
    assert_eq!(status, 5, "Pig's own status, not the child's: {text}");
    assert!(text.contains("/home\n") && text.contains("HOME="), "{text}");
    assert!(text.contains("/bin/flink\n"), "{text}");
    assert!(!text.contains("never\n"), "{text}");
    real.upload("in/words.txt", "b\na\n").await;
    let queries = json!(["fs -cat gs://things/in/words.txt", "fs -ls /nowhere"]);
    let (status, text) = real
        .run(
            "pig-fs",
            "pigJob",
            json!({"queryList": {"queries": queries}}),
        )
        .await;
    assert_eq!(status, 5, "{text}");
    assert!(text.contains("b\na\n"), "{text}");
}

async fn hadoop(real: &Real) {
    // The class path holds YARN's jars as a pattern, which names their folder.
    let conf = format!("{}/conf/yarn-site.xml", "jobs/hadoop-class");
    let (status, text) = real
        .run(
            "hadoop-class",
            "hadoopJob",
            json!({
                "mainClass": "org.apache.hadoop.conf.Configuration",
                "properties": {"my.own": "setting"},
                "loggingConfig": {"driverLogLevels": {"root": "WARN"}},
            }),
        )
        .await;
    assert_eq!(status, 0, "{text}");
    assert!(text.contains("fs.defaultFS"), "{text}");
    let cluster = real.runtime.commands("jobs").expect("there");
    let cluster = cluster.parent().expect("has one").to_owned();
    assert!(cluster.join(conf).is_file());
    let site = std::fs::read_to_string(cluster.join("jobs/hadoop-class/conf/mapred-site.xml"));
    let site = site.expect("written");
    assert!(site.contains("<name>my.own</name><value>setting</value>"));
    assert!(
        site.contains("<name>mapreduce.job.tags</name><value>dataproc_job_hadoop-class</value>")
    );
    let jar = jar(real);
    let arguments = json!(["org.apache.hadoop.fs.FsShell", "-ls", "it's $5"]);
    let (status, text) = real
        .run(
            "hadoop-jar",
            "hadoopJob",
            json!({"mainJarFileUri": jar, "args": arguments}),
        )
        .await;
    assert_eq!(status, 1, "{text}");
    assert!(
        text.contains("`it's $5': No such file or directory"),
        "{text}"
    );
}

/// One of Hadoop's own jars.
fn jar(real: &Real) -> String {
    let hadoop = real.runtime.commands("jobs").expect("there").join("hadoop");
    let text = std::fs::read_to_string(hadoop).expect("a script");
    let folder = text
        .split(':')
        .find_map(|entry| entry.strip_suffix("/*"))
        .expect("a class path");
    format!("file://{folder}/hadoop-common-3.3.6.jar")
}

async fn refused(real: &Real) {
    let check = async |kind: &str, body: Value, expected: &str| {
        let job = JobFacts::new("refused", kind, json!({kind: body}));
        let (end, text) = real.try_run(&job).await;
        assert_eq!(text, "");
        let error = end.expect_err("refused");
        assert!(error.to_string().contains(expected), "{error}");
        error
    };
    let error = check("hiveJob", json!({}), "not emulated").await;
    assert!(matches!(error, RuntimeError::NotEmulated { .. }));
    check("pigJob", json!({}), "it has no queries").await;
    let missing = json!({"queryFileUri": "gs://things/missing.pig"});
    check(
        "pigJob",
        missing,
        "gs://things/missing.pig cannot be had: no such object",
    )
    .await;
    let missing = json!({"mainJarFileUri": "file:///nowhere.jar"});
    check("hadoopJob", missing, "no such file on the master").await;
    let strange = json!({"mainPythonFileUri": "hdfs:///job.py"});
    check("pysparkJob", strange, "only gs:// and file:///").await;
}

async fn spark(real: &Real) {
    let main = real.upload("spark.py", SPARK).await;
    let helper = real.upload("helper.py", "NAME = 'helped'\n").await;
    let note = real.upload("note.txt", "noted").await;
    let body = json!({
        "mainPythonFileUri": main,
        "pythonFileUris": [helper],
        "fileUris": [note],
        "args": ["it's $5", ""],
        "properties": {"spark.app.name": "other"},
    });
    let (status, text) = real.run("spark", "pysparkJob", body).await;
    let expected = "spark says 4950 [('helped', False, 'noted')] [\"it's $5\", '']";
    assert!(text.contains(expected), "{text}");
    assert_eq!(status, 3, "the script's own status");
    let job = JobFacts::new("spark", "pysparkJob", json!({}));
    let applications = real.runtime.job_applications(&real.facts, &job).await;
    let names: Vec<&str> = applications.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["counted"], "{applications:?}");
}

async fn flink(real: &Real) {
    // Without a jar, Flink's client takes its own for Python.
    let code = real.upload("job.py", FLINK).await;
    let helper = real.folder.path().join("pyhelper.py");
    std::fs::write(&helper, "NAME = 'helped'\n").expect("written");
    let copied = real.folder.path().join("job.py");
    std::fs::write(&copied, FLINK).expect("written");
    let body = json!({
        "mainClass": "org.apache.flink.client.python.PythonDriver",
        "args": ["-py", copied.display().to_string(), "-pyfs", helper.display().to_string(), "one"],
        "properties": {"yarn.application.name": "native"},
    });
    let (status, text) = real.run("flink", "flinkJob", body).await;
    assert_eq!(status, 0, "{text}");
    assert!(text.contains("flink says helped ['one']"), "{text}");
    assert!(
        text.contains("| 3 |") || text.contains("|                    3 |"),
        "{text}"
    );
    let job = JobFacts::new("flink", "flinkJob", json!({}));
    let applications = real.runtime.job_applications(&real.facts, &job).await;
    let names: Vec<_> = applications
        .iter()
        .map(|one| (one.name.as_str(), one.state.as_str()))
        .collect();
    assert_eq!(names, [("native", "FINISHED")]);
    drop(code);
}

async fn pyflink(real: &Real) {
    let main = real.upload("job.py", FLINK).await;
    let helper = real.upload("pyhelper.py", "NAME = 'from storage'\n").await;
    let body = json!({"mainPythonFileUri": main, "pythonFileUris": [helper], "args": ["a b"]});
    let (status, text) = real.run("pyflink", "pyflinkJob", body).await;
    assert_eq!(status, 0, "{text}");
    assert!(text.contains("flink says from storage ['a b']"), "{text}");
}

async fn cancelled(real: &Real) {
    let body = json!({"queryList": {"queries": ["sh echo up; sh sleep 600"]}});
    let job = JobFacts::new("long", "pigJob", json!({"pigJob": body}));
    let (output, mut pieces) = DriverOutput::channel(64);
    let run = real.runtime.run_job(&real.facts, &job, &output);
    let cancel = async {
        let mut all = String::new();
        while !all.contains("up\n") {
            let piece = pieces.recv().await.expect("it says so");
            all.push_str(&String::from_utf8_lossy(&piece));
        }
        real.runtime
            .cancel_job(&real.facts, "long")
            .await
            .expect("asked");
        real.runtime
            .cancel_job(&real.facts, "unknown")
            .await
            .expect("no error");
        pieces.close();
    };
    let began = Instant::now();
    let (end, ()) = tokio::join!(run, cancel);
    assert_eq!(end.expect("ended").exit_status, 143);
    println!("cancelled in {:?}", began.elapsed());
}
