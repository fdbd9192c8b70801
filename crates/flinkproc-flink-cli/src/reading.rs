//! What a Flink would do with a line: which of its parsers is active, and what configuration and program come out.
//!
//! Flink asks its parsers in turn (`GenericCLI`, `FlinkYarnSessionCli`, `DefaultCLI`) which one is active. All of them know
//! every option, only the active one turns options into configuration: the others' values get lost without a word.

use std::collections::BTreeMap;
use std::fmt;

use flinkproc_core::FlinkVersion;

use crate::grammar::{Action, FlinkOption, Grammar};
use crate::memory::process_size;
use crate::words::{Rules, Unreadable, Words};

/// Which of Flink's parsers turns the options into configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActiveParser {
    /// `GenericCLI`: the target is named by `-t` or `-e`.
    Generic,
    /// `FlinkYarnSessionCli`: `-m yarn-cluster` or `-yid`.
    Yarn,
    /// `DefaultCLI`: a cluster at an address.
    Default,
}

impl fmt::Display for ActiveParser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Generic => "GenericCLI",
            Self::Yarn => "FlinkYarnSessionCli",
            Self::Default => "DefaultCLI",
        })
    }
}

/// What a version makes of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The action.
    pub action: Action,
    /// The options as they were read, and what was left over.
    pub words: Words,
    /// The active parser.
    pub parser: ActiveParser,
    /// The configuration that comes of it, but for what Flink's own configuration file holds.
    pub configuration: BTreeMap<String, String>,
    /// The entry class, if one is named or follows from the options.
    pub class: Option<String>,
    /// The file that is taken for the program.
    pub program: Option<String>,
    /// The program's arguments; for other actions the words that are left over, such as a job's id.
    pub arguments: Vec<String>,
}

/// Why a version refuses a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The words do not parse.
    Words(Unreadable),
    /// This version has no such action.
    NoAction,
    /// An option has a value that Flink does not take.
    Value {
        /// The option.
        option: &'static FlinkOption,
        /// The value.
        value: String,
    },
}

impl Reading {
    /// Reads the words behind the action.
    ///
    /// # Errors
    /// Where Flink would refuse the line.
    pub fn of<S: AsRef<str>>(
        version: FlinkVersion,
        action: Action,
        line: &[S],
    ) -> Result<Self, Refusal> {
        if !action.is_in(version) {
            return Err(Refusal::NoAction);
        }
        let grammar = Grammar::of(action, version);
        let stop = action.takes_program() || action == Action::Session;
        let rules = Rules::of(version, stop);
        let words = Words::read(&grammar, line, rules).map_err(Refusal::Words)?;
        let parser = active(action, &words);
        let mut reading = Self {
            action,
            parser,
            configuration: BTreeMap::new(),
            class: None,
            program: None,
            arguments: words.rest.clone(),
            words,
        };
        if action.takes_program() {
            reading.program()?;
        }
        match parser {
            ActiveParser::Generic => reading.generic(),
            ActiveParser::Yarn => reading.yarn(version)?,
            ActiveParser::Default => reading.default(version)?,
        }
        if action.takes_program() {
            reading.run(version)?;
        }
        Ok(reading)
    }

    fn set(&mut self, key: &str, value: impl Into<String>) {
        self.configuration.insert(key.to_owned(), value.into());
    }

    fn take(&self, short: &str) -> Option<String> {
        self.words.value(short).map(str::to_owned)
    }

    /// Refuses the value of an option.
    fn refused(&self, short: &str) -> Refusal {
        let mut options = self.words.options.iter();
        match options.find(|taken| taken.option.short == short) {
            Some(taken) => Refusal::Value {
                option: taken.option,
                value: taken.values.first().cloned().unwrap_or_default(),
            },
            None => Refusal::NoAction,
        }
    }

    fn pairs(&mut self, short: &str) {
        let pairs = self.words.pairs(short);
        let pairs: Vec<_> = pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        self.configuration.extend(pairs);
    }

    fn generic(&mut self) {
        for short in ["e", "t"] {
            if let Some(target) = self.take(short) {
                self.set("execution.target", target);
            }
        }
        self.pairs("D");
    }

    fn default(&mut self, version: FlinkVersion) -> Result<(), Refusal> {
        if let Some(namespace) = self.take("z") {
            self.set("high-availability.cluster-id", namespace);
        }
        if let Some(address) = self.words.value("m") {
            let schemes = version.minor() >= (1, 19);
            let address = Address::read(address).filter(|address| schemes || !address.scheme);
            let address = address.ok_or_else(|| self.refused("m"))?;
            let Address { host, port, .. } = &address;
            for (key, value) in [
                ("jobmanager.rpc.address", host),
                ("jobmanager.rpc.port", port),
                ("rest.address", host),
                ("rest.port", port),
            ] {
                self.set(key, value.clone());
            }
            if schemes {
                self.set("rest.path", address.path);
                self.set("security.ssl.rest.enabled", address.https.to_string());
            }
        }
        self.set("execution.target", "remote");
        self.pairs("D");
        Ok(())
    }

