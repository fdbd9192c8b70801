//! `flinkproc sandbox`: a Dataproc on this machine that stays until it is told to end.

mod down;
mod logs;
mod status;
mod up;
mod vars;

use crate::App;
use crate::args::{Sandbox, SandboxCommand};
use crate::error::AppError;
use crate::report::Problem;
use crate::sandbox::{Record, Shelf};

/// Runs one of the sub-verbs.
pub(crate) async fn run(app: &App, args: &Sandbox) -> Result<u8, Problem> {
    match &args.command {
        SandboxCommand::Up(args) => up::run(app, args).await,
        SandboxCommand::Down(args) => down::run(app, args).await,
        SandboxCommand::Status(args) => status::run(app, args).await,
        SandboxCommand::Vars(args) => vars::run(app, args),
        SandboxCommand::Logs(args) => logs::run(app, args).await,
        SandboxCommand::Serve(named) => up::serve(app, &named.name).await,
    }
}

/// The sandbox of a name, which must run.
fn running(app: &App, name: &str) -> Result<Record, AppError> {
    let found = Shelf::new(app)?.running(name)?;
    found.ok_or_else(|| AppError::NoSandbox {
        name: name.to_owned(),
    })
}
