//! What the writer of a line evidently wanted, whatever Flink makes of it.
//!
//! Every spelling that any version knows is understood here, and what other tools call the same thing.

use std::borrow::Cow;
use std::ops::Range;

use flinkproc_core::FlinkVersion;

use crate::grammar::{Action, Family, FlinkOption, Grammar, Takes, every};

/// Where the writer and Flink part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slip {
    pub(super) words: Range<usize>,
    pub(super) kind: SlipKind,
}

/// How they part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SlipKind {
    /// Another spelling of this option.
    Alias(&'static str),
    /// An option that other versions have.
    Absent(&'static FlinkOption),
    /// An option of old, for which there is nothing any more.
    Gone(&'static str),
    /// No option of any version.
    Unknown,
    /// An option behind the program.
    Behind,
    /// `-yDkey=value` in one word, which no parser takes apart.
    Joined,
}

/// What was wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct Intent<'a> {
    pub(super) target: Option<&'a str>,
    pub(super) manager: Option<&'a str>,
    pub(super) config: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// Whether an option that starts with `-y` (or its configuration) was written.
    pub(super) yarn: bool,
    pub(super) parallelism: Option<&'a str>,
    pub(super) detached: Option<usize>,
    pub(super) shutdown: bool,
    pub(super) class: Option<&'a str>,
    pub(super) classpaths: Vec<Cow<'a, str>>,
    pub(super) restore: Option<&'a str>,
    pub(super) lax: Option<usize>,
    pub(super) claim: Option<&'a str>,
    pub(super) script: Option<(usize, &'a str)>,
    pub(super) module: Option<(usize, &'a str)>,
    pub(super) python_files: Vec<&'a str>,
    pub(super) python_archives: Vec<&'a str>,
    /// `-pyreq`, `-pyexec`, `-pyclientexec`, `-pypath`.
    pub(super) python: Vec<(&'static str, &'a str)>,
    pub(super) jar: Option<(usize, &'a str)>,
    pub(super) arguments: Vec<&'a str>,
    /// Where the program's arguments begin.
    pub(super) arguments_at: Option<usize>,
    /// Options of actions that take no program.
    pub(super) own: Vec<(&'static str, Option<&'a str>)>,
    /// Words of such actions that are no options, such as a job's id.
    pub(super) positional: Vec<(usize, &'a str)>,
    pub(super) help: bool,
    pub(super) slips: Vec<Slip>,
}

/// What people write for an option of `flink run`, and the option.
const ALIASES: [(&str, &str); 22] = [
    ("py-files", "pyfs"),
    ("pyfiles", "pyfs"),
    ("py_files", "pyfs"),
    ("python-files", "pyfs"),
    ("py-archives", "pyarch"),
    ("archives", "pyarch"),
    ("py-requirements", "pyreq"),
    ("requirements", "pyreq"),
    ("py-module", "pym"),
    ("py-exec", "pyexec"),
    ("python-file", "py"),
    ("jars", "jars"),
    ("jar", "j"),
    ("ship", "yt"),
    ("nm", "ynm"),
    ("name", "ynm"),
    ("jm", "yjm"),
    ("tm", "ytm"),
    ("qu", "yqu"),
    ("queue", "yqu"),
    ("slots", "ys"),
    ("savepoint", "s"),
];

const CONTAINERS: &str =
    "the number of containers: Flink asks YARN for as many TaskManagers as the jobs need";

impl<'a> Intent<'a> {
    pub(super) fn read(version: FlinkVersion, action: Action, words: &[&'a str]) -> Self {
        let mut reader = Reader {
            version,
            action,
            words,
            at: 0,
            intent: Self::default(),
        };
        reader.run();
        reader.intent
    }

    pub(super) fn is_python(&self) -> bool {
        self.script.is_some() || self.module.is_some()
    }

    pub(super) fn setting(&self, key: &str) -> Option<&str> {
        let mut config = self.config.iter();
        let found = config.find(|(own, _)| own == key);
        found.map(|(_, value)| value.as_ref())
    }

    fn set(&mut self, key: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) {
        let (key, value) = (key.into(), value.into());
        match self.config.iter_mut().find(|(own, _)| *own == key) {
            Some(entry) => entry.1 = value,
            None => self.config.push((key, value)),
        }
    }
}

struct Reader<'w, 'a> {
    version: FlinkVersion,
    action: Action,
    words: &'w [&'a str],
    at: usize,
    intent: Intent<'a>,
}

impl<'a> Reader<'_, 'a> {
    fn run(&mut self) {
        while let Some(word) = self.words.get(self.at).copied() {
            if word == "--" {
                self.at += 1;
                // Flink's client drops the first, its Python driver the second.
                if self.intent.is_python() && self.words.get(self.at) == Some(&"--") {
                    self.at += 1;
                }
                self.take_rest();
            } else if !word.starts_with('-') || word == "-" {
                self.plain(word);
            } else if !self.option(word) {
                break;
            }
        }
    }

    fn take_rest(&mut self) {
        let rest = self.words.get(self.at..).unwrap_or_default();
        if self.action.takes_program() && !self.intent.is_python() && self.intent.jar.is_none() {
            if let Some((program, rest)) = rest.split_first() {
                self.intent.jar = Some((self.at, program));
                self.intent.arguments.extend(rest);
            }
        } else {
            self.intent.arguments_at.get_or_insert(self.at);
            self.intent.arguments.extend(rest);
        }
        self.at = self.words.len();
    }

    fn plain(&mut self, word: &'a str) {
        if !self.action.takes_program() {
            self.intent.positional.push((self.at, word));
            self.at += 1;
        } else if self.intent.is_python() || self.intent.jar.is_some() {
            self.take_rest();
        } else {
            self.intent.jar = Some((self.at, word));
            self.at += 1;
            self.behind();
        }
    }

    /// What stands behind a jar: the program's arguments, but for what only Flink can be meant with.
    fn behind(&mut self) {
        self.intent.arguments_at = Some(self.at);
        while let Some(word) = self.words.get(self.at).copied() {
            let from = self.at;
            let name = bare(word);
            let of_flink = word.starts_with('-')
                && (word.starts_with("-yD")
                    || (word.starts_with("-D") && word.contains('.') && word.contains('='))
                    || self.find(name).is_some_and(|option| {
                        option.family == Family::Yarn || option.short.starts_with("py")
                    })
                    || (matches!(name, "t" | "m" | "target" | "jobmanager")
                        && self.peek().is_some_and(|next| next.starts_with("yarn-"))));
            if !of_flink || !self.option(word) {
                self.at = from;
                self.intent.arguments.push(word);
                self.at += 1;
                continue;
            }
            let words = from..self.at;
            self.intent.slips.retain(|slip| slip.words.start != from);
            let kind = SlipKind::Behind;
            self.intent.slips.push(Slip { words, kind });
        }
    }

    fn peek(&self) -> Option<&'a str> {
        self.words.get(self.at + 1).copied()
    }

    fn find(&self, name: &str) -> Option<&'static FlinkOption> {
        let named = |option: &&'static FlinkOption| {
            option.short == name || (!option.long.is_empty() && option.long == name)
        };
        let mut first = None;
        for option in every(self.action).filter(named) {
            if option.is_in(self.version) {
                return Some(option);
            }
            first = first.or(Some(option));
        }
        first
    }

    /// Reads one option; `false` where the program's arguments begin, which are then read too.
    fn option(&mut self, word: &'a str) -> bool {
        let from = self.at;
        if let Some(pair) = self.property(word) {
            self.pair(pair);
            return true;
        }
        let whole = bare(word);
        let (name, inline) = match whole.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (whole, None),
        };
        let (meant, slip) = match self.find(name) {
            Some(option) if option.is_in(self.version) => (option.short, None),
            Some(option) => (option.short, Some(SlipKind::Absent(option))),
            None => match self.alias(name) {
                Some((meant, slip)) => (meant, Some(slip)),
                None => return self.odd(word, name, inline),
            },
        };
        let takes = self.takes(meant);
        let next = self
            .peek()
            .filter(|next| !next.starts_with('-') || *next == "-");
        if self.intent.is_python() && !self.flinks_own(meant, inline.or(next)) {
            self.take_rest();
            return false;
        }
        let value = match takes {
            Takes::Nothing => None,
            _ => inline.or_else(|| {
                let next = next?;
                let fits = takes != Takes::Maybe || next.contains('/') || next.contains(':');
                fits.then(|| {
                    self.at += 1;
                    next
                })
            }),
        };
        self.at += 1;
        self.apply(meant, value, from);
        if takes == Takes::Many {
            while let Some(next) = self
                .words
                .get(self.at)
                .filter(|next| !next.starts_with('-'))
            {
                self.intent.arguments.push(next);
                self.at += 1;
            }
        }
        if let Some(kind) = slip {
            let words = from..self.at;
            self.intent.slips.push(Slip { words, kind });
        }
        true
    }

    /// Whether an option behind the Python script is Flink's: programs have options too.
    fn flinks_own(&self, short: &str, value: Option<&str>) -> bool {
        let yarn = |value: Option<&str>| value.is_some_and(|value| value.starts_with("yarn-"));
        match short {
            "p" => value.is_some_and(|value| value.bytes().all(|byte| byte.is_ascii_digit())),
            "s" => value.is_some_and(|value| value.contains('/')),
            "t" | "e" => yarn(value),
            "m" => yarn(value) || value.is_some_and(|value| value.contains(':')),
            "n" => self.intent.restore.is_some(),
            "d" | "sae" => value.is_none(),
            "rm" | "cm" | "C" => true,
            short => short.starts_with('y') || short.starts_with("py"),
        }
    }

    fn takes(&self, short: &str) -> Takes {
        if matches!(short, "jars" | "") {
            return Takes::One;
        }
        // `savepoint -d` is meant as `--dispose`.
        let path = |next: &str| next.contains('/') || next.contains(':');
        if self.action == Action::Savepoint && short == "d" && self.peek().is_some_and(path) {
            return Takes::One;
        }
        self.find(short)
            .map_or(Takes::Nothing, |option| option.takes)
    }

    fn alias(&self, name: &str) -> Option<(&'static str, SlipKind)> {
        if self.action == Action::Session {
            if matches!(name, "n" | "container" | "yn" | "yarncontainer") {
                return Some(("", SlipKind::Gone(CONTAINERS)));
            }
            let rest = name
                .strip_prefix("yarn")
                .or_else(|| name.strip_prefix('y'))?;
            let meant = self.find(rest)?.short;
            return Some((meant, SlipKind::Alias(meant)));
        }
        if !self.action.takes_program() {
            return None;
        }
        if matches!(name, "yn" | "yarncontainer") {
            return Some(("", SlipKind::Gone(CONTAINERS)));
        }
        // Behind the script, a program's own `--name` is likelier.
        let certain = |name: &str| name.starts_with("py") || name == "jars";
        if self.intent.is_python() && !certain(name) {
            return None;
        }
        let (_, meant) = ALIASES.iter().find(|(alias, _)| *alias == name)?;
        Some((meant, SlipKind::Alias(meant)))
    }

    /// A word that is no option by its whole name.
    fn odd(&mut self, word: &'a str, name: &'a str, inline: Option<&'a str>) -> bool {
        if self.intent.is_python() {
            self.take_rest();
            return false;
        }
        let from = self.at;
        let letters = word.get(1..2).zip(word.get(2..));
        if let Some((letter, value)) = letters.filter(|_| !word.starts_with("--"))
            && let Some(option) = self
                .find(letter)
                .filter(|option| option.takes == Takes::One)
            && value.starts_with(|first: char| !first.is_ascii_lowercase())
        {
            self.at += 1;
            self.apply(option.short, Some(value), from);
            return true;
        }
        let grammar = Grammar::of(self.action, self.version);
        if let [one] = grammar.longs_from(name).as_slice()
            && let Some(option) = self.find(one)
        {
            let next = self
                .peek()
                .filter(|_| inline.is_none() && option.takes == Takes::One);
            self.at += 1 + usize::from(next.is_some());
            self.apply(option.short, inline.or(next), from);
            return true;
        }
        let next = self.peek().filter(|next| {
            let program = next.ends_with(".jar") || next.ends_with(".py");
            inline.is_none() && !next.starts_with('-') && !program
        });
        let words = from..from + 1 + usize::from(next.is_some());
        if self.action.takes_program() {
            self.intent.arguments.push(word);
            self.intent.arguments.extend(next);
        }
        self.at = words.end;
        let kind = SlipKind::Unknown;
        self.intent.slips.push(Slip { words, kind });
        true
    }

    /// `-Dkey=value`, `-D key=value`, `-yDkey=value`, `-yD key=value`.
    fn property(&mut self, word: &'a str) -> Option<&'a str> {
        if word.starts_with("--") {
            return None;
        }
        let name = bare(word);
        let yarn = name.strip_prefix("yD");
        let rest = yarn.or_else(|| name.strip_prefix('D'))?;
        self.intent.yarn |= yarn.is_some();
        if yarn.is_some_and(|rest| !rest.is_empty()) {
            let words = self.at..self.at + 1;
            let kind = SlipKind::Joined;
            self.intent.slips.push(Slip { words, kind });
        }
        self.at += 1;
        if !rest.is_empty() {
            return Some(rest);
        }
        let next = self.words.get(self.at).copied().unwrap_or_default();
        self.at += 1;
        Some(next)
    }

    fn pair(&mut self, pair: &'a str) {
        match pair.split_once('=') {
            Some((key, value)) => self.intent.set(key, value),
            None => self.intent.set(pair, "true"),
        }
    }

    fn apply(&mut self, short: &'static str, value: Option<&'a str>, at: usize) {
        let session = self.action == Action::Session;
        let own = !session && !self.action.takes_program();
        let yarn = match (session, short) {
            (true, "d" | "yd" | "m" | "") => None,
            (true, short) => Some(short),
            (false, "yd") => None,
            (false, short) => short.strip_prefix('y'),
        };
        if let Some(yarn) = yarn {
            self.intent.yarn = true;
            self.yarn(yarn, value);
            return;
        }
        let intent = &mut self.intent;
        match (short, value) {
            ("t" | "e", Some(value)) => intent.target = Some(value),
            ("m", Some(value)) => intent.manager = Some(value),
            ("h", _) => intent.help = true,
            ("v", _) => {}
            // Containers are YARN's.
            ("", _) => intent.yarn |= !session,
            ("d", Some(path)) => intent.own.push(("d", Some(path))),
            ("d" | "yd", None) => intent.detached = Some(at),
            (short, value) if own => intent.own.push((short, value)),
            ("z", Some(value)) => intent.set("high-availability.cluster-id", value),
            ("p", Some(value)) => intent.parallelism = Some(value),
            ("c", Some(value)) => intent.class = Some(value),
            ("C", Some(value)) => intent.classpaths.push(value.into()),
            ("jars", Some(value)) => {
                let urls = value.split(',').map(|jar| match jar.contains("://") {
                    true => Cow::Borrowed(jar),
                    false => Cow::Owned(format!("file://{jar}")),
                });
                intent.classpaths.extend(urls);
            }
            ("j", Some(value)) => intent.jar = Some((at, value)),
            ("a", Some(value)) => intent.arguments.push(value),
            ("sae", _) => intent.shutdown = true,
            ("s", Some(value)) => intent.restore = Some(value),
            ("n", _) => intent.lax = Some(at),
            ("rm" | "cm", Some(value)) => intent.claim = Some(value),
            ("py", Some(value)) => intent.script = Some((at, value)),
            ("pym", Some(value)) => intent.module = Some((at, value)),
            ("pyfs", Some(value)) => intent.python_files.push(value),
            ("pyarch", Some(value)) => intent.python_archives.push(value),
            (short, Some(value)) => intent.python.push((short, value)),
            _ => {}
        }
    }

    /// The configuration behind an option of YARN's parser.
    fn yarn(&mut self, short: &str, value: Option<&'a str>) {
        let Some(value) = value else {
            self.intent.help |= matches!(short, "q" | "h");
            return;
        };
        let key = match short {
            "jm" => "jobmanager.memory.process.size",
            "tm" => "taskmanager.memory.process.size",
            "s" => "taskmanager.numberOfTaskSlots",
            "qu" => "yarn.application.queue",
            "nm" => "yarn.application.name",
            "at" => "yarn.application.type",
            "nl" => "yarn.application.node-label",
            "id" => "yarn.application.id",
            "z" => "high-availability.cluster-id",
            "j" => "yarn.flink-dist-jar",
            "t" => {
                let before = self.intent.setting("yarn.ship-files");
                let all = before.map_or_else(|| value.to_owned(), |own| format!("{own};{value}"));
                return self.intent.set("yarn.ship-files", all);
            }
            _ => return,
        };
        if matches!(short, "jm" | "tm") && value.bytes().all(|byte| byte.is_ascii_digit()) {
            self.intent.set(key, format!("{value}m"));
        } else {
            self.intent.set(key, value);
        }
    }
}

pub(super) fn bare(word: &str) -> &str {
    crate::grammar::bare(word)
}
