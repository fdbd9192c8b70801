//! What is wrong with a file of requirements, found by its own text, before anybody tries to install it.
//!
//! The grammar is that of PEP 508 as pip reads it, line by line; whether a package exists is not known here.

use flinkproc_core::FlinkVersion;

use crate::place::At;
use crate::plan_error::PlanError;

/// The distribution whose version the image decides.
const FLINK: &str = "apache-flink";

/// Checks a `requirements.txt` that is carried as it is.
pub(in crate::planning) fn check(
    at: &At,
    path: &str,
    text: &str,
    flink: FlinkVersion,
) -> Result<(), PlanError> {
    for line in lines(text) {
        let wrong = |problem: String| refuse(at, path, &line, problem);
        let requirement = Requirement::read(&line.text).map_err(wrong)?;
        pinned(&requirement, flink).map_err(wrong)?;
    }
    Ok(())
}

/// Checks a lock: every requirement has one version and its hashes, and `apache-flink` is the image's.
pub(in crate::planning) fn check_lock(
    at: &At,
    path: &str,
    text: &str,
    flink: FlinkVersion,
) -> Result<(), PlanError> {
    let mut has_flink = false;
    for line in lines(text) {
        let wrong = |problem: String| refuse(at, path, &line, problem);
        let requirement = Requirement::read(&line.text).map_err(wrong)?;
        let exact = requirement.versions.len() == 1
            && requirement
                .versions
                .first()
                .is_some_and(|(operator, version)| {
                    operator.starts_with("==") && !version.ends_with('*')
                });
        if !exact && !requirement.address {
            return Err(wrong("a lock names one version: `name==1.2.3`".to_owned()));
        }
        if !requirement.hashed {
            return Err(wrong("a lock has hashes: `--hash=sha256:…`".to_owned()));
        }
        pinned(&requirement, flink).map_err(wrong)?;
        has_flink |= requirement.name == FLINK;
    }
    if has_flink {
        return Ok(());
    }
    let line = Line {
        number: 1,
        text: String::new(),
    };
    let problem = format!("the lock has no `{FLINK}=={flink}`");
    Err(refuse(at, path, &line, problem))
}

fn refuse(at: &At, path: &str, line: &Line, problem: String) -> PlanError {
    PlanError::Requirement {
        at: at.clone(),
        path: path.to_owned(),
        line: line.number,
        text: line.text.clone(),
        problem,
    }
}

/// The image decides `apache-flink`'s version.
fn pinned(requirement: &Requirement, flink: FlinkVersion) -> Result<(), String> {
    if requirement.name != FLINK {
        return Ok(());
    }
    let full = flink.to_string();
    let other = requirement
        .versions
        .iter()
        .find(|(operator, version)| operator.starts_with("==") && !same(version, &full));
    match other {
        None => Ok(()),
        Some((_, version)) => Err(format!(
            "the image's Flink is {flink}, and PyFlink {version} does not go with it"
        )),
    }
}

/// Whether two versions agree as far as both go: `1.12` is every `1.12.x`.
fn same(version: &str, flink: &str) -> bool {
    let version = version.trim_end_matches(".*");
    version
        .split('.')
        .zip(flink.split('.'))
        .all(|(a, b)| a == b)
}

/// A line of the file with its continuations, without its comment.
struct Line {
    number: usize,
    text: String,
}

fn lines(text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut open: Option<Line> = None;
    for (index, raw) in text.lines().enumerate() {
        let commented = raw.starts_with('#') || raw.trim_start().starts_with('#');
        let raw = match raw.find(" #").or_else(|| raw.find("\t#")) {
            _ if commented => "",
            Some(at) => raw.get(..at).unwrap_or(raw),
            None => raw,
        };
        let (part, goes_on) = match raw.trim_end().strip_suffix('\\') {
            Some(part) => (part, true),
            None => (raw, false),
        };
        let mut line = open.take().unwrap_or(Line {
            number: index + 1,
            text: String::new(),
        });
        line.text.push_str(part);
        if goes_on {
            open = Some(line);
        } else {
            lines.push(line);
        }
    }
    lines.extend(open);
    for line in &mut lines {
        line.text = line.text.trim().to_owned();
    }
    lines.retain(|line| !line.text.is_empty());
    lines
}

