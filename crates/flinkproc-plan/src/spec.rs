//! The spec file `flinkproc.toml`: what the user writes, section by section, with every key optional.
//!
//! Which keys a deployment needs, and what stands in for the others, is decided in [`crate::planning`].

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub mod cluster;
pub mod job;
pub mod keys;
pub mod params;
pub mod python;
pub mod schema;
pub mod session;
pub mod ssh;
pub mod staging;
pub mod text_map;
pub mod watch;

pub use cluster::{
    ClusterSpec, InitializationActionSpec, MasterSpec, Preemptibility, SecondaryWorkersSpec,
    WorkersSpec,
};
pub use job::{JobSpec, ModeSpec, RestoreSpec};
pub use keys::{SpecKey, spec_keys};
pub use params::{ParamSpec, ParamType, Scalar};
pub use python::{BuilderSpec, EnvironmentSpec, PythonSpec};
pub use schema::spec_schema;
pub use session::SessionSpec;
pub use ssh::{AccessSpec, SshSpec};
pub use staging::{InputSpec, StagingSpec};
pub use text_map::TextMap;
pub use watch::WatchSpec;

/// A deployment of a `PyFlink` job on Dataproc, as `flinkproc.toml` describes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "flinkproc.toml")]
pub struct Spec {
    /// Values that `--param name=value` may set; strings of the spec use them as `${params.name}`. A bare value is the
    /// parameter's default.
    pub params: BTreeMap<String, ParamSpec>,
    /// What runs.
    pub job: JobSpec,
    /// The Python that runs it.
    pub python: PythonSpec,
    /// The Flink session that it goes into, in session mode.
    pub session: SessionSpec,
    /// The cluster that it runs on.
    pub cluster: ClusterSpec,
    /// Where files lie in Cloud Storage.
    pub staging: StagingSpec,
    /// How the cluster's master is entered. A bare word is `access`: `ssh = "never"`.
    #[schemars(with = "ssh::AccessOr")]
    pub ssh: SshSpec,
    /// How the run is watched and ended.
    pub watch: WatchSpec,
    /// Overlays by name: `--target prod` lays `[target.prod.cluster]` over `[cluster]`, and so on. Layering takes them out
    /// before the spec is read, so a spec that was read has none.
    pub target: BTreeMap<String, Spec>,
}
