//! Where a machine of a cluster is, and who may enter it.

pub mod address;
pub mod error;
mod faulty;
pub mod gatekeeper;
mod keys;
pub mod memory;

pub use address::Reach;
pub use error::GateError;
pub use gatekeeper::{AdmittedKey, Gatekeeper, Machine};
pub use memory::MemoryGatekeeper;
