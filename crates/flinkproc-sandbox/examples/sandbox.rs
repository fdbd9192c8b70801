//! Starts a sandbox, says where its servers are, and ends it when its input ends.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flinkproc_core::Clock;
use flinkproc_sandbox::{Environment, ProgressSink, Sandbox, SandboxOptions};
use jiff::Timestamp;

/// The system's clock, which a library takes and a program makes.
#[derive(Debug)]
struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "a program owns the clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    #[expect(clippy::disallowed_methods, reason = "a program owns the clock")]
    async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}

#[tokio::main]
#[expect(clippy::disallowed_methods, reason = "a program reads the environment")]
#[expect(clippy::print_stdout, reason = "a program prints")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let home = PathBuf::from(std::env::var("HOME")?);
    let user = std::env::var("USER").unwrap_or_else(|_| "root".to_owned());
    let cache = home.join(".cache/flinkproc");
    let mut environment = Environment::new(std::env::var("PATH")?, &home, &user, &cache);
    environment.java_home = std::env::var_os("JAVA_HOME").map(PathBuf::from);
    environment.python = std::env::var_os("FLINKPROC_PYTHON").map(PathBuf::from);
    let state = home.join(".local/state/flinkproc");
    let mut options = SandboxOptions::new(environment, &state, Arc::new(SystemClock));
    options.progress = ProgressSink::new(|one| println!("{one:?}"));
    let sandbox = Sandbox::start(options).await?;
    println!("Dataproc and Compute Engine: {}", sandbox.dataproc_url());
    println!("Cloud Storage: {}", sandbox.storage_url());
    println!(
        "SSH: port {}, as {}",
        sandbox.ssh_port(),
        sandbox.login_user()
    );
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()))
        .await??;
    sandbox.stop().await?;
    Ok(())
}
