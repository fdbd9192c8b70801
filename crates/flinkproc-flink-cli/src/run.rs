//! `flink run`, `flink run-application` and `flink info`: settings → argv.
//!
//! One spelling for all versions: `-t`, `-D`, and the short options that are there since 1.12. So `-pyclientexec` (1.14) never
//! appears, and no option of the `-y` family, which Flink drops beside `-t`.

use std::collections::BTreeMap;

use flinkproc_core::{FlinkVersion, YarnMode};

use crate::config::{
    Lines, check_key, check_value, containers, insert_list, placeholder, shipped, survives,
};
use crate::error::FlinkCliError;
use crate::grammar::Action;
use crate::settings::{Archive, ClaimMode, Containers, Program, RunSettings};

impl RunSettings {
    /// Which action of the `flink` command it is.
    #[must_use]
    pub fn action(&self) -> Action {
        match self.mode {
            YarnMode::Application if !self.version.is_2() => Action::RunApplication,
            _ => Action::Run,
        }
    }

    /// The arguments of the `flink` command, from the action on.
    ///
    /// # Errors
    /// When this version cannot do it, or would drop or misread a part of it.
    pub fn argv(&self) -> Result<Vec<String>, FlinkCliError> {
        let mut line = Lines::action(self.action());
        line.target(self.mode, self.version)?;
        match (self.mode, &self.session) {
            (YarnMode::Session, Some(id)) => line.application(id)?,
            (YarnMode::Session, None) => {
                return refuse(
                    "session",
                    "session mode needs the session's YARN application",
                );
            }
            (_, Some(_)) => return refuse("session", "only session mode has one"),
            (_, None) => {}
        }
        line.configuration(&self.configuration()?);
        if self.detached {
            line.word("-d");
        }
        if self.cancel_with_client {
            line.word("-sae");
        }
        parallelism(&mut line, self.parallelism)?;
        self.restore_options(&mut line)?;
        self.python(&mut line)?;
        self.class_path(&mut line)?;
        self.arrive()?;
        program(&mut line, &self.program, &self.arguments)?;
        Ok(line.into_argv())
    }

    /// The configuration, checked.
    fn configuration(&self) -> Result<BTreeMap<String, String>, FlinkCliError> {
        let config = self.all_configuration()?;
        for (key, value) in &config {
            // A job's Python settings travel with the job, unless its main program runs on the cluster.
            let file = self.mode == YarnMode::Application || !key.starts_with("python.");
            check_value(self.version, key, value, file)?;
        }
        Ok(config)
    }

    /// The configuration with what the typed settings add to it.
    fn all_configuration(&self) -> Result<BTreeMap<String, String>, FlinkCliError> {
        let mut config = self.config.clone();
        for key in self.config.keys() {
            check_key(key)?;
            if key == "yarn.application.id" {
                let key = key.clone();
                let problem = "name the session instead";
                return Err(FlinkCliError::InvalidConfig { key, problem });
            }
        }
        if let Some(executable) = &self.python_client_executable {
            let executable = self.interpreter(executable);
            config.insert("python.client.executable".to_owned(), executable);
        }
        if self.mode == YarnMode::Session {
            if self.containers != Containers::default() {
                return refuse("containers", "a session's containers run already");
            }
            if !self.ship.is_empty() {
                return refuse("ship", "a session's containers run already");
            }
            return Ok(config);
        }
        containers(&mut config, &self.containers)?;
        if let Some(name) = &self.name {
            config
                .entry("yarn.application.name".to_owned())
                .or_insert_with(|| name.clone());
        }
        insert_list(&mut config, "yarn.tags", ',', &self.tags)?;
        // A `-C` path is looked up on every machine; shipping puts the jar onto the containers' own classpath as well.
        for path in self.jars.iter().chain(&self.ship) {
            shipped(path)?;
        }
        insert_list(&mut config, "yarn.ship-files", ';', &self.jars)?;
        insert_list(&mut config, "yarn.ship-files", ';', &self.ship)?;
        Ok(config)
    }

