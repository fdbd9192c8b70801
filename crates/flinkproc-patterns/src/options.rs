//! What the caller of a deployment chooses, beside its plan.

use std::path::PathBuf;

use crate::step::Step;

/// What the caller of a deployment chooses, beside its plan.
#[derive(Clone, Debug)]
pub struct Options {
    /// The deployment's own directory: `known_hosts`, `logs/` and `result/` come into it. Made when it is needed.
    pub directory: PathBuf,
    /// Stop after this step and leave everything as it is; [`Step::Submit`] is what `--detach` means.
    pub until: Option<Step>,
    /// The socket of the user's SSH agent, for plans that enter with the agent's key.
    pub agent: Option<PathBuf>,
}

impl Options {
    /// Runs to the end, in this directory.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            until: None,
            agent: None,
        }
    }
}
