//! The suite that every submission method passes (feature `contract`). Each function fails by panicking, as a test does.
//!
//! [`remembers_attempts`] asks for nothing but a method. The others need a master: [`FakeMaster`] is a home directory with a
//! `flink` that runs the program at once, and the servers of a cluster; the method to be tried has to log in there, with the
//! environment that [`FakeMaster::environment`] names. One that looks through the bucket finds it in [`FakeMaster::staging`].
#![expect(clippy::expect_used, reason = "a contract suite fails by panicking")]

mod acts;
mod corpus;
mod master;
mod mirrored;
mod modes;
mod run;
mod servers;
mod shell;
mod variables;

use std::sync::Arc;

use flinkproc_core::{Attempt, Span};

pub use self::acts::actions_reach;
pub use self::corpus::CORPUS;
pub use self::master::{BUCKET, FakeMaster};
pub use self::mirrored::mirror_tells_all;
pub use self::modes::{
    applications_end_true, arguments_arrive_in_every_mode, cancel_spares_the_session,
    sessions_are_shared, shipped_python_runs_it,
};
use self::run::{follow, observe_from, observe_until, run_ref};
pub use self::shell::MasterShell;
pub use self::variables::{unreadable_secrets_stop_it, variables_arrive};
use crate::error::SubmitError;
use crate::method::{Offsets, RunState, SubmissionMethod};

/// Fencing, starting and ending, as far as they can be seen without a master.
pub async fn remembers_attempts(method: &dyn SubmissionMethod) {
    let job = FakeMaster::job("print()", &[]);
    let now = Span::from_secs(0);

    let unknown = run_ref("unknown");
    let seen = method.observe(&unknown, Offsets::default(), now).await;
    assert_eq!(seen.expect("observed").state, RunState::Absent);

    let fenced = run_ref("fenced");
    method.fence(&fenced).await.expect("fenced");
    method.fence(&fenced).await.expect("fenced again");
    let refused = method
        .submit(&fenced, &job)
        .await
        .expect_err("may not start");
    assert!(matches!(refused, SubmitError::Fenced { .. }), "{refused:?}");
    let seen = method.observe(&fenced, Offsets::default(), now).await;
    assert_eq!(seen.expect("observed").state, RunState::Absent);

    let mut second = fenced.clone();
    second.attempt = Attempt::FIRST.next();
    method.cancel(&second).await.expect("cancelled");
    method.cancel(&second).await.expect("cancelled again");
    method.submit(&second, &job).await.expect("submitted");
    let exit = observe_until(method, &second, |seen| ended(&seen.state)).await;
    let RunState::Ended(exit) = exit.state else {
        unreachable!("it ended");
    };
    assert!(exit.cancelled && exit.status != 0, "{exit:?}");

    // Neither a fence nor a second start with the same job disturbs what was started; another job is refused.
    method.fence(&second).await.expect("fenced");
    method.submit(&second, &job).await.expect("submitted again");
    let other = FakeMaster::job("print(2)", &["x"]);
    let refused = method
        .submit(&second, &other)
        .await
        .expect_err("another job");
    assert!(
        matches!(refused, SubmitError::Conflict { .. }),
        "{refused:?}"
    );
}

const fn ended(state: &RunState) -> bool {
    matches!(state, RunState::Ended(_))
}

/// However often and by however many an attempt is started, its program runs once; another attempt runs again.
pub async fn starts_once(master: &FakeMaster, method: &Arc<dyn SubmissionMethod>) {
    let job = master.stage("print('done')", &[]);
    let run = run_ref("once");
    let starts = (0..4).map(|_| {
        let (method, run, job) = (Arc::clone(method), run.clone(), job.clone());
        tokio::spawn(async move { method.submit(&run, &job).await })
    });
    for start in starts.collect::<Vec<_>>() {
        start.await.expect("joined").expect("submitted");
    }
    let (state, out, _) = follow(|| Arc::clone(method), &run).await;
    assert_eq!(state.status, 0);
    method.submit(&run, &job).await.expect("submitted again");
    assert!(out.ends_with(b"done\n"));
    assert_eq!(master.flink_runs(), 1, "the program ran more than once");

    let mut next = run.clone();
    next.attempt = run.attempt.next();
    method.submit(&next, &job).await.expect("submitted");
    follow(|| Arc::clone(method), &next).await;
    assert_eq!(master.flink_runs(), 2);
}

