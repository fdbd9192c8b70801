//! What the kernel says of this machine: memory, disk, processes and their sockets.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use flinkproc_core::ByteSize;

/// A process that cannot be mistaken for a later one with the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessRef {
    /// The process id.
    pub pid: u32,
    /// When it started, in clock ticks since the machine did.
    pub started: u64,
}

impl ProcessRef {
    /// The process that has this id now.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        Stat::read(pid).map(|stat| Self {
            pid,
            started: stat.started,
        })
    }

    /// Whether it still runs; one that has ended and waits for its parent does not.
    #[must_use]
    pub fn is_alive(self) -> bool {
        Stat::read(self.pid).is_some_and(|stat| stat.started == self.started && !stat.ended)
    }

    /// Asks the group of processes that it leads to end, as a terminal would; one that has ended is no error.
    pub(crate) fn ask_group_to_end(self) {
        self.signal_group(rustix::process::Signal::TERM);
    }

    /// Ends it, the group that it leads and all its descendants at once.
    pub(crate) fn kill_group(self) {
        // Looked for first: a child of an ended parent is found no more.
        let descendants = descendants(&[self]);
        self.signal_group(rustix::process::Signal::KILL);
        for process in descendants {
            process.kill();
        }
    }

    fn signal_group(self, signal: rustix::process::Signal) {
        if self.is_alive()
            && let Some(pid) = i32::try_from(self.pid)
                .ok()
                .and_then(rustix::process::Pid::from_raw)
        {
            // Fails only when all of it has ended meanwhile.
            let _ = rustix::process::kill_process_group(pid, signal);
        }
    }

    /// Asks it to end; one that has ended is no error.
    pub(crate) fn ask_to_end(self) {
        self.signal(rustix::process::Signal::TERM);
    }

    /// Ends it at once; a process that has ended is no error.
    pub(crate) fn kill(self) {
        self.signal(rustix::process::Signal::KILL);
    }

    fn signal(self, signal: rustix::process::Signal) {
        if self.is_alive()
            && let Some(pid) = i32::try_from(self.pid)
                .ok()
                .and_then(rustix::process::Pid::from_raw)
        {
            // Only fails when it ended meanwhile or belongs to another user; whoever asks looks again.
            let _ = rustix::process::kill_process(pid, signal);
        }
    }
}

struct Stat {
    parent: u32,
    started: u64,
    ended: bool,
}

impl Stat {
    fn read(pid: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name stands in brackets and may hold anything, so count from the last bracket.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        Some(Self {
            ended: matches!(*fields.first()?, "Z" | "X"),
            parent: fields.get(1)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
        })
    }
}

/// Every process that runs now, with its parent's id.
fn processes() -> BTreeMap<ProcessRef, u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter_map(|pid| {
            let stat = Stat::read(pid)?;
            let process = ProcessRef {
                pid,
                started: stat.started,
            };
            (!stat.ended).then_some((process, stat.parent))
        })
        .collect()
}

/// Those of `roots` that run, and all their descendants.
#[must_use]
pub fn descendants(roots: &[ProcessRef]) -> BTreeSet<ProcessRef> {
    family("", roots)
}

/// Every running process that has `NAME=value` as `mark` in its environment, and all their descendants, and those of `roots`.
///
/// No process has an empty mark: what follows the last entry of an environment is none.
#[must_use]
pub fn family(mark: &str, roots: &[ProcessRef]) -> BTreeSet<ProcessRef> {
    let all = processes();
    let marked = |process: &&ProcessRef| {
        !mark.is_empty()
            && fs::read(format!("/proc/{}/environ", process.pid)).is_ok_and(|text| {
                text.split(|byte| *byte == 0)
                    .any(|one| one == mark.as_bytes())
            })
    };
    let mut found: BTreeSet<ProcessRef> = all.keys().filter(marked).copied().collect();
    found.extend(roots.iter().filter(|root| all.contains_key(root)));
    loop {
        let pids: BTreeSet<u32> = found.iter().map(|one| one.pid).collect();
        let before = found.len();
        found.extend(
            all.iter()
                .filter(|(_, parent)| pids.contains(parent))
                .map(|(one, _)| *one),
        );
        if found.len() == before {
            return found;
        }
    }
}

/// The addresses on which these processes listen for TCP connections, from the kernel's socket tables.
#[must_use]
pub fn listeners(processes: &BTreeSet<ProcessRef>) -> Vec<SocketAddr> {
    let mut inodes = BTreeSet::new();
    for process in processes {
        let entries = fs::read_dir(format!("/proc/{}/fd", process.pid));
        for entry in entries.into_iter().flatten().flatten() {
            if let Ok(target) = fs::read_link(entry.path())
                && let Some(inode) = target.to_str().and_then(socket_inode)
            {
                inodes.insert(inode);
            }
        }
    }
    let mut found = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = fs::read_to_string(table).unwrap_or_default();
        let rows = text.lines().skip(1).filter_map(listener);
        found.extend(
            rows.filter(|(_, inode)| inodes.contains(inode))
                .map(|(address, _)| address),
        );
    }
    found.sort();
    found
}

