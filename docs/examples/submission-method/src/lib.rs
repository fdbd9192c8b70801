//! A submission method of one's own, in a crate outside flinkproc's workspace: `docs/extending.md` walks through it.
//!
//! [`ExecMethod`] reaches the master by a command that runs a shell there and passes standard input and output through, such
//! as `docker exec -i master`, `kubectl exec -i master --`, or `gcloud compute ssh my-cluster-m --command`.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use flinkproc_core::Span;
use flinkproc_plan::JobPlan;
use flinkproc_ssh::{
    Content, FileMode, Forward, LocalShell, Output, RemoteCommand, RemoteProcess, RemoteShell,
    ShellError,
};
use flinkproc_submit::{
    Acted, JobAction, Observation, Offsets, RunRef, SshMethod, SubmissionMethod, SubmitError,
};

/// A shell on the master behind a command of this machine.
#[derive(Clone, Debug)]
pub struct ExecShell {
    here: LocalShell,
    command: Vec<String>,
}

impl ExecShell {
    /// Runs what is to run on the master by this command, which gets `sh -c LINE` as its last arguments.
    pub fn new<S: Into<String>>(command: impl IntoIterator<Item = S>) -> Self {
        Self {
            here: LocalShell::new("/"),
            command: command.into_iter().map(Into::into).collect(),
        }
    }

    /// The command of this machine. Quoting is done by `RemoteCommand`, on both sides.
    fn wrap(&self, command: &RemoteCommand) -> Result<RemoteCommand, ShellError> {
        let line = command.line()?;
        let mut words = self.command.iter().cloned();
        let program = words.next().unwrap_or_default();
        Ok(RemoteCommand::new(program)
            .args(words)
            .args(["sh".to_owned(), "-c".to_owned(), line])
            .stdin(command.input().clone()))
    }
}

fn never(what: &'static str) -> ShellError {
    ShellError::NotStarted {
        source: format!("this way to the master carries no {what}").into(),
    }
}

#[async_trait]
impl RemoteShell for ExecShell {
    async fn run(&self, command: &RemoteCommand) -> Result<Output, ShellError> {
        self.here.run(&self.wrap(command)?).await
    }

    async fn spawn(&self, command: &RemoteCommand) -> Result<Box<dyn RemoteProcess>, ShellError> {
        self.here.spawn(&self.wrap(command)?).await
    }

    async fn upload(&self, _: &Content, _: &str, _: FileMode) -> Result<(), ShellError> {
        Err(never("files"))
    }

    async fn download(&self, _: &str, _: &Path) -> Result<u64, ShellError> {
        Err(never("files"))
    }

    async fn forward(&self, _: &str, _: u16) -> Result<Forward, ShellError> {
        Err(never("connections"))
    }
}

/// Hands jobs to the launcher by a command that runs a shell on the master.
#[derive(Clone, Debug)]
pub struct ExecMethod {
    door: SshMethod,
}

impl ExecMethod {
    /// The method's name in specs.
    pub const NAME: &'static str = "exec";

    /// Hands jobs over by this command.
    pub fn new<S: Into<String>>(command: impl IntoIterator<Item = S>) -> Self {
        Self {
            door: SshMethod::new(Arc::new(ExecShell::new(command))),
        }
    }
}

/// The launcher and its door do the work, whoever brings the words.
#[async_trait]
impl SubmissionMethod for ExecMethod {
    fn name(&self) -> &str {
        Self::NAME
    }

    async fn submit(&self, run: &RunRef, job: &JobPlan) -> Result<(), SubmitError> {
        self.door.submit(run, job).await
    }

    async fn observe(
        &self,
        run: &RunRef,
        from: Offsets,
        patience: Span,
    ) -> Result<Observation, SubmitError> {
        self.door.observe(run, from, patience).await
    }

    async fn cancel(&self, run: &RunRef) -> Result<(), SubmitError> {
        self.door.cancel(run).await
    }

    async fn fence(&self, run: &RunRef) -> Result<(), SubmitError> {
        self.door.fence(run).await
    }

    async fn act(&self, run: &RunRef, action: &JobAction) -> Result<Acted, SubmitError> {
        self.door.act(run, action).await
    }
}
