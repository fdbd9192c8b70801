//! Patterns over object names, as `matchGlob` has them.
//!
//! `*` is any text without `/`, `**` any text, `?` one character but `/`, `[a-z]` and `[!a-z]` one of a set, `{a,b}` one of
//! several patterns. A backslash takes the meaning from what follows.

use crate::failure::Failure;

/// The most ways that the alternatives of one pattern may come to.
const MOST_WAYS: usize = 1000;

/// A pattern, taken apart: a name fits when it fits one of the ways.
#[derive(Clone, Debug)]
pub(crate) struct Glob(Vec<Vec<Piece>>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Char(char),
    One,
    Text,
    TextAndSlashes,
    Set(bool, Vec<(char, char)>),
}

impl Glob {
    pub(crate) fn parse(pattern: &str) -> Result<Self, Failure> {
        let mut ways = vec![Vec::new()];
        let mut rest: Vec<char> = pattern.chars().rev().collect();
        sequence(&mut rest, &mut ways, false)
            .ok_or_else(|| Failure::Invalid(format!("Invalid glob pattern: {pattern}")))?;
        Ok(Self(ways))
    }

    pub(crate) fn fits(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        self.0.iter().any(|way| fits(way, &name))
    }
}

/// Reads up to the end, or to the `,` or `}` that ends an alternative.
fn sequence(rest: &mut Vec<char>, ways: &mut Vec<Vec<Piece>>, inside: bool) -> Option<()> {
    while let Some(next) = rest.last().copied() {
        if inside && (next == ',' || next == '}') {
            return Some(());
        }
        rest.pop();
        let piece = match next {
            '\\' => Piece::Char(rest.pop()?),
            '?' => Piece::One,
            '*' if rest.last() == Some(&'*') => {
                rest.pop();
                Piece::TextAndSlashes
            }
            '*' => Piece::Text,
            '[' => set(rest)?,
            '{' => {
                alternatives(rest, ways)?;
                continue;
            }
            other => Piece::Char(other),
        };
        ways.iter_mut().for_each(|way| way.push(piece.clone()));
    }
    (!inside).then_some(())
}

fn alternatives(rest: &mut Vec<char>, ways: &mut Vec<Vec<Piece>>) -> Option<()> {
    let before = std::mem::take(ways);
    loop {
        let mut one = before.clone();
        sequence(rest, &mut one, true)?;
        ways.append(&mut one);
        if ways.len() > MOST_WAYS {
            return None;
        }
        if rest.pop()? == '}' {
            return Some(());
        }
    }
}

fn set(rest: &mut Vec<char>) -> Option<Piece> {
    let negated = matches!(rest.last(), Some('!' | '^'));
    if negated {
        rest.pop();
    }
    let mut ranges = Vec::new();
    loop {
        let first = match rest.pop()? {
            ']' if !ranges.is_empty() => return Some(Piece::Set(negated, ranges)),
            '\\' => rest.pop()?,
            other => other,
        };
        let is_range = rest.last() == Some(&'-') && rest.len() >= 2 && rest[rest.len() - 2] != ']';
        let last = if is_range {
            rest.pop();
            rest.pop()?
        } else {
            first
        };
        ranges.push((first, last));
    }
}

/// Steps through the name with all states at once, so that no pattern takes long.
fn fits(way: &[Piece], name: &[char]) -> bool {
    let mut at = vec![false; way.len() + 1];
    at[0] = true;
    pass_over(way, &mut at);
    for &seen in name {
        let mut next = vec![false; way.len() + 1];
        for (state, piece) in way.iter().enumerate().filter(|(state, _)| at[*state]) {
            match piece {
                Piece::Char(wanted) if *wanted == seen => next[state + 1] = true,
                Piece::One if seen != '/' => next[state + 1] = true,
                Piece::Text if seen != '/' => next[state] = true,
                Piece::TextAndSlashes => next[state] = true,
                Piece::Set(negated, ranges) if seen != '/' => {
                    let inside = ranges.iter().any(|(a, b)| (*a..=*b).contains(&seen));
                    next[state + 1] |= inside != *negated;
                }
                _ => {}
            }
        }
        pass_over(way, &mut next);
        at = next;
    }
    at[way.len()]
}

/// A star may stand for nothing.
fn pass_over(way: &[Piece], at: &mut [bool]) {
    for (state, piece) in way.iter().enumerate() {
        if at[state] && matches!(piece, Piece::Text | Piece::TextAndSlashes) {
            at[state + 1] = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Glob;

    #[test]
    fn patterns_fit_as_the_documentation_has_them() {
        let check = |pattern: &str, name: &str, expected: bool| {
            let glob = Glob::parse(pattern).expect("pattern");
            assert_eq!(glob.fits(name), expected, "{pattern} {name}");
        };
        check("foo*bar", "foobar", true);
        check("foo*bar", "foo/bar", false);
        check("foo**bar", "foo/x/bar", true);
        check("**/x.txt", "a/b/x.txt", true);
        check("a?c", "abc", true);
        check("a?c", "a/c", false);
        check("[a-c]x", "bx", true);
        check("[!a-c]x", "bx", false);
        check("[]-]x", "-x", true);
        check("{a,b/*}.txt", "b/c.txt", true);
        check("{a,b{1,2}}", "b2", true);
        check("{a,b}", "ab", false);
        check("\\*", "*", true);
        check("\\*", "x", false);
        check("", "", true);
        check("*a*a*a*a*a*a*b", &"a".repeat(1000), false);
        for pattern in ["[a", "{a", "a\\", "{a,b}".repeat(11).as_str()] {
            assert!(Glob::parse(pattern).is_err(), "{pattern}");
        }
    }
}
