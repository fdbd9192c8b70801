//! Hadoop jobs: Hadoop's own `RunJar`, or a class of the job's jars.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::SandboxError;
use crate::jobs::driver::Command;
use crate::jobs::{LoggingConfig, Setting, joined};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct HadoopJob {
    main_jar_file_uri: Option<String>,
    main_class: Option<String>,
    args: Vec<String>,
    jar_file_uris: Vec<String>,
    file_uris: Vec<String>,
    archive_uris: Vec<String>,
    properties: BTreeMap<String, String>,
    logging_config: LoggingConfig,
}

/// What a Hadoop job's driver is.
pub(super) async fn command(setting: &Setting<'_>) -> Result<Command, SandboxError> {
    let job: HadoopJob = setting.body()?;
    let jars = setting.files.all(&job.jar_file_uris).await?;
    let mut properties = job.properties;
    // What `-libjars`, `-files` and `-archives` set; an argument would reach programs that do not know these options.
    for (key, uris) in [
        ("tmpjars", &job.jar_file_uris),
        ("tmpfiles", &job.file_uris),
        ("tmparchives", &job.archive_uris),
    ] {
        let paths = setting.files.all(uris).await?;
        if !paths.is_empty() {
            let uris: Vec<String> = paths
                .iter()
                .map(|path| format!("file://{}", path.display()))
                .collect();
            properties
                .entry(key.to_owned())
                .or_insert_with(|| uris.join(","));
        }
    }
    let conf = setting.hadoop_conf(&properties, &job.logging_config)?;
    let hadoop = setting.parts.hadoop_jars();
    let connector = setting.parts.gcs_connector.display().to_string();
    let mut classpath = vec![conf.clone(), hadoop, connector];
    classpath.extend(jars.iter().map(|jar| jar.display().to_string()));
    let mut arguments: Vec<String> = [
        "-Xmx256m",
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        "--add-opens=java.base/java.lang=ALL-UNNAMED",
    ]
    .map(str::to_owned)
    .to_vec();
    arguments.push(format!("-Djava.io.tmpdir={}", setting.layout.text("tmp")));
    arguments.push(format!(
        "-Dlog4j.configuration=file:{conf}/log4j.properties"
    ));
    arguments.extend(["-cp".to_owned(), classpath.join(":")]);
    match (&job.main_jar_file_uri, &job.main_class) {
        (Some(jar), _) => {
            let jar = setting.files.local(jar).await?;
            arguments.push("org.apache.hadoop.util.RunJar".to_owned());
            arguments.push(jar.display().to_string());
        }
        (None, Some(class)) => arguments.push(class.clone()),
        (None, None) => return Err(setting.wrong("it has neither a main jar nor a main class")),
    }
    arguments.extend(job.args);
    let mut variables: Vec<_> = setting.variables();
    variables.retain(|(name, _)| !["HADOOP_CONF_DIR", "YARN_CONF_DIR"].contains(name));
    variables.push(("HADOOP_CONF_DIR", conf.clone()));
    variables.push(("YARN_CONF_DIR", conf));
    if !jars.is_empty() {
        variables.push(("HADOOP_CLASSPATH", joined(&jars, ":")));
    }
    Ok(Command {
        program: setting.java(),
        arguments: arguments.into_iter().map(Into::into).collect(),
        variables,
        folder: setting.folder.clone(),
    })
}