/// Arguments and the script's name arrive byte for byte, and the program runs as Python runs it.
pub async fn arguments_arrive(master: &FakeMaster, method: &Arc<dyn SubmissionMethod>) {
    let args = CORPUS;
    let script = "\
import sys, os, helper
assert __name__ == '__main__' and sys.modules['__main__'].__dict__ is globals()
assert __file__ == sys.argv[0] and os.path.basename(sys.argv[0]) == \"my étl's $x.py\", sys.argv[0]
assert helper.HERE == sys.path[0] == os.path.dirname(__file__)
sys.stdout.buffer.write(b''.join(a.encode('utf-8') + b'\\0' for a in sys.argv[1:]))
";
    let mut job = master.stage_as("my étl's $x.py", script, args);
    let helper = "import os\nHERE = os.path.dirname(os.path.realpath(__file__))\n";
    master.add_python_file(&mut job, "helper.py", helper);
    let run = run_ref("arguments");
    method.submit(&run, &job).await.expect("submitted");
    let (exit, out, err) = follow(|| Arc::clone(method), &run).await;
    assert_eq!(exit.status, 0, "{}", String::from_utf8_lossy(&err));
    let expected: Vec<u8> = args.iter().flat_map(|arg| arg.bytes().chain([0])).collect();
    let said = master.without_flinks_words(&out);
    assert!(said == expected, "{:?}", String::from_utf8_lossy(&said));
}

/// A module runs as `python -m` runs it.
pub async fn modules_run(master: &FakeMaster, method: &Arc<dyn SubmissionMethod>) {
    let mut job = master.stage("", &["a b"]);
    let module = "import sys\nprint(__name__, __spec__.name, sys.argv[1:])\n";
    master.add_python_file(&mut job, "wordcount.py", module);
    job.entry = flinkproc_plan::EntryPoint::Module("wordcount".to_owned());
    let run = run_ref("module");
    method.submit(&run, &job).await.expect("submitted");
    let (exit, out, err) = follow(|| Arc::clone(method), &run).await;
    assert_eq!(exit.status, 0, "{}", String::from_utf8_lossy(&err));
    assert_eq!(
        master.without_flinks_words(&out),
        b"__main__ wordcount ['a b']\n"
    );
}

/// Whatever connection is used for whichever piece, no byte of output is lost or seen twice.
pub async fn loses_no_byte(
    master: &FakeMaster,
    mut connect: impl FnMut() -> Arc<dyn SubmissionMethod>,
) {
    let script = "\
import os, sys
for i in range(300):
    os.write(1, b'%d\\xff\\r\\0' % i * 1000)
    os.write(2, b'err %d\\n' % i)
sys.exit(0)
";
    let job = master.stage(script, &[]);
    let run = run_ref("bytes");
    connect().submit(&run, &job).await.expect("submitted");
    let (exit, out, err) = follow(&mut connect, &run).await;
    assert_eq!(exit.status, 0);
    let expected: Vec<u8> = (0..300)
        .flat_map(|i| {
            [format!("{i}").as_bytes(), b"\xff\r\0"]
                .concat()
                .repeat(1000)
        })
        .collect();
    assert!(
        master.without_flinks_words(&out) == expected,
        "output changed on its way"
    );
    let expected: String = (0..300).map(|i| format!("err {i}\n")).collect();
    assert_eq!(String::from_utf8_lossy(&err), expected);
}

/// The exit status is the program's own, also when a signal ended it; a traceback begins with the user's program.
pub async fn exit_status_is_true(master: &FakeMaster, method: &Arc<dyn SubmissionMethod>) {
    let cases = [
        ("import sys; sys.exit(7)", 7, ""),
        ("import os; os.kill(os.getpid(), 9)", 137, ""),
        (
            "def f():\n    1 / 0\nf()\n",
            1,
            "Traceback (most recent call last):\n  File \"job.py\", line 3, in <module>\n    f()\n",
        ),
    ];
    for (index, (script, status, says)) in cases.into_iter().enumerate() {
        let run = run_ref(&format!("exit-{index}"));
        let job = master.stage(script, &[]);
        method.submit(&run, &job).await.expect("submitted");
        let (exit, _, err) = follow(|| Arc::clone(method), &run).await;
        assert_eq!((exit.status, exit.phase.as_str()), (status, "flink"));
        assert!(!exit.cancelled && exit.at > 1_700_000_000, "{exit:?}");
        let err = String::from_utf8_lossy(&err).into_owned();
        let folder = master
            .home()
            .join(format!(".flinkproc/{}/1/files/", run.deployment));
        let err = err.replace(&folder.display().to_string(), "");
        assert!(err.starts_with(says), "{err}");
    }
}

/// Ids are known while the program still runs.
pub async fn ids_are_known_early(master: &FakeMaster, method: &Arc<dyn SubmissionMethod>) {
    let job = master.stage(&master.script_that_waits("go"), &[]);
    let run = run_ref("ids");
    method.submit(&run, &job).await.expect("submitted");
    let seen = observe_until(&**method, &run, |seen| !seen.jobs.is_empty()).await;
    assert_eq!(seen.state, RunState::Running);
    assert_eq!(seen.jobs.len(), 1);
    assert!(seen.application.is_some());
    // From an offset behind the lines that told them, too: the launcher keeps them.
    let far = Offsets {
        out: 1 << 40,
        err: 1 << 40,
    };
    observe_from(&**method, &run, far, |later| {
        later.jobs == seen.jobs && later.application == seen.application
    })
    .await;
    master.touch("go");
    follow(|| Arc::clone(method), &run).await;
}

