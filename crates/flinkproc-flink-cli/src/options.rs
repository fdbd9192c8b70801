//! Which option `flink run` has in which version.
//!
//! Source: the option constants in `CliFrontendParser`, `GenericCLI` and `FlinkYarnSessionCli` of each release.

use flinkproc_core::FlinkVersion;

/// Which of Flink's command line parsers reads an option's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Read whichever parser is active.
    Any,
    /// `GenericCLI`: `-t`, `-e` and `-D`.
    Generic,
    /// `FlinkYarnSessionCli`: the options that start with `-y`.
    Yarn,
}

/// One option of `flink run`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunOption {
    /// The short spelling, without its hyphen.
    pub short: &'static str,
    /// The long spelling, without its hyphens.
    pub long: &'static str,
    /// Whether a value follows.
    pub value: bool,
    /// Who reads it.
    pub family: Family,
    /// First version that has it, as major and minor number.
    pub since: (u8, u8),
    /// First version that has it no more.
    pub until: Option<(u8, u8)>,
}

impl RunOption {
    /// Whether this version has the option.
    #[must_use]
    pub fn is_in(&self, version: FlinkVersion) -> bool {
        let minor = version.minor();
        self.since <= minor && self.until.is_none_or(|until| minor < until)
    }
}

const fn option(short: &'static str, long: &'static str, value: bool) -> RunOption {
    RunOption {
        short,
        long,
        value,
        family: Family::Any,
        since: (1, 12),
        until: None,
    }
}

const fn yarn(short: &'static str, long: &'static str, value: bool) -> RunOption {
    RunOption {
        family: Family::Yarn,
        ..option(short, long, value)
    }
}

const fn generic(short: &'static str, long: &'static str) -> RunOption {
    RunOption {
        family: Family::Generic,
        ..option(short, long, true)
    }
}

const fn since(since: (u8, u8), option: RunOption) -> RunOption {
    RunOption { since, ..option }
}

/// The options of `flink run`.
pub const RUN: [RunOption; 39] = [
    generic("t", "target"),
    generic("e", "executor"),
    generic("D", ""),
    option("m", "jobmanager", true),
    option("c", "class", true),
    option("j", "jarfile", true),
    option("a", "arguments", true),
    option("C", "classpath", true),
    option("p", "parallelism", true),
    option("d", "detached", false),
    option("sae", "shutdownOnAttachedExit", false),
    option("s", "fromSavepoint", true),
    option("n", "allowNonRestoredState", false),
    since((1, 15), option("rm", "restoreMode", true)),
    since((1, 20), option("cm", "claimMode", true)),
    option("py", "python", true),
    option("pym", "pyModule", true),
    option("pyfs", "pyFiles", true),
    option("pyreq", "pyRequirements", true),
    option("pyarch", "pyArchives", true),
    option("pyexec", "pyExecutable", true),
    since((1, 14), option("pyclientexec", "pyClientExecutable", true)),
    since((1, 18), option("pypath", "pyPythonPath", true)),
    option("z", "zookeeperNamespace", true),
    option("v", "verbose", false),
    option("h", "help", false),
    RunOption {
        until: Some((2, 0)),
        ..yarn("yd", "yarndetached", false)
    },
    yarn("yq", "yarnquery", false),
    yarn("yqu", "yarnqueue", true),
    yarn("yt", "yarnship", true),
    yarn("yj", "yarnjar", true),
    yarn("yjm", "yarnjobManagerMemory", true),
    yarn("ytm", "yarntaskManagerMemory", true),
    yarn("ys", "yarnslots", true),
    yarn("yD", "", true),
    yarn("ynm", "yarnname", true),
    yarn("yat", "yarnapplicationType", true),
    yarn("yid", "yarnapplicationId", true),
    yarn("yh", "yarnhelp", false),
];

/// Finds an option by its spelling with hyphens, whatever the version.
#[must_use]
pub fn find(token: &str) -> Option<&'static RunOption> {
    let name = token
        .strip_prefix("--")
        .or_else(|| token.strip_prefix('-'))?;
    RUN.iter()
        .find(|option| option.short == name || (!option.long.is_empty() && option.long == name))
}
