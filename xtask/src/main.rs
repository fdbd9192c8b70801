//! Runs this workspace's chores: `cargo xtask deploy|test|ci|bench|tidy|docs`.

mod bench;
mod cargo;
mod ci;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Runs this workspace's chores.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Builds the binary and runs `flinkproc deploy` with the given arguments.
    #[command(disable_help_flag = true)]
    Deploy {
        /// Arguments of `flinkproc deploy`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Runs every test, those on real YARN, Flink and sshd included.
    Test {
        /// Also the long sweeps, which take hours.
        #[arg(long)]
        full: bool,
        /// Leaves out the tests that need Java, Maven, Python and sshd.
        #[arg(long, conflicts_with = "full")]
        fast: bool,
    },
    /// Format, lints, every crate without default features, tests, documentation, tidy.
    Ci {
        /// Leaves out the tests, for who runs `test` by itself.
        #[arg(long)]
        skip_tests: bool,
    },
    /// Measures what a deployment costs beside gcloud's way, against targets.
    Bench(bench::Options),
    /// Runs a program and writes down what it cost (for `bench`).
    #[command(hide = true)]
    Measure(bench::Measured),
    /// Checks crate graph, pure crates, file heads and sizes, error codes, links and licences.
    Tidy,
    /// Builds the documentation with warnings denied.
    Docs,
}

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::Deploy { arguments } => return cargo::deploy(&arguments),
        Task::Test { full, fast } => ci::test(full, fast),
        Task::Ci { skip_tests } => ci::all(skip_tests),
        Task::Bench(options) => bench::bench(&options),
        Task::Measure(wish) => bench::measured(&wish),
        Task::Tidy => tidy::run(),
        Task::Docs => ci::docs(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            cargo::say(&format!("error: {problem}"));
            ExitCode::FAILURE
        }
    }
}