/// A launcher that is killed outright is seen as lost, and is never started again.
pub async fn lost_launcher_is_lost(master: &FakeMaster, method: &Arc<dyn SubmissionMethod>) {
    let job = master.stage(&master.script_that_waits("never"), &[]);
    let run = run_ref("lost");
    method.submit(&run, &job).await.expect("submitted");
    observe_until(&**method, &run, |seen| !seen.jobs.is_empty()).await;
    master.kill_launcher(&run).await;
    observe_until(&**method, &run, |seen| seen.state == RunState::Lost).await;
    method
        .submit(&run, &job)
        .await
        .expect("found the first start");
    let seen = method
        .observe(&run, Offsets::default(), Span::from_secs(0))
        .await;
    assert_eq!(seen.expect("observed").state, RunState::Lost);
    assert_eq!(master.flink_runs(), 1);
    // What it may have left in YARN is still ended by its tag.
    method.cancel(&run).await.expect("cancelled");
    assert!(
        master
            .yarn_calls()
            .contains("application -kill application_1700000000000_0001")
    );
}

/// Cancelling ends the program and the YARN applications of our tag, and is seen; a fence leaves a running attempt alone.
pub async fn cancel_reaches(master: &FakeMaster, method: &Arc<dyn SubmissionMethod>) {
    let job = master.stage(&master.script_that_waits("never"), &[]);
    let run = run_ref("cancel");
    method.submit(&run, &job).await.expect("submitted");
    observe_until(&**method, &run, |seen| !seen.jobs.is_empty()).await;
    method.fence(&run).await.expect("fenced");
    let seen = method
        .observe(&run, Offsets::default(), Span::from_secs(0))
        .await;
    assert_eq!(seen.expect("observed").state, RunState::Running);
    method.cancel(&run).await.expect("cancelled");
    method.cancel(&run).await.expect("cancelled again");
    let (exit, ..) = follow(|| Arc::clone(method), &run).await;
    assert!(
        exit.cancelled && exit.status == 143 && exit.phase == "flink",
        "{exit:?}"
    );
    let calls = master.yarn_calls();
    assert!(
        calls.contains(&format!("-appTags {} ", run.tag())),
        "{calls}"
    );
    assert!(
        calls.contains("application -kill application_1700000000000_0001"),
        "{calls}"
    );
}

/// A file that is missing or is not the one that was staged ends the attempt before Flink starts, and is named.
pub async fn bad_files_stop_it(master: &FakeMaster, method: &Arc<dyn SubmissionMethod>) {
    let mut missing = master.stage("print()", &[]);
    let mut changed = missing.clone();
    for file in &mut missing.files {
        file.from = "gs://bucket/no/such object".parse().expect("address");
    }
    for file in &mut changed.files {
        file.sha256 = Some("0".repeat(64));
    }
    for (name, job, phase, says) in [
        (
            "missing",
            missing,
            "fetch",
            "flinkproc: could not fetch job.py\n",
        ),
        (
            "changed",
            changed,
            "verify",
            "flinkproc: job.py is not the file that was staged\n",
        ),
    ] {
        let run = run_ref(name);
        method.submit(&run, &job).await.expect("submitted");
        let (exit, _, err) = follow(|| Arc::clone(method), &run).await;
        assert!(exit.status != 0 && exit.phase == phase, "{exit:?}");
        let err = String::from_utf8_lossy(&err).into_owned();
        assert!(err.contains(says), "{err}");
    }
    assert_eq!(master.flink_runs(), 0);
}

/// Nobody else on the master can read or replace what belongs to an attempt.
pub async fn keeps_to_itself(master: &FakeMaster, method: &Arc<dyn SubmissionMethod>) {
    use std::os::unix::fs::PermissionsExt;
    let job = master.stage("print()", &[]);
    let run = run_ref("private");
    method.submit(&run, &job).await.expect("submitted");
    follow(|| Arc::clone(method), &run).await;
    let mut folders = vec![master.home().join(".flinkproc")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("folder") {
            let path = entry.expect("entry").path();
            let mode = path.metadata().expect("metadata").permissions().mode();
            assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", path.display());
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    // A directory that somebody put there first, as a link, is refused.
    let trap = run_ref("trap");
    let place = master.home().join(".flinkproc/trap");
    std::os::unix::fs::symlink("/tmp", &place).expect("link");
    let refused = method.submit(&trap, &job).await.expect_err("refused");
    assert!(
        matches!(refused, SubmitError::Refused { .. }),
        "{refused:?}"
    );
}
