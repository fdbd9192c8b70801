//! The suite that every submission method passes.
