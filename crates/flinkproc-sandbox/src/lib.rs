//! A Dataproc on this machine with real YARN, Flink and OpenSSH.

pub mod address;
mod cache;
mod cluster;
pub mod error;
mod flink;
mod layout;
pub mod machine;
pub mod parts;
pub mod prerequisites;
mod process;
pub mod progress;
pub mod runtime;
pub mod sandbox;
mod sshd;
mod xml;
mod yarn;
