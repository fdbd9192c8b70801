//! Answers of Flink 1.20.5, as it gave them.

use super::{
    application_ids, cancelled, checkpoint, disposed, job_ids, job_list, savepoint, session,
};

#[test]
fn ids_of_a_per_job_run() {
    let output = "\
2026-11-22 14:51:58,271 INFO  org.apache.flink.yarn.YarnClusterDescriptor [] - Submitting application master application_1795358092534_0001
2026-11-22 14:51:58,610 INFO  org.apache.hadoop.yarn.client.api.impl.YarnClientImpl [] - Submitted application application_1795358092534_0001
2026-11-22 14:52:05,113 INFO  org.apache.flink.yarn.YarnClusterDescriptor [] - Found Web Interface 127.0.10.2:37091 of application 'application_1795358092534_0001'.
Job has been submitted with JobID 4f0d1c3b2a49587766554433221100ff
the program says application_1_1 and JobID 00000000000000000000000000000000
Program execution finished
Job with JobID 4f0d1c3b2a49587766554433221100ff has finished.
Job has been submitted with JobID aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
";
    let applications = application_ids(output.as_bytes());
    let jobs = job_ids(output.as_bytes());
    insta::assert_snapshot!(format!("{applications:?} {jobs:?}"), @r#"["application_1795358092534_0001"] ["4f0d1c3b2a49587766554433221100ff", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]"#);
}

#[test]
fn other_bytes_and_cut_ids_are_no_ids() {
    assert!(application_ids(b"\xff\xfeSubmitted application application_17").is_empty());
    assert!(job_ids(b"Job has been submitted with JobID 4f0d").is_empty());
}

#[test]
fn lists_of_jobs() {
    let check = |output: &str, expected: &str| {
        let jobs = job_list(output.as_bytes()).map(|jobs| {
            let jobs = jobs.iter().map(|job| {
                let super::ListedJob {
                    id,
                    name,
                    state,
                    group,
                    started,
                } = job;
                format!("{group:?} {id} {state} {started} {name:?}")
            });
            jobs.collect::<Vec<_>>().join("; ")
        });
        assert_eq!(jobs.as_deref().unwrap_or("no list"), expected);
    };
    check(
        "Waiting for response...\nNo running jobs.\nNo scheduled jobs.\n",
        "",
    );
    check(
        "The program finished with the following exception:\n",
        "no list",
    );
    check(
        "\
Waiting for response...
------------------ Running/Restarting Jobs -------------------
22.11.2026 23:38:59 : 15456baffed7c3d2f6368d536c8eef7a : insert-into_default_catalog.default_database.b (RUNNING)
--------------------------------------------------------------
----------------------- Scheduled Jobs -----------------------
22.11.2026 23:39:49 : 28e797d86589dca03d6e9df9f8f45a83 : my (odd) : name (CREATED)
--------------------------------------------------------------
",
        "Running 15456baffed7c3d2f6368d536c8eef7a RUNNING 22.11.2026 23:38:59 \"insert-into_default_catalog.default_database.b\"; \
         Scheduled 28e797d86589dca03d6e9df9f8f45a83 CREATED 22.11.2026 23:39:49 \"my (odd) : name\"",
    );
    check(
        "\
Waiting for response...
No running jobs.
No scheduled jobs.
---------------------- Terminated Jobs -----------------------
22.11.2026 23:38:59 : 15456baffed7c3d2f6368d536c8eef7a : insert-into_b (FINISHED)
22.11.2026 23:39:49 : 28e797d86589dca03d6e9df9f8f45a83 : insert-into_b (CANCELED)
--------------------------------------------------------------
",
        "Terminated 15456baffed7c3d2f6368d536c8eef7a FINISHED 22.11.2026 23:38:59 \"insert-into_b\"; \
         Terminated 28e797d86589dca03d6e9df9f8f45a83 CANCELED 22.11.2026 23:39:49 \"insert-into_b\"",
    );
}

#[test]
fn savepoints_and_checkpoints() {
    let check = |output: &str, expected: &str| {
        let said = savepoint(output.as_bytes());
        assert_eq!(format!("{said:?}"), expected);
    };
    check(
        "\
Triggering savepoint for job 15456baffed7c3d2f6368d536c8eef7a.
Waiting for response...
Savepoint completed. Path: file:/srv/sp/savepoint-15456b-df6c65cdb429
You can resume your program from this savepoint with the run command.
",
        "Some(Completed(\"file:/srv/sp/savepoint-15456b-df6c65cdb429\"))",
    );
    check(
        "\
Draining job \"15456baffed7c3d2f6368d536c8eef7a\" with a CANONICAL savepoint.
Triggering stop-with-savepoint for job 15456baffed7c3d2f6368d536c8eef7a.
Waiting for response...
Savepoint completed. Path: file:/srv/sp/savepoint-15456b-134235674e62
",
        "Some(Completed(\"file:/srv/sp/savepoint-15456b-134235674e62\"))",
    );
    check(
        "\
Triggering savepoint in detached mode for job 15456baffed7c3d2f6368d536c8eef7a.
Successfully trigger manual savepoint, triggerId: c32ec447e189053331c1de3723dd7b5d
",
        "Some(Triggered(\"c32ec447e189053331c1de3723dd7b5d\"))",
    );
    // The words of `CliFrontend.cancel`.
    check(
        "Cancelled job 28e797d86589dca03d6e9df9f8f45a83. Savepoint stored in gs://b/sp/savepoint-28e797-0.\n",
        "Some(Completed(\"gs://b/sp/savepoint-28e797-0\"))",
    );
    check("Waiting for response...\n", "None");
    let taken = checkpoint(
        b"\
Triggering checkpoint for job 15456baffed7c3d2f6368d536c8eef7a.
Waiting for response...
Checkpoint 3 for job 15456baffed7c3d2f6368d536c8eef7a completed.
",
    );
    assert_eq!(taken.as_deref(), Some("3"));
    let gone = disposed(
        b"\
Disposing savepoint '/srv/sp/savepoint-15456b-93450fc06532'.
Waiting for response...
Savepoint '/srv/sp/savepoint-15456b-93450fc06532' disposed.
",
    );
    assert_eq!(
        gone.as_deref(),
        Some("/srv/sp/savepoint-15456b-93450fc06532")
    );
}

#[test]
fn a_cancelled_job() {
    let output = b"\
Cancelling job 28e797d86589dca03d6e9df9f8f45a83.
Cancelled job 28e797d86589dca03d6e9df9f8f45a83.
";
    let job = cancelled(output).map(|job| job.to_string());
    assert_eq!(job.as_deref(), Some("28e797d86589dca03d6e9df9f8f45a83"));
    assert_eq!(
        cancelled(b"Cancelling job 28e797d86589dca03d6e9df9f8f45a83.\n"),
        None
    );
}

#[test]
fn a_session_that_is_up() {
    let output = b"\
2026-11-22 23:17:18,401 INFO  org.apache.flink.yarn.YarnClusterDescriptor                  [] - Submitting application master application_1795388809148_0004
2026-11-22 23:17:18,435 INFO  org.apache.hadoop.yarn.client.api.impl.YarnClientImpl        [] - Submitted application application_1795388809148_0004
2026-11-22 23:17:22,476 INFO  org.apache.flink.yarn.YarnClusterDescriptor                  [] - YARN application has been deployed successfully.
2026-11-22 23:17:22,476 INFO  org.apache.flink.yarn.YarnClusterDescriptor                  [] - Found Web Interface 127.0.11.2:33117 of application 'application_1795388809148_0004'.
JobManager Web Interface: http://127.0.11.2:33117
2026-11-22 23:17:22,607 INFO  org.apache.flink.yarn.cli.FlinkYarnSessionCli                [] - The Flink YARN session cluster has been started in detached mode. In order to stop Flink gracefully, use the following command:
$ echo \"stop\" | ./bin/yarn-session.sh -id application_1795388809148_0004
";
    insta::assert_debug_snapshot!(session(output), @r#"
    Some(
        SessionAnswer {
            application: "application_1795388809148_0004",
            interface: Some(
                "http://127.0.11.2:33117",
            ),
            detached: true,
        },
    )
    "#);
    let early = output.split(|byte| *byte == b'\n').next();
    assert_eq!(early.and_then(session), None);
}
