//! Shell text → simple commands, with the place of every letter.
//!
//! It reads what scripts around Flink hold: quotes, continued lines, here-documents, substitutions, lists and pipes. Nothing is
//! expanded: a variable stays as it is written and marks its word. A shell's own parser would not do: the text between the
//! quotes of `--command="…"` is shell too, and each letter of it has to keep its place in the file.

/// A letter, its place in the source in bytes, and whether it belongs to something that the shell fills in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glyph {
    /// The letter.
    pub letter: char,
    /// Its first byte in the source.
    pub at: usize,
    /// Whether it is part of a variable or a substitution.
    pub open: bool,
}

/// The letters of a text that begins at a byte of the source.
#[must_use]
pub fn glyphs(text: &str, from: usize) -> Vec<Glyph> {
    let letters = text.char_indices();
    letters
        .map(|(at, letter)| Glyph {
            letter,
            at: from + at,
            open: false,
        })
        .collect()
}

/// A word, as the program would get it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// Its letters, without quotes.
    pub letters: Vec<Glyph>,
    /// Where it stands in the source, with its quotes.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

impl Word {
    /// The text; variables stay as they are written.
    #[must_use]
    pub fn text(&self) -> String {
        self.letters.iter().map(|glyph| glyph.letter).collect()
    }

    /// Whether the shell fills in a part of it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.letters.iter().any(|glyph| glyph.open)
    }
}

/// A simple command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// Assignments before it.
    pub assignments: Vec<Word>,
    /// Its words.
    pub words: Vec<Word>,
    /// The files that its output goes to.
    pub outputs: Vec<Word>,
    /// Its here-document.
    pub input: Option<Vec<Glyph>>,
}

/// What a text holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// The commands in their order, those of substitutions too.
    pub commands: Vec<Command>,
    /// Where a quote opens that nothing closes.
    pub unclosed: Option<usize>,
}

/// Reads a text.
#[must_use]
pub fn read(text: &[Glyph]) -> Script {
    let mut reader = Reader {
        text,
        at: 0,
        script: Script::default(),
        command: Command::default(),
        word: None,
        here: Vec::new(),
        output: None,
    };
    reader.run();
    reader.script
}

struct Reader<'t> {
    text: &'t [Glyph],
    at: usize,
    script: Script,
    command: Command,
    word: Option<Word>,
    /// Here-documents whose text begins at the next line: the command's index is the number of commands then.
    here: Vec<(String, bool)>,
    /// A redirection that takes the next word; whether it is an output.
    output: Option<bool>,
}

const KEYWORDS: [&str; 15] = [
    "if", "then", "else", "elif", "fi", "do", "done", "while", "until", "for", "{", "}", "!",
    "time", "esac",
];

