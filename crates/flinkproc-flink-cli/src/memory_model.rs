//! Whether the memory that a process gets is enough for what Flink takes out of it before anything is left to work with.
//!
//! Flink's model since 1.10: out of the process's memory come the JVM's metaspace and overhead, out of the rest off-heap,
//! network and managed memory; what is left is the heap. A process whose parts exceed the whole does not start. Source:
//! `ProcessMemoryUtils`, `TaskExecutorFlinkMemoryUtils` and `JobManagerFlinkMemoryUtils`; a test asks these classes.
//!
//! Judged is the usual way, by `….memory.process.size`; who sets Flink's total or the heap by hand is left alone.

use std::collections::BTreeMap;

use flinkproc_core::FlinkVersion;

use crate::memory::{format, parse};

const MIB: u64 = 1 << 20;

/// Flink's configuration, key to value.
pub type Config = BTreeMap<String, String>;

/// A process that gets less memory than Flink needs for it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shortfall {
    /// The key that sets the process's memory.
    pub key: &'static str,
    /// What it is set to, as Flink writes it.
    pub size: String,
    /// The least that fits, in MiB, with the other settings as they are.
    pub minimum_mib: u64,
    /// What takes the memory.
    pub reason: String,
}

/// The key of the JobManager's memory.
pub const JOBMANAGER: &str = "jobmanager.memory.process.size";
/// The key of a TaskManager's memory.
pub const TASKMANAGER: &str = "taskmanager.memory.process.size";

/// The processes whose configured memory is below the minimum of every version.
///
/// Since 1.17 network memory has no upper bound of its own; with a large fraction for it, [`shortfalls_of`] that version finds more.
#[must_use]
pub fn shortfalls(config: &Config) -> Vec<Shortfall> {
    shortfalls_of(FlinkVersion::new(1, 16), config)
}

/// The processes whose configured memory is below this version's minimum.
#[must_use]
pub fn shortfalls_of(version: FlinkVersion, config: &Config) -> Vec<Shortfall> {
    let judge = |process: Process| {
        let size = parse(config.get(process.key())?)?;
        let fit = process.fit(version, config, size)?;
        let Fit::Short(reason) = fit else { return None };
        Some(Shortfall {
            key: process.key(),
            size: format(size),
            minimum_mib: process.minimum(version, config)? / MIB,
            reason,
        })
    };
    let all = [Process::JobManager, Process::TaskManager];
    all.into_iter().filter_map(judge).collect()
}

/// The least memory of the JobManager's process in bytes, whole MiB, with the other settings as they are.
///
/// `None` where the heap or Flink's total is set by hand, or a setting makes no sense.
#[must_use]
pub fn minimum_jobmanager(version: FlinkVersion, config: &Config) -> Option<u64> {
    Process::JobManager.minimum(version, config)
}

/// The least memory of a TaskManager's process in bytes, whole MiB, with the other settings as they are.
///
/// `None` where the heap or Flink's total is set by hand, or a setting makes no sense.
#[must_use]
pub fn minimum_taskmanager(version: FlinkVersion, config: &Config) -> Option<u64> {
    Process::TaskManager.minimum(version, config)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Process {
    JobManager,
    TaskManager,
}

enum Fit {
    Fits,
    Short(String),
}

impl Process {
    const fn key(self) -> &'static str {
        match self {
            Self::JobManager => JOBMANAGER,
            Self::TaskManager => TASKMANAGER,
        }
    }

    /// By halves: more memory never fits worse, as every share grows slower than the whole.
    fn minimum(self, version: FlinkVersion, config: &Config) -> Option<u64> {
        let (mut low, mut high) = (0_u64, 1 << 24);
        self.fit(version, config, high * MIB)
            .filter(|fit| matches!(fit, Fit::Fits))?;
        while low < high {
            let middle = low.midpoint(high);
            match self.fit(version, config, middle * MIB)? {
                Fit::Fits => high = middle,
                Fit::Short(_) => low = middle + 1,
            }
        }
        Some(high * MIB)
    }

    /// `None` where this model does not apply.
    fn fit(self, version: FlinkVersion, config: &Config, size: u64) -> Option<Fit> {
        let by_hand: &[&str] = match self {
            Self::JobManager => &[
                "jobmanager.memory.flink.size",
                "jobmanager.memory.heap.size",
            ],
            Self::TaskManager => &[
                "taskmanager.memory.flink.size",
                "taskmanager.memory.task.heap.size",
            ],
        };
        if by_hand.iter().any(|key| config.contains_key(*key)) {
            return None;
        }
        let prefix = match self {
            Self::JobManager => "jobmanager.memory.jvm-",
            Self::TaskManager => "taskmanager.memory.jvm-",
        };
        let metaspace = amount(config, &format!("{prefix}metaspace.size"), 256 * MIB)?;
        let overhead = Share::of(config, &format!("{prefix}overhead"), 192 * MIB, 1 << 30)?;
        let overhead = overhead.take(size);
        let jvm = metaspace.checked_add(overhead)?;
        let short = |parts: &[(&str, u64)]| {
            let parts = parts
                .iter()
                .filter(|(_, bytes)| *bytes > 0)
                .map(|(name, bytes)| format!("{name} {}", mebibytes(*bytes)));
            Some(Fit::Short(parts.collect::<Vec<_>>().join(", ")))
        };
        let outside = [("JVM metaspace", metaspace), ("JVM overhead", overhead)];
        let Some(flink) = size.checked_sub(jvm) else {
            return short(&outside);
        };
        match self {
            Self::JobManager => {
                let off_heap = amount(config, "jobmanager.memory.off-heap.size", 128 * MIB)?;
                // Something has to be left for the heap.
                if flink <= off_heap {
                    return short(&[outside[0], outside[1], ("off-heap", off_heap)]);
                }
            }
            Self::TaskManager => {
                let get = |name: &str, default| {
                    amount(config, &format!("taskmanager.memory.{name}.size"), default)
                };
                let framework = get("framework.heap", 128 * MIB)?;
                let framework_off = get("framework.off-heap", 128 * MIB)?;
                let task_off = get("task.off-heap", 0)?;
                let managed = match config.get("taskmanager.memory.managed.size") {
                    Some(size) => parse(size)?,
                    None => {
                        fraction(config, "taskmanager.memory.managed.fraction", "0.4")?.of(flink)
                    }
                };
                // Bounded by 1 GiB until 1.16, by nothing since.
                let most = if version.minor() < (1, 17) {
                    1 << 30
                } else {
                    u64::MAX
                };
                let network = Share::of(config, "taskmanager.memory.network", 64 * MIB, most)?;
                let network = network.take(flink);
                let parts = [framework, framework_off, task_off, managed, network];
                let sum = parts.into_iter().try_fold(0_u64, u64::checked_add)?;
                if sum > flink {
                    return short(&[
                        outside[0],
                        outside[1],
                        ("framework heap", framework),
                        ("framework off-heap", framework_off),
                        ("task off-heap", task_off),
                        ("managed", managed),
                        ("network", network),
                    ]);
                }
            }
        }
        Some(Fit::Fits)
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(MIB))
}

