//! The table of configuration keys, read out of the jars.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use flinkproc_flink_cli::config_keys::TABLE;

use super::jvm::{Judge, VERSIONS, variable};

/// The keys of all versions that were asked.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    versions: BTreeMap<String, Vec<usize>>,
}

impl Keys {
    /// Asks one version, by its place in the list.
    pub(crate) fn add(&mut self, at: usize, judge: &mut Judge) {
        let said = judge.ask::<&str>("keys", &[]);
        let said = said.strip_prefix("keys\t").expect("keys");
        for key in said.split('\t') {
            // Not all that has the type is a key of the configuration: `<parameter>` is a part of a message.
            let plain = key.starts_with(|c: char| c.is_ascii_lowercase());
            if plain && !key.contains(['<', ' ']) {
                self.versions.entry(key.to_owned()).or_default().push(at);
            }
        }
    }

    /// As the table writes them.
    fn table(&self) -> String {
        let minor = |at: &usize| {
            let (version, ..) = VERSIONS.get(*at).expect("a version");
            version.rsplit_once('.').expect("three numbers").0
        };
        let mut table = String::new();
        for (key, at) in &self.versions {
            let (first, last) = (at.first().expect("one"), at.last().expect("one"));
            assert_eq!(last - first + 1, at.len(), "{key} is there without a gap");
            writeln!(table, "{key} {} {}", minor(first), minor(last)).expect("takes");
        }
        table
    }

    /// Compares, or writes the table anew when `JUDGE_WRITE` is set.
    pub(crate) fn compare(&self) {
        let table = self.table();
        if variable("JUDGE_WRITE").is_some() {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/config_keys.txt");
            std::fs::write(path, table).expect("the table is written");
            return;
        }
        let not_in = |these: &str, those: &str| {
            let those: Vec<&str> = those.lines().collect();
            let these = these.lines().filter(|line| !those.contains(line));
            these.map(str::to_owned).collect::<Vec<_>>()
        };
        let (gone, new) = (not_in(TABLE, &table), not_in(&table, TABLE));
        assert!(
            gone.is_empty() && new.is_empty(),
            "gone {gone:?}, new {new:?}"
        );
    }
}
