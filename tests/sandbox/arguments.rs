//! Program arguments arrive byte for byte, through every shell, parser and configuration on the way.

use crate::real::Real;

/// Texts that some program on the way would like to read as its own language.
fn corpus() -> Vec<String> {
    let mut corpus: Vec<String> = [
        "plain",
        "",
        " ",
        "  two  spaces  ",
        "it's $5",
        "\"double\"",
        "'single'",
        "$(touch /tmp/never)",
        "`touch /tmp/never`",
        "$HOME ${HOME} $${HOME}",
        "a;b|c&d>e<f",
        "line\nbreak",
        "tab\there",
        "carriage\rreturn",
        "*.py",
        "[a-z]?",
        "~root",
        "-Dkey=value",
        "--input",
        "-",
        "--",
        "-py",
        "# no comment",
        "back\\slash \\n \\",
        "100%",
        "!history",
        "a=b",
        "key: value, [list]; {map}",
        "ünïcödé 漢字 🎈",
        "\u{7f}\u{1}",
    ]
    .into_iter()
    .map(str::to_owned)
    .collect();
    corpus.push("x'\"$ ".repeat(8192 / 5));
    corpus
}

const JOB: &str = r#"
import json
import sys
from pyflink.table import DataTypes, EnvironmentSettings, TableEnvironment

environment = TableEnvironment.create(EnvironmentSettings.in_batch_mode())
environment.execute_sql("CREATE TABLE sink (n INT) WITH ('connector' = 'blackhole')")
environment.from_elements([(1,)], DataTypes.ROW([DataTypes.FIELD("n", DataTypes.INT())])) \
    .execute_insert("sink").wait()
print("ARGV " + json.dumps(sys.argv[1:]))
"#;

#[tokio::test(flavor = "multi_thread")]
async fn every_argument_arrives_as_it_was_written() {
    let Some(real) = Real::turn().await else {
        return;
    };
    let corpus = corpus();
    // `${` is the spec's own; `$${` stands for it.
    let written: Vec<String> = corpus
        .iter()
        .map(|text| text.replace("${", "$${"))
        .collect();
    let arguments: Vec<String> = written
        .iter()
        .map(|text| toml::Value::String(text.clone()).to_string())
        .collect();
    let spec = format!(
        "[job]\nscript = \"my job's.py\"\nargs = [{}]\n[watch]\ndeadline = \"10m\"\n",
        arguments.join(", ")
    );
    real.home.write("flinkproc.toml", spec);
    real.home.write("my job's.py", JOB);
    let ran = real.deploy(&[]).await;
    ran.ended_with(0);
    let line = ran.err.lines().find_map(|line| line.split_once("ARGV "));
    let (_, line) = line.unwrap_or_else(|| panic!("no arguments in\n{}", ran.err));
    let arrived: Vec<String> = serde_json::from_str(line).unwrap();
    assert_eq!(arrived.len(), corpus.len());
    for (arrived, expected) in arrived.iter().zip(&corpus) {
        assert_eq!(arrived, expected);
    }
    assert!(!std::path::Path::new("/tmp/never").exists());
    real.left_nothing();
}
