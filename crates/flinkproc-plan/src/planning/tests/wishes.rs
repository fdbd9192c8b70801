//! What the job is to have: state, variables, secrets, containers, connectors.

use super::{Case, with};
use crate::plan::FileRole;

#[test]
fn containers_are_written_as_flinks_configuration() {
    let plan = with(&[
        "job.jobmanager_memory=1600MiB",
        "job.taskmanager_memory=3GiB",
        "job.slots=2",
        "job.queue=default",
        "job.node_label=x",
        "job.application_type=Etl",
    ])
    .planned();
    let config = plan
        .job
        .flink_config
        .iter()
        .map(|(key, value)| format!("{key} = {value}"));
    insta::assert_snapshot!(config.collect::<Vec<_>>().join("\n"), @"
    jobmanager.memory.process.size = 1600m
    taskmanager.memory.process.size = 3072m
    taskmanager.numberOfTaskSlots = 2
    yarn.application.node-label = x
    yarn.application.queue = default
    yarn.application.type = Etl
    ");
    insta::assert_snapshot!(with(&["job.slots=2", "job.flink_args=[\"-Dtaskmanager.numberOfTaskSlots=3\"]"]).refused(), @"
    SPC021: `job.slots` and `job.flink_config.taskmanager.numberOfTaskSlots` exclude each other
    help: Remove `job.slots` or `job.flink_config.taskmanager.numberOfTaskSlots`.
    ");
    insta::assert_snapshot!(with(&["job.queue="]).refused(), @"
    SPC035: `job.queue` at --set job.queue cannot be ``: it is empty
    help: Nothing was created; change the value and run it again.
    ");
}

#[test]
fn a_job_starts_from_a_state() {
    fn check<'a>(flags: &[&'a str]) -> Case<'a> {
        with(&[&["job.restore.from=gs://b/s-${params.n}"], flags].concat())
    }
    let mut case = check(&[
        "job.restore.claim=claim",
        "job.restore.allow_non_restored=true",
    ]);
    case.text = format!("{}[params]\nn = 1\n", case.text);
    let plan = case.planned();
    insta::assert_snapshot!(plan.render().lines().find(|line| line.contains("starts from")).unwrap_or_default(), @"  starts from    gs://b/s-1, which the job then owns; state that no operator takes is dropped");
    let mut refused = check(&["cluster.image=3.0", "job.restore.claim=legacy"]);
    refused.text.clone_from(&case.text);
    insta::assert_snapshot!(refused.refused(), @"
    SPC040: job.restore.claim legacy and image 3.0 do not go together: Flink 2.2.0 has only `claim` and `no-claim`
    help: Write `no-claim`, which leaves the state to you as well.
    ");
    let mut refused = check(&["cluster.image=2.0", "job.restore.claim=claim"]);
    refused.text.clone_from(&case.text);
    insta::assert_snapshot!(refused.refused(), @"
    SPC040: job.restore.claim and image 2.0 do not go together: it came with Flink 1.15, and the image has 1.12
    help: Remove it: Flink before 1.15 always does what is now called `legacy`.
    ");
    insta::assert_snapshot!(with(&["job.restore.claim=claim"]).refused(), @"
    SPC020: `job.restore.from` has no value
    help: `job.restore.claim` says how: name the savepoint or checkpoint, or remove it.
    ");
}

#[test]
fn variables_and_secrets_have_names_and_secrets_no_values() {
    let plan = with(&[
        "job.env.DAY=it's ${deployment}",
        "job.env.DB_PASSWORD=x",
        "job.secrets.A=short",
        "job.secrets.B=short:3",
        "job.secrets.C=projects/p/secrets/s",
        "job.secrets.D=projects/p/secrets/s/versions/7",
    ])
    .planned();
    assert_eq!(plan.job.env["DAY"], "it's etl-1");
    let secrets = plan
        .job
        .secrets
        .iter()
        .map(|(name, secret)| format!("{name} = {secret}"));
    insta::assert_snapshot!(secrets.collect::<Vec<_>>().join("\n"), @"
    A = projects/my-project/secrets/short/versions/latest
    B = projects/my-project/secrets/short/versions/3
    C = projects/p/secrets/s/versions/latest
    D = projects/p/secrets/s/versions/7
    ");
    let said = plan
        .warnings
        .iter()
        .find(|text| text.contains("DB_PASSWORD"));
    insta::assert_snapshot!(said.expect("said"), @"job.env.DB_PASSWORD looks like a secret, and is visible in the plan and in Flink's configuration: `[job.secrets]` takes it from Secret Manager");
    let check = |flags: &[&str]| with(flags).refused();
    insta::assert_snapshot!(check(&["job.env.PYTHONHOME=/x"]), @"
    SPC033: `job.env.PYTHONHOME` at --set job.env.PYTHONHOME sets PYTHONHOME, which breaks the interpreter on the workers
    help: Remove it; Flink finds the interpreter by `python.executable`.
    ");
    insta::assert_snapshot!(check(&["job.secrets.PYTHONHOME=x"]), @"
    SPC033: `job.secrets.PYTHONHOME` at --set job.secrets.PYTHONHOME sets PYTHONHOME, which breaks the interpreter on the workers
    help: Remove it; Flink finds the interpreter by `python.executable`.
    ");
    insta::assert_snapshot!(check(&["job.env.1A=x"]), @"
    SPC035: `job.env.1A` at --set job.env.1A cannot be `1A`: a variable's name has letters, digits and underscores, and starts with no digit
    help: Nothing was created; change the value and run it again.
    ");
    insta::assert_snapshot!(check(&["job.env.PATH=x"]), @"
    SPC035: `job.env.PATH` at --set job.env.PATH cannot be `PATH`: the launcher sets this variable itself
    help: Nothing was created; change the value and run it again.
    ");
    insta::assert_snapshot!(check(&["job.env.A=x", "job.secrets.A=y"]), @"
    SPC021: `job.env.A` and `job.secrets.A` exclude each other
    help: Remove `job.env.A` or `job.secrets.A`.
    ");
    // Somebody may have written the secret itself: it is not shown.
    let shown = check(&["job.secrets.A=hunter2 and more"]);
    assert!(!shown.contains("hunter2"), "{shown}");
    insta::assert_snapshot!(shown, @"
    SPC035: `job.secrets.A` at --set job.secrets.A cannot be `…`: it names a secret in Secret Manager: `name`, `name:3` or `projects/PROJECT/secrets/NAME/versions/VERSION`
    help: Nothing was created; change the value and run it again.
    ");
}

#[test]
fn connectors_become_jars_once_they_are_known() {
    let plan = with(&["job.packages=[\"kafka\", \"kafka\", \"unknown-yet\"]"]).planned();
    let jars = plan
        .job
        .files
        .iter()
        .filter(|file| file.role == FileRole::Jar);
    let jars: Vec<_> = jars
        .map(|file| format!("{} {}", file.name, file.from))
        .collect();
    insta::assert_snapshot!(jars.join("\n"), @"kafka-1.jar gs://my-bucket/flinkproc/0163f1eea7894350060624d315234d40c508ab251ba121714e234503045faadd/kafka-1.jar");
    let uploads = plan.staging.uploads.iter();
    assert_eq!(
        uploads
            .filter(|upload| upload.local == "/cache/kafka.jar")
            .count(),
        1
    );
    assert_eq!(plan.job.unresolved, ["unknown-yet"]);
    let error = plan.check_resolved().expect_err("one lacks");
    insta::assert_snapshot!(error.to_string(), @"the plan has connectors without jars: `unknown-yet`");
    assert!(
        plan.warnings
            .iter()
            .any(|text| text.contains("`unknown-yet`"))
    );
    with(&["job.packages=[\"kafka\"]"])
        .planned()
        .check_resolved()
        .expect("all known");
    insta::assert_snapshot!(with(&["job.packages=[\"a:b\"]"]).refused(), @"
    SPC035: `job.packages[0]` at --set job.packages cannot be `a:b`: a connector is a short name, such as `kafka`, or `group:artifact:version`
    help: Nothing was created; change the value and run it again.
    ");
    insta::assert_snapshot!(with(&["job.packages=[\"a b\"]"]).refused(), @"
    SPC035: `job.packages[0]` at --set job.packages cannot be `a b`: a connector is a short name, such as `kafka`, or `group:artifact:version`
    help: Nothing was created; change the value and run it again.
    ");
}

#[test]
fn classpaths_are_addresses_that_java_reads() {
    let plan = with(&["job.classpaths=[\"file:///opt/x.jar\"]"]).planned();
    assert_eq!(plan.job.classpaths, ["file:///opt/x.jar"]);
    insta::assert_snapshot!(with(&["job.classpaths=[\"gs://b/x.jar\"]"]).refused(), @"
    SPC035: `job.classpaths[0]` at --set job.classpaths cannot be `gs://b/x.jar`: Java reads `file:///…`, `http://…` and `https://…` on every machine; a jar of your own goes into `job.jars`
    help: Nothing was created; change the value and run it again.
    ");
}

#[test]
fn keys_that_this_flink_does_not_know_are_said() {
    let check = |flags: &[&str]| {
        let plan = with(flags).planned();
        let own = plan
            .warnings
            .iter()
            .filter(|text| text.contains("no such key"));
        own.cloned().collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(check(&["job.flink_config.taskmanager.numberOfTaskSlot=2"]), @"job.flink_config.taskmanager.numberOfTaskSlot: Flink 1.17 knows no such key (no version has it); did you mean `taskmanager.numberOfTaskSlots`?");
    insta::assert_snapshot!(check(&["cluster.properties.flink:taskmanager.memory.proces.size=2g"]), @"cluster.properties.flink.taskmanager.memory.proces.size: Flink 1.17 knows no such key (no version has it); did you mean `taskmanager.memory.process.size`?");
    insta::assert_snapshot!(check(&["job.mode=session", "session.flink_config.jobmanager.memory.process.sizes=2g"]), @"session.flink_config.jobmanager.memory.process.sizes: Flink 1.17 knows no such key (no version has it); did you mean `jobmanager.memory.process.size`?");
    let fine = [
        "job.flink_config.metrics.reporter.x.class=y",
        "job.flink_config.my.own.key=z",
    ];
    assert_eq!(check(&fine), "");
}

#[test]
fn memory_below_flinks_own_minimum_is_refused() {
    insta::assert_snapshot!(with(&["job.jobmanager_memory=256MiB"]).refused(), @"
    SPC046: `jobmanager.memory.process.size` is 256 mb, and Flink starts with 577 MiB or more: JVM metaspace 256 MiB, JVM overhead 192 MiB
    help: Give it more: `job.jobmanager_memory` and `job.taskmanager_memory`, or those of `[session]`.
    ");
    insta::assert_snapshot!(with(&["job.flink_config.taskmanager.memory.process.size=300m"]).refused(), @"
    SPC046: `taskmanager.memory.process.size` is 300 mb, and Flink starts with 982 MiB or more: JVM metaspace 256 MiB, JVM overhead 192 MiB
    help: Give it more: `job.jobmanager_memory` and `job.taskmanager_memory`, or those of `[session]`.
    ");
    insta::assert_snapshot!(with(&["job.mode=session", "session.taskmanager_memory=300MiB"]).refused(), @"
    SPC046: `taskmanager.memory.process.size` is 300 mb, and Flink starts with 982 MiB or more: JVM metaspace 256 MiB, JVM overhead 192 MiB
    help: Give it more: `job.jobmanager_memory` and `job.taskmanager_memory`, or those of `[session]`.
    ");
    insta::assert_snapshot!(with(&["cluster.properties.flink:jobmanager.memory.process.size=100m"]).refused(), @"
    SPC046: `jobmanager.memory.process.size` is 100 mb, and Flink starts with 577 MiB or more: JVM metaspace 256 MiB, JVM overhead 192 MiB
    help: Give it more: `job.jobmanager_memory` and `job.taskmanager_memory`, or those of `[session]`.
    ");
    with(&[
        "job.jobmanager_memory=1600MiB",
        "job.taskmanager_memory=1728MiB",
    ])
    .planned();
}
