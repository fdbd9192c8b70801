//! How long building and checking a command line takes: one line of JSON, in nanoseconds.
//!
//! `cargo run --release -p flinkproc-flink-cli --example speed`
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "an example prints, and takes its number of rounds from the environment"
)]

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use flinkproc_core::{FlinkVersion, YarnMode};
use flinkproc_flink_cli::grammar::Action;
use flinkproc_flink_cli::reading::Reading;
use flinkproc_flink_cli::{Archive, FlinkCliError, Program, RunSettings, lint};

fn settings(version: FlinkVersion) -> RunSettings {
    let mut settings = RunSettings::new(version, YarnMode::PerJob, Program::script("/a/entry.py"))
        .name("my etl")
        .tag("flinkproc-etl-1-1")
        .parallelism(4)
        .config("taskmanager.numberOfTaskSlots", "2")
        .config("taskmanager.memory.process.size", "4096m")
        .config("jobmanager.memory.process.size", "1600m")
        .argument("/a/entry.json");
    settings.python_files = vec!["/a/lib.zip".to_owned(), "/a/util.py".to_owned()];
    settings.python_archives = vec![Archive {
        path: "/a/model.zip".to_owned(),
        directory: "model".to_owned(),
    }];
    settings.python_executable = Some("/opt/python".to_owned());
    settings.jars = vec!["/a/kafka.jar".to_owned()];
    settings
}

/// Nanoseconds for one round: the fastest of several series, so that other work on the machine does not count.
fn fastest(
    rounds: u32,
    mut once: impl FnMut() -> Result<(), FlinkCliError>,
) -> Result<u128, FlinkCliError> {
    let mut best = u128::MAX;
    for _ in 0..200 {
        let start = Instant::now();
        for _ in 0..rounds {
            once()?;
        }
        best = best.min(start.elapsed().as_nanos() / u128::from(rounds.max(1)));
    }
    Ok(best)
}

fn main() -> Result<(), Box<dyn Error>> {
    let rounds = std::env::var("SPEED_ROUNDS").ok();
    let rounds = rounds.map_or(Ok(50), |rounds| rounds.parse())?;
    let version: FlinkVersion = "1.17".parse()?;
    let settings = settings(version);
    let argv = settings.argv()?;
    let build = fastest(rounds, || {
        black_box(black_box(&settings).argv()?);
        Ok(())
    })?;
    let check = fastest(rounds, || lint(version, black_box(&argv)))?;
    let read = fastest(rounds, || {
        let words = argv.get(1..).unwrap_or_default();
        black_box(Reading::of(version, Action::Run, black_box(words)).is_ok());
        Ok(())
    })?;
    let both = fastest(rounds, || lint(version, &black_box(&settings).argv()?))?;
    println!(
        "{{\"build_ns\":{build},\"read_ns\":{read},\"lint_ns\":{check},\"build_and_lint_ns\":{both},\"rounds\":{rounds}}}"
    );
    Ok(())
}
