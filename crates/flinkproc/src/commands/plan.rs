//! `flinkproc plan`: every step, default and equivalent command, and nothing done.

use std::fmt::Write;
use std::fs;

use flinkproc_plan::{DeployRequest, Plan, plan_deployment};
use flinkproc_ssh::quote_line;
use flinkproc_submit::check_job;
use serde_json::json;

use crate::App;
use crate::args::{PlanArgs, SpecArgs};
use crate::brought;
use crate::error::AppError;
use crate::report::Problem;
use crate::resolve::{self, Run};
use crate::sandbox;

/// How many uploads are written out as commands; `--output json` has all.
const SHOWN: usize = 3;

/// Shows the plan, and writes it down where that was asked for.
pub(crate) async fn run(app: &App, args: &PlanArgs) -> Result<u8, Problem> {
    if args.compare_methods {
        return Ok(compare_methods(app));
    }
    let key = args.run_key.as_deref();
    let plan = match &args.out {
        // What is carried out later has to be whole.
        Some(_) => make_whole(app, &args.spec, key, None).await?,
        None => make(app, &args.spec, key, None)?,
    };
    if let Some(path) = &args.out {
        let text = serde_json::to_string_pretty(&plan).map_err(|error| AppError::Defect {
            what: format!("the plan cannot be written: {error}"),
        })?;
        fs::write(path, text + "\n").map_err(AppError::file("the plan", path))?;
        app.stdio.tell(&format!(
            "wrote {}; carry it out with `flinkproc deploy {0}`",
            path.display()
        ));
    }
    if app.stdio.json() {
        app.stdio
            .json_result(&json!({ "plan": plan, "equivalents": plan.equivalents() }));
    } else {
        app.stdio.result(&text(&plan));
    }
    Ok(0)
}

/// Makes the plan of a spec; asks no service and changes nothing.
pub(crate) fn make(
    app: &App,
    spec: &SpecArgs,
    run_key: Option<&str>,
    on_interrupt: Option<&str>,
) -> Result<Plan, Problem> {
    let plan = plan_deployment(&request(app, spec, run_key, on_interrupt)?)?;
    check_job(&plan.job)?;
    Ok(plan)
}

/// Makes the plan of a spec with everything in it that a run needs; a Maven repository is asked for connectors.
pub(crate) async fn make_whole(
    app: &App,
    spec: &SpecArgs,
    run_key: Option<&str>,
    on_interrupt: Option<&str>,
) -> Result<Plan, Problem> {
    let request = request(app, spec, run_key, on_interrupt)?;
    let plan = brought::complete_plan(request, &app.environment).await?;
    check_job(&plan.job)?;
    Ok(plan)
}

fn request(
    app: &App,
    spec: &SpecArgs,
    run_key: Option<&str>,
    on_interrupt: Option<&str>,
) -> Result<DeployRequest, Problem> {
    let loaded = resolve::load(spec, on_interrupt, &app.environment)?;
    let sandbox = spec.sandbox.as_ref().map(|_| sandbox::facts());
    resolve::request(loaded, Run { run_key, sandbox }, &app.environment)
}

/// Shows the submission methods side by side; no spec is read.
fn compare_methods(app: &App) -> u8 {
    let comparison = flinkproc_plan::methods::comparison();
    if app.stdio.json() {
        app.stdio.json_result(&comparison);
        return 0;
    }
    let width = comparison.methods.iter().map(|name| name.len()).max();
    let width = width.unwrap_or_default();
    let mut text = String::new();
    for row in &comparison.rows {
        let _ = writeln!(text, "{}", row.title);
        for (method, cell) in comparison.methods.iter().zip(&row.cells) {
            let _ = writeln!(text, "  {method:<width$}  {cell}");
        }
    }
    app.stdio.result(&text);
    0
}

/// The plan and the commands by which a person would do the same.
fn text(plan: &Plan) -> String {
    let mut text = plan.render();
    text.push_str("\nBy hand this would be about\n");
    let commands = plan.equivalents();
    let uploads = commands.iter().filter(|one| one.step == "stage").count();
    let mut staged = 0;
    for command in commands {
        if command.step == "stage" {
            staged += 1;
            if staged == SHOWN + 1 {
                let _ = writeln!(text, "  {:<15} … and {} more", "", uploads - SHOWN);
            }
            if staged > SHOWN {
                continue;
            }
        }
        if let Some((program, arguments)) = command.argv.split_first() {
            let line = quote_line(program, arguments.iter().map(String::as_str));
            let place = match command.place {
                "here" => String::new(),
                elsewhere => format!("{elsewhere}: "),
            };
            let _ = writeln!(text, "  {:<15} {place}{line}", command.step);
        }
    }
    text
}
