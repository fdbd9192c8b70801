//! Words shared by every flinkproc crate, and nothing else.
//!
//! No IO, no runtime, no wall clock, no environment: a value of this crate means the same wherever it is made.
//! It holds no spec, no cost and no events; those belong to `flinkproc-plan` and `flinkproc-patterns`.
//!
//! ```
//! use flinkproc_core::{ClusterName, ImageVersion, YarnMode};
//!
//! let image: ImageVersion = "2.2".parse()?;
//! assert_eq!(image.flink().to_string(), "1.17.0");
//! assert!(image.flink().supports(YarnMode::PerJob));
//! assert!("My_Cluster".parse::<ClusterName>().is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! In reading order: [`explain`] (what an error tells its reader) and [`mod@causes`] (what lies behind it), [`ids`] and [`uri`] (names that were checked once),
//! [`units`] (durations and sizes with their unit), [`image`] (which image carries which Flink and Python),
//! [`clock`] (time as a capability), [`secret`] (values that are never shown), [`faulty`] (failures on demand), [`contract`] (what
//! contract suites answer).

pub mod causes;
pub mod clock;
pub mod contract;
pub mod explain;
pub mod faulty;
pub mod ids;
pub mod image;
pub mod secret;
pub mod units;
pub mod uri;

pub use causes::{causes, messages};
pub use clock::{Clock, ManualClock};
pub use contract::Broken;
pub use explain::{ErrorCode, Explain, FailureKind, RetryHint};
pub use faulty::{Fault, Faulty};
pub use ids::{
    Attempt, BucketName, ClusterName, ClusterRef, ClusterUuid, DataprocJobId, DeploymentId,
    FlinkJobId, InvalidName, MachineRef, ProgramArg, ProjectId, Region, RequestId, RunKey,
    SecretVersion, YarnApplicationId, Zone,
};
pub use image::{FlinkVersion, ImageVersion, PythonVersion, YarnMode};
pub use secret::Secret;
pub use units::{ByteSize, Span};
pub use uri::GcsUri;
