//! Flink on a machine: its configuration, and the commands `flink`, `yarn`, `hadoop` and `python3`.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::error::SandboxError;
use crate::layout::Layout;
use crate::parts::Parts;

/// What Flink 1.20 needs to run on Java 17, from the configuration that Flink ships.
pub(crate) const JAVA_OPENS: &str = "--add-exports=java.base/sun.net.util=ALL-UNNAMED \
    --add-exports=java.rmi/sun.rmi.registry=ALL-UNNAMED \
    --add-exports=jdk.compiler/com.sun.tools.javac.api=ALL-UNNAMED \
    --add-exports=jdk.compiler/com.sun.tools.javac.file=ALL-UNNAMED \
    --add-exports=jdk.compiler/com.sun.tools.javac.parser=ALL-UNNAMED \
    --add-exports=jdk.compiler/com.sun.tools.javac.tree=ALL-UNNAMED \
    --add-exports=jdk.compiler/com.sun.tools.javac.util=ALL-UNNAMED \
    --add-exports=java.security.jgss/sun.security.krb5=ALL-UNNAMED \
    --add-opens=java.base/java.lang=ALL-UNNAMED \
    --add-opens=java.base/java.net=ALL-UNNAMED \
    --add-opens=java.base/java.io=ALL-UNNAMED \
    --add-opens=java.base/java.nio=ALL-UNNAMED \
    --add-opens=java.base/sun.nio.ch=ALL-UNNAMED \
    --add-opens=java.base/java.lang.reflect=ALL-UNNAMED \
    --add-opens=java.base/java.text=ALL-UNNAMED \
    --add-opens=java.base/java.time=ALL-UNNAMED \
    --add-opens=java.base/java.util=ALL-UNNAMED \
    --add-opens=java.base/java.util.concurrent=ALL-UNNAMED \
    --add-opens=java.base/java.util.concurrent.atomic=ALL-UNNAMED \
    --add-opens=java.base/java.util.concurrent.locks=ALL-UNNAMED";

/// A short-lived Java starts faster with these.
const QUICK: &str = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC";

/// The prefix of the cluster properties that go into Flink's configuration.
const PROPERTY_PREFIX: &str = "flink:";

/// Flink's configuration: what the sandbox needs, then what the cluster's properties say.
fn settings(
    layout: &Layout,
    parts: &Parts,
    properties: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let ip = layout.ip.to_string();
    let python = parts.machine_python.display().to_string();
    let quick = format!("{QUICK} -Djava.io.tmpdir={}", layout.text("tmp"));
    let mut settings: BTreeMap<String, String> = [
        ("env.java.opts.all", JAVA_OPENS.to_owned()),
        ("env.java.opts.jobmanager", quick.clone()),
        ("env.java.opts.taskmanager", quick),
        // On YARN, Flink takes `localhost` here for "every address": it must be the address itself.
        ("jobmanager.bind-host", ip.clone()),
        ("jobmanager.rpc.address", ip.clone()),
        ("taskmanager.bind-host", ip.clone()),
        ("rest.address", ip.clone()),
        ("rest.bind-address", ip),
        ("jobmanager.memory.process.size", "1024m".to_owned()),
        ("jobmanager.memory.jvm-metaspace.size", "160m".to_owned()),
        ("jobmanager.memory.jvm-overhead.min", "96m".to_owned()),
        ("taskmanager.memory.process.size", "1024m".to_owned()),
        ("taskmanager.memory.jvm-metaspace.size", "160m".to_owned()),
        ("taskmanager.memory.jvm-overhead.min", "96m".to_owned()),
        ("taskmanager.memory.managed.fraction", "0.25".to_owned()),
        ("fs.allowed-fallback-filesystems", "gs".to_owned()),
        ("python.executable", python.clone()),
        ("python.client.executable", python),
        // A Python program's client otherwise ends with a harmless trace.
        ("classloader.check-leaked-classloader", "false".to_owned()),
        ("io.tmp.dirs", layout.text("tmp")),
        // These two stand for folders of HDFS: the only ones that masters and workers share.
        (
            "yarn.staging-directory",
            format!("file://{}", layout.text("staging")),
        ),
        (
            "jobmanager.archive.fs.dir",
            format!("file://{}", layout.text("archive")),
        ),
        (
            "historyserver.archive.fs.dir",
            format!("file://{}", layout.text("archive")),
        ),
        (
            "historyserver.archive.fs.refresh-interval",
            "2000".to_owned(),
        ),
        // One file of running sessions for each cluster; the default is one for each user.
        ("yarn.properties-file.location", layout.text("tmp")),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect();
    let own = properties.iter().filter_map(|(key, value)| {
        let key = key.strip_prefix(PROPERTY_PREFIX)?;
        Some((key.to_owned(), value.clone()))
    });
    settings.extend(own);
    settings
}

/// Writes Flink's configuration folder and the commands of the machine.
pub(crate) fn configure(
    layout: &Layout,
    parts: &Parts,
    properties: &BTreeMap<String, String>,
) -> Result<(), SandboxError> {
    layout.create_folders(&["flink-conf", "flink-log", "bin", "home"])?;
    let shipped = parts.flink_home.join("conf");
    let entries = fs::read_dir(&shipped).map_err(SandboxError::file("read", &shipped))?;
    for entry in entries.flatten() {
        let target = layout.at("flink-conf").join(entry.file_name());
        fs::copy(entry.path(), &target).map_err(SandboxError::file("write", target))?;
    }
    let lines = settings(layout, parts, properties)
        .into_iter()
        // A JSON string is a YAML string.
        .map(|(key, value)| format!("{key}: {}\n", serde_json::Value::String(value)));
    layout.write("flink-conf/config.yaml", &lines.collect::<String>())?;
    for (name, text) in commands(layout, parts) {
        let file = layout.at("bin").join(name);
        fs::write(&file, text).map_err(SandboxError::file("write", &file))?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755))
            .map_err(SandboxError::file("write", &file))?;
    }
    // The home is the machine's own, so nothing of the user's start-up files runs, and a new cluster finds an empty home.
    let start_up = format!(
        "export PATH={}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\ncd \"$HOME\"\n",
        layout.text("bin")
    );
    for name in ["home/.bashrc", "home/.zshenv"] {
        // A cluster that is started again keeps what its user wrote.
        if !layout.at(name).exists() {
            layout.write(name, &start_up)?;
        }
    }
    Ok(())
}

