//! Quoting for a POSIX shell: the one place where an argument becomes shell text.

use std::borrow::Cow;

/// Words that a POSIX shell, or bash, takes as syntax where a command is expected.
const RESERVED: [&str; 20] = [
    "!", "{", "}", "case", "coproc", "do", "done", "elif", "else", "esac", "fi", "for", "function",
    "if", "in", "select", "then", "time", "until", "while",
];

/// Quotes a word so that a POSIX shell takes it as one argument, unchanged.
///
/// Words of harmless characters stay as they are, for the sake of whoever reads the line. A NUL character cannot be part of
/// any argument and is not looked for here; [`RemoteCommand`](crate::RemoteCommand) refuses it.
///
/// ```
/// # use flinkproc_ssh::quote;
/// assert_eq!(quote("-Dtaskmanager.numberOfTaskSlots=2"), "-Dtaskmanager.numberOfTaskSlots=2");
/// assert_eq!(quote("my etl.py"), "'my etl.py'");
/// assert_eq!(quote("it's $5"), r"'it'\''s $5'");
/// assert_eq!(quote(""), "''");
/// ```
#[must_use]
pub fn quote(word: &str) -> Cow<'_, str> {
    // zsh expands a leading `=`, and is a possible login shell.
    if word.is_empty() || word.starts_with('=') || !word.bytes().all(harmless) {
        Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
    } else {
        Cow::Borrowed(word)
    }
}

/// Joins a program and its arguments into one line that a POSIX shell splits into the same words.
///
/// ```
/// # use flinkproc_ssh::quote_line;
/// assert_eq!(quote_line("cp", ["-p", "a b", "c"]), "cp -p 'a b' c");
/// ```
#[must_use]
pub fn quote_line<'a>(program: &str, arguments: impl IntoIterator<Item = &'a str>) -> String {
    let mut line = quote_program(program).into_owned();
    for argument in arguments {
        line.push(' ');
        line.push_str(&quote(argument));
    }
    line
}

/// Quotes the first word of a line, where a shell would also see assignments and reserved words.
fn quote_program(program: &str) -> Cow<'_, str> {
    if program.contains('=') || RESERVED.contains(&program) {
        Cow::Owned(format!("'{}'", program.replace('\'', r"'\''")))
    } else {
        quote(program)
    }
}

const fn harmless(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'_' | b'-' | b'.' | b'/' | b':' | b'=' | b'@' | b'%' | b'+' | b','
        )
}

#[cfg(test)]
mod tests {
    use super::{quote, quote_line};

    #[test]
    fn words_are_quoted_only_where_needed() {
        let check = |word: &str, expected: &str| assert_eq!(quote(word), expected);
        check("flink", "flink");
        check("/opt/a-b_c.d", "/opt/a-b_c.d");
        check("~", "'~'");
        check("*", "'*'");
        check("a\nb", "'a\nb'");
        check("$(id)", "'$(id)'");
        check("=ls", "'=ls'");
        check("ü", "'ü'");
        check("'", r"''\'''");
    }

    #[test]
    fn the_first_word_is_never_syntax() {
        let check = |program: &str, expected: &str| assert_eq!(quote_line(program, []), expected);
        check("A=b", "'A=b'");
        check("if", "'if'");
        check("{", "'{'");
        check("yarn", "yarn");
    }
}
