//! Lines as people write them, and what is said of them.

use std::fmt::Write;

use super::{Severity, diagnose};

/// Findings as `CODE word…`, then the lines to write instead.
fn said(version: &str, line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let said = diagnose(version.parse().expect("version"), &words);
    let mut text = String::new();
    for finding in &said.findings {
        let meant = words.get(finding.words.clone()).unwrap_or_default();
        let _ = writeln!(
            text,
            "{} {}: {}",
            finding.rule.code(),
            meant.join(" "),
            finding.happens
        );
    }
    for line in &said.instead {
        let _ = writeln!(text, "> {}", line.join(" "));
    }
    text
}

#[test]
fn sound_lines_are_left_alone() {
    for (version, line) in [
        (
            "1.17",
            "flink run -t yarn-session -Dyarn.application.id=application_1_1 -p 4 -py a.py --day 3",
        ),
        (
            "1.17",
            "/usr/lib/flink/bin/flink run -t yarn-application -h",
        ),
        (
            "1.17",
            "flink list -t yarn-application -Dyarn.application.id=application_1_1 -r",
        ),
        (
            "1.17",
            "flink cancel -yid application_1_1 0123456789abcdef0123456789abcdef",
        ),
        (
            "1.20",
            "flink run-application -t yarn-application -Dyarn.ship-files=ship -pyfs ship -pym wc",
        ),
        (
            "2.2",
            "flink run -t yarn-application -Dyarn.ship-files=ship -pyfs ship -pym wc -- -- -s local",
        ),
        ("1.14", "flink run -t yarn-per-job -ys"),
        ("1.17", "yarn-session.sh -d -nm team -jm 1g"),
        ("1.17", "flink --version"),
    ] {
        let expected = if line.ends_with("-ys") { "CHK006" } else { "" };
        let got = said(version, line);
        assert!(
            got.starts_with(expected) && got.is_empty() == expected.is_empty(),
            "{line}\n{got}"
        );
    }
}

