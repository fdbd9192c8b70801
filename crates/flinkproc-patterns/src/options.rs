//! What the caller of a deployment chooses, beside its plan.

use std::path::PathBuf;

use flinkproc_core::DeploymentId;

use crate::step::Step;

/// What the caller of a deployment chooses, beside its plan.
#[derive(Clone, Debug)]
pub struct Options {
    /// The deployment's own directory: `known_hosts`, `logs/` and `result/` come into it. Made when it is needed.
    ///
    /// Where it is named by the deployment's id, a run that is attached to by its key has its own directory beside it.
    pub directory: PathBuf,
    /// Stop after this step and leave everything as it is; [`Step::Submit`] is what `--detach` means.
    pub until: Option<Step>,
    /// The socket of the user's SSH agent, for plans that enter with the agent's key.
    pub agent: Option<PathBuf>,
    /// The user's home, for plans that follow the `.ssh/config` in it.
    pub home: Option<PathBuf>,
    /// Where Python environments that were built here are kept for later deployments; one that is not to be kept is built in
    /// [`Options::directory`] and removed once it is in the bucket.
    pub environments: Option<PathBuf>,
}

impl Options {
    /// Runs to the end, in this directory.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            until: None,
            agent: None,
            home: None,
            environments: None,
        }
    }

    /// The options for a run that is attached to in place of the planned one.
    pub(crate) fn attached(mut self, planned: &DeploymentId, run: &DeploymentId) -> Self {
        if self.directory.file_name() == Some(planned.as_str().as_ref()) {
            self.directory.set_file_name(run.as_str());
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use flinkproc_core::DeploymentId;

    use super::Options;

    #[test]
    fn an_attached_run_keeps_its_own_directory() {
        let id = |text: &str| -> DeploymentId { text.parse().expect("valid") };
        let check = |directory: &str, expected: &str| {
            let options = Options::new(directory).attached(&id("d2"), &id("d1"));
            assert_eq!(options.directory.to_str(), Some(expected));
        };
        check("/state/deployments/d2", "/state/deployments/d1");
        check("/somewhere/else", "/somewhere/else");
    }
}
