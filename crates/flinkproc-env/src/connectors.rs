//! Which jars belong to which Flink: short names, coordinates, and the choice among the versions that exist.
//!
//! Which versions exist is asked of the repository, not written here: connectors are released apart from Flink, each for
//! some minor versions of it (`3.0.0-1.17`), and what is part of Flink has Flink's version (`1.15.4`).

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use flinkproc_core::FlinkVersion;
use serde::{Deserialize, Serialize};

use crate::error::EnvError;

/// The group of Flink's own connectors.
const FLINK: &str = "org.apache.flink";

/// Short names, each with the artifact for Flink 1 and for Flink 2: jars that hold all they need, but for JDBC's drivers.
const NAMES: [(&str, &str, &str); 16] = [
    ("avro", "flink-sql-avro", "flink-sql-avro"),
    (
        "avro-confluent-registry",
        "flink-sql-avro-confluent-registry",
        "flink-sql-avro-confluent-registry",
    ),
    (
        "elasticsearch",
        "flink-sql-connector-elasticsearch7",
        "flink-sql-connector-elasticsearch7",
    ),
    (
        "elasticsearch6",
        "flink-sql-connector-elasticsearch6",
        "flink-sql-connector-elasticsearch6",
    ),
    (
        "elasticsearch7",
        "flink-sql-connector-elasticsearch7",
        "flink-sql-connector-elasticsearch7",
    ),
    (
        "elasticsearch8",
        "flink-sql-connector-elasticsearch8",
        "flink-sql-connector-elasticsearch8",
    ),
    ("jdbc", "flink-connector-jdbc", "flink-connector-jdbc-core"),
    (
        "kafka",
        "flink-sql-connector-kafka",
        "flink-sql-connector-kafka",
    ),
    (
        "kinesis",
        "flink-sql-connector-kinesis",
        "flink-sql-connector-aws-kinesis-streams",
    ),
    (
        "mongodb",
        "flink-sql-connector-mongodb",
        "flink-sql-connector-mongodb",
    ),
    (
        "opensearch",
        "flink-sql-connector-opensearch",
        "flink-sql-connector-opensearch",
    ),
    ("orc", "flink-sql-orc", "flink-sql-orc"),
    ("parquet", "flink-sql-parquet", "flink-sql-parquet"),
    ("protobuf", "flink-sql-protobuf", "flink-sql-protobuf"),
    (
        "pulsar",
        "flink-sql-connector-pulsar",
        "flink-sql-connector-pulsar",
    ),
    (
        "rabbitmq",
        "flink-sql-connector-rabbitmq",
        "flink-sql-connector-rabbitmq",
    ),
];

/// What needs no jar, and why.
const NOT_NEEDED: [(&str, &str); 6] = [
    ("csv", "Flink's own distribution carries it"),
    ("filesystem", "it is part of Flink"),
    ("gcs", "Dataproc's images read gs:// by their own connector"),
    ("gs", "Dataproc's images read gs:// by their own connector"),
    ("json", "Flink's own distribution carries it"),
    ("datagen", "it is part of Flink"),
];

/// The short names that are known.
pub fn names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|(name, ..)| *name)
}

/// A jar in a Maven repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Coordinate {
    /// Such as `org.apache.flink`.
    pub group: String,
    /// Such as `flink-sql-connector-kafka`.
    pub artifact: String,
    /// Such as `3.4.0-1.20`.
    pub version: String,
}

impl Coordinate {
    /// The jar's file name.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}-{}.jar", self.artifact, self.version)
    }
}

impl fmt::Display for Coordinate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.group, self.artifact, self.version)
    }
}

impl FromStr for Coordinate {
    type Err = EnvError;

    fn from_str(text: &str) -> Result<Self, EnvError> {
        let parts: Vec<_> = text.split(':').collect();
        let plain = |part: &&str| {
            part.starts_with(|first: char| first.is_ascii_alphanumeric())
                && part
                    .chars()
                    .all(|it| it.is_ascii_alphanumeric() || "._-".contains(it))
                && !part.contains("..")
        };
        match parts.as_slice() {
            [group, artifact, version] if parts.iter().all(plain) => Ok(Self {
                group: (*group).to_owned(),
                artifact: (*artifact).to_owned(),
                version: (*version).to_owned(),
            }),
            _ => Err(EnvError::UnknownConnector {
                name: text.to_owned(),
                known: names().collect::<Vec<_>>().join(", "),
            }),
        }
    }
}

/// A jar that was fetched and checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvedJar {
    /// What it is.
    pub coordinate: Coordinate,
    /// Where it lies on this machine.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
}

/// What an entry of `packages` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// This jar.
    Exactly(Coordinate),
    /// The newest release for Flink's version of the first of these artifacts that has one.
    For {
        /// The short name.
        name: &'static str,
        /// Their group.
        group: &'static str,
        /// In the order of preference.
        artifacts: Vec<String>,
    },
}

