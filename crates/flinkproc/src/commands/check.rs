//! `flinkproc check`: spec, image and Python, without asking any service.

use serde_json::json;

use crate::App;
use crate::args::Check;
use crate::commands::plan;
use crate::report::Problem;

/// Makes the plan and keeps nothing of it but its warnings.
pub(crate) fn run(app: &App, args: &Check) -> Result<u8, Problem> {
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
