//! The contract suites: what every [`YarnApi`] and [`FlinkApi`] must do, run against any of them.
//!
//! Each suite works on one application or job that runs already, and ends it. Both services take note of the wish and carry it
//! out later, so the suites wait by the clock that they are given.

use std::time::Duration;

pub use flinkproc_core::contract::Broken;
use flinkproc_core::contract::{hold, must};
use flinkproc_core::{Clock, FlinkJobId, YarnApplicationId};

use crate::error::RestError;
use crate::flink::FlinkApi;
use crate::flink_values::FlinkJobState;
use crate::yarn::YarnApi;
use crate::yarn_values::{ApplicationState, FinalStatus};

/// How often a suite looks whether a wish was carried out, and the pause between.
const LOOKS: u32 = 120;
const PAUSE: Duration = Duration::from_millis(250);

const fn is_not_found<T>(answer: &Result<T, RestError>) -> bool {
    matches!(answer, Err(RestError::Refused { status: 404, .. }))
}

/// Runs the suite on an application that runs and alone carries `tag`, which is of lower case; ends it.
///
/// # Errors
/// The first clause that does not hold.
pub async fn yarn(
    api: &dyn YarnApi,
    clock: &dyn Clock,
    running: &YarnApplicationId,
    tag: &str,
) -> Result<(), Broken> {
    let info = must("the ResourceManager tells of itself", api.info().await)?;
    hold("it is started", info.state == "STARTED", &info)?;
    let sums = must("it tells its sums", api.metrics().await)?;
    hold("an application runs", sums.apps_running >= 1, &sums)?;
    let nodes = must("it tells its nodes", api.nodes().await)?;
    let active = usize::try_from(sums.active_nodes).unwrap_or_default();
    hold(
        "its nodes are those it counts",
        nodes.len() >= active && active >= 1,
        &nodes,
    )?;
    tagged(api, running, tag).await?;
    strange(api, running).await?;
    let attempts = must("attempts are told", api.attempts(running).await)?;
    hold("there was an attempt", !attempts.is_empty(), &attempts)?;

    for clause in ["a running application is ended", "it is ended twice"] {
        must(clause, api.kill(running).await)?;
    }
    for _ in 0..LOOKS {
        let found = must(
            "an ended application is known",
            api.application(running).await,
        )?;
        let Some(found) = found.filter(|found| found.state.is_terminal()) else {
            clock.sleep(PAUSE).await;
            continue;
        };
        let killed = found.state == ApplicationState::Killed;
        hold(
            "it was killed, by state and final status",
            killed && found.final_status == FinalStatus::Killed,
            &found,
        )?;
        hold("its end has a time", found.finished_time > 0, &found)?;
        return must("what has ended may be ended", api.kill(running).await);
    }
    hold("the end comes", false, running)
}

/// Finds the application by its tag and by its id.
async fn tagged(api: &dyn YarnApi, running: &YarnApplicationId, tag: &str) -> Result<(), Broken> {
    let all = must("applications are told", api.applications(None).await)?;
    let there = all.iter().any(|one| one.id == *running);
    hold("the running one is among all", there, &all)?;
    for given in [tag.to_owned(), tag.to_uppercase()] {
        let found = must("a tag is asked for", api.applications(Some(&given)).await)?;
        let alone = found.len() == 1 && found.iter().all(|one| one.id == *running);
        hold("a tag finds its application, in any case", alone, &found)?;
        let carries = found.iter().all(|one| one.has_tag(tag));
        hold("an application tells its tags", carries, &found)?;
    }
    for other in [format!("{tag}-none"), format!("none&applicationTags={tag}")] {
        let none = must(
            "another tag is asked for",
            api.applications(Some(&other)).await,
        )?;
        hold(
            "a tag that nothing carries finds nothing",
            none.is_empty(),
            &none,
        )?;
    }
    let found = must("an id is asked for", api.application(running).await)?;
    let runs = found.as_ref().is_some_and(|one| {
        one.id == *running
            && one.state == ApplicationState::Running
            && one.final_status == FinalStatus::Undefined
    });
    hold("a running application has no final status", runs, &found)
}

