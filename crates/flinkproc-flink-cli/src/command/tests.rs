//! Lines and refusals, per version.

use flinkproc_core::{Explain, YarnMode};

use super::Command;
use crate::{
    Archive, AttachSettings, CheckpointSettings, ClaimMode, ClusterTarget, DisposeSettings,
    ListSettings, Program, Restore, RunSettings, SavepointFormat, SavepointSettings,
    SessionSettings, StopSettings, WhichJobs,
};

const APPLICATION: &str = "application_1795358092534_0012";
const JOB: &str = "4f0d1c3b2a49587766554433221100ff";

fn check(version: &str, command: &Command, expected: &str) {
    let said = match command.argv(version.parse().expect("version")) {
        Ok(argv) => argv
            .join(" ")
            .replace(APPLICATION, "APP")
            .replace(JOB, "JOB"),
        Err(error) => format!("{}: {error}", error.code()),
    };
    assert_eq!(said, expected, "{version}");
}

fn run(version: &str, mode: YarnMode, program: Program) -> RunSettings {
    RunSettings::new(version.parse().expect("version"), mode, program)
}

fn target() -> ClusterTarget {
    ClusterTarget::new(YarnMode::Session, APPLICATION)
}

#[test]
fn runs_in_a_session() {
    let job = || run("2.2", YarnMode::Session, Program::script("/a/j.py")).session(APPLICATION);
    check(
        "2.2",
        &Command::Run(Box::new(
            job().name("n").tag("t").argument("--x").detached(),
        )),
        "run -t yarn-session -Dyarn.application.id=APP -d -py /a/j.py -- -- --x",
    );
    let mut jar = job();
    jar.jars = vec!["/a/x.jar".to_owned()];
    check(
        "2.2",
        &Command::Run(Box::new(jar.clone())),
        "run -t yarn-session -Dyarn.application.id=APP -j /a/x.jar -py /a/j.py",
    );
    jar.jars.push("/a/y.jar".to_owned());
    check(
        "2.2",
        &Command::Run(Box::new(jar)),
        "FLK010: the setting `jars` cannot be: a job in a session takes one jar: pack them into one, below `lib/`",
    );
    check(
        "2.2",
        &Command::Run(Box::new(job().ship("/a/ship"))),
        "FLK010: the setting `ship` cannot be: a session's containers run already",
    );
}

#[test]
fn runs_on_the_cluster() {
    let job = |version: &str| {
        let mut settings = run(
            version,
            YarnMode::Application,
            Program::module("flinkproc_entry"),
        );
        settings = settings.ship("/a/ship");
        settings.python_files = vec!["ship".to_owned()];
        settings.python_archives = vec![Archive {
            path: "ship/env.tar.gz".to_owned(),
            directory: "env".to_owned(),
        }];
        settings.python_executable = Some("env/bin/python".to_owned());
        settings.python_client_executable = Some("env/bin/python".to_owned());
        settings
    };
    check(
        "2.2",
        &Command::Run(Box::new(job("2.2"))),
        "run -t yarn-application -Dpython.client.executable=env/bin/python -Dyarn.ship-files=/a/ship -pyfs ship \
         -pyarch ship/env.tar.gz#env -pyexec env/bin/python -pym flinkproc_entry",
    );
    // What stands behind a `#` does not get there: the archive is unpacked below its own name.
    check(
        "1.17",
        &Command::Run(Box::new(job("1.17"))),
        "run-application -t yarn-application -Dpython.client.executable=env.tar.gz/bin/python -Dyarn.ship-files=/a/ship \
         -pyfs ship -pyarch ship/env.tar.gz -pyexec env.tar.gz/bin/python -pym flinkproc_entry",
    );
    check(
        "1.17",
        &Command::Run(Box::new(job("1.17").argument("a#b"))),
        "FLK010: the setting `arguments` cannot be: up to Flink 1.18 application mode loses `#`, line breaks, spaces at the ends and empty arguments: pass a file",
    );
    let script = run("1.14", YarnMode::Application, Program::script("j.py"));
    check(
        "1.14",
        &Command::Run(Box::new(script)),
        "FLK009: Flink 1.14 has no working `-py` in application mode on YARN (FLINK-26847): Flink 1.15 is the first to have it",
    );
}

