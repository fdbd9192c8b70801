//! Whole deployments by the real binary on real parts: YARN, Flink with Python functions, OpenSSH, a storage server.
//!
//! A cluster with a job needs 2 GB, so that one runs at a time. `FLINKPROC_TEST_FAST=1` leaves these tests out and says so.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]
#![expect(clippy::panic, reason = "a helper that fails fails its test")]

#[path = "support/binary.rs"]
mod binary;
#[path = "sandbox/endings.rs"]
mod endings;
#[path = "support/kernel.rs"]
mod kernel;
#[path = "support/killing.rs"]
mod killing;
#[path = "sandbox/kills.rs"]
mod kills;
#[path = "sandbox/matrix.rs"]
mod matrix;
#[path = "support/real.rs"]
mod real;
#[path = "support/running.rs"]
mod running;
#[path = "sandbox/secrets.rs"]
mod secrets;
#[path = "sandbox/shipped.rs"]
mod shipped;
#[path = "sandbox/word_count.rs"]
mod word_count;

/// Whether the long sweeps are asked for.
#[expect(
    clippy::disallowed_methods,
    reason = "the suite is chosen by the environment"
)]
fn full() -> bool {
    std::env::var("FLINKPROC_TEST_FULL").is_ok_and(|value| !value.is_empty())
}
