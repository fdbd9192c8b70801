//! Fetches the parts of the sandbox into the user's cache and says where they lie.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flinkproc_core::Clock;
use flinkproc_sandbox::parts::Parts;
use flinkproc_sandbox::prerequisites::Environment;
use flinkproc_sandbox::progress::ProgressSink;
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
    let cache = home.join(".cache/flinkproc");
    let environment = Environment::new(std::env::var("PATH")?, &home, "", &cache);
    let progress = ProgressSink::new(|one| println!("{one:?}"));
    let parts = Parts::ensure(&environment, Arc::new(SystemClock), progress).await?;
    println!(
        "{} jars, {}",
        parts.yarn_jars.len(),
        parts.flink_home.display()
    );
    Ok(())
}
