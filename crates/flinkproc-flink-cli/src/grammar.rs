//! What Flink's command lines may hold: the actions, and which option each has in which version.
//!
//! Source: the options that each release's own classes declare (`CliFrontendParser`, `GenericCLI`, `FlinkYarnSessionCli`,
//! `DefaultCLI`), for 1.12 to 2.2; a test asks these classes.

use std::fmt;

use flinkproc_core::FlinkVersion;

/// A major and a minor number.
pub type Minor = (u8, u8);

/// What the `flink` command or `yarn-session.sh` is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// `flink run`: runs a program; its `main()` runs in the client, unless a target of Flink 2 says otherwise.
    Run,
    /// `flink run-application`: runs a program whose `main()` runs on the cluster.
    RunApplication,
    /// `flink info`: prints the plan of a program.
    Info,
    /// `flink list`: lists the jobs of a cluster.
    List,
    /// `flink cancel`: cancels a job.
    Cancel,
    /// `flink stop`: stops a job with a savepoint.
    Stop,
    /// `flink savepoint`: takes a savepoint, or disposes of one.
    Savepoint,
    /// `flink checkpoint`: takes a checkpoint.
    Checkpoint,
    /// `yarn-session.sh`: starts a session on YARN, or attaches to one.
    Session,
}

impl Action {
    /// Every action, in the order of Flink's own help.
    pub const ALL: [Self; 9] = [
        Self::Run,
        Self::RunApplication,
        Self::Info,
        Self::List,
        Self::Stop,
        Self::Cancel,
        Self::Savepoint,
        Self::Checkpoint,
        Self::Session,
    ];

    /// The word behind `flink`, or the name of the script.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::RunApplication => "run-application",
            Self::Info => "info",
            Self::List => "list",
            Self::Cancel => "cancel",
            Self::Stop => "stop",
            Self::Savepoint => "savepoint",
            Self::Checkpoint => "checkpoint",
            Self::Session => "yarn-session.sh",
        }
    }

    /// The action of a word behind `flink`.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|action| action.word() == word && *action != Self::Session)
    }

    /// The first version that has the action, and the first that has it no more.
    #[must_use]
    pub const fn span(self) -> (Minor, Option<Minor>) {
        match self {
            Self::RunApplication => ((1, 12), Some((2, 0))),
            Self::Checkpoint => ((1, 19), None),
            _ => ((1, 12), None),
        }
    }

    /// Whether this version has the action.
    #[must_use]
    pub fn is_in(self, version: FlinkVersion) -> bool {
        within(self.span(), version)
    }

    /// Whether a program stands on the line: the first word that is no option ends Flink's part of it.
    #[must_use]
    pub const fn takes_program(self) -> bool {
        matches!(self, Self::Run | Self::RunApplication | Self::Info)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session => f.write_str(self.word()),
            _ => write!(f, "flink {}", self.word()),
        }
    }
}

fn within((since, until): (Minor, Option<Minor>), version: FlinkVersion) -> bool {
    let minor = version.minor();
    since <= minor && until.is_none_or(|until| minor < until)
}

/// Which of Flink's parsers reads an option's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Read whichever parser is active.
    Any,
    /// `GenericCLI` and `DefaultCLI`: `-t`, `-e` and `-D`.
    Generic,
    /// `FlinkYarnSessionCli`: the options that start with `-y`.
    Yarn,
}

/// How many values an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// None.
    Nothing,
    /// One.
    One,
    /// One or none.
    Maybe,
    /// A key and a value, parted by `=`.
    Pair,
    /// All words up to the next option.
    Many,
}

/// One option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlinkOption {
    /// The short spelling, without its hyphen; Flink knows the option by it.
    pub short: &'static str,
    /// The long spelling, without its hyphens; empty where there is none.
    pub long: &'static str,
    /// How many values follow.
    pub takes: Takes,
    /// Who reads it.
    pub family: Family,
    /// The first version that has it.
    pub since: Minor,
    /// The first version that has it no more.
    pub until: Option<Minor>,
}

impl FlinkOption {
    /// Whether this version has the option.
    #[must_use]
    pub fn is_in(&self, version: FlinkVersion) -> bool {
        within((self.since, self.until), version)
    }
}

const fn option(short: &'static str, long: &'static str, takes: Takes) -> FlinkOption {
    FlinkOption {
        short,
        long,
        takes,
        family: Family::Any,
        since: (1, 12),
        until: None,
    }
}

