//! Runs the contract suite over a real OpenSSH server, with a new connection for every single call.
#![expect(clippy::expect_used, reason = "a test's set-up fails by panicking")]

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use flinkproc_ssh::contract::TestSshd;
use flinkproc_ssh::{
    Connect, ConnectOptions, Content, EphemeralKey, FileMode, Forward, Identity, Output,
    RemoteCommand, RemoteProcess, RemoteShell, RusshConnector, ShellError, SshTarget,
};
use flinkproc_submit::contract::{self, FakeMaster, MasterShell};
use flinkproc_submit::{SshMethod, SubmissionMethod};

/// Connects anew for each call, so that whatever ran over the last connection had to outlive it.
#[derive(Debug)]
struct NewConnectionEachTime {
    connector: RusshConnector,
    target: SshTarget,
}

impl NewConnectionEachTime {
    async fn shell(&self) -> Result<Arc<dyn RemoteShell>, ShellError> {
        self.connector.connect(&self.target).await
    }
}

#[async_trait]
impl RemoteShell for NewConnectionEachTime {
    async fn run(&self, command: &RemoteCommand) -> Result<Output, ShellError> {
        self.shell().await?.run(command).await
    }

    async fn spawn(&self, command: &RemoteCommand) -> Result<Box<dyn RemoteProcess>, ShellError> {
        self.shell().await?.spawn(command).await
    }

    async fn upload(&self, content: &Content, to: &str, mode: FileMode) -> Result<(), ShellError> {
        self.shell().await?.upload(content, to, mode).await
    }

    async fn download(&self, from: &str, to: &Path) -> Result<u64, ShellError> {
        self.shell().await?.download(from, to).await
    }

    async fn forward(&self, host: &str, port: u16) -> Result<Forward, ShellError> {
        self.shell().await?.forward(host, port).await
    }
}

async fn set_up() -> (FakeMaster, TestSshd, Arc<dyn SubmissionMethod>) {
    let master = FakeMaster::start().await;
    let key = EphemeralKey::generate().expect("key");
    let sshd = TestSshd::start(&[key.public_key()], &[]).await;
    let sshd = sshd.expect("OpenSSH's server");
    let shell = NewConnectionEachTime {
        connector: RusshConnector::new(ConnectOptions::default()),
        target: sshd.target(Identity::Ephemeral(key)),
    };
    let shell = MasterShell::new(Arc::new(shell), master.environment());
    let method = Arc::new(SshMethod::new(Arc::new(shell)));
    (master, sshd, method)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_outlives_the_connection_that_started_it() {
    let (master, _sshd, method) = set_up().await;
    contract::loses_no_byte(&master, || Arc::clone(&method)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arguments_arrive() {
    let (master, _sshd, method) = set_up().await;
    contract::arguments_arrive(&master, &method).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starts_once() {
    let (master, _sshd, method) = set_up().await;
    contract::starts_once(&master, &method).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancel_reaches() {
    let (master, _sshd, method) = set_up().await;
    contract::cancel_reaches(&master, &method).await;
}
