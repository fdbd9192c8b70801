//! Where a machine of a cluster is, and who may enter it.
//!
//! A [`Gatekeeper`] finds a machine's addresses, lets an SSH key in until a time, takes it out again, and reads the host keys that
//! the machine has published. [`GoogleGatekeeper`] does it by Compute Engine's instance metadata, [`MemoryGatekeeper`] in memory.
//!
//! It refuses to write keys into a project's metadata (they would open every machine), to write keys without an expiry, to touch
//! the keys of others, and to write any where OS Login decides who enters: there the keys are not read. Entering by OS Login and
//! through Identity-Aware Proxy will be further ways in; until then [`GateError::OsLoginRequired`] says what to do.
//!
//! ```
//! use std::sync::Arc;
//!
//! use flinkproc_compute::{AdmittedKey, Gatekeeper, MemoryGatekeeper, Reach};
//! use flinkproc_core::{MachineRef, ManualClock};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let clock = Arc::new(ManualClock::new("2026-11-22T12:00:00Z".parse()?));
//! let gate = MemoryGatekeeper::everywhere(clock, "192.0.2.7".parse()?);
//! let machine = MachineRef {
//!     project: "my-project".parse()?,
//!     zone: "europe-west4-a".parse()?,
//!     instance: "batch-1-m".to_owned(),
//! };
//! let key = AdmittedKey {
//!     user: "deploy".to_owned(),
//!     public_key: "ssh-ed25519 AAAAC3Nza".to_owned(),
//!     expires: "2026-11-22T14:00:00Z".parse()?,
//! };
//!
//! let found = gate.find(&machine).await?.ok_or("no machine")?;
//! assert_eq!(found.address(Reach::External)?.to_string(), "192.0.2.7");
//! gate.admit(&machine, &key).await?;
//! assert!(gate.entry(&machine)[0].ends_with(r#""expireOn":"2026-11-22T14:00:00+0000"}"#));
//! gate.expel(&machine, &key).await?;
//! assert!(gate.entry(&machine).is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! In reading order: [`gatekeeper`] (the trait and its values), [`address`] (which address to connect to), [`error`], [`memory`]
//! (the double; `Faulty<MemoryGatekeeper>` fails on demand), `contract` (the suite that every implementation passes, behind the
//! feature of that name), and Google's client behind the feature `google`.

pub mod address;
#[cfg(any(feature = "contract", test))]
pub mod contract;
pub mod error;
mod faulty;
pub mod gatekeeper;
#[cfg(feature = "google")]
mod google;
#[cfg(feature = "google")]
mod google_calls;
mod keys;
pub mod memory;

pub use address::Reach;
pub use error::GateError;
pub use gatekeeper::{AdmittedKey, Gatekeeper, Machine};
#[cfg(feature = "google")]
pub use google::GoogleGatekeeper;
pub use memory::MemoryGatekeeper;