#[test]
fn state_is_restored_in_each_versions_words() {
    let from = |version: &str, claim| {
        let restore = Restore::from("gs://b/sp").allow_non_restored().claim(claim);
        let job = run(version, YarnMode::PerJob, Program::jar("/a/j.jar"));
        Command::Run(Box::new(job.restore(restore)))
    };
    check(
        "1.17",
        &from("1.17", ClaimMode::NoClaim),
        "run -t yarn-per-job -s gs://b/sp -n -rm NO_CLAIM /a/j.jar",
    );
    check(
        "1.20",
        &from("1.20", ClaimMode::Claim),
        "run -t yarn-per-job -s gs://b/sp -n -cm CLAIM /a/j.jar",
    );
    check(
        "1.14",
        &from("1.14", ClaimMode::Claim),
        "FLK009: Flink 1.14 has no claim mode of a restored state (`-rm`): it came with Flink 1.15",
    );
}

#[test]
fn sessions() {
    let session = SessionSettings::new()
        .name("etl")
        .tag("flinkproc-session-etl")
        .config("some.key", "v");
    check(
        "1.20",
        &Command::Session(Box::new(session)),
        "-Dsome.key=v -Dyarn.application.name=etl -Dyarn.tags=flinkproc-session-etl -d",
    );
    check(
        "1.20",
        &Command::Session(Box::new(SessionSettings::new().config("k", "a@@b"))),
        "FLK007: the Flink configuration key `k` cannot be set: `@@` parts the settings of a session",
    );
    check(
        "1.20",
        &Command::Attach(AttachSettings::new(APPLICATION)),
        "-id APP",
    );
}

#[test]
fn actions_on_jobs() {
    let list = ListSettings::new(target()).which(WhichJobs::All);
    check(
        "1.12",
        &Command::List(list),
        "list -t yarn-session -Dyarn.application.id=APP -a",
    );
    let mut stop = StopSettings::new(target(), JOB)
        .directory("gs://b/sp")
        .drain();
    check(
        "1.14",
        &Command::Stop(stop.clone()),
        "stop -t yarn-session -Dyarn.application.id=APP -p gs://b/sp --drain JOB",
    );
    stop.format = Some(SavepointFormat::Native);
    check(
        "1.14",
        &Command::Stop(stop.clone()),
        "FLK009: Flink 1.14 has no choice of a savepoint's format (`-type`): it came with Flink 1.15",
    );
    stop.detached = true;
    check(
        "1.18",
        &Command::Stop(stop),
        "FLK009: Flink 1.18 has no savepoint without waiting for it (`-detached`): it came with Flink 1.19",
    );
    let mut savepoint = SavepointSettings::new(target(), JOB).directory("gs://b/sp");
    savepoint.detached = true;
    check(
        "2.0",
        &Command::Savepoint(savepoint),
        "savepoint -t yarn-session -Dyarn.application.id=APP -detached JOB gs://b/sp",
    );
    check(
        "2.0",
        &Command::Dispose(DisposeSettings::new(target(), "gs://b/sp/1")),
        "savepoint -t yarn-session -Dyarn.application.id=APP --dispose gs://b/sp/1",
    );
    let checkpoint = || Command::Checkpoint(CheckpointSettings::new(target(), JOB));
    check(
        "1.19",
        &checkpoint(),
        "checkpoint -t yarn-session -Dyarn.application.id=APP JOB",
    );
    check(
        "1.18",
        &checkpoint(),
        "FLK009: Flink 1.18 has no action `flink checkpoint`: it came with Flink 1.19",
    );
    let gone = ClusterTarget::new(YarnMode::PerJob, APPLICATION);
    check(
        "2.0",
        &Command::List(ListSettings::new(gone)),
        "FLK001: Flink 2.0 has no per-job mode on YARN: it was removed in Flink 2.0",
    );
    let nobody = ClusterTarget::new(YarnMode::Session, "");
    check(
        "2.0",
        &Command::List(ListSettings::new(nobody)),
        "FLK010: the setting `application` cannot be: a YARN application's id is `application_`, a timestamp, `_` and a number",
    );
}
