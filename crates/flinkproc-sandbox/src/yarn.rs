//! YARN: a ResourceManager and NodeManagers on one loopback address.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use flinkproc_core::{ByteSize, Clock};

use crate::error::SandboxError;
use crate::layout::{Layout, SECRETS};
use crate::machine::ProcessRef;
use crate::parts::{Parts, last_lines};
use crate::process::{MARK, Processes};
use crate::resource_manager::ResourceManager;
use crate::worker::Isolation;
use crate::xml::configuration;

/// Containers of one NodeManager: a JobManager and two TaskManagers of 1024 MiB each.
pub(crate) const NODE_MEMORY: ByteSize = ByteSize::from_mib(3072);
/// What a NodeManager and its containers really take, as measured, with a margin.
const NODE_COST: ByteSize = ByteSize::from_mib(2560);
/// What the ResourceManager, a client and the rest of the machine take.
const MASTER_COST: ByteSize = ByteSize::from_mib(1024);
const READY_WITHIN: Duration = Duration::from_secs(120);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How many of so many wanted NodeManagers a cluster gets, of which some run already and have their memory.
pub(crate) fn node_count(wanted: u32, running: u32, memory: ByteSize) -> u32 {
    let room = memory.bytes().saturating_sub(MASTER_COST.bytes()) / NODE_COST.bytes();
    let room = u32::try_from(room).unwrap_or(u32::MAX);
    wanted.min(running.saturating_add(room).max(1))
}

/// Writes the configuration that clients, daemons and containers share.
pub(crate) fn configure(layout: &Layout, parts: &Parts) -> Result<(), SandboxError> {
    layout.create_folders(&["hadoop-conf", "tmp", "log", "app-log", "staging", "archive"])?;
    layout.write("hadoop-conf/core-site.xml", &core_site(layout))?;
    let settings = mapreduce_settings(layout, parts);
    let pairs = settings
        .iter()
        .map(|(key, value)| (key.as_str(), value.clone()));
    layout.write("hadoop-conf/mapred-site.xml", &configuration(pairs))?;
    layout.write("hadoop-conf/capacity-scheduler.xml", &capacity_scheduler())?;
    layout.write("hadoop-conf/log4j.properties", LOG4J)?;
    layout.write("hadoop-conf/yarn-site.xml", &yarn_site(layout, parts, 0))
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
        // With a metadata server the connector asks it for the machine's token, as on Dataproc.
        (
            "fs.gs.auth.service.account.enable",
            layout.metadata_host.is_some().to_string(),
        ),
        (
            "fs.gs.auth.null.enable",
            layout.metadata_host.is_none().to_string(),
        ),
        // The default of 64 MiB for each open file does not fit into a small TaskManager's heap.
        ("fs.gs.outputstream.upload.chunk.size", one("1048576")),
    ])
}

/// MapReduce's settings.
///
/// Its jobs run inside their driver: the shuffle service that they would need on YARN listens on every address of the machine,
/// and no setting changes that.
pub(crate) fn mapreduce_settings(layout: &Layout, parts: &Parts) -> BTreeMap<String, String> {
    [
        ("mapreduce.framework.name", "local".to_owned()),
        ("mapreduce.application.classpath", parts.hadoop_jars()),
        ("yarn.app.mapreduce.am.staging-dir", layout.text("staging")),
        ("yarn.app.mapreduce.am.resource.mb", "512".to_owned()),
        ("mapreduce.map.memory.mb", "512".to_owned()),
        ("mapreduce.reduce.memory.mb", "512".to_owned()),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
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

/// What YARN calls a NodeManager.
pub(crate) fn node_id(layout: &Layout, node: u32) -> String {
    format!("{}:{}", layout.ip, port(8041, node))
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
    let classpath = format!(
        "{},{},{}",
        layout.text("hadoop-conf"),
        parts.hadoop_jars(),
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
            format!(
                "JAVA_HOME,HADOOP_CONF_DIR,STORAGE_EMULATOR_HOST,GCE_METADATA_HOST,{SECRETS},{MARK}"
            ),
        ),
        // A full disk of the developer is no reason to call the node unhealthy before it is really full.
        (
            "yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage",
            one("99.5"),
        ),
        // Its own, and empty, on each worker; by default the folder of all homes of the machine.
        (
            "yarn.nodemanager.user-home-dir",
            layout.home.display().to_string(),
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
        // A machine that went without a word is missed soon; the default of ten minutes is for networks.
        ("yarn.nm.liveness-monitor.expiry-interval-ms", one("30000")),
        ("yarn.application.classpath", classpath),
    ])
}

/// What every Java of Hadoop's logs, and how.
pub(crate) const LOG4J: &str = "\
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
    let (program, arguments) = daemon(layout, parts, "hadoop-conf", MAIN);
    let log = layout.at("log/resourcemanager.log");
    processes.start(&program, &arguments, &layout.variables(parts), &log)
}

/// Starts one NodeManager, as on a machine of its own where the kernel lets us.
pub(crate) fn start_node_manager(
    layout: &Layout,
    parts: &Parts,
    processes: &Processes,
    isolation: Option<&Isolation>,
    node: u32,
) -> Result<ProcessRef, SandboxError> {
    const MAIN: &str = "org.apache.hadoop.yarn.server.nodemanager.NodeManager";
    let (mut program, mut arguments) = daemon(layout, parts, &format!("node-{node}/conf"), MAIN);
    if let Some(isolation) = isolation {
        (program, arguments) = isolation.wrap(layout, parts, node, &program, &arguments)?;
    }
    let log = layout.at(&format!("log/nodemanager-{node}.log"));
    processes.start(&program, &arguments, &layout.variables(parts), &log)
}

fn daemon(layout: &Layout, parts: &Parts, conf: &str, main: &str) -> (PathBuf, Vec<String>) {
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
    (java, arguments.map(str::to_owned).to_vec())
}

/// Waits until the ResourceManager says that so many NodeManagers run; `daemons` must live meanwhile.
pub(crate) async fn wait_ready(
    layout: &Layout,
    nodes: usize,
    daemons: &[(String, ProcessRef)],
    http: &reqwest::Client,
    clock: &dyn Clock,
) -> Result<(), SandboxError> {
    let manager = ResourceManager::of(layout, http);
    let deadline = clock.now().checked_add(READY_WITHIN).unwrap_or(clock.now());
    loop {
        if manager.running_nodes().await >= nodes {
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

#[cfg(test)]
mod tests {
    use flinkproc_core::ByteSize;

    use super::node_count;

    #[test]
    fn workers_are_capped_by_memory() {
        let check = |wanted, running, gib: u64, expected| {
            let given = node_count(wanted, running, ByteSize::from_mib(gib * 1024));
            assert_eq!(given, expected);
        };
        check(2, 0, 24, 2);
        check(20, 0, 24, 9);
        check(2, 0, 4, 1);
        check(5, 0, 1, 1);
        check(5, 2, 4, 3);
        check(1, 2, 1, 1);
    }
}
