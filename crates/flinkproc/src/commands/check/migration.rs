//! What another image changes for the deployment of a spec.

use std::fmt::Write;

use flinkproc_check::{Change, Deployment, migrate};
use flinkproc_core::ImageVersion;
use flinkproc_plan::Spec;
use serde_json::json;

use super::BROKEN;
use crate::App;
use crate::args::{Check, SpecArgs};
use crate::commands::plan;
use crate::report::Problem;
use crate::resolve;

/// Tells the changes; `None` where the spec names this image already.
pub(super) fn report(app: &App, args: &Check, to: &ImageVersion) -> Result<Option<u8>, Problem> {
    let own = SpecArgs {
        image: None,
        ..args.spec.clone()
    };
    let loaded = resolve::load(&own, None, &app.environment)?;
    let spec = &loaded.layered.spec;
    let default = flinkproc_check::script::DEFAULT_IMAGE;
    let from = match &spec.cluster.image {
        Some(image) => image.clone(),
        None => super::image_of(default)?,
    };
    if from.line() == to.line() {
        return Ok(None);
    }
    let changes = migrate(&deployment(spec), &from, to);
    let broken = changes.iter().any(|change| change.severity == "error");
    // What the planner would refuse there is told too; what is known to break comes first.
    let planned = plan::make(app, &args.spec, None, None);
    let refused = planned.as_ref().err();
    let code = match refused {
        Some(problem) => problem.kind.exit_code(),
        None if broken => BROKEN,
        None => 0,
    };
    if app.stdio.json() {
        app.stdio.json_result(&json!({
            "ok": code == 0,
            "from": from,
            "to": to,
            "changes": changes,
            "refused": refused,
            "warnings": planned.as_ref().map(|plan| plan.warnings.clone()).unwrap_or_default(),
        }));
        return Ok(Some(code));
    }
    app.stdio.result(&text(&from, to, &changes));
    if let Some(problem) = refused {
        app.stdio.error(&problem.render(app.stdio));
    }
    Ok(Some(code))
}

fn deployment(spec: &Spec) -> Deployment {
    let job = &spec.job;
    Deployment {
        mode: job.mode.and_then(flinkproc_plan::spec::ModeSpec::named),
        method: job.method.clone().unwrap_or_else(|| "ssh".to_owned()),
        python_functions: job.python_functions.unwrap_or(true),
        flink_config: job.flink_config.0.clone(),
        flink_args: job.flink_args.clone(),
        properties: spec.cluster.properties.0.clone(),
        jars: job.jars.clone(),
        archives: job.archives.clone(),
        restore: job.restore.from.clone(),
    }
}

fn text(from: &ImageVersion, to: &ImageVersion, changes: &[Change]) -> String {
    let mut text = format!("From image {from} to image {to}:\n");
    for severity in ["error", "warning", "note"] {
        for change in changes.iter().filter(|change| change.severity == severity) {
            let _ = writeln!(
                text,
                "\n{severity}: {}: {}\n  {}",
                change.about, change.what, change.help
            );
        }
    }
    text
}
