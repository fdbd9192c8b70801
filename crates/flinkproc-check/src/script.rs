//! Text → every command of Flink and gcloud in it, judged.

use flinkproc_core::{FlinkVersion, ImageVersion};
use flinkproc_flink_cli::diagnosis::{Severity, diagnose, is_flink};
use serde::Serialize;

use crate::finding::{Checked, Finding, Rule};
use crate::pages::{self, Language, PythonCommand};
use crate::shell::{self, Command, Glyph, Word, glyphs};
use crate::source::Source;

mod gcloud_line;

/// What is said of a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The text's name.
    pub name: String,
    /// The Flink that reads the lines.
    pub flink: FlinkVersion,
    /// Where that version comes from.
    pub flink_from: &'static str,
    /// The commands of Flink and gcloud in their order.
    pub commands: Vec<Checked>,
    /// What is wrong beside them.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Everything that is wrong, in the order of the text.
    #[must_use]
    pub fn all(&self) -> Vec<&Finding> {
        let mut all: Vec<&Finding> = self.findings.iter().collect();
        all.extend(self.commands.iter().flat_map(|command| &command.findings));
        all.sort_by_key(|finding| finding.place);
        all
    }

    /// How many findings are that bad.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.all()
            .iter()
            .filter(|finding| finding.severity == severity)
            .count()
    }
}

/// The image that Dataproc takes when none is named.
pub const DEFAULT_IMAGE: &str = "2.2";

/// The Flink of [`DEFAULT_IMAGE`].
#[must_use]
pub fn default_flink() -> FlinkVersion {
    let image = DEFAULT_IMAGE.parse::<ImageVersion>();
    image.map_or(FlinkVersion::new(1, 17), |image| image.flink())
}

/// Judges a text.
#[must_use]
pub fn check(source: &Source, language: Language, flink: Option<FlinkVersion>) -> Report {
    let (version, from) = version(source.text(), flink);
    let mut judge = Judge {
        source,
        version,
        commands: Vec::new(),
        findings: Vec::new(),
        hadoop: false,
        idle: None,
        session: false,
    };
    judge.text(source.text(), 0, language);
    judge.hints();
    Report {
        name: source.name.clone(),
        flink: version,
        flink_from: from,
        commands: judge.commands,
        findings: judge.findings,
    }
}

/// Judges one line whose words are known; `source` shows them, the nth at `places[n]` in bytes.
#[must_use]
pub fn check_line(
    source: &Source,
    words: &[String],
    places: &[(usize, usize)],
    flink: Option<FlinkVersion>,
) -> Report {
    let (flink, flink_from) = version("", flink);
    let mut judge = Judge {
        source,
        version: flink,
        commands: Vec::new(),
        findings: Vec::new(),
        hadoop: true,
        idle: None,
        session: false,
    };
    let word = |(text, (start, end)): (&String, &(usize, usize))| Word {
        letters: glyphs(text, *start),
        start: *start,
        end: *end,
    };
    let words: Vec<Word> = words.iter().zip(places).map(word).collect();
    let program = words.first().map(Word::text).unwrap_or_default();
    if !is_flink(&program) && program != "gcloud" {
        // An action stands at the beginning.
        judge.flink(&words, false);
    } else {
        judge.command(&Command {
            words,
            ..Command::default()
        });
    }
    Report {
        name: source.name.clone(),
        flink,
        flink_from,
        commands: judge.commands,
        findings: judge.findings,
    }
}

/// The Flink that was given, or that of the image which the text names, or of the image that Dataproc takes by itself.
fn version(text: &str, given: Option<FlinkVersion>) -> (FlinkVersion, &'static str) {
    if let Some(given) = given {
        return (given, "as given");
    }
    let named = text.split("--image-version").skip(1).find_map(|rest| {
        let rest = rest.trim_start_matches(['=', ' ', '"', '\'']);
        let end = rest
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\\'))
            .unwrap_or(rest.len());
        rest.get(..end)?.parse::<ImageVersion>().ok()
    });
    match named {
        Some(image) => (image.flink(), "of the image that is named"),
        None => (
            default_flink(),
            "of image 2.2, which Dataproc takes when none is named",
        ),
    }
}

struct Judge<'s> {
    source: &'s Source,
    version: FlinkVersion,
    commands: Vec<Checked>,
    findings: Vec<Finding>,
    /// Whether Hadoop's classes were named, or their lack was told.
    hadoop: bool,
    /// Where the cluster is told to end when idle.
    idle: Option<(usize, usize)>,
    /// Whether a session was started that stays.
    session: bool,
}