impl Reader<'_> {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.text.get(self.at + ahead).map(|glyph| glyph.letter)
    }

    fn run(&mut self) {
        while let Some(glyph) = self.text.get(self.at).copied() {
            if glyph.open {
                self.push(glyph);
                self.at += 1;
                continue;
            }
            match glyph.letter {
                '\\' => self.escape(false),
                '\'' => self.single(),
                '"' => self.double(),
                '$' | '`' => self.variable(),
                '\n' => {
                    self.end_command();
                    self.at += 1;
                    self.here_documents();
                }
                letter if letter.is_whitespace() => {
                    self.end_word();
                    self.at += 1;
                }
                '#' if self.word.is_none() => {
                    while self.peek(0).is_some_and(|letter| letter != '\n') {
                        self.at += 1;
                    }
                }
                '<' | '>' => self.redirection(),
                '&' if self.peek(1) == Some('>') => {
                    self.end_word();
                    self.at += 1;
                }
                ';' | '&' | '|' | '(' | ')' => {
                    self.end_command();
                    self.at += 1;
                }
                _ => {
                    self.push(glyph);
                    self.at += 1;
                }
            }
        }
        self.end_command();
    }

    fn push(&mut self, glyph: Glyph) {
        let word = self.open_word(glyph.at);
        word.letters.push(glyph);
        word.end = glyph.at + glyph.letter.len_utf8();
    }

    fn open_word(&mut self, at: usize) -> &mut Word {
        self.word.get_or_insert_with(|| Word {
            letters: Vec::new(),
            start: at,
            end: at,
        })
    }

    /// A letter that the word's end is moved over, but that is none of it.
    fn skip(&mut self) {
        if let Some(glyph) = self.text.get(self.at).copied() {
            self.open_word(glyph.at).end = glyph.at + glyph.letter.len_utf8();
            self.at += 1;
        }
    }

    fn escape(&mut self, quoted: bool) {
        match self.text.get(self.at + 1).copied() {
            Some(next) if next.letter == '\n' => self.at += 2,
            Some(next) if next.letter == '\r' && self.peek(2) == Some('\n') => self.at += 3,
            Some(next) if !quoted || matches!(next.letter, '$' | '`' | '"' | '\\') => {
                self.skip();
                self.push(next);
                self.at += 1;
            }
            _ => {
                if let Some(glyph) = self.text.get(self.at).copied() {
                    self.push(glyph);
                }
                self.at += 1;
            }
        }
    }

    fn single(&mut self) {
        let opened = self.at;
        self.skip();
        loop {
            match self.text.get(self.at).copied() {
                None => return self.lost(opened),
                Some(glyph) if glyph.letter == '\'' && !glyph.open => return self.skip(),
                Some(glyph) => self.push(glyph),
            }
            self.at += 1;
        }
    }

    fn double(&mut self) {
        let opened = self.at;
        self.skip();
        loop {
            match self.text.get(self.at).copied() {
                None => return self.lost(opened),
                Some(glyph) if glyph.open => {
                    self.push(glyph);
                    self.at += 1;
                }
                Some(glyph) => match glyph.letter {
                    '"' => return self.skip(),
                    '\\' => self.escape(true),
                    '$' | '`' => self.variable(),
                    _ => {
                        self.push(glyph);
                        self.at += 1;
                    }
                },
            }
        }
    }

    fn lost(&mut self, opened: usize) {
        let at = self.text.get(opened).map(|glyph| glyph.at);
        self.script.unclosed = self.script.unclosed.or(at);
    }

    /// `$name`, `${…}`, `$(…)`, `` `…` ``: kept as written; commands in it are read too.
    fn variable(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let letters = || rest.iter().map(|glyph| glyph.letter);
        let backtick = rest.first().is_some_and(|glyph| glyph.letter == '`');
        let length = if backtick {
            letters()
                .skip(1)
                .position(|letter| letter == '`')
                .map_or(rest.len(), |at| at + 2)
        } else {
            match self.peek(1) {
                Some('{') => letters()
                    .position(|letter| letter == '}')
                    .map_or(rest.len(), |at| at + 1),
                Some('(') => closing(rest),
                Some(letter) if letter.is_alphabetic() || letter == '_' => {
                    1 + letters()
                        .skip(1)
                        .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
                        .count()
                }
                Some('0'..='9' | '@' | '*' | '#' | '?' | '$' | '!' | '-') => 2,
                _ => 1,
            }
        };
        let taken: Vec<Glyph> = rest.iter().take(length).copied().collect();
        let inner = if backtick {
            taken.get(1..length.saturating_sub(1))
        } else {
            taken.get(2..length.saturating_sub(1))
        };
        if backtick || self.peek(1) == Some('(') {
            let nested = read(inner.unwrap_or_default());
            self.script.commands.extend(nested.commands);
        }
        for glyph in taken {
            self.push(Glyph {
                open: length > 1,
                ..glyph
            });
        }
        self.at += length;
    }

    fn redirection(&mut self) {
        // `<job-id>` is no redirection but a name to be filled in, as pages write it.
        let rest = self.text.get(self.at..).unwrap_or_default();
        let name = rest.iter().skip(1).take_while(|glyph| {
            glyph.letter.is_alphanumeric() || matches!(glyph.letter, '-' | '_')
        });
        let length = name.count();
        let lead = rest
            .get(1)
            .is_some_and(|glyph| glyph.letter.is_alphabetic());
        if self.peek(0) == Some('<')
            && lead
            && rest
                .get(length + 1)
                .is_some_and(|glyph| glyph.letter == '>')
        {
            let taken: Vec<Glyph> = rest.iter().take(length + 2).copied().collect();
            for glyph in taken {
                self.push(Glyph {
                    open: true,
                    ..glyph
                });
            }
            self.at += length + 2;
            return;
        }
        // `2>` takes its number along.
        if self.word.as_ref().is_some_and(|word| {
            word.letters
                .iter()
                .all(|glyph| glyph.letter.is_ascii_digit())
        }) {
            self.word = None;
        }
        self.end_word();
        let output = self.peek(0) == Some('>');
        if !output && self.peek(1) == Some('<') && self.peek(2) != Some('<') {
            self.here();
            return;
        }
        while self
            .peek(0)
            .is_some_and(|letter| matches!(letter, '<' | '>'))
        {
            self.at += 1;
        }
        if self.peek(0) == Some('&') {
            self.at += 1;
            while self
                .peek(0)
                .is_some_and(|letter| letter.is_ascii_digit() || letter == '-')
            {
                self.at += 1;
            }
        } else {
            self.output = Some(output);
        }
    }

    fn here(&mut self) {
        self.at += 2;
        let tabs = self.peek(0) == Some('-');
        self.at += usize::from(tabs);
        while self.peek(0) == Some(' ') {
            self.at += 1;
        }
        let mut delimiter = String::new();
        while let Some(letter) = self
            .peek(0)
            .filter(|letter| !letter.is_whitespace() && !matches!(letter, ';' | '|' | '>'))
        {
            if !matches!(letter, '\'' | '"' | '\\') {
                delimiter.push(letter);
            }
            self.at += 1;
        }
        self.here.push((delimiter, tabs));
    }

    /// The texts of the here-documents of the line that just ended, for its last command.
    fn here_documents(&mut self) {
        for (delimiter, tabs) in std::mem::take(&mut self.here) {
            let mut body = Vec::new();
            while self.at < self.text.len() {
                let rest = self.text.get(self.at..).unwrap_or_default();
                let line: Vec<Glyph> = rest
                    .iter()
                    .take_while(|glyph| glyph.letter != '\n')
                    .copied()
                    .collect();
                self.at = (self.at + line.len() + 1).min(self.text.len());
                let text: String = line.iter().map(|glyph| glyph.letter).collect();
                let plain = if tabs {
                    text.trim_start_matches('\t')
                } else {
                    &text
                };
                if plain.trim_end_matches('\r') == delimiter {
                    break;
                }
                let end = line.last().map_or(0, |glyph| glyph.at + 1);
                body.extend(line);
                body.push(Glyph {
                    letter: '\n',
                    at: end,
                    open: false,
                });
            }
            if let Some(command) = self.script.commands.last_mut() {
                command.input.get_or_insert(body);
            }
        }
    }

    fn end_word(&mut self) {
        let Some(word) = self.word.take() else { return };
        match self.output.take() {
            Some(true) => return self.command.outputs.push(word),
            Some(false) => return,
            None => {}
        }
        let text = word.text();
        if self.command.words.is_empty() {
            let name = text.split_once('=').map(|(name, _)| name);
            let is_name = |name: &str| {
                !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_')
            };
            if name.is_some_and(is_name) && !text.starts_with(|c: char| c.is_ascii_digit()) {
                return self.command.assignments.push(word);
            }
            if KEYWORDS.contains(&text.as_str()) && word.end - word.start == text.len() {
                return;
            }
        }
        self.command.words.push(word);
    }

    fn end_command(&mut self) {
        self.end_word();
        self.output = None;
        let command = std::mem::take(&mut self.command);
        if command != Command::default() {
            self.script.commands.push(command);
        }
    }
}

