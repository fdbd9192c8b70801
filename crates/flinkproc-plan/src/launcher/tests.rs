//! What the launcher is told, and the script's own syntax.

use std::collections::BTreeMap;

use flinkproc_core::{Explain, YarnMode};

use super::data::object_path;
use super::{BootstrapRun, JobAction, LaunchBundle, action_bootstrap, equivalent_commands};
use crate::plan::{
    EntryPoint, FileRole, JobPlan, PythonPlan, RemoteFile, SessionLifetime, SessionPlan,
};

fn file(name: &str, role: FileRole) -> RemoteFile {
    RemoteFile {
        from: format!("gs://bucket/flinkproc/{name}")
            .parse()
            .expect("address"),
        name: name.to_owned(),
        sha256: None,
        role,
    }
}

fn job() -> JobPlan {
    JobPlan {
        restore: None,
        session: None,
        python: crate::plan::PythonPlan::Image,
        env: BTreeMap::new(),
        secrets: BTreeMap::new(),
        mirror: None,
        classpaths: Vec::new(),
        unresolved: Vec::new(),
        name: "my etl".to_owned(),
        flink: "1.17.0".parse().expect("version"),
        mode: YarnMode::PerJob,
        method: "ssh".to_owned(),
        entry: EntryPoint::Script("my etl.py".to_owned()),
        args: vec!["it's $5".parse().expect("argument")],
        files: vec![
            file("my etl.py", FileRole::Script),
            file("lib.zip", FileRole::PythonFile),
            file("kafka.jar", FileRole::Jar),
        ],
        parallelism: Some(2),
        flink_config: BTreeMap::new(),
        tag: "flinkproc-d".to_owned(),
        result: None,
    }
}

fn text(bundle: &LaunchBundle, name: &str) -> String {
    let (_, _, content) = bundle
        .files
        .iter()
        .find(|file| file.0 == name)
        .expect("file");
    String::from_utf8_lossy(content)
        .replace('\0', "\n")
        .replace('\u{1}', "HERE")
        .replace('\u{2}', "PYTHON")
        .replace('\u{3}', "SESSION")
        .replace('\u{4}', "JOB")
        .replace('\u{5}', "FOLDER")
}

