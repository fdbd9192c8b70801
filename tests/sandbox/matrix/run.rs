//! Runs one combination: a deployment of its own, whose job writes its arguments through a Python function.

use std::path::Path;
use std::time::Duration;

use super::cells::{Cell, Program};
use super::corpus;
use crate::real::Real;

/// How long one deployment may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(600);

const SCRIPT: &str = "my job's.py";
const PLAIN_SCRIPT: &str = "job.py";

/// The environment variable that the program and its Python functions get.
const COLOUR: &str = "light blue; #1";

const TABLE: &str = r#"
import os
import sys
from pyflink.table import DataTypes, EnvironmentSettings, TableEnvironment
from pyflink.table.expressions import col
from pyflink.table.udf import udf


@udf(result_type=DataTypes.STRING())
def mark(text):
    return os.environ.get("COLOUR", "none") + ":" + text


output, arguments = sys.argv[1], sys.argv[2:]
assert os.environ.get("COLOUR", "none") == "EXPECTED"
tables = TableEnvironment.create(EnvironmentSettings.in_batch_mode())
tables.execute_sql(
    "CREATE TABLE sink (line STRING) WITH ("
    f"'connector'='filesystem', 'path'='{output}', 'format'='raw')"
)
rows = [("%03d:%s" % (i, a.encode("utf-8").hex()),) for i, a in enumerate(arguments)]
tables.from_elements(rows, ["text"]).select(mark(col("text"))).execute_insert("sink").wait()
"#;

const STREAM: &str = r#"
import os
import sys
from pyflink.common import Types
from pyflink.datastream import RuntimeExecutionMode, StreamExecutionEnvironment
from pyflink.table import StreamTableEnvironment


def mark(text):
    return os.environ.get("COLOUR", "none") + ":" + text


output, arguments = sys.argv[1], sys.argv[2:]
assert os.environ.get("COLOUR", "none") == "EXPECTED"
environment = StreamExecutionEnvironment.get_execution_environment()
environment.set_runtime_mode(RuntimeExecutionMode.BATCH)
tables = StreamTableEnvironment.create(environment)
tables.execute_sql(
    "CREATE TABLE sink (line STRING) WITH ("
    f"'connector'='filesystem', 'path'='{output}', 'format'='raw')"
)
rows = ["%03d:%s" % (i, a.encode("utf-8").hex()) for i, a in enumerate(arguments)]
marked = environment.from_collection(rows, Types.STRING()).map(mark, Types.STRING())
tables.from_data_stream(marked).execute_insert("sink").wait()
"#;

/// The spec of a combination.
fn spec(cell: &Cell, arguments: &[String]) -> String {
    let quoted: Vec<String> = arguments
        .iter()
        // `${` is the spec's own; `$${` stands for it.
        .map(|text| toml::Value::String(text.replace("${", "$${")).to_string())
        .collect();
    let experimental = if cell.method == "native" {
        "experimental = [\"native\"]\n"
    } else {
        ""
    };
    let env = match cell.method {
        "native" => String::new(),
        _ => format!("env = {{ COLOUR = \"{COLOUR}\" }}\n"),
    };
    let ssh = match cell.method {
        "pig" | "pyspark" | "hadoop" => "ssh = \"never\"\n",
        _ => "",
    };
    // Nor does an unusual name pass through Flink's lists of files.
    let script = if cell.method == "native" {
        PLAIN_SCRIPT
    } else {
        SCRIPT
    };
    let Cell {
        image,
        mode,
        method,
        ..
    } = cell;
    format!(
        "{ssh}[job]\nscript = \"{script}\"\nmode = \"{mode}\"\nmethod = \"{method}\"\n{experimental}\
         args = [\"${{staging}}/output\", {}]\n{env}result = \"${{staging}}/output/\"\n\
         [cluster]\nimage = \"{image}\"\nworkers.count = 2\n[watch]\ndeadline = \"10m\"\n",
        quoted.join(", ")
    )
}

/// Runs one combination; the error is everything that was said.
pub(crate) async fn cell(real: &Real, cell: &Cell) -> Result<(), String> {
    let arguments = match cell.method {
        "native" => corpus::plain(cell.mode),
        _ => corpus::corpus(),
    };
    let program = match cell.program {
        Program::Table => TABLE,
        Program::Stream => STREAM,
    };
    // Nobody sets the environment of what Dataproc starts by itself.
    let colour = if cell.method == "native" {
        "none"
    } else {
        COLOUR
    };
    let program = program.replace("EXPECTED", colour);
    let (lines, told) = deployed(real, &spec(cell, &arguments), &program).await?;
    let expected: Vec<String> = arguments
        .iter()
        .enumerate()
        .map(|(index, text)| format!("{colour}:{index:03}:{}", hex(text)))
        .collect();
    if lines != expected {
        let lines = lines.join("\n");
        return Err(format!("other arguments arrived:\n{lines}\n{told}"));
    }
    if Path::new("/tmp/never").exists() {
        return Err("an argument was run as a command".to_owned());
    }
    Ok(())
}

/// Deploys a program into a sandbox of its own: the lines of its result, sorted, and what was told. The error is everything
/// that was said.
pub(crate) async fn deployed(
    real: &Real,
    spec: &str,
    program: &str,
) -> Result<(Vec<String>, String), String> {
    real.home.write("flinkproc.toml", spec);
    for script in [SCRIPT, PLAIN_SCRIPT] {
        real.home.write(script, program);
    }
    let deployments = real.home.state().join("deployments");
    std::fs::remove_dir_all(&deployments).ok();
    let running = real.home.command(&["deploy", "--sandbox"]).output();
    let output = tokio::time::timeout(PATIENCE, running)
        .await
        .map_err(|_| "it hangs".to_owned())?
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.code() != Some(0) {
        return Err(format!("ended with {}\n{told}", output.status));
    }
    let mut lines = Vec::new();
    for deployment in std::fs::read_dir(&deployments).unwrap().flatten() {
        read_lines(&deployment.path().join("result"), &mut lines);
    }
    lines.sort();
    Ok((lines, told))
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn read_lines(path: &Path, lines: &mut Vec<String>) {
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            read_lines(&path, lines);
        } else {
            let text = std::fs::read_to_string(path).unwrap();
            lines.extend(text.lines().map(str::to_owned));
        }
    }
}