    fn yarn(&mut self, version: FlinkVersion) -> Result<(), Refusal> {
        let prefix = if self.action == Action::Session {
            ""
        } else {
            "y"
        };
        let name = |short: &str| format!("{prefix}{short}");
        let texts = [
            ("qu", "yarn.application.queue"),
            ("nm", "yarn.application.name"),
            ("at", "yarn.application.type"),
            ("nl", "yarn.application.node-label"),
        ];
        if let Some(jar) = self.take(&name("j")) {
            self.set("yarn.flink-dist-jar", hadoop_path(&jar));
        }
        if self.words.has(&name("t")) {
            let paths: Vec<&str> = self.words.values(&name("t")).collect();
            let paths = paths.join(";");
            self.set("yarn.ship-files", paths);
        }
        for (short, key) in texts {
            if let Some(value) = self.take(&name(short)) {
                self.set(key, value);
            }
        }
        let detached = self.words.has("yd") || self.words.has("d");
        self.set("execution.attached", (!detached).to_string());
        let namespace = self.take(&name("z")).or_else(|| self.take("z"));
        if let Some(namespace) = namespace {
            self.set("high-availability.cluster-id", namespace);
        }
        match self.take(&name("id")) {
            Some(id) => {
                let id = application_id(&id).ok_or_else(|| self.refused(&name("id")))?;
                let cluster = "high-availability.cluster-id".to_owned();
                self.configuration
                    .entry(cluster)
                    .or_insert_with(|| id.clone());
                self.set("yarn.application.id", id);
                self.set("execution.target", "yarn-session");
            }
            None if version.is_2() => self.set("execution.target", "yarn-session"),
            None => self.set("execution.target", "yarn-per-job"),
        }
        for (short, key) in [
            ("jm", "jobmanager.memory.process.size"),
            ("tm", "taskmanager.memory.process.size"),
        ] {
            if let Some(size) = self.take(&name(short)) {
                let size = process_size(&size).ok_or_else(|| self.refused(&name(short)))?;
                self.set(key, size);
            }
        }
        if let Some(slots) = self.take(&name("s")) {
            let slots = java_int(&slots).ok_or_else(|| self.refused(&name("s")))?;
            self.set("taskmanager.numberOfTaskSlots", slots.to_string());
        }
        self.yarn_properties(&name("D"));
        Ok(())
    }

    /// Values of `-yD` are joined by `@@` and parted again, which a value that holds `@@` does not survive.
    fn yarn_properties(&mut self, short: &str) {
        let mut last: BTreeMap<&str, &str> = BTreeMap::new();
        last.extend(self.words.pairs(short));
        let joined: Vec<String> = last.iter().map(|(k, v)| format!("{k}={v}")).collect();
        for piece in joined.join("@@").split("@@") {
            if let Some((key, value)) = piece.split_once('=') {
                let key = key.trim_matches(java_space);
                if !key.is_empty() {
                    self.set(key, value.trim_matches(java_space));
                }
            }
        }
    }

    fn is_python(&self) -> bool {
        self.words.has("py")
            || self.words.has("pym")
            || self.words.value("c") == Some("org.apache.flink.client.python.PythonGatewayServer")
    }

    /// Which program the line names, and with what arguments.
    fn program(&mut self) -> Result<(), Refusal> {
        self.class = self.take("c");
        self.program = self.take("j");
        let mut arguments = if self.words.has("a") {
            self.words.values("a").map(str::to_owned).collect()
        } else {
            self.words.rest.clone()
        };
        if self.is_python() {
            let options = self.words.options.iter();
            let python = options.filter(|taken| matches!(taken.option.short, "py" | "pym"));
            let pairs = python.flat_map(|taken| {
                let value = taken.values.first().cloned().unwrap_or_default();
                [format!("--{}", taken.option.long), value]
            });
            arguments.splice(0..0, pairs.collect::<Vec<_>>());
            let driver = || "org.apache.flink.client.python.PythonDriver".to_owned();
            self.class.get_or_insert_with(driver);
        } else if !arguments.is_empty() && !self.words.has("j") {
            self.program = Some(arguments.remove(0));
        }
        self.arguments = arguments;
        Ok(())
    }