    fn restore_options(&self, line: &mut Lines) -> Result<(), FlinkCliError> {
        let Some(restore) = &self.restore else {
            return Ok(());
        };
        if restore.path.is_empty() || restore.path.starts_with('-') {
            return refuse("restore", "the path is empty or starts like an option");
        }
        line.option("-s", &restore.path);
        if restore.allow_non_restored {
            line.word("-n");
        }
        match (restore.claim, self.version.minor()) {
            (None, _) => {}
            (Some(ClaimMode::Legacy), minor) if minor < (1, 15) => {}
            (Some(_), minor) if minor < (1, 15) => {
                return Err(FlinkCliError::NotInVersion {
                    version: self.version,
                    what: "claim mode of a restored state (`-rm`)",
                    known: "it came with Flink 1.15",
                    instead: "Leave the claim mode out: before Flink 1.15 the state stays the user's, and the job's checkpoints may depend on it.",
                });
            }
            (Some(claim), minor) if minor < (1, 20) => line.option("-rm", claim.word()),
            (Some(claim), _) => line.option("-cm", claim.word()),
        }
        Ok(())
    }

    fn python(&self, line: &mut Lines) -> Result<(), FlinkCliError> {
        if matches!(self.program, Program::Module(_)) && self.python_files.is_empty() {
            return refuse("program", "a module needs the Python files that hold it");
        }
        let unsafe_script = self.mode == YarnMode::Application && self.version.minor() < (1, 15);
        if unsafe_script && matches!(self.program, Program::Script(_)) {
            return Err(FlinkCliError::NotInVersion {
                version: self.version,
                what: "working `-py` in application mode on YARN (FLINK-26847)",
                known: "Flink 1.15 is the first to have it",
                instead: "Run a module: `-pym` with the Python files that hold it.",
            });
        }
        if !self.python_files.is_empty() {
            line.option("-pyfs", &list(&self.python_files)?);
        }
        match (&self.python_requirements, &self.python_requirements_cache) {
            (None, None) => {}
            (Some(file), None) => line.option("-pyreq", plain(file)?),
            (Some(file), Some(cache)) => {
                self.hash_arrives("python_requirements_cache")?;
                let both = format!("{}#{}", plain(file)?, plain(cache)?);
                line.option("-pyreq", &both);
            }
            (None, Some(_)) => {
                return refuse("python_requirements_cache", "there are no requirements");
            }
        }
        if !self.python_archives.is_empty() {
            let mut all = String::new();
            for archive in &self.python_archives {
                if !all.is_empty() {
                    all.push(',');
                }
                all.push_str(plain(&archive.path)?);
                plain(&archive.directory)?;
                if !self.directory_is_lost(archive) {
                    all.push('#');
                    all.push_str(&archive.directory);
                } else if !self.only_interpreter(archive) {
                    self.hash_arrives("python_archives")?;
                }
            }
            line.option("-pyarch", &all);
        }
        if let Some(executable) = &self.python_executable {
            line.option("-pyexec", &self.interpreter(executable));
        }
        match &self.python_path {
            Some(_) if self.version.minor() < (1, 18) => {
                return Err(FlinkCliError::NotInVersion {
                    version: self.version,
                    what: "option `-pypath`",
                    known: "it came with Flink 1.18",
                    instead: "Name Python files, or set `containerized.taskmanager.env.PYTHONPATH`.",
                });
            }
            Some(path) => line.option("-pypath", path),
            None => {}
        }
        Ok(())
    }

    /// Whether `#` and what follows would get lost on the way to a main program that runs on the cluster.
    fn directory_is_lost(&self, archive: &Archive) -> bool {
        self.cuts_hashes() || archive.directory == file_name(&archive.path)
    }

    /// Up to 1.18 the client writes the configuration for the cluster as lines in which `#` starts a comment.
    fn cuts_hashes(&self) -> bool {
        self.mode == YarnMode::Application && self.version.minor() < (1, 19)
    }

