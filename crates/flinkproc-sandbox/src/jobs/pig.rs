//! Pig jobs: Pig itself, on the master.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::SandboxError;
use crate::jobs::driver::Command;
use crate::jobs::{LoggingConfig, Setting, joined};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PigJob {
    query_file_uri: Option<String>,
    query_list: Option<QueryList>,
    continue_on_failure: bool,
    script_variables: BTreeMap<String, String>,
    properties: BTreeMap<String, String>,
    jar_file_uris: Vec<String>,
    logging_config: LoggingConfig,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct QueryList {
    queries: Vec<String>,
}

/// One script of several queries, each of which may have left its last mark out.
fn script(queries: &[String]) -> String {
    let line = |query: &String| {
        let query = query.trim();
        let end = if query.ends_with(';') { "" } else { ";" };
        format!("{query}{end}\n")
    };
    queries.iter().map(line).collect()
}

/// What a Pig job's driver is.
pub(super) async fn command(setting: &Setting<'_>) -> Result<Command, SandboxError> {
    let job: PigJob = setting.body()?;
    let file = match (&job.query_file_uri, &job.query_list) {
        (Some(uri), _) => setting.files.local(uri).await?.display().to_string(),
        (None, Some(list)) if !list.queries.is_empty() => {
            setting.write("queries.pig", &script(&list.queries))?
        }
        _ => return Err(setting.wrong("it has no queries")),
    };
    let jars = setting.files.all(&job.jar_file_uris).await?;
    let pig = setting.parts.pig().await?;
    let mut properties = job.properties;
    if !jars.is_empty() {
        // Pig separates its jars as a class path does, and ships them with its jobs.
        properties.insert("pig.additional.jars".to_owned(), joined(&jars, ":"));
    }
    let conf = setting.hadoop_conf(&properties, &job.logging_config)?;
    let classpath = [
        conf.clone(),
        format!("{}/*", pig.display()),
        setting.parts.hadoop_jars(),
        setting.parts.gcs_connector.display().to_string(),
        joined(&jars, ":"),
    ];
    let mut arguments: Vec<String> = [
        "-Xmx256m",
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        "--add-opens=java.base/java.lang=ALL-UNNAMED",
        "--add-opens=java.base/java.util=ALL-UNNAMED",
    ]
    .map(str::to_owned)
    .to_vec();
    arguments.push(format!("-Djava.io.tmpdir={}", setting.layout.text("tmp")));
    arguments.push(format!(
        "-Dlog4j.configuration=file:{conf}/log4j.properties"
    ));
    arguments.extend(["-cp".to_owned(), classpath.join(":")]);
    // By default the machine's own temporary folder, whose permissions Pig then takes for its own to set.
    arguments.push(format!("-Dpig.temp.dir={}", setting.layout.text("tmp/pig")));
    arguments.push("org.apache.pig.Main".to_owned());
    arguments.extend(["-4".to_owned(), format!("{conf}/log4j.properties")]);
    arguments.extend(["-logfile".to_owned(), setting.folder.display().to_string()]);
    for (name, value) in &job.script_variables {
        arguments.extend(["-param".to_owned(), format!("{name}={value}")]);
    }
    if !job.continue_on_failure {
        arguments.push("-stop_on_failure".to_owned());
    }
    arguments.extend(["-f".to_owned(), file]);
    let mut variables = setting.variables();
    variables.push(("PIG_CONF_DIR", conf));
    Ok(Command {
        program: setting.java(),
        arguments: arguments.into_iter().map(Into::into).collect(),
        variables,
        folder: setting.folder.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::script;

    #[test]
    fn queries_are_ended_once() {
        let queries = ["sh echo one", "sh echo two;", "fs -ls / ;\n"].map(str::to_owned);
        assert_eq!(script(&queries), "sh echo one;\nsh echo two;\nfs -ls / ;\n");
    }
}
