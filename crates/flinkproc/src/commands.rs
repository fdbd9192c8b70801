//! The verbs, one file each.

pub(crate) mod check;
pub(crate) mod cluster;
pub(crate) mod deploy;
pub(crate) mod down;
pub(crate) mod generate;
pub(crate) mod init;
pub(crate) mod job;
pub(crate) mod logs;
pub(crate) mod plan;
pub(crate) mod sandbox;
pub(crate) mod session;
pub(crate) mod status;
