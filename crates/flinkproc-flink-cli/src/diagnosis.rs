//! What is wrong with a Flink line that somebody wrote, and the line that does what was wanted.
//!
//! Two readings are laid side by side: Flink's own ([`Reading`]) and the writer's evident wish. Where they part there is a
//! finding; the line to write instead follows from the wish.
//!
//! ```
//! use flinkproc_flink_cli::diagnosis::{Rule, diagnose};
//!
//! let line = ["flink", "run", "-t", "yarn-per-job", "-ytm", "4096", "-py", "/srv/etl.py"];
//! let said = diagnose("1.17".parse()?, &line);
//! assert!(said.findings.iter().any(|finding| finding.rule == Rule::Dropped));
//! assert_eq!(
//!     said.instead[0].join(" "),
//!     "flink run -t yarn-per-job -Dtaskmanager.memory.process.size=4096m -py /srv/etl.py",
//! );
//! # Ok::<(), flinkproc_core::image::UnknownVersion>(())
//! ```

mod configuration;
mod finding;
mod intent;
mod program;
mod refused;
mod right;

use std::ops::Range;

use flinkproc_core::FlinkVersion;

pub use finding::{Finding, Rule, Severity};
pub use right::{APPLICATION, FILES, JOB};

use crate::grammar::{Action, Family, Takes};
use crate::reading::{ActiveParser, Reading};
use crate::words::Words;
use intent::{Intent, Slip, SlipKind};

/// What is to be said of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// What the line asks for; `None` where it is no line of Flink's.
    pub action: Option<Action>,
    /// What Flink makes of it; `None` where it refuses it.
    pub reading: Option<Reading>,
    /// What is wrong, in the order of the words.
    pub findings: Vec<Finding>,
    /// The lines to write instead, program first; empty where there is nothing to mend.
    pub instead: Vec<Vec<String>>,
}

impl Diagnosis {
    /// The worst of the findings.
    #[must_use]
    pub fn severity(&self) -> Option<Severity> {
        self.findings.iter().map(Finding::severity).max()
    }
}

/// Whether a word is Flink's command line program: `flink` or `yarn-session.sh`, with or without a folder.
#[must_use]
pub fn is_flink(word: &str) -> bool {
    matches!(
        word.rsplit('/').next(),
        Some("flink" | "yarn-session.sh" | "yarn-session")
    )
}

/// Reads a line that begins with `flink`, `yarn-session.sh` or an action.
#[must_use]
pub fn diagnose<S: AsRef<str>>(version: FlinkVersion, line: &[S]) -> Diagnosis {
    let words: Vec<&str> = line.iter().map(AsRef::as_ref).collect();
    let (action, front) = action(&words);
    let Some(action) = action else {
        return no_action(version, &words, front);
    };
    let rest = words.get(front..).unwrap_or_default();
    let intent = Intent::read(version, action, rest);
    if intent.help {
        let action = Some(action);
        return Diagnosis {
            action,
            reading: None,
            findings: Vec::new(),
            instead: Vec::new(),
        };
    }
    let reading = refused::reading(version, action, rest);
    let mut check = Check {
        version,
        action,
        front,
        words: rest,
        intent: &intent,
        findings: Vec::new(),
    };
    check.action();
    check.slips(refused::words(version, action, rest, &reading).as_deref());
    match &reading {
        Ok(reading) => {
            check.early(reading);
            check.dropped(reading);
            check.repeated(reading);
            check.swallowed(reading);
            check.cluster(reading);
        }
        Err(refusal) => check.refused(refusal),
    }
    if action.takes_program() {
        check.program();
    } else {
        check.on_job();
    }
    check.configuration();
    let mut findings = check.findings;
    findings.sort_by_key(|finding| finding.words.start);
    let instead = if findings
        .iter()
        .any(|finding| finding.severity() > Severity::Note)
    {
        let mut meant = intent.clone();
        configuration::mend(version, &mut meant);
        right::lines(version, action, &meant)
    } else {
        Vec::new()
    };
    Diagnosis {
        action: Some(action),
        reading: reading.ok(),
        findings,
        instead,
    }
}

