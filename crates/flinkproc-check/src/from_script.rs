//! A script of gcloud and Flink commands → a spec, the mistakes that it mends, and what could not be taken over.

use std::collections::BTreeMap;

use flinkproc_core::FlinkVersion;

use crate::cluster_flags;
use crate::draft::{Converted, Draft, Value};
use crate::finding::Checked;
use crate::pages::Language;
use crate::script::{Report, check};
use crate::shell::{self, glyphs};
use crate::source::Source;
use flinkproc_flink_cli::diagnosis::{Severity, is_flink, right_lines};

/// Makes a spec of a script.
///
/// ```
/// use flinkproc_check::{Source, from_script};
///
/// let script = "gcloud dataproc clusters create etl --region=europe-west4 --image-version=2.2-debian12\n\
///               gcloud compute ssh etl-m --command='flink run -m yarn-cluster -p 4 -py gs://b/etl.py --day 1'\n";
/// let made = from_script(&Source::new("etl.sh", script), None);
/// assert!(made.text.contains("script = \"gs://b/etl.py\"") && made.text.contains("parallelism = 4"));
/// assert!(made.mended[0].starts_with("line 2: "));
/// ```
#[must_use]
pub fn from_script(source: &Source, flink: Option<FlinkVersion>) -> Converted {
    let report = check(source, Language::of(&source.name, source.text()), flink);
    let mut maker = Maker {
        draft: Draft::default(),
        flink: report.flink,
        left: Vec::new(),
        values: assignments(source, false),
        open: assignments(source, true),
        copies: copies(source),
        used: BTreeMap::new(),
        jobs: 0,
        method: None,
        cluster: false,
    };
    for command in &report.commands {
        maker.command(command);
    }
    maker.finish();
    let mended = mended(&report);
    let head = format!(
        "Made from {} by `flinkproc init --from-script`. Look it over, then `flinkproc plan` this file.",
        source.name
    );
    Converted {
        text: maker.draft.text(&head),
        mended,
        left: maker.left,
    }
}

/// The findings that a spec has no room for.
fn mended(report: &Report) -> Vec<String> {
    let findings = report
        .all()
        .into_iter()
        .filter(|finding| finding.severity > Severity::Note);
    findings
        .map(|finding| {
            format!(
                "line {}: {} ({})",
                finding.place.line, finding.message, finding.code
            )
        })
        .collect()
}

/// Values that the script gives to variables: those of letters alone, or those that the shell fills in a part of.
fn assignments(source: &Source, open: bool) -> BTreeMap<String, String> {
    let script = shell::read(&glyphs(source.text(), 0));
    let mut values = BTreeMap::new();
    for command in &script.commands {
        let exported = command
            .words
            .first()
            .is_some_and(|word| word.text() == "export");
        let words = command.words.iter().skip(1).filter(|_| exported);
        for word in command
            .assignments
            .iter()
            .chain(words)
            .filter(|word| word.is_open() == open)
        {
            if let Some((name, value)) = word.text().split_once('=') {
                values
                    .entry(name.to_owned())
                    .or_insert_with(|| value.to_owned());
            }
        }
    }
    values
}

/// Files that the script brings from a bucket: copy → address.
fn copies(source: &Source) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let words: Vec<&str> = source
        .text()
        .split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ';' | ',' | '[' | ']'))
        .filter(|word| !word.is_empty())
        .collect();
    for pair in words.windows(3) {
        if let [copy, from, to] = pair
            && *copy == "cp"
            && from.starts_with("gs://")
            && !to.contains("://")
        {
            let name = from.rsplit('/').next().unwrap_or_default();
            let to = if to.ends_with('/') {
                format!("{to}{name}")
            } else {
                (*to).to_owned()
            };
            found.insert(to, (*from).to_owned());
        }
    }
    found
}

struct Maker {
    draft: Draft,
    flink: FlinkVersion,
    left: Vec<String>,
    values: BTreeMap<String, String>,
    /// Values that the shell fills in a part of.
    open: BTreeMap<String, String>,
    copies: BTreeMap<String, String>,
    /// Variables that the spec uses, as parameters.
    used: BTreeMap<String, Option<String>>,
    jobs: usize,
    /// How the script hands its job over, where it is a job of Dataproc's.
    method: Option<&'static str>,
    cluster: bool,
}