/// Asks for an application that never was.
async fn strange(api: &dyn YarnApi, running: &YarnApplicationId) -> Result<(), Broken> {
    let id = must("an id is an id", format!("{running}99").parse())?;
    let found = must(
        "an unknown application is asked for",
        api.application(&id).await,
    )?;
    hold("an unknown application is none", found.is_none(), &found)?;
    let attempts = must("its attempts are asked for", api.attempts(&id).await)?;
    hold("it has no attempts", attempts.is_empty(), &attempts)?;
    must("ending what is not there succeeds", api.kill(&id).await)
}

/// Runs the suite on a job that runs; cancels it.
///
/// # Errors
/// The first clause that does not hold.
pub async fn flink(
    api: &dyn FlinkApi,
    clock: &dyn Clock,
    running: &FlinkJobId,
) -> Result<(), Broken> {
    let sums = must("the JobManager tells its sums", api.overview().await)?;
    hold("a job runs", sums.jobs_running >= 1, &sums)?;
    hold("it has a version", !sums.flink_version.is_empty(), &sums)?;
    let jobs = must("jobs are told", api.jobs().await)?;
    let job = jobs.iter().find(|job| job.id == *running);
    let runs = job.is_some_and(|job| job.state == FlinkJobState::Running && job.end_time == -1);
    hold("the running one is among them", runs, &jobs)?;
    let found = must("a job is asked for", api.job(running).await)?;
    let same = found.as_ref().is_some_and(|job| job.id == *running);
    hold("it is the one that was asked for", same, &found)?;
    let failure = must("exceptions are told", api.exceptions(running).await)?;
    hold("nothing failed", failure.root_exception.is_none(), &failure)?;
    let taken = must("checkpoints are told", api.checkpoints(running).await)?;
    let counts = taken.counts;
    hold(
        "no more checkpoints ended than were begun",
        counts.completed + counts.failed <= counts.total,
        &counts,
    )?;
    let plan = must("the plan is told", api.plan(running).await)?;
    hold("the plan has nodes", plan["nodes"].is_array(), &plan)?;
    must("its parameters are told", api.parameters(running).await)?;
    must("metrics are told", api.metrics(running, &[]).await)?;
    must("the configuration is told", api.config().await)?;
    must("TaskManagers are told", api.task_managers().await)?;
    unknown(api).await?;

    must("a running job is cancelled", api.cancel(running).await)?;
    for _ in 0..LOOKS {
        // The JobManager of one job goes with its job, and then nobody answers.
        match api.job(running).await {
            Ok(None) | Err(RestError::Unreachable { .. }) => return Ok(()),
            Ok(Some(job)) if job.state.is_terminal() => {
                return hold(
                    "it is cancelled",
                    job.state == FlinkJobState::Canceled,
                    &job,
                );
            }
            Ok(Some(_)) => clock.sleep(PAUSE).await,
            Err(error) => return must("a cancelled job is asked for", Err(error)),
        }
    }
    hold("the end comes", false, running)
}

/// Asks for a job that never was.
async fn unknown(api: &dyn FlinkApi) -> Result<(), Broken> {
    let id = must("an id is an id", "0".repeat(32).parse())?;
    let found = must("an unknown job is asked for", api.job(&id).await)?;
    hold("an unknown job is none", found.is_none(), &found)?;
    let exceptions = api.exceptions(&id).await;
    let refused = is_not_found(&exceptions);
    hold("an unknown job has no exceptions", refused, &exceptions)?;
    let none = must("its parameters are asked for", api.parameters(&id).await)?;
    hold("an unknown job has no parameters", none.is_empty(), &none)?;
    let cancelled = api.cancel(&id).await;
    let refused = is_not_found(&cancelled);
    hold("an unknown job is not cancelled", refused, &cancelled)
}