/// The lines that do what was wanted, also where nothing is wrong with the line; empty where it is no line of Flink's.
#[must_use]
pub fn right_lines<S: AsRef<str>>(version: FlinkVersion, line: &[S]) -> Vec<Vec<String>> {
    let words: Vec<&str> = line.iter().map(AsRef::as_ref).collect();
    let (action, front) = action(&words);
    let rest = words.get(front..).unwrap_or_default();
    action.map_or_else(Vec::new, |action| {
        let mut meant = Intent::read(version, action, rest);
        configuration::mend(version, &mut meant);
        right::lines(version, action, &meant)
    })
}

/// The action, and how many words name it.
fn action(words: &[&str]) -> (Option<Action>, usize) {
    match words {
        [program, ..]
            if program
                .rsplit('/')
                .next()
                .is_some_and(|name| name.starts_with("yarn-session")) =>
        {
            (Some(Action::Session), 1)
        }
        [program, action, ..] if is_flink(program) => (Action::named(action), 2),
        [program] if is_flink(program) => (None, 1),
        [action, ..] => (Action::named(action), 1),
        [] => (None, 0),
    }
}

fn no_action(version: FlinkVersion, words: &[&str], front: usize) -> Diagnosis {
    let at = front.saturating_sub(1);
    let mut findings = Vec::new();
    if let Some(word) = words
        .get(at)
        .filter(|word| !word.starts_with('-') && !is_flink(word) && !word.contains('$'))
    {
        let known = Action::ALL.into_iter().filter(|known| known.is_in(version));
        let known: Vec<&str> = known.map(Action::word).collect();
        findings.push(Finding {
            rule: Rule::NoAction,
            words: at..at + 1,
            happens: format!(
                "Flink {version} has no action `{word}`: it prints its help and exits with 1"
            ),
            why: "the first word behind `flink` is an action",
            help: format!("write one of {}", known.join(", ")),
        });
    }
    Diagnosis {
        action: None,
        reading: None,
        findings,
        instead: Vec::new(),
    }
}

/// Whether a size is a bare number, which `-D` takes for bytes, of which no process can live.
fn bytes(key: &str, value: &str) -> bool {
    let size = key.contains("memory.")
        && (key.ends_with(".size") || key.ends_with(".min") || key.ends_with(".max"));
    size && value
        .parse::<u64>()
        .is_ok_and(|bytes| bytes > 0 && bytes < 16 << 20)
}

struct Check<'i, 'w> {
    version: FlinkVersion,
    action: Action,
    front: usize,
    words: &'i [&'w str],
    intent: &'i Intent<'w>,
    findings: Vec<Finding>,
}

impl Check<'_, '_> {
    /// Adds a finding, unless one on the same word says as much already.
    fn find(
        &mut self,
        rule: Rule,
        words: Range<usize>,
        happens: String,
        why: &'static str,
        help: impl Into<String>,
    ) {
        let words = words.start + self.front..words.end + self.front;
        let known = self
            .findings
            .iter()
            .any(|known| known.words.start == words.start && known.rule == rule);
        if !known {
            let help = help.into();
            self.findings.push(Finding {
                rule,
                words,
                happens,
                why,
                help,
            });
        }
    }

    fn word(&self, at: usize) -> &str {
        self.words.get(at).copied().unwrap_or_default()
    }

