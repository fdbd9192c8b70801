//! A whole launcher as one text, for those who can start a script on the master and no more.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flinkproc_core::{Attempt, DeploymentId};

use super::{DOOR, LaunchBundle};

const CARRIER: &str = include_str!("carrier.sh");

/// Which attempt a script is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BootstrapRun {
    /// The deployment.
    pub deployment: DeploymentId,
    /// Its attempt.
    pub attempt: Attempt,
}

impl LaunchBundle {
    /// One `bash` script (4.4 or later) that runs this attempt in the foreground.
    ///
    /// It unpacks the launcher into `$HOME/.flinkproc/<deployment>/<attempt>/`, or into a private temporary folder where
    /// there is no usable home, takes the gate in [`JobPlan::mirror`](crate::JobPlan::mirror), and becomes the launcher:
    /// what the client program says comes on its own standard output and error too, TERM, INT and its parent's death end
    /// the run, and its exit status is the launcher's. It exits with 70 when the launcher cannot be unpacked, 75 when this
    /// attempt was started before, 76 when it is fenced, and 74 when the bucket cannot be asked.
    #[must_use]
    pub fn bootstrap(&self, run: &BootstrapRun) -> String {
        carried(run, &["attend", &self.digest], &self.tar())
    }
}

/// A script that unpacks a tar through the launcher's door and hands over to it.
pub(super) fn carried(run: &BootstrapRun, action: &[&str], tar: &[u8]) -> String {
    let mut script = String::from("#!/bin/bash\n");
    let attempt = run.attempt.to_string();
    let words = [run.deployment.as_str(), &attempt];
    // Each is a word without any sign that a shell would read; base64 has none either.
    script.push_str(&format!(
        "set -- {}\n",
        words
            .iter()
            .chain(action)
            .copied()
            .collect::<Vec<_>>()
            .join(" ")
    ));
    script.push_str(&format!("door={}\n", STANDARD.encode(DOOR)));
    script.push_str("files='\n");
    let encoded = STANDARD.encode(tar);
    for line in encoded.as_bytes().chunks(120) {
        script.extend(line.iter().map(|byte| char::from(*byte)));
        script.push('\n');
    }
    script.push_str("'\n");
    script.push_str(CARRIER);
    script
}
