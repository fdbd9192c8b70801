//! What is said of the step from one image to another.

use flinkproc_core::YarnMode;

use super::{Deployment, migrate};

fn said(deployment: &Deployment, from: &str, to: &str) -> String {
    let changes = migrate(
        deployment,
        &from.parse().expect("image"),
        &to.parse().expect("image"),
    );
    let line =
        |change: super::Change| format!("{} {}: {}", change.severity, change.about, change.what);
    changes.into_iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn from_flink_1_to_flink_2() {
    let map = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    };
    let deployment = Deployment {
        mode: Some(YarnMode::PerJob),
        method: "pig".to_owned(),
        python_functions: true,
        flink_config: map(&[("state.checkpoints.dir", "gs://b/c"), ("a.b", "c")]),
        flink_args: vec!["-yd".to_owned()],
        properties: map(&[("flink:a", "b")]),
        jars: vec![
            "flink-connector-kafka-1.17.0.jar".to_owned(),
            "own.jar".to_owned(),
        ],
        archives: vec!["venv.zip".to_owned()],
        restore: Some("gs://b/s".to_owned()),
    };
    insta::assert_snapshot!(said(&deployment, "2.2", "3.0"), @r"
    note flink: Flink 1.17.0 becomes 2.2.0
    warning flink: Flink 2.0 removed the DataSet API and the old sources and sinks (SourceFunction, SinkFunction, FlinkKafkaConsumer, FlinkKafkaProducer)
    error state: the job restores state that an older Flink wrote
    error mode: per-job mode was removed in Flink 2.0, and Flink 2.2.0 fails with `No ExecutorFactory found`
    note python: Python 3.11 becomes 3.12
    note python: the image's own Python 3.12 can have apache-flink 2.2.0: nothing has to be shipped for it
    warning python: venv.zip may hold an interpreter or packages for Python 3.11
    note java: Java 11 becomes 21
    warning configuration: Flink 2 reads config.yaml alone; what becomes of cluster properties with the prefix `flink:` (1 here) is not confirmed
    note configuration: `state.checkpoints.dir` has another name; the old one is deprecated and still read
    error options: job.flink_args: Flink 2.2.0 does not know `-yd`: it ends the parsing, and everything from there on becomes arguments of the program, without a word
    error connectors: `flink-connector-kafka-1.17.0.jar` is a connector for Flink 1.17
    warning connectors: `own.jar` was built against Flink 1.17.0, if it is a connector
    note components: FLINK (and PIG, which flinkproc adds) is installed while the cluster is made, not before: that takes longer, and Google's package sources have to be reachable
    note support: the present image 2.2 is supported until 2027-03-31, and can be chosen until 2027-12-31
    note support: the new image 3.0 is supported until 2028-07-15, and can be chosen until 2030-07-15
    ");
    insta::assert_snapshot!(said(&deployment, "2.2", "2.2.31-debian12"), @r"
    warning python: apache-flink 1.17.0 has wheels for Python 3.7 to 3.10; the image brings 3.11
    note support: the present image 2.2 is supported until 2027-03-31, and can be chosen until 2027-12-31
    note support: the new image 2.2 is supported until 2027-03-31, and can be chosen until 2027-12-31
    ");
}

#[test]
fn within_flink_1() {
    let deployment = Deployment {
        method: "ssh".to_owned(),
        python_functions: true,
        ..Deployment::default()
    };
    insta::assert_snapshot!(said(&deployment, "2.0", "2.3"), @r"
    note flink: Flink 1.12 becomes 1.17.0
    note mode: per-job mode is deprecated from Flink 1.15 on
    note python: Python 3.8 becomes 3.11
    warning python: apache-flink 1.17.0 has wheels for Python 3.7 to 3.10; the image brings 3.11
    note java: Java 8 becomes 11
    note components: FLINK is installed while the cluster is made, not before: that takes longer, and Google's package sources have to be reachable
    note support: the present image 2.0 is supported until 2026-02-24, and can be chosen until 2026-08-25
    note support: the new image 2.3 is supported until 2027-06-09, and can be chosen until 2029-06-09
    ");
}