    /// What is wrong with the action and the mode by themselves.
    fn action(&mut self) {
        let version = self.version;
        // The word of the action stands right before the words that are counted here.
        let named = self.front.saturating_sub(1)..self.front;
        let mut said = Vec::new();
        let mut say = |rule, words: &Range<usize>, happens: String, why, help: &str| {
            let (words, help) = (words.clone(), help.to_owned());
            said.push(Finding {
                rule,
                words,
                happens,
                why,
                help,
            });
        };
        if !self.action.is_in(version) {
            let (happens, why, help) = match self.action {
                Action::RunApplication => (
                    format!(
                        "Flink {version} has no `run-application`: it prints its help and exits with 1"
                    ),
                    "Flink 2.0 took the action away; `run` takes the targets of application mode since",
                    "write `flink run -t yarn-application`",
                ),
                _ => (
                    format!("Flink {version} has no `checkpoint`: it came with Flink 1.19"),
                    "older versions take checkpoints on their own only",
                    "take a savepoint instead",
                ),
            };
            say(Rule::NoAction, &named, happens, why, help);
            self.findings.append(&mut said);
            return;
        }
        if !matches!(self.action, Action::Run | Action::RunApplication) {
            return;
        }
        let at = |option: &[&str]| {
            let mut words = self.words.iter();
            let at = words.position(|word| {
                option.contains(&intent::bare(word.split('=').next().unwrap_or_default()))
            });
            at.map_or(named.clone(), |at| {
                let width = if self.word(at).contains('=') { 1 } else { 2 };
                at + self.front..at + self.front + width
            })
        };
        let target = self.intent.target;
        let by_target = at(&["t", "target", "e", "executor"]);
        let by_manager = at(&["m", "jobmanager"]);
        let yarn_cluster = self.intent.manager == Some("yarn-cluster");
        if version.is_2() && target == Some("yarn-per-job") {
            let happens = format!(
                "Flink {version} has no per-job mode: `No ExecutorFactory found`, exit status 31"
            );
            let help = "use application mode";
            say(
                Rule::NoMode,
                &by_target,
                happens,
                "per-job mode was deprecated in Flink 1.15 and removed in 2.0",
                help,
            );
        } else if version.is_2() && target.is_none() && yarn_cluster {
            let happens = format!(
                "Flink {version} looks for a session on YARN whose id nobody names, as `-m yarn-cluster` means `yarn-session` there"
            );
            let help = "use application mode: `-t yarn-application`";
            say(
                Rule::NoMode,
                &by_manager,
                happens,
                "per-job mode was removed in Flink 2.0",
                help,
            );
        } else if self.action == Action::RunApplication
            && target
                .is_some_and(|target| !target.ends_with("application") && !target.contains('$'))
        {
            let happens = "`run-application` takes the targets of application mode only".to_owned();
            say(
                Rule::NoMode,
                &by_target,
                happens,
                "the other targets run `main()` in the client",
                "write `-t yarn-application`",
            );
        } else if self.action == Action::RunApplication && target.is_none() {
            let happens = "`run-application` needs a target: without one it fails".to_owned();
            say(
                Rule::NoMode,
                &named,
                happens,
                "the configuration that Flink comes with names none",
                "write `-t yarn-application`",
            );
        } else if self.action == Action::Run
            && !version.is_2()
            && target.is_some_and(|t| t.ends_with("application"))
        {
            let happens = format!(
                "`run` in Flink {version} has no application mode: `No ExecutorFactory found`"
            );
            say(
                Rule::NoMode,
                &by_target,
                happens,
                "`run` takes these targets since Flink 2.0",
                "write `flink run-application`",
            );
        } else if !version.is_2()
            && version.minor() >= (1, 15)
            && (yarn_cluster || target == Some("yarn-per-job"))
        {
            let place = if target.is_some() {
                by_target
            } else {
                by_manager
            };
            let happens = "per-job mode works, and is deprecated since Flink 1.15".to_owned();
            let help = "nothing to do on this image; Flink 2.0 has application mode instead";
            say(
                Rule::Deprecated,
                &place,
                happens,
                "each job gets a YARN application of its own",
                help,
            );
        }
        self.findings.append(&mut said);
    }