/// One requirement, as far as it matters here.
#[derive(Debug, Default)]
struct Requirement {
    /// In the normal form: lower-case, with hyphens.
    name: String,
    versions: Vec<(String, String)>,
    hashed: bool,
    /// Whether it is `name @ address`.
    address: bool,
}

impl Requirement {
    fn read(line: &str) -> Result<Self, String> {
        if line.starts_with('-') {
            return Err(option(line));
        }
        let (line, options) = match line.find(" --") {
            Some(at) => line.split_at(at),
            None => (line, ""),
        };
        let mut requirement = Self::default();
        for option in options.split_whitespace() {
            match option.strip_prefix("--hash=") {
                Some(hash) if is_hash(hash) => requirement.hashed = true,
                Some(_) => {
                    return Err(format!(
                        "`{option}` is no hash: `--hash=sha256:` and 64 hexadecimal digits"
                    ));
                }
                None => return Err(format!("the option `{option}` is not carried")),
            }
        }
        let (wish, marker) = match line.split_once(';') {
            Some((wish, marker)) => (wish.trim(), Some(marker.trim())),
            None => (line.trim(), None),
        };
        if marker == Some("") {
            return Err("nothing stands behind `;`".to_owned());
        }
        let end = wish
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')))
            .unwrap_or(wish.len());
        let (name, rest) = wish.split_at(end);
        let bare = wish.starts_with(['.', '/']) || (wish.contains("://") && !wish.contains('@'));
        let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        if bare || !edge(name.chars().next()) || !edge(name.chars().last()) {
            return Err(if bare {
                "a path or bare address is not carried: name the package, `name @ https://…`, or put the file into `job.python_files`".to_owned()
            } else {
                "it does not start with the name of a package".to_owned()
            });
        }
        requirement.name = name.to_lowercase().replace(['_', '.'], "-");
        let rest = extras(rest.trim_start())?;
        if let Some(address) = rest.strip_prefix('@') {
            let address = address.trim();
            if !address.starts_with("https://") {
                return Err("behind `@` stands an address, `https://…`".to_owned());
            }
            requirement.address = true;
        } else {
            requirement.versions = versions(rest)?;
        }
        Ok(requirement)
    }
}

fn option(line: &str) -> String {
    let word = line.split([' ', '=']).next().unwrap_or(line);
    match word {
        "-r" | "--requirement" | "-c" | "--constraint" => {
            format!("`{word}` names another file, which is not carried: write its lines here")
        }
        "-e" | "--editable" => {
            format!("`{word}` names a folder of this machine: put the code into `job.python_files`")
        }
        "-i" | "--index-url" | "--extra-index-url" | "-f" | "--find-links" => {
            format!("`{word}` is not taken from here: `python.index_url` names the package index")
        }
        _ => format!("the option `{word}` is not carried"),
    }
}

fn is_hash(hash: &str) -> bool {
    let hex =
        |text: &str, length| text.len() == length && text.chars().all(|c| c.is_ascii_hexdigit());
    hash.split_once(':')
        .is_some_and(|(kind, digest)| match kind {
            "sha256" => hex(digest, 64),
            "sha384" => hex(digest, 96),
            "sha512" => hex(digest, 128),
            _ => false,
        })
}

fn extras(rest: &str) -> Result<&str, String> {
    let Some(inner) = rest.strip_prefix('[') else {
        return Ok(rest);
    };
    let (names, rest) = inner
        .split_once(']')
        .ok_or_else(|| "`[` has no `]`".to_owned())?;
    let plain = |name: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        !name.trim().is_empty() && name.trim().chars().all(plain)
    };
    if !names.split(',').all(plain) {
        return Err(format!("`[{names}]` is no list of extras"));
    }
    Ok(rest.trim_start())
}

