//! The same job as a line for three Flinks, and what becomes of a hand-written one.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use flinkproc_core::YarnMode;
use flinkproc_flink_cli::grammar::Action;
use flinkproc_flink_cli::reading::Reading;
use flinkproc_flink_cli::{
    ClusterTarget, Program, Restore, RunSettings, SessionSettings, StopSettings,
};

fn main() -> Result<(), Box<dyn Error>> {
    for (version, mode) in [
        ("1.17", YarnMode::PerJob),
        ("1.17", YarnMode::Application),
        ("2.2", YarnMode::Application),
    ] {
        let mut settings = RunSettings::new(version.parse()?, mode, Program::module("etl.main"))
            .restore(Restore::from("gs://bucket/savepoint-1"))
            .argument("--date=2026-11-22");
        settings.python_files = vec!["/srv/etl.zip".to_owned()];
        println!("Flink {version}: flink {}", settings.argv()?.join(" "));
    }

    let version = "1.17".parse()?;
    let session = SessionSettings::new().name("shared").tag("shared");
    println!("yarn-session.sh {}", session.argv(version)?.join(" "));
    let target = ClusterTarget::new(YarnMode::Session, "application_1795358092534_0012");
    let stop = StopSettings::new(target, "4f0d1c3b2a49587766554433221100ff");
    println!("flink {}", stop.argv(version)?.join(" "));

    let line = ["-t", "yarn-per-job", "-ynm", "lost", "-p", "4", "job.py"];
    match Reading::of(version, Action::Run, &line) {
        Ok(reading) => println!("{} reads {:?}", reading.parser, reading.configuration),
        Err(refusal) => println!("refused: {refusal:?}"),
    }
    Ok(())
}
