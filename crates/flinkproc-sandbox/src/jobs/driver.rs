//! A job's driver: started, read while it prints, ended when that is wished.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use dataproc_emulator::runtime::DriverOutput;
use flinkproc_core::Clock;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::process::Child;
use tokio::sync::watch;

use crate::error::SandboxError;
use crate::machine::ProcessRef;
use crate::process::Processes;

/// The exit status of what ended at a wish before it began: that of a program that SIGTERM ends.
pub(super) const TERMINATED: i32 = 128 + 15;
/// How long a driver may take to end after it was asked to: time for a launcher to end Flink and to say so.
const GRACE: Duration = Duration::from_secs(30);
/// What a driver leaves running may hold its output open; so long it is still listened to.
const LAST_WORDS: Duration = Duration::from_millis(300);
const PIECE: usize = 64 << 10;

/// A program with all it needs.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
    pub(super) variables: Vec<(&'static str, String)>,
    pub(super) folder: PathBuf,
}

/// What runs a driver.
pub(super) struct Driver<'a> {
    pub(super) processes: &'a Processes,
    pub(super) clock: &'a dyn Clock,
    pub(super) cancelled: watch::Receiver<bool>,
}

/// Waits until somebody wishes the job's end.
pub(super) async fn wish(mut cancelled: watch::Receiver<bool>) {
    if cancelled.wait_for(|wished| *wished).await.is_err() {
        std::future::pending::<()>().await;
    }
}

impl Driver<'_> {
    /// Runs the program to its end and answers its exit status; 128 and the signal's number when one ended it.
    pub(super) async fn run(
        &self,
        command: Command,
        output: &DriverOutput,
    ) -> Result<i32, SandboxError> {
        let name = command.program.display().to_string();
        let not_started = |source| SandboxError::NotStarted {
            program: name.clone(),
            source,
        };
        let (reader, writer) = std::io::pipe().map_err(not_started)?;
        let errors = writer.try_clone().map_err(not_started)?;
        let mut reader = Receiver::from_owned_fd(OwnedFd::from(reader)).map_err(not_started)?;
        let mut program = tokio::process::Command::new(&command.program);
        program
            .args(&command.arguments)
            .current_dir(&command.folder)
            .stdout(writer)
            .stderr(errors)
            .kill_on_drop(true);
        let (mut child, process) = self.processes.spawn(program, &command.variables)?;
        let mut guard = Guard(Some(process));
        let ending = async {
            wish(self.cancelled.clone()).await;
            process.ask_group_to_end();
            self.clock.sleep(GRACE).await;
            process.kill_group();
            std::future::pending::<()>().await;
        };
        let status = tokio::select! {
            status = self.follow(&mut child, &mut reader, output) => status,
            () = ending => Err(std::io::ErrorKind::Interrupted.into()),
        };
        guard.0 = None;
        let status = status.map_err(not_started)?;
        Ok(exit_status(status))
    }

    async fn follow(
        &self,
        child: &mut Child,
        reader: &mut Receiver,
        output: &DriverOutput,
    ) -> std::io::Result<ExitStatus> {
        let mut piece = vec![0; PIECE];
        let status = loop {
            tokio::select! {
                read = reader.read(&mut piece) => match read? {
                    0 => return child.wait().await,
                    count => hand_on(&piece, count, output).await,
                },
                status = child.wait() => break status?,
            }
        };
        loop {
            tokio::select! {
                biased;
                read = reader.read(&mut piece) => match read? {
                    0 => return Ok(status),
                    count => hand_on(&piece, count, output).await,
                },
                () = self.clock.sleep(LAST_WORDS) => return Ok(status),
            }
        }
    }
}

async fn hand_on(piece: &[u8], count: usize, output: &DriverOutput) {
    let piece = piece.get(..count).unwrap_or_default();
    output.write(piece.to_vec()).await;
}

fn exit_status(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    let signal = || status.signal().map_or(-1, |number| 128 + number);
    status.code().unwrap_or_else(signal)
}