    /// Options that are written otherwise, or that this version lacks.
    fn slips(&mut self, read: Option<&Words>) {
        for slip in &self.intent.slips {
            let Slip { words, kind } = slip;
            let written = self.word(words.start).to_owned();
            let name = written.split('=').next().unwrap_or_default();
            let done = read.and_then(|read| self.reads(read, words.start));
            let reached = read.is_none_or(|read| {
                read.ended_at.is_none_or(|ended| ended >= words.start)
                    || matches!(kind, SlipKind::Behind)
            });
            let (rule, happens) = match (&kind, done) {
                (SlipKind::Behind, _) => {
                    let program = self.intent.jar.map_or("the program", |(_, jar)| jar);
                    (
                        Rule::BehindProgram,
                        format!(
                            "`{name}` goes to the program as an argument: it stands behind `{program}`"
                        ),
                    )
                }
                (_, Some(read)) => (
                    Rule::Misread,
                    format!("Flink {} reads `{name}` as {read}", self.version),
                ),
                _ if !reached => {
                    let what = "it stands behind a word that ended the parsing, and becomes an argument of the program";
                    (
                        Rule::EndsParsing,
                        format!("Flink {} never sees `{name}`: {what}", self.version),
                    )
                }
                _ => (Rule::EndsParsing, self.ends(name)),
            };
            let (why, help) = reason(self.version, self.action, kind);
            self.find(rule, words.clone(), happens, why, help);
        }
    }

    /// What Flink takes a word for that is no option by its whole name.
    fn reads(&self, read: &Words, at: usize) -> Option<String> {
        let taken = read.options.iter().find(|taken| taken.word == at)?;
        let option = taken.option;
        Some(match (option.takes, taken.values.first()) {
            (Takes::Nothing, _) | (_, None) => format!("`-{}`", option.short),
            (_, Some(value)) => format!("`-{}` with the value `{value}`", option.short),
        })
    }

    fn ends(&self, name: &str) -> String {
        let version = self.version;
        match self.action {
            Action::Session => {
                let stale = if self.starts_bare() {
                    ", and where a file of `/tmp` remembers a session, it attaches to that instead of starting one"
                } else {
                    ""
                };
                format!(
                    "Flink {version} does not know `{name}` and drops it with everything behind it, without a word{stale}"
                )
            }
            action if action.takes_program() => format!(
                "Flink {version} does not know `{name}`: it ends the parsing, and everything from there on becomes arguments of the program, without a word"
            ),
            _ => format!("Flink {version} does not know `{name}` and refuses the line"),
        }
    }

    /// Whether `yarn-session.sh` has no option, or `-d` alone, before the word that ends the parsing.
    fn starts_bare(&self) -> bool {
        let first = self
            .words
            .iter()
            .find(|word| !matches!(intent::bare(word), "d" | "detached" | "yd"));
        first.is_none_or(|first| {
            let name = intent::bare(first);
            !name.starts_with('D')
                && crate::grammar::every(self.action).all(|o| o.short != name && o.long != name)
        })
    }

    /// Options whose values the active parser does not look at.
    fn dropped(&mut self, reading: &Reading) {
        let chosen = match reading.parser {
            ActiveParser::Generic if self.intent.target.is_none() => return,
            ActiveParser::Generic => format!("`-t {}`", self.intent.target.unwrap_or_default()),
            ActiveParser::Yarn if self.action == Action::Session => return,
            ActiveParser::Yarn if reading.words.has("yid") => "`-yid`".to_owned(),
            ActiveParser::Yarn => "`-m yarn-cluster`".to_owned(),
            ActiveParser::Default => String::new(),
        };
        for taken in &reading.words.options {
            let option = taken.option;
            let lost = match reading.parser {
                _ if matches!(option.short, "yd" | "yh" | "yq") => false,
                ActiveParser::Generic => {
                    option.family == Family::Yarn || matches!(option.short, "m" | "z")
                }
                ActiveParser::Yarn => option.family == Family::Generic,
                ActiveParser::Default => option.family == Family::Yarn,
            };
            // What is read as something else has its own finding.
            let slipped = self
                .intent
                .slips
                .iter()
                .any(|slip| slip.words.start == taken.word);
            if !lost || slipped {
                continue;
            }
            let written = self.word(taken.word).to_owned();
            let joined = written.contains('=') || option.takes == Takes::Nothing;
            let width = if joined || self.word(taken.word + 1).is_empty() {
                1
            } else {
                2
            };
            let words = taken.word..taken.word + width;
            let (happens, why, help) = if chosen.is_empty() {
                (
                    format!(
                        "Flink drops `{written}` without a word, as neither `-t` nor `-m yarn-cluster` stands on the line"
                    ),
                    "the options that start with `-y` belong to YARN's parser, and another one is active",
                    "name the target with `-t` and write it as `-Dkey=value`",
                )
            } else if reading.parser == ActiveParser::Generic {
                (
                    format!("Flink drops `{written}` without a word beside {chosen}"),
                    "`-t` makes the generic parser active, which reads `-D` alone",
                    "write it as `-Dkey=value`",
                )
            } else {
                (
                    format!("Flink drops `{written}` without a word beside {chosen}"),
                    "YARN's own parser is active then, which reads `-yD` and not `-D`",
                    "name the target with `-t` instead",
                )
            };
            self.find(Rule::Dropped, words, happens, why, help);
        }
    }