    /// Whether what a main program on the cluster is told through a file of the client's gets there whole.
    fn arrive(&self) -> Result<(), FlinkCliError> {
        if !self.cuts_hashes() {
            return Ok(());
        }
        const PROBLEM: &str =
            "up to Flink 1.18 application mode loses `#`, line breaks and spaces at its ends";
        for argument in &self.arguments {
            if argument.is_empty() || !survives(self.version, argument) {
                return refuse(
                    "arguments",
                    "up to Flink 1.18 application mode loses `#`, line breaks, spaces at the ends and empty arguments: pass a file",
                );
            }
        }
        let restored = self.restore.as_ref().map(|restore| &restore.path);
        let (Program::Script(program)
        | Program::Module(program)
        | Program::Jar { path: program, .. }) = &self.program;
        let texts = [
            &self.python_executable,
            &self.python_path,
            &self.python_requirements,
        ];
        let mut texts = texts
            .into_iter()
            .flatten()
            .chain(restored)
            .chain(&self.python_files)
            .chain(&self.classpaths)
            .chain([program]);
        match texts.all(|text| survives(self.version, text)) {
            true => Ok(()),
            false => refuse("a path", PROBLEM),
        }
    }

    fn hash_arrives(&self, setting: &'static str) -> Result<(), FlinkCliError> {
        if self.cuts_hashes() {
            let problem = "up to Flink 1.18 application mode loses what stands behind a `#`: let the archive's directory be its file name";
            return Err(FlinkCliError::InvalidSetting { setting, problem });
        }
        Ok(())
    }

    /// Whether an archive is named by nothing but the interpreters, or unpacked below its file name anyway.
    fn only_interpreter(&self, archive: &Archive) -> bool {
        let below = |executable: &Option<String>| {
            let rest = executable.as_deref().unwrap_or_default();
            let rest = rest.strip_prefix(archive.directory.as_str());
            rest.is_some_and(|rest| rest.starts_with('/'))
        };
        archive.directory == file_name(&archive.path)
            || below(&self.python_executable)
            || below(&self.python_client_executable)
    }

    /// An interpreter's path; one inside an archive follows the directory that the archive is really unpacked into.
    fn interpreter(&self, executable: &str) -> String {
        let moved = self.python_archives.iter().find_map(|archive| {
            let rest = executable.strip_prefix(archive.directory.as_str())?;
            let lost = rest.starts_with('/') && self.directory_is_lost(archive);
            lost.then(|| format!("{}{rest}", file_name(&archive.path)))
        });
        moved.unwrap_or_else(|| executable.to_owned())
    }

    fn class_path(&self, line: &mut Lines) -> Result<(), FlinkCliError> {
        match (self.mode, self.jars.as_slice()) {
            // A session's containers run already: what reaches them is the job's own jar.
            (YarnMode::Session, []) => {}
            (YarnMode::Session, _) if matches!(self.program, Program::Jar { .. }) => {
                return refuse(
                    "jars",
                    "a job in a session has one jar, the program: pack others into it, below `lib/`",
                );
            }
            (YarnMode::Session, [jar]) => {
                file_url(jar)?;
                line.option("-j", jar);
            }
            (YarnMode::Session, _) => {
                return refuse(
                    "jars",
                    "a job in a session takes one jar: pack them into one, below `lib/`",
                );
            }
            // There the program runs in a container, whose classpath holds what is shipped.
            (YarnMode::Application, _) => {}
            (YarnMode::PerJob, jars) => {
                for jar in jars {
                    line.option("-C", &file_url(jar)?);
                }
            }
        }
        for url in &self.classpaths {
            if !["file:", "http:", "https:", "ftp:"]
                .iter()
                .any(|scheme| url.starts_with(scheme))
            {
                return refuse(
                    "classpaths",
                    "a classpath is a URL that Java knows, such as `file:///path/to.jar`",
                );
            }
            line.option("-C", url);
        }
        Ok(())
    }
}

/// `flink info`: prints the plan of a program without running it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InfoSettings {
    /// The program.
    pub program: Program,
    /// The program's own arguments.
    pub arguments: Vec<String>,
    /// Default parallelism of the plan.
    pub parallelism: Option<u32>,
    /// Files, zip files or directories that go onto `PYTHONPATH`.
    pub python_files: Vec<String>,
}

