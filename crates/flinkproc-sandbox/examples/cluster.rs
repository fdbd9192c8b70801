//! Makes a cluster of two workers without any API in front of it, and says how long it took to be there and to go.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use dataproc_emulator::runtime::{ClusterFacts, ClusterRuntime};
use flinkproc_core::Clock;
use flinkproc_sandbox::{Environment, Parts, ProgressSink, SandboxRuntime};
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
    let clock = Arc::new(SystemClock);
    let silent = ProgressSink::silent();
    let parts = Parts::ensure(&environment, clock.clone(), silent.clone()).await?;
    let folder = std::env::temp_dir().join(format!("flinkproc-cluster-{}", std::process::id()));
    // No storage server: this cluster gets no job.
    let storage = "http://127.0.0.1:9";
    let runtime = SandboxRuntime::new(parts, folder.clone(), &user, storage, clock, silent);
    let facts = ClusterFacts::new("sandbox", "europe-west1", "measured", "measured");
    let began = Instant::now();
    let created = runtime.create(&facts).await;
    let running = began.elapsed();
    let began = Instant::now();
    runtime.delete(&facts).await?;
    let deleted = began.elapsed();
    std::fs::remove_dir_all(folder)?;
    created?;
    println!("running_s {:.2}", running.as_secs_f64());
    println!("deleted_s {:.2}", deleted.as_secs_f64());
    Ok(())
}
