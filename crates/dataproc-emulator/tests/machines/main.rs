//! Machines over HTTP, SSH and the relay: who enters, by which way, and what a machine learns of itself.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod cloud;
mod compute;
mod entry;
mod iap;
mod metadata;
mod os_login;
mod services;
