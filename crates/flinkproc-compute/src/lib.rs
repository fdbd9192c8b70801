//! Where a machine of a cluster is, and who may enter it.

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