    /// What the options of a program leave in the configuration, whichever parser is active.
    fn run(&mut self, version: FlinkVersion) -> Result<(), Refusal> {
        if let Some(parallelism) = self.words.value("p") {
            let none = (version.minor() >= (1, 15)).then_some(-1);
            let number =
                java_int(parallelism).filter(|number| *number > 0 || Some(*number) == none);
            let number = number.ok_or_else(|| self.refused("p"))?;
            self.set("parallelism.default", number.to_string());
        }
        let detached = self.words.has("d") || self.words.has("yd");
        self.set("execution.attached", (!detached).to_string());
        let shutdown = self.words.has("sae");
        self.set("execution.shutdown-on-attached-exit", shutdown.to_string());
        let paths = self.words.values("C").map(java_url);
        let paths: Option<Vec<String>> = paths.collect();
        let paths = paths.ok_or_else(|| self.refused("C"))?;
        if !paths.is_empty() {
            self.set("pipeline.classpaths", paths.join(";"));
        }
        self.restore(version)?;
        for (short, key) in [
            ("pyreq", "python.requirements"),
            ("pyexec", "python.executable"),
            ("pyclientexec", "python.client.executable"),
            ("pypath", "python.pythonpath"),
        ] {
            if let Some(value) = self.take(short) {
                self.set(key, value);
            }
        }
        for (short, key) in [("pyfs", "python.files"), ("pyarch", "python.archives")] {
            if let Some(value) = self.take(short) {
                let value = match self.configuration.get(key) {
                    Some(before) if !version.is_2() => format!("{value},{before}"),
                    _ => value,
                };
                self.set(key, value);
            }
        }
        Ok(())
    }

    fn restore(&mut self, version: FlinkVersion) -> Result<(), Refusal> {
        let minor = version.minor();
        let (prefix, claim) = if minor >= (1, 20) {
            (
                "execution.state-recovery",
                "execution.state-recovery.claim-mode",
            )
        } else {
            ("execution.savepoint", "execution.savepoint-restore-mode")
        };
        let path = self.take("s");
        let lax = path.is_some() && self.words.has("n");
        self.set(&format!("{prefix}.ignore-unclaimed-state"), lax.to_string());
        let mut mode = "NO_CLAIM".to_owned();
        if let Some(path) = path {
            self.set(&format!("{prefix}.path"), path);
            for short in ["cm", "rm"] {
                if let Some(wish) = self.words.value(short) {
                    let wish = wish.to_uppercase();
                    if !["CLAIM", "NO_CLAIM", "LEGACY"].contains(&wish.as_str()) {
                        return Err(self.refused(short));
                    }
                    mode = wish;
                    break;
                }
            }
        }
        if minor >= (1, 15) {
            self.set(claim, mode);
        }
        Ok(())
    }
}

fn active(action: Action, words: &Words) -> ActiveParser {
    if action == Action::Session {
        ActiveParser::Yarn
    } else if words.has("t") || words.has("e") {
        ActiveParser::Generic
    } else if words.value("m") == Some("yarn-cluster") || words.has("yid") {
        ActiveParser::Yarn
    } else {
        ActiveParser::Default
    }
}

/// A number as Java's `Integer.parseInt` reads it.
fn java_int(text: &str) -> Option<i32> {
    text.parse().ok()
}

/// What Java's `String.trim` takes off.
fn java_space(letter: char) -> bool {
    letter <= ' '
}

fn application_id(text: &str) -> Option<String> {
    let (cluster, number) = text.strip_prefix("application_")?.split_once('_')?;
    let cluster: i64 = cluster.parse().ok()?;
    let number: i32 = number.parse().ok()?;
    Some(format!("application_{cluster}_{number:04}"))
}

/// Where a cluster is: `[http[s]://]HOST:PORT[/PATH]`.
struct Address {
    scheme: bool,
    https: bool,
    host: String,
    port: String,
    path: String,
}

impl Address {
    fn read(text: &str) -> Option<Self> {
        let https = text.starts_with("https://");
        let rest = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"));
        let rest = rest.unwrap_or(text);
        let end = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end)?;
        let (host, port) = authority.rsplit_once(':')?;
        let port: u16 = port.parse().ok()?;
        (!host.is_empty()).then(|| Self {
            scheme: rest.len() < text.len(),
            https,
            host: host.to_owned(),
            port: port.to_string(),
            path: path.to_owned(),
        })
    }
}

/// A local path as Hadoop's `Path` writes it.
fn hadoop_path(text: &str) -> String {
    let text = text.strip_prefix("file://").unwrap_or(text);
    let end = text.find('/').unwrap_or(text.len());
    let (authority, path) = text.split_at_checked(end).unwrap_or((text, ""));
    let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
    match (authority, names.as_slice()) {
        ("", names) => format!("file:/{}", names.join("/")),
        (authority, []) => format!("file://{authority}"),
        (authority, names) => format!("file://{authority}/{}", names.join("/")),
    }
}

/// A URL as Java reads and writes it; `None` where it does not know the scheme.
fn java_url(text: &str) -> Option<String> {
    let text = text.trim_matches(java_space);
    let (scheme, rest) = text.split_once(':')?;
    let scheme = scheme.to_ascii_lowercase();
    let known = ["file", "http", "https", "ftp", "jar", "jrt"].contains(&scheme.as_str());
    let rest = rest
        .strip_prefix("//")
        .filter(|path| path.starts_with('/'))
        .unwrap_or(rest);
    known.then(|| format!("{scheme}:{rest}"))
}
