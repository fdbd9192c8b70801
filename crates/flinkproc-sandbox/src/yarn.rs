//! YARN: a ResourceManager and NodeManagers on one loopback address.

use std::path::Path;
use std::time::Duration;

use flinkproc_core::{ByteSize, Clock};
use serde_json::Value;

use crate::error::SandboxError;
use crate::layout::Layout;
use crate::machine::ProcessRef;
use crate::parts::{Parts, last_lines};
use crate::process::{MARK, Processes};
use crate::xml::configuration;

/// Containers of one NodeManager: a JobManager and two TaskManagers of 1024 MiB each.
pub(crate) const NODE_MEMORY: ByteSize = ByteSize::from_mib(3072);
/// What a NodeManager and its containers really take, as measured, with a margin.
const NODE_COST: ByteSize = ByteSize::from_mib(2560);
/// What the ResourceManager, a client and the rest of the machine take.
const MASTER_COST: ByteSize = ByteSize::from_mib(1024);
const READY_WITHIN: Duration = Duration::from_secs(120);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How many NodeManagers a cluster with so many workers gets.
///
/// A cluster without workers runs its containers on the master, as Dataproc's single-node clusters do.
pub(crate) fn node_count(workers: u32, memory: ByteSize) -> u32 {
    let room = memory.bytes().saturating_sub(MASTER_COST.bytes()) / NODE_COST.bytes();
    workers
        .max(1)
        .min(u32::try_from(room).unwrap_or(u32::MAX).max(1))
}

/// Writes the configuration that clients, daemons and containers share, and one more for each further NodeManager.
pub(crate) fn configure(layout: &Layout, parts: &Parts, nodes: u32) -> Result<(), SandboxError> {
    layout.create_folders(&["hadoop-conf", "tmp", "log", "app-log"])?;
    layout.write("hadoop-conf/core-site.xml", &core_site(layout))?;
    layout.write("hadoop-conf/capacity-scheduler.xml", &capacity_scheduler())?;
    layout.write("hadoop-conf/log4j.properties", LOG4J)?;
    layout.write("hadoop-conf/yarn-site.xml", &yarn_site(layout, parts, 0))?;
    for node in 0..nodes {
        configure_node(layout, parts, node)?;
    }
    Ok(())
}

/// Writes the configuration of one NodeManager.
pub(crate) fn configure_node(
    layout: &Layout,
    parts: &Parts,
    node: u32,
) -> Result<(), SandboxError> {
    layout.create_folders(&[
        &format!("node-{node}/conf"),
        &format!("node-{node}/local"),
        &format!("node-{node}/log"),
    ])?;
    let file = |name: &str| format!("node-{node}/conf/{name}");
    layout.write(&file("core-site.xml"), &core_site(layout))?;
    layout.write(&file("log4j.properties"), LOG4J)?;
    layout.write(&file("yarn-site.xml"), &yarn_site(layout, parts, node))
}

fn core_site(layout: &Layout) -> String {
    let one = |text: &str| text.to_owned();
    configuration([
        ("fs.defaultFS", one("file:///")),
        ("hadoop.tmp.dir", layout.text("tmp")),
        // Who asks the ResourceManager over HTTP may end the applications of the sandbox's user.
        ("hadoop.http.staticuser.user", layout.user.clone()),
        (
            "fs.gs.impl",
            one("com.google.cloud.hadoop.fs.gcs.GoogleHadoopFileSystem"),
        ),
        (
            "fs.AbstractFileSystem.gs.impl",
            one("com.google.cloud.hadoop.fs.gcs.GoogleHadoopFS"),
        ),
        ("fs.gs.project.id", one("sandbox")),
        ("fs.gs.storage.root.url", format!("{}/", layout.storage)),
        ("fs.gs.auth.service.account.enable", one("false")),
        ("fs.gs.auth.null.enable", one("true")),
        // The default of 64 MiB for each open file does not fit into a small TaskManager's heap.
        ("fs.gs.outputstream.upload.chunk.size", one("1048576")),
    ])
}

