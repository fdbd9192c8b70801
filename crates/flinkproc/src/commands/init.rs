//! `flinkproc init`: writes a commented spec.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use crate::App;
use crate::args::Init;
use crate::error::AppError;
use crate::report::Problem;

/// Writes the file; one that is there is left alone.
pub(crate) fn run(app: &App, args: &Init) -> Result<u8, Problem> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&args.file)
        .map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => AppError::Exists {
                path: args.file.clone(),
            },
            _ => AppError::file("the new spec", &args.file)(error),
        })?;
    let text = flinkproc_plan::init_spec(&script_beside(&args.file));
    file.write_all(text.as_bytes())
        .map_err(AppError::file("the new spec", &args.file))?;
    app.stdio.tell(&format!(
        "wrote {}; now edit it, then `flinkproc plan {0}`",
        args.file.display()
    ));
    Ok(0)
}

/// The only Python file beside the new spec, if there is just one; a name to be replaced otherwise.
fn script_beside(file: &Path) -> String {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut scripts = names.filter(|name| name.ends_with(".py"));
    match (scripts.next(), scripts.next()) {
        (Some(script), None) => script,
        _ => "job.py".to_owned(),
    }
}
