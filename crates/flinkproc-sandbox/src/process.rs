//! Starts the programs of a cluster so that none outlives the sandbox, whatever happens to it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use flinkproc_core::Clock;
use tokio::process::{Child, ChildStdin, Command};

use crate::error::SandboxError;
use crate::machine::{ProcessRef, family};

/// The variable in the environment of everything that a sandbox starts; its value is the sandbox's or cluster's own folder.
pub(crate) const MARK: &str = "FLINKPROC_SANDBOX";
const RECORD: &str = "processes";
const KEEPER: &str = include_str!("../recipes/keeper.sh");
const LOOK_AGAIN: Duration = Duration::from_millis(20);
const ROUNDS: u32 = 500;

/// The processes of one cluster, and all that they start.
///
/// Each start is recorded with its start time in the cluster's folder, so that a later sandbox can end what a killed one left. A
/// small shell, the keeper, does the same at once when this process has gone: it waits for the end of a pipe that only we hold.
#[derive(Debug)]
pub(crate) struct Processes {
    folder: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    children: Vec<Child>,
    keeper: Option<(Child, Option<ChildStdin>)>,
}

impl Processes {
    /// Watches over processes whose mark is `folder`.
    pub(crate) fn new(folder: &Path) -> Result<Self, SandboxError> {
        let processes = Self {
            folder: folder.to_owned(),
            inner: Mutex::default(),
        };
        processes.watch()?;
        Ok(processes)
    }

    /// Starts the keeper where it does not run: at first, and again after [`end`](Self::end).
    pub(crate) fn watch(&self) -> Result<(), SandboxError> {
        let mut inner = self.lock();
        if inner.keeper.is_some() {
            return Ok(());
        }
        let mut keeper = Command::new("/bin/sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(self.mark())
            .arg(self.folder.join(RECORD))
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|source| SandboxError::NotStarted {
                program: "/bin/sh".to_owned(),
                source,
            })?;
        let pipe = keeper.stdin.take();
        inner.keeper = Some((keeper, pipe));
        Ok(())
    }

    /// The environment entry that everything of this cluster carries.
    pub(crate) fn mark(&self) -> String {
        mark_of(&self.folder)
    }

    /// Starts a program with exactly these variables, its output going to `log`, and answers who it is.
    pub(crate) fn start(
        &self,
        program: &Path,
        arguments: &[String],
        variables: &[(&str, String)],
        log: &Path,
    ) -> Result<ProcessRef, SandboxError> {
        let out = File::create(log).map_err(SandboxError::file("write", log))?;
        let errors = out.try_clone().map_err(SandboxError::file("write", log))?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(&self.folder)
            .stdout(out)
            .stderr(errors);
        let (child, process) = self.spawn(command, variables)?;
        self.lock().children.push(child);
        Ok(process)
    }

    /// Starts a program with exactly these variables and no input; the caller waits for its end.
    pub(crate) fn spawn(
        &self,
        mut command: Command,
        variables: &[(&str, String)],
    ) -> Result<(Child, ProcessRef), SandboxError> {
        let program = command.as_std().get_program().display().to_string();
        let not_started = |source| SandboxError::NotStarted {
            program: program.clone(),
            source,
        };
        let child = command
            .env_clear()
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .env(MARK, &self.folder)
            .stdin(Stdio::null())
            // Ctrl-C at the terminal is for us to handle, not for YARN.
            .process_group(0)
            .spawn()
            .map_err(not_started)?;
        let process = child
            .id()
            .and_then(ProcessRef::of)
            .ok_or_else(|| not_started(std::io::ErrorKind::NotFound.into()))?;
        let record = self.folder.join(RECORD);
        File::options()
            .create(true)
            .append(true)
            .open(&record)
            .and_then(|mut file| writeln!(file, "{} {}", process.pid, process.started))
            .map_err(SandboxError::file("write", record))?;
        Ok((child, process))
    }

    /// Ends what runs now, without waiting; the keeper ends the rest.
    pub(crate) fn kill(&self) {
        for process in self.family() {
            process.kill();
        }
    }

    /// Everything that runs for this cluster.
    pub(crate) fn family(&self) -> BTreeSet<ProcessRef> {
        family_of(&self.folder)
    }