/// The length of `$(…)`, by its brackets; quotes are not looked at.
fn closing(text: &[Glyph]) -> usize {
    let mut depth = 0_usize;
    for (at, glyph) in text.iter().enumerate() {
        match glyph.letter {
            '(' => depth += 1,
            ')' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::{glyphs, read};

    fn check(text: &str, expected: &[&[&str]]) {
        let script = read(&glyphs(text, 0));
        let commands: Vec<Vec<String>> = script
            .commands
            .iter()
            .map(|command| command.words.iter().map(super::Word::text).collect())
            .collect();
        assert_eq!(commands, expected, "{text}");
    }

    #[test]
    fn words_quotes_and_lists() {
        check("a 'b c' \"d $e\" f\\ g", &[&["a", "b c", "d $e", "f g"]]);
        check(
            "a \\\n  b; c && d | e # f\n# g\nh",
            &[&["a", "b"], &["c"], &["d"], &["e"], &["h"]],
        );
        check("X=1 Y=2 a > out 2>&1 < in b", &[&["a", "b"]]);
        check("if a; then b; fi", &[&["a"], &["b"]]);
        check("a <job-id> b", &[&["a", "<job-id>", "b"]]);
        check("x=$(a b)", &[&["a", "b"], &[]]);
        check("a ${b:-c d} $1", &[&["a", "${b:-c d}", "$1"]]);
    }

    #[test]
    fn here_documents_belong_to_their_command() {
        let script = read(&glyphs("cat > a.pig << EOF\nsh x;\nEOF\ny", 0));
        let body: String = script.commands[0]
            .input
            .iter()
            .flatten()
            .map(|glyph| glyph.letter)
            .collect();
        assert_eq!(body, "sh x;\n");
        assert_eq!(script.commands[0].outputs[0].text(), "a.pig");
        assert_eq!(script.commands[1].words[0].text(), "y");
    }

    #[test]
    fn a_quote_that_nothing_closes_is_told() {
        assert_eq!(read(&glyphs("a \"b c", 0)).unclosed, Some(2));
        assert_eq!(read(&glyphs("a 'b'", 0)).unclosed, None);
    }
}
