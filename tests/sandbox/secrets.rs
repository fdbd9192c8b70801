//! A secret reaches the program and its Python functions, and nobody reads it anywhere else.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::killing::kill_all;
use crate::real::Real;

/// How long one deployment may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(400);

const JOB: &str = r#"
import hashlib
import os
import sys
from pyflink.table import DataTypes, EnvironmentSettings, TableEnvironment
from pyflink.table.expressions import col
from pyflink.table.udf import udf


@udf(result_type=DataTypes.STRING())
def seen(text):
    return text + ":" + hashlib.sha256(os.environ["API_KEY"].encode()).hexdigest()


tables = TableEnvironment.create(EnvironmentSettings.in_batch_mode())
tables.execute_sql(
    "CREATE TABLE sink (line STRING) WITH ("
    f"'connector'='filesystem', 'path'='{sys.argv[1]}', 'format'='raw')"
)
here = hashlib.sha256(os.environ["API_KEY"].encode()).hexdigest()
rows = tables.from_elements([("program:" + here + "\nfunction",)], ["text"])
rows.select(seen(col("text"))).execute_insert("sink").wait()
"#;

fn spec(mode: &str, method: &str) -> String {
    let ssh = if method == "ssh" {
        ""
    } else {
        "ssh = \"never\"\n"
    };
    format!(
        "{ssh}[job]\nscript = \"job.py\"\nmode = \"{mode}\"\nmethod = \"{method}\"\nargs = [\"${{staging}}/output\"]\n\
         secrets = {{ API_KEY = \"api-key\" }}\nresult = \"${{staging}}/output/\"\n\
         [cluster]\nproject = \"a-project\"\nimage = \"sandbox-1.20\"\nworkers.count = 2\n[watch]\ndeadline = \"10m\"\n"
    )
}

/// Kills what a test leaves that fails half-way.
struct Standing<'a>(&'a Real);

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        kill_all(&self.0.home);
    }
}

/// Puts a secret into the sandbox's Secret Manager.
async fn store(endpoint: &str, value: &str) {
    use base64::Engine as _;
    let client = reqwest::Client::new();
    let secrets = format!("{endpoint}/v1/projects/a-project/secrets");
    let made = client
        .post(format!("{secrets}?secretId=api-key"))
        .json(&json!({"replication": {"automatic": {}}}));
    assert!(made.send().await.unwrap().status().is_success());
    let data = base64::engine::general_purpose::STANDARD.encode(value);
    let added = client
        .post(format!("{secrets}/api-key:addVersion"))
        .json(&json!({"payload": {"data": data}}));
    assert!(added.send().await.unwrap().status().is_success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_seen_by_the_job_and_by_nothing_else() {
    let Some(real) = Real::turn().await else {
        return;
    };
    let standing = Standing(&real);
    let up = real.home.run(&["sandbox", "up", "--output", "json"]).await;
    let up = up.ended_with(0).json();
    let value = format!("unspeakable-{}", uuid::Uuid::new_v4().simple());
    store(up["dataproc"].as_str().unwrap(), &value).await;
    let hash = flinkproc_plan::sha256_hex(value.as_bytes());
    for (mode, method) in [
        ("per-job", "ssh"),
        ("session", "hadoop"),
        ("application", "pig"),
    ] {
        real.home.write("flinkproc.toml", spec(mode, method));
        real.home.write("job.py", JOB);
        let watching = Arc::new(AtomicBool::new(true));
        let watcher = tokio::spawn(watch_arguments(Arc::clone(&watching), value.clone()));
        // What was made stays, so that all its files can be looked through.
        let arguments = ["deploy", "--sandbox", "--until", "watch"];
        let running = real.home.command(&arguments).output();
        let output = tokio::time::timeout(PATIENCE, running).await.unwrap();
        let output = output.unwrap();
        watching.store(false, Ordering::SeqCst);
        let spoken = watcher.await.unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{mode} by {method}\n{told}");
        assert_eq!(spoken, Vec::<String>::new(), "{mode} by {method}");
        assert!(!told.contains(&value), "{mode} by {method}");
        // A closed file of the launcher's own may hold it.
        let open: Vec<_> = holders(&real.home.state(), &value)
            .into_iter()
            .filter(|file| {
                file.metadata()
                    .is_ok_and(|data| data.permissions().mode() & 0o077 != 0)
            })
            .collect();
        assert_eq!(open, Vec::<PathBuf>::new(), "{mode} by {method}");
        let ran = real.home.run(&["deploy", "--resume"]).await;
        ran.ended_with(0);
        for witness in ["program", "function"] {
            let line = format!("{witness}:{hash}");
            assert!(ran.out.contains(&line), "{mode} by {method}: {}", ran.out);
        }
    }
    real.home.run(&["sandbox", "down"]).await.ended_with(0);
    drop(standing);
    real.left_nothing();
}

/// The command lines that held the value while it was looked for.
async fn watch_arguments(watching: Arc<AtomicBool>, value: String) -> Vec<String> {
    let mut spoken = Vec::new();
    let mut turns = tokio::time::interval(Duration::from_millis(50));
    while watching.load(Ordering::SeqCst) {
        turns.tick().await;
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            if line.contains(&value) {
                spoken.push(line);
            }
        }
    }
    spoken
}

/// The files below a folder that hold the value.
fn holders(folder: &Path, value: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_dir() {
            found.extend(holders(&path, value));
        } else if kind.is_file() {
            let content = std::fs::read(&path).unwrap_or_default();
            let needle = value.as_bytes();
            if content.windows(needle.len()).any(|part| part == needle) {
                found.push(path);
            }
        }
    }
    found
}
