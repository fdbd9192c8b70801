//! Texts that hold commands among other things: Markdown, Pig scripts, Python.

use crate::shell::{Glyph, glyphs};

/// The language of a stretch of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// A shell script.
    Shell,
    /// A Pig script, whose `sh` lines are commands.
    Pig,
    /// A Python program, whose lists and strings may be commands.
    Python,
    /// Markdown, whose fenced blocks are of any of these.
    Markdown,
}

impl Language {
    /// The language of a file, by its name and its first line.
    #[must_use]
    pub fn of(name: &str, text: &str) -> Self {
        let extension = name
            .rsplit('.')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        match extension.as_str() {
            "md" | "markdown" => Self::Markdown,
            "pig" => Self::Pig,
            "py" | "ipynb" => Self::Python,
            _ if text.starts_with("#!")
                && text
                    .lines()
                    .next()
                    .is_some_and(|line| line.contains("python")) =>
            {
                Self::Python
            }
            _ => Self::Shell,
        }
    }
}

/// The fenced blocks of Markdown: where each begins, its text, its language.
#[must_use]
pub fn blocks(text: &str) -> Vec<(usize, &str, Language)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, &str, String)> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim_start();
        let fence = ["```", "~~~"]
            .into_iter()
            .find(|fence| trimmed.starts_with(fence));
        match (&open, fence) {
            (None, Some(fence)) => {
                let language = trimmed
                    .trim_start_matches(['`', '~'])
                    .split_whitespace()
                    .next()
                    .unwrap_or_default();
                open = Some((at + line.len(), fence, language.to_ascii_lowercase()));
            }
            (Some((start, own, language)), Some(fence)) if fence == *own => {
                let kind = match language.as_str() {
                    "" | "sh" | "bash" | "shell" | "zsh" | "console" | "shell-session" | "text" => {
                        Some(Language::Shell)
                    }
                    "pig" => Some(Language::Pig),
                    "python" | "py" | "python3" => Some(Language::Python),
                    _ => None,
                };
                let body = text.get(*start..at).unwrap_or_default();
                found.extend(kind.map(|kind| (*start, body, kind)));
                open = None;
            }
            _ => {}
        }
        at += line.len();
    }
    found
}

/// The letters of a shell text without the prompts that pages put before commands.
#[must_use]
pub fn without_prompts(text: &str, from: usize) -> Vec<Glyph> {
    let mut letters = Vec::new();
    let mut at = from;
    for line in text.split_inclusive('\n') {
        let indent = line.len() - line.trim_start().len();
        let prompt = line.trim_start().starts_with("$ ");
        let skip = if prompt { indent + 2 } else { 0 };
        letters.extend(glyphs(line.get(skip..).unwrap_or_default(), at + skip));
        at += line.len();
    }
    letters
}

/// A line of a Pig script that runs a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PigLine {
    /// What stands behind `sh`.
    pub text: Vec<Glyph>,
    /// What of it Grunt takes for a comment: the places of its first and last byte.
    pub comment: Option<(usize, usize)>,
    /// A single quote, which Grunt takes away.
    pub quote: Option<(usize, usize)>,
}

/// The `sh` lines of a Pig script.
#[must_use]
pub fn pig(text: &[Glyph]) -> Vec<PigLine> {
    let mut found = Vec::new();
    for line in text.split(|glyph| glyph.letter == '\n') {
        let start = line
            .iter()
            .take_while(|glyph| glyph.letter.is_whitespace())
            .count();
        let rest = line.get(start..).unwrap_or_default();
        let word: String = rest.iter().take(3).map(|glyph| glyph.letter).collect();
        if !word.eq_ignore_ascii_case("sh ") {
            continue;
        }
        let rest = rest.get(3..).unwrap_or_default();
        let end = rest
            .iter()
            .position(|glyph| glyph.letter == ';')
            .unwrap_or(rest.len());
        let body = rest.get(..end).unwrap_or_default();
        let mut quoted = false;
        let mut comment = None;
        for (at, glyph) in body.iter().enumerate() {
            quoted ^= glyph.letter == '"';
            let dashes = |ahead: usize| body.get(at + ahead).is_some_and(|next| next.letter == '-');
            if !quoted && glyph.letter.is_whitespace() && dashes(1) && dashes(2) {
                comment = body
                    .get(at + 1)
                    .zip(body.last())
                    .map(|(from, to)| (from.at, to.at + 1));
                break;
            }
        }
        let quote = body
            .iter()
            .find(|glyph| glyph.letter == '\'')
            .map(|glyph| (glyph.at, glyph.at + 1));
        found.push(PigLine {
            text: body.to_vec(),
            comment,
            quote,
        });
    }
    found
}

