//! `flinkproc deploy`: carries a plan out, or goes on with one.

use std::fs;
use std::path::Path;

use flinkproc_core::DeploymentId;
use flinkproc_patterns::{Deployment, Options, Started, Step};
use flinkproc_plan::{LocalFact, LocalNeed, NeedKind, OnInterrupt, Plan, SpecSource};

use crate::App;
use crate::args::Deploy;
use crate::brought;
use crate::commands::plan;
use crate::deployments::Deployments;
use crate::error::AppError;
use crate::follow::{Manner, follow, report};
use crate::local_files;
use crate::place::{Choice, Place};
use crate::report::Problem;
use crate::signals::Signals;

/// Deploys, attaches or resumes, and follows to the end.
pub(crate) async fn run(app: &App, args: &Deploy) -> Result<u8, Problem> {
    let mut signals = Signals::listen().map_err(|error| AppError::Defect {
        what: format!("signals cannot be listened to: {error}"),
    })?;
    let deployments = Deployments::new(&app.environment);
    let until = until(args)?;
    let (work, mut plan, choice) = match &args.resume {
        Some(prefix) => {
            let id = if prefix.is_empty() {
                deployments.newest_unfinished().await?
            } else {
                deployments.find(prefix).await?
            };
            let plan = deployments.plan(&id).await?;
            let choice = Choice::of_known(app, &plan, &id)?;
            if choice.is_passing() && !deployments.is_over(&id).await? {
                return Err(AppError::SandboxEnded { id: id.to_string() }.into());
            }
            (Work::Resume(id), plan, choice)
        }
        None => {
            let plan = new_plan(app, args).await?;
            let choice = Choice::of_new(app, &plan, args.spec.sandbox.as_deref())?;
            (Work::Start, plan, choice)
        }
    };
    plan.watch.on_interrupt = on_interrupt(args, &plan)?;
    if choice.is_passing() {
        stay(app, args, &mut plan)?;
    }
    for warning in &plan.warnings {
        app.stdio
            .tell(&format!("{}: {warning}", app.stdio.paint("33", "warning")));
    }
    let place = tokio::select! {
        place = Place::open(app, &choice, &plan) => place?,
        _ = signals.next() => return Err(AppError::InterruptedEarly.into()),
    };
    let done = carry_out(
        app,
        args,
        (work, plan),
        (&place, &choice),
        until,
        &mut signals,
    )
    .await;
    place.close(app).await;
    done
}

enum Work {
    Start,
    Resume(DeploymentId),
}

/// A sandbox ends with this process: nothing can be left to go on in it.
fn stay(app: &App, args: &Deploy, plan: &mut Plan) -> Result<(), AppError> {
    let flag = match (&args.until, args.detach) {
        (Some(step), _) if step != Step::Watch.as_str() => Some(format!("--until {step}")),
        (_, true) => Some("--detach".to_owned()),
        _ => None,
    };
    if let Some(what) = flag {
        return Err(AppError::SandboxEnds {
            what: format!("`{what}`"),
        });
    }
    if plan.watch.on_interrupt == OnInterrupt::Detach {
        plan.watch.on_interrupt = OnInterrupt::Delete;
        app.stdio.tell(&format!(
            "{}: a sandbox ends with this process, so Ctrl-C deletes what was made",
            app.stdio.paint("33", "warning")
        ));
    }
    Ok(())
}

