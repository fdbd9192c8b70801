//! Jobs of both types, and what does not go into them.

use flinkproc_core::YarnMode;
use flinkproc_plan::{EntryPoint, FileRole, JobPlan, RemoteFile};

use super::resource;
use crate::contract::FakeMaster;
use crate::native::NativeKind;

fn job(args: &[&str]) -> JobPlan {
    FakeMaster::job("print()", args)
}

#[test]
fn a_flink_job_runs_the_script_as_a_module() {
    let mut job = job(&["-s", "it's $5", "--", "-py"]);
    job.parallelism = Some(2);
    let made = resource(NativeKind::Flink, &job, "flinkproc-etl-1-1").expect("made");
    insta::assert_json_snapshot!(made, @r#"
    {
      "flinkJob": {
        "mainClass": "org.apache.flink.client.python.PythonDriver",
        "jarFileUris": [
          "file:///usr/lib/flink/opt/flink-python-1.17.0.jar"
        ],
        "args": [
          "-pym",
          "job",
          "--",
          "-s",
          "it's $5",
          "--",
          "-py"
        ],
        "properties": {
          "execution.target": "yarn-per-job",
          "parallelism.default": "2",
          "pipeline.name": "job of 7 bytes",
          "python.files": "gs://bucket/0",
          "yarn.application.name": "job of 7 bytes",
          "yarn.tags": "flinkproc-etl-1-1"
        }
      }
    }
    "#);
}

#[test]
fn a_pyflink_job_has_fields_for_files() {
    let mut job = job(&["a"]);
    for (name, role) in [
        ("lib.zip", FileRole::PythonFile),
        ("requirements.txt", FileRole::Requirements),
        (
            "data.zip",
            FileRole::Archive {
                directory: "data".to_owned(),
            },
        ),
        ("kafka.jar", FileRole::Jar),
    ] {
        job.files.push(RemoteFile {
            from: format!("gs://bucket/{name}").parse().expect("address"),
            name: name.to_owned(),
            sha256: None,
            role,
        });
    }
    let made = resource(NativeKind::PyFlink, &job, "flinkproc-etl-1-1").expect("made");
    insta::assert_json_snapshot!(made, @r#"
    {
      "pyflinkJob": {
        "pythonFileUris": [
          "gs://bucket/lib.zip"
        ],
        "jarFileUris": [
          "gs://bucket/kafka.jar"
        ],
        "args": [
          "--",
          "--",
          "a"
        ],
        "properties": {
          "execution.target": "yarn-per-job",
          "pipeline.name": "job of 7 bytes",
          "python.archives": "gs://bucket/data.zip#data",
          "yarn.application.name": "job of 7 bytes",
          "yarn.tags": "flinkproc-etl-1-1"
        },
        "pythonRequirements": "gs://bucket/requirements.txt",
        "mainPythonFileUri": "gs://bucket/0"
      }
    }
    "#);
}

#[test]
fn what_would_not_arrive_is_refused() {
    let check = |change: &dyn Fn(&mut JobPlan), expected: &str| {
        let mut job = job(&["a"]);
        change(&mut job);
        let said = resource(NativeKind::Flink, &job, "tag").map(|_| "made".to_owned());
        assert_eq!(said.unwrap_or_else(|error| error.to_string()), expected);
    };
    check(
        &|job| job.mode = YarnMode::Session,
        "the method `native` cannot hand over the mode `session`: a Dataproc Flink job names no session",
    );
    check(
        &|job| {
            job.mode = YarnMode::Application;
            job.args = vec!["a#b".parse().expect("argument")];
        },
        "the method `native` cannot hand over the argument \"a#b\": in application mode arguments travel in Flink's configuration, which does not bring all text as it is",
    );
    check(
        &|job| job.entry = EntryPoint::Script("my job.py".to_owned()),
        "the method `native` cannot hand over the script `my job.py`: it is run as a module, and its name is none",
    );
    check(
        &|job| {
            job.flink_config
                .insert("yarn.tags".to_owned(), "mine".to_owned());
        },
        "the method `native` cannot hand over the Flink setting `yarn.tags`: the method sets it itself",
    );
}
