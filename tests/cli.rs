//! The command line by itself: no service, no network, no account; every wrong word is refused before anything is made.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]
#![expect(clippy::panic, reason = "a helper that fails fails its test")]

#[path = "cli/bad_input.rs"]
mod bad_input;
#[path = "support/binary.rs"]
mod binary;
#[path = "cli/check.rs"]
mod check;
#[path = "cli/credentials.rs"]
mod credentials;
#[path = "cli/init.rs"]
mod init;
#[path = "cli/layers.rs"]
mod layers;
#[path = "cli/plans.rs"]
mod plans;
#[path = "cli/talk.rs"]
mod talk;
#[path = "support/witness.rs"]
mod witness;

use binary::Home;
use witness::Witness;

/// A spec to which nothing is wrong.
const SPEC: &str = r#"
[job]
script = "job.py"

[cluster]
project = "my-project"
region = "europe-west1"
image = "2.0"

[staging]
bucket = "my-bucket"
"#;

/// A home with a sound spec, and the witness of calls.
fn sound() -> (Home, Witness) {
    let witness = Witness::new();
    let home = Home::new(&witness.url());
    home.write("flinkproc.toml", SPEC);
    home.write("job.py", "print(1)\n");
    (home, witness)
}
