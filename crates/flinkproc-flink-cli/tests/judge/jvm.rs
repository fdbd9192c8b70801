//! Flink's own classes of one version, in a JVM that answers line by line.

use std::fmt::Write as _;
use std::fs::{File, create_dir_all, remove_dir_all, rename};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use flinkproc_flink_cli::grammar::Action;

/// The last release of each minor version that Maven had when this was written, and the Scala suffixes of its modules.
pub(crate) const VERSIONS: [(&str, &str, &str); 12] = [
    ("1.12.7", "_2.12", "_2.12"),
    ("1.13.1", "_2.12", "_2.12"),
    ("1.14.6", "_2.12", "_2.12"),
    ("1.15.4", "", "_2.12"),
    ("1.16.3", "", ""),
    ("1.17.2", "", ""),
    ("1.18.1", "", ""),
    ("1.19.0", "", ""),
    ("1.20.1", "", ""),
    ("2.0.0", "", ""),
    ("2.1.0", "", ""),
    ("2.2.0", "", ""),
];

const FLINK: &str = include_str!("flink-pom.xml");
const HADOOP: &str = include_str!("hadoop-pom.xml");
const SOURCE: &str = include_str!("Judge.java");

/// Whether the judges can be had at all; says on standard error why not.
pub(crate) fn wanted() -> bool {
    if variable("FLINKPROC_TEST_FAST").is_some() {
        return left_out("FLINKPROC_TEST_FAST is set, and this test starts Flink's own classes");
    }
    for program in ["java", "javac", "mvn"] {
        if !runs(program) {
            return left_out("no Java or no Maven is in the PATH");
        }
    }
    true
}

fn left_out(why: &str) -> bool {
    // Past the test's captured output: who skips a test has to see it.
    let told = writeln!(std::io::stderr().lock(), "left out: {why}");
    told.expect("standard error takes it");
    false
}

pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn runs(program: &str) -> bool {
    let mut command = Command::new(program);
    let command = command.arg("-version").stdout(Stdio::null());
    command.stderr(Stdio::null()).status().is_ok()
}

fn cache() -> PathBuf {
    let own = variable("FLINKPROC_CACHE").map(PathBuf::from);
    let parent = variable("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || PathBuf::from(variable("HOME").expect("a home")).join(".cache");
    own.unwrap_or_else(|| parent.unwrap_or_else(home).join("flinkproc"))
        .join("judge")
}

fn digest(of: impl Hash) -> String {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// A directory that `make` fills: there whole or not at all, and made by one process at a time.
fn whole(name: &str, of: impl Hash, make: impl FnOnce(&Path)) -> PathBuf {
    let folder = cache();
    create_dir_all(&folder).expect("a cache");
    let place = folder.join(format!("{name}-{}", digest(of)));
    let lock = File::create(folder.join("lock")).expect("a lock");
    // Released when the file is closed.
    lock.lock().expect("a turn");
    if !place.is_dir() {
        let half = folder.join(format!("{name}.half"));
        if half.exists() {
            remove_dir_all(&half).expect("an old half goes");
        }
        create_dir_all(&half).expect("a directory");
        make(&half);
        rename(&half, &place).expect("it is whole now");
    }
    place
}

fn fetch(pom: &str, settings: &[String], to: &Path) {
    let file = to.with_extension("pom.xml");
    std::fs::write(&file, pom).expect("a pom");
    let done = Command::new("mvn")
        .args(["-q", "-B", "-f"])
        .arg(&file)
        .arg("dependency:copy-dependencies")
        .arg(format!("-DoutputDirectory={}", to.display()))
        .args(settings)
        .stdout(Stdio::null())
        .output()
        .expect("Maven runs");
    std::fs::remove_file(&file).expect("the pom goes");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "Maven failed: {said}");
}

/// One version's judge.
#[derive(Debug)]
pub(crate) struct Judge {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Judge {
    pub(crate) fn start(version: &str) -> Self {
        let row = VERSIONS.iter().find(|row| row.0 == version);
        let (_, scala, python) = row.expect("a known version");
        let hadoop = whole("hadoop", HADOOP, |to| fetch(HADOOP, &[], to));
        let settings = [
            format!("-Dflink={version}"),
            format!("-Dscala={scala}"),
            format!("-Dpyscala={python}"),
        ];
        let flink = whole(version, FLINK, |to| fetch(FLINK, &settings, to));
        let jars = format!("{}/*:{}/*", flink.display(), hadoop.display());
        let classes = whole(
            &format!("{version}-classes"),
            (SOURCE, FLINK, HADOOP),
            |to| {
                let source = to.join("Judge.java");
                std::fs::write(&source, SOURCE).expect("a source file");
                let built = Command::new("javac")
                    .args(["-nowarn", "-cp", &jars, "-d"])
                    .arg(to)
                    .arg(source)
                    .output()
                    .expect("javac runs");
                let said = String::from_utf8_lossy(&built.stderr);
                assert!(built.status.success(), "{said}");
            },
        );
        let mut child = Command::new("java")
            .args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx256m"])
            .arg("-cp")
            .arg(format!("{}:{jars}", classes.display()))
            .arg("Judge")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Java runs");
        let to = child.stdin.take().expect("piped");
        let from = BufReader::new(child.stdout.take().expect("piped"));
        let mut judge = Self { child, to, from };
        let ready = answer(&mut judge.from);
        assert_eq!(
            ready, "ready\tGenericCLI\tFlinkYarnSessionCli\tDefaultCLI",
            "Flink {version} loads all of its parsers"
        );
        judge
    }

    /// Asks one question.
    pub(crate) fn ask<S: AsRef<str>>(&mut self, question: &str, words: &[S]) -> String {
        let words = words.iter().map(|word| word.as_ref().to_owned());
        let asked = [(question.to_owned(), words.collect())];
        self.ask_all(&asked).pop().unwrap_or_default()
    }

    /// Asks one question after the other without waiting for the answers in between.
    pub(crate) fn ask_all(&mut self, questions: &[Question]) -> Vec<String> {
        let Self { to, from, .. } = self;
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut to = BufWriter::new(to);
                for (question, words) in questions {
                    let mut line = question.clone();
                    for word in words {
                        line.push('\t');
                        line.push_str(&hex(word));
                    }
                    writeln!(to, "{line}").expect("the judge listens");
                }
                to.flush().expect("the judge listens");
            });
            questions.iter().map(|_| answer(from)).collect()
        })
    }
}