    /// Ends everything and answers when nothing runs any more.
    pub(crate) async fn end(&self, clock: &dyn Clock) -> Result<usize, SandboxError> {
        let ended = end_family(&self.folder, clock).await;
        let inner = std::mem::take(&mut *self.lock());
        for mut child in inner.children {
            // Only takes the exit status of what has ended above; its value says nothing.
            let _ = child.wait().await;
        }
        if let Some((mut keeper, pipe)) = inner.keeper {
            drop(pipe);
            let _ = keeper.wait().await;
        }
        ended
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn mark_of(folder: &Path) -> String {
    format!("{MARK}={}", folder.display())
}

fn family_of(folder: &Path) -> BTreeSet<ProcessRef> {
    let record = fs::read_to_string(folder.join(RECORD)).unwrap_or_default();
    let recorded: Vec<ProcessRef> = record
        .lines()
        .filter_map(|line| {
            let (pid, started) = line.split_once(' ')?;
            Some(ProcessRef {
                pid: pid.parse().ok()?,
                started: started.parse().ok()?,
            })
        })
        .collect();
    family(&mark_of(folder), &recorded)
}

/// Ends whatever runs for the cluster in `folder`; answers how many processes that were.
pub(crate) async fn end_family(folder: &Path, clock: &dyn Clock) -> Result<usize, SandboxError> {
    let mut ended = BTreeSet::new();
    let mut left = BTreeSet::new();
    for _ in 0..ROUNDS {
        // What was found before is asked for again: a child of a killed parent has neither its parent nor, maybe, the mark.
        left = family_of(folder);
        left.extend(
            ended
                .iter()
                .filter(|process: &&ProcessRef| process.is_alive()),
        );
        if left.is_empty() {
            return Ok(ended.len());
        }
        for process in &left {
            process.kill();
        }
        ended.extend(left.iter().copied());
        clock.sleep(LOOK_AGAIN).await;
    }
    Err(SandboxError::LeftOver {
        pids: left.iter().map(|process| process.pid).collect(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;
    use std::time::{Duration, Instant};

    use flinkproc_core::ManualClock;
    use jiff::Timestamp;

    use super::{Processes, end_family};
    use crate::machine::ProcessRef;

    /// Starts a program with a child that has left its group, as a YARN container does.
    fn start(folder: &Path) -> (Processes, BTreeSet<ProcessRef>) {
        let processes = Processes::new(folder).expect("watches");
        let script = "setsid sh -c 'sleep 600' & sleep 600";
        let arguments = ["-c".to_owned(), script.to_owned()];
        let path = [("PATH", "/usr/bin:/bin".to_owned())];
        processes
            .start(Path::new("/bin/sh"), &arguments, &path, &folder.join("log"))
            .expect("starts");
        let deadline = Instant::now() + Duration::from_secs(10);
        let sleeps = |family: &BTreeSet<ProcessRef>| {
            let name =
                |one: &ProcessRef| std::fs::read_to_string(format!("/proc/{}/comm", one.pid));
            let names = family.iter().map(|one| name(one).unwrap_or_default());
            names.filter(|name| name.trim() == "sleep").count()
        };
        loop {
            let family = processes.family();
            if sleeps(&family) == 2 {
                return (processes, family);
            }
            assert!(Instant::now() < deadline, "{family:?}");
            std::thread::yield_now();
        }
    }

    fn wait_gone(family: &BTreeSet<ProcessRef>) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while family.iter().any(|one| one.is_alive()) {
            assert!(Instant::now() < deadline, "{family:?} lives on");
            std::thread::yield_now();
        }
    }

    #[tokio::test]
    async fn ending_takes_the_whole_family_and_the_keeper() {
        let folder = tempfile::tempdir().expect("made");
        let (processes, family) = start(folder.path());
        let clock = ManualClock::eager(Timestamp::UNIX_EPOCH);
        let ended = processes.end(&clock).await.expect("ended");
        assert!(ended >= family.len());
        assert!(family.iter().all(|one| !one.is_alive()));
    }

    #[tokio::test]
    async fn what_is_only_dropped_is_ended_by_the_keeper() {
        let folder = tempfile::tempdir().expect("made");
        let (processes, family) = start(folder.path());
        drop(processes);
        wait_gone(&family);
    }

    #[tokio::test]
    async fn what_a_killed_sandbox_left_is_ended_by_the_next() {
        let folder = tempfile::tempdir().expect("made");
        let (processes, family) = start(folder.path());
        let clock = ManualClock::eager(Timestamp::UNIX_EPOCH);
        let ended = end_family(folder.path(), &clock).await.expect("ended");
        assert!(ended >= family.len());
        wait_gone(&family);
        assert_eq!(end_family(folder.path(), &clock).await.expect("none"), 0);
        drop(processes);
    }
}
