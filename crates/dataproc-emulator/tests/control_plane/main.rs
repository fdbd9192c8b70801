//! The control plane over HTTP: clusters, policies, templates, and what is sent to it in error.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod api;
mod bad_input;
mod cluster_rules;
mod clusters;
mod policies;
mod templates;
mod web_pages;
