//! Sessions and applications: what the launcher makes of them, whoever starts it.
#![expect(clippy::expect_used, reason = "a contract suite fails by panicking")]

use std::sync::Arc;

use flinkproc_core::YarnMode;
use flinkproc_plan::{FileRole, JobPlan, PythonPlan, SessionLifetime, SessionPlan};

use super::corpus::CORPUS;
use super::master::FakeMaster;
use super::run::{follow, observe_until, run_ref};
use crate::method::{RunState, SubmissionMethod};

const FIRST: &str = "application_1700000000000_0001";
const SECOND: &str = "application_1700000000000_0002";

/// Puts a job into a session.
pub(super) fn into_session(job: &mut JobPlan, name: &str, lifetime: SessionLifetime) {
    job.mode = YarnMode::Session;
    job.session = Some(SessionPlan {
        name: name.to_owned(),
        tag: format!("flinkproc-session-{name}"),
        lifetime,
        flink_config: std::collections::BTreeMap::new(),
    });
}

/// A session is started once, found by its tag, and kept or ended as the job wishes.
pub async fn sessions_are_shared(master: &FakeMaster, method: &Arc<dyn SubmissionMethod>) {
    let mut keep = master.stage("print('in a session')", &[]);
    into_session(&mut keep, "shared", SessionLifetime::Keep);
    for name in ["session-1", "session-2"] {
        let run = run_ref(name);
        method.submit(&run, &keep).await.expect("submitted");
        let (exit, out, err) = follow(|| Arc::clone(method), &run).await;
        assert_eq!(exit.status, 0, "{}", String::from_utf8_lossy(&err));
        assert_eq!(master.without_flinks_words(&out), b"in a session\n");
        let seen = observe_until(&**method, &run, |_| true).await;
        let application = seen.application.map(String::from);
        assert_eq!(application.as_deref(), Some(FIRST));
        assert_eq!(seen.jobs.len(), 1);
    }
    assert_eq!(master.session_starts(), 1);
    assert_eq!(master.application_state(FIRST), "RUNNING");

    // One that was found is never ended; one that was started for this job alone is.
    let mut found = keep.clone();
    into_session(&mut found, "shared", SessionLifetime::Deployment);
    let mut own = keep.clone();
    into_session(&mut own, "own", SessionLifetime::Deployment);
    for (name, job) in [("session-3", found), ("session-4", own)] {
        let run = run_ref(name);
        method.submit(&run, &job).await.expect("submitted");
        let (exit, ..) = follow(|| Arc::clone(method), &run).await;
        assert_eq!(exit.status, 0);
    }
    assert_eq!(master.session_starts(), 2);
    assert_eq!(master.application_state(FIRST), "RUNNING");
    assert_eq!(master.application_state(SECOND), "KILLED");
    assert_eq!(master.flink_runs(), 4);
}

/// Cancelling a job in a shared session ends that job and neither the session nor another's job, also when the launcher
/// is gone and its notes of ids with it.
pub async fn cancel_spares_the_session(master: &FakeMaster, method: &Arc<dyn SubmissionMethod>) {
    let mut job = master.stage(&master.script_that_waits("never"), &[]);
    into_session(&mut job, "shared", SessionLifetime::Keep);
    let (first, second) = (run_ref("neighbour"), run_ref("cancelled"));
    for run in [&first, &second] {
        method.submit(run, &job).await.expect("submitted");
        observe_until(&**method, run, |seen| !seen.jobs.is_empty()).await;
    }
    method.cancel(&second).await.expect("cancelled");
    let (exit, ..) = follow(|| Arc::clone(method), &second).await;
    assert!(exit.cancelled && exit.status == 143, "{exit:?}");
    assert_eq!(master.application_state(FIRST), "RUNNING");
    let states = master.job_states(FIRST);
    assert_eq!(states, ["RUNNING", "CANCELED"]);

    master.kill_launcher(&first).await;
    observe_until(&**method, &first, |seen| seen.state == RunState::Lost).await;
    master.forget_ids(&first);
    method.cancel(&first).await.expect("cancelled");
    assert_eq!(master.job_states(FIRST), ["CANCELED", "CANCELED"]);
    assert_eq!(master.application_state(FIRST), "RUNNING");
}