/// What is asked, and the words that it is about.
pub(crate) type Question = (String, Vec<String>);

fn answer(from: &mut BufReader<ChildStdout>) -> String {
    let mut answer = String::new();
    from.read_line(&mut answer).expect("the judge answers");
    assert!(!answer.is_empty(), "the judge is gone");
    answer.trim_end_matches('\n').to_owned()
}

/// An answer with its lists in one spelling.
pub(crate) fn normal(answer: &str) -> String {
    // Up to 1.20 Flink writes an empty list, later none.
    let none = format!("c:{}=-", hex("pipeline.classpaths"));
    let fields = answer.split('\t');
    let fields = fields.map(|field| {
        let lists = ["pipeline.classpaths", "yarn.ship-files"].into_iter();
        let list = lists.map(|key| format!("c:{}=", hex(key)));
        let mut found = list.filter_map(|start| {
            let value = field.strip_prefix(start.as_str())?;
            Some(format!("{start}{}", hex(&as_list(&unhex(value)))))
        });
        found.next().unwrap_or_else(|| field.to_owned())
    });
    let fields = fields.filter(|field| *field != none);
    fields.collect::<Vec<_>>().join("\t")
}

impl Drop for Judge {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// An action as the judge calls it.
pub(crate) fn name(action: Action) -> &'static str {
    match action {
        Action::Session => "session",
        _ => action.word(),
    }
}

/// Lists are written as YAML from 1.19 on.
fn as_list(text: &str) -> String {
    let items = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let Some(items) = items else {
        return text.to_owned();
    };
    let items = items
        .split(", ")
        .map(|item| item.trim_matches('\'').replace("''", "'"));
    items.collect::<Vec<_>>().join(";")
}

pub(crate) fn hex(text: &str) -> String {
    if text.is_empty() {
        return "-".to_owned();
    }
    text.bytes().fold(String::new(), |mut out, byte| {
        write!(out, "{byte:02x}").expect("a string takes all");
        out
    })
}

pub(crate) fn unhex(text: &str) -> String {
    let at = (0..text.len()).step_by(2);
    let bytes = at.filter_map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok());
    String::from_utf8_lossy(&bytes.collect::<Vec<_>>()).into_owned()
}

/// An answer with its words readable.
pub(crate) fn plain(answer: &str) -> String {
    let field = |field: &str| {
        let (name, value) = field.split_once(':').unwrap_or(("", field));
        let parts: Vec<String> = value
            .split('=')
            .map(|part| {
                let digits = part.bytes().all(|byte| byte.is_ascii_hexdigit());
                let text = digits && part.len() % 2 == 0 && !part.is_empty();
                if text { unhex(part) } else { part.to_owned() }
            })
            .collect();
        format!("{name}:{}", parts.join("="))
    };
    answer
        .split('\t')
        .map(field)
        .collect::<Vec<_>>()
        .join(" | ")
}

/// The same numbers on every run.
#[derive(Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("fits") % below
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let at = self.next(from.len());
        from.get(at).copied().expect("below the length")
    }

    pub(crate) fn one_in(&mut self, of: usize) -> bool {
        self.next(of) == 0
    }
}
