//! Workers of a real cluster: what they see, how they come and go; sessions, applications, pages, stop and start.

#![cfg(target_os = "linux")]
#![expect(clippy::expect_used, reason = "a helper that fails is a failing test")]
#![expect(clippy::print_stdout, reason = "says where the time goes")]

#[path = "support/real.rs"]
#[expect(dead_code, reason = "each suite uses some of it")]
mod real;

use std::time::Duration;

use dataproc_emulator::runtime::{ClusterRuntime, JobFacts, RuntimeError};
use real::{Login, Real};
use serde_json::{Value, json};

const APPLICATION: &str = r#"
import os, sys
from pyflink.table import EnvironmentSettings, TableEnvironment
tables = TableEnvironment.create(EnvironmentSettings.in_batch_mode())
home = os.environ["HOME"]
print("main sees", sorted(os.listdir(home)), sorted(n for n in os.listdir("/tmp") if "master" in n))
tables.execute_sql("SELECT COUNT(*) AS n FROM (VALUES (1), (2), (3)) AS t(x)").print()
"#;

#[tokio::test(flavor = "multi_thread")]
async fn workers_are_machines_of_their_own() {
    let mut real = Real::start("workers", 2).await;
    let login = real.login().await;
    files_of_the_master_are_not_a_workers(&real, &login).await;
    session(&real, &login).await;
    pages(&real).await;
    drop(login);
    scaling(&mut real).await;
    stopping(&real).await;
    real.end().await;
}

/// `main()` runs in a container in application mode: a path of the master means nothing there.
async fn files_of_the_master_are_not_a_workers(real: &Real, login: &Login<'_>) {
    let nodes = real.manager("nodes").await;
    assert_eq!(list(&nodes, "/nodes/node").len(), 2, "{nodes}");
    let write =
        format!("mkdir code; cat > code/app.py <<'END'{APPLICATION}END\ntouch /tmp/master-only");
    let (status, text) = login.run(&write).await;
    assert_eq!(status, 0, "{text}");
    let run = "export HADOOP_CLASSPATH=$(hadoop classpath)\n\
        flink run-application -t yarn-application -Dyarn.application.name=";
    let (status, text) = login.run(&format!("{run}path -py ~/code/app.py")).await;
    assert_eq!(status, 0, "it is taken: {text}");
    let (status, text) = login
        .run(&format!(
            "{run}shipped -Dyarn.ship-files=$HOME/code -pyfs code -pym app"
        ))
        .await;
    assert_eq!(status, 0, "it is taken: {text}");
    real.until("both applications have ended", 120, async || {
        let ended = ["FAILED", "FINISHED"];
        ended.contains(&real.application("path").await.0.as_str())
            && ended.contains(&real.application("shipped").await.0.as_str())
    })
    .await;
    assert_eq!(real.application("path").await.1, "FAILED");
    let (_, id) = real.id("shipped").await;
    let logs = async || login.run(&format!("yarn logs -applicationId {id}")).await.1;
    if real.application("shipped").await.1 != "SUCCEEDED" {
        println!("{}", logs().await);
    }
    assert_eq!(real.application("shipped").await.1, "SUCCEEDED");
    real.until("the logs are home", 60, async || {
        logs().await.contains("main sees")
    })
    .await;
    let logs = logs().await;
    assert!(logs.contains("main sees [] []"), "{logs}");
    assert!(logs.contains("3 |"), "{logs}");
    let (_, text) = login.run("rm /tmp/master-only").await;
    assert_eq!(text, "", "it was the machine's own");
}

async fn session(real: &Real, login: &Login<'_>) {
    let line = "export HADOOP_CLASSPATH=$(hadoop classpath)\n\
        yarn-session.sh -d -nm mine";
    let (status, text) = login.run(line).await;
    assert_eq!(status, 0, "{text}");
    let (state, id) = real.id("mine").await;
    assert_eq!(state, "RUNNING");
    let overview = real
        .page(&format!(
            "http://{}:8088/proxy/{id}/overview",
            real.address()
        ))
        .await;
    assert!(overview.contains("flink-version"), "{overview}");
    let line = format!(
        "export HADOOP_CLASSPATH=$(hadoop classpath)\n\
         flink run -t yarn-session -Dyarn.application.id={id} -py code/app.py"
    );
    let (status, text) = login.run(&line).await;
    assert_eq!(status, 0, "{text}");
    assert!(text.contains("3 |"), "{text}");
    let line = format!("echo stop | yarn-session.sh -id {id}");
    let line = format!("export HADOOP_CLASSPATH=$(hadoop classpath)\n{line}");
    let (status, text) = login.run(&line).await;
    assert_eq!(status, 0, "{text}");
    real.until("the session has ended", 60, async || {
        real.application("mine").await.0 == "FINISHED"
    })
    .await;
}