impl Maker {
    fn command(&mut self, command: &Checked) {
        // Also where nothing is wrong, everything is in one form then.
        let lines = match command.words.first() {
            Some(program) if is_flink(program) => right_lines(self.flink, &command.words),
            _ => command.instead.clone(),
        };
        let right = lines.last().unwrap_or(&command.words);
        let words: Vec<&str> = right.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["gcloud", ..] => {
                let place = words.iter().position(|word| *word == "create");
                if let Some(at) =
                    place.filter(|_| words.contains(&"clusters") && words.contains(&"dataproc"))
                {
                    self.create(command.line, words.get(at + 1..).unwrap_or_default());
                } else if words.contains(&"submit") && words.contains(&"pig") {
                    self.method = Some("pig");
                } else if words.contains(&"submit") && words.contains(&"pyspark") {
                    self.method = Some("pyspark");
                }
            }
            // A session that is started behind the job is for others.
            [program, rest @ ..] if program.ends_with("yarn-session.sh") && self.jobs == 0 => {
                self.draft.set("job", "mode", "session");
                self.session(rest);
            }
            [program, "run" | "run-application", rest @ ..] if program.ends_with("flink") => {
                self.run(command, &lines, rest);
            }
            [program, action, ..] if program.ends_with("flink") => {
                self.left.push(format!("line {}: `flink {action}` is a step of its own: see `flinkproc status`, `logs` and `down`", command.line));
            }
            _ => {}
        }
    }

    fn create(&mut self, line: usize, words: &[&str]) {
        if std::mem::replace(&mut self.cluster, true) {
            self.left
                .push(format!("line {line}: a second cluster: a spec has one"));
            return;
        }
        let mut at = 0;
        while let Some(word) = words.get(at) {
            at += 1;
            if !word.starts_with("--") {
                self.name(word);
                continue;
            }
            let (name, inline) = word
                .split_once('=')
                .map_or((*word, None), |(name, value)| (name, Some(value)));
            let takes = cluster_flags::takes_value(name);
            let value = inline.or_else(|| words.get(at).copied().filter(|_| takes));
            at += usize::from(inline.is_none() && takes);
            let value = value.map(|value| self.filled(value));
            if !cluster_flags::apply(&mut self.draft, name, value.as_deref()) {
                self.left.push(format!("line {line}: `{name}` has no key of its own; put it into a file for `cluster.from`"));
            }
        }
    }

    /// A name that differs from run to run is a prefix.
    fn name(&mut self, word: &str) {
        let mut filled = self.filled(word);
        for (name, text) in &self.open {
            filled = filled.replace(&format!("${{{name}}}"), text);
        }
        match filled.find('$') {
            None => self.draft.set("cluster", "name", filled),
            Some(at) => {
                let prefix = filled.get(..at).unwrap_or_default().trim_end_matches('-');
                if !prefix.is_empty() {
                    self.draft.set("cluster", "prefix", prefix);
                }
            }
        }
    }

    /// With the values that the script itself gives.
    fn filled(&self, text: &str) -> String {
        let mut out = text.to_owned();
        for (name, value) in &self.values {
            out = out.replace(&format!("${{{name}}}"), value);
        }
        out
    }

    /// A text of the spec: variables become parameters.
    fn text(&mut self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('$') {
            out.push_str(before);
            let braced = behind.strip_prefix('{');
            let from = braced.unwrap_or(behind);
            let end = from
                .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                .unwrap_or(from.len());
            let (name, after) = from.split_at_checked(end).unwrap_or((from, ""));
            let closed = braced.is_none() || after.starts_with('}');
            if name.is_empty() || !closed || name.starts_with(|c: char| c.is_ascii_digit()) {
                // In a spec, only `${` means anything.
                out.push_str(if braced.is_some() { "$$" } else { "$" });
                rest = behind;
                continue;
            }
            let own = name.to_ascii_lowercase();
            let value = self.values.get(name).cloned();
            out.push_str(&format!("${{params.{own}}}"));
            self.used.insert(own, value);
            rest = if braced.is_some() {
                after.strip_prefix('}').unwrap_or(after)
            } else {
                after
            };
        }
        out.push_str(rest);
        out
    }

    /// A file of the job: the address that the script copied it from, where it did.
    fn file(&mut self, path: &str) -> String {
        let from = self
            .copies
            .get(path)
            .cloned()
            .unwrap_or_else(|| path.to_owned());
        self.text(&from)
    }

    fn files(&mut self, list: &str) -> Value {
        Value::List(list.split(',').map(|path| self.file(path)).collect())
    }

    fn session(&mut self, words: &[&str]) {
        for word in words {
            if let Some((key, value)) = word
                .strip_prefix("-D")
                .and_then(|pair| pair.split_once('='))
            {
                let value = self.text(value);
                match key {
                    "yarn.application.name" => self
                        .draft
                        .comment("session", format!("the script called it {value}")),
                    key => self
                        .draft
                        .comment("session", format!("it had {key} = {value}")),
                }
            }
        }
    }

    fn run(&mut self, command: &Checked, lines: &[Vec<String>], words: &[&str]) {
        self.jobs += 1;
        if self.jobs > 1 {
            let line = command.line;
            self.left.push(format!(
                "line {line}: a second job: make a spec of its own for it"
            ));
            return;
        }
        // The lines before bring files from buckets, which deploying does by itself.
        for line in lines {
            if let [_, .., from, to] = line.as_slice()
                && line.iter().any(|word| word == "cp")
            {
                let name = from.rsplit('/').next().unwrap_or_default();
                let to = if to.ends_with('/') {
                    format!("{to}{name}")
                } else {
                    to.clone()
                };
                self.copies.insert(to, from.clone());
            }
        }
        let module_of_copy = |name: &str| format!("ship/{name}.py");
        let mut rest = words.iter().copied();
        let mut arguments: Vec<String> = Vec::new();
        let mut python = false;
        while let Some(word) = rest.next() {
            if let Some((key, value)) = word
                .strip_prefix("-D")
                .and_then(|pair| pair.split_once('='))
            {
                self.config(key, value);
                continue;
            }
            match word {
                "-t" => match rest.next() {
                    Some("yarn-application") => self.draft.set("job", "mode", "application"),
                    Some("yarn-session") => self.draft.set("job", "mode", "session"),
                    _ => {}
                },
                "-p" => match rest.next().unwrap_or_default().parse() {
                    Ok(number) => self.draft.set("job", "parallelism", Value::Number(number)),
                    Err(_) => self.left.push(format!(
                        "line {}: the parallelism is a variable; write a number",
                        command.line
                    )),
                },
                "-d" => self.left.push(format!(
                    "line {}: `-d`: say `deploy --detach` where you deploy",
                    command.line
                )),
                "-py" => {
                    python = true;
                    let file = self.file(rest.next().unwrap_or_default());
                    self.draft.set("job", "script", file);
                }
                "-pym" => {
                    python = true;
                    let name = rest.next().unwrap_or_default();
                    match self.copies.get(&module_of_copy(name)).cloned() {
                        Some(script) => {
                            let script = self.text(&script);
                            self.draft.set("job", "script", script);
                        }
                        None => self.draft.set("job", "module", name),
                    }
                }
                "-pyfs" => {
                    let list: Vec<&str> = rest
                        .next()
                        .unwrap_or_default()
                        .split(',')
                        .filter(|path| *path != "ship")
                        .collect();
                    if !list.is_empty() {
                        let files = self.files(&list.join(","));
                        self.draft.set("job", "python_files", files);
                    }
                }
                "-pyarch" => {
                    let files = self.files(rest.next().unwrap_or_default());
                    self.draft.set("job", "archives", files);
                }
                "-pyreq" => {
                    let file = rest
                        .next()
                        .unwrap_or_default()
                        .split('#')
                        .next()
                        .unwrap_or_default();
                    let file = self.file(file);
                    self.draft.set("job", "requirements", file);
                }
                "-C" => {
                    let url = rest.next().unwrap_or_default().to_owned();
                    self.draft.set("job", "classpaths", Value::List(vec![url]));
                }
                "-s" => {
                    let from = self.text(rest.next().unwrap_or_default());
                    self.draft.set("job.restore", "from", from);
                }
                "-n" => self
                    .draft
                    .set("job.restore", "allow_non_restored", Value::Flag(true)),
                "-pyexec" | "-pyclientexec" => {
                    let path = rest.next().unwrap_or_default();
                    self.left.push(format!(
                        "line {}: `{word} {path}`: flinkproc chooses the Python, or ships one",
                        command.line
                    ));
                }
                "-c" | "-m" | "-rm" | "-cm" => {
                    let value = rest.next().unwrap_or_default();
                    self.left
                        .push(format!("line {}: `{word} {value}`", command.line));
                }
                "-sae" => {}
                "--" => {}
                word => {
                    arguments.push(word.to_owned());
                    if python || !word.starts_with('-') {
                        arguments.extend(rest.by_ref().map(str::to_owned));
                    }
                }
            }
        }
        if !python {
            let jar = if arguments.is_empty() {
                String::new()
            } else {
                arguments.remove(0)
            };
            self.left.push(format!(
                "line {}: `{jar}` is a job in Java; flinkproc deploys jobs in Python",
                command.line
            ));
        }
        let arguments: Vec<String> = arguments.iter().map(|word| self.text(word)).collect();
        self.draft.set("job", "args", Value::List(arguments));
    }

    fn config(&mut self, key: &str, value: &str) {
        match key {
            "yarn.application.id" | "yarn.ship-files" => {}
            "yarn.application.name" => {
                let name = self.text(value);
                if name.contains('$') {
                    self.draft
                        .comment("job", format!("the script called it {name}"));
                } else {
                    self.draft.set("job", "name", name);
                }
            }
            key => {
                let value = self.text(value);
                self.draft.set("job.flink_config", key, value);
            }
        }
    }

    fn finish(&mut self) {
        if let Some(method) = self.method.filter(|_| self.jobs == 1) {
            self.draft.set("job", "method", method);
        }
        if self.jobs == 0 {
            self.left
                .push("no line runs a Flink job: name the script yourself".to_owned());
            self.draft.set("job", "script", "job.py");
        }
        if !self.draft.has("cluster", "image") {
            self.draft
                .set("cluster", "image", crate::script::DEFAULT_IMAGE);
        }
        if !self.draft.has("staging", "bucket") {
            self.draft.comment(
                "staging",
                "bucket = \"my-bucket\"   # for the code, below flinkproc/ in it",
            );
        }
        for (name, value) in std::mem::take(&mut self.used) {
            match value {
                Some(value) => self.draft.set("params", &name, value),
                None => self.draft.set(
                    "params",
                    &name,
                    Value::Raw("{ type = \"string\" }".to_owned()),
                ),
            }
        }
    }
}
