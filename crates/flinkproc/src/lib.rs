//! The binary behind `flinkproc`, as a thin library: arguments → request → plan → run → report.
//!
//! This is the only crate that reads the environment, builds real clients and talks to the terminal. Programs that want to
//! deploy without it use `flinkproc-patterns` and the capability crates; what this crate offers them is the system's
//! [`SystemClock`] and the list of [`environment::VARIABLES`].
//!
//! ```
//! use flinkproc::environment::Environment;
//!
//! let environment = Environment::of(&[("HOME", "/home/alice")]);
//! assert_eq!(environment.state().to_str(), Some("/home/alice/.local/state/flinkproc"));
//! ```

mod account;
mod args;
mod brought;
mod clients;
mod clock;
mod commands;
mod deployments;
pub mod environment;
mod error;
mod follow;
mod gcloud;
mod given_token;
mod local_files;
mod place;
mod report;
mod resolve;
mod sandbox;
mod signals;

use clap::Parser;
use flinkproc_core::FailureKind;

pub use clock::SystemClock;
pub use error::AppError;

use args::{Cli, Command};
use environment::Environment;
use report::{Problem, Stdio};

/// What every verb gets.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) environment: Environment,
    pub(crate) stdio: Stdio,
}

/// Parses the command line, runs the verb and returns the exit code.
#[must_use]
pub fn run_from_command_line() -> u8 {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let error = args::in_our_words(error);
            // Help goes to standard output, mistakes to standard error; a closed pipe is no error.
            let _ = error.print();
            return if error.use_stderr() {
                FailureKind::Input.exit_code()
            } else {
                0
            };
        }
    };
    let environment = Environment::read();
    let stdio = Stdio::new(&cli.common, &environment);
    diagnose(cli.common.verbose, &environment);
    let app = App { environment, stdio };
    let done = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime.block_on(dispatch(&app, cli)),
        Err(error) => Err(AppError::Defect {
            what: format!("no runtime: {error}"),
        }
        .into()),
    };
    match done {
        Ok(code) => code,
        Err(problem) => {
            stdio.error(&problem.render(stdio));
            if stdio.json() {
                stdio.json_result(&serde_json::json!({ "error": problem }));
            }
            problem.kind.exit_code()
        }
    }
}

async fn dispatch(app: &App, cli: Cli) -> Result<u8, Problem> {
    if let Some(what) = cli.generate {
        return commands::generate::run(app, what);
    }
    match cli.command {
        Some(Command::Init(args)) => commands::init::run(app, &args).await,
        Some(Command::Check(args)) => commands::check::run(app, &args),
        Some(Command::Plan(args)) => commands::plan::run(app, &args).await,
        Some(Command::Deploy(args)) => commands::deploy::run(app, &args).await,
        Some(Command::Down(args)) => commands::down::run(app, &args).await,
        Some(Command::Status(args)) => commands::status::run(app, &args).await,
        Some(Command::Logs(args)) => commands::logs::run(app, &args).await,
        Some(Command::Job(args)) => commands::job::run(app, &args).await,
        Some(Command::Cluster(args)) => commands::cluster::run(app, &args).await,
        Some(Command::Sandbox(args)) => commands::sandbox::run(app, &args).await,
        None => Ok(0),
    }
}

/// Sends diagnostic messages to standard error, as many as `-v` or `FLINKPROC_LOG` ask for.
fn diagnose(verbose: u8, environment: &Environment) {
    let level = match verbose {
        0 => "off",
        1 => "flinkproc=debug",
        _ => "debug",
    };
    let filter = environment.text("FLINKPROC_LOG").unwrap_or(level);
    let filter = tracing_subscriber::EnvFilter::try_new(filter).unwrap_or_default();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}
