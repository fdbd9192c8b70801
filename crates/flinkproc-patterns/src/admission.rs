//! Whether a deployment may begin: run keys, and the refusal of a second run of the same spec.

use flinkproc_core::DeploymentId;
use flinkproc_plan::Plan;

use crate::error::RunError;
use crate::journal::Journal;
use crate::outcome::Outcome;
use crate::progress::Progress;
use crate::verdict::Verdict;

/// What a request to deploy comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum Admission {
    /// It is a new run.
    Fresh,
    /// It is the run that is under way under the same key: carry that one on.
    Attach(DeploymentId),
    /// It is a run that succeeded under the same key: this is what it came to.
    Succeeded(Box<Outcome>),
}

/// Says what a request to deploy this plan comes to. Reads the journal and changes nothing.
///
/// With a run key, the run of the same key is the same run: one that is under way is attached to, one that succeeded is not
/// repeated, one that failed may be run anew. Without a key, another unfinished run of the same spec is in the way.
///
/// # Errors
/// [`RunError::Unfinished`]; or the journal's own failures.
pub async fn admit(plan: &Plan, journal: &dyn Journal) -> Result<Admission, RunError> {
    let mut succeeded = None;
    for id in journal.list().await? {
        let progress = Progress::replay(&journal.load(&id).await?);
        let Some(known) = &progress.plan else {
            continue;
        };
        match &plan.run_key {
            Some(key) if known.run_key.as_ref() == Some(key) => match progress.outcome {
                None => return Ok(Admission::Attach(id)),
                Some(outcome) if outcome.verdict() == Some(&Verdict::Succeeded) => {
                    succeeded = Some(Admission::Succeeded(Box::new(outcome)));
                }
                Some(_) => {}
            },
            None if known.run_key.is_none() && same_run(known, plan) && !progress.is_over() => {
                let since = progress.began.unwrap_or_default();
                return Err(RunError::Unfinished { running: id, since });
            }
            _ => {}
        }
    }
    Ok(succeeded.unwrap_or(Admission::Fresh))
}

/// Without a key, a run is known by its spec file and by where it runs.
fn same_run(one: &Plan, other: &Plan) -> bool {
    let place = |plan: &Plan| {
        let cluster = &plan.cluster.cluster;
        (
            plan.spec.path.clone(),
            cluster.project.clone(),
            cluster.region.clone(),
        )
    };
    place(one) == place(other)
}