/// Reads an entry of `packages`: a short name, or `group:artifact:version`.
///
/// # Errors
/// [`EnvError::UnknownConnector`], or [`EnvError::NoConnector`] for what needs no jar.
pub fn asked(text: &str, flink: FlinkVersion) -> Result<Asked, EnvError> {
    if text.contains(':') {
        return text.parse().map(Asked::Exactly);
    }
    if let Some((name, why)) = NOT_NEEDED.iter().find(|(name, _)| *name == text) {
        return Err(EnvError::NoConnector {
            name: (*name).to_owned(),
            flink,
            exists: format!("{why}, so there is nothing to add"),
        });
    }
    let Some((name, first, second)) = NAMES.iter().find(|(name, ..)| *name == text) else {
        return Err(EnvError::UnknownConnector {
            name: text.to_owned(),
            known: names().collect::<Vec<_>>().join(", "),
        });
    };
    let artifact = if flink.is_2() { second } else { first };
    let mut artifacts = vec![(*artifact).to_owned()];
    if flink.minor() < (1, 15) {
        // Until 1.14 most artifacts name the Scala they were built with.
        artifacts.insert(0, format!("{artifact}_2.12"));
    }
    Ok(Asked::For {
        name,
        group: FLINK,
        artifacts,
    })
}

/// The release to take for a Flink: one made for its minor version, else (from Flink 2 on, whose interfaces hold within the
/// major version) for the nearest older one.
#[must_use]
pub fn choose<'a>(versions: &[&'a str], flink: FlinkVersion) -> Option<&'a str> {
    let (major, minor) = flink.minor();
    let oldest = if flink.is_2() { 0 } else { minor };
    (oldest..=minor)
        .rev()
        .find_map(|minor| for_minor(versions, flink, (major, minor)))
}

fn for_minor<'a>(versions: &[&'a str], flink: FlinkVersion, minor: (u8, u8)) -> Option<&'a str> {
    let suffix = format!("-{}.{}", minor.0, minor.1);
    let released = versions.iter().filter_map(|version| {
        let numbers = numbers(version.strip_suffix(&suffix)?)?;
        Some((numbers, *version))
    });
    if let Some((_, version)) = released.max() {
        return Some(version);
    }
    // Part of Flink: the very version, or the last patch before it, or the first after it.
    let own = numbers(&flink.to_string()).unwrap_or_default();
    let mut of_flink: Vec<_> = versions
        .iter()
        .filter_map(|version| Some((numbers(version)?, *version)))
        .filter(|(numbers, _)| numbers.starts_with(&[minor.0.into(), minor.1.into()]))
        .collect();
    of_flink.sort();
    let before = of_flink.iter().rfind(|(numbers, _)| *numbers <= own);
    before.or(of_flink.first()).map(|(_, version)| *version)
}

/// `3.10.1` as numbers; none for a milestone or a candidate.
fn numbers(version: &str) -> Option<Vec<u32>> {
    version.split('.').map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::{Asked, Coordinate, asked, choose};

    #[test]
    fn the_release_for_the_minor_version_is_taken() {
        let check = |versions: &str, flink: &str, expected: Option<&str>| {
            let versions: Vec<_> = versions.split(' ').collect();
            let flink = flink.parse().expect("flink");
            assert_eq!(choose(&versions, flink), expected, "{versions:?} {flink}");
        };
        let kafka =
            "1.15.4 1.17.0 3.0.0-1.17 3.10.0-1.17 3.2.0-1.17 3.2.0-1.18 4.0.1-2.0 5.0.0-rc1-2.2";
        check(kafka, "1.17.0", Some("3.10.0-1.17"));
        check(kafka, "1.15.4", Some("1.15.4"));
        check(kafka, "1.20.5", None);
        check(kafka, "2.2.1", Some("4.0.1-2.0"));
        check(kafka, "2.0", Some("4.0.1-2.0"));
        let avro = "1.20.0 1.20.1 1.20.10 2.0-preview1";
        check(avro, "1.20.5", Some("1.20.1"));
        check(avro, "1.20", Some("1.20.0"));
        check("1.20.3", "1.20.1", Some("1.20.3"));
        check(avro, "2.0.0", None);
    }

    #[test]
    fn an_entry_is_a_short_name_or_a_coordinate() {
        let flink = |text: &str| text.parse().expect("flink");
        let exact = asked("com.example:x_2.12:1.0-b", flink("2.2")).expect("coordinate");
        let Asked::Exactly(coordinate) = exact else {
            panic!("{exact:?}")
        };
        assert_eq!(coordinate.to_string(), "com.example:x_2.12:1.0-b");
        assert_eq!(coordinate.file_name(), "x_2.12-1.0-b.jar");
        let jdbc = format!("{:?}", asked("jdbc", flink("2.2")).expect("known"));
        assert!(jdbc.contains("flink-connector-jdbc-core"), "{jdbc}");
        let old = format!("{:?}", asked("kafka", flink("1.12")).expect("known"));
        assert!(
            old.contains("[\"flink-sql-connector-kafka_2.12\", \"flink-sql-connector-kafka\"]"),
            "{old}"
        );
        for wrong in ["a:b", "a:b:c:d", "a:../b:1", ":b:1", "a:b:", "a b:c:1"] {
            assert!(wrong.parse::<Coordinate>().is_err(), "{wrong}");
        }
        assert_snapshot!(asked("kafak", flink("2.2")).expect_err("typo"), @"`kafak` is no connector that flinkproc knows");
        assert_snapshot!(asked("json", flink("2.2")).expect_err("not needed"), @"there is no `json` connector for Flink 2.2: Flink's own distribution carries it, so there is nothing to add");
    }
}
