//! One command of gcloud, judged.

use flinkproc_flink_cli::diagnosis::Severity;

use super::{Judge, joined};
use crate::finding::{Finding, Rule};
use crate::gcloud::{self, Asked};
use crate::shell::{Glyph, Word};

impl Judge<'_> {
    /// Judges a command of gcloud, and what stands in its `--command`, its filter and its file.
    pub(super) fn gcloud(&mut self, words: &[Word]) {
        let texts: Vec<String> = words.iter().map(Word::text).collect();
        let place = |at: usize| words.get(at).map_or((0, 0), |word| (word.start, word.end));
        let (command, named) = match gcloud::command(&texts) {
            Asked::Command(command, named) => (command, named),
            Asked::Unknown(at) => {
                let happens = format!(
                    "gcloud has no command `{}`",
                    texts.get(at).cloned().unwrap_or_default()
                );
                let finding = self.finding(
                    Rule::GcloudCommand,
                    place(at),
                    happens,
                    "none of its groups has it",
                    "`gcloud dataproc --help` lists what there is",
                );
                self.checked(words, texts, vec![finding], Vec::new());
                return;
            }
            Asked::Elsewhere => return,
        };
        let mut findings = Vec::new();
        let mut right: Vec<String> = texts.get(..named).unwrap_or_default().to_vec();
        let mut at = named;
        let mut nested: Vec<(bool, Vec<Glyph>)> = Vec::new();
        let mut flags: Vec<String> = Vec::new();
        while let Some(text) = texts.get(at) {
            if text == "--" {
                let rest = texts.get(at..).unwrap_or_default();
                if command.is("compute ssh") {
                    nested.push((false, joined(words.get(at + 1..).unwrap_or_default())));
                }
                self.python_for_flink(
                    command,
                    rest,
                    words.get(at..).unwrap_or_default(),
                    &mut findings,
                );
                right.extend(rest.iter().cloned());
                break;
            }
            let Some(word) = words
                .get(at)
                .filter(|_| text.starts_with('-') && text.len() > 1)
            else {
                if !text.starts_with('-') {
                    self.python_for_flink(
                        command,
                        std::slice::from_ref(text),
                        words.get(at..=at).unwrap_or_default(),
                        &mut findings,
                    );
                }
                right.push(text.clone());
                at += 1;
                continue;
            };
            let (name, inline) = text
                .split_once('=')
                .map_or((text.as_str(), None), |(name, value)| (name, Some(value)));
            flags.push(name.to_owned());
            let next = texts.get(at + 1).filter(|next| !next.starts_with('-'));
            match command.flag(name) {
                Some(takes) => {
                    let apart = takes && inline.is_none();
                    let value = if apart { words.get(at + 1) } else { Some(word) };
                    let letters = value.map(|value| {
                        if apart {
                            value.letters.clone()
                        } else {
                            behind_equals(&value.letters)
                        }
                    });
                    match name {
                        "--command" if command.is("compute ssh") => {
                            nested.extend(letters.map(|letters| (false, letters)));
                        }
                        "-e" | "--execute" if command.is("dataproc jobs submit pig") => {
                            nested.extend(letters.map(|letters| (true, letters)));
                        }
                        "--max-idle" | "--delete-max-idle" => self.idle = Some(place(at)),
                        _ => {}
                    }
                    if let Some(newer) = gcloud::newer(name) {
                        let happens = format!(
                            "`{name}` works, and is an older name that gcloud's help leaves out"
                        );
                        findings.push(self.finding(
                            Rule::GcloudOldFlag,
                            place(at),
                            happens,
                            "it was given another name",
                            &format!("write `{newer}`"),
                        ));
                        right.push(
                            inline.map_or_else(
                                || newer.to_owned(),
                                |value| format!("{newer}={value}"),
                            ),
                        );
                    } else {
                        right.push(text.clone());
                    }
                    if apart {
                        right.extend(texts.get(at + 1).cloned());
                        at += 1;
                    }
                }
                None if name.starts_with("--") && !name.contains('$') => {
                    let value = inline.or(next
                        .map(String::as_str)
                        .filter(|_| inline.is_none() && command.is("dataproc clusters create")));
                    let (meant, help) = command.meant(name, value);
                    let happens = format!(
                        "gcloud has no flag `{name}` here: it ends with `unrecognized arguments`, and nothing is made"
                    );
                    findings.push(self.finding(
                        Rule::GcloudFlag,
                        place(at),
                        happens,
                        "no version of this command has it",
                        &help,
                    ));
                    right.extend(meant);
                    at += usize::from(inline.is_none() && value.is_some());
                }
                None => right.push(text.clone()),
            }
            at += 1;
        }
        let flink = texts.iter().any(|text| {
            text.contains("optional-components") && text.to_ascii_uppercase().contains("FLINK")
        }) || texts.iter().any(|text| text.eq_ignore_ascii_case("flink"));
        let image = flags
            .iter()
            .any(|flag| flag == "--image-version" || flag == "--image");
        if command.is("dataproc clusters create") && flink && !image {
            let happens = "which Flink the cluster gets is left to Dataproc, and changes with its default image".to_owned();
            let why = "the image decides the versions of Flink, Python and Java";
            findings.push(self.finding(
                Rule::ImageNotPinned,
                place(0),
                happens,
                why,
                "name the image: `--image-version=2.2-debian12`",
            ));
            right.insert(named, "--image-version=2.2-debian12".to_owned());
        }
        let broken = findings
            .iter()
            .any(|finding| finding.severity > Severity::Note);
        let mut seen: Vec<String> = Vec::new();
        right.retain(|word| {
            !word.starts_with("--")
                || word == "--"
                || !seen.contains(word) && {
                    seen.push(word.clone());
                    true
                }
        });
        if command.is("logging read") {
            self.filter(words, &texts, &mut findings, &mut right);
        }
        let broken = broken
            || findings
                .iter()
                .any(|finding| finding.code == Rule::LoggingFilter.code());
        let instead = if broken && right != texts {
            vec![right]
        } else {
            Vec::new()
        };
        self.checked(words, texts, findings, instead);
        for (pig, letters) in nested {
            if pig {
                self.pig(&letters);
            } else {
                self.shell(&letters, false);
            }
        }
    }

    /// A filter of Cloud Logging that no entry matches.
    fn filter(
        &self,
        words: &[Word],
        texts: &[String],
        findings: &mut Vec<Finding>,
        right: &mut [String],
    ) {
        for (word, text) in words.iter().zip(texts) {
            for (at, _) in text.match_indices("dataproc_cluster") {
                if text
                    .get(..at)
                    .is_some_and(|before| before.ends_with("cloud_"))
                {
                    continue;
                }
                let from = text.get(..at).map_or(0, |before| before.chars().count());
                let place = word
                    .letters
                    .get(from)
                    .map_or((word.start, word.end), |glyph| {
                        (glyph.at, glyph.at + "dataproc_cluster".len())
                    });
                let happens =
                    "no entry matches: there is no resource type `dataproc_cluster`".to_owned();
                findings.push(self.finding(
                    Rule::LoggingFilter,
                    place,
                    happens,
                    "Dataproc's clusters log as `cloud_dataproc_cluster`",
                    "write `cloud_dataproc_cluster`",
                ));
            }
        }
        for word in right {
            *word = word
                .replace("cloud_dataproc_cluster", "\u{1}")
                .replace("dataproc_cluster", "\u{1}")
                .replace('\u{1}', "cloud_dataproc_cluster");
        }
    }

    /// A Python file for a Flink job of the Jobs API.
    fn python_for_flink(
        &self,
        command: &gcloud::GcloudCommand,
        texts: &[String],
        words: &[Word],
        findings: &mut Vec<Finding>,
    ) {
        if !command.is("dataproc jobs submit flink") {
            return;
        }
        let script = texts
            .iter()
            .zip(words)
            .find(|(text, _)| text.ends_with(".py"));
        let driver = texts.iter().any(|text| text == "-py" || text == "--python");
        if let Some((_, word)) = script.filter(|_| !driver) {
            let happens =
                "the Jobs API runs jars as Flink jobs; there is no field for a Python file"
                    .to_owned();
            findings.push(self.finding(
                Rule::GcloudFlinkPython,
                (word.start, word.end),
                happens,
                "`flinkJob` has a main class or a main jar",
                "let `flinkproc deploy` hand the job over, or run `flink run -py` on the master",
            ));
        }
    }
}

fn behind_equals(letters: &[Glyph]) -> Vec<Glyph> {
    let behind = letters
        .iter()
        .skip_while(|glyph| glyph.letter != '=')
        .skip(1);
    behind.copied().collect()
}
