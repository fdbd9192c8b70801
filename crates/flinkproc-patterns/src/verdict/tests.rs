//! The verdict over all combinations of witnesses that occur.

use super::*;

fn exit(status: u8, phase: &str, cancelled: bool) -> LauncherWord {
    LauncherWord::Exit(LauncherExit {
        status,
        phase: phase.to_owned(),
        cancelled,
        at: 0,
    })
}

fn yarn(of: &[(ApplicationState, FinalStatus)]) -> YarnWord {
    YarnWord::Applications(
        of.iter()
            .map(|(state, final_status)| ApplicationWord {
                id: "application_1_0001".parse().expect("valid"),
                state: *state,
                final_status: *final_status,
                diagnostics: String::new(),
            })
            .collect(),
    )
}

fn check(launcher: LauncherWord, yarn: YarnWord, flink: &[FlinkJobState], expected: &str) {
    check_mode(YarnMode::PerJob, launcher, yarn, flink, expected);
}

fn check_mode(
    mode: YarnMode,
    launcher: LauncherWord,
    yarn: YarnWord,
    flink: &[FlinkJobState],
    expected: &str,
) {
    let flink = flink
        .iter()
        .map(|state| FlinkWord {
            id: "0123456789abcdef0123456789abcdef".parse().expect("valid"),
            state: *state,
        })
        .collect();
    let evidence = Evidence {
        launcher,
        yarn,
        flink,
        mode,
        witness: Witness::Services,
        settled: false,
    };
    let agree = if evidence.agree() { "agree" } else { "differ" };
    assert_eq!(
        format!("{} ({agree})", evidence.verdict()),
        expected,
        "{evidence}"
    );
}

#[test]
fn the_verdict_over_all_witnesses() {
    use ApplicationState::{Finished, Killed as KilledState, Running};
    use FinalStatus::{Failed, Killed, Succeeded, Undefined};
    use FlinkJobState as Job;
    let good = || yarn(&[(Finished, Succeeded)]);
    check(
        exit(0, "flink", false),
        good(),
        &[Job::Finished],
        "succeeded (agree)",
    );
    check(exit(0, "flink", false), good(), &[], "succeeded (agree)");
    check(
        exit(0, "flink", false),
        good(),
        &[Job::Running],
        "succeeded (agree)",
    );
    check(exit(0, "flink", true), good(), &[], "succeeded (agree)");
    // FINISHED can hold FAILED: the state alone says nothing.
    check(
        exit(0, "flink", false),
        yarn(&[(Finished, Failed)]),
        &[],
        "failed (differ)",
    );
    check(
        exit(1, "flink", false),
        yarn(&[(Finished, Failed)]),
        &[Job::Failed],
        "failed (agree)",
    );
    check(
        exit(1, "flink", false),
        good(),
        &[Job::Finished],
        "failed (differ)",
    );
    check(
        exit(0, "flink", false),
        good(),
        &[Job::Finished, Job::Failed],
        "failed (differ)",
    );
    check(
        exit(0, "flink", false),
        yarn(&[(Finished, Succeeded), (Finished, Failed)]),
        &[],
        "failed (differ)",
    );
    check(
        exit(1, "flink", false),
        yarn(&[(KilledState, Killed)]),
        &[Job::Canceled],
        "cancelled (differ)",
    );
    check(
        exit(143, "flink", true),
        yarn(&[(KilledState, Killed)]),
        &[],
        "cancelled (agree)",
    );
    check(
        exit(1, "fetch", false),
        yarn(&[]),
        &[],
        "not submitted: the launcher failed in `fetch` with status 1 (agree)",
    );
    check(
        exit(1, "flink", false),
        yarn(&[]),
        &[],
        "not submitted: Flink's client ended with status 1 and no application was seen (agree)",
    );
    check(
        exit(0, "flink", false),
        yarn(&[(Running, Undefined)]),
        &[],
        "unknown: YARN has not recorded a final status (agree)",
    );
    check(
        exit(0, "flink", false),
        yarn(&[]),
        &[],
        "unknown: the program ended well, yet YARN knows no application of this deployment (agree)",
    );
    check(
        exit(0, "flink", false),
        YarnWord::Unseen,
        &[],
        "unknown: YARN gave no answer (agree)",
    );
    check(
        LauncherWord::Lost,
        good(),
        &[],
        "unknown: the launcher is gone without a word (agree)",
    );
    check(
        LauncherWord::Lost,
        yarn(&[(Finished, Failed)]),
        &[],
        "failed (agree)",
    );
}

#[test]
fn nothing_seen_is_never_success() {
    assert_eq!(
        Evidence::none().verdict().kind(),
        Some(FailureKind::Unknown)
    );
}

