//! Flink's own GCS plugin on a real cluster: checkpoints, a savepoint and files of exactly one writing, all on `gs://`.

#![cfg(target_os = "linux")]
#![expect(clippy::expect_used, reason = "a helper that fails is a failing test")]
#![expect(clippy::print_stdout, reason = "says where the time goes")]

#[path = "support/real.rs"]
#[expect(dead_code, reason = "each suite uses some of it")]
mod real;

use real::{BUCKET, Login, Real};
use serde_json::Value;

/// Numbers into files, which become visible with a checkpoint, each number once.
const JOB: &str = r#"
import sys
from pyflink.table import EnvironmentSettings, TableEnvironment

rate, last = sys.argv[1:3]
tables = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
tables.execute_sql(f"""CREATE TABLE numbers (n BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '{rate}',
    'fields.n.kind' = 'sequence', 'fields.n.start' = '1', 'fields.n.end' = '{last}')""")
tables.execute_sql("""CREATE TABLE files (n BIGINT) WITH ('connector' = 'filesystem', 'path' = 'gs://things/numbers',
    'format' = 'csv', 'sink.rolling-policy.rollover-interval' = '5 s', 'sink.rolling-policy.check-interval' = '1 s')""")
tables.execute_sql("INSERT INTO files SELECT n FROM numbers")
"#;

/// The last number: at 50 a second, more than the first run lives to see.
const LAST: usize = 6000;

/// The plugin; later patch releases of it do not resolve, and this one runs with all of 1.20.
const PLUGIN: &str = "org.apache.flink:flink-gs-fs-hadoop:1.20.0";

#[tokio::test(flavor = "multi_thread")]
async fn flinks_own_plugin_keeps_state_and_files_on_gs() {
    let real = Real::start("plugin", 1).await;
    let login = real.login().await;
    let plugin = plugin().await;
    let line = format!(
        "mkdir -p plugins/gs-fs-hadoop && cp '{plugin}' plugins/gs-fs-hadoop/ && cat > job.py <<'END'{JOB}END"
    );
    let (status, text) = login.run(&line).await;
    assert_eq!(status, 0, "{text}");

    let (_, storage) = login.run("echo $STORAGE_EMULATOR_HOST").await;
    let storage = storage.trim();
    let (job, application) = submit(&login, storage, "", "50").await;
    real.until(
        "two checkpoints and some files are there",
        120,
        async || {
            let names = names(&real, storage, "").await;
            let checkpoints = names.iter().filter(|it| it.ends_with("/_metadata"));
            let files = names.iter().filter(|it| it.starts_with("numbers/part-"));
            checkpoints.count() >= 1 && files.count() >= 2
        },
    )
    .await;
    let seen = numbers(&real, storage).await;
    assert!(seen.len() < LAST, "the first run was to be cut short");

    let line = format!(
        "{CLIENT}flink stop -t yarn-per-job -Dyarn.application.id={application} {} \
         --savepointPath gs://{BUCKET}/savepoints {job}",
        settings(storage)
    );
    let (status, text) = login.run(&line).await;
    assert_eq!(status, 0, "{text}");
    let savepoint = text
        .split_whitespace()
        .find(|word| word.contains("/savepoints/"));
    let savepoint = savepoint.expect("the path of the savepoint").to_owned();
    real.say(&savepoint);

    let restore = format!("-s {savepoint}");
    submit(&login, storage, &restore, "100000").await;
    real.until("every number is there", 120, async || {
        numbers(&real, storage).await.len() >= LAST
    })
    .await;
    let seen = numbers(&real, storage).await;
    assert_eq!(seen, (1..=LAST).collect::<Vec<_>>(), "each number once");
    // What the writer put aside on the way is gone when its file is whole.
    real.until("no half of a file is left", 60, async || {
        let names = names(&real, storage, "").await;
        !names.iter().any(|name| name.contains(".inprogress"))
    })
    .await;
    drop(login);
    real.end().await;
}

const CLIENT: &str =
    "export HADOOP_CLASSPATH=$(hadoop classpath) FLINK_PLUGINS_DIR=$HOME/plugins\n";

/// The plugin finds the endpoint of its Hadoop half and of its own writer by the first of these.
fn settings(storage: &str) -> String {
    [
        format!("-Dgs.storage.root.url={storage}"),
        "-Dgs.auth.null.enable=true".to_owned(),
        "-Dgs.auth.service.account.enable=false".to_owned(),
        "-Dexecution.checkpointing.interval=2s".to_owned(),
        format!("-Dexecution.checkpointing.dir=gs://{BUCKET}/checkpoints"),
    ]
    .join(" ")
}

/// Submits the job; its id and its YARN application's.
async fn submit(login: &Login<'_>, storage: &str, more: &str, rate: &str) -> (String, String) {
    let line = format!(
        "{CLIENT}flink run -d -t yarn-per-job -Dyarn.application.name=numbers {} {more} -py job.py {rate} {LAST}",
        settings(storage)
    );
    let (status, text) = login.run(&line).await;
    assert_eq!(status, 0, "{text}");
    let after = |mark: &str| {
        let at = text.find(mark).expect(mark) + mark.len();
        let rest = text.get(at..).unwrap_or_default();
        let word: String = rest
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect();
        word
    };
    let job = after("submitted with JobID ");
    let at = text.find("application_").expect("an application");
    let rest = text.get(at..).unwrap_or_default();
    let id = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
    (job, rest.chars().take_while(id).collect())
}

/// The names of all objects below a prefix.
async fn names(real: &Real, storage: &str, prefix: &str) -> Vec<String> {
    let url = format!("{storage}/storage/v1/b/{BUCKET}/o?prefix={prefix}");
    let list: Value = serde_json::from_str(&real.page(&url).await).expect("JSON");
    let items = list["items"].as_array().cloned().unwrap_or_default();
    let name = |item: &Value| item["name"].as_str().map(str::to_owned);
    items.iter().filter_map(name).collect()
}

/// Every number in a file that is finished.
async fn numbers(real: &Real, storage: &str) -> Vec<usize> {
    let mut all = Vec::new();
    for name in names(real, storage, "numbers/part-").await {
        let name = name.replace('/', "%2F");
        let url = format!("{storage}/storage/v1/b/{BUCKET}/o/{name}?alt=media");
        let text = real.page(&url).await;
        all.extend(
            text.lines()
                .map(|line| line.parse::<usize>().expect("a number")),
        );
    }
    all.sort_unstable();
    all
}

/// The plugin's file, fetched by Maven into the user's cache at first use.
async fn plugin() -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test stands in for the binary, which reads the environment"
    )]
    let home = std::env::var("HOME").expect("a home");
    let cache = std::path::Path::new(&home).join(".cache/flinkproc/clients");
    let folder = cache.join("flink-gs-fs-hadoop-1.20.0");
    let file = folder.join("flink-gs-fs-hadoop-1.20.0.jar");
    if !file.exists() {
        let beside = folder.with_extension("half");
        let done = tokio::process::Command::new("mvn")
            .args(["-q", "-B", "dependency:copy"])
            .arg(format!("-Dartifact={PLUGIN}"))
            .arg(format!("-DoutputDirectory={}", beside.display()))
            .output()
            .await
            .expect("mvn");
        let said = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success(), "{said}");
        // Another run may have been as quick.
        if std::fs::rename(&beside, &folder).is_err() {
            assert!(file.exists(), "the plugin is not there");
        }
    }
    file.to_str().expect("text").to_owned()
}
