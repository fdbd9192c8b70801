//! Which configuration keys each minor version knows.
//!
//! The table lists every `ConfigOption` in the released jars of Flink's core, runtime, clients, YARN, Python and Table API
//! modules, with deprecated and fallback spellings; a test reads them out of the jars again. Families whose names users
//! or plugins complete, and keys that are not Flink's, are never called unknown.

use std::sync::LazyLock;

use flinkproc_core::FlinkVersion;

use crate::grammar::Minor;

/// The table as text: key, first and last minor version, on each line; a key that ends in `.*` stands for all below it.
pub const TABLE: &str = include_str!("config_keys.txt");

struct Row {
    key: &'static str,
    first: Minor,
    last: Minor,
}

/// The newest version in the table: a key that it has is not taken for removed.
const NEWEST: Minor = (2, 2);

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| TABLE.lines().filter_map(row).collect());

fn row(line: &'static str) -> Option<Row> {
    let mut parts = line.split(' ');
    let minor = |text: &str| {
        let (major, minor) = text.split_once('.')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    };
    Some(Row {
        key: parts.next()?,
        first: minor(parts.next()?)?,
        last: minor(parts.next()?)?,
    })
}

/// Beginnings of keys that plugins, reporters, file systems or the user complete, or whose modules are not in the table.
const FAMILIES: [&str; 36] = [
    "$internal.",
    "internal.",
    "containerized.master.env.",
    "containerized.taskmanager.env.",
    "metrics.",
    "traces.",
    "events.",
    "kubernetes.",
    "fs.",
    "gs.",
    "s3.",
    "s3a.",
    "presto.",
    "oss.",
    "obs.",
    "cos.",
    "azure.",
    "wasb.",
    "abfs.",
    "flink.hadoop.",
    "flink.yarn.",
    "hadoop.",
    "external-resource.",
    "security.delegation.token.provider.",
    "security.module.factory.",
    "plugin.",
    "dstl.",
    "state.backend.forst.",
    "state.backend.rocksdb.",
    "state.backend.changelog.",
    "sql-client.",
    "sql-gateway.",
    "table.catalog-store.",
    "table.exec.hive.",
    "python.job-options.",
    "openlineage.",
];

/// How a key stands with a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standing {
    /// The version knows it.
    Known,
    /// It is below something that users or plugins complete.
    Family,
    /// It begins like no key of Flink's: somebody's own.
    Foreign,
    /// A later version brings it.
    Since(Minor),
    /// This minor version was the last to know it.
    Until(Minor),
    /// It begins like keys of Flink's, and no version knows it.
    Unknown,
}

/// How a key stands with a version.
#[must_use]
pub fn standing(version: FlinkVersion, key: &str) -> Standing {
    let minor = version.minor();
    if let Some(row) = find(key) {
        return if minor < row.first {
            Standing::Since(row.first)
        } else if row.last < minor && row.last < NEWEST {
            Standing::Until(row.last)
        } else {
            Standing::Known
        };
    }
    if FAMILIES.iter().any(|family| key.starts_with(family)) || below_a_map(key) {
        return Standing::Family;
    }
    let first = key.split('.').next().unwrap_or(key);
    let ours = ROWS
        .iter()
        .any(|row| row.key.split('.').next() == Some(first));
    if ours || nearest(version, key).is_some() {
        Standing::Unknown
    } else {
        Standing::Foreign
    }
}

/// Whether nothing speaks against a key: the version knows it, or nobody can tell.
#[must_use]
pub fn known(version: FlinkVersion, key: &str) -> bool {
    matches!(
        standing(version, key),
        Standing::Known | Standing::Family | Standing::Foreign
    )
}

fn find(key: &str) -> Option<&'static Row> {
    let at = ROWS.binary_search_by(|row| row.key.cmp(key)).ok()?;
    ROWS.get(at)
}

/// Whether a part of the key before a dot takes entries below itself.
fn below_a_map(key: &str) -> bool {
    key.match_indices('.').any(|(at, _)| {
        let map = key.get(..at).map(|start| format!("{start}.*"));
        map.is_some_and(|map| find(&map).is_some())
    })
}