fn capacity_scheduler() -> String {
    let one = |text: &str| text.to_owned();
    configuration([
        ("yarn.scheduler.capacity.root.queues", one("default")),
        ("yarn.scheduler.capacity.root.default.capacity", one("100")),
        (
            "yarn.scheduler.capacity.maximum-am-resource-percent",
            one("0.8"),
        ),
    ])
}

/// Ports of a NodeManager: the usual ones for the first, a hundred more for each further one.
const fn port(base: u32, node: u32) -> u32 {
    base + 100 * node
}

fn yarn_site(layout: &Layout, parts: &Parts, node: u32) -> String {
    let ip = layout.ip.to_string();
    let at = |base| format!("{}:{}", layout.ip, port(base, node));
    let one = |text: &str| text.to_owned();
    let folder = |name: &str| layout.text(&format!("node-{node}/{name}"));
    let jars = parts.yarn_jars.first().and_then(|jar| jar.parent());
    let classpath = format!(
        "{},{}/*,{}",
        layout.text("hadoop-conf"),
        jars.unwrap_or(Path::new("")).display(),
        parts.gcs_connector.display()
    );
    configuration([
        ("yarn.resourcemanager.hostname", ip.clone()),
        ("yarn.resourcemanager.bind-host", ip.clone()),
        ("yarn.nodemanager.hostname", ip.clone()),
        ("yarn.nodemanager.bind-host", ip),
        ("yarn.nodemanager.localizer.address", at(8040)),
        ("yarn.nodemanager.address", at(8041)),
        ("yarn.nodemanager.webapp.address", at(8042)),
        ("yarn.nodemanager.collector-service.address", at(8048)),
        ("yarn.nodemanager.local-dirs", folder("local")),
        ("yarn.nodemanager.log-dirs", folder("log")),
        (
            "yarn.nodemanager.resource.memory-mb",
            NODE_MEMORY.mib().to_string(),
        ),
        ("yarn.nodemanager.resource.cpu-vcores", one("4")),
        ("yarn.nodemanager.vmem-check-enabled", one("false")),
        (
            "yarn.nodemanager.env-whitelist",
            // The mark is how containers are found when everything that started them is gone.
            format!("JAVA_HOME,HADOOP_CONF_DIR,STORAGE_EMULATOR_HOST,{MARK}"),
        ),
        // A full disk of the developer is no reason to call the node unhealthy before it is really full.
        (
            "yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage",
            one("99.5"),
        ),
        ("yarn.log-aggregation-enable", one("true")),
        (
            "yarn.nodemanager.remote-app-log-dir",
            layout.text("app-log"),
        ),
        ("yarn.scheduler.minimum-allocation-mb", one("256")),
        (
            "yarn.scheduler.maximum-allocation-mb",
            NODE_MEMORY.mib().to_string(),
        ),
        // By default a folder of the machine's temporary folder, which all clusters of all users would share.
        (
            "yarn.node-attribute.fs-store.root-dir",
            layout.text("tmp/node-attribute"),
        ),
        (
            "yarn.node-labels.fs-store.root-dir",
            layout.text("tmp/node-labels"),
        ),
        (
            "yarn.resourcemanager.nodemanagers.heartbeat-interval-ms",
            one("200"),
        ),
        ("yarn.application.classpath", classpath),
    ])
}

const LOG4J: &str = "\
log4j.rootLogger=INFO,console
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.target=System.err
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern=%d{ISO8601} %p %c: %m%n
";

/// Starts the ResourceManager.
pub(crate) fn start_resource_manager(
    layout: &Layout,
    parts: &Parts,
    processes: &Processes,
) -> Result<ProcessRef, SandboxError> {
    const MAIN: &str = "org.apache.hadoop.yarn.server.resourcemanager.ResourceManager";
    start(
        layout,
        parts,
        processes,
        "resourcemanager",
        "hadoop-conf",
        MAIN,
    )
}

/// Starts one NodeManager.
pub(crate) fn start_node_manager(
    layout: &Layout,
    parts: &Parts,
    processes: &Processes,
    node: u32,
) -> Result<ProcessRef, SandboxError> {
    const MAIN: &str = "org.apache.hadoop.yarn.server.nodemanager.NodeManager";
    let name = format!("nodemanager-{node}");
    start(
        layout,
        parts,
        processes,
        &name,
        &format!("node-{node}/conf"),
        MAIN,
    )
}

