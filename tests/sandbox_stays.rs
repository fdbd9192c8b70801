//! Sandboxes that stay: `flinkproc sandbox up|down|status|vars|logs`, what is deployed into them, and nothing left of them.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]
#![expect(clippy::panic, reason = "a helper that fails fails its test")]

#[path = "support/binary.rs"]
mod binary;
#[path = "clients/python.rs"]
mod clients_python;
#[path = "sandbox_stays/control_plane.rs"]
mod control_plane;
#[path = "sandbox_stays/cycles.rs"]
mod cycles;
#[path = "support/kernel.rs"]
mod kernel;
#[path = "sandbox_stays/killed.rs"]
mod killed;
#[path = "support/killing.rs"]
mod killing;
#[path = "sandbox_stays/plugin.rs"]
mod plugin;
#[path = "support/real.rs"]
mod real;
#[path = "support/running.rs"]
mod running;
#[path = "sandbox_stays/standing.rs"]
mod standing;

use binary::{Home, Ran};
use killing::kill_all;

/// A home whose sandboxes are ended, however its test ends.
#[derive(Debug)]
struct Sandboxes {
    home: Home,
}

impl Sandboxes {
    fn new() -> Self {
        let mut home = Home::new("");
        home.set("FLINKPROC_ANONYMOUS", "");
        Self { home }
    }

    /// Runs `flinkproc sandbox …` to its end.
    async fn run(&self, arguments: &[&str]) -> Ran {
        self.home.run(&[&["sandbox"], arguments].concat()).await
    }

    /// The same, with its result as JSON.
    async fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let json = [arguments, &["--output", "json"]].concat();
        self.run(&json).await.ended_with(0).json()
    }

    /// Starts a control plane.
    async fn up(&self, arguments: &[&str]) -> serde_json::Value {
        self.json(&[&["up", "--control-plane-only"], arguments].concat())
            .await
    }

    /// Fails unless nothing that names this home runs.
    #[track_caller]
    fn left_nothing(&self) {
        let left = kernel::processes(&self.home.state());
        assert!(left.is_empty(), "these live on: {left:?}");
        let folder = self.home.state().join("sandbox");
        let folders = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let folders: Vec<_> = folders
            .map(|entry| entry.path())
            .filter(|path| path.is_dir())
            .collect();
        assert!(folders.is_empty(), "these are left: {folders:?}");
    }
}

impl Drop for Sandboxes {
    fn drop(&mut self) {
        kill_all(&self.home);
    }
}