/// The commands of a Python program: lists of texts, and texts that begin like a command. Each as shell words or shell text.
#[must_use]
pub fn python(text: &[Glyph]) -> Vec<PythonCommand> {
    let mut found = Vec::new();
    let mut at = 0;
    let mut list: Option<Vec<Vec<Glyph>>> = None;
    while let Some(glyph) = text.get(at) {
        match glyph.letter {
            '#' => {
                at += text
                    .get(at..)
                    .unwrap_or_default()
                    .iter()
                    .take_while(|glyph| glyph.letter != '\n')
                    .count();
            }
            '\'' | '"' => {
                let formatted = at
                    .checked_sub(1)
                    .and_then(|before| text.get(before))
                    .is_some_and(|before| matches!(before.letter, 'f' | 'F'));
                let (body, length) = literal(text.get(at..).unwrap_or_default(), formatted);
                at += length;
                let head: String = body.iter().take(24).map(|glyph| glyph.letter).collect();
                let is_command = ["flink ", "yarn-session.sh ", "gcloud "]
                    .iter()
                    .any(|name| head.trim_start().starts_with(name));
                match &mut list {
                    _ if is_command => found.push(PythonCommand::Text(body)),
                    Some(words) => words.push(body),
                    None => {}
                }
            }
            '[' => {
                list = Some(Vec::new());
                at += 1;
            }
            ']' => {
                let words = list.take().unwrap_or_default();
                if words.len() > 1 {
                    found.push(PythonCommand::Words(words));
                }
                at += 1;
            }
            // A name among the texts is a word that is filled in.
            letter if list.is_some() && (letter.is_alphabetic() || letter == '_') => {
                let rest = text.get(at..).unwrap_or_default();
                let name: Vec<Glyph> = rest
                    .iter()
                    .take_while(|glyph| !matches!(glyph.letter, ',' | ']' | '"' | '\''))
                    .copied()
                    .collect();
                at += name.len();
                let prefix = name.len() <= 2
                    && text
                        .get(at)
                        .is_some_and(|next| matches!(next.letter, '"' | '\''));
                if let Some(words) = list.as_mut().filter(|_| !prefix) {
                    words.push(
                        name.into_iter()
                            .map(|glyph| Glyph {
                                open: true,
                                ..glyph
                            })
                            .collect(),
                    );
                }
            }
            _ => at += 1,
        }
    }
    found
}

/// A command in a Python program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PythonCommand {
    /// A list of words.
    Words(Vec<Vec<Glyph>>),
    /// A text for a shell.
    Text(Vec<Glyph>),
}

/// A string literal and its length; what stands in braces of a formatted one is filled in.
fn literal(text: &[Glyph], formatted: bool) -> (Vec<Glyph>, usize) {
    let Some(quote) = text.first().map(|glyph| glyph.letter) else {
        return (Vec::new(), 0);
    };
    let triple = text
        .iter()
        .take(3)
        .filter(|glyph| glyph.letter == quote)
        .count()
        == 3;
    let fence = if triple { 3 } else { 1 };
    let mut body = Vec::new();
    let mut at = fence;
    let mut open = false;
    while let Some(glyph) = text.get(at).copied() {
        let closing = text
            .get(at..at + fence)
            .is_some_and(|end| end.iter().all(|glyph| glyph.letter == quote));
        if (closing && !open) || (glyph.letter == '\n' && !triple) {
            return (body, at + fence);
        }
        if glyph.letter == '\\' && !open {
            at += 1;
            body.extend(text.get(at));
        } else {
            open |= formatted && glyph.letter == '{';
            body.push(Glyph { open, ..glyph });
            open &= glyph.letter != '}';
        }
        at += 1;
    }
    (body, text.len())
}
