//! A shell that logs in with some environment, as a login on a cluster's master does.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use flinkproc_ssh::{
    Content, FileMode, Forward, Output, RemoteCommand, RemoteProcess, RemoteShell, ShellError,
};

/// A shell whose commands all get some environment, as a login's would.
pub struct MasterShell {
    inner: Arc<dyn RemoteShell>,
    environment: BTreeMap<&'static str, String>,
}

impl MasterShell {
    /// Puts an environment around a shell.
    pub fn new(inner: Arc<dyn RemoteShell>, environment: BTreeMap<&'static str, String>) -> Self {
        Self { inner, environment }
    }

    fn dress(&self, command: &RemoteCommand) -> RemoteCommand {
        let environment = self.environment.iter();
        environment.fold(command.clone(), |command, (name, value)| {
            command.env(*name, value)
        })
    }
}

impl fmt::Debug for MasterShell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl RemoteShell for MasterShell {
    async fn run(&self, command: &RemoteCommand) -> Result<Output, ShellError> {
        self.inner.run(&self.dress(command)).await
    }

    async fn spawn(&self, command: &RemoteCommand) -> Result<Box<dyn RemoteProcess>, ShellError> {
        self.inner.spawn(&self.dress(command)).await
    }

    async fn upload(&self, content: &Content, to: &str, mode: FileMode) -> Result<(), ShellError> {
        self.inner.upload(content, to, mode).await
    }

    async fn download(&self, from: &str, to: &Path) -> Result<u64, ShellError> {
        self.inner.download(from, to).await
    }

    async fn forward(&self, host: &str, port: u16) -> Result<Forward, ShellError> {
        self.inner.forward(host, port).await
    }
}
