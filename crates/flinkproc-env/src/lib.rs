//! The Python and the connectors that a Flink job brings along.
//!
//! On most Dataproc images the default Python cannot install the image's own PyFlink. This crate makes a Python that can
//! travel: one `.tar.gz` with `bin/python` at its root, an interpreter with its libraries and the locked packages, which
//! needs nothing of the machine it is unpacked on but the C library. [`EnvironmentBuilder`] is who makes one: with an
//! interpreter of this machine, with `uv`, or whoever of them can. [`provide`] builds it once and finds it again by its
//! [`Lock`]. [`connectors`] knows which jars belong to which Flink, and fetches them.
//!
//! It uploads nothing, installs nothing on this machine, compiles no source distribution of anybody's package but the few
//! pure-Python ones that PyFlink itself needs, and takes no package that the lock does not name with its hash.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use flinkproc_env::{EnvironmentRequest, MemoryBuilder, provide};
//!
//! let request = EnvironmentRequest {
//!     python: "3.10".parse()?,
//!     flink: "1.17.0".parse()?,
//!     platform: "x86_64-linux-gnu".to_owned(),
//!     requirements: "requests==2.32.3\n".to_owned(),
//!     lock: None,
//!     index_url: None,
//! };
//! let folder = std::env::temp_dir().join(format!("flinkproc-env-doc-{}", std::process::id()));
//! let builder = MemoryBuilder::default();
//! let first = provide(&builder, &folder, &request).await?;
//! let again = provide(&builder, &folder, &request).await?;
//! assert!(first.built && !again.built);
//! assert_eq!(first.archive, again.archive);
//! assert!(first.lock.text.contains("apache-flink==1.17.0"));
//! # std::fs::remove_dir_all(folder)?;
//! # Ok(())
//! # }
//! ```
//!
//! Reading order: [`request`] (what is wanted, what comes back), [`builder`] (the trait, and [`provide`]), [`lock`] (pins and
//! hashes as text), `local` and `uv` (the builders of this machine, behind the feature `local`), [`auto`] (the first that
//! can), [`memory`] (a double), [`connectors`] and `maven` (jars), `contract` (what every builder must do), [`error`].

#[cfg(feature = "local")]
mod assemble;
pub mod auto;
pub mod builder;
pub mod connectors;
#[cfg(any(test, feature = "contract"))]
pub mod contract;
#[cfg(feature = "local")]
mod elf;
pub mod error;
#[cfg(feature = "local")]
mod interpreter;
#[cfg(feature = "local")]
mod libraries;
#[cfg(feature = "local")]
pub mod local;
pub mod lock;
#[cfg(feature = "maven")]
pub mod maven;
pub mod memory;
#[cfg(feature = "local")]
mod pack;
#[cfg(feature = "local")]
mod packages;
#[cfg(feature = "local")]
mod program;
pub mod request;
#[cfg(feature = "local")]
mod trial;
#[cfg(feature = "local")]
pub mod uv;

pub use auto::AutoBuilder;
pub use builder::{EnvironmentBuilder, Provided, provide};
pub use connectors::{Coordinate, ResolvedJar};
pub use error::EnvError;
#[cfg(feature = "local")]
pub use local::LocalBuilder;
#[cfg(feature = "maven")]
pub use maven::{MAVEN_CENTRAL, MavenRepository};
pub use memory::MemoryBuilder;
pub use request::{BuiltArchive, EnvironmentRequest, Glibc, Lock, Platform};
#[cfg(feature = "local")]
pub use uv::UvBuilder;
