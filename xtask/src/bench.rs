//! `cargo xtask bench`: what flinkproc costs beside gcloud, as figures against their targets.
//!
//! Both go to the same emulators and the same OpenSSH server, in turn, after a warm-up. Linux only: costs are what the
//! kernel counted for a process tree. See `docs/bench.md`.

mod command;
mod emulator;
mod events;
mod figures;
mod first;
mod master;
mod measure;
mod methods;
mod notice;
mod overhead;
mod sandbox;
mod servers;
mod storage;
mod upload;
mod workplace;

use clap::{Args, ValueEnum};

pub(crate) use measure::{Measured, measured};

use crate::bench::figures::Figures;
use crate::bench::workplace::Workplace;
use crate::cargo::run;

/// What is measured, and how often.
#[derive(Args)]
pub(crate) struct Options {
    /// What is measured; everything but the methods when nothing is named.
    #[arg(value_enum, value_name = "PART")]
    parts: Vec<Part>,
    /// Runs of each measurement after its warm-up.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..))]
    runs: u8,
    /// Measures only this; may be repeated.
    #[arg(long, value_enum, value_name = "PART")]
    only: Vec<Part>,
    /// Also measures the first deployment of a fresh clone with an empty cache: 20 minutes and a GB of downloads.
    #[arg(long)]
    first: bool,
    /// Measures what an earlier build left, without building.
    #[arg(long)]
    built: bool,
    /// Measures debug builds: for parts whose time is not ours, such as `methods`.
    #[arg(long)]
    debug: bool,
    /// Fails when a figure misses its target.
    #[arg(long)]
    strict: bool,
}

/// A part of the bench.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// A whole deployment on servers that answer at once.
    Overhead,
    /// How soon the end of an operation and of a job is noticed.
    Notice,
    /// The Dataproc emulator alone.
    Emulator,
    /// One GiB, and many small files.
    Upload,
    /// One GiB into the storage emulator and out again.
    Storage,
    /// A deployment on real YARN and Flink whose parts are cached.
    Sandbox,
    /// Building and linting one of Flink's command lines.
    Cli,
    /// Every submission method in every mode, on real YARN and Flink: 20 minutes; writes what plans show of it.
    Methods,
}

/// Builds what is measured, measures it and prints the table.
pub(crate) fn bench(options: &Options) -> Result<(), String> {
    if !options.built {
        let release = (!options.debug).then_some("--release");
        let line = ["build", "--workspace", "--bins", "--quiet"];
        run(&line.into_iter().chain(release).collect::<Vec<_>>())?;
    }
    let mut figures = Figures::default();
    let named: Vec<Part> = options.only.iter().chain(&options.parts).copied().collect();
    let chosen = |part| (named.is_empty() && part != Part::Methods) || named.contains(&part);
    let runs = usize::from(options.runs);
    let workplace = Workplace::new(options.debug)?;
    if chosen(Part::Overhead) {
        overhead::measure(&workplace, runs, &mut figures)?;
    }
    if chosen(Part::Notice) {
        notice::measure(&workplace, runs, &mut figures)?;
    }
    if chosen(Part::Emulator) {
        emulator::measure(&workplace, runs, &mut figures)?;
    }
    if chosen(Part::Upload) {
        upload::measure(&workplace, runs, &mut figures)?;
    }
    if chosen(Part::Storage) {
        storage::measure(&workplace, &mut figures)?;
    }
    if chosen(Part::Sandbox) {
        sandbox::measure(&workplace, &mut figures)?;
    }
    if chosen(Part::Cli) {
        command::measure(&mut figures)?;
    }
    if chosen(Part::Methods) {
        methods::measure(&workplace, runs, &mut figures)?;
    }
    if options.first {
        first::measure(&workplace, &mut figures)?;
    }
    figures.print();
    match figures.missed() {
        0 => Ok(()),
        missed if options.strict => Err(format!("{missed} figures miss their targets")),
        _ => Ok(()),
    }
}