impl InfoSettings {
    /// Prints the plan of a program.
    #[must_use]
    pub const fn new(program: Program) -> Self {
        Self {
            program,
            arguments: Vec::new(),
            parallelism: None,
            python_files: Vec::new(),
        }
    }

    /// The arguments of the `flink` command; the same for every version.
    ///
    /// # Errors
    /// When Flink would misread a part of it.
    pub fn argv(&self, _version: FlinkVersion) -> Result<Vec<String>, FlinkCliError> {
        let mut line = Lines::action(Action::Info);
        parallelism(&mut line, self.parallelism)?;
        if !self.python_files.is_empty() {
            line.option("-pyfs", &list(&self.python_files)?);
        } else if matches!(self.program, Program::Module(_)) {
            return refuse("program", "a module needs the Python files that hold it");
        }
        program(&mut line, &self.program, &self.arguments)?;
        Ok(line.into_argv())
    }
}

fn refuse<T>(setting: &'static str, problem: &'static str) -> Result<T, FlinkCliError> {
    Err(FlinkCliError::InvalidSetting { setting, problem })
}

fn parallelism(line: &mut Lines, parallelism: Option<u32>) -> Result<(), FlinkCliError> {
    match parallelism.map(i32::try_from) {
        None => Ok(()),
        Some(Ok(number)) if number > 0 => {
            line.option("-p", &number.to_string());
            Ok(())
        }
        Some(_) => Err(FlinkCliError::InvalidConfig {
            key: "parallelism".to_owned(),
            problem: "it is a positive number",
        }),
    }
}

fn program(line: &mut Lines, program: &Program, arguments: &[String]) -> Result<(), FlinkCliError> {
    let named = |name: &str| match name {
        "" => refuse("program", "its name is empty"),
        name if name.starts_with('-') => refuse("program", "its name starts like an option"),
        _ => Ok(()),
    };
    match program {
        Program::Script(path) if path.contains("://") => {
            return Err(FlinkCliError::RemoteScript { path: path.clone() });
        }
        Program::Script(path) => {
            named(path)?;
            line.option("-py", path);
        }
        Program::Module(module) => {
            named(module)?;
            line.option("-pym", module);
        }
        Program::Jar { path, class } => {
            if let Some(class) = class {
                named(class)?;
                line.option("-c", class);
            }
            named(path)?;
            line.word(path);
        }
    }
    // Behind a script Flink goes on to look for options of its own, and so does `PythonDriver`: a `--` for each.
    let python = !matches!(program, Program::Jar { .. });
    if python
        && arguments
            .first()
            .is_some_and(|first| first.starts_with('-'))
    {
        line.option("--", "--");
    }
    for argument in arguments {
        line.word(argument);
    }
    Ok(())
}

