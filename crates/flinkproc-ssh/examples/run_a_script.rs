//! Brings a script to a host, runs it with awkward arguments, follows its output and fetches its result.
//!
//! `cargo run -p flinkproc-ssh --example run_a_script` does it on this machine, in a temporary folder. With a connection of
//! `RusshConnector` in the place of `LocalShell` the same function does it anywhere.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use flinkproc_ssh::{
    Content, FileMode, LocalShell, ProcessEvent, RemoteCommand, RemoteShell, quote,
};

const SCRIPT: &str =
    "set -eu\nfor word in \"$@\"; do printf '<%s>\\n' \"$word\"; done | tee 'the result'\n";

async fn bring_and_run(shell: &dyn RemoteShell) -> Result<String, Box<dyn Error>> {
    let script = Content::Bytes(SCRIPT.into());
    shell
        .upload(&script, "my script.sh", FileMode(0o600))
        .await?;

    let command = RemoteCommand::new("sh")
        .arg("my script.sh")
        .args(["it's $5", "", "*", "a\nb"]);
    println!("the host's shell reads: {}", command.line()?);

    let mut process = shell.spawn(&command).await?;
    while let Some(event) = process.next().await? {
        match event {
            ProcessEvent::Stdout(bytes) => print!("{}", String::from_utf8_lossy(&bytes)),
            ProcessEvent::Stderr(bytes) => print!("stderr: {}", String::from_utf8_lossy(&bytes)),
            ProcessEvent::Exited(status) => println!("it ended with {status}"),
        }
    }

    let result = std::env::temp_dir().join(format!("flinkproc-ssh-result-{}", std::process::id()));
    let size = shell.download("the result", &result).await?;
    std::fs::remove_file(&result)?;
    Ok(format!("fetched {} of {size} bytes", quote("the result")))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    println!("{}", bring_and_run(&LocalShell::new(folder.path())).await?);
    Ok(())
}
