//! Bad input: `error[CODE]` with cause and help, exit code 2, and nothing made.

use super::{SPEC, sound};

/// What is wrong, and what has to be said about it.
struct Case {
    name: &'static str,
    /// Replaces a text of the sound spec.
    change: (&'static str, &'static str),
    arguments: &'static [&'static str],
    says: &'static [&'static str],
}

const fn spec(
    name: &'static str,
    change: (&'static str, &'static str),
    says: &'static [&'static str],
) -> Case {
    Case {
        name,
        change,
        arguments: &[],
        says,
    }
}

const fn typed(
    name: &'static str,
    arguments: &'static [&'static str],
    says: &'static [&'static str],
) -> Case {
    Case {
        name,
        change: ("", ""),
        arguments,
        says,
    }
}

const CASES: &[Case] = &[
    spec(
        "a script that is missing",
        ("job.py", "jib.py"),
        &["error[SPC022]", "jib.py", "help:"],
    ),
    spec(
        "a script that is empty",
        ("job.py", "empty.py"),
        &["error[SPC025]", "empty.py", "help:"],
    ),
    spec(
        "a script that is not UTF-8",
        ("job.py", "latin1.py"),
        &["error[SPC026]", "latin1.py", "help:"],
    ),
    spec(
        "a script that is a directory",
        ("job.py", "folder"),
        &["error[SPC023]", "folder", "help:"],
    ),
    spec(
        "a cluster's name that Dataproc would refuse",
        ("image = ", "name = \"My_Cluster\"\nimage = "),
        &["error[SPC003]", "My_Cluster", "lower-case", "help:"],
    ),
    spec(
        "a cluster's name that is too long",
        (
            "image = ",
            "name = \"a123456789b123456789c123456789d123456789e123456789fgh\"\nimage = ",
        ),
        &["error[SPC003]", "52", "help:"],
    ),
    spec(
        "a bucket's name that Cloud Storage would refuse",
        ("my-bucket", "My Bucket"),
        &["error[SPC003]", "My Bucket", "help:"],
    ),
    typed(
        "a mode that the image's Flink lacks",
        &["--set", "cluster.image=3.0", "--mode", "per-job"],
        &["error[SPC029]", "per-job", "help:"],
    ),
    typed(
        "the image's own Python where no wheel fits it",
        &[
            "--set",
            "cluster.image=2.2",
            "--set",
            "python.environment=image",
        ],
        &["error[SPC031]", "Python 3.7 to 3.10", "3.11", "help:"],
    ),
    typed(
        "a Python that the image's PyFlink has no wheel for",
        &["--set", "cluster.image=2.2", "--set", "python.version=3.12"],
        &["error[SPC044]", "3.12", "help:"],
    ),
    typed(
        "a submission method that there is not",
        &["--set", "job.method=pgi"],
        &["error[SPC039]", "`pig`", "help:"],
    ),
    typed(
        "a method that enters the master where nobody may",
        &["--set", "ssh=never", "--set", "job.method=ssh"],
        &["error[SPC040]", "ssh.access never", "help:"],
    ),
    typed(
        "memory below Flink's own minimum",
        &["--set", "job.taskmanager_memory=128MiB"],
        &["error[SPC046]", "taskmanager.memory.process.size", "help:"],
    ),
    typed(
        "a Python file in Cloud Storage as Flink's own argument",
        &["--set", r#"job.flink_args=["-py", "gs://b/job.py"]"#],
        &["error[FLK005]", "gs://b/job.py", "help:"],
    ),
    typed(
        "mixed option families",
        &[
            "--set",
            r#"job.flink_args=["-yD", "a=b", "-t", "yarn-per-job"]"#,
        ],
        &["error[FLK004]", "-yD", "help:"],
    ),
    typed(
        "a duration without a unit",
        &["--deadline", "10"],
        &["error[SPC003]", "`10`", "10m", "help:"],
    ),
    spec(
        "a duration without a unit in the file",
        ("image = ", "max_idle = 600\nimage = "),
        &["error[SPC003]", "cluster.max_idle", "help:"],
    ),
    spec(
        "a spec that is not TOML",
        ("[staging]", "[staging"),
        &["error[SPC001]", ":10:9", "help:"],
    ),
    typed(
        "a parameter that is not declared",
        &["--param", "day=1"],
        &["error[SPC006]", "day", "help:"],
    ),
    typed(
        "a target that is not there",
        &["--target", "prod"],
        &["error[SPC004]", "prod", "help:"],
    ),
    spec(
        "no bucket",
        ("bucket = \"my-bucket\"", ""),
        &["error[SPC020]", "bucket", "help:"],
    ),
    spec(
        "an argument that names nothing",
        ("[cluster]", "args = [\"${nothing}\"]\n[cluster]"),
        &["error[SPC009]", "nothing", "help:"],
    ),
];

#[tokio::test]
async fn each_gets_its_code_a_cause_and_help_and_nothing_is_made() {
    let (home, witness) = sound();
    home.write("empty.py", "");
    home.write("latin1.py", b"# caf\xe9\n");
    home.write("folder/inner.py", "print(1)\n");
    for case in CASES {
        let (from, to) = case.change;
        let text = SPEC.replacen(from, to, 1);
        assert!(from.is_empty() || text != SPEC, "{}", case.name);
        home.write("flinkproc.toml", if from.is_empty() { SPEC } else { &text });
        for verb in ["check", "plan", "deploy"] {
            let mut arguments = vec![verb];
            arguments.extend(case.arguments);
            let ran = home.run(&arguments).await;
            assert_eq!(ran.code, Some(2), "{}: {}", case.name, ran.err);
            ran.told(case.says);
            assert_eq!(ran.out, "", "{}", case.name);
            assert!(!home.state().exists(), "{} is journaled", case.name);
        }
    }
    witness.saw_nobody();
}

#[tokio::test]
async fn a_spec_that_cannot_be_read_is_named() {
    let (home, witness) = sound();
    for (spec, says) in [
        ("missing.toml", ["error[APP012]", "missing.toml"]),
        ("folder", ["error[APP012]", "folder/flinkproc.toml"]),
        ("latin1.toml", ["error[APP006]", "UTF-8"]),
    ] {
        home.write("folder/job.py", "");
        home.write("latin1.toml", b"# caf\xe9\n");
        for verb in ["check", "plan", "deploy"] {
            home.run(&[verb, spec]).await.ended_with(2).told(&says);
        }
    }
    assert!(!home.state().exists());
    witness.saw_nobody();
}

#[tokio::test]
async fn an_unknown_key_comes_with_the_nearest_one_and_its_place() {
    let (home, witness) = sound();
    home.write("flinkproc.toml", SPEC.replace("image", "imagge"));
    let ran = home.run(&["check"]).await;
    ran.ended_with(2)
        .told(&["error[SPC002]", "imagge", ":8:1", "image", "help:"]);
    // In a target that nobody chose, too.
    home.write(
        "flinkproc.toml",
        format!("{SPEC}\n[target.prod.cluster]\n  workerz = 4\n"),
    );
    let ran = home.run(&["check"]).await;
    ran.ended_with(2)
        .told(&["error[SPC002]", "workerz", ":14:3", "workers"]);
    // And on the command line.
    home.write("flinkproc.toml", SPEC);
    let ran = home.run(&["plan", "--set", "cluster.wokers=3"]).await;
    ran.ended_with(2)
        .told(&["error[SPC002]", "wokers", "`workers`"]);
    witness.saw_nobody();
}

#[tokio::test]
async fn deployments_and_steps_that_there_are_not_are_refused() {
    let (home, witness) = sound();
    for verb in ["down", "logs", "status"] {
        let ran = home.run(&[verb, "nobody"]).await;
        ran.ended_with(2)
            .told(&["error[APP004]", "nobody", "help:"]);
    }
    let ran = home.run(&["deploy", "--resume"]).await;
    ran.ended_with(2).told(&["error[APP004]"]);
    let ran = home.run(&["deploy", "--until", "tomorrow"]).await;
    ran.ended_with(2)
        .told(&["error[APP006]", "tomorrow", "submit"]);
    let ran = home.run(&["deploy", "--run-key", "a\tkey"]).await;
    ran.ended_with(2)
        .told(&["error[APP006]", "run key", "control character"]);
    let ran = home.run(&["deploy", "--on-interrupt", "wait"]).await;
    ran.ended_with(2).told(&["wait", "delete", "detach"]);
    assert!(!home.state().exists());
    witness.saw_nobody();
}

#[tokio::test]
async fn words_of_other_tools_get_ours() {
    let (home, witness) = sound();
    let ran = home.run(&["deploy", "--dry-run"]).await;
    ran.ended_with(2)
        .told(&["--dry-run", "did you mean", "flinkproc plan"]);
    let ran = home.run(&["delpoy"]).await;
    ran.ended_with(2).told(&["delpoy", "deploy"]);
    witness.saw_nobody();
}