async fn pages(real: &Real) {
    let pages = &real.machines.web_pages;
    let names: Vec<&String> = pages.keys().collect();
    assert_eq!(names, ["Flink History Server", "YARN ResourceManager"]);
    for url in pages.values() {
        real.page(url).await;
    }
    let history = pages.get("Flink History Server").expect("there");
    real.until("the history has the finished jobs", 60, async || {
        let jobs = real.page(&format!("{history}jobs/overview")).await;
        jobs.matches("FINISHED").count() >= 2
    })
    .await;
    let archive = real.runtime.diagnose(&real.facts).await.expect("made");
    let file = real.folder.path().join("diagnosis.tar.gz");
    std::fs::write(&file, &archive).expect("written");
    let listed = tokio::process::Command::new("tar")
        .arg("-tzf")
        .arg(&file)
        .output();
    let listed = String::from_utf8(listed.await.expect("runs").stdout).expect("text");
    for name in [
        "hadoop-conf/yarn-site.xml",
        "flink-conf/config.yaml",
        "log/resourcemanager.log",
        "diagnosis/applications.json",
        "node-0/conf/yarn-site.xml",
    ] {
        assert!(listed.lines().any(|line| line == name), "{name}: {listed}");
    }
    assert!(!listed.contains("host_ed25519"), "no keys: {listed}");
}

/// A node goes after its containers, or with them; another comes.
async fn scaling(real: &mut Real) {
    let memory = async |real: &Real| real.runtime.yarn_memory(&real.facts).await.expect("known");
    assert_eq!(memory(real).await.available, 2 * 3072);
    real.facts.workers = 1;
    real.facts.secondary_workers = 1;
    let within = Duration::from_secs(60);
    let machines = real
        .runtime
        .scale(&real.facts, within)
        .await
        .expect("scaled");
    let names: Vec<&str> = machines
        .machines
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    assert_eq!(names, ["workers-m", "workers-w-0", "workers-sw-0"]);
    assert_eq!(real.running().await, 2);
    // A job holds one node; the other one is free to go at once.
    let job = JobFacts::new("hold", "pigJob", json!({"pigJob": {}}));
    assert_eq!(real.runtime.job_applications(&real.facts, &job).await, []);
    let machines = real.runtime.preempt(&real.facts, "workers-sw-0").await;
    let machines = machines.expect("taken away").machines;
    assert!(machines.iter().all(|one| one.name != "workers-sw-0"));
    real.until("the preempted node is missed", 60, async || {
        real.running().await == 1
    })
    .await;
    real.facts.secondary_workers = 0;
    real.facts.workers = 2;
    real.runtime
        .scale(&real.facts, within)
        .await
        .expect("scaled");
    assert_eq!(real.running().await, 2);
    real.facts.workers = 1;
    real.runtime
        .scale(&real.facts, within)
        .await
        .expect("scaled");
    assert_eq!(
        real.running().await,
        1,
        "a node that is asked to go says goodbye"
    );
    real.say("scaled");
}

async fn stopping(real: &Real) {
    let address = real.address();
    let host_keys = &real.machines.machines.first().expect("a master").host_keys;
    real.runtime.stop(&real.facts).await.expect("stopped");
    assert!(real.runtime.processes().is_empty());
    let job = JobFacts::new("early", "pigJob", json!({"pigJob": {}}));
    let (end, _) = real.try_run(&job).await;
    let error = end.expect_err("refused");
    assert!(
        matches!(&error, RuntimeError::Failed { detail } if detail.contains("is stopped")),
        "{error}"
    );
    let machines = real.runtime.start(&real.facts).await.expect("started");
    let master = machines.machines.first().expect("a master");
    assert_eq!(
        (&master.address.to_string(), &master.host_keys),
        (&address, host_keys)
    );
    let login = real.again();
    let (status, text) = login.run("cat code/app.py").await;
    assert_eq!(
        (status, text.trim_start()),
        (0, APPLICATION.trim_start()),
        "the home is still there"
    );
    real.say("started again");
}

fn list<'v>(body: &'v Value, pointer: &str) -> &'v [Value] {
    let found = body.pointer(pointer).and_then(Value::as_array);
    found.map_or(&[], Vec::as_slice)
}

impl Real {
    async fn manager(&self, path: &str) -> Value {
        let url = format!("http://{}:8088/ws/v1/cluster/{path}", self.address());
        serde_json::from_str(&self.page(&url).await).expect("JSON")
    }

    async fn running(&self) -> usize {
        let nodes = self.manager("nodes?states=RUNNING").await;
        list(&nodes, "/nodes/node").len()
    }

    /// The state and final status of an application by its name.
    async fn application(&self, name: &str) -> (String, String) {
        let apps = self.manager("apps").await;
        let named = |app: &&Value| app.get("name") == Some(&json!(name));
        let app = list(&apps, "/apps/app").iter().find(named);
        let text = |field: &str| {
            let found = app.and_then(|app| app.get(field)).and_then(Value::as_str);
            found.unwrap_or_default().to_owned()
        };
        (text("state"), text("finalStatus"))
    }

    /// Its state and id.
    async fn id(&self, name: &str) -> (String, String) {
        let apps = self.manager("apps").await;
        let named = |app: &&Value| app.get("name") == Some(&json!(name));
        let app = list(&apps, "/apps/app").iter().find(named).expect("known");
        let text = |field: &str| {
            app.get(field)
                .and_then(Value::as_str)
                .expect("text")
                .to_owned()
        };
        (text("state"), text("id"))
    }
}
