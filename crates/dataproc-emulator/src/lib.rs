//! The Dataproc API, and what else a deployment calls, on one machine.

mod admin;
mod clock;
mod clusters;
mod compute;
mod emulator;
mod failure;
mod faults;
mod filter;
mod lifecycle;
mod listing;
mod machines;
mod operations;
mod resource;
mod routes;
pub mod runtime;
mod schema;
mod server;
mod service;
mod timers;
mod update;

pub use emulator::{Emulator, EmulatorOptions, StartError};
pub use faults::{FaultEffect, FaultRule, Faults};
pub use runtime::{
    ClusterFacts, ClusterRuntime, JobEnd, JobFacts, Machine, Machines, MetadataKey, RuntimeError,
};
