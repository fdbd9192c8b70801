//! Heads and sizes of files, error codes and their pages, links between pages.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::cargo;

/// A file of more lines has lost its one job.
const MOST_LINES: usize = 800;

pub(crate) fn check() -> Result<Vec<String>, String> {
    let root = cargo::root();
    let mut sources = Vec::new();
    for place in ["crates", "xtask", "tests"] {
        collect(&root.join(place), "rs", &mut sources)?;
    }
    let mut pages = vec![root.join("README.md"), root.join("CHANGELOG.md")];
    collect(&root.join("docs"), "md", &mut pages)?;

    let mut problems = Vec::new();
    let mut codes = BTreeSet::new();
    for file in &sources {
        let (name, text) = (shown(&root, file), read(file)?);
        if !text.starts_with("//!") {
            problems.push(format!(
                "{name} does not open with a line that says its job"
            ));
        }
        if text.lines().count() > MOST_LINES {
            problems.push(format!("{name} has more than {MOST_LINES} lines"));
        }
        if file.file_name().is_some_and(|file| file == "mod.rs") {
            problems.push(format!("{name}: no mod.rs"));
        }
        codes.extend(error_codes(&text));
    }
    problems.extend(undocumented(&root, &codes)?);
    for page in &pages {
        problems.extend(broken_links(&root, page)?);
    }
    Ok(problems)
}

fn read(file: &Path) -> Result<String, String> {
    fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))
}

fn shown(root: &Path, file: &Path) -> String {
    file.strip_prefix(root)
        .unwrap_or(file)
        .display()
        .to_string()
}

pub(super) fn collect(
    directory: &Path,
    extension: &str,
    found: &mut Vec<PathBuf>,
) -> Result<(), String> {
    let entries =
        fs::read_dir(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    for entry in entries {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.is_dir() {
            collect(&path, extension, found)?;
        } else if path.extension().is_some_and(|own| own == extension) {
            found.push(path);
        }
    }
    Ok(())
}

/// Texts such as `"SSH002"`: three capital letters and three digits between quotes.
fn error_codes(text: &str) -> BTreeSet<String> {
    let is_code = |part: &&str| {
        part.len() == 6
            && part.bytes().take(3).all(|b| b.is_ascii_uppercase())
            && part.bytes().skip(3).all(|b| b.is_ascii_digit())
    };
    text.split('"').filter(is_code).map(str::to_owned).collect()
}

fn undocumented(root: &Path, codes: &BTreeSet<String>) -> Result<Vec<String>, String> {
    let mut pages = Vec::new();
    collect(&root.join("docs/errors"), "md", &mut pages)?;
    let mut documented = BTreeMap::new();
    for page in pages {
        let name = shown(root, &page);
        let text = read(&page)?;
        let headings = text.lines().filter_map(|line| line.strip_prefix("## "));
        documented.extend(headings.map(|code| (code.trim().to_owned(), name.clone())));
    }
    let missing = codes.iter().filter(|code| !documented.contains_key(*code));
    let missing = missing.map(|code| format!("error code {code} has no section under docs/errors"));
    let stale = documented.iter().filter(|(code, _)| !codes.contains(*code));
    let stale = stale.map(|(code, page)| format!("{page} explains {code}, which no code raises"));
    Ok(missing.chain(stale).collect())
}

/// Relative links whose file is not there.
fn broken_links(root: &Path, page: &Path) -> Result<Vec<String>, String> {
    let text = read(page)?;
    let here = page.parent().unwrap_or(root);
    let mut problems = Vec::new();
    for part in text.split("](").skip(1) {
        let target = part.split([')', '#', ' ']).next().unwrap_or_default();
        let outside = target.contains("://") || target.starts_with("mailto:") || target.is_empty();
        if !outside && !here.join(target).exists() {
            problems.push(format!(
                "{} links to {target}, which is not there",
                shown(root, page)
            ));
        }
    }
    Ok(problems)
}

#[cfg(test)]
mod tests {
    use super::error_codes;

    #[test]
    fn a_code_is_three_letters_and_three_digits() {
        // Put together here, so that this file itself holds no code.
        let text = format!("\"{}002\" \"ssh002\" \"UTF-08\"", "SSH");
        assert_eq!(
            error_codes(&text).into_iter().collect::<Vec<_>>(),
            [format!("{}002", "SSH")]
        );
    }
}
