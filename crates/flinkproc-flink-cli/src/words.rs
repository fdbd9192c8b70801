//! Words → options and leftovers, by the rules of the library that Flink parses with (Commons CLI's `DefaultParser`).
//!
//! Options may be shortened, run together, written with one hyphen or two; an option's value is whatever is not an option of
//! its own. Where a program may follow, the first word that is neither ends the parsing.

use flinkproc_core::FlinkVersion;

use crate::grammar::{FlinkOption, Grammar, Takes, bare};

/// A line, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// The options, in their order.
    pub options: Vec<Taken>,
    /// What was left over, in its order.
    pub rest: Vec<String>,
    /// The word that ended the parsing, counted from 0; `None` when none did.
    pub ended_at: Option<usize>,
}

/// An option on a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Which one.
    pub option: &'static FlinkOption,
    /// Its values.
    pub values: Vec<String>,
    /// The word that it was read from, counted from 0.
    pub word: usize,
}

/// A line that Flink refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// An option lacks its value.
    MissingValue {
        /// The option.
        option: &'static FlinkOption,
    },
    /// The beginning of several long options.
    Ambiguous {
        /// The word.
        word: String,
        /// What it may mean.
        matches: Vec<&'static str>,
    },
    /// No option of this action, and no program may follow.
    Unknown {
        /// The word.
        word: String,
    },
}

impl Words {
    /// Reads a line.
    pub(crate) fn read<S: AsRef<str>>(
        grammar: &Grammar,
        words: &[S],
        rules: Rules,
    ) -> Result<Self, Unreadable> {
        let mut reader = Reader {
            grammar,
            stop: rules.stop,
            first_letter: rules.first_letter,
            read: Self::default(),
            open: false,
            skipping: false,
            at: 0,
        };
        for (at, word) in words.iter().enumerate() {
            reader.at = at;
            reader.word(word.as_ref())?;
        }
        reader.check_value()?;
        Ok(reader.read)
    }

    /// Whether an option was given, by its short spelling.
    #[must_use]
    pub fn has(&self, short: &str) -> bool {
        self.options.iter().any(|taken| taken.option.short == short)
    }

    /// The first value of an option, by its short spelling: Flink looks at no other.
    #[must_use]
    pub fn value(&self, short: &str) -> Option<&str> {
        self.values(short).next()
    }

    /// All values of an option, however often it is given.
    pub fn values(&self, short: &str) -> impl Iterator<Item = &str> {
        let mut options = self.options.iter();
        let first = options.find(|taken| taken.option.short == short);
        let same = self.options.iter();
        let same =
            same.filter(move |taken| first.is_some_and(|first| first.option == taken.option));
        same.flat_map(|taken| taken.values.iter().map(String::as_str))
    }

    /// Keys and values of every option of that spelling; a key without a value is `true`.
    pub(crate) fn pairs(&self, short: &str) -> impl Iterator<Item = (&str, &str)> {
        let options = self.options.iter();
        let fitting = options.filter(move |taken| taken.option.short == short);
        fitting.filter_map(|taken| match taken.values.as_slice() {
            [key, value, ..] => Some((key.as_str(), value.as_str())),
            [key] => Some((key.as_str(), "true")),
            [] => None,
        })
    }
}

/// What differs from line to line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// The first word that is no option ends the parsing.
    stop: bool,
    /// A word counts as a short option by its first letter alone: `-yid` is then a value like any other.
    first_letter: bool,
}

impl Rules {
    pub(crate) fn of(version: FlinkVersion, stop: bool) -> Self {
        // Commons CLI 1.3.1 up to here, 1.5.0 from here on.
        let first_letter = version.minor() < (1, 15);
        Self { stop, first_letter }
    }
}

struct Reader<'a> {
    grammar: &'a Grammar,
    stop: bool,
    first_letter: bool,
    read: Words,
    /// Whether the last option may take the next word.
    open: bool,
    skipping: bool,
    at: usize,
}