#[test]
fn a_bundle_holds_what_varies_as_data() {
    let bundle = LaunchBundle::new(&job(), "flinkproc-d-1").expect("bundle");
    insta::assert_snapshot!(text(&bundle, "argv"), @r"
    run
    -t
    yarn-per-job
    -Dpython.client.executable=PYTHON
    -Dyarn.application.name=my etl
    -Dyarn.ship-files=HERE/files/kafka.jar
    -Dyarn.tags=flinkproc-d-1
    -p
    2
    -pyfs
    HERE/files/lib.zip
    -pyexec
    PYTHON
    -C
    file://HERE/files/kafka.jar
    -py
    HERE/job/flinkproc_entry.py
    HERE/job/entry.json
    ");
    insta::assert_snapshot!(text(&bundle, "entry.json"), @r#"{"script":"my etl.py","args":["it's $5"]}"#);
    insta::assert_snapshot!(text(&bundle, "objects"), @r"
    /storage/v1/b/bucket/o/flinkproc%2Fmy%20etl.py?alt=media
    /storage/v1/b/bucket/o/flinkproc%2Flib.zip?alt=media
    /storage/v1/b/bucket/o/flinkproc%2Fkafka.jar?alt=media
    ");
}

#[test]
fn a_job_goes_into_a_session_with_a_mark_and_one_jar() {
    let mut job = job();
    job.mode = YarnMode::Session;
    job.session = Some(SessionPlan {
        name: "Shared".to_owned(),
        tag: "flinkproc-session-Shared".to_owned(),
        lifetime: SessionLifetime::Keep,
        flink_config: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
    });
    let bundle = LaunchBundle::new(&job, "flinkproc-d-1").expect("bundle");
    insta::assert_snapshot!(text(&bundle, "argv"), @r"
    run
    -t
    yarn-session
    -Dyarn.application.id=SESSION
    -Dpipeline.global-job-parameters=flinkproc-attempt:flinkproc-d-1
    -Dpython.client.executable=PYTHON
    -p
    2
    -pyfs
    HERE/files/lib.zip
    -pyexec
    PYTHON
    -j
    HERE/jars.jar
    -py
    HERE/job/flinkproc_entry.py
    HERE/job/entry.json
    ");
    insta::assert_snapshot!(text(&bundle, "session-argv"), @r"
    -Da=b
    -Dyarn.application.name=Shared
    -Dyarn.tags=flinkproc-session-Shared
    -d
    ");
    insta::assert_snapshot!(text(&bundle, "facts"), @r"
    session
    flinkproc-session-shared
    keep
    ");
    insta::assert_snapshot!(text(&bundle, "roles"), @r"
    file
    file
    jar
    ");
}

#[test]
fn an_application_has_nothing_but_what_is_shipped() {
    let mut job = job();
    job.mode = YarnMode::Application;
    job.python = PythonPlan::Shipped;
    job.env.insert("PLAIN".to_owned(), "red".to_owned());
    job.env.insert("SPACED".to_owned(), "a b".to_owned());
    job.files.push(file("python.tar.gz", FileRole::Environment));
    job.flink = "1.20".parse().expect("version");
    let bundle = LaunchBundle::new(&job, "flinkproc-d-1").expect("bundle");
    insta::assert_snapshot!(text(&bundle, "argv"), @r"
    run-application
    -t
    yarn-application
    -Dcontainerized.master.env.PLAIN=red
    -Dcontainerized.taskmanager.env.PLAIN=red
    -Dpython.client.executable=env/bin/python
    -Dyarn.application.name=my etl
    -Dyarn.ship-files=HERE/files/kafka.jar;HERE/ship
    -Dyarn.tags=flinkproc-d-1
    -p
    2
    -pyfs
    ship,ship/lib.zip
    -pyarch
    ship/python.tar.gz#env
    -pyexec
    env/bin/python
    -pym
    flinkproc_entry
    ");
    job.flink = "2.2".parse().expect("version");
    let second = LaunchBundle::new(&job, "flinkproc-d-1").expect("bundle");
    let argv = text(&second, "argv");
    assert!(argv.starts_with("run\n-t\nyarn-application\n"), "{argv}");
}

#[test]
fn actions_travel_as_lines() {
    let bundle = LaunchBundle::new(&job(), "flinkproc-d-1").expect("bundle");
    let lines = text(&bundle, "acts").replace('\n', " ");
    insta::assert_snapshot!(lines.replace("  ", "\n"), @r"
    savepoint savepoint -t yarn-per-job -Dyarn.application.id=SESSION JOB
    stop stop -t yarn-per-job -Dyarn.application.id=SESSION JOB
    drain stop -t yarn-per-job -Dyarn.application.id=SESSION --drain JOB
    cancel cancel -t yarn-per-job -Dyarn.application.id=SESSION JOB
    savepoint-to savepoint -t yarn-per-job -Dyarn.application.id=SESSION JOB FOLDER
    stop-to stop -t yarn-per-job -Dyarn.application.id=SESSION -p FOLDER JOB
    drain-to stop -t yarn-per-job -Dyarn.application.id=SESSION -p FOLDER --drain JOB
    ");
    let check = |folder: &str| {
        let action = JobAction::Savepoint {
            job: None,
            directory: Some(folder.to_owned()),
        };
        action.words().expect_err("refused").to_string()
    };
    insta::assert_snapshot!(check("-p"), @"the job cannot run like this: a savepoint's folder is not empty, begins with no `-` and holds no control character");
    assert_eq!(check(""), check("-p"));
    assert_eq!(check("a\u{5}"), check("-p"));
}

#[test]
fn a_bootstrap_is_one_script_without_any_text_of_the_user() {
    let run = BootstrapRun {
        deployment: "d".parse().expect("deployment"),
        attempt: flinkproc_core::Attempt::FIRST,
    };
    let bundle = LaunchBundle::new(&job(), "flinkproc-d-1").expect("bundle");
    let script = bundle.bootstrap(&run);
    let begin = format!("#!/bin/bash\nset -- d 1 attend {}\ndoor=", bundle.digest());
    assert!(script.starts_with(&begin));
    assert!(!script.contains("my etl") && !script.contains("$5"));
    let action = JobAction::Cancel { job: None };
    let script = action_bootstrap(&job(), &run, &action, "acts/1").expect("script");
    assert!(script.starts_with("#!/bin/bash\nset -- d 1 act-alone "));
}

#[test]
fn the_digest_changes_with_every_value() {
    let digest = |job: &JobPlan, tag| {
        LaunchBundle::new(job, tag)
            .expect("bundle")
            .digest()
            .to_owned()
    };
    assert_eq!(digest(&job(), "a"), digest(&job(), "a"));
    assert_ne!(digest(&job(), "a"), digest(&job(), "b"));
    let mut other = job();
    other.args.push("x".parse().expect("argument"));
    assert_ne!(digest(&other, "a"), digest(&job(), "a"));
}

#[test]
fn people_see_the_commands_they_would_type() {
    let commands = equivalent_commands(&job(), "flinkproc-d-1").expect("commands");
    let lines: Vec<String> = commands.iter().map(|words| words.join(" ")).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    mkdir -p /tmp/flinkproc
    gcloud storage cp gs://bucket/flinkproc/my etl.py /tmp/flinkproc/my etl.py
    gcloud storage cp gs://bucket/flinkproc/lib.zip /tmp/flinkproc/lib.zip
    gcloud storage cp gs://bucket/flinkproc/kafka.jar /tmp/flinkproc/kafka.jar
    flink run -t yarn-per-job -Dpython.client.executable=python3 -Dyarn.application.name=my etl -Dyarn.ship-files=/tmp/flinkproc/kafka.jar -Dyarn.tags=flinkproc-d-1 -p 2 -pyfs /tmp/flinkproc/lib.zip -pyexec python3 -C file:///tmp/flinkproc/kafka.jar -py /tmp/flinkproc/my etl.py it's $5
    ");
}

#[test]
fn what_cannot_be_told_is_refused() {
    let check = |change: &dyn Fn(&mut JobPlan), expected: &str| {
        let mut job = job();
        change(&mut job);
        let error = LaunchBundle::new(&job, "t").expect_err("refused");
        assert_eq!(format!("{}: {error}", error.code()), expected);
    };
    check(
        &|job| job.files.push(file("lib.zip", FileRole::PythonFile)),
        "LCH001: the file name `lib.zip` cannot be used on the master: another file has the same name",
    );
    check(
        &|job| job.files.push(file("a/b", FileRole::PythonFile)),
        "LCH001: the file name `a/b` cannot be used on the master: it holds a slash, a line break or a NUL character",
    );
    check(
        &|job| job.entry = EntryPoint::Script("x.py".to_owned()),
        "LCH002: the script `x.py` is not among the job's files",
    );
    check(
        &|job| {
            job.flink_config.insert("a".to_owned(), "b\u{1}".to_owned());
        },
        "LCH003: the Flink setting `b` holds a control character",
    );
    check(
        &|job| {
            for file in &mut job.files {
                file.sha256 = Some("ABC".to_owned());
            }
        },
        "LCH004: `ABC` is no SHA-256 in lower-case hexadecimal",
    );
    check(
        &|job| job.files.push(file("entry.json", FileRole::PythonFile)),
        "LCH001: the file name `entry.json` cannot be used on the master: the launcher has a file of this name itself",
    );
    let set = |job: &mut JobPlan, name: &str| {
        job.env.insert(name.to_owned(), "x".to_owned());
    };
    check(
        &|job| set(job, "PYTHONHOME"),
        "LCH005: the environment variable `PYTHONHOME` cannot be set: it would change the interpreter or the launcher itself",
    );
    check(
        &|job| set(job, "A B"),
        "LCH005: the environment variable `A B` cannot be set: a name is letters, digits and `_`, no digit first",
    );
    check(
        &|job| {
            set(job, "KEY");
            let version = "projects/p/secrets/s/versions/1".parse().expect("version");
            job.secrets.insert("KEY".to_owned(), version);
        },
        "LCH005: the environment variable `KEY` cannot be set: it is set twice: by `env` and by `secrets`",
    );
    check(
        &|job| {
            set(job, "KEY");
            let (key, value) = ("python.execution-mode", "thread");
            job.flink_config.insert(key.to_owned(), value.to_owned());
        },
        "LCH006: the job cannot run like this: with `python.execution-mode` `thread` no variable reaches the Python functions",
    );
    check(
        &|job| job.mode = YarnMode::Session,
        "LCH006: the job cannot run like this: session mode needs the session's name",
    );
    check(
        &|job| job.flink = "2.2".parse().expect("version"),
        "FLK001: Flink 2.2 has no per-job mode on YARN: it was removed in Flink 2.0",
    );
}

#[test]
fn object_names_are_encoded_byte_by_byte() {
    let mut file = file("x", FileRole::Script);
    file.from = "gs://b-b/a/ü #?%20".parse().expect("address");
    assert_eq!(
        object_path(&file),
        "/storage/v1/b/b-b/o/a%2F%C3%BC%20%23%3F%2520?alt=media"
    );
}