fn commands(layout: &Layout, parts: &Parts) -> [(&'static str, String); 6] {
    let java = parts.prerequisites.java_home.join("bin/java");
    let java = java.display();
    let flink = parts.flink_home.display();
    let opt = parts.flink_opt.display();
    let classpath = hadoop_classpath(layout, parts);
    let python = format!(
        "#!/bin/sh\nexec '{}' \"$@\"\n",
        parts.machine_python.display()
    );
    let opens = JAVA_OPENS;
    let temporary = layout.text("tmp");
    let tool = format!(
        "run() {{ exec '{java}' -Xmx256m {QUICK} -Djava.io.tmpdir='{temporary}' --add-opens=java.base/java.lang=ALL-UNNAMED \
         -Dlog4j.configuration=file:'{conf}'/log4j.properties -cp '{classpath}' \"$@\"; }}\n",
        conf = layout.text("hadoop-conf"),
    );
    // As Flink's own script ends, without the two Java programs it first asks for the configuration.
    let client = format!(
        "#!/bin/bash\n\
         export FLINK_BIN_DIR='{flink}/bin' FLINK_LIB_DIR='{flink}/lib' FLINK_OPT_DIR='{opt}'\n\
         export FLINK_PLUGINS_DIR=\"${{FLINK_PLUGINS_DIR:-{flink}/plugins}}\"\n\
         log=\"$FLINK_LOG_DIR/flink-${{USER:-user}}-client.log\"\n\
         for jar in '{flink}'/lib/*.jar; do classpath=\"${{classpath:+$classpath:}}$jar\"; done\n\
         hadoop=\"${{HADOOP_CLASSPATH:+:$HADOOP_CLASSPATH}}${{HADOOP_CONF_DIR:+:$HADOOP_CONF_DIR}}\"\n\
         exec '{java}' ${{JVM_ARGS:-}} {QUICK} -Djava.io.tmpdir='{temporary}' {opens} ${{FLINK_ENV_JAVA_OPTS:-}} ${{FLINK_ENV_JAVA_OPTS_CLI:-}} \\\n\
         \x20 -Dlog.file=\"$log\" -Dlog4j.configurationFile=file:\"$FLINK_CONF_DIR\"/log4j-cli.properties \\\n\
         \x20 -classpath \"$classpath$hadoop\" org.apache.flink.client.cli.CliFrontend \"$@\"\n"
    );
    let yarn = format!(
        "#!/bin/bash\n{tool}cli=org.apache.hadoop.yarn.client.cli\n\
         command=\"$1\"\n\
         case \"$command\" in\n\
         application|app|applicationattempt|container) run $cli.ApplicationCLI \"$@\" ;;\n\
         logs) shift; run $cli.LogsCLI \"$@\" ;;\n\
         node) shift; run $cli.NodeCLI \"$@\" ;;\n\
         queue) shift; run $cli.QueueCLI \"$@\" ;;\n\
         jar) shift; run org.apache.hadoop.util.RunJar \"$@\" ;;\n\
         version) run org.apache.hadoop.util.VersionInfo ;;\n\
         classpath) echo '{classpath}' ;;\n\
         *) echo \"yarn $command is not part of the sandbox\" >&2; exit 1 ;;\n\
         esac\n"
    );
    let hadoop = format!(
        "#!/bin/bash\n{tool}command=\"$1\"\n\
         case \"$command\" in\n\
         classpath) echo '{classpath}' ;;\n\
         fs) shift; run org.apache.hadoop.fs.FsShell \"$@\" ;;\n\
         jar) shift; run org.apache.hadoop.util.RunJar \"$@\" ;;\n\
         version) run org.apache.hadoop.util.VersionInfo ;;\n\
         *) echo \"hadoop $command is not part of the sandbox\" >&2; exit 1 ;;\n\
         esac\n"
    );
    let session = format!("#!/bin/sh\nexec '{flink}/bin/yarn-session.sh' \"$@\"\n");
    [
        ("flink", client),
        ("yarn", yarn),
        ("hadoop", hadoop),
        ("python3", python.clone()),
        ("python", python),
        ("yarn-session.sh", session),
    ]
}

/// What `hadoop classpath` answers.
pub(crate) fn hadoop_classpath(layout: &Layout, parts: &Parts) -> String {
    format!(
        "{}:{}:{}",
        layout.text("hadoop-conf"),
        parts.hadoop_jars(),
        parts.gcs_connector.display()
    )
}