const fn yarn(short: &'static str, long: &'static str, takes: Takes) -> FlinkOption {
    FlinkOption {
        family: Family::Yarn,
        ..option(short, long, takes)
    }
}

const fn generic(short: &'static str, long: &'static str, takes: Takes) -> FlinkOption {
    FlinkOption {
        family: Family::Generic,
        ..option(short, long, takes)
    }
}

const fn since(since: Minor, option: FlinkOption) -> FlinkOption {
    FlinkOption { since, ..option }
}

const fn until(until: Minor, option: FlinkOption) -> FlinkOption {
    FlinkOption {
        until: Some(until),
        ..option
    }
}

use Takes::{Many, Maybe, Nothing, One, Pair};

const GENERAL: &[FlinkOption] = &[
    option("h", "help", Nothing),
    option("v", "verbose", Nothing),
];

const PROGRAM: &[FlinkOption] = &[
    option("j", "jarfile", One),
    option("c", "class", One),
    option("C", "classpath", One),
    option("p", "parallelism", One),
    option("a", "arguments", Many),
    option("d", "detached", Nothing),
    option("sae", "shutdownOnAttachedExit", Nothing),
    until((2, 0), option("yd", "yarndetached", Nothing)),
    option("py", "python", One),
    option("pyfs", "pyFiles", One),
    option("pym", "pyModule", One),
    option("pyreq", "pyRequirements", One),
    option("pyarch", "pyArchives", One),
    option("pyexec", "pyExecutable", One),
    since((1, 14), option("pyclientexec", "pyClientExecutable", One)),
    since((1, 18), option("pypath", "pyPythonPath", One)),
];

const RESTORE: &[FlinkOption] = &[
    option("s", "fromSavepoint", One),
    option("n", "allowNonRestoredState", Nothing),
    since((1, 15), option("rm", "restoreMode", One)),
    since((1, 20), option("cm", "claimMode", One)),
];

const LIST: &[FlinkOption] = &[
    option("a", "all", Nothing),
    option("r", "running", Nothing),
    option("s", "scheduled", Nothing),
];

const FORMAT: FlinkOption = since((1, 15), option("type", "type", One));
const DETACHED: FlinkOption = since((1, 19), option("detached", "", Nothing));

const CANCEL: &[FlinkOption] = &[option("s", "withSavepoint", Maybe), FORMAT];

const STOP: &[FlinkOption] = &[
    option("p", "savepointPath", Maybe),
    option("d", "drain", Nothing),
    FORMAT,
    DETACHED,
];

const SAVEPOINT: &[FlinkOption] = &[
    option("d", "dispose", One),
    option("j", "jarfile", One),
    FORMAT,
    DETACHED,
];

const CHECKPOINT: &[FlinkOption] = &[option("full", "full", Nothing)];

/// What Flink's three parsers add to every action: an option here takes the place of the action's own of the same letter.
const PARSERS: &[FlinkOption] = &[
    generic("e", "executor", One),
    generic("t", "target", One),
    generic("D", "", Pair),
    option("m", "jobmanager", One),
    option("z", "zookeeperNamespace", One),
    option("d", "detached", Nothing),
    until((2, 0), yarn("yd", "yarndetached", Nothing)),
    yarn("yq", "yarnquery", Nothing),
    yarn("yqu", "yarnqueue", One),
    yarn("yt", "yarnship", One),
    yarn("yj", "yarnjar", One),
    yarn("yjm", "yarnjobManagerMemory", One),
    yarn("ytm", "yarntaskManagerMemory", One),
    yarn("ys", "yarnslots", One),
    yarn("yD", "", Pair),
    yarn("ynm", "yarnname", One),
    yarn("yat", "yarnapplicationType", One),
    yarn("yid", "yarnapplicationId", One),
    yarn("yz", "yarnzookeeperNamespace", One),
    yarn("ynl", "yarnnodeLabel", One),
    yarn("yh", "yarnhelp", Nothing),
];

const SESSION: &[FlinkOption] = &[
    option("m", "jobmanager", One),
    yarn("j", "jar", One),
    yarn("jm", "jobManagerMemory", One),
    yarn("tm", "taskManagerMemory", One),
    yarn("qu", "queue", One),
    yarn("q", "query", Nothing),
    yarn("t", "ship", One),
    yarn("s", "slots", One),
    yarn("D", "", Pair),
    yarn("d", "detached", Nothing),
    until((2, 0), yarn("yd", "yarndetached", Nothing)),
    yarn("nm", "name", One),
    yarn("id", "applicationId", One),
    yarn("at", "applicationType", One),
    yarn("z", "zookeeperNamespace", One),
    yarn("nl", "nodeLabel", One),
    yarn("h", "help", Nothing),
];