#[test]
fn options_that_the_active_parser_drops() {
    insta::assert_snapshot!(said("1.17", "flink run -t yarn-per-job -ynm x -ytm 4g -yDa=b -py a.py"), @r"
    CHK009 -t yarn-per-job: per-job mode works, and is deprecated since Flink 1.15
    CHK001 -ynm x: Flink drops `-ynm` without a word beside `-t yarn-per-job`
    CHK001 -ytm 4g: Flink drops `-ytm` without a word beside `-t yarn-per-job`
    CHK003 -yDa=b: Flink 1.17 does not know `-yDa`: it ends the parsing, and everything from there on becomes arguments of the program, without a word
    > flink run -t yarn-per-job -Dyarn.application.name=x -Dtaskmanager.memory.process.size=4g -Da=b -py a.py
    ");
    insta::assert_snapshot!(said("1.17", "flink run -m yarn-cluster -Dk=v -yjm 1024 -py a.py"), @r"
    CHK009 -m yarn-cluster: per-job mode works, and is deprecated since Flink 1.15
    CHK001 -Dk=v: Flink drops `-Dk=v` without a word beside `-m yarn-cluster`
    > flink run -t yarn-per-job -Dk=v -Djobmanager.memory.process.size=1024m -py a.py
    ");
    insta::assert_snapshot!(said("1.17", "flink run -ys 2 -c org.example.Main a.jar in out"), @r"
    CHK013 flink run: it goes to a standalone cluster on this machine, which Dataproc does not have
    CHK001 -ys 2: Flink drops `-ys` without a word, as neither `-t` nor `-m yarn-cluster` stands on the line
    > flink run -t yarn-per-job -Dtaskmanager.numberOfTaskSlots=2 -c org.example.Main a.jar in out
    ");
}

#[test]
fn options_that_are_read_as_something_else() {
    insta::assert_snapshot!(said("1.17", "flink run -t yarn-per-job -py-files lib.zip -py a.py"), @r"
    CHK009 -t yarn-per-job: per-job mode works, and is deprecated since Flink 1.15
    CHK002 -py-files lib.zip: Flink 1.17 reads `-py-files` as `-p` with the value `y-files`
    > flink run -t yarn-per-job -pyfs lib.zip -py a.py
    ");
    insta::assert_snapshot!(said("1.17", "flink run -t yarn-per-job -pypath /x -py a.py"), @r"
    CHK009 -t yarn-per-job: per-job mode works, and is deprecated since Flink 1.15
    CHK002 -pypath /x: Flink 1.17 reads `-pypath` as `-p` with the value `ypath`
    > flink run -t yarn-per-job -pyfs /x -py a.py
    ");
    insta::assert_snapshot!(said("1.19", "flink run -t yarn-per-job -s /save -cm claim -py a.py"), @r"
    CHK009 -t yarn-per-job: per-job mode works, and is deprecated since Flink 1.15
    CHK002 -cm claim: Flink 1.19 reads `-cm` as `-c` with the value `m`
    CHK003 claim: Flink 1.19 does not know `claim`: it ends the parsing, and everything from there on becomes arguments of the program, without a word
    > flink run -t yarn-per-job -s /save -rm claim -py a.py
    ");
    insta::assert_snapshot!(said("1.15", "flink run -t yarn-per-job --pyFiles a.zip --pyFiles b.zip -py a.py"), @r"
    CHK009 -t yarn-per-job: per-job mode works, and is deprecated since Flink 1.15
    CHK021 --pyFiles: Flink reads the first `-pyfs` and drops this one without a word
    > flink run -t yarn-per-job -pyfs a.zip,b.zip -py a.py
    ");
}

#[test]
fn words_that_end_the_parsing() {
    insta::assert_snapshot!(said("1.17", "flink run -t yarn-per-job --jars /x/a.jar -p 4 -py a.py"), @r"
    CHK009 -t yarn-per-job: per-job mode works, and is deprecated since Flink 1.15
    CHK003 --jars /x/a.jar: Flink 1.17 does not know `--jars`: it ends the parsing, and everything from there on becomes arguments of the program, without a word
    > flink run -t yarn-per-job -p 4 -C file:///x/a.jar -py a.py
    ");
    insta::assert_snapshot!(said("1.17", "flink run -m yarn-cluster -yn 4 -ytm 2g -py a.py"), @r"
    CHK009 -m yarn-cluster: per-job mode works, and is deprecated since Flink 1.15
    CHK003 -yn 4: Flink 1.17 does not know `-yn`: it ends the parsing, and everything from there on becomes arguments of the program, without a word
    > flink run -t yarn-per-job -Dtaskmanager.memory.process.size=2g -py a.py
    ");
    insta::assert_snapshot!(said("2.1", "flink run -t yarn-session -yd -Dyarn.application.id=application_1_1 -py a.py"), @r"
    CHK003 -yd: Flink 2.1 does not know `-yd`: it ends the parsing, and everything from there on becomes arguments of the program, without a word
    CHK015 -yd: the client leaves at submission: its exit status says nothing of the job
    > flink run -t yarn-session -Dyarn.application.id=application_1_1 -d -py a.py
    ");
    insta::assert_snapshot!(said("1.17", "yarn-session.sh -d -n 4 -tm 4096 -nm team"), @r"
    CHK013 yarn-session.sh: it starts a session, or attaches to the one that a file of this user in `/tmp` remembers
    CHK003 -n 4: Flink 1.17 does not know `-n` and drops it with everything behind it, without a word, and where a file of `/tmp` remembers a session, it attaches to that instead of starting one
    > yarn-session.sh -d -Dtaskmanager.memory.process.size=4096m -Dyarn.application.name=team
    ");
}

#[test]
fn arguments_of_the_program_that_flink_takes() {
    insta::assert_snapshot!(said("1.20", "flink run -t yarn-per-job -py a.py -s local --input x"), @r"
    CHK009 -t yarn-per-job: per-job mode works, and is deprecated since Flink 1.15
    CHK004 -s: Flink takes `-s` for itself, as `-s` with the value `local`; the program never gets it
    > flink run -t yarn-per-job -py a.py -- -- -s local --input x
    ");
    insta::assert_snapshot!(said("1.20", "flink run -t yarn-per-job -py a.py --par 3"), @r"
    CHK009 -t yarn-per-job: per-job mode works, and is deprecated since Flink 1.15
    CHK004 --par: Flink takes `--par` for itself, as `-p` with the value `3`; the program never gets it
    > flink run -t yarn-per-job -py a.py -- -- --par 3
    ");
    insta::assert_snapshot!(said("1.20", "flink run -t yarn-per-job a.jar -yD a=b in -p 4"), @r"
    CHK009 -t yarn-per-job: per-job mode works, and is deprecated since Flink 1.15
    CHK005 -yD a=b: `-yD` goes to the program as an argument: it stands behind `a.jar`
    > flink run -t yarn-per-job -Da=b a.jar in -p 4
    ");
}

#[test]
fn what_a_version_no_longer_has() {
    insta::assert_snapshot!(said("2.2", "flink run -t yarn-per-job -py a.py"), @r"
    CHK008 -t yarn-per-job: Flink 2.2 has no per-job mode: `No ExecutorFactory found`, exit status 31
    CHK011 -py a.py: `main()` runs on a worker, and no worker has the script: nobody ships it
    > cp a.py ship/
    > flink run -t yarn-application -Dyarn.ship-files=ship -pyfs ship -pym a
    ");
    insta::assert_snapshot!(said("2.2", "flink run -m yarn-cluster -yDk=v -c Main a.jar"), @r"
    CHK008 -m yarn-cluster: Flink 2.2 looks for a session on YARN whose id nobody names, as `-m yarn-cluster` means `yarn-session` there
    CHK003 -yDk=v: Flink 2.2 does not know `-yDk`: it ends the parsing, and everything from there on becomes arguments of the program, without a word
    > flink run -t yarn-application -Dk=v -c Main a.jar
    ");
    insta::assert_snapshot!(said("2.2", "flink run-application -t yarn-application -Dyarn.ship-files=ship -pyfs ship -pym a"), @r"
    CHK007 run-application: Flink 2.2 has no `run-application`: it prints its help and exits with 1
    > flink run -t yarn-application -Dyarn.ship-files=ship -pyfs ship -pym a
    ");
    insta::assert_snapshot!(said("1.20", "flink run -t yarn-application a.jar"), @r"
    CHK008 -t yarn-application: `run` in Flink 1.20 has no application mode: `No ExecutorFactory found`
    > flink run-application -t yarn-application a.jar
    ");
    insta::assert_snapshot!(said("1.17", "flink checkpoint -t yarn-session -Dyarn.application.id=application_1_1 J"), @r"
    CHK007 checkpoint: Flink 1.17 has no `checkpoint`: it came with Flink 1.19
    > flink savepoint -t yarn-session -Dyarn.application.id=application_1_1 J
    ");
    insta::assert_snapshot!(said("1.17", "flink submit a.jar"), @r"CHK007 submit: Flink 1.17 has no action `submit`: it prints its help and exits with 1");
}

#[test]
fn programs_and_their_files() {
    insta::assert_snapshot!(said("1.17", "flink run -t yarn-per-job -py gs://b/a.py --day 3"), @r"
    CHK009 -t yarn-per-job: per-job mode works, and is deprecated since Flink 1.15
    CHK010 -py gs://b/a.py: Flink opens `gs://b/a.py` as a local file, which is not there
    > gcloud storage cp gs://b/a.py /tmp/a.py
    > flink run -t yarn-per-job -py /tmp/a.py --day 3
    ");
    insta::assert_snapshot!(said("1.17", "flink run -t yarn-per-job a.py"), @r"
    CHK009 -t yarn-per-job: per-job mode works, and is deprecated since Flink 1.15
    CHK023 a.py: Flink takes `a.py` for a jar file and fails
    > flink run -t yarn-per-job -py a.py
    ");
    insta::assert_snapshot!(said("1.17", "flink run -t yarn-per-job -pyarch deps.zip -pym job"), @r"
    CHK009 -t yarn-per-job: per-job mode works, and is deprecated since Flink 1.15
    CHK016 -pyarch deps.zip: the workers unpack the archive, and nothing in it is on the Python path
    CHK019 -pym job: Flink refuses `-pym job` without `-pyfs`
    > flink run -t yarn-per-job -pyfs deps.zip -pym job
    ");
    insta::assert_snapshot!(said("1.17", "flink run-application -t yarn-application -py jobs/a.py"), @r"
    CHK011 -py jobs/a.py: `main()` runs on a worker, and no worker has the script: nobody ships it
    > cp jobs/a.py ship/
    > flink run-application -t yarn-application -Dyarn.ship-files=ship -pyfs ship -pym a
    ");
    insta::assert_snapshot!(said("1.17", "flink run -t yarn-per-job -n -d -Dtaskmanager.memory.process.size=4096 -Dcontainerized.taskmanager.env.PYTHONHOME=/x -py a.py"), @r"
    CHK009 -t yarn-per-job: per-job mode works, and is deprecated since Flink 1.15
    CHK018 -n: `-n` does nothing without `-s`
    CHK015 -d: the client leaves at submission: its exit status says nothing of the job
    CHK022 -Dtaskmanager.memory.process.size=4096: `taskmanager.memory.process.size` becomes 4096 bytes, and the process does not start
    CHK017 -Dcontainerized.taskmanager.env.PYTHONHOME=/x: the shipped interpreter does not find its own library: `No module named 'encodings'`
    > flink run -t yarn-per-job -Dtaskmanager.memory.process.size=4096m -d -py a.py
    ");
    insta::assert_snapshot!(said("1.17", "flink run -t yarn-per-job -Dyarn.ship-files=gs://b/x -py a.py"), @r"
    CHK009 -t yarn-per-job: per-job mode works, and is deprecated since Flink 1.15
    CHK020 -Dyarn.ship-files=gs://b/x: Flink 1.17 takes `gs://` there for a file on this machine
    > gcloud storage cp -r gs://b/x ship/
    > flink run -t yarn-per-job -Dyarn.ship-files=ship/x -py a.py
    ");
}

#[test]
fn configuration_keys_and_sizes() {
    insta::assert_snapshot!(said("1.17", "flink run -t yarn-per-job -Dtaskmanager.numberOfTaskSlot=2 -Dexecution.checkpointing.dir=gs://b -Dmy.own=1 -py a.py"), @r"
    CHK009 -t yarn-per-job: per-job mode works, and is deprecated since Flink 1.15
    CHK024 -Dtaskmanager.numberOfTaskSlot=2: no Flink knows the key `taskmanager.numberOfTaskSlot`: it is read by nobody
    CHK024 -Dexecution.checkpointing.dir=gs://b: Flink 1.17 does not know the key `execution.checkpointing.dir` yet: it is read by nobody
    > flink run -t yarn-per-job -Dtaskmanager.numberOfTaskSlots=2 -Dmy.own=1 -py a.py
    ");
    insta::assert_snapshot!(said("1.17", "flink run -m yarn-cluster -yjm 128 -ytm 300 -py a.py"), @r"
    CHK009 -m yarn-cluster: per-job mode works, and is deprecated since Flink 1.15
    CHK025 -yjm: 128 mb of memory is too little, and the process does not start: JVM metaspace 256 MiB, JVM overhead 192 MiB
    CHK025 -ytm: 300 mb of memory is too little, and the process does not start: JVM metaspace 256 MiB, JVM overhead 192 MiB
    > flink run -t yarn-per-job -Djobmanager.memory.process.size=577m -Dtaskmanager.memory.process.size=982m -py a.py
    ");
}

#[test]
fn actions_on_jobs() {
    insta::assert_snapshot!(said("1.17", "flink info <job-id>"), @r"
    CHK012 <job-id>: `flink info` prints the plan of a program: it takes `<job-id>` for a jar file, which is not there
    > flink list -t yarn-session -Dyarn.application.id=APPLICATION_ID -a
    ");
    insta::assert_snapshot!(said("1.17", "flink list"), @r"
    CHK013 flink list: it sees only a session that this same user started on this machine, and that a file in `/tmp` remembers
    > flink list -t yarn-session -Dyarn.application.id=APPLICATION_ID
    ");
    insta::assert_snapshot!(said("1.17", "flink cancel -s gs://b/s J"), @r"
    CHK013 flink cancel: it sees only a session that this same user started on this machine, and that a file in `/tmp` remembers
    CHK009 -s: `flink cancel -s` works, and is deprecated
    > flink stop -t yarn-session -Dyarn.application.id=APPLICATION_ID -p gs://b/s J
    ");
    insta::assert_snapshot!(said("1.17", "flink stop -d -t yarn-session -Dyarn.application.id=application_1_1 J"), @r"
    CHK014 -d: `-d` of `flink stop` means drain: windows fire, and the job cannot go on from the savepoint as before
    > flink stop -t yarn-session -Dyarn.application.id=application_1_1 --drain J
    ");
    insta::assert_snapshot!(said("1.17", "flink savepoint -d gs://b/s/1 -yid application_1_1"), @r"
    CHK014 -d gs://b/s/1: Flink reads `-d` as an option without a value there, and takes `gs://b/s/1` for a job
    > flink savepoint -t yarn-session -Dyarn.application.id=application_1_1 --dispose gs://b/s/1
    ");
    insta::assert_snapshot!(said("1.17", "flink list --all-jobs -t yarn-session -Dyarn.application.id=application_1_1"), @r"
    CHK003 --all-jobs: Flink 1.17 does not know `--all-jobs` and refuses the line
    > flink list -t yarn-session -Dyarn.application.id=application_1_1
    ");
}

mod right {
    //! The right line is right, and does what was wanted.

    use proptest::prelude::*;

    use super::super::{Severity, diagnose};
    use crate::reading::Reading;

    const PIECES: [&[&str]; 41] = [
        &["-m", "yarn-cluster"],
        &["-t", "yarn-per-job"],
        &["-t", "yarn-session"],
        &["-t", "yarn-application"],
        &["-yid", "application_1_0001"],
        &["-Dyarn.application.id=application_1_0001"],
        &["-ytm", "4096"],
        &["-yjm", "1g"],
        &["-ys", "2"],
        &["-ynm", "my job"],
        &["-yqu", "q"],
        &["-yDa.b=c"],
        &["-yD", "d.e=f"],
        &["-Dg.h=i"],
        &["-D", "j.k=l"],
        &["-p", "4"],
        &["--parallelism", "4"],
        &["-d"],
        &["-yd"],
        &["-sae"],
        &["-s", "gs://b/s/1"],
        &["-n"],
        &["-rm", "CLAIM"],
        &["-cm", "CLAIM"],
        &["-pyfs", "lib.zip"],
        &["-py-files", "lib.zip"],
        &["--py-files", "lib.zip"],
        &["-pyreq", "r.txt"],
        &["-pyarch", "a.zip#a"],
        &["-pyarch", "deps.zip"],
        &["-pyexec", "a/bin/python"],
        &["-pyclientexec", "python3"],
        &["-pypath", "/x"],
        &["--jars", "/x/a.jar"],
        &["-yn", "4"],
        &["-C", "file:///x/b.jar"],
        &["-Dtaskmanager.memory.process.size=2048"],
        &["-v"],
        &["--env", "prod"],
        &["-e", "yarn-per-job"],
        &["-yt", "ship"],
    ];
    const PROGRAMS: [&[&str]; 6] = [
        &["-py", "/srv/job.py"],
        &["-py", "gs://b/job.py"],
        &["-pyfs", "m.zip", "-pym", "job"],
        &["job.jar"],
        &["-c", "org.example.Main", "job.jar"],
        &["job.py"],
    ];
    const ARGUMENTS: [&[&str]; 8] = [
        &[],
        &["--input", "x"],
        &["-s", "local"],
        &["--par", "3"],
        &["in", "out"],
        &["--", "-p"],
        &["--day", "-1"],
        &["-x"],
    ];
    const VERSIONS: [&str; 12] = [
        "1.12", "1.13", "1.14", "1.15", "1.16", "1.17", "1.18", "1.19", "1.20", "2.0", "2.1", "2.2",
    ];

    proptest! {
        #[test]
        fn a_right_line_has_no_findings_and_keeps_what_was_wanted(
            pieces in proptest::sample::subsequence(PIECES.to_vec(), 0..6),
            program in proptest::sample::select(PROGRAMS.to_vec()),
            arguments in proptest::sample::select(ARGUMENTS.to_vec()),
            version in proptest::sample::select(VERSIONS.to_vec()),
            action in proptest::sample::select(vec!["run", "run-application"]),
        ) {
            let mut line = vec!["flink", action];
            line.extend(pieces.iter().flat_map(|piece| piece.iter()));
            line.extend(program);
            line.extend(arguments);
            let version: flinkproc_core::FlinkVersion = version.parse().expect("version");
            let said = diagnose(version, &line);
            let Some(right) = said.instead.last() else { return Ok(()) };
            let again = diagnose(version, right);
            let left: Vec<_> = again.findings.iter().filter(|f| f.severity() > Severity::Note).collect();
            prop_assert!(left.is_empty(), "{version} {line:?}\n{right:?}\n{left:?}");
            let reading = again.reading.expect("readable");
            let has = |key: &str, value: &str| reading.configuration.get(key).map(String::as_str) == Some(value);
            let wrote = |piece: &[&str]| pieces.contains(&piece);
            if wrote(&["-p", "4"]) {
                prop_assert!(has("parallelism.default", "4"), "{line:?}\n{right:?}");
            }
            if wrote(&["-ytm", "4096"]) && !wrote(&["-Dtaskmanager.memory.process.size=2048"]) {
                prop_assert!(has("taskmanager.memory.process.size", "4096m"), "{line:?}\n{right:?}");
            }
            for (piece, key, value) in [(&["-yDa.b=c"][..], "a.b", "c"), (&["-Dg.h=i"], "g.h", "i"), (&["-ynm", "my job"], "yarn.application.name", "my job")] {
                if wrote(piece) {
                    prop_assert!(has(key, value), "{line:?}\n{right:?}");
                }
            }
            let program_is = reading.program.as_deref();
            match program.last() {
                Some(&"job.jar") => prop_assert_eq!(program_is, Some("job.jar"), "{:?}\n{:?}", line, right),
                _ => prop_assert!(program_is.is_none() && reading.class.is_some(), "{line:?}\n{right:?}"),
            }
            // What reaches the program, once Flink's Python driver has taken its own `--` off.
            let mut got: Vec<&str> = reading.arguments.iter().map(String::as_str).collect();
            if program.last() != Some(&"job.jar") {
                got.drain(..2);
            }
            let mut wanted = arguments.to_vec();
            for list in [&mut got, &mut wanted] {
                list.retain(|word| *word != "--");
            }
            let env = if wrote(&["--env", "prod"]) { 2 } else { 0 };
            prop_assert_eq!(&got[env.min(got.len())..], &wanted[..], "{:?}\n{:?}", line, right);
        }
    }

    #[test]
    fn the_right_line_is_one_that_flink_reads() {
        let said = diagnose(
            "1.17".parse().expect("version"),
            &["flink", "run", "-m", "yarn-cluster", "-Dk=v", "a.jar"],
        );
        let right = said.instead.last().expect("a line");
        assert!(
            Reading::of(
                "1.17".parse().expect("version"),
                crate::grammar::Action::Run,
                &right[2..]
            )
            .is_ok()
        );
    }
}

#[test]
fn severities_are_in_order() {
    assert!(Severity::Note < Severity::Warning && Severity::Warning < Severity::Error);
}
