//! Sandboxes as this program has them: one that ends with it, and those that stay.

pub(crate) mod api;
pub(crate) mod passing;
pub(crate) mod record;
pub(crate) mod serving;
pub(crate) mod shelf;
pub(crate) mod teller;

use flinkproc_plan::SandboxFacts;
use flinkproc_sandbox::{Environment as SandboxEnvironment, ssh_port};

use crate::environment::Environment;

pub(crate) use passing::PassingSandbox;
pub(crate) use record::{Kind, Record};
pub(crate) use shelf::Shelf;

/// The sandbox that is meant where none is named.
pub(crate) const DEFAULT: &str = "default";
/// The project, region and zone of a sandbox where nothing else names them; a plan takes the same.
pub(crate) const PROJECT: &str = "flinkproc-sandbox";
pub(crate) const REGION: &str = "local-sandbox1";
pub(crate) const ZONE: &str = "local-sandbox1-a";
/// The bucket of a sandbox where a spec names none; a plan takes the same.
pub(crate) const BUCKET: &str = "flinkproc-sandbox";

/// Whose the calls into a sandbox are.
pub(crate) const ACCOUNT: &str = "sandbox@flinkproc-sandbox.iam.gserviceaccount.com";

/// What a plan has to know of the sandbox before it runs.
pub(crate) fn facts() -> SandboxFacts {
    SandboxFacts {
        image: None,
        ssh_port: ssh_port(),
    }
}

fn environment(environment: &Environment) -> SandboxEnvironment {
    let user = environment.login_user();
    let path = environment.path("PATH").unwrap_or_default();
    let mut found = SandboxEnvironment::new(path, &environment.home(), &user, &environment.cache());
    found.java_home = environment.path("JAVA_HOME");
    found.python = environment.path("FLINKPROC_PYTHON");
    found
}
