//! Hands a small program to a "cluster" in a temporary directory of this machine, and follows it to its end.
//!
//! Run it with `cargo run -p flinkproc-submit --features contract --example submit_here`.

use std::error::Error;
use std::io::Write;

use flinkproc_core::{Attempt, Span};
use flinkproc_submit::contract::FakeMaster;
use flinkproc_submit::{Offsets, RunRef, RunState, SshMethod, SubmissionMethod};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let master = FakeMaster::start().await;
    let job = master.stage("import sys; print('hello', sys.argv[1])", &["it's $5"]);
    let run = RunRef {
        deployment: "example".parse()?,
        attempt: Attempt::FIRST,
    };
    // Over a real SSH connection the shell comes from `flinkproc_ssh::RusshConnector`.
    let method = SshMethod::new(master.local_shell());
    method.submit(&run, &job).await?;
    let mut from = Offsets::default();
    loop {
        let seen = method.observe(&run, from, Span::from_secs(5)).await?;
        from.out += seen.out.len() as u64;
        from.err += seen.err.len() as u64;
        std::io::stdout().write_all(&seen.out)?;
        std::io::stderr().write_all(&seen.err)?;
        match seen.state {
            RunState::Ended(exit) if seen.out.is_empty() && seen.err.is_empty() => {
                writeln!(std::io::stdout(), "ended with status {}", exit.status)?;
                return Ok(());
            }
            RunState::Running | RunState::Ended(_) => {}
            state => return Err(format!("unexpected state {state:?}").into()),
        }
    }
}
