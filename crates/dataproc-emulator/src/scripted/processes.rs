//! Ends what was started on a scripted machine, and nothing else.

use std::collections::HashSet;
use std::fs;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// The variable that marks every process of a machine, by the cluster's UUID.
pub(crate) const MARK: &str = "DATAPROC_EMULATOR_MACHINE";
/// How often what is left is looked for: processes may start others while they are being ended.
const ROUNDS: usize = 20;

/// The process groups of the SSH servers of a machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Servers(Arc<Mutex<HashSet<u32>>>);

impl Servers {
    pub(crate) fn add(&self, pid: u32) {
        let mut servers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        servers.insert(pid);
    }

    pub(crate) fn remove(&self, pid: u32) {
        let mut servers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        servers.remove(&pid);
    }

    /// Kills each with its group.
    pub(crate) fn kill(&self) {
        let mut servers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for pid in servers.drain() {
            if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                // It may have ended by itself.
                kill_process_group(pid, Signal::KILL).ok();
            }
        }
    }
}

/// Kills every process whose environment carries the mark of `uuid`.
pub(crate) fn kill_marked(uuid: &str) {
    let mark = format!("{MARK}={uuid}");
    for _ in 0..ROUNDS {
        let marked = marked(mark.as_bytes());
        if marked.is_empty() {
            return;
        }
        for pid in marked {
            kill_process(pid, Signal::KILL).ok();
        }
    }
}

/// Processes with the mark that still live; a zombie has no environment any more.
fn marked(mark: &[u8]) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let environment = fs::read(entry.path().join("environ")).ok()?;
            let has = environment.split(|byte| *byte == 0).any(|v| v == mark);
            has.then(|| Pid::from_raw(pid)).flatten()
        })
        .collect()
}
