//! Where a machine of a cluster is, and who may enter it.
//!
//! A [`Gatekeeper`] finds a machine's addresses, lets an SSH key in until a time, takes it out again, reads the host keys that
//! the machine has published, and opens a stream to it through Identity-Aware Proxy. [`GoogleGatekeeper`] does it by Google's
//! services, [`MemoryGatekeeper`] in memory.
//!
//! A key goes in by the machine's [`Door`]: the caller's OS Login profile where OS Login is on, which also says the login name,
//! else the machine's own metadata. Either way it has an expiry, and keys of ours that have expired are taken out; in a profile
//! they are known by the comment `flinkproc`. [`Machine::way`] chooses how to get there: [`Access`] says what may be chosen from.
//!
//! It refuses to write keys into a project's metadata (they would open every machine), to write keys without an expiry, to touch
//! the keys of others, and to write any into metadata where OS Login decides who enters: there the keys are not read. It reads no
//! environment: accounts, proxies and further certificates are given.
//!
//! ```
//! use std::sync::Arc;
//!
//! use flinkproc_compute::{Access, AdmittedKey, Gatekeeper, MemoryGatekeeper, Reach};
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
//! let found = gate.find(&machine).await?.ok_or("no machine")?;
//! assert_eq!(found.way(Access::Auto)?.reach, Reach::External);
//!
//! let key = AdmittedKey {
//!     user: "deploy".to_owned(),
//!     public_key: "ssh-ed25519 AAAAC3Nza".to_owned(),
//!     expires: "2026-11-22T14:00:00Z".parse()?,
//!     door: found.door(),
//! };
//! assert_eq!(gate.admit(&machine, &key).await?, "deploy");
//! assert!(gate.entry(&machine)[0].ends_with(r#""expireOn":"2026-11-22T14:00:00+0000"}"#));
//! gate.expel(&machine, &key).await?;
//! assert!(gate.entry(&machine).is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! In reading order: [`gatekeeper`] (the trait and its values), [`address`] (which way to go), [`error`], `keys` and `profile` (the
//! texts of metadata and of OS Login), [`memory`] (the double; `Faulty<MemoryGatekeeper>` fails on demand), `contract` (the suite
//! that every implementation passes, behind the feature of that name). Behind the feature `google`: `google` and `google_calls`
//! (Compute Engine), `google_account` and `google_os_login`, and for Identity-Aware Proxy `relay_frames`, `relay_connect`, `relay`
//! and `proxy`.

pub mod address;
#[cfg(any(feature = "contract", test))]
pub mod contract;
pub mod error;
mod faulty;
pub mod gatekeeper;
#[cfg(feature = "google")]
mod google;
#[cfg(feature = "google")]
mod google_account;
#[cfg(feature = "google")]
mod google_calls;
#[cfg(feature = "google")]
mod google_os_login;
mod keys;
pub mod memory;
mod profile;
#[cfg(feature = "google")]
mod proxy;
#[cfg(feature = "google")]
mod relay;
#[cfg(feature = "google")]
mod relay_connect;
#[cfg(feature = "google")]
mod relay_frames;

pub use address::{Access, Reach, Way};
pub use error::GateError;
pub use gatekeeper::{AdmittedKey, Door, Gatekeeper, Machine, Tunnel};
#[cfg(feature = "google")]
pub use google::GoogleGatekeeper;
#[cfg(feature = "google")]
pub use google_account::Account;
pub use memory::{FarEnd, MemoryGatekeeper};
#[cfg(feature = "google")]
pub use proxy::ProxySettings;
#[cfg(feature = "google")]
pub use relay_connect::IapOptions;
