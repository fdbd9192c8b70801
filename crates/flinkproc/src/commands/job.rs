//! `flinkproc job`: the Flink jobs of a deployment, from beside the process that follows it.

use flinkproc_core::FlinkJobId;
use flinkproc_patterns::{ActionDone, Clients, Deployment, JobSeen};
use flinkproc_submit::JobAction;
use serde_json::json;

use crate::App;
use crate::args::{Job, JobCommand, WhichJob};
use crate::deployments::Deployments;
use crate::error::AppError;
use crate::place::{Choice, Place};
use crate::report::Problem;
use crate::report::progress::word;

/// Lists the jobs, or does something to one of them.
pub(crate) async fn run(app: &App, args: &Job) -> Result<u8, Problem> {
    let (id, action) = match &args.command {
        JobCommand::List { id } => (id, None),
        JobCommand::Savepoint { job, to } => {
            let directory = to.clone();
            let named = named(job)?;
            let job_id = &job.id;
            (
                job_id,
                Some(JobAction::Savepoint {
                    job: named,
                    directory,
                }),
            )
        }
        JobCommand::Stop { job, to, drain } => {
            let action = JobAction::Stop {
                job: named(job)?,
                directory: to.clone(),
                drain: *drain,
            };
            (&job.id, Some(action))
        }
        JobCommand::Cancel { job } => (&job.id, Some(JobAction::Cancel { job: named(job)? })),
    };
    let deployments = Deployments::new(&app.environment);
    let id = deployments.find(id).await?;
    let plan = deployments.plan(&id).await?;
    let choice = Choice::of_known(app, &plan, &id)?;
    if choice.is_passing() {
        return Err(AppError::SandboxEnded { id: id.to_string() }.into());
    }
    let place = Place::open(app, &choice, &plan).await?;
    let options = app.environment.options(deployments.directory(&id));
    let clients: Clients = place.clients().await?;
    let journal = deployments.journal();
    match action {
        None => {
            let jobs = Deployment::jobs(&id, clients, journal, options).await?;
            list(app, &jobs);
        }
        Some(action) => {
            let done = Box::pin(Deployment::act(&id, action, clients, journal, options)).await?;
            tell(app, &done);
        }
    }
    place.close(app).await;
    Ok(0)
}

fn named(which: &WhichJob) -> Result<Option<FlinkJobId>, AppError> {
    let parse = |text: &String| {
        text.parse()
            .map_err(|error: flinkproc_core::InvalidName| AppError::Argument {
                text: text.clone(),
                what: "Flink job id",
                how: error.rule.to_owned(),
            })
    };
    which.job.as_ref().map(parse).transpose()
}

fn list(app: &App, jobs: &[JobSeen]) {
    if app.stdio.json() {
        return app.stdio.json_result(&jobs);
    }
    if jobs.is_empty() {
        return app.stdio.tell("it has no Flink job now");
    }
    for job in jobs {
        app.stdio
            .result(&format!("{} {}", job.id, word(&job.state)));
    }
}

fn tell(app: &App, done: &ActionDone) {
    if app.stdio.json() {
        return app.stdio.json_result(&json!(done));
    }
    match &done.savepoint {
        Some(savepoint) => app.stdio.result(savepoint),
        None => app.stdio.result("the job is told to end"),
    }
}
