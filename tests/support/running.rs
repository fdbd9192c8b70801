//! A run of the binary that is watched while it goes on, and gets signals.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Child;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::binary::{Home, PATIENCE, Ran};

/// The binary while it runs; it is killed with this handle.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    out: JoinHandle<()>,
    err: JoinHandle<()>,
    said: watch::Receiver<String>,
    told: watch::Receiver<String>,
}

impl Running {
    /// Starts the binary.
    pub(crate) fn start(home: &Home, arguments: &[&str]) -> Self {
        let mut child = home
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (out, said) = collect(child.stdout.take().unwrap());
        let (err, told) = collect(child.stderr.take().unwrap());
        Self {
            child,
            out,
            err,
            said,
            told,
        }
    }

    /// Waits until standard error holds a text; fails when the run ends without it.
    pub(crate) async fn tells(&self, text: &str) -> String {
        let mut told = self.told.clone();
        let waiting = told.wait_for(|told| told.contains(text));
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(Ok(told)) => told.clone(),
            _ => panic!("{text:?} never came; told was\n{}", *self.told.borrow()),
        }
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// Waits for the end.
    pub(crate) async fn end(mut self) -> Ran {
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let status = status.unwrap_or_else(|_| panic!("it hangs:\n{}", *self.told.borrow()));
        self.out.await.unwrap();
        self.err.await.unwrap();
        Ran {
            code: status.unwrap().code(),
            out: self.said.borrow().clone(),
            err: self.told.borrow().clone(),
        }
    }
}

fn collect(
    mut stream: impl AsyncRead + Unpin + Send + 'static,
) -> (JoinHandle<()>, watch::Receiver<String>) {
    let (sender, receiver) = watch::channel(String::new());
    let task = tokio::spawn(async move {
        let (mut bytes, mut piece) = (Vec::new(), vec![0; 8192]);
        while let Ok(read @ 1..) = stream.read(&mut piece).await {
            bytes.extend_from_slice(&piece[..read]);
            sender.send_replace(String::from_utf8_lossy(&bytes).into_owned());
        }
    });
    (task, receiver)
}
