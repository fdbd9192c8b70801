//! The text of an `ssh_config`: sections by host patterns, settings, and what is included.

use std::path::Path;

/// How deep files may include files, as in OpenSSH.
const DEPTH: usize = 16;

/// Settings that count for some hosts.
#[derive(Debug)]
pub(crate) struct Section {
    /// The host must match each of these lists: that of the section, and those around the files that include it.
    scopes: Vec<Vec<String>>,
    /// Keyword in lower case, and its arguments.
    settings: Vec<(String, Vec<String>)>,
}

impl Section {
    fn counts_for(&self, host: &str) -> bool {
        self.scopes.iter().all(|patterns| {
            let mut matched = false;
            for pattern in patterns {
                match pattern.strip_prefix('!') {
                    Some(never) if matches(never, host) => return false,
                    Some(_) => {}
                    None => matched |= matches(pattern, host),
                }
            }
            matched
        })
    }
}

/// Every value of a keyword that counts for a host, in order: the first one is the one that OpenSSH takes.
pub(crate) fn values<'a>(
    sections: &'a [Section],
    host: &'a str,
    keyword: &'a str,
) -> impl Iterator<Item = &'a [String]> {
    let sections = sections
        .iter()
        .filter(move |section| section.counts_for(host));
    let settings = sections.flat_map(|section| &section.settings);
    settings
        .filter(move |(name, _)| name == keyword)
        .map(|(_, words)| words.as_slice())
}

/// Reads a text with everything that it includes.
pub(crate) fn sections(text: &str, home: &Path) -> Result<Vec<Section>, String> {
    let mut found = Vec::new();
    read(text, home, &[], DEPTH, &mut found)?;
    Ok(found)
}

fn read(
    text: &str,
    home: &Path,
    around: &[Vec<String>],
    depth: usize,
    found: &mut Vec<Section>,
) -> Result<(), String> {
    let begin = |scopes: Vec<Vec<String>>| Section {
        scopes,
        settings: Vec::new(),
    };
    let mut section = begin(around.to_vec());
    for (number, line) in text.lines().enumerate() {
        let broken = || format!("cannot be read in line {}", number + 1);
        let mut words = words(line).ok_or_else(broken)?;
        if words.is_empty() {
            continue;
        }
        let keyword = words.remove(0).to_lowercase();
        match keyword.as_str() {
            "match" => return Err("has a section `Match`, which is not understood".to_owned()),
            "host" => {
                let scopes = [around, &[words]].concat();
                found.push(std::mem::replace(&mut section, begin(scopes)));
            }
            "include" => {
                let scopes = section.scopes.clone();
                found.push(std::mem::replace(&mut section, begin(scopes.clone())));
                let Some(depth) = depth.checked_sub(1) else {
                    return Err(format!("includes files more than {DEPTH} deep"));
                };
                for word in words {
                    include(&word, home, &scopes, depth, found)?;
                }
            }
            _ if words.is_empty() => return Err(broken()),
            _ => section.settings.push((keyword, words)),
        }
    }
    found.push(section);
    Ok(())
}

fn include(
    word: &str,
    home: &Path,
    scopes: &[Vec<String>],
    depth: usize,
    found: &mut Vec<Section>,
) -> Result<(), String> {
    let path = match word.strip_prefix("~/") {
        Some(rest) => home.join(rest),
        // An absolute path stays as it is.
        None => home.join(".ssh").join(word),
    };
    let files = glob::glob(&path.to_string_lossy());
    let files = files.map_err(|error| format!("includes `{word}`: {error}"))?;
    for file in files.filter_map(Result::ok) {
        let text = std::fs::read_to_string(&file);
        let text = text.map_err(|error| format!("includes {}: {error}", file.display()))?;
        read(&text, home, scopes, depth, found)?;
    }
    Ok(())
}

/// The words of a line: parted by blanks, the first two also by one `=`; in double quotes as they are. `None` when a quote is open.
fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() && !rest.starts_with('#') {
        let (word, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => {
                let end = |c: char| c.is_whitespace() || (words.is_empty() && c == '=');
                rest.split_at(rest.find(end).unwrap_or(rest.len()))
            }
        };
        words.push(word.to_owned());
        rest = after.trim_start();
        if words.len() == 1 {
            rest = rest.strip_prefix('=').unwrap_or(rest).trim_start();
        }
    }
    Some(words)
}

/// Whether a pattern with `*` and `?` matches a whole name.
fn matches(pattern: &str, name: &str) -> bool {
    let mut rest = name.chars();
    let mut pattern = pattern.chars();
    while let Some(wanted) = pattern.next() {
        match wanted {
            '*' => {
                let after = pattern.as_str();
                return (0..=rest.as_str().len())
                    .filter_map(|at| rest.as_str().get(at..))
                    .any(|tail| matches(after, tail));
            }
            '?' if rest.next().is_some() => {}
            '?' => return false,
            wanted if rest.next() == Some(wanted) => {}
            _ => return false,
        }
    }
    rest.as_str().is_empty()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{matches, sections, values, words};

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("*-m", "batch-1-m", true),
            ("*-m", "batch-1-w", false),
            ("batch-?-m", "batch-1-m", true),
            ("batch-?-m", "batch-12-m", false),
            ("a*b*c", "aXXbYYc", true),
            ("batch", "batch-1", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn lines_are_taken_apart() {
        let check = |line: &str, expected: &[&str]| {
            assert_eq!(words(line).expect("read"), expected, "{line}");
        };
        check("  Host a  b # both", &["Host", "a", "b"]);
        check("Port=22", &["Port", "22"]);
        check("Port = 22", &["Port", "22"]);
        check(
            "IdentityFile \"/my keys/id\"",
            &["IdentityFile", "/my keys/id"],
        );
        check("ProxyCommand nc a=b", &["ProxyCommand", "nc", "a=b"]);
        check("# nothing", &[]);
        assert_eq!(words("User \"open"), None);
    }

    #[test]
    fn included_files_count_where_they_are_included() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join(".ssh/more");
        fs::create_dir_all(&folder).expect("made");
        fs::write(folder.join("a"), "User a\nHost x-*\n  Port 1\n").expect("written");
        let text = "Host *-m\n  Include more/*\n  User late\nHost *\n  Port 2\n";
        let sections = sections(text, home.path()).expect("read");
        let first = |host: &str, keyword: &str| {
            let found = values(&sections, host, keyword).next();
            found.map(|words| words.join(" ")).unwrap_or_default()
        };
        assert_eq!(
            (first("x-m", "user"), first("x-m", "port")),
            ("a".into(), "1".into())
        );
        assert_eq!(
            (first("y-m", "user"), first("y-m", "port")),
            ("a".into(), "2".into())
        );
        assert_eq!(
            (first("x-w", "user"), first("x-w", "port")),
            (String::new(), "2".into())
        );
    }

    #[test]
    fn a_file_that_includes_itself_is_refused() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join(".ssh");
        fs::create_dir_all(&folder).expect("made");
        fs::write(folder.join("loop"), "Include loop\n").expect("written");
        let refused = sections("Include loop\n", home.path()).expect_err("refused");
        assert_eq!(refused, "includes files more than 16 deep");
    }
}