fn versions(rest: &str) -> Result<Vec<(String, String)>, String> {
    let rest = rest.trim();
    let rest = match rest.strip_prefix('(') {
        None => rest,
        Some(inner) => inner
            .strip_suffix(')')
            .ok_or_else(|| "`(` has no `)`".to_owned())?,
    };
    if rest.is_empty() {
        return Ok(Vec::new());
    }
    rest.split(',').map(version).collect()
}

fn version(text: &str) -> Result<(String, String), String> {
    let text = text.trim();
    let operators = ["===", "==", "!=", "<=", ">=", "~=", "<", ">"];
    let Some(operator) = operators.into_iter().find(|one| text.starts_with(one)) else {
        return Err(if text.starts_with('=') {
            "one `=` is no comparison: a version is pinned with `==`".to_owned()
        } else {
            format!("`{text}` is no version: write `==1.2`, `>=1.2` or the like")
        });
    };
    let version = text.get(operator.len()..).unwrap_or_default().trim();
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '*' | '+' | '!' | '-' | '_');
    if version.is_empty() {
        return Err(format!("nothing stands behind `{operator}`"));
    }
    let starts = version.starts_with(|c: char| c.is_ascii_digit() || c == 'v');
    if !starts || !version.chars().all(plain) {
        return Err(format!("`{version}` behind `{operator}` is no version"));
    }
    Ok((operator.to_owned(), version.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::{check, check_lock};
    use crate::place::At;

    fn at() -> At {
        At {
            key: "python.requirements".to_owned(),
            place: None,
        }
    }

    fn problem(text: &str) -> String {
        let flink = "1.17.0".parse().expect("known");
        match check(&at(), "r.txt", text, flink) {
            Ok(()) => "fine".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_pip_reads_is_fine() {
        let text = "\u{23} comment\n\nnumpy\nPandas[excel, parquet] >=1.3, <2 # why\nz-o_p.e==1.*\n\
                    x (>=1.0)\nname @ https://example.com/n.whl\ny~=1.2; python_version < \"3.11\"\n\
                    apache-flink==1.17.0\napache_flink>=1.16\nb==2 \\\n    --hash=sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n";
        assert_eq!(problem(text), "fine");
        assert_eq!(problem(""), "fine");
    }

    #[test]
    fn what_pip_would_choke_on_is_named() {
        insta::assert_snapshot!(problem("numpy=1.2"), @"
        line 1 of `r.txt` is no requirement that can be carried: one `=` is no comparison: a version is pinned with `==`, named by `python.requirements`
          numpy=1.2
        ");
        insta::assert_snapshot!(problem("ok\n\nnumpy 1.2"), @"
        line 3 of `r.txt` is no requirement that can be carried: `1.2` is no version: write `==1.2`, `>=1.2` or the like, named by `python.requirements`
          numpy 1.2
        ");
        insta::assert_snapshot!(problem("numpy==\n"), @"
        line 1 of `r.txt` is no requirement that can be carried: nothing stands behind `==`, named by `python.requirements`
          numpy==
        ");
        insta::assert_snapshot!(problem("numpy[a"), @"
        line 1 of `r.txt` is no requirement that can be carried: `[` has no `]`, named by `python.requirements`
          numpy[a
        ");
        insta::assert_snapshot!(problem("numpy[a,]"), @"
        line 1 of `r.txt` is no requirement that can be carried: `[a,]` is no list of extras, named by `python.requirements`
          numpy[a,]
        ");
        insta::assert_snapshot!(problem("numpy;"), @"
        line 1 of `r.txt` is no requirement that can be carried: nothing stands behind `;`, named by `python.requirements`
          numpy;
        ");
        insta::assert_snapshot!(problem("./lib"), @"
        line 1 of `r.txt` is no requirement that can be carried: a path or bare address is not carried: name the package, `name @ https://…`, or put the file into `job.python_files`, named by `python.requirements`
          ./lib
        ");
        insta::assert_snapshot!(problem("git+https://x/y"), @"
        line 1 of `r.txt` is no requirement that can be carried: a path or bare address is not carried: name the package, `name @ https://…`, or put the file into `job.python_files`, named by `python.requirements`
          git+https://x/y
        ");
        insta::assert_snapshot!(problem("-r other.txt"), @"
        line 1 of `r.txt` is no requirement that can be carried: `-r` names another file, which is not carried: write its lines here, named by `python.requirements`
          -r other.txt
        ");
        insta::assert_snapshot!(problem("-e ."), @"
        line 1 of `r.txt` is no requirement that can be carried: `-e` names a folder of this machine: put the code into `job.python_files`, named by `python.requirements`
          -e .
        ");
        insta::assert_snapshot!(problem("--extra-index-url https://x"), @"
        line 1 of `r.txt` is no requirement that can be carried: `--extra-index-url` is not taken from here: `python.index_url` names the package index, named by `python.requirements`
          --extra-index-url https://x
        ");
        insta::assert_snapshot!(problem("b==2 \\\n --hash=sha256:12"), @"
        line 1 of `r.txt` is no requirement that can be carried: `--hash=sha256:12` is no hash: `--hash=sha256:` and 64 hexadecimal digits, named by `python.requirements`
          b==2  --hash=sha256:12
        ");
        insta::assert_snapshot!(problem("apache-flink==1.16.1"), @"
        line 1 of `r.txt` is no requirement that can be carried: the image's Flink is 1.17.0, and PyFlink 1.16.1 does not go with it, named by `python.requirements`
          apache-flink==1.16.1
        ");
        insta::assert_snapshot!(problem("=="), @"
        line 1 of `r.txt` is no requirement that can be carried: it does not start with the name of a package, named by `python.requirements`
          ==
        ");
        insta::assert_snapshot!(problem("name @ ../x"), @"
        line 1 of `r.txt` is no requirement that can be carried: behind `@` stands an address, `https://…`, named by `python.requirements`
          name @ ../x
        ");
    }

    #[test]
    fn a_lock_says_everything() {
        let flink = "1.17.0".parse().expect("known");
        let hash = "--hash=sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        let check = |text: &str| match check_lock(&at(), "lock.txt", text, flink) {
            Ok(()) => "fine".to_owned(),
            Err(error) => error.to_string(),
        };
        let whole =
            format!("numpy==1.21.4 \\\n  {hash} \\\n  {hash}\napache-flink==1.17.0 {hash}\n");
        assert_eq!(check(&whole), "fine");
        insta::assert_snapshot!(check(&whole.replace("numpy==", "numpy>=")), @"
        line 1 of `lock.txt` is no requirement that can be carried: a lock names one version: `name==1.2.3`, named by `python.requirements`
          numpy>=1.21.4   --hash=sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef   --hash=sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
        ");
        insta::assert_snapshot!(check("apache-flink==1.17.0\n"), @"
        line 1 of `lock.txt` is no requirement that can be carried: a lock has hashes: `--hash=sha256:…`, named by `python.requirements`
          apache-flink==1.17.0
        ");
        insta::assert_snapshot!(check(&whole.replace("apache-flink==1.17.0", "x==1")), @"line 1 of `lock.txt` is no requirement that can be carried: the lock has no `apache-flink==1.17.0`, named by `python.requirements`");
        insta::assert_snapshot!(check(&whole.replace("1.17.0", "1.17.2")), @"
        line 4 of `lock.txt` is no requirement that can be carried: the image's Flink is 1.17.0, and PyFlink 1.17.2 does not go with it, named by `python.requirements`
          apache-flink==1.17.2 --hash=sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
        ");
    }
}
