//! The SSH method: the launcher is started over our own SSH connection, which may then break.

use std::sync::Arc;

use async_trait::async_trait;
use flinkproc_core::Span;
use flinkproc_plan::JobPlan;
use flinkproc_plan::launcher::{DOOR, LaunchBundle};
use flinkproc_ssh::{Output, RemoteCommand, RemoteShell};

use crate::answer::{self, Word};
use crate::error::SubmitError;
use crate::method::{Acted, JobAction, Observation, Offsets, RunRef, SubmissionMethod};

/// Hands a job to the launcher through a shell on the master.
///
/// One round trip for each call. When the connection broke, make another method over a new connection: everything that
/// counts lies on the master, so the new one goes on where the old one stopped.
///
/// On the master it needs `bash` 4.4, `tar`, `setsid`, `flock`, `sha256sum`, `curl` or Python, `hadoop` and `flink`; to cancel, `yarn`.
#[derive(Debug, Clone)]
pub struct SshMethod {
    shell: Arc<dyn RemoteShell>,
}

impl SshMethod {
    /// The method's name.
    pub const NAME: &'static str = "ssh";

    /// Hands jobs over through this shell.
    pub fn new(shell: Arc<dyn RemoteShell>) -> Self {
        Self { shell }
    }

    /// Hands jobs over through this shell, where there is one.
    ///
    /// # Errors
    /// When there is none.
    pub fn over(shell: Option<&Arc<dyn RemoteShell>>) -> Result<Self, SubmitError> {
        let shell = shell.ok_or_else(|| SubmitError::Refused {
            action: "open",
            problem: "the method `ssh` needs a way to the master".to_owned(),
        })?;
        Ok(Self::new(Arc::clone(shell)))
    }

    async fn ask(
        &self,
        action: &'static str,
        command: RemoteCommand,
    ) -> Result<Output, SubmitError> {
        let output = self.shell.run(&command).await;
        output.map_err(|source| SubmitError::Shell { action, source })
    }

    /// Asks for something that is answered with one word.
    async fn tell(
        &self,
        run: &RunRef,
        action: &'static str,
        command: RemoteCommand,
    ) -> Result<(), SubmitError> {
        let output = self.ask(action, command).await?;
        let word = answer::word(&output)?;
        let said = answer::last_line(&output.stderr);
        tracing::debug!(
            tag = run.tag(),
            action,
            ?word,
            said,
            "the launcher answered"
        );
        match word {
            Word::Ok => Ok(()),
            Word::Fenced => Err(SubmitError::Fenced { tag: run.tag() }),
            Word::Conflict => Err(SubmitError::Conflict { tag: run.tag() }),
            Word::Refused => Err(SubmitError::Refused {
                action,
                problem: said,
            }),
        }
    }
}

/// The command that opens the launcher's door for an action.
fn door(run: &RunRef, action: &str) -> RemoteCommand {
    RemoteCommand::new("sh")
        .args(["-c", DOOR, "flinkproc"])
        .arg(run.deployment.as_str())
        .arg(run.attempt.to_string())
        .arg(action)
}

#[async_trait]
impl SubmissionMethod for SshMethod {
    fn name(&self) -> &str {
        Self::NAME
    }

    async fn submit(&self, run: &RunRef, job: &JobPlan) -> Result<(), SubmitError> {
        let bundle = LaunchBundle::new(job, &run.tag())?;
        let command = door(run, "start").arg(bundle.digest()).stdin(bundle.tar());
        self.tell(run, "start", command).await
    }

    async fn observe(
        &self,
        run: &RunRef,
        from: Offsets,
        patience: Span,
    ) -> Result<Observation, SubmitError> {
        let numbers = [from.out, from.err, patience.as_secs()];
        let command = door(run, "observe").args(numbers.map(|number| number.to_string()));
        answer::observation(&self.ask("observe", command).await?)
    }

    async fn cancel(&self, run: &RunRef) -> Result<(), SubmitError> {
        self.tell(run, "cancel", door(run, "cancel")).await
    }

    async fn fence(&self, run: &RunRef) -> Result<(), SubmitError> {
        self.tell(run, "fence", door(run, "fence")).await
    }

    async fn act(&self, run: &RunRef, action: &JobAction) -> Result<Acted, SubmitError> {
        let words = action.words()?;
        let command = door(run, "act").args(words);
        let output = self.ask("act on", command).await?;
        if let Some(acted) = answer::acted_at_the_door(&output)? {
            return Ok(acted);
        }
        let problem = answer::last_line(&output.stderr);
        // It is refused, or says something else that is no answer to an action.
        let word = answer::word(&output)?;
        tracing::debug!(tag = run.tag(), ?word, problem, "nothing was done");
        Err(SubmitError::Refused {
            action: "act on",
            problem,
        })
    }
}
