//! The REST interfaces of YARN's ResourceManager and Flink's JobManager as typed values.
//!
//! Two traits, [`YarnApi`] and [`FlinkApi`], with an implementation over HTTP (feature `client`, on by default) and a
//! stateful double each ([`memory`]). How to reach an address that only machines of the cluster can reach is a [`Route`].
//!
//! The crate judges nothing: whether a job succeeded is decided by who asks, from [`FinalStatus`] and [`FlinkJobState`].
//! It never retries; [`RestError`] says whether that would be safe.
//!
//! ```
//! use flinkproc_rest::{FinalStatus, MemoryYarn, YarnApi};
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let yarn = MemoryYarn::new();
//! let id: flinkproc_core::YarnApplicationId = "application_1_0001".parse()?;
//! yarn.put(MemoryYarn::running(id.clone(), "flinkproc-a-1"));
//! yarn.kill(&id).await?;
//! let found = yarn.applications(Some("flinkproc-a-1")).await?;
//! assert_eq!(found[0].final_status, FinalStatus::Killed);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! In reading order: [`yarn`] and [`yarn_values`], [`flink`] and [`flink_values`], [`route`], [`error`], `http`,
//! `yarn_client`, `flink_client`, [`memory`], `faulty`; `contract`, the suites that every implementation passes, is behind the
//! feature of its name.

#[cfg(feature = "contract")]
pub mod contract;
pub mod error;
mod faulty;
pub mod flink;
#[cfg(feature = "client")]
pub mod flink_client;
pub mod flink_values;
#[cfg(feature = "client")]
pub mod http;
pub mod memory;
pub mod route;
pub mod yarn;
#[cfg(feature = "client")]
pub mod yarn_client;
pub mod yarn_values;

pub use error::RestError;
pub use flink::FlinkApi;
#[cfg(feature = "client")]
pub use flink_client::HttpFlink;
pub use flink_values::{Exceptions, FlinkJobState, JobOverview, SavepointStatus, TriggerId};
#[cfg(feature = "client")]
pub use http::Endpoint;
pub use memory::{MemoryFlink, MemoryYarn};
pub use route::{Direct, Route};
pub use yarn::YarnApi;
#[cfg(feature = "client")]
pub use yarn_client::HttpYarn;
pub use yarn_values::{Application, ApplicationState, FinalStatus};