fn socket_inode(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?
        .strip_suffix(']')?
        .parse()
        .ok()
}

/// Reads one row of `/proc/net/tcp` or `tcp6`, if it is a listener's.
fn listener(row: &str) -> Option<(SocketAddr, u64)> {
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = row.split_whitespace().collect();
    let (address, port) = fields.get(1)?.split_once(':')?;
    if *fields.get(3)? != LISTEN {
        return None;
    }
    let port = u16::from_str_radix(port, 16).ok()?;
    // The kernel prints each 32-bit word as the machine sees it.
    let words: Option<Vec<[u8; 4]>> = (0..address.len() / 8)
        .map(|n| {
            let word = u32::from_str_radix(address.get(n * 8..n * 8 + 8)?, 16).ok()?;
            Some(word.to_ne_bytes())
        })
        .collect();
    let address = match words?.as_slice() {
        [word] => IpAddr::V4(Ipv4Addr::from(*word)),
        [a, b, c, d] => {
            let mut bytes = [0; 16];
            for (n, byte) in [a, b, c, d].into_iter().flatten().enumerate() {
                *bytes.get_mut(n)? = *byte;
            }
            IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical()
        }
        _ => return None,
    };
    Some((SocketAddr::new(address, port), fields.get(9)?.parse().ok()?))
}

/// Memory that new programs can have, as the kernel estimates it.
#[must_use]
pub fn available_memory() -> Option<ByteSize> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(ByteSize::from_bytes(kib << 10))
}

/// Space that this user can still fill on the disk of `folder`, or of the nearest parent that exists.
#[must_use]
pub fn free_disk(folder: &Path) -> Option<ByteSize> {
    let existing = folder.ancestors().find(|one| one.exists())?;
    let disk = rustix::fs::statvfs(existing).ok()?;
    Some(ByteSize::from_bytes(
        disk.f_bavail.saturating_mul(disk.f_frsize),
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::TcpListener;
    use std::process::Stdio;

    use super::{ProcessRef, descendants, family, listener, listeners};

    #[test]
    fn rows_of_the_socket_tables() {
        let check = |row: &str, expected: Option<&str>| {
            let address = listener(row).map(|(address, _)| address.to_string());
            assert_eq!(address.as_deref(), expected, "{row}");
        };
        check(
            "   0: 020A007F:1F98 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0",
            Some("127.0.10.2:8088"),
        );
        check(
            "   0: 020A007F:1F98 00000000:0000 01 00000000:00000000 00:00000000 00000000     0        0 4711 1 0",
            None,
        );
        check(
            "   1: 0000000000000000FFFF0000020A007F:1F56 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 7 1 0",
            Some("127.0.10.2:8022"),
        );
        check(
            "   2: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 8 1 0",
            Some("[::]:22"),
        );
        check("  sl  local_address rem_address   st", None);
    }

    #[test]
    fn an_empty_mark_is_nobodys() {
        assert_eq!(family("", &[]), BTreeSet::new());
        let own = ProcessRef::of(std::process::id()).expect("running");
        let parent = ProcessRef::of(std::os::unix::process::parent_id()).expect("running");
        let found = descendants(&[own]);
        assert!(
            found.contains(&own) && !found.contains(&parent),
            "{found:?}"
        );
    }

    #[test]
    fn a_process_is_told_where_it_listens() {
        let socket = TcpListener::bind("127.0.0.1:0").expect("free port");
        let own = ProcessRef::of(std::process::id()).expect("running");
        let found = listeners(&BTreeSet::from([own]));
        assert!(found.contains(&socket.local_addr().expect("bound")));
    }

    #[tokio::test]
    async fn a_family_is_found_by_its_mark_and_by_its_parents() {
        let mark = format!("SANDBOX_TEST_MARK={}", std::process::id());
        let (name, value) = mark.split_once('=').expect("has one");
        let mut child = tokio::process::Command::new("/bin/sh")
            .args(["-c", "env -i sleep 60 & wait"])
            .env(name, value)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("starts");
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        let name_of = |process: &ProcessRef| {
            std::fs::read_to_string(format!("/proc/{}/comm", process.pid)).unwrap_or_default()
        };
        // The shell, and the sleep that lost the mark.
        let found = loop {
            let found = family(&mark, &[]);
            if found.len() == 2 && found.iter().any(|one| name_of(one).trim() == "sleep") {
                break found;
            }
            assert!(std::time::Instant::now() < deadline, "only {found:?}");
            tokio::task::yield_now().await;
        };
        for process in &found {
            process.kill();
        }
        child.wait().await.expect("ended");
        while found.iter().any(|process| process.is_alive()) {
            assert!(std::time::Instant::now() < deadline, "lives on");
            tokio::task::yield_now().await;
        }
    }
}
