//! The three modes of Flink on YARN.

use super::{commands, with};
use crate::plan::Plan;

#[test]
fn a_session_is_the_deployments_own_unless_it_is_named() {
    let plan = with(&["job.mode=session", "job.python_functions=false"]).planned();
    let session = plan.job.session.clone().expect("in session mode");
    insta::assert_snapshot!(serde_json::to_string_pretty(&session).expect("JSON"), @r#"
    {
      "name": "etl-1",
      "tag": "flinkproc-session-etl-1",
      "lifetime": "deployment",
      "flink_config": {}
    }
    "#);
    insta::assert_snapshot!(commands(&plan, "submit"), @"
    on the master: mkdir -p /tmp/flinkproc
    on the master: gcloud storage cp gs://my-bucket/flinkproc/ade404b510fe5ce2bc2e7f53379d523bb72b16e85e9afb3fbbb66d323bdc2ce8/my etl.py /tmp/flinkproc/my etl.py
    on the master: yarn-session.sh -Dyarn.application.name=etl-1 -Dyarn.tags=flinkproc-session-etl-1 -d
    on the master: flink run -t yarn-session -Dyarn.application.id=APPLICATION_ID -Dpipeline.global-job-parameters=flinkproc-attempt:flinkproc-etl-1-1 -Dpython.client.executable=python3 -pyexec python3 -py /tmp/flinkproc/my etl.py
    ");
    assert!(
        plan.render()
            .contains("session        etl-1, which ends with the job")
    );
}

#[test]
fn a_session_that_stays_has_a_name_and_containers_of_its_own() {
    let plan = with(&[
        "job.mode=session",
        "session.name=team",
        "session.lifetime=keep",
        "session.jobmanager_memory=1600MiB",
        "session.taskmanager_memory=2GiB",
        "session.slots=4",
        "session.queue=default",
        "session.node_label=x",
        "session.flink_config.a.b=c",
    ])
    .planned();
    let session = plan.job.session.clone().expect("in session mode");
    insta::assert_snapshot!(serde_json::to_string_pretty(&session).expect("JSON"), @r#"
    {
      "name": "team",
      "tag": "flinkproc-session-team",
      "lifetime": "keep",
      "flink_config": {
        "a.b": "c",
        "jobmanager.memory.process.size": "1600m",
        "taskmanager.memory.process.size": "2048m",
        "taskmanager.numberOfTaskSlots": "4",
        "yarn.application.node-label": "x",
        "yarn.application.queue": "default"
      }
    }
    "#);
    assert!(
        plan.warnings
            .iter()
            .any(|text| text.contains("session.lifetime is keep, and the cluster is made"))
    );
    let flags = [
        "job.mode=session",
        "session.name=a",
        "session.lifetime=keep",
    ];
    let found = with(&[&flags[..], &["cluster.existing=team"]].concat()).planned();
    let said = found
        .warnings
        .iter()
        .find(|text| text.contains("session.lifetime"));
    insta::assert_snapshot!(said.expect("said"), @"session.lifetime is keep: the session a goes on after the job, and while it runs Dataproc does not count the cluster as idle");
    let job = plan.render();
    let job = job
        .split("\nJob\n")
        .nth(1)
        .and_then(|text| text.split("\n\n").next());
    insta::assert_snapshot!(job.unwrap_or_default(), @"
    name           my etl
    mode           session
    method         ssh
    Python         the image's own
    session        team, which stays after the job
    session's      a.b = c
    session's      jobmanager.memory.process.size = 1600m
    session's      taskmanager.memory.process.size = 2048m
    session's      taskmanager.numberOfTaskSlots = 4
    session's      yarn.application.node-label = x
    session's      yarn.application.queue = default
    file           my etl.py from gs://my-bucket/flinkproc/ade404b510fe5ce2bc2e7f53379d523bb72b16e85e9afb3fbbb66d323bdc2ce8/my etl.py
    ");
}

#[test]
fn what_a_session_cannot_be_is_refused() {
    let check = |flags: &[&str]| with(&[&["job.mode=session"], flags].concat()).refused();
    insta::assert_snapshot!(check(&["session.lifetime=keep"]), @"
    SPC020: `session.name` has no value
    help: Name the session that is to stay, so that the next job finds it.
    ");
    insta::assert_snapshot!(check(&["session.name=My_Session"]), @"
    SPC035: `session.name` at --set session.name cannot be `My_Session`: it has 1 to 63 lower-case letters, digits and hyphens
    help: Nothing was created; change the value and run it again.
    ");
    insta::assert_snapshot!(check(&["job.slots=2"]), @"
    SPC040: job.slots and job.mode session do not go together: a job in a session runs in the session's containers
    help: Write `slots` in `[session]`; it holds when this deployment starts the session.
    ");
    insta::assert_snapshot!(check(&["job.application_type=x"]), @"
    SPC040: job.application_type and job.mode session do not go together: a job in a session runs in the session's containers
    help: Remove it.
    ");
    insta::assert_snapshot!(check(&["session.slots=0"]), @"
    SPC035: `session.slots` at --set session.slots cannot be `0`: a TaskManager has at least one slot
    help: Nothing was created; change the value and run it again.
    ");
    insta::assert_snapshot!(check(&["session.slots=2", "session.flink_config.taskmanager.numberOfTaskSlots=2"]), @"
    SPC021: `session.slots` and `session.flink_config.taskmanager.numberOfTaskSlots` exclude each other
    help: Remove `session.slots` or `session.flink_config.taskmanager.numberOfTaskSlots`.
    ");
    insta::assert_snapshot!(check(&["session.flink_config.containerized.master.env.PYTHONHOME=/x"]), @"
    SPC033: `session.flink_config.containerized.master.env.PYTHONHOME` at --set session.flink_config.containerized.master.env.PYTHONHOME sets PYTHONHOME, which breaks the interpreter on the workers
    help: Remove it; Flink finds the interpreter by `python.executable`.
    ");
}

#[test]
fn a_session_section_without_session_mode_is_said_to_be_unused() {
    let plan = with(&["session.name=team"]).planned();
    assert_eq!(plan.job.session, None);
    let said = plan.warnings.iter().find(|text| text.contains("[session]"));
    insta::assert_snapshot!(said.expect("said"), @"[session] says something, and the job runs in per-job mode: it is not used");
}

#[test]
fn application_mode_is_spelled_as_the_version_has_it_and_ships_the_files() {
    let files = [
        "job.mode=application",
        "job.python_files=[\"lib.zip\"]",
        "job.jars=[\"c.jar\"]",
    ];
    insta::assert_snapshot!(commands(&with(&files).planned(), "submit"), @"
    on the master: mkdir -p /tmp/flinkproc/ship
    on the master: gcloud storage cp gs://my-bucket/flinkproc/ade404b510fe5ce2bc2e7f53379d523bb72b16e85e9afb3fbbb66d323bdc2ce8/my etl.py /tmp/flinkproc/ship/my etl.py
    on the master: gcloud storage cp gs://my-bucket/flinkproc/e0201469507c6b9dc8d0ccc0c2fd4b8a4e5f10c534a907f6469f4bc75e929005/lib.zip /tmp/flinkproc/ship/lib.zip
    on the master: gcloud storage cp gs://my-bucket/flinkproc/30b331490dfa103c017863ee2252ffd4b113e03c9d0f8c57ba641330c46ea51f/c.jar /tmp/flinkproc/c.jar
    on the master: flink run-application -t yarn-application -Dpython.client.executable=python3 -Dyarn.application.name=my etl -Dyarn.ship-files=/tmp/flinkproc/c.jar;/tmp/flinkproc/ship -Dyarn.tags=flinkproc-etl-1-1 -pyfs ship,ship/lib.zip -pyexec python3 -py ship/my etl.py
    ");
    let plan = with(&[&files[..], &["cluster.image=3.0"]].concat()).planned();
    insta::assert_snapshot!(commands(&plan, "submit").lines().last().unwrap_or_default(), @"on the master: flink run -t yarn-application -Dpython.client.executable=python3 -Dyarn.application.name=my etl -Dyarn.ship-files=/tmp/flinkproc/c.jar;/tmp/flinkproc/ship -Dyarn.tags=flinkproc-etl-1-1 -pyfs ship,ship/lib.zip -pyexec python3 -py ship/my etl.py");
}

#[test]
fn per_job_is_the_default_of_flink_1_and_said_to_be_deprecated() {
    let deprecated = |flags: &[&str]| {
        let plan = with(flags).planned();
        let said = plan.warnings.iter().any(|text| text.contains("deprecated"));
        (plan.job.mode.to_string(), said)
    };
    let check = |image: &str, mode: &str, said| {
        let flag = format!("cluster.image={image}");
        assert_eq!(deprecated(&[&flag]), (mode.to_owned(), said), "{image}");
    };
    check("2.0", "per-job", false);
    check("2.1", "per-job", true);
    check("2.2", "per-job", true);
    check("3.0", "application", false);
    assert_eq!(
        deprecated(&["job.mode=application"]),
        ("application".to_owned(), false)
    );
}

#[test]
fn plans_of_every_kind_survive_their_file() {
    for flags in [
        &["job.mode=session", "session.name=team", "job.env.A=1"][..],
        &["job.mode=application", "job.python_functions=true"],
        &["ssh=never", "job.secrets.A=x"],
        &[
            "python.builder=cluster",
            "job.restore.from=gs://b/s",
            "job.restore.claim=claim",
        ],
        &[
            "job.packages=[\"kafka\", \"other\"]",
            "job.classpaths=[\"file:///x.jar\"]",
        ],
        &["job.method=native", "job.experimental=[\"native\"]"],
    ] {
        let plan = with(flags).planned();
        let text = plan.to_json().expect("JSON");
        assert_eq!(Plan::from_json(&text).expect("reads"), plan, "{flags:?}");
    }
}

#[test]
fn a_plan_of_before_there_were_modes_and_methods_can_be_read() {
    let plan = with(&[]).planned();
    let mut value = serde_json::to_value(&plan).expect("JSON");
    let job = value["job"].as_object_mut().expect("an object");
    // What format 1 had when only per-job mode over SSH was there.
    job.retain(|key, _| {
        [
            "name",
            "flink",
            "mode",
            "method",
            "entry",
            "args",
            "files",
            "parallelism",
            "flink_config",
            "tag",
            "result",
        ]
        .contains(&key.as_str())
    });
    assert_eq!(Plan::from_json(&value.to_string()).expect("reads"), plan);
}
