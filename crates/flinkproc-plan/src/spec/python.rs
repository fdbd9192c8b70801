//! The spec's section `[python]`: which Python runs the job, and where it comes from.

use flinkproc_core::PythonVersion;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The Python that runs the job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PythonSpec {
    /// Where it comes from. By default `auto`.
    pub environment: Option<EnvironmentSpec>,
    /// Its version, such as `3.10`; by default the image's own where PyFlink has wheels for it, else the highest that has.
    #[schemars(with = "Option<String>")]
    pub version: Option<PythonVersion>,
    /// A local `requirements.txt` whose packages go into the shipped Python, beside `apache-flink`.
    pub requirements: Option<String>,
    /// A local file of requirements with versions and hashes, taken as they are instead of `requirements`.
    pub lock: Option<String>,
    /// Who builds it. By default `auto`.
    pub builder: Option<BuilderSpec>,
    /// The package index to take packages from instead of the public one. No user and password: it is written into the plan.
    pub index_url: Option<String>,
    /// The conda channel of the builder `cluster`, by name or address. By default `conda-forge`.
    pub channel: Option<String>,
    /// Where the builder `cluster` fetches micromamba from on an image that has no conda of its own: an `https://` or `gs://` address.
    pub micromamba_url: Option<String>,
    /// An interpreter with PyFlink that is on every machine already, by its absolute path; only with `environment = "cluster"`.
    pub executable: Option<String>,
    /// The machines' platform: `x86_64-linux-gnu`, or `aarch64-linux-gnu` for machine types with Arm processors, followed by the
    /// version of the image's C library (`.2.36`). By default the cluster's.
    pub platform: Option<String>,
}

/// Where a job's Python comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EnvironmentSpec {
    /// The image's own where it can run the job, else a shipped one.
    Auto,
    /// The image's own.
    Image,
    /// An archive of interpreter and packages, built once, kept in the bucket, and shipped with the job.
    Shipped,
    /// One that is made on every machine when the cluster is created, or that is there already.
    Cluster,
}

impl EnvironmentSpec {
    /// The word for it, as it is written in the spec.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Image => "image",
            Self::Shipped => "shipped",
            Self::Cluster => "cluster",
        }
    }
}

/// Who builds a job's Python.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BuilderSpec {
    /// The first of `local` and `uv` that can.
    Auto,
    /// This machine, with an interpreter of the right version that is on it.
    Local,
    /// This machine, with an interpreter that `uv` fetches.
    Uv,
    /// Every machine of the cluster, by an initialization action with conda or micromamba.
    Cluster,
}

impl BuilderSpec {
    /// The word for it, as it is written in the spec.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Local => "local",
            Self::Uv => "uv",
            Self::Cluster => "cluster",
        }
    }
}
