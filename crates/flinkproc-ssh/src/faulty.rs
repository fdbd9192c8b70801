//! Connections and shells whose chosen calls fail: [`Connect`] and [`RemoteShell`] for [`Faulty`].

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use flinkproc_core::{Fault, Faulty};

use crate::command::RemoteCommand;
use crate::error::{Cause, ShellError};
use crate::shell::{
    ByteStream, Connect, Content, FileMode, Forward, Output, RemoteProcess, RemoteShell, SshTarget,
};

async fn suffer(
    fault: Option<Fault>,
    target: &SshTarget,
    call: impl Future<Output = Result<Arc<dyn RemoteShell>, ShellError>> + Send,
) -> Result<Arc<dyn RemoteShell>, ShellError> {
    let (host, port) = (target.host.clone(), target.port);
    match fault {
        None => call.await,
        Some(Fault::Before) => Err(ShellError::Refused { host, port }),
        Some(Fault::AnswerLost) => {
            drop(call.await);
            Err(ShellError::Handshake {
                host,
                port,
                source: injected(),
            })
        }
    }
}

/// Connecting, directly or over a stream, can be struck as `connect`: `Before` is a machine that refuses, a lost answer a handshake that breaks off.
#[async_trait]
impl<T: Connect> Connect for Faulty<T> {
    async fn connect(&self, target: &SshTarget) -> Result<Arc<dyn RemoteShell>, ShellError> {
        let call = self.inner().connect(target);
        suffer(self.strike("connect"), target, call).await
    }

    async fn connect_over(
        &self,
        target: &SshTarget,
        stream: Box<dyn ByteStream>,
    ) -> Result<Arc<dyn RemoteShell>, ShellError> {
        let call = self.inner().connect_over(target, stream);
        suffer(self.strike("connect"), target, call).await
    }
}

/// The methods `run`, `spawn`, `upload`, `download` and `forward` can be struck. After a lost answer the command has run and
/// the file is there.
#[async_trait]
impl<T: RemoteShell> RemoteShell for Faulty<T> {
    async fn run(&self, command: &RemoteCommand) -> Result<Output, ShellError> {
        match self.strike("run") {
            None => self.inner().run(command).await,
            Some(Fault::Before) => Err(not_started()),
            Some(Fault::AnswerLost) => {
                drop(self.inner().run(command).await);
                Err(outcome_unknown())
            }
        }
    }

    async fn spawn(&self, command: &RemoteCommand) -> Result<Box<dyn RemoteProcess>, ShellError> {
        match self.strike("spawn") {
            None => self.inner().spawn(command).await,
            Some(Fault::Before) => Err(not_started()),
            Some(Fault::AnswerLost) => {
                drop(self.inner().run(command).await);
                Err(outcome_unknown())
            }
        }
    }

    async fn upload(&self, content: &Content, to: &str, mode: FileMode) -> Result<(), ShellError> {
        match self.strike("upload") {
            None => self.inner().upload(content, to, mode).await,
            Some(Fault::Before) => Err(lost("an upload")),
            Some(Fault::AnswerLost) => {
                drop(self.inner().upload(content, to, mode).await);
                Err(lost("an upload"))
            }
        }
    }

    async fn download(&self, from: &str, to: &Path) -> Result<u64, ShellError> {
        match self.strike("download") {
            None => self.inner().download(from, to).await,
            Some(_) => Err(lost("a download")),
        }
    }

    async fn forward(&self, host: &str, port: u16) -> Result<Forward, ShellError> {
        match self.strike("forward") {
            None => self.inner().forward(host, port).await,
            Some(_) => Err(lost("the start of a forward")),
        }
    }
}

fn not_started() -> ShellError {
    ShellError::NotStarted { source: injected() }
}

fn outcome_unknown() -> ShellError {
    ShellError::OutcomeUnknown { source: injected() }
}

fn lost(during: &'static str) -> ShellError {
    ShellError::ConnectionLost {
        during,
        source: injected(),
    }
}

fn injected() -> Cause {
    "an injected fault".into()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use flinkproc_core::{Fault, Faulty};

    use crate::command::RemoteCommand;
    use crate::error::ShellError;
    use crate::scripted::{Answer, ScriptedConnector, ScriptedShell};
    use crate::shell::{Connect, Content, FileMode, RemoteShell, SshTarget};
    use crate::{HostKeyPolicy, Identity};

    #[tokio::test]
    async fn a_lost_answer_leaves_the_effect_and_a_fault_before_leaves_none() {
        let host = ScriptedShell::new();
        host.on_program("flink", Answer::ok());
        let shell = Faulty::new(host.clone())
            .with("run", 1, Fault::Before)
            .with("run", 2, Fault::AnswerLost)
            .with("upload", 1, Fault::AnswerLost);
        let command = RemoteCommand::new("flink");
        let first = shell.run(&command).await;
        assert!(matches!(first, Err(ShellError::NotStarted { .. })));
        assert!(host.lines().is_empty());
        let second = shell.run(&command).await;
        assert!(matches!(second, Err(ShellError::OutcomeUnknown { .. })));
        assert_eq!(host.lines(), ["flink"]);
        assert!(shell.run(&command).await.is_ok());
        let content = Content::Bytes(Bytes::from_static(b"x"));
        let upload = shell.upload(&content, "f", FileMode(0o600)).await;
        assert!(matches!(upload, Err(ShellError::ConnectionLost { .. })));
        assert!(host.find_file("f").is_some());
    }

    #[tokio::test]
    async fn a_young_machine_refuses_first() {
        let connector = Faulty::new(ScriptedConnector::default()).with("connect", 1, Fault::Before);
        let target = SshTarget {
            host: "m".to_owned(),
            port: 22,
            user: "u".to_owned(),
            identity: Identity::Agent("/nowhere".into()),
            host_keys: HostKeyPolicy::exactly(Vec::new()),
            jumps: Vec::new(),
            connect_timeout: None,
        };
        let error = connector.connect(&target).await.expect_err("refused");
        assert!(error.is_typical_of_young_machines());
        assert!(connector.connect(&target).await.is_ok());
        assert_eq!(connector.inner().targets().len(), 1);
    }
}
