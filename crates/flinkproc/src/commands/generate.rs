//! `flinkproc --generate`: completions, manual page, schema.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::App;
use crate::args::{Cli, Generated};
use crate::error::AppError;
use crate::report::Problem;

/// Prints what was asked for.
pub(crate) fn run(app: &App, what: Generated) -> Result<u8, Problem> {
    let text = match what {
        Generated::Bash => completions(Shell::Bash),
        Generated::Zsh => completions(Shell::Zsh),
        Generated::Fish => completions(Shell::Fish),
        Generated::Man => manual()?,
        Generated::Schema => flinkproc_plan::spec_schema(),
    };
    app.stdio.result(&text);
    Ok(0)
}

fn completions(shell: Shell) -> String {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "flinkproc", &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// One page for the program and every verb.
fn manual() -> Result<String, AppError> {
    let mut text = Vec::new();
    let command = Cli::command();
    let failed = |error: std::io::Error| AppError::Defect {
        what: format!("the manual page: {error}"),
    };
    clap_mangen::Man::new(command.clone())
        .render(&mut text)
        .map_err(failed)?;
    for verb in command.get_subcommands() {
        clap_mangen::Man::new(verb.clone())
            .title(format!("flinkproc-{}", verb.get_name()))
            .render(&mut text)
            .map_err(failed)?;
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}