async fn carry_out(
    app: &App,
    args: &Deploy,
    (work, plan): (Work, Plan),
    (place, choice): (&Place, &Choice),
    until: Option<Step>,
    signals: &mut Signals,
) -> Result<u8, Problem> {
    let deployments = Deployments::new(&app.environment);
    let options = |id: &DeploymentId| Options {
        until,
        environments: Some(app.environment.cache().join("env")),
        ..app.environment.options(deployments.directory(id))
    };
    let manner = Manner {
        on_interrupt: plan.watch.on_interrupt,
        passing: choice.is_passing(),
    };
    let clients = brought::with_builders(place.clients().await?, &app.environment);
    let journal = deployments.journal();
    let handle = match work {
        Work::Resume(id) => Deployment::resume(&id, clients, journal, options(&id)).await?,
        Work::Start => {
            let options = options(&plan.deployment);
            let id = plan.deployment.clone();
            match Deployment::start(plan, clients, journal, options).await? {
                Started::Running(handle) => {
                    choice.note(app, &id)?;
                    handle
                }
                Started::Succeeded(outcome) => {
                    app.stdio
                        .tell("the run of this key has succeeded before; nothing was done");
                    return Ok(report(app, &outcome));
                }
            }
        }
    };
    let outcome = follow(app, handle, signals, manner, args.events.as_deref()).await?;
    Ok(report(app, &outcome))
}

/// A new plan, from the spec or from a file that `plan --out` wrote.
async fn new_plan(app: &App, args: &Deploy) -> Result<Plan, Problem> {
    let file = &args.spec.spec;
    let is_plan = file
        .extension()
        .is_some_and(|extension| extension == "json")
        && file.is_file();
    if is_plan {
        let plan = read_plan(file)?;
        plan.check_resolved()?;
        return Ok(plan);
    }
    let (key, on_interrupt) = (args.run_key.as_deref(), args.on_interrupt.as_deref());
    plan::make_whole(app, &args.spec, key, on_interrupt).await
}

/// Reads a plan and says what it was made from has changed since, if it has.
fn read_plan(file: &Path) -> Result<Plan, AppError> {
    let text = fs::read_to_string(file).map_err(AppError::file("the plan", file))?;
    let plan: Plan = serde_json::from_str(&text).map_err(|error| AppError::Argument {
        text: file.display().to_string(),
        what: "plan",
        how: format!("`flinkproc plan --out` writes one; {error}"),
    })?;
    let drifted = |drift: String| AppError::Drifted {
        path: file.to_owned(),
        drift,
    };
    let spec = fs::read_to_string(&plan.spec.path)
        .map_err(|error| drifted(format!("{}: {error}", plan.spec.path)))?;
    if SpecSource::new(&plan.spec.path, &spec) != plan.spec {
        return Err(drifted(format!("{} has changed", plan.spec.path)));
    }
    for upload in &plan.staging.uploads {
        let need = LocalNeed {
            key: String::new(),
            path: upload.local.clone(),
            kind: NeedKind::File,
        };
        let facts = local_files::look_at(&[need])?;
        let same = |fact: &LocalFact| matches!(fact, LocalFact::File { size, sha256, .. } if *size == upload.size && *sha256 == upload.sha256);
        if !facts.files.get(&upload.local).is_some_and(same) {
            return Err(drifted(format!("{} has changed", upload.local)));
        }
    }
    Ok(plan)
}

fn until(args: &Deploy) -> Result<Option<Step>, AppError> {
    match (&args.until, args.detach) {
        (Some(step), _) => {
            let wrong = |error: flinkproc_patterns::step::UnknownStep| AppError::Argument {
                text: step.clone(),
                what: "step",
                how: error.to_string(),
            };
            Ok(Some(step.parse().map_err(wrong)?))
        }
        (None, true) => Ok(Some(Step::Submit)),
        (None, false) => Ok(None),
    }
}

/// The flag goes over what a plan says that was made earlier.
fn on_interrupt(args: &Deploy, plan: &Plan) -> Result<OnInterrupt, AppError> {
    match args.on_interrupt.as_deref() {
        None => Ok(plan.watch.on_interrupt),
        Some("delete") => Ok(OnInterrupt::Delete),
        Some("detach") => Ok(OnInterrupt::Detach),
        Some(other) => Err(AppError::Argument {
            text: other.to_owned(),
            what: "way to treat an interrupt",
            how: "write `--on-interrupt delete` or `--on-interrupt detach`".to_owned(),
        }),
    }
}
