//! The table of configuration keys, read out of the jars.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use flinkproc_flink_cli::config_keys::TABLE;

use super::jvm::{Judge, VERSIONS, variable};

/// The keys of every version, as the table writes them.
pub(crate) fn table() -> String {
    let mut keys: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, (version, ..)) in VERSIONS.iter().enumerate() {
        let said = Judge::start(version).ask::<&str>("keys", &[]);
        let said = said.strip_prefix("keys\t").expect("keys");
        for key in said.split('\t') {
            // Not all that has the type is a key of the configuration: `<parameter>` is a part of a message.
            let plain = key.starts_with(|c: char| c.is_ascii_lowercase());
            if plain && !key.contains(['<', ' ']) {
                keys.entry(key.to_owned()).or_default().push(at);
            }
        }
    }
    let minor = |at: &usize| {
        let (version, ..) = VERSIONS.get(*at).expect("a version");
        version.rsplit_once('.').expect("three numbers").0
    };
    let mut table = String::new();
    for (key, at) in &keys {
        let (first, last) = (at.first().expect("one"), at.last().expect("one"));
        assert_eq!(last - first + 1, at.len(), "{key} is there without a gap");
        writeln!(table, "{key} {} {}", minor(first), minor(last)).expect("takes");
    }
    table
}

/// Compares, or writes the table anew when `JUDGE_WRITE` is set.
pub(crate) fn compare() {
    let table = table();
    if variable("JUDGE_WRITE").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/config_keys.txt");
        std::fs::write(path, table).expect("the table is written");
        return;
    }
    let gone: Vec<&str> = TABLE
        .lines()
        .filter(|line| !table.contains(*line))
        .collect();
    let new: Vec<&str> = table
        .lines()
        .filter(|line| !TABLE.contains(*line))
        .collect();
    assert!(
        gone.is_empty() && new.is_empty(),
        "gone {gone:?}, new {new:?}"
    );
    assert_eq!(table, TABLE);
}