impl Judge<'_> {
    fn text(&mut self, text: &str, from: usize, language: Language) {
        match language {
            Language::Markdown => {
                for (start, body, language) in pages::blocks(text) {
                    (self.idle, self.session) = (None, false);
                    match language {
                        Language::Shell => {
                            self.shell(&pages::without_prompts(body, from + start), false);
                        }
                        language => self.text(body, from + start, language),
                    }
                }
            }
            Language::Shell => self.shell(&glyphs(text, from), true),
            Language::Pig => self.pig(&glyphs(text, from)),
            Language::Python => self.python(&glyphs(text, from)),
        }
    }

    fn shell(&mut self, text: &[Glyph], whole: bool) {
        let script = shell::read(text);
        if let Some(at) = script.unclosed.filter(|_| whole) {
            let help = "close it";
            let finding = self.finding(
                Rule::Unclosed,
                (at, at + 1),
                "this quote is never closed".into(),
                "the shell reads on to the end of the file",
                help,
            );
            self.findings.push(finding);
        }
        for command in &script.commands {
            self.command(command);
        }
        if let (true, Some(place)) = (self.session, self.idle.take()) {
            let happens = "the cluster never becomes idle: the Flink session is a YARN application that does not end".to_owned();
            let why = "Dataproc counts a cluster as idle when no job and no YARN application runs";
            let finding = self.finding(
                Rule::NeverIdle,
                place,
                happens,
                why,
                "stop the session when its jobs are done, or set a maximal age too",
            );
            self.findings.push(finding);
        }
    }

    fn pig(&mut self, text: &[Glyph]) {
        for line in pages::pig(text) {
            let first = self.commands.len();
            for command in &shell::read(&line.text).commands {
                self.command(command);
            }
            let mut told = Vec::new();
            if let Some(place) = line.comment {
                let happens =
                    "nothing from here on is run, without a word and with exit status 0".to_owned();
                let why = "Grunt takes a `--` behind a blank for the beginning of a comment, unless double quotes are around it";
                told.push(self.finding(
                    Rule::PigComment,
                    place,
                    happens,
                    why,
                    "put the line into a script of its own and run `sh bash /path/to/script.sh;`",
                ));
            }
            if let Some(place) = line.quote {
                let happens =
                    "Grunt takes single quotes away before the shell sees them".to_owned();
                let why = "its own texts are written with them";
                told.push(self.finding(
                    Rule::PigQuotes,
                    place,
                    happens,
                    why,
                    "put the line into a script of its own and run `sh bash /path/to/script.sh;`",
                ));
            }
            match self.commands.get_mut(first) {
                Some(checked) => checked.findings.extend(told),
                None => self.findings.extend(told),
            }
        }
    }

    fn python(&mut self, text: &[Glyph]) {
        for command in pages::python(text) {
            match command {
                PythonCommand::Text(text) => self.shell(&text, false),
                PythonCommand::Words(words) => {
                    let word = |letters: Vec<Glyph>| {
                        let start = letters.first().map_or(0, |glyph| glyph.at);
                        let end = letters
                            .last()
                            .map_or(start, |glyph| glyph.at + glyph.letter.len_utf8());
                        Word {
                            letters,
                            start,
                            end,
                        }
                    };
                    let words: Vec<Word> = words.into_iter().map(word).collect();
                    self.command(&Command {
                        words,
                        ..Command::default()
                    });
                }
            }
        }
    }

    fn finding(
        &self,
        rule: Rule,
        place: (usize, usize),
        message: String,
        why: &str,
        help: &str,
    ) -> Finding {
        Finding {
            code: rule.code(),
            severity: rule.severity(),
            place: self.source.place(place.0, place.1),
            message,
            why: why.to_owned(),
            help: help.to_owned(),
        }
    }

    fn command(&mut self, command: &Command) {
        let exported = command.words.iter().chain(&command.assignments);
        self.hadoop |= exported
            .into_iter()
            .any(|word| word.text().starts_with("HADOOP_CLASSPATH"));
        let words = command
            .words
            .get(wrapped(&command.words)..)
            .unwrap_or_default();
        let program = words.first().map(Word::text).unwrap_or_default();
        match program.rsplit('/').next().unwrap_or_default() {
            _ if is_flink(&program) => self.flink(words, true),
            "gcloud" => self.gcloud(words),
            "ssh" => self.shell(&behind_host(words), false),
            "bash" | "sh" | "dash" | "zsh" => {
                let given = words
                    .iter()
                    .position(|word| word.text() == "-c" || word.text() == "-lc");
                if let Some(text) = given.and_then(|at| words.get(at + 1)) {
                    self.shell(&text.letters, false);
                }
            }
            _ => {}
        }
        if let Some(body) = &command.input {
            let output = command.outputs.first().map(Word::text).unwrap_or_default();
            let shell = matches!(program.as_str(), "ssh" | "bash" | "sh" | "gcloud")
                || output.ends_with(".sh");
            match output.rsplit('.').next().unwrap_or_default() {
                "pig" => self.pig(body),
                "py" => self.python(body),
                _ if shell => self.shell(body, false),
                _ if program == "pig" => self.pig(body),
                _ => {}
            }
        }
    }

    fn flink(&mut self, words: &[Word], whole: bool) {
        let texts: Vec<String> = words.iter().map(Word::text).collect();
        let said = diagnose(self.version, &texts);
        if said.action.is_none() && said.findings.is_empty() {
            return;
        }
        let place = |range: &std::ops::Range<usize>| {
            let last = words.len().saturating_sub(1);
            let start = words
                .get(range.start.min(last))
                .map_or(0, |word| word.start);
            let end = words
                .get(range.end.saturating_sub(1).min(last))
                .map_or(start, |word| word.end);
            (start, end)
        };
        let mut findings: Vec<Finding> = Vec::new();
        for found in said.findings {
            let (start, end) = place(&found.words);
            findings.push(Finding {
                code: found.rule.code(),
                severity: found.severity(),
                place: self.source.place(start, end),
                message: found.happens,
                why: found.why.to_owned(),
                help: found.help,
            });
        }
        if !self.hadoop && whole {
            self.hadoop = true;
            let happens =
                "Flink finds no classes of Hadoop, and knows no target on YARN then".to_owned();
            let why = "nothing on this way sets HADOOP_CLASSPATH; told once for the whole text";
            findings.push(self.finding(
                Rule::HadoopClasspath,
                place(&(0..1)),
                happens,
                why,
                "run `export HADOOP_CLASSPATH=$(hadoop classpath)` before it",
            ));
        }
        self.session |= said.action == Some(flinkproc_flink_cli::grammar::Action::Session);
        self.checked(words, texts, findings, said.instead);
    }

    fn checked(
        &mut self,
        words: &[Word],
        texts: Vec<String>,
        findings: Vec<Finding>,
        instead: Vec<Vec<String>>,
    ) {
        let line = words
            .first()
            .map_or(1, |word| self.source.place(word.start, word.end).line);
        let open = words.iter().any(Word::is_open);
        self.commands.push(Checked {
            line,
            words: texts,
            findings,
            instead,
            open,
        });
    }

    /// Addresses and folders that are not there, wherever in the text they stand.
    fn hints(&mut self) {
        let text = self.source.text();
        let mut found = Vec::new();
        for (at, folder) in text.match_indices("/opt/flink") {
            let rest = text.get(at + folder.len()..).unwrap_or_default();
            let end = rest
                .find(|c: char| !(c.is_alphanumeric() || "/._-*".contains(c)))
                .unwrap_or(rest.len());
            if rest.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '-' | '_')) {
                continue;
            }
            let happens = "Dataproc's images have no such folder".to_owned();
            let help = "Flink lies in /usr/lib/flink; logs of a job are those of its containers: `yarn logs -applicationId …`";
            found.push(self.finding(
                Rule::FlinkFolder,
                (at, at + folder.len() + end),
                happens,
                "it is that of Flink's own container images",
                help,
            ));
        }
        for (at, port) in text.match_indices(":8081") {
            let before = text.get(..at).unwrap_or_default();
            let start = before
                .rfind(|c: char| c.is_whitespace() || "\"'`(=".contains(c))
                .map_or(0, |blank| blank + 1);
            let host = before.get(start..).unwrap_or_default();
            let local = host.contains("localhost") || host.contains("127.0.0.1");
            if !host.contains("://")
                || local
                || text
                    .get(at + 5..)
                    .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
            {
                continue;
            }
            let happens = "Flink's page is not there: on YARN its port is chosen when the job starts, on a worker".to_owned();
            let help = "follow the application's tracking address in the ResourceManager's list, through the Component Gateway";
            found.push(self.finding(
                Rule::FlinkAddress,
                (start, at + port.len()),
                happens,
                "8081 is the port of a standalone cluster",
                help,
            ));
        }
        self.findings.extend(found);
    }
}

