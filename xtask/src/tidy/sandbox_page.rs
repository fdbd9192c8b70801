//! The page of the sandbox says of every call and type of job whether it is emulated, and by which test it is seen to work.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::text::collect;
use crate::cargo;

const PAGE: &str = "docs/sandbox.md";
const BEGIN: &str = "<!-- emulated -->";
const END: &str = "<!-- emulated end -->";
/// Where calls are routed.
const ROUTES: [&str; 2] = [
    "crates/dataproc-emulator/src/routes.rs",
    "crates/dataproc-emulator/src/routes_around.rs",
];
/// Where types of jobs are told apart.
const JOBS: &str = "crates/dataproc-emulator/src/jobs/accept.rs";

pub(crate) fn check() -> Result<Vec<String>, String> {
    let root = cargo::root();
    let read = |name: &str| fs::read_to_string(root.join(name)).map_err(|e| format!("{name}: {e}"));
    let mut routed = BTreeSet::new();
    for file in ROUTES {
        routed.extend(handlers(&read(file)?));
    }
    let kinds = kinds(&read(JOBS)?);
    Ok(compare(&read(PAGE)?, &routed, &kinds, &tests(&root)?))
}

fn compare(
    page: &str,
    routed: &BTreeSet<String>,
    kinds: &BTreeSet<String>,
    tests: &BTreeSet<String>,
) -> Vec<String> {
    let table = page
        .split_once(BEGIN)
        .and_then(|(_, rest)| rest.split_once(END))
        .map(|(table, _)| table);
    let Some(table) = table else {
        return vec![format!("{PAGE} has no table between {BEGIN} and {END}")];
    };
    let words: BTreeSet<&str> = table.split('`').skip(1).step_by(2).collect();
    let mut problems = Vec::new();
    for call in routed.iter().chain(kinds) {
        if !words.contains(call.as_str()) {
            problems.push(format!("{PAGE} does not say whether {call} is emulated"));
        }
    }
    for word in words {
        let known = if word.contains("::") {
            routed.contains(word)
        } else if word.ends_with("Job") {
            kinds.contains(word)
        } else if word.contains('_') {
            tests.contains(word)
        } else {
            true
        };
        if !known {
            problems.push(format!("{PAGE} names {word}, which is not there"));
        }
    }
    for row in table.lines().filter(|line| line.contains("::")) {
        let last = row.trim_end_matches('|').rsplit('|').next();
        if !last.is_some_and(|proof| proof.contains('`')) {
            problems.push(format!("{PAGE} names no test in: {row}"));
        }
    }
    problems
}

/// The functions that calls are routed to, such as `clusters::list`.
fn handlers(routes: &str) -> BTreeSet<String> {
    const METHODS: [&str; 5] = ["get(", "post(", "put(", "patch(", "delete("];
    let calls = METHODS.into_iter().flat_map(|method| {
        let pieces = routes.split(method).skip(1);
        pieces.filter_map(|rest| rest.split_once(')').map(|(name, _)| name.trim()))
    });
    calls
        .filter(|name| name.contains("::"))
        .map(str::to_owned)
        .collect()
}

/// Every type of job that is named in a constant.
fn kinds(source: &str) -> BTreeSet<String> {
    let words = source.split('"').skip(1).step_by(2);
    let is_kind =
        |word: &&str| word.ends_with("Job") && word.bytes().all(|byte| byte.is_ascii_alphabetic());
    words.filter(is_kind).map(str::to_owned).collect()
}

/// The names of all functions in tests, Rust's and Python's.
fn tests(root: &Path) -> Result<BTreeSet<String>, String> {
    let mut files = Vec::new();
    for place in ["tests", "crates"] {
        for extension in ["rs", "py"] {
            collect(&root.join(place), extension, &mut files)?;
        }
    }
    let mut names = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        let starts = text.split("fn ").skip(1).chain(text.split("def ").skip(1));
        let name = |rest: &str| rest.split_once('(').map(|(name, _)| name.to_owned());
        names.extend(starts.filter_map(name));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{compare, handlers, kinds};

    fn set(words: &[&str]) -> BTreeSet<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn handlers_and_types_are_read_from_the_source() {
        let routes = "route(&path, get(clusters::list)\n  .post(clusters::create))";
        assert_eq!(
            handlers(routes),
            set(&["clusters::create", "clusters::list"])
        );
        assert_eq!(kinds("[\"pigJob\", \"a job\", \"job\"]"), set(&["pigJob"]));
    }

    #[test]
    fn a_page_that_says_too_little_or_too_much_is_told() {
        let page = "<!-- emulated -->\n| `a::b` | `one_test` |\n| `a::c` | |\n`xJob` `no_test`\n<!-- emulated end -->";
        let told = compare(
            page,
            &set(&["a::b", "a::d"]),
            &set(&["yJob"]),
            &set(&["one_test"]),
        );
        let expected = [
            "a::d",
            "yJob",
            "a::c",
            "no_test",
            "xJob",
            "names no test in: | `a::c` | |",
        ];
        assert_eq!(told.len(), expected.len(), "{told:?}");
        for (problem, part) in told.iter().zip(expected) {
            assert!(problem.contains(part), "{problem}");
        }
    }
}