    /// A word that ends Flink's reading before the program, for which nothing else was found.
    fn early(&mut self, reading: &Reading) {
        let Some(at) = reading
            .words
            .ended_at
            .filter(|_| self.action.takes_program())
        else {
            return;
        };
        let program = self.intent.jar.map(|(at, _)| at);
        let expected = program.into_iter().chain(self.intent.arguments_at).min();
        let told = self
            .findings
            .iter()
            .any(|known| known.words.start <= at + self.front && known.rule == Rule::EndsParsing);
        if told || self.word(at) == "--" || expected.is_some_and(|expected| expected <= at) {
            return;
        }
        let happens = self.ends(self.word(at));
        let why = "the first word that is no option ends Flink's part of the line";
        self.find(
            Rule::EndsParsing,
            at..at + 1,
            happens,
            why,
            "leave it out, or put it behind the program",
        );
    }

    fn repeated(&mut self, reading: &Reading) {
        let options = &reading.words.options;
        for (index, taken) in options.iter().enumerate() {
            let option = taken.option;
            let once = option.takes == Takes::One
                && !matches!(option.short, "C" | "yt")
                && option.short != "t";
            let before = options.get(..index).unwrap_or_default();
            if once && before.iter().any(|before| before.option == option) {
                let happens = format!(
                    "Flink reads the first `-{}` and drops this one without a word",
                    option.short
                );
                let why = "it looks at one value of each option";
                let help = if matches!(option.short, "pyfs" | "pyarch") {
                    "write one, with the values parted by commas"
                } else {
                    "write one"
                };
                self.find(
                    Rule::Repeated,
                    taken.word..taken.word + 1,
                    happens,
                    why,
                    help,
                );
            }
        }
    }

    /// Arguments of the program that Flink takes for its own options.
    fn swallowed(&mut self, reading: &Reading) {
        let Some(from) = self.intent.arguments_at else {
            return;
        };
        for taken in reading
            .words
            .options
            .iter()
            .filter(|taken| taken.word >= from)
        {
            if self
                .intent
                .slips
                .iter()
                .any(|slip| slip.words.start == taken.word)
            {
                continue;
            }
            let read = self.reads(&reading.words, taken.word).unwrap_or_default();
            let written = self.word(taken.word).to_owned();
            let happens =
                format!("Flink takes `{written}` for itself, as {read}; the program never gets it");
            let why = "Flink reads on behind `-py`, and takes options by their beginnings too, up to the first word that is none";
            let help = "write `-- --` before the program's arguments: one for Flink's client, one for its Python driver";
            self.find(
                Rule::Swallowed,
                taken.word..taken.word + 1,
                happens,
                why,
                help,
            );
        }
    }

