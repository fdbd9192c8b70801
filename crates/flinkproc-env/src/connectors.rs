//! Which jars belong to which Flink.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

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
