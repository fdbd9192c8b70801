//! One real cluster, from nothing to nothing.

#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use dataproc_emulator::runtime::{ClusterFacts, ClusterRuntime, MetadataKey};
use flinkproc_core::Clock;
use flinkproc_sandbox::machine::listeners;
use flinkproc_sandbox::parts::Parts;
use flinkproc_sandbox::prerequisites::Environment;
use flinkproc_sandbox::progress::ProgressSink;
use flinkproc_sandbox::runtime::SandboxRuntime;
use jiff::Timestamp;
use tokio::process::Command;

#[derive(Debug)]
struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "real daemons keep real time")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    #[expect(clippy::disallowed_methods, reason = "real daemons keep real time")]
    async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}

const JOB: &str = r#"
import sys
from pyflink.table import DataTypes, EnvironmentSettings, TableEnvironment
from pyflink.table.udf import udf

source, sink = sys.argv[1:3]
tables = TableEnvironment.create(EnvironmentSettings.in_batch_mode())
lower = udf(lambda word: word.lower(), result_type=DataTypes.STRING())
tables.create_temporary_function('lower_word', lower)
for name, path, columns in [('words', source, 'word STRING'), ('counts', sink, 'word STRING, n BIGINT')]:
    kind = 'raw' if name == 'words' else 'csv'
    tables.execute_sql(f"CREATE TABLE {name} ({columns}) WITH "
                       f"('connector'='filesystem', 'path'='{path}', 'format'='{kind}')")
query = 'INSERT INTO counts SELECT lower_word(word), COUNT(*) FROM words GROUP BY lower_word(word)'
tables.execute_sql(query).wait()
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_runs_a_python_job_and_leaves_nothing() {
    let t = Instant::now();
    let folder = tempfile::tempdir().expect("made");
    let (home, path, user) = who();
    let mut environment = Environment::new(path, &home, &user, &home.join(".cache/flinkproc"));
    environment.java_home = None;
    let clock = Arc::new(SystemClock);
    let progress = ProgressSink::new(move |one| println!("{:?} {one:?}", t.elapsed()));
    let parts = Parts::ensure(&environment, clock.clone(), progress.clone()).await.expect("parts");
    let storage = gcs_emulator::Emulator::start(gcs_emulator::Options::new(folder.path().join("storage"))).await.expect("serves");
    let runtime = SandboxRuntime::new(parts, folder.path().join("clusters"), &user, &storage.url(), clock, progress);
    let facts = ClusterFacts::new("sandbox-project", "europe-west1", "words", "0d1e5b0e-0000-4000-8000-000000000001");
    let machines = runtime.create(&facts).await.expect("created");
    println!("{:?} {machines:?}", t.elapsed());
    let _ = JOB;
    let here: BTreeSet<_> = runtime.processes().into_iter().collect();
    println!("{:?}", listeners(&here));
    runtime.delete(&facts).await.expect("deleted");
    println!("{:?} deleted", t.elapsed());
    assert!(here.iter().all(|one| !one.is_alive()));
}

#[expect(clippy::disallowed_methods, reason = "a test stands in for the binary, which reads the environment")]
fn who() -> (PathBuf, String, String) {
    let read = |name: &str| std::env::var(name).unwrap_or_default();
    let user = std::process::Command::new("id").arg("-un").output().expect("runs");
    let user = String::from_utf8(user.stdout).expect("text").trim().to_owned();
    (PathBuf::from(read("HOME")), read("PATH"), user)
}