    /// A line that does not say which cluster is meant.
    fn cluster(&mut self, reading: &Reading) {
        let front = self.front;
        if self.action == Action::Session {
            if self.intent.setting("yarn.application.id").is_none() && self.starts_bare() {
                let happens = "it starts a session, or attaches to the one that a file of this user in `/tmp` remembers".to_owned();
                let why = "with no option but `-d`, Flink reads `/tmp/.yarn-properties-USER`, which outlives its session";
                self.bare(
                    happens,
                    why,
                    "name the session with `-nm`, and find it by its id later",
                );
            }
            return;
        }
        let named = self.intent.target.is_some()
            || self.intent.manager.is_some()
            || reading.words.has("yid");
        let info = self.action == Action::Info;
        if named || info || front == 0 {
            let lacks = reading.parser == ActiveParser::Generic
                && !matches!(
                    self.action,
                    Action::Run | Action::RunApplication | Action::Info
                )
                && self
                    .intent
                    .target
                    .is_some_and(|target| target.starts_with("yarn-"))
                && reading
                    .configuration
                    .get("yarn.application.id")
                    .is_none_or(String::is_empty);
            if lacks {
                self.bare(
                    "Flink does not know which YARN application is meant, and fails".to_owned(),
                    "a target on YARN needs the id of the application",
                    "add `-Dyarn.application.id=…`; `yarn application -list` shows the ids",
                );
            }
            return;
        }
        let dropped = self.intent.yarn;
        let (happens, help) = if self.action.takes_program() {
            let file = if dropped {
                "it goes to a standalone cluster on this machine, which Dataproc does not have"
            } else {
                "it goes to the session that a file of this user in `/tmp` remembers, or else to a standalone cluster on this machine, which Dataproc does not have"
            };
            (
                file,
                "name the target: `-t yarn-session -Dyarn.application.id=…`, or a mode that starts its own",
            )
        } else {
            (
                "it sees only a session that this same user started on this machine, and that a file in `/tmp` remembers",
                "name the application: `-t yarn-session -Dyarn.application.id=…`; `yarn application -list` shows the ids",
            )
        };
        let why = "without a target, Flink reads `/tmp/.yarn-properties-USER`, which outlives its session";
        self.bare(happens.to_owned(), why, help);
    }

    /// A finding on the words that name the action.
    fn bare(&mut self, happens: String, why: &'static str, help: &str) {
        let words = 0..self.front;
        let (rule, help) = (Rule::NoCluster, help.to_owned());
        self.findings.push(Finding {
            rule,
            words,
            happens,
            why,
            help,
        });
    }
}

fn reason(version: FlinkVersion, action: Action, kind: &SlipKind) -> (&'static str, String) {
    match kind {
        SlipKind::Alias("jars") => (
            "no version has it",
            "name each jar with `-C file:///…`, or put it into Flink's `lib`".to_owned(),
        ),
        SlipKind::Alias(short) => (
            "no version has an option of that name",
            format!("write `-{short}`"),
        ),
        SlipKind::Joined => (
            "`-yD` takes its pair as a word of its own; `-D` alone may stand together with it",
            "write `-Dkey=value` beside `-t`, or `-yD key=value`".to_owned(),
        ),
        SlipKind::Gone(what) => (
            "no version from 1.12 on has it",
            format!("leave out {what}"),
        ),
        SlipKind::Unknown => (
            "no version has such an option",
            match action.takes_program() {
                true => "leave it out; what is meant for the program stands behind it".to_owned(),
                false => "leave it out".to_owned(),
            },
        ),
        SlipKind::Behind => (
            "the first word that is no option ends Flink's part of the line",
            "put Flink's options before the program".to_owned(),
        ),
        SlipKind::Absent(option) => {
            let help = match (option.short, version.minor()) {
                ("pypath", _) => "ship the code with `-pyfs`".to_owned(),
                ("pyclientexec", _) => "set `-Dpython.client.executable=…`".to_owned(),
                ("cm", (1, 15..)) => "write `-rm`".to_owned(),
                ("cm" | "rm", _) => {
                    "leave it out: this version does not own what it restores from".to_owned()
                }
                ("yd", _) => "write `-d`".to_owned(),
                _ => "leave it out".to_owned(),
            };
            let why = match option.until {
                Some(_) => "Flink 2.0 took it away",
                None => match option.since {
                    (1, 14) => "it came with Flink 1.14",
                    (1, 15) => "it came with Flink 1.15",
                    (1, 18) => "it came with Flink 1.18",
                    (1, 19) => "it came with Flink 1.19",
                    (1, 20) => "it came with Flink 1.20",
                    _ => "it is of another version",
                },
            };
            (why, help)
        }
    }
}

#[cfg(test)]
mod tests;
