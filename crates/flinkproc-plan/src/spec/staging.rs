//! The spec's section `[staging]`: the bucket, and local files that become the job's input.

use flinkproc_core::BucketName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where files lie in Cloud Storage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StagingSpec {
    /// The bucket; everything of ours lies below `flinkproc/` in it. The sandbox has one of its own.
    pub bucket: Option<BucketName>,
    /// Local files that are put below `${staging}/input/` before the job starts.
    pub input: Vec<InputSpec>,
}

/// Local files that become the job's input.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct InputSpec {
    /// A file or a pattern with `*`, `?`, `[…]` or `**`, relative to this file.
    pub from: String,
    /// A folder below `${staging}/input/`; by default `input/` itself. A file matched by a pattern keeps its path below
    /// the pattern's fixed part.
    pub to: Option<String>,
}