/// How many words before the program only say how it is run.
fn wrapped(words: &[Word]) -> usize {
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let text = word.text();
        match text.as_str() {
            "nohup" | "exec" | "command" | "time" | "eval" | "setsid" => at += 1,
            "sudo" | "env" | "nice" | "timeout" | "stdbuf" => {
                at += 1;
                while let Some(next) = words.get(at).map(Word::text) {
                    let assignment = next.contains('=') && !next.starts_with('-');
                    let number = next.starts_with(|c: char| c.is_ascii_digit());
                    if matches!(next.as_str(), "-u" | "-g" | "-k" | "-s" | "-n") {
                        at += 2;
                    } else if next.starts_with('-') || assignment || number {
                        at += 1;
                    } else {
                        break;
                    }
                }
            }
            _ => break,
        }
    }
    at
}

/// The command that `ssh` is given, behind the host.
fn behind_host(words: &[Word]) -> Vec<Glyph> {
    let mut at = 1;
    while let Some(text) = words.get(at).map(Word::text) {
        match text.as_str() {
            "-i" | "-o" | "-p" | "-l" | "-L" | "-R" | "-D" | "-J" | "-F" => at += 2,
            text if text.starts_with('-') => at += 1,
            _ => break,
        }
    }
    joined(words.get(at + 1..).unwrap_or_default())
}

fn joined(words: &[Word]) -> Vec<Glyph> {
    let mut letters = Vec::new();
    for word in words {
        letters.extend(word.letters.iter().copied());
        letters.push(Glyph {
            letter: ' ',
            at: word.end,
            open: false,
        });
    }
    letters
}
