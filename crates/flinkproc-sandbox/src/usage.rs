//! What a running sandbox takes of the machine, seen from outside of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use flinkproc_core::ByteSize;

use crate::folder::CLUSTERS;
use crate::machine::{ProcessRef, family};
use crate::process::MARK;

/// What the clusters of a sandbox take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Their processes.
    pub processes: BTreeSet<ProcessRef>,
    /// Their memory; what several share is counted once.
    pub memory: ByteSize,
}

impl Usage {
    /// What the clusters below a sandbox's folder take now, and scripted machines whose files lie below `machines`.
    #[must_use]
    pub fn of(folder: &Path, machines: &Path) -> Self {
        let mut processes = naming(machines);
        let clusters = fs::read_dir(folder.join(CLUSTERS)).into_iter().flatten();
        for cluster in clusters.flatten() {
            processes.extend(family(&format!("{MARK}={}", cluster.path().display()), &[]));
        }
        let memory = processes.iter().map(|one| memory(*one).bytes()).sum();
        Self {
            processes,
            memory: ByteSize::from_bytes(memory),
        }
    }
}

/// Ends the scripted machines whose files lie below a folder, and what runs on them; answers how many processes that were.
///
/// They have no keeper, so that a killed sandbox leaves them.
pub fn end_scripted_machines(machines: &Path) -> usize {
    let found = naming(machines);
    for process in &found {
        process.kill();
    }
    found.len()
}

/// What a process holds of memory, its part of what it shares with others included; zero when it has ended.
#[must_use]
pub fn memory(process: ProcessRef) -> ByteSize {
    // Proportional where the kernel counts that; a virtual machine's shared archive would be counted again and again.
    let rollup =
        fs::read_to_string(format!("/proc/{}/smaps_rollup", process.pid)).unwrap_or_default();
    let status = || fs::read_to_string(format!("/proc/{}/status", process.pid)).unwrap_or_default();
    let kib = field(&rollup, "Pss:").or_else(|| field(&status(), "VmRSS:"));
    ByteSize::from_bytes(kib.unwrap_or_default() << 10)
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Every process that names something below a folder on its command line or in its environment, as an OpenSSH server names its
/// configuration, and what it has started names its home.
fn naming(folder: &Path) -> BTreeSet<ProcessRef> {
    let path = format!("{}/", folder.display());
    let names = |pid: &u32| {
        ["cmdline", "environ"].into_iter().any(|file| {
            let text = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            text.windows(path.len()).any(|part| part == path.as_bytes())
        })
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| *pid != std::process::id())
        .filter(names)
        .filter_map(ProcessRef::of)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use super::{Usage, field, memory};
    use crate::machine::ProcessRef;

    #[tokio::test]
    async fn what_runs_for_a_folder_is_counted_and_nothing_else() {
        let folder = tempfile::tempdir().expect("made");
        let cluster = folder.path().join("clusters/one");
        std::fs::create_dir_all(&cluster).expect("made");
        let machines = folder.path().join("machines");
        assert_eq!(Usage::of(folder.path(), &machines).processes.len(), 0);
        let script = "while :; do read -r line || exit; done";
        let start = |mark: &std::path::Path, name: &std::path::Path| {
            tokio::process::Command::new("/bin/sh")
                .args(["-c", script])
                .arg(name)
                .env("FLINKPROC_SANDBOX", mark)
                .stdin(Stdio::piped())
                .kill_on_drop(true)
                .spawn()
                .expect("starts")
        };
        let nowhere = std::path::Path::new("/nowhere");
        let marked = start(&cluster, nowhere);
        let named = start(nowhere, &machines.join("sshd_config"));
        let other = start(nowhere, nowhere);
        let pid = |child: &tokio::process::Child| child.id().expect("runs");
        let expected = [pid(&marked), pid(&named)];
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        loop {
            let usage = Usage::of(folder.path(), &machines);
            let found: Vec<u32> = usage.processes.iter().map(|one| one.pid).collect();
            if expected.iter().all(|pid| found.contains(pid)) {
                assert!(!found.contains(&pid(&other)), "{found:?}");
                assert!(usage.memory.bytes() > 0);
                break;
            }
            assert!(std::time::Instant::now() < deadline, "only {found:?}");
            tokio::task::yield_now().await;
        }
    }

    #[test]
    fn memory_of_this_process_and_of_none() {
        let own = ProcessRef::of(std::process::id()).expect("runs");
        assert!(memory(own).bytes() > 1 << 20);
        assert_eq!(field("Rss: 12 kB\nPss:   34 kB\n", "Pss:"), Some(34));
        assert_eq!(field("", "Pss:"), None);
    }
}
