//! The ephemeral batch on doubles: every step failed, repeated, crashed after and interrupted.

mod crashes;
mod endings;
mod failures;
mod keys;
mod world;
