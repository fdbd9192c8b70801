//! The ephemeral batch on doubles: every step failed, repeated, crashed after and interrupted.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "test support: what cannot be set up fails the test"
)]

mod actions;
mod crashes;
mod driver;
mod endings;
mod environment;
mod failures;
mod keys;
mod launcher;
mod modes;
mod seeing;
mod sessions;
mod unseen;
mod unseen_launcher;
mod ways;
mod world;