fn amount(config: &Config, key: &str, default: u64) -> Option<u64> {
    config.get(key).map_or(Some(default), |text| parse(text))
}

/// A part that is a fraction of a whole, within bounds.
struct Share {
    fraction: Fraction,
    least: u64,
    most: u64,
}

impl Share {
    fn of(config: &Config, prefix: &str, least: u64, most: u64) -> Option<Self> {
        let share = Self {
            fraction: fraction(config, &format!("{prefix}.fraction"), "0.1")?,
            least: amount(config, &format!("{prefix}.min"), least)?,
            most: amount(config, &format!("{prefix}.max"), most)?,
        };
        (share.least <= share.most).then_some(share)
    }

    fn take(&self, whole: u64) -> u64 {
        self.fraction.of(whole).clamp(self.least, self.most)
    }
}

/// A fraction as Flink multiplies by it: a `float` written out in decimal, the product cut to whole bytes.
struct Fraction {
    digits: u128,
    places: u32,
}

impl Fraction {
    fn of(&self, bytes: u64) -> u64 {
        let product = u128::from(bytes).checked_mul(self.digits);
        let scale = 10_u128.checked_pow(self.places);
        let cut = product.zip(scale).map(|(product, scale)| product / scale);
        cut.and_then(|bytes| u64::try_from(bytes).ok())
            .unwrap_or(u64::MAX)
    }
}

fn fraction(config: &Config, key: &str, default: &str) -> Option<Fraction> {
    let text = config.get(key).map_or(default, String::as_str);
    let number: f32 = text.trim().parse().ok()?;
    if !(0.0..1.0).contains(&number) {
        return None;
    }
    let text = format!("{}", f64::from(number));
    let places = text.split_once('.').map_or("", |(_, places)| places);
    Some(Fraction {
        digits: text.replace('.', "").parse().ok()?,
        places: u32::try_from(places.len()).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::{Config, minimum_jobmanager, minimum_taskmanager, shortfalls_of};

    fn version() -> flinkproc_core::FlinkVersion {
        "1.17".parse().expect("version")
    }

    fn config(pairs: &[(&str, &str)]) -> Config {
        let pairs = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        pairs.collect()
    }

    #[test]
    fn the_least_that_fits() {
        let check = |pairs: &[(&str, &str)], expected: (Option<u64>, Option<u64>)| {
            let config = config(pairs);
            let mib = |bytes: Option<u64>| bytes.map(|bytes| bytes >> 20);
            let got = (
                mib(minimum_jobmanager(version(), &config)),
                mib(minimum_taskmanager(version(), &config)),
            );
            assert_eq!(got, expected, "{pairs:?}");
        };
        check(&[], (Some(577), Some(982)));
        check(
            &[("jobmanager.memory.off-heap.size", "0")],
            (Some(449), Some(982)),
        );
        check(
            &[("taskmanager.memory.managed.size", "0")],
            (Some(577), Some(768)),
        );
        check(&[("jobmanager.memory.heap.size", "1g")], (None, Some(982)));
    }

    #[test]
    fn what_is_short_says_what_takes_the_memory() {
        let config = config(&[
            ("jobmanager.memory.process.size", "500m"),
            ("taskmanager.memory.process.size", "1g"),
        ]);
        insta::assert_snapshot!(format!("{:#?}", shortfalls_of(version(), &config)), @r#"
        [
            Shortfall {
                key: "jobmanager.memory.process.size",
                size: "500 mb",
                minimum_mib: 577,
                reason: "JVM metaspace 256 MiB, JVM overhead 192 MiB, off-heap 128 MiB",
            },
        ]
        "#);
    }
}