#[test]
fn in_a_session_flink_speaks_and_yarn_does_not() {
    use ApplicationState::{Finished, Killed as KilledState, Running};
    use FinalStatus::{Failed, Killed, Undefined};
    use FlinkJobState as Job;
    let check = |launcher, state, status, flink: &[Job], expected: &str| {
        let yarn = yarn(&[(state, status)]);
        check_mode(YarnMode::Session, launcher, yarn, flink, expected);
    };
    let ok = || exit(0, "flink", false);
    check(
        ok(),
        Running,
        Undefined,
        &[Job::Finished, Job::Finished],
        "succeeded (agree)",
    );
    // A session that was ended afterwards says nothing of the job.
    check(
        ok(),
        KilledState,
        Killed,
        &[Job::Finished],
        "succeeded (agree)",
    );
    check(
        ok(),
        Running,
        Undefined,
        &[Job::Finished, Job::Failed],
        "failed (differ)",
    );
    check(
        exit(1, "flink", false),
        Running,
        Undefined,
        &[Job::Canceled],
        "cancelled (differ)",
    );
    check(
        exit(143, "flink", true),
        Running,
        Undefined,
        &[Job::Canceled],
        "cancelled (agree)",
    );
    check(
        ok(),
        Running,
        Undefined,
        &[Job::Finished, Job::Running],
        "unknown: Flink did not tell how the program's jobs ended (agree)",
    );
    check(
        ok(),
        Running,
        Undefined,
        &[],
        "unknown: the program ended well, yet the session knows no Flink job of it (agree)",
    );
    check(
        exit(1, "flink", false),
        Running,
        Undefined,
        &[],
        "not submitted: Flink's client ended with status 1 and no application was seen (agree)",
    );
    // The session died under the job.
    check(
        exit(1, "flink", false),
        Finished,
        Failed,
        &[Job::Running],
        "failed (agree)",
    );
    check(
        LauncherWord::Lost,
        Running,
        Undefined,
        &[Job::Finished],
        "unknown: the launcher is gone without a word (agree)",
    );
}

#[test]
fn a_session_that_ended_with_its_job_was_asked_by_the_launcher() {
    let check = |status, flink: &[FlinkJobState], expected: &str| {
        let evidence = Evidence {
            launcher: exit(status, "flink", false),
            yarn: yarn(&[(ApplicationState::Killed, FinalStatus::Killed)]),
            flink: flink
                .iter()
                .map(|state| FlinkWord {
                    id: "0123456789abcdef0123456789abcdef".parse().expect("valid"),
                    state: *state,
                })
                .collect(),
            mode: YarnMode::Session,
            witness: Witness::Services,
            settled: status == 0,
        };
        assert_eq!(evidence.verdict().to_string(), expected, "{evidence}");
    };
    check(0, &[FlinkJobState::Running], "succeeded");
    check(0, &[FlinkJobState::Failed], "failed");
    check(1, &[FlinkJobState::Running], "failed");
    check(
        0,
        &[],
        "unknown: the program ended well, yet the session knows no Flink job of it",
    );
}

#[test]
fn an_applications_final_status_is_its_verdict() {
    use ApplicationState::{Finished, Running};
    use FinalStatus::{Failed, Succeeded, Undefined};
    let check = |launcher, state, status, expected: &str| {
        let yarn = yarn(&[(state, status)]);
        check_mode(YarnMode::Application, launcher, yarn, &[], expected);
    };
    check(
        exit(0, "flink", false),
        Finished,
        Succeeded,
        "succeeded (agree)",
    );
    check(LauncherWord::Lost, Finished, Succeeded, "succeeded (agree)");
    check(
        exit(1, "flink", false),
        Finished,
        Succeeded,
        "succeeded (differ)",
    );
    check(
        exit(143, "flink", true),
        Finished,
        Succeeded,
        "cancelled (differ)",
    );
    check(exit(0, "flink", false), Finished, Failed, "failed (differ)");
    // The client's own end says nothing: it ends when the application was handed in.
    check(
        exit(0, "flink", false),
        Running,
        Undefined,
        "unknown: YARN has not recorded a final status (agree)",
    );
    check(
        exit(1, "fetch", false),
        Running,
        Undefined,
        "not submitted: the launcher failed in `fetch` with status 1 (agree)",
    );
}

#[test]
fn the_words_say_who_saw_it() {
    let evidence = Evidence {
        launcher: exit(0, "flink", false),
        yarn: yarn(&[(ApplicationState::Running, FinalStatus::Undefined)]),
        flink: vec![],
        mode: YarnMode::Session,
        witness: Witness::Launcher,
        settled: false,
    };
    insta::assert_snapshot!(evidence, @"launcher: status 0 in `flink`; YARN (seen by the launcher): session application_1_0001 RUNNING UNDEFINED; Flink (seen by the launcher): no job seen");
}
