//! The memory of what a job runs on the master of a sandbox's cluster, looked at while it runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// What the sandbox puts into the environment of everything that it starts; the value is the cluster's folder.
const MARK: &str = "FLINKPROC_SANDBOX=";

/// Looks until it is asked for its figure.
pub(crate) struct Watch {
    ending: Sender<()>,
    looking: JoinHandle<u64>,
}

impl Watch {
    /// Looks at all processes of clusters below `folder` that do not run yet.
    pub(crate) fn start(folder: &Path) -> Self {
        let folder = folder.to_owned();
        let daemons: BTreeSet<u32> = marked(&folder).into_iter().collect();
        let (ending, ended) = channel();
        let looking = std::thread::spawn(move || {
            let mut peak = 0;
            while ended.recv_timeout(LOOK_AGAIN) == Err(RecvTimeoutError::Timeout) {
                peak = peak.max(held(&folder, &daemons));
            }
            peak
        });
        Self { ending, looking }
    }

    /// The most that they held together, in MB.
    pub(crate) fn peak(self) -> Result<f64, String> {
        drop(self.ending);
        let bytes = self.looking.join().map_err(|_| "the watch broke off")?;
        Ok(bytes as f64 / 1e6)
    }
}

/// The resident sets of the job's processes together, without those that NodeManagers run: these are the workers'.
fn held(folder: &Path, daemons: &BTreeSet<u32>) -> u64 {
    let parents = parents();
    let of_worker = |pid: u32| {
        let mut at = Some(pid);
        let up = std::iter::from_fn(|| {
            at = parents.get(&at?).copied();
            at
        });
        up.take(parents.len())
            .any(|pid| daemons.contains(&pid) && is_node_manager(pid))
    };
    let own = marked(folder).into_iter();
    own.filter(|pid| !daemons.contains(pid) && !of_worker(*pid))
        .filter_map(resident)
        .sum()
}

fn marked(folder: &Path) -> Vec<u32> {
    let start = format!("{MARK}{}", folder.display());
    let is_marked = |pid: &u32| {
        fs::read(file(*pid, "environ")).is_ok_and(|text| {
            text.split(|byte| *byte == 0)
                .any(|entry| entry.starts_with(start.as_bytes()))
        })
    };
    all().filter(is_marked).collect()
}

fn all() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn parents() -> BTreeMap<u32, u32> {
    let parent = |pid: u32| -> Option<u32> {
        let stat = fs::read_to_string(file(pid, "stat")).ok()?;
        // The name stands in brackets and may hold anything.
        stat.rsplit_once(')')?
            .1
            .split_whitespace()
            .nth(1)?
            .parse()
            .ok()
    };
    all().filter_map(|pid| Some((pid, parent(pid)?))).collect()
}

fn is_node_manager(pid: u32) -> bool {
    let line = fs::read(file(pid, "cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).contains("server.nodemanager.NodeManager")
}

fn resident(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(file(pid, "status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

fn file(pid: u32, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cargo::program;

    #[test]
    fn what_carries_the_mark_counts_while_it_runs() {
        let folder = tempfile::tempdir().expect("a folder");
        let watch = Watch::start(folder.path());
        let other = Watch::start(&folder.path().join("other"));
        let mut held = program("sh")
            .args(["-c", "read -r line"])
            .env("FLINKPROC_SANDBOX", folder.path())
            .stdin(std::process::Stdio::piped())
            .spawn()
            .expect("a shell");
        while super::held(folder.path(), &BTreeSet::new()) == 0 {}
        let pid = BTreeSet::from([held.id()]);
        assert_eq!(super::held(folder.path(), &pid), 0, "it was there before");
        // The watch has looked by the time that its next look is over.
        let (_keep, never) = channel::<()>();
        let waited = never.recv_timeout(LOOK_AGAIN * 3);
        assert_eq!(waited, Err(RecvTimeoutError::Timeout));
        drop(held.stdin.take());
        held.wait().expect("an end");
        assert!(watch.peak().expect("a figure") > 0.1);
        assert_eq!(other.peak().expect("a figure"), 0.0);
    }
}
