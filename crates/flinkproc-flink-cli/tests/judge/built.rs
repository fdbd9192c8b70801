//! Settings of every kind, and whether what they ask for is what Flink's own classes make of the line.

use flinkproc_core::{FlinkVersion, YarnMode};
use flinkproc_flink_cli::grammar::Action;
use flinkproc_flink_cli::reading::Reading;
use flinkproc_flink_cli::{
    Archive, AttachSettings, CancelSettings, CheckpointSettings, ClaimMode, ClusterTarget, Command,
    DisposeSettings, InfoSettings, ListSettings, Program, Restore, RunSettings, SavepointFormat,
    SavepointSettings, SessionSettings, StopSettings, WhichJobs,
};

use super::jvm::{Dice, hex, plain};

/// A command and what has to come of it: configuration, and what the action's own class reads.
#[derive(Debug)]
pub(crate) struct Wish {
    pub(crate) command: Command,
    config: Vec<(String, String)>,
    own: Vec<(&'static str, String)>,
}

const APPLICATION: &str = "application_1795358092534_0012";
const JOB: &str = "4f0d1c3b2a49587766554433221100ff";
const PATHS: &[&str] = &[
    "/a/b.zip",
    "/with space/ü.zip",
    "rel/x.py",
    "gs://b/c d",
    "/q'uo\"te.zip",
];
const TEXTS: &[&str] = &[
    "etl", "my etl", "it's $5", "a=b", "-d", "--drain", "ü", "x;y", "{a: b}", "[1", "'q'", "a\"b",
    "*", "%", "~", "true", "1", "a: b", "- x", "@", "&", "!t", "|", ">",
];
const ARGUMENTS: &[&str] = &[
    "-s",
    "--par",
    "3",
    "-py",
    "",
    "a b",
    "it's $5",
    "--",
    "-",
    "-Dk=v",
    "ü",
    "`x`",
    "--input=1",
    "\"quoted\"",
    "a\nb",
    "*",
    "a,b",
    "x;y",
    "'q'",
    "#",
    "a: b",
    "-pyfs",
    "--python",
];

fn modes(dice: &mut Dice, version: FlinkVersion) -> YarnMode {
    let all = [YarnMode::Session, YarnMode::Application, YarnMode::PerJob];
    let end = if version.is_2() { 2 } else { 3 };
    let mode = all.get(dice.next(end)).copied();
    mode.expect("below the length")
}

fn run(dice: &mut Dice, version: FlinkVersion) -> Wish {
    let mode = modes(dice, version);
    let program = match dice.next(4) {
        0 => Program::script(dice.pick(&["/a/job.py", "/with space/j.py"])),
        1 => Program::jar("/a/job.jar"),
        2 => Program::Jar {
            path: "/a/job.jar".to_owned(),
            class: Some("org.example.Main$Inner".to_owned()),
        },
        _ => Program::module("etl.main"),
    };
    let module = matches!(program, Program::Module(_));
    let jar = matches!(program, Program::Jar { .. });
    let mut settings = RunSettings::new(version, mode, program);
    let mut config: Vec<(String, String)> = Vec::new();
    let mut expect = |key: &str, value: &str| config.push((key.to_owned(), value.to_owned()));
    expect(
        "execution.target",
        match mode {
            YarnMode::PerJob => "yarn-per-job",
            YarnMode::Session => "yarn-session",
            YarnMode::Application => "yarn-application",
        },
    );
    if mode == YarnMode::Session {
        settings = settings.session(APPLICATION);
        expect("yarn.application.id", APPLICATION);
    } else {
        if dice.one_in(2) {
            let name = dice.pick(TEXTS);
            settings = settings.name(name);
            expect("yarn.application.name", name);
        }
        if dice.one_in(2) {
            settings = settings.tag("t1").tag("t2");
            expect("yarn.tags", "t1,t2");
        }
        if dice.one_in(3) {
            settings.containers.taskmanager_memory = Some(1024);
            settings.containers.jobmanager_memory = Some(900);
            settings.containers.slots = Some(3);
            settings.containers.queue = Some("root.a".to_owned());
            settings.containers.node_label = Some("l".to_owned());
            settings.containers.application_type = Some("T".to_owned());
            expect("taskmanager.memory.process.size", "1024m");
            expect("jobmanager.memory.process.size", "900m");
            expect("taskmanager.numberOfTaskSlots", "3");
            expect("yarn.application.queue", "root.a");
            expect("yarn.application.node-label", "l");
            expect("yarn.application.type", "T");
        }
        if dice.one_in(3) {
            settings = settings.ship("/a/ship");
            expect("yarn.ship-files", "/a/ship");
        }
    }
    if !jar && dice.one_in(4) && mode != YarnMode::Application && settings.ship.is_empty() {
        settings.jars = vec!["/a/kafka client.jar".to_owned()];
        if mode == YarnMode::PerJob {
            expect("yarn.ship-files", "/a/kafka client.jar");
        }
    }
    if dice.one_in(3) {
        settings = settings.parallelism(4);
        expect("parallelism.default", "4");
    }
    settings.detached = dice.one_in(3);
    settings.cancel_with_client = dice.one_in(4);
    expect(
        "execution.attached",
        if settings.detached { "false" } else { "true" },
    );
    let with_client = settings.cancel_with_client.to_string();
    expect("execution.shutdown-on-attached-exit", &with_client);
    if dice.one_in(3) {
        let path = dice.pick(&["gs://b/savepoint-1", "/with space/sp"]);
        let mut restore = Restore::from(path);
        let prefix = if version.minor() >= (1, 20) {
            "execution.state-recovery"
        } else {
            "execution.savepoint"
        };
        expect(&format!("{prefix}.path"), path);
        if dice.one_in(2) {
            restore = restore.allow_non_restored();
            expect(&format!("{prefix}.ignore-unclaimed-state"), "true");
        }
        if version.minor() >= (1, 15) && dice.one_in(2) {
            let claim = dice.pick(&[ClaimMode::Claim, ClaimMode::NoClaim, ClaimMode::Legacy]);
            restore = restore.claim(claim);
            let key = if version.minor() >= (1, 20) {
                "execution.state-recovery.claim-mode"
            } else {
                "execution.savepoint-restore-mode"
            };
            expect(key, claim.word());
        }
        settings = settings.restore(restore);
    }
    if module || dice.one_in(3) {
        settings.python_files = vec![dice.pick(PATHS).to_owned(), "/z.py".to_owned()];
        expect("python.files", &settings.python_files.join(","));
    }
    if dice.one_in(4) {
        settings.python_requirements = Some("/a/requirements.txt".to_owned());
        expect("python.requirements", "/a/requirements.txt");
    }
    if dice.one_in(3) {
        settings.python_archives = vec![Archive {
            path: "/s/env.tar.gz".to_owned(),
            directory: "env".to_owned(),
        }];
        settings.python_executable = Some("env/bin/python".to_owned());
        let cut = mode == YarnMode::Application && version.minor() < (1, 19);
        let (archives, executable) = if cut {
            ("/s/env.tar.gz", "env.tar.gz/bin/python")
        } else {
            ("/s/env.tar.gz#env", "env/bin/python")
        };
        expect("python.archives", archives);
        expect("python.executable", executable);
        if dice.one_in(2) {
            settings.python_client_executable = Some("env/bin/python".to_owned());
            expect("python.client.executable", executable);
        }
    }
    if version.minor() >= (1, 18) && dice.one_in(4) {
        settings.python_path = Some("/p:/q".to_owned());
        expect("python.pythonpath", "/p:/q");
    }
    if dice.one_in(4) && mode != YarnMode::PerJob {
        settings.classpaths = vec!["file:///c.jar".to_owned()];
        expect("pipeline.classpaths", "file:/c.jar");
    }
    for key in ["some.key", "taskmanager.env"] {
        if dice.one_in(3) {
            let value = dice.pick(TEXTS);
            settings = settings.config(key, value);
            expect(key, value);
        }
    }
    for _ in 0..dice.next(4) {
        settings = settings.argument(dice.pick(ARGUMENTS));
    }
    let command = Command::Run(Box::new(settings));
    Wish {
        command,
        config,
        own: Vec::new(),
    }
}

fn session(dice: &mut Dice) -> Wish {
    let mut settings = SessionSettings::new().tag("flinkproc-session-a");
    let mut config = vec![
        ("yarn.tags".to_owned(), "flinkproc-session-a".to_owned()),
        ("execution.attached".to_owned(), "false".to_owned()),
    ];
    let mut expect = |key: &str, value: &str| config.push((key.to_owned(), value.to_owned()));
    if dice.one_in(2) {
        let name = dice.pick(TEXTS);
        settings = settings.name(name);
        expect("yarn.application.name", name);
    }
    if dice.one_in(2) {
        settings.containers.taskmanager_memory = Some(2000);
        settings.containers.slots = Some(2);
        expect("taskmanager.memory.process.size", "2000m");
        expect("taskmanager.numberOfTaskSlots", "2");
    }
    if dice.one_in(2) {
        settings = settings.ship("/a/ship").ship("/b/x.jar");
        expect("yarn.ship-files", "/a/ship;/b/x.jar");
    }
    for key in ["some.key", "other"] {
        if dice.one_in(2) {
            let value = dice.pick(TEXTS);
            settings = settings.config(key, value);
            expect(key, value);
        }
    }
    Wish {
        command: Command::Session(Box::new(settings)),
        config,
        own: Vec::new(),
    }
}

/// One wish.
pub(crate) fn wish(dice: &mut Dice, version: FlinkVersion) -> Wish {
    let kind = dice.next(14);
    if kind < 5 {
        return run(dice, version);
    }
    if kind < 7 {
        return session(dice);
    }
    let mode = modes(dice, version);
    let target = ClusterTarget::new(mode, APPLICATION);
    let format = dice.pick(&[
        None,
        Some(SavepointFormat::Canonical),
        Some(SavepointFormat::Native),
    ]);
    let format = format.filter(|_| version.minor() >= (1, 15));
    let detached = version.minor() >= (1, 19) && dice.one_in(2);
    let to = dice.one_in(2).then(|| dice.pick(PATHS).to_owned());
    let null = |text: &Option<String>| text.clone().unwrap_or_else(|| "null".to_owned());
    let mut own: Vec<(&'static str, String)> = Vec::new();
    if let Some(format) = format {
        own.push(("formatType", format!("{format:?}").to_uppercase()));
    }
    if version.minor() >= (1, 19) {
        own.push(("isDetached", detached.to_string()));
    }
    let mut aimed = true;
    let command = match kind {
        7 => {
            own.clear();
            let which = dice.pick(&[
                WhichJobs::Unfinished,
                WhichJobs::Running,
                WhichJobs::Scheduled,
                WhichJobs::All,
            ]);
            own.push(("showAll", (which == WhichJobs::All).to_string()));
            own.push(("showRunning", (which == WhichJobs::Running).to_string()));
            own.push(("showScheduled", (which == WhichJobs::Scheduled).to_string()));
            Command::List(ListSettings::new(target).which(which))
        }
        8 => {
            own.retain(|(name, _)| *name == "formatType" && to.is_some());
            own.push(("args", JOB.to_owned()));
            own.push(("targetDirectory", null(&to)));
            own.push(("withSavepoint", to.is_some().to_string()));
            let mut cancel = CancelSettings::new(target, JOB);
            cancel.format = format.filter(|_| to.is_some());
            cancel.savepoint = to;
            Command::Cancel(cancel)
        }
        9 => {
            let mut stop = StopSettings::new(target, JOB);
            stop.drain = dice.one_in(2);
            own.push(("args", JOB.to_owned()));
            own.push(("targetDirectory", null(&to)));
            own.push(("savepointFlag", to.is_some().to_string()));
            own.push(("advanceToEndOfEventTime", stop.drain.to_string()));
            (stop.format, stop.detached, stop.directory) = (format, detached, to);
            Command::Stop(stop)
        }
        10 => {
            let mut savepoint = SavepointSettings::new(target, JOB);
            own.push((
                "args",
                to.as_ref()
                    .map_or(JOB.to_owned(), |to| format!("{JOB} {to}")),
            ));
            own.push(("dispose", "false".to_owned()));
            (savepoint.format, savepoint.detached, savepoint.directory) = (format, detached, to);
            Command::Savepoint(savepoint)
        }
        11 => {
            own.clear();
            let path = dice.pick(PATHS);
            own.push(("dispose", "true".to_owned()));
            own.push(("disposeSavepointPath", path.to_owned()));
            own.push(("jarFile", null(&to)));
            let mut dispose = DisposeSettings::new(target, path);
            dispose.jar = to;
            Command::Dispose(dispose)
        }
        12 if version.minor() >= (1, 19) => {
            own.clear();
            let mut checkpoint = CheckpointSettings::new(target, JOB);
            checkpoint.full = dice.one_in(2);
            let kind = if checkpoint.full {
                "FULL"
            } else {
                "CONFIGURED"
            };
            own.push(("args", JOB.to_owned()));
            own.push(("checkpointType", kind.to_owned()));
            Command::Checkpoint(checkpoint)
        }
        12 => {
            own.clear();
            aimed = false;
            Command::Attach(AttachSettings::new(APPLICATION))
        }
        _ => {
            own.clear();
            aimed = false;
            let mut info = InfoSettings::new(Program::script("/a/job.py"));
            info.parallelism = Some(7);
            info.arguments = vec![dice.pick(ARGUMENTS).to_owned()];
            Command::Info(info)
        }
    };
    let mut config = Vec::new();
    if aimed {
        let target = match mode {
            YarnMode::PerJob => "yarn-per-job",
            YarnMode::Session => "yarn-session",
            YarnMode::Application => "yarn-application",
        };
        config.push(("execution.target".to_owned(), target.to_owned()));
    }
    if aimed || matches!(command, Command::Attach(_)) {
        config.push(("yarn.application.id".to_owned(), APPLICATION.to_owned()));
    }
    Wish {
        command,
        config,
        own,
    }
}

/// What was asked for and did not come: in the configuration, in the action's own class, or behind the client.
pub(crate) fn missing(
    wish: &Wish,
    version: FlinkVersion,
    words: &[String],
    said: &str,
) -> Vec<String> {
    let mut missing = Vec::new();
    let action = wish.command.action();
    match Reading::of(version, action, words) {
        Err(refusal) => missing.push(format!("refused: {refusal:?}")),
        Ok(reading) => {
            for (key, value) in &wish.config {
                let got = reading.configuration.get(key);
                if got != Some(value) {
                    missing.push(format!("{key} is {got:?} instead of {value:?}"));
                }
            }
        }
    }
    if action == Action::Session {
        return missing;
    }
    let fields: Vec<&str> = said.split('\t').collect();
    for (field, value) in &wish.own {
        let expected = format!("u:{field}={}", hex(value));
        if !fields.contains(&expected.as_str()) {
            missing.push(format!("{field} is not {value:?}: {}", plain(said)));
        }
    }
    if said.starts_with("error") || said.contains("\tlost:") {
        missing.push(plain(said));
    }
    if let Some(arguments) = arguments(&wish.command) {
        let got = fields.iter().filter_map(|field| field.strip_prefix("arg:"));
        let expected = arguments.iter().map(|argument| hex(argument));
        if !got.eq(expected) {
            missing.push(format!("arguments {arguments:?}: {}", plain(said)));
        }
    }
    missing
}

fn arguments(command: &Command) -> Option<&[String]> {
    match command {
        Command::Run(run) => Some(&run.arguments),
        Command::Info(info) => Some(&info.arguments),
        _ => None,
    }
}