/// Ends a driver and its descendants when the run is dropped.
struct Guard(Option<ProcessRef>);

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(process) = self.0 {
            process.kill_group();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::path::Path;
    use std::time::{Duration, Instant};

    use async_trait::async_trait;
    use dataproc_emulator::runtime::DriverOutput;
    use flinkproc_core::Clock;
    use jiff::Timestamp;
    use tokio::sync::{mpsc, watch};

    use super::{Command, Driver};
    use crate::process::Processes;

    #[derive(Debug)]
    struct RealTime;

    #[async_trait]
    impl Clock for RealTime {
        #[expect(clippy::disallowed_methods, reason = "real programs keep real time")]
        fn now(&self) -> Timestamp {
            Timestamp::now()
        }

        #[expect(clippy::disallowed_methods, reason = "real programs keep real time")]
        async fn sleep(&self, span: Duration) {
            tokio::time::sleep(span).await;
        }
    }

    fn shell(folder: &Path, script: &str) -> Command {
        Command {
            program: "/bin/sh".into(),
            arguments: vec![OsString::from("-c"), script.into()],
            variables: vec![("PATH", "/usr/bin:/bin".to_owned())],
            folder: folder.to_owned(),
        }
    }

    async fn text(mut pieces: mpsc::Receiver<bytes::Bytes>) -> String {
        let mut all = Vec::new();
        while let Some(piece) = pieces.recv().await {
            all.extend_from_slice(&piece);
        }
        String::from_utf8(all).expect("text")
    }

    async fn check(script: &str, expected: &str, status: i32) {
        let folder = tempfile::tempdir().expect("made");
        let processes = Processes::new(folder.path()).expect("watches");
        let (_sender, cancelled) = watch::channel(false);
        let driver = Driver {
            processes: &processes,
            clock: &RealTime,
            cancelled,
        };
        let (output, pieces) = DriverOutput::channel(8);
        let run = driver.run(shell(folder.path(), script), &output).await;
        assert_eq!(run.expect("ran"), status);
        drop(output);
        assert_eq!(text(pieces).await, expected);
        processes.end(&RealTime).await.expect("ended");
    }

    #[tokio::test]
    async fn both_outputs_come_in_order_with_the_exit_status() {
        check(
            "echo out; echo err >&2; echo more; exit 7",
            "out\nerr\nmore\n",
            7,
        )
        .await;
        check("kill -KILL $$", "", 137).await;
        // What the driver leaves behind holds the output open, and is not waited for.
        let began = Instant::now();
        check("sleep 600 & echo left", "left\n", 0).await;
        assert!(began.elapsed() < Duration::from_secs(60));
    }

    #[tokio::test]
    async fn a_cancelled_driver_is_asked_first() {
        let folder = tempfile::tempdir().expect("made");
        let processes = Processes::new(folder.path()).expect("watches");
        let (sender, cancelled) = watch::channel(false);
        let driver = Driver {
            processes: &processes,
            clock: &RealTime,
            cancelled,
        };
        let (output, mut pieces) = DriverOutput::channel(8);
        let script = "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.05; done";
        let run = driver.run(shell(folder.path(), script), &output);
        let cancel = async {
            let first = pieces.recv().await.expect("says something");
            assert_eq!(&first[..], b"up\n");
            sender.send_replace(true);
            // The shell may tell of its ended child before.
            let mut last = String::new();
            while !last.ends_with("bye\n") {
                let piece = pieces.recv().await.expect("says more");
                last.push_str(&String::from_utf8_lossy(&piece));
            }
        };
        let (status, ()) = tokio::join!(run, cancel);
        assert_eq!(status.expect("ran"), 3);
        processes.end(&RealTime).await.expect("ended");
    }

    #[tokio::test]
    async fn a_dropped_run_ends_the_driver_and_its_children() {
        let folder = tempfile::tempdir().expect("made");
        let processes = Processes::new(folder.path()).expect("watches");
        let (_sender, cancelled) = watch::channel(false);
        let driver = Driver {
            processes: &processes,
            clock: &RealTime,
            cancelled,
        };
        let (output, mut pieces) = DriverOutput::channel(8);
        let script = "setsid sleep 600 & echo up; wait";
        let mut run = Box::pin(driver.run(shell(folder.path(), script), &output));
        tokio::select! {
            status = &mut run => panic!("ended: {status:?}"),
            _ = pieces.recv() => {}
        }
        let family = processes.family();
        drop(run);
        assert!(!family.is_empty());
        let deadline = Instant::now() + Duration::from_secs(20);
        while family.iter().any(|one| one.is_alive()) {
            assert!(Instant::now() < deadline, "{family:?} lives on");
            tokio::task::yield_now().await;
        }
        processes.end(&RealTime).await.expect("ended");
    }
}
