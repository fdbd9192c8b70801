//! The emulators as clients that are not ours see them — gcloud and Google's Python libraries — and what our own clients
//! send, held against Google's own message definitions.
//!
//! Every call of these suites passes a recorder; each body and each answer is then parsed strictly with the protobufs of
//! Google's packages, so that neither side can invent a field. The packages are installed once, into the user's cache. A
//! machine without Python or without gcloud leaves out what needs it, and says so; so does `FLINKPROC_TEST_FAST=1`.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]
#![expect(clippy::panic, reason = "a helper that fails fails its test")]

#[expect(dead_code, reason = "what it offers is shared with other suites")]
#[path = "support/binary.rs"]
mod binary;
#[expect(dead_code, reason = "what it offers is shared with other suites")]
#[path = "support/cloud.rs"]
mod cloud;
#[path = "clients/contracts.rs"]
mod contracts;
#[path = "clients/deployments.rs"]
mod deployments;
#[path = "clients/gcloud.rs"]
mod gcloud;
#[path = "clients/ground.rs"]
mod ground;
#[expect(dead_code, reason = "what it offers is shared with other suites")]
#[path = "support/kernel.rs"]
mod kernel;
#[path = "clients/libraries.rs"]
mod libraries;
#[path = "clients/python.rs"]
mod python;
#[expect(dead_code, reason = "what it offers is shared with other suites")]
#[path = "support/real.rs"]
mod real;
#[path = "clients/real_jobs.rs"]
mod real_jobs;
#[path = "clients/recorder.rs"]
mod recorder;
#[expect(dead_code, reason = "what it offers is shared with other suites")]
#[path = "support/running.rs"]
mod running;
