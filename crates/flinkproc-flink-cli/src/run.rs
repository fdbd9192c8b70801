//! `flink run` in per-job mode: settings → argv, for Flink 1.12 to 1.20.
//!
//! One spelling for all versions: the short Python options and the configuration keys that are there since 1.12. So
//! `-pyclientexec` (1.14) never appears, and no option of the `-y` family, which Flink drops beside `-t`.

use std::collections::BTreeMap;

use flinkproc_core::YarnMode;

use crate::error::FlinkCliError;
use crate::settings::{Program, RunSettings};

/// Keys that have a typed setting, or that choose the mode: two places for one value would hide one of them.
const OWNED: [(&str, &str); 4] = [
    ("execution.target", "the mode decides it"),
    (
        "execution.attached",
        "the client stays attached, so that its exit status is the job's",
    ),
    ("parallelism.default", "set the parallelism instead"),
    ("python.files", "name Python files instead"),
];

impl RunSettings {
    /// The arguments of the `flink` command, from `run` on.
    ///
    /// # Errors
    /// When this version cannot do it, or would drop or misread a part of it.
    pub fn argv(&self) -> Result<Vec<String>, FlinkCliError> {
        self.check_mode()?;
        let mut argv = vec!["run".to_owned(), "-t".to_owned(), "yarn-per-job".to_owned()];
        for (key, value) in self.configuration()? {
            argv.push(format!("-D{key}={value}"));
        }
        let mut option = |name: &str, value: String| argv.extend([name.to_owned(), value]);
        if let Some(parallelism) = self.parallelism {
            option("-p", positive(parallelism)?);
        }
        if !self.python_files.is_empty() {
            option("-pyfs", list(&self.python_files)?);
        }
        if let Some(requirements) = &self.python_requirements {
            option("-pyreq", plain(requirements)?.to_owned());
        }
        if !self.python_archives.is_empty() {
            let archives = self.python_archives.iter().map(|archive| {
                let directory = plain(&archive.directory)?;
                Ok(format!("{}#{directory}", plain(&archive.path)?))
            });
            option(
                "-pyarch",
                archives.collect::<Result<Vec<_>, _>>()?.join(","),
            );
        }
        if let Some(executable) = &self.python_executable {
            option("-pyexec", executable.clone());
        }
        for jar in &self.jars {
            option("-C", file_url(jar)?);
        }
        match &self.program {
            Program::Script(path) if path.contains("://") => {
                return Err(FlinkCliError::RemoteScript { path: path.clone() });
            }
            Program::Script(path) => option("-py", path.clone()),
            Program::Module(module) => option("-pym", module.clone()),
        }
        argv.extend(self.arguments.iter().cloned());
        Ok(argv)
    }

    fn check_mode(&self) -> Result<(), FlinkCliError> {
        match self.mode {
            YarnMode::PerJob if self.version.is_2() => Err(FlinkCliError::PerJobRemoved {
                version: self.version,
            }),
            YarnMode::PerJob => Ok(()),
            mode => Err(FlinkCliError::ModeNotBuilt { mode }),
        }
    }

    /// The configuration with what the typed settings add to it.
    fn configuration(&self) -> Result<BTreeMap<String, String>, FlinkCliError> {
        let mut config = self.config.clone();
        for (key, value) in &self.config {
            check_entry(key, value)?;
        }
        if let Some(name) = &self.name {
            config
                .entry("yarn.application.name".to_owned())
                .or_insert_with(|| name.clone());
        }
        if let Some(executable) = &self.python_client_executable {
            config.insert("python.client.executable".to_owned(), executable.clone());
        }
        append(&mut config, "yarn.tags", ",", &self.tags);
        // A `-C` path is looked up on every machine; shipping puts the jar onto the containers' own classpath as well.
        for jar in &self.jars {
            if jar.contains(';') {
                let problem = "a semicolon separates the files that Flink ships";
                return Err(invalid_path(jar, problem));
            }
        }
        append(&mut config, "yarn.ship-files", ";", &self.jars);
        Ok(config)
    }
}

fn append(config: &mut BTreeMap<String, String>, key: &str, separator: &str, more: &[String]) {
    if more.is_empty() {
        return;
    }
    let own = config.get(key).filter(|own| !own.is_empty()).cloned();
    let all: Vec<String> = own.into_iter().chain(more.iter().cloned()).collect();
    config.insert(key.to_owned(), all.join(separator));
}

fn check_entry(key: &str, value: &str) -> Result<(), FlinkCliError> {
    let refuse = |problem| {
        let key = key.to_owned();
        Err(FlinkCliError::InvalidConfig { key, problem })
    };
    if let Some((_, reason)) = OWNED.iter().find(|(owned, _)| *owned == key) {
        return refuse(reason);
    }
    if key.is_empty() || key.contains(|c: char| c == '=' || c.is_whitespace() || c.is_control()) {
        return refuse("a key is not empty and holds no `=`, space or control character");
    }
    if value.contains('\0') {
        return refuse("a value holds no NUL character");
    }
    Ok(())
}

fn positive(parallelism: u32) -> Result<String, FlinkCliError> {
    if parallelism == 0 {
        let key = "parallelism".to_owned();
        let problem = "it is a positive number";
        return Err(FlinkCliError::InvalidConfig { key, problem });
    }
    Ok(parallelism.to_string())
}

fn invalid_path(path: &str, problem: &'static str) -> FlinkCliError {
    FlinkCliError::InvalidPath {
        path: path.to_owned(),
        problem,
    }
}

/// A path that stands in a list, or before a `#`.
fn plain(path: &str) -> Result<&str, FlinkCliError> {
    if path.is_empty() {
        return Err(invalid_path(path, "the name is empty"));
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
    let plain: Result<Vec<&str>, _> = paths.iter().map(|path| plain(path)).collect();
    Ok(plain?.join(","))
}

/// A `file:` URL; the placeholder characters of a caller pass through.
fn file_url(path: &str) -> Result<String, FlinkCliError> {
    let mut url = String::from("file://");
    for byte in path.bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'~' | 1..=31 => url.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => url.push(char::from(byte)),
            byte => url.push_str(&format!("%{byte:02X}")),
        }
    }
    if path.is_empty() {
        return Err(invalid_path(path, "the name is empty"));
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
            "FLK002: flinkproc does not run jobs in session mode yet",
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
