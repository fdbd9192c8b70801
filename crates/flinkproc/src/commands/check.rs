//! `flinkproc check`: a spec, a script, a page or a command, without asking any service.

pub(crate) mod lines;
mod migration;

use std::path::Path;

use flinkproc_core::{FailureKind, FlinkVersion, ImageVersion};
use serde_json::json;

use crate::App;
use crate::args::Check;
use crate::commands::plan;
use crate::error::AppError;
use crate::report::Problem;

/// The exit code when something is wrong that breaks a command or a deployment.
const BROKEN: u8 = FailureKind::Input.exit_code();

/// Checks what is named.
pub(crate) fn run(app: &App, args: &Check) -> Result<u8, Problem> {
    if !args.line.is_empty() {
        return lines::command(app, &args.line, flink(args)?);
    }
    if is_text(&args.spec.spec) {
        return lines::file(app, &args.spec.spec, flink(args)?);
    }
    if args.flink.is_some() {
        return Err(AppError::Argument {
            text: args.spec.spec.display().to_string(),
            what: "script, page or command",
            how: "`--flink` is for those; the image of a spec decides its Flink".to_owned(),
        }
        .into());
    }
    if let Some(image) = &args.spec.image
        && let Some(code) = migration::report(app, args, &image_of(image)?)?
    {
        return Ok(code);
    }
    spec(app, args)
}

/// Makes the plan and keeps nothing of it but its warnings.
fn spec(app: &App, args: &Check) -> Result<u8, Problem> {
    let plan = plan::make(app, &args.spec, None, None)?;
    if app.stdio.json() {
        app.stdio
            .json_result(&json!({ "ok": true, "warnings": plan.warnings }));
        return Ok(0);
    }
    for warning in &plan.warnings {
        app.stdio
            .tell(&format!("{}: {warning}", app.stdio.paint("33", "warning")));
    }
    let image = &plan.cluster.image;
    app.stdio.result(&format!(
        "{} is sound: image {image}, Flink {}, {} mode, {} file(s) to stage",
        plan.spec.path,
        plan.job.flink,
        plan.job.mode,
        plan.staging.uploads.len()
    ));
    Ok(0)
}

/// Whether a path is a script or a page; specs are TOML, or folders that hold one.
fn is_text(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let spec = extension.is_some_and(|extension| extension.eq_ignore_ascii_case("toml"));
    !spec && path.is_file()
}

/// The Flink that is named, by itself or by its image.
fn flink(args: &Check) -> Result<Option<FlinkVersion>, Problem> {
    match (&args.flink, &args.spec.image) {
        (Some(text), _) => Ok(Some(known(text)?)),
        (None, Some(image)) => Ok(Some(image_of(image)?.flink())),
        (None, None) => Ok(None),
    }
}

fn image_of(text: &str) -> Result<ImageVersion, Problem> {
    known(text)
}

fn known<T>(text: &str) -> Result<T, Problem>
where
    T: std::str::FromStr<Err = flinkproc_core::image::UnknownVersion>,
{
    text.parse()
        .map_err(|error: flinkproc_core::image::UnknownVersion| {
            AppError::Argument {
                text: error.text,
                what: error.what,
                how: format!("flinkproc knows {}", error.known),
            }
            .into()
        })
}
