//! PySpark jobs: `spark-submit` on the cluster's YARN, its driver on the master.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use serde::Deserialize;

use crate::error::SandboxError;
use crate::jobs::driver::Command;
use crate::jobs::{LoggingConfig, Setting, joined};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PySparkJob {
    main_python_file_uri: Option<String>,
    args: Vec<String>,
    python_file_uris: Vec<String>,
    jar_file_uris: Vec<String>,
    file_uris: Vec<String>,
    archive_uris: Vec<String>,
    properties: BTreeMap<String, String>,
    logging_config: LoggingConfig,
}

/// What Spark needs on Java 17.
const JAVA_OPENS: &str = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1";

/// What a PySpark job's driver is.
pub(super) async fn command(setting: &Setting<'_>) -> Result<Command, SandboxError> {
    let job: PySparkJob = setting.body()?;
    let main = job.main_python_file_uri.as_deref();
    let main = main.ok_or_else(|| setting.wrong("it has no mainPythonFileUri"))?;
    let main = setting.files.local(main).await?;
    let spark = setting.parts.spark().await?;
    let connector = setting.parts.gcs_connector.display().to_string();
    let hadoop_conf = setting.hadoop_conf(&BTreeMap::new(), &LoggingConfig::default())?;
    let folder = setting.folder.join("spark-conf");
    fs::create_dir_all(&folder).map_err(SandboxError::file("create the folder", &folder))?;
    let mut settings = defaults(setting, &spark.display().to_string(), &connector);
    settings.extend(job.properties.clone());
    tag(&mut settings, &setting.job.tag);
    setting.write(
        "spark-conf/spark-defaults.conf",
        &properties_file(&settings),
    )?;
    setting.write("spark-conf/log4j2.properties", &log4j2(&job.logging_config))?;
    let mut arguments: Vec<String> = ["--master", "yarn", "--deploy-mode", "client"]
        .map(str::to_owned)
        .to_vec();
    for (flag, uris) in [
        ("--py-files", &job.python_file_uris),
        ("--jars", &job.jar_file_uris),
        ("--files", &job.file_uris),
        ("--archives", &job.archive_uris),
    ] {
        let paths = setting.files.all(uris).await?;
        if !paths.is_empty() {
            arguments.extend([flag.to_owned(), joined(&paths, ",")]);
        }
    }
    arguments.push(main.display().to_string());
    arguments.extend(job.args);
    let python = setting.parts.machine_python.display().to_string();
    let ip = setting.layout.ip.to_string();
    let mut variables = setting.variables();
    variables.retain(|(name, _)| !["HADOOP_CONF_DIR", "YARN_CONF_DIR"].contains(name));
    variables.extend([
        ("HADOOP_CONF_DIR", hadoop_conf.clone()),
        ("YARN_CONF_DIR", hadoop_conf),
        ("SPARK_HOME", spark.display().to_string()),
        ("SPARK_CONF_DIR", folder.display().to_string()),
        ("PYSPARK_PYTHON", python.clone()),
        ("PYSPARK_DRIVER_PYTHON", python),
        // Spark's own pages would otherwise be served on every address of the machine.
        ("SPARK_LOCAL_IP", ip),
    ]);
    Ok(Command {
        program: spark.join("bin/spark-submit"),
        arguments: arguments.into_iter().map(Into::into).collect(),
        variables,
        folder: setting.folder.clone(),
    })
}

fn defaults(setting: &Setting<'_>, spark: &str, connector: &str) -> BTreeMap<String, String> {
    let ip = setting.layout.ip.to_string();
    let temporary = format!("-Djava.io.tmpdir={}", setting.layout.text("tmp"));
    [
        ("spark.driver.host", ip.clone()),
        ("spark.driver.bindAddress", ip),
        ("spark.driver.memory", "512m".to_owned()),
        ("spark.driver.extraClassPath", connector.to_owned()),
        (
            "spark.driver.extraJavaOptions",
            format!("{JAVA_OPENS} {temporary}"),
        ),
        ("spark.executor.extraClassPath", connector.to_owned()),
        ("spark.executor.extraJavaOptions", JAVA_OPENS.to_owned()),
        ("spark.executor.instances", "1".to_owned()),
        ("spark.executor.memory", "512m".to_owned()),
        ("spark.yarn.am.memory", "512m".to_owned()),
        ("spark.yarn.am.extraJavaOptions", JAVA_OPENS.to_owned()),
        // Parts lie on every machine; copying 300 MB for each application would only cost time.
        ("spark.yarn.jars", format!("local:{spark}/jars/*")),
        (
            "spark.yarn.stagingDir",
            format!("file://{}", setting.layout.text("staging")),
        ),
        ("spark.local.dir", setting.layout.text("tmp")),
        ("spark.ui.enabled", "false".to_owned()),
        (
            // The mark by which containers are found when all that started them is gone.
            "spark.executorEnv.FLINKPROC_SANDBOX",
            setting.layout.folder.display().to_string(),
        ),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}

/// Adds the job's tag to those that its properties may name.
fn tag(settings: &mut BTreeMap<String, String>, tag: &str) {
    let tags = settings.entry("spark.yarn.tags".to_owned()).or_default();
    if !tags.is_empty() {
        tags.push(',');
    }
    tags.push_str(tag);
}

/// Java's form of properties, which Spark reads.
fn properties_file(settings: &BTreeMap<String, String>) -> String {
    let mut text = String::new();
    for (key, value) in settings {
        let value = value.replace('\\', "\\\\").replace('\n', "\\n");
        let key = key
            .replace(' ', "\\ ")
            .replace(':', "\\:")
            .replace('=', "\\=");
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{key}={value}");
    }
    text
}

fn log4j2(logging: &LoggingConfig) -> String {
    let root = logging
        .driver_log_levels
        .get("root")
        .map_or("info", String::as_str);
    let mut text = format!(
        "rootLogger.level={root}\n\
         rootLogger.appenderRef.stdout.ref=console\n\
         appender.console.type=Console\n\
         appender.console.name=console\n\
         appender.console.target=SYSTEM_ERR\n\
         appender.console.layout.type=PatternLayout\n\
         appender.console.layout.pattern=%d{{yy/MM/dd HH:mm:ss}} %p %c{{1}}: %m%n%ex\n"
    );
    let others = logging
        .driver_log_levels
        .iter()
        .filter(|(name, _)| *name != "root");
    for (number, (name, level)) in others.enumerate() {
        let _ = writeln!(
            text,
            "logger.l{number}.name={name}\nlogger.l{number}.level={level}"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{properties_file, tag};
    use crate::process::MARK;

    #[test]
    fn the_mark_of_executors_is_the_sandboxs() {
        assert_eq!(MARK, "FLINKPROC_SANDBOX");
    }

    #[test]
    fn a_jobs_own_tags_stay() {
        let mut settings = BTreeMap::new();
        tag(&mut settings, "dataproc_job_a");
        assert_eq!(
            properties_file(&settings),
            "spark.yarn.tags=dataproc_job_a\n"
        );
        let mut settings = BTreeMap::from([("spark.yarn.tags".to_owned(), "mine".to_owned())]);
        tag(&mut settings, "dataproc_job_a");
        assert_eq!(
            properties_file(&settings),
            "spark.yarn.tags=mine,dataproc_job_a\n"
        );
    }
}
