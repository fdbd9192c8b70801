//! Whole deployments by the real binary, against services of this process: real SSH servers, a fake `flink`.
//!
//! What has to hold however a run ends: the right exit code, no cluster left, and the job started once.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]
#![expect(clippy::expect_used, reason = "a helper that fails fails its test")]
#![expect(clippy::panic, reason = "a helper that fails fails its test")]

#[path = "support/binary.rs"]
mod binary;
#[path = "support/cloud.rs"]
mod cloud;
#[path = "../crates/flinkproc-compute/tests/support/connect_proxy.rs"]
mod connect_proxy;
#[path = "scripted/crashes.rs"]
mod crashes;
#[path = "scripted/endings.rs"]
mod endings;
#[path = "scripted/failures.rs"]
mod failures;
#[path = "scripted/happy.rs"]
mod happy;
#[path = "scripted/interrupts.rs"]
mod interrupts;
#[path = "support/running.rs"]
mod running;
#[path = "support/tls_front.rs"]
mod tls_front;
#[path = "scripted/ways_in.rs"]
mod ways_in;
#[path = "scripted/weather.rs"]
mod weather;