fn invalid_path(path: &str, problem: &'static str) -> FlinkCliError {
    FlinkCliError::InvalidPath {
        path: path.to_owned(),
        problem,
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A path that stands in a list, or before a `#`.
fn plain(path: &str) -> Result<&str, FlinkCliError> {
    if path.is_empty() || path.starts_with('-') {
        return Err(invalid_path(
            path,
            "the name is empty or starts like an option",
        ));
    }
    if path.contains([',', '#']) {
        return Err(invalid_path(
            path,
            "a comma separates files, `#` a directory's name",
        ));
    }
    Ok(path)
}

fn list(paths: &[String]) -> Result<String, FlinkCliError> {
    let mut list = String::new();
    for path in paths {
        if !list.is_empty() {
            list.push(',');
        }
        list.push_str(plain(path)?);
    }
    Ok(list)
}

/// A `file:` URL; the placeholder characters of a caller pass through.
fn file_url(path: &str) -> Result<String, FlinkCliError> {
    if path.is_empty() {
        return Err(invalid_path(path, "the name is empty"));
    }
    let mut url = String::from("file://");
    for byte in path.bytes() {
        let letter = char::from(byte);
        if byte.is_ascii_alphanumeric()
            || matches!(byte, b'/' | b'.' | b'-' | b'_' | b'~')
            || placeholder(letter)
        {
            url.push(letter);
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use flinkproc_core::{Explain, YarnMode};

    use crate::error::FlinkCliError;
    use crate::settings::{Archive, Program, RunSettings};

    fn settings(version: &str) -> RunSettings {
        let version = version.parse().expect("version");
        RunSettings::new(version, YarnMode::PerJob, Program::script("/a/entry.py"))
    }

    #[test]
    fn everything_at_once_in_the_same_spelling_for_every_version() {
        let build = |version| {
            let mut all = settings(version)
                .name("my etl")
                .tag("flinkproc-d-1")
                .parallelism(2)
                .config("taskmanager.memory.process.size", "1024m")
                .config("yarn.tags", "mine")
                .argument("/a/entry.json");
            all.python_files = vec!["/a/lib.zip".into(), "/a/util.py".into()];
            all.python_requirements = Some("/a/requirements.txt".into());
            all.python_archives = vec![Archive {
                path: "/a/model.zip".into(),
                directory: "model".into(),
            }];
            all.python_executable = Some("/opt/python".into());
            all.python_client_executable = Some("/opt/python".into());
            all.jars = vec!["/a/kafka client.jar".into()];
            all.argv().expect("valid").join("\n")
        };
        insta::assert_snapshot!(build("1.12"), @r"
        run
        -t
        yarn-per-job
        -Dpython.client.executable=/opt/python
        -Dtaskmanager.memory.process.size=1024m
        -Dyarn.application.name=my etl
        -Dyarn.ship-files=/a/kafka client.jar
        -Dyarn.tags=mine,flinkproc-d-1
        -p
        2
        -pyfs
        /a/lib.zip,/a/util.py
        -pyreq
        /a/requirements.txt
        -pyarch
        /a/model.zip#model
        -pyexec
        /opt/python
        -C
        file:///a/kafka%20client.jar
        -py
        /a/entry.py
        /a/entry.json
        ");
        for version in ["1.13", "1.15.4", "1.17.0", "1.20"] {
            assert_eq!(build(version), build("1.12"), "{version}");
        }
    }

    #[test]
    fn what_we_emit_passes_our_own_lint() {
        for version in ["1.12", "1.17", "1.20"] {
            let argv = settings(version).parallelism(1).config("a", "b").argv();
            let argv = argv.expect("valid");
            crate::lint(version.parse().expect("version"), &argv).expect("clean");
        }
    }

    #[test]
    fn refusals_name_the_reason() {
        let check = |settings: &RunSettings, expected: &str| {
            let error = settings.argv().expect_err("refused");
            let text = format!("{}: {error}", error.code());
            assert_eq!(text, expected);
        };
        check(
            &settings("2.2"),
            "FLK001: Flink 2.2 has no per-job mode on YARN: it was removed in Flink 2.0",
        );
        let mut session = settings("1.17");
        session.mode = YarnMode::Session;
        check(
            &session,
            "FLK010: the setting `session` cannot be: session mode needs the session's YARN application",
        );
        let mut remote = settings("1.17");
        remote.program = Program::script("gs://bucket/x.py");
        check(
            &remote,
            "FLK005: `-py` takes a path on the master and cannot read `gs://bucket/x.py`",
        );
        check(
            &settings("1.17").config("execution.target", "local"),
            "FLK007: the Flink configuration key `execution.target` cannot be set: the mode decides it",
        );
        check(
            &settings("1.17").config("a b", "c"),
            "FLK007: the Flink configuration key `a b` cannot be set: a key is not empty and holds no `=`, space or control character",
        );
        check(
            &settings("1.17").parallelism(0),
            "FLK007: the Flink configuration key `parallelism` cannot be set: it is a positive number",
        );
        let mut comma = settings("1.17");
        comma.python_files = vec!["a,b.zip".into()];
        assert!(matches!(
            comma.argv(),
            Err(FlinkCliError::InvalidPath { .. })
        ));
    }
}
