//! What is wrong with the program that a line runs, and with the options of the other actions.

use super::{Check, Rule, right};
use crate::grammar::Action;

impl Check<'_, '_> {
    pub(super) fn program(&mut self) {
        let intent = self.intent;
        let version = self.version;
        if self.action == Action::Info {
            if right::job_like(intent) {
                let (at, word) = intent.jar.unwrap_or_default();
                let happens = format!(
                    "`flink info` prints the plan of a program: it takes `{word}` for a jar file, which is not there"
                );
                let help = "`flink list` and the REST API tell of jobs";
                self.find(
                    Rule::InfoOfJob,
                    at..at + 1,
                    happens,
                    "it asks no cluster about anything",
                    help,
                );
            }
            return;
        }
        let application = right::target(version, self.action, intent)
            .is_some_and(|target| target.ends_with("application"));
        if let Some((at, path)) = intent.script {
            if path.contains("://") {
                let happens = format!("Flink opens `{path}` as a local file, which is not there");
                let help = "bring the script to the master first and name the copy";
                self.find(
                    Rule::RemoteScript,
                    at..at + 2,
                    happens,
                    "the Python driver takes a path on the machine that it runs on",
                    help,
                );
            }
            let shipped = intent.setting("yarn.ship-files").is_some();
            if application && (!shipped || version.minor() < (1, 15)) {
                let happens = if shipped {
                    format!(
                        "Flink {version} looks for the script in another folder than the one that is shipped"
                    )
                } else {
                    "`main()` runs on a worker, and no worker has the script: nobody ships it"
                        .to_owned()
                };
                let why = "in application mode the program runs in the JobManager's container; nothing on the master is there";
                let help = "put the code into a folder, ship it with `-Dyarn.ship-files`, and name the module: `-pyfs FOLDER -pym MODULE`";
                self.find(Rule::NotShipped, at..at + 2, happens, why, help);
            }
        }
        if let Some((at, jar)) = intent
            .jar
            .filter(|(_, jar)| jar.ends_with(".py") && !intent.is_python())
        {
            let happens = format!("Flink takes `{jar}` for a jar file and fails");
            self.find(
                Rule::ScriptAsJar,
                at..at + 1,
                happens,
                "only `-py` and `-pym` make a Python job of a line",
                format!("write `-py {jar}`"),
            );
        }
        if let Some((at, module)) = intent.module.filter(|_| intent.python_files.is_empty()) {
            let files = intent.setting("python.files").is_some();
            if !files {
                let happens = format!("Flink refuses `-pym {module}` without `-pyfs`");
                self.find(
                    Rule::ModuleWithoutFiles,
                    at..at + 2,
                    happens,
                    "a module is looked for in the Python files",
                    "name the files that hold it with `-pyfs`",
                );
            }
        }
        self.files();
        if let Some(at) = intent.detached {
            let happens =
                "the client leaves at submission: its exit status says nothing of the job"
                    .to_owned();
            self.find(
                Rule::Detached,
                at..at + 1,
                happens,
                "`-d` detaches it",
                "ask YARN for the final status, or stay attached",
            );
        }
        if let Some(at) = intent.lax.filter(|_| intent.restore.is_none()) {
            let happens = "`-n` does nothing without `-s`".to_owned();
            self.find(
                Rule::NoEffect,
                at..at + 1,
                happens,
                "it allows a savepoint to hold more than the job restores",
                "name the savepoint with `-s`, or leave it out",
            );
        }
    }

    /// Python files, archives, shipped files and the environment.
    fn files(&mut self) {
        let intent = self.intent;
        let interpreter = intent.python.iter().any(|(short, _)| *short == "pyexec")
            || intent.setting("python.executable").is_some();
        let plain = intent
            .python_archives
            .iter()
            .any(|archive| !archive.contains('#'));
        if plain && !interpreter {
            let at = self.position("pyarch", "pyArchives");
            let happens = "the workers unpack the archive, and nothing in it is on the Python path"
                .to_owned();
            let why = "an archive is a folder beside the program: for modules there are `-pyfs`, for an interpreter `-pyexec`";
            self.find(Rule::ArchiveUnused, at..at + 2, happens, why, "put modules into `-pyfs`, or a whole interpreter into the archive and name it with `-pyexec`");
        }
        for (key, value) in &intent.config {
            let at = self
                .words
                .iter()
                .position(|word| word.contains(key.as_ref()))
                .unwrap_or_default();
            if key.ends_with("PYTHONHOME") {
                let happens = "the shipped interpreter does not find its own library: `No module named 'encodings'`".to_owned();
                self.find(
                    Rule::PythonHome,
                    at..at + 1,
                    happens,
                    "PYTHONHOME says where an interpreter's library is, for every interpreter",
                    "leave it out and name the interpreter with `-pyexec`",
                );
            }
            if key == "yarn.ship-files" && value.contains("gs://") && self.version.minor() < (1, 18)
            {
                let happens = format!(
                    "Flink {} takes `gs://` there for a file on this machine",
                    self.version
                );
                self.find(
                    Rule::RemoteFile,
                    at..at + 1,
                    happens,
                    "remote files came with a later version",
                    "bring the files to the master first",
                );
            }
        }
    }

    fn position(&self, short: &str, long: &str) -> usize {
        let mut words = self.words.iter();
        let found = words.position(|word| {
            let name = super::intent::bare(word)
                .split('=')
                .next()
                .unwrap_or_default();
            name == short || name == long
        });
        found.unwrap_or_default()
    }

    pub(super) fn on_job(&mut self) {
        let intent = self.intent;
        match self.action {
            Action::Stop => {
                if let Some(at) = intent
                    .detached
                    .filter(|at| !matches!(self.word(*at), "--drain" | "--detached"))
                {
                    let happens = "`-d` of `flink stop` means drain: windows fire, and the job cannot go on from the savepoint as before".to_owned();
                    self.find(
                        Rule::OtherMeaning,
                        at..at + 1,
                        happens,
                        "it is `--drain` there, not `--detached`",
                        "leave it out, or write `--drain` where that is meant",
                    );
                }
            }
            Action::Savepoint => {
                if let Some((at, path)) = self
                    .words
                    .iter()
                    .enumerate()
                    .find(|(_, word)| **word == "-d")
                    .map(|(at, _)| (at, self.word(at + 1).to_owned()))
                {
                    let happens = format!(
                        "Flink reads `-d` as an option without a value there, and takes `{path}` for a job"
                    );
                    self.find(Rule::OtherMeaning, at..at + 2, happens, "YARN's parser has a `-d` of its own, which takes the place of this action's", "write `--dispose`");
                }
            }
            Action::Cancel if intent.own.iter().any(|(short, _)| *short == "s") => {
                let at = self.position("s", "withSavepoint");
                let happens = "`flink cancel -s` works, and is deprecated".to_owned();
                self.find(
                    Rule::Deprecated,
                    at..at + 1,
                    happens,
                    "the job may still write results between the savepoint and its end",
                    "write `flink stop -p DIRECTORY JOB`",
                );
            }
            _ => {}
        }
    }
}