impl Reader<'_> {
    fn word(&mut self, word: &str) -> Result<(), Unreadable> {
        if self.skipping {
            self.read.rest.push(word.to_owned());
        } else if word == "--" {
            self.skipping = true;
            self.read.ended_at = Some(self.at);
        } else if self.open && self.accepts_value() && !self.is_option(word) {
            self.add_value(unquoted(word));
        } else if word.starts_with("--") {
            match word.split_once('=') {
                None => self.long(word, word)?,
                Some((name, value)) => self.long_with_value(word, name, value)?,
            }
        } else if word.starts_with('-') && word != "-" {
            self.short_or_long(word)?;
        } else {
            self.unknown(word, word)?;
        }
        if self.open && !self.accepts_value() {
            self.open = false;
        }
        Ok(())
    }

    fn short_or_long(&mut self, word: &str) -> Result<(), Unreadable> {
        let bare = bare(word);
        match bare.split_once('=') {
            None if utf16(bare) == 1 => match self.grammar.short(bare) {
                Some(option) => self.take(option),
                None => self.unknown(word, word),
            },
            None => {
                if let Some(option) = self.grammar.short(bare) {
                    self.take(option)
                } else if !self.grammar.longs_from(bare).is_empty() {
                    self.long(word, word)
                } else if let Some((option, value)) = self.long_prefix(bare) {
                    self.take(option)?;
                    self.add_value(value);
                    self.open = false;
                    Ok(())
                } else if let Some((option, rest)) = self.property(bare) {
                    self.take(option)?;
                    self.add_value(rest);
                    self.open = false;
                    Ok(())
                } else {
                    self.run_together(word)
                }
            }
            Some((name, value)) if utf16(name) == 1 => match self.grammar.either(name) {
                Some(option) if option.takes != Takes::Nothing => {
                    self.take(option)?;
                    self.add_value(value);
                    self.open = false;
                    Ok(())
                }
                _ => self.unknown(word, word),
            },
            Some((name, value)) => match self.property(name) {
                Some((option, key)) => {
                    self.take(option)?;
                    self.push_value(key);
                    self.add_value(value);
                    self.open = false;
                    Ok(())
                }
                None => {
                    let end = word.find('=').unwrap_or(word.len());
                    let name = word.get(..end).unwrap_or(word);
                    self.long_with_value(word, name, value)
                }
            },
        }
    }

    fn long(&mut self, word: &str, name: &str) -> Result<(), Unreadable> {
        let name = bare(name);
        let matches = self.grammar.longs_from(name);
        match matches.as_slice() {
            [] => self.unknown(word, word),
            [one] => match self.grammar.either(one) {
                Some(option) => self.take(option),
                None => self.unknown(word, word),
            },
            _ => Err(Unreadable::Ambiguous {
                word: word.to_owned(),
                matches,
            }),
        }
    }

    fn long_with_value(&mut self, word: &str, name: &str, value: &str) -> Result<(), Unreadable> {
        let matches = self.grammar.longs_from(bare(name));
        match matches.as_slice() {
            [] => self.unknown(word, word),
            [one] => match self.grammar.either(one) {
                Some(option) if option.takes != Takes::Nothing => {
                    self.take(option)?;
                    self.add_value(value);
                    self.open = false;
                    Ok(())
                }
                _ => self.unknown(word, word),
            },
            _ => Err(Unreadable::Ambiguous {
                word: name.to_owned(),
                matches,
            }),
        }
    }

    /// `-abVALUE`: letters that are options, the first that takes a value taking the rest.
    fn run_together(&mut self, word: &str) -> Result<(), Unreadable> {
        for (at, letter) in word.char_indices().skip(1) {
            let mut buffer = [0; 4];
            let name: &str = letter.encode_utf8(&mut buffer);
            let rest = word.get(at..).unwrap_or_default();
            let Some(option) = self.grammar.either(name) else {
                return self.unknown(word, if self.stop && at > 1 { rest } else { word });
            };
            self.take(option)?;
            let behind = rest.get(name.len()..).unwrap_or_default();
            if self.open && !behind.is_empty() {
                self.add_value(behind);
                break;
            }
        }
        Ok(())
    }

    fn take(&mut self, option: &'static FlinkOption) -> Result<(), Unreadable> {
        self.check_value()?;
        self.read.options.push(Taken {
            option,
            values: Vec::new(),
            word: self.at,
        });
        self.open = option.takes != Takes::Nothing;
        Ok(())
    }

    fn unknown(&mut self, word: &str, left: &str) -> Result<(), Unreadable> {
        if left.starts_with('-') && left.len() > 1 && !self.stop {
            let word = word.to_owned();
            return Err(Unreadable::Unknown { word });
        }
        self.read.rest.push(left.to_owned());
        if self.stop {
            self.skipping = true;
            self.read.ended_at = Some(self.at);
        }
        Ok(())
    }

    fn check_value(&self) -> Result<(), Unreadable> {
        let Some(last) = self.read.options.last().filter(|_| self.open) else {
            return Ok(());
        };
        let lacks = match last.option.takes {
            Takes::Nothing | Takes::Maybe => false,
            Takes::One | Takes::Many => last.values.is_empty(),
            Takes::Pair => last.values.len() < 2,
        };
        if lacks {
            let option = last.option;
            return Err(Unreadable::MissingValue { option });
        }
        Ok(())
    }

    fn accepts_value(&self) -> bool {
        self.read.options.last().is_some_and(|last| {
            let count = last.values.len();
            match last.option.takes {
                Takes::Nothing => false,
                Takes::One | Takes::Maybe => count < 1,
                Takes::Pair => count < 2,
                Takes::Many => true,
            }
        })
    }

    /// Adds a value to the last option; the first `=` parts a key from its value.
    fn add_value(&mut self, value: &str) {
        let Some(last) = self.read.options.last_mut() else {
            return;
        };
        match value.split_once('=') {
            Some((key, value)) if last.option.takes == Takes::Pair && last.values.is_empty() => {
                last.values.extend([key.to_owned(), value.to_owned()]);
            }
            _ => last.values.push(value.to_owned()),
        }
    }

    fn push_value(&mut self, value: &str) {
        if let Some(last) = self.read.options.last_mut() {
            last.values.push(value.to_owned());
        }
    }

    fn is_option(&self, word: &str) -> bool {
        if !word.starts_with('-') || word.len() == 1 {
            return false;
        }
        let name = word.split_once('=').map_or(word, |(name, _)| name);
        if !self.grammar.longs_from(bare(name)).is_empty() {
            return true;
        }
        if !word.starts_with("--") && self.long_prefix_any(bare(word)).is_some() {
            return true;
        }
        let name = name.get(1..).unwrap_or_default();
        let mut buffer = [0; 4];
        let first = name.chars().next();
        let first = first.map(|letter| &*letter.encode_utf8(&mut buffer));
        (!self.first_letter && self.grammar.short(name).is_some())
            || first.is_some_and(|first| self.grammar.short(first).is_some())
    }

    /// `-longVALUE`, where the value has two letters at least.
    fn long_prefix_any<'w>(&self, bare: &'w str) -> Option<(&'static FlinkOption, &'w str)> {
        let options = self.grammar.options().iter();
        let fitting = options.filter_map(|option| {
            let rest = bare.strip_prefix(option.long)?;
            (option.long.len() > 1 && utf16(rest) > 1).then_some((option.long, rest))
        });
        let (long, rest) = fitting.max_by_key(|(long, _)| long.len())?;
        Some((self.grammar.either(long)?, rest))
    }

    fn long_prefix<'w>(&self, bare: &'w str) -> Option<(&'static FlinkOption, &'w str)> {
        self.long_prefix_any(bare)
            .filter(|(option, _)| option.takes != Takes::Nothing)
    }

    /// `-Dkey`: an option of one letter that takes a key and a value.
    fn property<'w>(&self, bare: &'w str) -> Option<(&'static FlinkOption, &'w str)> {
        let letter = bare.chars().next()?;
        let (first, rest) = bare.split_at_checked(letter.len_utf8())?;
        let option = self.grammar.either(first)?;
        matches!(option.takes, Takes::Pair | Takes::Many).then_some((option, rest))
    }
}

/// The length as Java counts it.
fn utf16(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Without the double quotes around it, if it holds no others.
fn unquoted(word: &str) -> &str {
    let inner = word
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    inner.filter(|inner| !inner.contains('"')).unwrap_or(word)
}
