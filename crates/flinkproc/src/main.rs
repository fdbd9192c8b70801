//! The binary `flinkproc`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(flinkproc::run_from_command_line())
}
