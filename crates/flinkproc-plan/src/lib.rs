//! The spec file, and the plan of a deployment as plain values.
//!
//! A spec (`flinkproc.toml`, flags, environment, gcloud's configuration) is layered into one [`Spec`] in which every value
//! knows who wrote it. A [`DeployRequest`] joins it with what was found out about local files, and [`plan_deployment`] turns
//! that into a [`Plan`]: every name, address and size decided, or an error with its line and a way out.
//!
//! It reads no file, no environment and no clock, talks to nothing, and quotes nothing for a shell. The same request gives
//! the same plan.
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use flinkproc_plan::{DeployRequest, Layers, LocalFact, LocalFacts, plan_deployment};
//!
//! let text = "[job]\nscript = 'etl.py'\npython_functions = false\n\
//!             [cluster]\nproject = 'my-project'\nregion = 'europe-west4'\nimage = '2.2'\n\
//!             [staging]\nbucket = 'my-bucket'\n";
//! let spec = Layers { name: "flinkproc.toml", text, ..Layers::default() }.resolve()?;
//!
//! let mut files = LocalFacts::default();
//! for need in spec.spec.local_files("", &[])? {
//!     // Here the caller looks at `need.path`.
//!     let sha256 = flinkproc_plan::sha256_hex(b"print()\n");
//!     files.files.insert(need.path, LocalFact::File { size: 8, sha256, crc32c: None, utf8: true });
//! }
//! let plan = plan_deployment(&DeployRequest {
//!     spec,
//!     folder: String::new(),
//!     deployment: "etl-1".parse()?,
//!     run_key: None,
//!     params: Vec::new(),
//!     login_user: "ada".to_owned(),
//!     sandbox: None,
//!     files,
//!     methods: Vec::new(),
//!     packages: BTreeMap::new(),
//! })?;
//! assert_eq!(plan.cluster.cluster.name.as_str(), "flink-etl-1");
//! assert!(plan.render().contains("create the cluster flink-etl-1"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! In reading order: [`spec`] (what the user writes), [`place`] and [`layers`] (where it was written, and what goes over
//! what), [`interpolate`] (`${…}` in texts), [`files`] (which local files matter), [`request`], [`methods`] (how a job is handed over), [`planning`] (the decisions
//! and checks), [`plan`](mod@plan) (the result), [`launcher`] (what runs on the master), [`steps`], [`equivalent`] and [`render`] (the result for people), [`init`]
//! (a first spec), [`spec_error`] and [`plan_error`].

pub mod equivalent;
pub mod files;
pub mod init;
pub mod interpolate;
pub mod launcher;
pub mod layers;
pub mod methods;
pub mod place;
pub mod plan;
pub mod plan_error;
pub mod planning;
pub mod render;
pub mod request;
pub mod spec;
pub mod spec_error;
pub mod steps;

pub use equivalent::Equivalent;
pub use files::{
    ArchiveFact, LocalFact, LocalFacts, LocalNeed, NeedKind, is_pattern, pattern_folder,
};
pub use init::init_spec;
pub use interpolate::Variables;
pub use layers::{LayeredSpec, Layers, Provided};
pub use place::{At, Place, Source, SpecText};
pub use plan::{
    ClaimMode, ClusterPlan, DefaultTaken, EntryPoint, EnvironmentPlan, FileRole, IdentityPlan,
    JobPlan, OnFailure, OnInterrupt, Plan, PythonPlan, RemoteFile, RestorePlan, SessionLifetime,
    SessionPlan, SpecSource, SshPlan, StagingPlan, TextPlan, UploadPlan, WatchPlan,
};
pub use plan_error::PlanError;
pub use planning::{PLAN_FORMAT, plan_deployment};
pub use request::{DeployRequest, ResolvedJar, SandboxFacts, sha256_hex};
pub use spec::{AccessSpec, Spec, spec_schema};
pub use spec_error::SpecError;
pub use steps::StepPlan;