/// The options of an action in one version.
#[derive(Clone, Debug)]
pub struct Grammar {
    options: Vec<&'static FlinkOption>,
    /// The letters that short spellings begin with, a bit for each: most words of a line are ruled out by them.
    shorts: u128,
    /// The same for long spellings.
    longs: u128,
}

/// The bit of a name's first letter.
fn letter(name: &str) -> u128 {
    let first = name.bytes().next().filter(u8::is_ascii);
    first.map_or(0, |first| 1 << first)
}

impl Grammar {
    /// Collects the options.
    #[must_use]
    pub fn of(action: Action, version: FlinkVersion) -> Self {
        let options = every(action).filter(|option| option.is_in(version));
        let options: Vec<_> = options.collect();
        let letters = |all: u128, name: &str| all | letter(name);
        Self {
            shorts: options.iter().map(|option| option.short).fold(0, letters),
            longs: options.iter().map(|option| option.long).fold(0, letters),
            options,
        }
    }

    /// The options of the action alone, without those that Flink's parsers add to all.
    pub fn own(
        action: Action,
        version: FlinkVersion,
    ) -> impl Iterator<Item = &'static FlinkOption> {
        let options = own(action).iter().flat_map(|group| group.iter());
        options.filter(move |option| option.is_in(version))
    }

    /// The options, those first that later ones of the same spelling take the place of.
    #[must_use]
    pub fn options(&self) -> &[&'static FlinkOption] {
        &self.options
    }

    pub(crate) fn short(&self, name: &str) -> Option<&'static FlinkOption> {
        let name = bare(name);
        if self.shorts & letter(name) == 0 {
            return None;
        }
        let mut options = self.options.iter().rev();
        options.find(|option| option.short == name).copied()
    }

    pub(crate) fn long(&self, name: &str) -> Option<&'static FlinkOption> {
        let name = bare(name);
        if self.longs & letter(name) == 0 {
            return None;
        }
        let mut options = self.options.iter().rev();
        options
            .find(|option| !option.long.is_empty() && option.long == name)
            .copied()
    }

    /// As Flink looks an option up by either name.
    pub(crate) fn either(&self, name: &str) -> Option<&'static FlinkOption> {
        self.short(name).or_else(|| self.long(name))
    }

    /// The long spellings that a beginning of one may mean; only itself where it is whole.
    pub(crate) fn longs_from(&self, start: &str) -> Vec<&'static str> {
        if let Some(whole) = self.long(start) {
            return vec![whole.long];
        }
        let mut found: Vec<&'static str> = Vec::new();
        let start = bare(start);
        if !start.is_empty() && self.longs & letter(start) == 0 {
            return found;
        }
        for option in &self.options {
            let fits = !option.long.is_empty() && option.long.starts_with(start);
            if fits && !found.contains(&option.long) {
                found.push(option.long);
            }
        }
        found
    }
}

/// Without its hyphens: two at most. Names are looked up so, wherever they come from.
pub(crate) fn bare(word: &str) -> &str {
    word.strip_prefix("--")
        .or_else(|| word.strip_prefix('-'))
        .unwrap_or(word)
}

/// Every option that an action has in any version.
pub fn every(action: Action) -> impl Iterator<Item = &'static FlinkOption> {
    let parsers: &[FlinkOption] = match action {
        Action::Session => &[],
        _ => PARSERS,
    };
    let own = own(action).iter().flat_map(|group| group.iter());
    own.chain(parsers)
}

const fn own(action: Action) -> &'static [&'static [FlinkOption]] {
    match action {
        Action::Run | Action::RunApplication => &[GENERAL, PROGRAM, RESTORE],
        Action::Info => &[GENERAL, PROGRAM],
        Action::List => &[GENERAL, LIST],
        Action::Cancel => &[GENERAL, CANCEL],
        Action::Stop => &[GENERAL, STOP],
        Action::Savepoint => &[GENERAL, SAVEPOINT],
        Action::Checkpoint => &[GENERAL, CHECKPOINT],
        Action::Session => &[SESSION],
    }
}