fn start(
    layout: &Layout,
    parts: &Parts,
    processes: &Processes,
    name: &str,
    conf: &str,
    main: &str,
) -> Result<ProcessRef, SandboxError> {
    let java = parts.prerequisites.java_home.join("bin/java");
    let jars = parts.yarn_jars.iter().map(|jar| jar.display().to_string());
    let connector = parts.gcs_connector.display().to_string();
    let classpath: Vec<String> = jars.chain([connector, layout.text(conf)]).collect();
    let arguments = [
        "-Xmx256m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "--add-opens=java.base/java.lang=ALL-UNNAMED",
        &format!(
            "-Dlog4j.configuration=file:{}",
            layout.text("hadoop-conf/log4j.properties")
        ),
        &format!("-Djava.io.tmpdir={}", layout.text("tmp")),
        "-cp",
        &classpath.join(":"),
        main,
    ];
    let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    let log = layout.at(&format!("log/{name}.log"));
    processes.start(&java, &arguments, &layout.variables(parts), &log)
}

/// Waits until the ResourceManager says that so many NodeManagers run; `daemons` must live meanwhile.
pub(crate) async fn wait_ready(
    layout: &Layout,
    nodes: u32,
    daemons: &[(String, ProcessRef)],
    http: &reqwest::Client,
    clock: &dyn Clock,
) -> Result<(), SandboxError> {
    let url = format!(
        "http://{}:8088/ws/v1/cluster/nodes?states=RUNNING",
        layout.ip
    );
    let deadline = clock.now().checked_add(READY_WITHIN).unwrap_or(clock.now());
    loop {
        if running_nodes(http, &url).await >= u64::from(nodes) {
            return Ok(());
        }
        let dead = daemons.iter().find(|(_, process)| !process.is_alive());
        let late = clock.now() > deadline;
        if let Some((name, _)) = dead.or(daemons.first().filter(|_| late)) {
            let log = layout.at(&format!("log/{name}.log"));
            return Err(SandboxError::NotReady {
                service: name.clone(),
                outcome: if late {
                    "was not ready in time"
                } else {
                    "ended"
                }
                .to_owned(),
                tail: last_lines(&std::fs::read_to_string(log).unwrap_or_default(), 15),
            });
        }
        clock.sleep(LOOK_AGAIN).await;
    }
}

async fn running_nodes(http: &reqwest::Client, url: &str) -> u64 {
    let body = ask(http, url).await.unwrap_or_default();
    let nodes = body.pointer("/nodes/node").and_then(Value::as_array);
    nodes.map_or(0, |nodes| u64::try_from(nodes.len()).unwrap_or(u64::MAX))
}

/// What the ResourceManager answers; `None` when it does not.
async fn ask(http: &reqwest::Client, url: &str) -> Option<Value> {
    let call = http.get(url).timeout(Duration::from_secs(5)).send();
    call.await.ok()?.json().await.ok()
}

/// Whether an application waits or runs; `None` when the ResourceManager does not answer.
pub(crate) async fn is_busy(layout: &Layout, http: &reqwest::Client) -> Option<bool> {
    let url = format!("http://{}:8088/ws/v1/cluster/metrics", layout.ip);
    let body = ask(http, &url).await?;
    let count = |name: &str| {
        body.pointer(&format!("/clusterMetrics/{name}"))
            .and_then(Value::as_u64)
    };
    Some(count("appsPending")? + count("appsRunning")? > 0)
}

#[cfg(test)]
mod tests {
    use flinkproc_core::ByteSize;

    use super::node_count;

    #[test]
    fn workers_are_capped_by_memory() {
        let check = |workers, gib: u64, expected| {
            assert_eq!(
                node_count(workers, ByteSize::from_mib(gib * 1024)),
                expected
            );
        };
        check(2, 24, 2);
        check(0, 24, 1);
        check(20, 24, 9);
        check(2, 4, 1);
        check(5, 1, 1);
    }
}
