//! Memory that fits or does not, asked of Flink's own classes.

use std::collections::BTreeMap;

use flinkproc_core::FlinkVersion;
use flinkproc_flink_cli::memory_model::{
    JOBMANAGER, TASKMANAGER, minimum_jobmanager, minimum_taskmanager, shortfalls_of,
};

use super::jvm::{Dice, Judge, plain};

const SIZES: &[&str] = &[
    "0",
    "64m",
    "128m",
    "200m",
    "256m",
    "300 mb",
    "448m",
    "512m",
    "576m",
    "700m",
    "1g",
    "2g",
    "1073741824",
    "100000k",
];
const FRACTIONS: &[&str] = &["0", "0.1", "0.3", "0.25", "0.4", "0.7", "0.123456", "0.99"];

fn pairs(config: &BTreeMap<String, String>) -> Vec<String> {
    config.iter().map(|(k, v)| format!("{k}={v}")).collect()
}

/// What differs, and how much was asked.
pub(crate) fn compare(
    judge: &mut Judge,
    version: FlinkVersion,
    dice: &mut Dice,
    count: usize,
) -> (usize, Vec<String>) {
    let mut differences = Vec::new();
    let mut asked = Vec::new();
    let mut meant = Vec::new();
    for _ in 0..count {
        let (process, question, options): (_, _, &[&str]) = if dice.one_in(2) {
            (
                JOBMANAGER,
                "jobmanager",
                &[
                    "off-heap.size",
                    "jvm-metaspace.size",
                    "jvm-overhead.min",
                    "jvm-overhead.max",
                    "jvm-overhead.fraction",
                ],
            )
        } else {
            (
                TASKMANAGER,
                "taskmanager",
                &[
                    "framework.heap.size",
                    "framework.off-heap.size",
                    "task.off-heap.size",
                    "managed.size",
                    "managed.fraction",
                    "network.min",
                    "network.max",
                    "network.fraction",
                    "jvm-metaspace.size",
                    "jvm-overhead.min",
                    "jvm-overhead.max",
                    "jvm-overhead.fraction",
                ],
            )
        };
        let mut config = BTreeMap::new();
        for _ in 0..dice.next(4) {
            let option = dice.pick(options);
            let value = if option.ends_with("fraction") {
                dice.pick(FRACTIONS)
            } else {
                dice.pick(SIZES)
            };
            config.insert(format!("{question}.memory.{option}"), value.to_owned());
        }
        let minimum = if process == JOBMANAGER {
            minimum_jobmanager(version, &config)
        } else {
            minimum_taskmanager(version, &config)
        };
        let Some(minimum) = minimum else { continue };
        let least = minimum >> 20;
        for (mib, fits) in [
            (least, true),
            (least.saturating_sub(1), false),
            (least + 512, true),
        ] {
            config.insert(process.to_owned(), format!("{mib}m"));
            asked.push((question.to_owned(), pairs(&config)));
            meant.push((config.clone(), fits, least));
        }
    }
    for (said, (config, fits, least)) in judge.ask_all(&asked).iter().zip(meant) {
        let short = shortfalls_of(version, &config);
        if said.starts_with("fits") != fits || short.is_empty() != fits {
            differences.push(format!("{config:?}, least {least} MiB: {}", plain(said)));
        }
    }
    (asked.len(), differences)
}
