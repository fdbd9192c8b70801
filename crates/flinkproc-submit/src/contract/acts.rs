//! Savepoints and the like: Flink's client does them, whoever asks.
#![expect(clippy::expect_used, reason = "a contract suite fails by panicking")]

use std::sync::Arc;

use flinkproc_core::YarnMode;
use flinkproc_plan::{JobPlan, SessionLifetime};

use super::master::FakeMaster;
use super::modes::into_session;
use super::run::{follow, observe_until, run_ref};
use crate::error::SubmitError;
use crate::method::{JobAction, RunRef, SubmissionMethod};

/// Actions reach the run's job in every mode, and no other job; what cannot be done is refused with the reason.
pub async fn actions_reach(master: &FakeMaster, method: &Arc<dyn SubmissionMethod>) {
    let savepoint = |directory: Option<&str>| JobAction::Savepoint {
        job: None,
        directory: directory.map(str::to_owned),
    };
    let absent = method.act(&run_ref("absent"), &savepoint(None)).await;
    assert!(
        matches!(absent, Err(SubmitError::Refused { .. })),
        "{absent:?}"
    );

    let per_job = master.stage(&master.script_that_waits("never"), &[]);
    let mut session = per_job.clone();
    into_session(&mut session, "acts", SessionLifetime::Keep);
    let mut application = per_job.clone();
    application.mode = YarnMode::Application;
    for (name, job) in [
        ("act-p", per_job),
        ("act-s", session),
        ("act-a", application),
    ] {
        let run = run_ref(name);
        let id = started(master, method, &run, &job).await;

        let taken = method
            .act(&run, &savepoint(Some("gs://bucket/it's here")))
            .await;
        let taken = taken.expect("a savepoint");
        assert_eq!(taken.status, 0, "{taken:?}");
        let path = "gs://bucket/it's here/savepoint-4f0d1c-1";
        // Only what is a path of its own is one to the fake `flink`, which reads `-p` for `stop` alone.
        assert_eq!(taken.savepoint.as_deref(), Some(path));
        let taken = method
            .act(&run, &savepoint(None))
            .await
            .expect("a savepoint");
        assert_eq!(
            taken.savepoint.as_deref(),
            Some("gs://bucket/default/savepoint-4f0d1c-1")
        );

        let other = "00000000000000000000000000000000".parse().expect("id");
        let refused = method
            .act(&run, &JobAction::Cancel { job: Some(other) })
            .await;
        let refused = refused.expect_err("no such job");
        assert!(
            matches!(refused, SubmitError::Refused { .. }),
            "{refused:?}"
        );

        let stop = JobAction::Stop {
            job: Some(id.parse().expect("id")),
            directory: Some("gs://bucket/stopped".to_owned()),
            drain: false,
        };
        let stopped = method.act(&run, &stop).await.expect("stopped");
        let path = "gs://bucket/stopped/savepoint-4f0d1c-1";
        assert_eq!(stopped.savepoint.as_deref(), Some(path));
        if job.mode == YarnMode::Application {
            method.cancel(&run).await.expect("cancelled");
        }
        follow(|| Arc::clone(method), &run).await;
    }
    let acts = master.flink_acts();
    for target in ["yarn-per-job", "yarn-session", "yarn-application"] {
        assert!(acts.contains(&format!("savepoint -t {target} ")), "{acts}");
    }
}

/// Starts a run and waits until its job runs: the job's id.
async fn started(
    master: &FakeMaster,
    method: &Arc<dyn SubmissionMethod>,
    run: &RunRef,
    job: &JobPlan,
) -> String {
    method.submit(run, job).await.expect("submitted");
    let seen = observe_until(&**method, run, |seen| seen.application.is_some()).await;
    let application = seen.application.map(String::from).expect("application");
    master.until_a_job_runs(&application).await
}