/// The key of this version that is spelled most like another, if any is near: a third of its letters may differ, four at most.
#[must_use]
pub fn nearest(version: FlinkVersion, key: &str) -> Option<&'static str> {
    let minor = version.minor();
    let key = key.to_ascii_lowercase();
    let limit = (key.len() / 3).clamp(1, 4);
    let rows = ROWS.iter().filter(|row| {
        let here = row.first <= minor && (minor <= row.last || row.last == NEWEST);
        here && !row.key.ends_with(".*") && row.key.len().abs_diff(key.len()) <= limit
    });
    let near = rows.filter_map(|row| {
        let far = distance(&key, row.key, limit)?;
        Some((far, row.key))
    });
    near.min().map(|(_, key)| key)
}

/// How many letters have to be put in, taken out or changed; `None` above the limit.
fn distance(from: &str, to: &str, limit: usize) -> Option<usize> {
    let to: Vec<u8> = to.bytes().map(|byte| byte.to_ascii_lowercase()).collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, letter) in from.bytes().enumerate() {
        let mut corner = line;
        let mut left = line + 1;
        let mut least = left;
        let mut next = Vec::with_capacity(row.len());
        next.push(left);
        for (other, above) in to.iter().zip(row.iter().skip(1)) {
            let change = corner + usize::from(*other != letter);
            corner = *above;
            left = change.min(left + 1).min(above + 1);
            least = least.min(left);
            next.push(left);
        }
        if least > limit {
            return None;
        }
        row = next;
    }
    row.last().copied().filter(|far| *far <= limit)
}

#[cfg(test)]
mod tests {
    use super::{ROWS, Standing, TABLE, known, nearest, standing};

    fn check(version: &str, key: &str, expected: Standing, near: Option<&str>) {
        let version = version.parse().expect("version");
        assert_eq!(standing(version, key), expected, "{key}");
        assert_eq!(nearest(version, key), near, "{key}");
    }

    #[test]
    fn every_line_of_the_table_is_read_and_they_are_in_order() {
        assert_eq!(ROWS.len(), TABLE.lines().count());
        assert!(ROWS.is_sorted_by(|one, other| one.key < other.key));
    }

    #[test]
    fn keys_that_a_version_has_not_are_told_apart() {
        let slots = "taskmanager.numberOfTaskSlots";
        check("1.17", slots, Standing::Known, Some(slots));
        check(
            "1.17",
            "taskmanager.numberOfTaskSlot",
            Standing::Unknown,
            Some(slots),
        );
        check(
            "1.17",
            "taskmanager.numberoftaskslots",
            Standing::Unknown,
            Some(slots),
        );
        check(
            "1.17",
            "execution.state-recovery.path",
            Standing::Since((1, 20)),
            None,
        );
        check("1.17", "python.pythonpath", Standing::Since((1, 18)), None);
        check(
            "2.2",
            "jobmanager.heap.size",
            Standing::Until((1, 20)),
            None,
        );
        check(
            "1.17",
            "taskmanger.memory.process.size",
            Standing::Unknown,
            Some("taskmanager.memory.process.size"),
        );
        check(
            "1.17",
            "taskmanager.something.of.nobody",
            Standing::Unknown,
            None,
        );
    }

    #[test]
    fn what_others_complete_is_never_called_unknown() {
        let version = "1.17".parse().expect("version");
        for key in [
            "containerized.taskmanager.env.MY_VAR",
            "metrics.reporter.prom.class",
            "fs.gs.project.id",
            "s3.access-key",
            "$internal.anything",
            "pipeline.global-job-parameters",
            "my.own.key",
            "env.java.opts",
            "state.backend.rocksdb.memory.managed",
            "table.exec.state.ttl",
            "execution.checkpointing.interval",
            "yarn.application.name",
        ] {
            assert!(known(version, key), "{key}: {:?}", standing(version, key));
        }
    }
}
