//! A text with a name, and where in it something stands. Values that look like secrets are blotted out before anything is read.

/// A text that is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name: a path, or what stands for one.
    pub name: String,
    text: String,
    lines: Vec<usize>,
}

/// A place in a source, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// How many characters of the line are meant, at least 1.
    pub width: usize,
}

impl Source {
    /// Names a text.
    #[must_use]
    pub fn new(name: impl Into<String>, text: &str) -> Self {
        let text: String = text.split_inclusive('\n').map(blotted).collect();
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
        Self {
            name: name.into(),
            lines: lines.collect(),
            text,
        }
    }

    /// The text, without its secrets.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A line of the text, from 1.
    #[must_use]
    pub fn line(&self, number: usize) -> &str {
        let start = number
            .checked_sub(1)
            .and_then(|index| self.lines.get(index));
        let rest = start
            .and_then(|start| self.text.get(*start..))
            .unwrap_or_default();
        rest.split(['\n', '\r']).next().unwrap_or_default()
    }

    /// Where bytes `start..end` stand; of a stretch of several lines, its part on the first.
    #[must_use]
    pub fn place(&self, start: usize, end: usize) -> Place {
        let line = self.lines.partition_point(|line| *line <= start).max(1);
        let from = self.lines.get(line - 1).copied().unwrap_or_default();
        let before = self.text.get(from..start).unwrap_or_default();
        let meant = self.text.get(start..end).unwrap_or_default();
        let meant = meant.split('\n').next().unwrap_or_default();
        Place {
            line,
            column: before.chars().count() + 1,
            width: meant.trim_end().chars().count().max(1),
        }
    }
}

const SECRETS: [&str; 9] = [
    "password",
    "passwd",
    "secret",
    "token",
    "api-key",
    "api_key",
    "apikey",
    "access-key",
    "access_key",
];

/// Whether a name is that of something secret.
pub(crate) fn secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('.', "-");
    let dashed = name.trim_start_matches('-');
    // A file, a name or an address of a secret is none.
    let harmless = [
        "-file",
        "-uri",
        "-path",
        "-name",
        "-lifetime",
        "-enabled",
        "-renewer",
    ];
    SECRETS.iter().any(|word| dashed.contains(word))
        && !harmless.iter().any(|end| dashed.ends_with(end))
}

/// Words of a line, with `*` for each byte of what looks like the value of a secret.
#[must_use]
pub fn blotted_words(words: &[String]) -> Vec<String> {
    let mut secret = false;
    let blot = |word: &String| {
        let named = secret && !word.starts_with(['-', '$']);
        secret = word.starts_with("--") && !word.contains('=') && secret_name(word);
        if named {
            "*".repeat(word.len())
        } else {
            blotted(word)
        }
    };
    words.iter().map(blot).collect()
}

/// A line with `*` for each letter of what looks like the value of a secret.
fn blotted(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    if !SECRETS.iter().any(|word| lower.contains(word)) && !lower.contains("secret.") {
        return line.to_owned();
    }
    let word_end = |text: &str| {
        let end = text
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | ';' | '&' | ')'));
        end.unwrap_or(text.len())
    };
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while !rest.is_empty() {
        let start = rest.find(|c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        let Some((before, from)) = start.and_then(|start| rest.split_at_checked(start)) else {
            break;
        };
        out.push_str(before);
        let end = from.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')));
        let (name, after) = from
            .split_at_checked(end.unwrap_or(from.len()))
            .unwrap_or((from, ""));
        out.push_str(name);
        rest = after;
        let gap: usize = if !secret_name(name) {
            continue;
        } else if after.starts_with('=') || (after.starts_with(' ') && name.starts_with("--")) {
            1
        } else if after.starts_with(": ") {
            2
        } else {
            continue;
        };
        let quote = usize::from(
            after
                .get(gap..)
                .is_some_and(|value| value.starts_with(['"', '\''])),
        );
        let Some((between, value)) = after.split_at_checked(gap + quote) else {
            continue;
        };
        let (value, left) = value
            .split_at_checked(word_end(value))
            .unwrap_or((value, ""));
        out.push_str(between);
        let named = value.starts_with(['$', '-', '<', '{']) || value.is_empty();
        if named {
            out.push_str(value);
        } else {
            // As many bytes as before, so that every place stays where it is.
            out.push_str(&"*".repeat(value.len()));
        }
        rest = left;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::Source;

    #[test]
    fn a_place_is_a_line_and_a_column() {
        let source = Source::new("a.sh", "one\n  zwölf drei\n");
        let at = source.text().find("drei").unwrap_or_default();
        let place = source.place(at, at + 4);
        assert_eq!((place.line, place.column, place.width), (2, 9, 4));
        assert_eq!(source.line(2), "  zwölf drei");
        assert_eq!(source.place(0, 12).width, 3);
    }

    #[test]
    fn secrets_are_blotted_out() {
        let check =
            |line: &str, expected: &str| assert_eq!(Source::new("x", line).text(), expected);
        check(
            "job --password hunter2 --input a",
            "job --password ******* --input a",
        );
        check("-Dfs.s3.secret.key=abc -p 4", "-Dfs.s3.secret.key=*** -p 4");
        check("export DB_PASSWORD='a b'", "export DB_PASSWORD='* b'");
        check(
            "--token ${TOKEN} --secret-file /x",
            "--token ${TOKEN} --secret-file /x",
        );
        check("nothing here = x", "nothing here = x");
    }
}
