//! What the kernel knows of a sandbox's processes: which live, and where they listen.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;

use flinkproc_sandbox::machine::{ProcessRef, listeners};

/// Every process that has to do with a state directory: it names it on its command line or in its environment.
///
/// That is the binary itself, what its sandbox started, and YARN's containers, which keep their files there.
pub(crate) fn processes(state: &Path) -> BTreeSet<ProcessRef> {
    let state = state.to_str().unwrap().as_bytes();
    let entries = std::fs::read_dir("/proc").unwrap();
    let pids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &u32| {
        // Processes of others cannot be read, and some end meanwhile.
        let read = |file| std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let names = |text: Vec<u8>| text.windows(state.len()).any(|part| part == state);
        names(read("cmdline")) || names(read("environ"))
    })
    .filter_map(ProcessRef::of)
    .collect()
}

/// Where these processes listen.
pub(crate) fn listening(state: &Path) -> Vec<SocketAddr> {
    listeners(&processes(state))
}