/// An application's run ends with the application, not with the client that submits it, and its status is YARN's verdict.
pub async fn applications_end_true(master: &FakeMaster, method: &Arc<dyn SubmissionMethod>) {
    let mut good = master.stage(&master.script_that_waits("go"), &[]);
    good.mode = YarnMode::Application;
    let run = run_ref("application-good");
    method.submit(&run, &good).await.expect("submitted");
    observe_until(&**method, &run, |seen| seen.application.is_some()).await;
    master.until_container_says(FIRST, "waiting").await;
    let seen = observe_until(&**method, &run, |_| true).await;
    assert_eq!(
        seen.state,
        RunState::Running,
        "the client's end is not the run's"
    );
    master.touch("go");
    let (exit, ..) = follow(|| Arc::clone(method), &run).await;
    assert_eq!((exit.status, exit.phase.as_str()), (0, "flink"));

    let mut bad = master.stage("import sys; sys.exit(7)", &[]);
    bad.mode = YarnMode::Application;
    let run = run_ref("application-bad");
    method.submit(&run, &bad).await.expect("submitted");
    let (exit, ..) = follow(|| Arc::clone(method), &run).await;
    assert_eq!((exit.status, exit.phase.as_str()), (1, "flink"));

    let mut long = master.stage(&master.script_that_waits("never"), &[]);
    long.mode = YarnMode::Application;
    let run = run_ref("application-cancelled");
    method.submit(&run, &long).await.expect("submitted");
    observe_until(&**method, &run, |seen| seen.application.is_some()).await;
    method.cancel(&run).await.expect("cancelled");
    let (exit, ..) = follow(|| Arc::clone(method), &run).await;
    assert!(exit.cancelled && exit.status == 143, "{exit:?}");
    assert_eq!(
        master.application_state("application_1700000000000_0003"),
        "KILLED"
    );
}

/// The corpus arrives in a session and on a worker as well as on the master.
pub async fn arguments_arrive_in_every_mode(
    master: &FakeMaster,
    method: &Arc<dyn SubmissionMethod>,
) {
    let script = "import sys\nimport helper\nprint('\\n'.join(a.encode().hex() or '-' for a in sys.argv[1:]))\n";
    let expected: String = CORPUS
        .iter()
        .map(|arg| {
            match arg
                .bytes()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
            {
                hex if hex.is_empty() => "-\n".to_owned(),
                hex => hex + "\n",
            }
        })
        .collect();
    let mut job = master.stage_as("my étl's $x.py", script, CORPUS);
    master.add_python_file(&mut job, "helper.py", "");
    let mut session = job.clone();
    into_session(&mut session, "corpus", SessionLifetime::Keep);
    let mut application = job.clone();
    application.mode = YarnMode::Application;
    for (name, job) in [
        ("corpus-p", &job),
        ("corpus-s", &session),
        ("corpus-a", &application),
    ] {
        let run = run_ref(name);
        method.submit(&run, job).await.expect("submitted");
        let (exit, out, err) = follow(|| Arc::clone(method), &run).await;
        assert_eq!(exit.status, 0, "{name}: {}", String::from_utf8_lossy(&err));
        let said = match job.mode {
            YarnMode::Application => master
                .container_output("application_1700000000000_0003")
                .into_bytes(),
            _ => master.without_flinks_words(&out),
        };
        assert!(
            said == expected.as_bytes(),
            "{name}: {}",
            String::from_utf8_lossy(&said)
        );
    }
}

/// A shipped Python runs the program: unpacked on the master for its own client, inside the container for an application.
pub async fn shipped_python_runs_it(master: &FakeMaster, method: &Arc<dyn SubmissionMethod>) {
    let archive = master.python_archive("shipped").await;
    for (name, mode) in [
        ("env-p", YarnMode::PerJob),
        ("env-a", YarnMode::Application),
    ] {
        let script = "import os\nprint(os.environ['FROM_ARCHIVE'])\n";
        let mut job = master.stage(script, &[]);
        job.mode = mode;
        // In application mode Flink up to 1.18 unpacks an archive below another name.
        job.flink = "1.20".parse().expect("version");
        job.python = PythonPlan::Shipped;
        master.add_file(
            &mut job,
            "python.tar.gz",
            archive.clone(),
            FileRole::Environment,
        );
        let run = run_ref(name);
        method.submit(&run, &job).await.expect("submitted");
        let (exit, out, err) = follow(|| Arc::clone(method), &run).await;
        assert_eq!(exit.status, 0, "{name}: {}", String::from_utf8_lossy(&err));
        let said = match mode {
            YarnMode::Application => master.container_output(SECOND).into_bytes(),
            _ => master.without_flinks_words(&out),
        };
        assert_eq!(String::from_utf8_lossy(&said), "shipped\n", "{name}");
    }
    let mut broken = master.stage("print()", &[]);
    broken.python = PythonPlan::Shipped;
    let content = b"no archive".to_vec();
    master.add_file(&mut broken, "python.tar.gz", content, FileRole::Environment);
    let run = run_ref("env-broken");
    method.submit(&run, &broken).await.expect("submitted");
    let (exit, _, err) = follow(|| Arc::clone(method), &run).await;
    assert!(exit.status != 0 && exit.phase == "prepare", "{exit:?}");
    let err = String::from_utf8_lossy(&err).into_owned();
    assert!(
        err.contains("python.tar.gz is no archive that tar could unpack"),
        "{err}"
    );
}
