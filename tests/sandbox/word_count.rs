//! The newcomer's example: the counts are right, and nothing is left.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::kernel::listening;
use crate::real::Real;

/// What the example counts, counted here: words of letters in lower case that come at least five times.
fn counted(pages: &Path) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for entry in std::fs::read_dir(pages).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        for part in std::fs::read_to_string(&path).unwrap().split_whitespace() {
            let word = part.trim_matches(|c| "`*_#|()[]{}<>.,:;!?\"'=-".contains(c));
            if !word.is_empty() && word.chars().all(char::is_alphabetic) {
                *counts.entry(word.to_lowercase()).or_default() += 1;
            }
        }
    }
    counts.retain(|_, count| *count >= 5);
    counts
}

/// Copies this project's pages and the example into a folder; gives the example's place.
pub(crate) fn copied(docs: &Path) -> PathBuf {
    const EXAMPLE: &str = "examples/word-count";
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    std::fs::create_dir_all(docs.join(EXAMPLE)).unwrap();
    for folder in ["", EXAMPLE] {
        for entry in std::fs::read_dir(ours.join(folder)).unwrap() {
            let from = entry.unwrap().path();
            if from.is_file() {
                let to = docs.join(folder).join(from.file_name().unwrap());
                std::fs::copy(&from, to).unwrap();
            }
        }
    }
    docs.join(EXAMPLE)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_words_are_counted_and_nothing_is_left() {
    let Some(real) = Real::turn().await else {
        return;
    };
    // A copy, so that nobody writes to the pages between the two counts.
    let docs = real.home.work().join("docs");
    let example = copied(&docs);
    let running = real.start(&[example.to_str().unwrap()]);
    let mut seen = std::collections::BTreeSet::new();
    let mut pause = tokio::time::interval(Duration::from_millis(250));
    let end = running.end();
    tokio::pin!(end);
    let ran = loop {
        tokio::select! {
            ran = &mut end => break ran,
            _ = pause.tick() => seen.extend(listening(&real.home.state())),
        }
    };
    ran.ended_with(0)
        .told(&["deployment   word-count-", "phases", "logs"]);
    real.left_nothing();

    let result: Vec<&str> = ran.out.lines().filter(|line| line.contains(',')).collect();
    let expected = counted(&docs);
    let told: BTreeMap<String, u64> = result
        .iter()
        .map(|line| {
            let (word, count) = line.split_once(',').unwrap();
            (word.to_owned(), count.parse().unwrap())
        })
        .collect();
    // A long result is cut on the screen and whole in the state directory.
    for (word, count) in &told {
        assert_eq!(expected.get(word), Some(count), "{word}");
    }
    let whole = whole_result(&real.home.state());
    assert_eq!(whole, expected);
    assert!(!told.is_empty(), "{}", ran.out);

    // YARN's, OpenSSH's and Flink's ports, the Python worker's and our own servers': all on loopback.
    let beyond: Vec<_> = seen.iter().filter(|one| !one.ip().is_loopback()).collect();
    assert!(
        beyond.is_empty(),
        "these listen beyond loopback: {beyond:?}"
    );
    assert!(seen.len() > 20, "{seen:?}");
}

fn whole_result(state: &Path) -> BTreeMap<String, u64> {
    let deployments: Vec<_> = std::fs::read_dir(state.join("deployments"))
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .collect();
    let mut counts = BTreeMap::new();
    for deployment in deployments {
        read_counts(&deployment.path().join("result"), &mut counts);
    }
    counts
}

fn read_counts(path: &Path, counts: &mut BTreeMap<String, u64>) {
    for entry in std::fs::read_dir(path).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            read_counts(&path, counts);
            continue;
        }
        for line in std::fs::read_to_string(path).unwrap().lines() {
            let (word, count) = line.split_once(',').unwrap();
            counts.insert(word.to_owned(), count.parse().unwrap());
        }
    }
}
