//! Bringing the logs home before the cluster goes, and looking in them for the cause of a failure.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use flinkproc_core::{Attempt, Span, YarnApplicationId};
use flinkproc_ssh::{ProcessEvent, RemoteCommand};
use tokio::fs;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use crate::cause::{Cause, find_cause};
use crate::error::RunError;
use crate::events::{EventKind, Stream};
use crate::output::{local, make_directory};
use crate::run::{Run, lock};
use crate::site::Site;

/// How long all logs together may take; a cluster costs money meanwhile.
const LIMIT: Duration = Duration::from_secs(180);
/// How long YARN may take to gather an application's logs after its end.
const GATHERING: Duration = Duration::from_secs(30);
/// How much of each saved log is searched for the cause, from its end.
const SEARCHED: u64 = 16 << 20;

impl Run {
    /// Saves everything that can be saved. Never fails: what is missing is recorded.
    pub(crate) async fn save_logs(self: &Arc<Self>) {
        let attempt = self.look(|progress| progress.runs.last().map(|run| run.attempt));
        let Some(attempt) = attempt else { return };
        let saving = async {
            if let Err(error) = self.save_output(attempt).await {
                self.ended("save the launcher's output", Err(error.to_string()));
            }
            for id in self.seen_applications() {
                if let Err(error) = self.save_application(&id).await {
                    self.ended(format!("save the logs of {id}"), Err(error.to_string()));
                }
            }
            if let Err(error) = self.save_exceptions().await {
                self.ended("save Flink's exceptions", Err(error.to_string()));
            }
        };
        tokio::select! {
            biased;
            () = saving => {}
            () = self.sleep(LIMIT) => self.ended("save the logs", Err(format!("not done within {} s", LIMIT.as_secs()))),
        }
    }

    /// The rest of the client program's output; most of it came while it was followed.
    async fn save_output(self: &Arc<Self>, attempt: Attempt) -> Result<(), RunError> {
        let mut saved = self.open_output(attempt).await?;
        let finished = self.look(|progress| progress.evidence.is_some());
        if !finished {
            loop {
                let seen = self.observe(attempt, &saved, Span::from_secs(0)).await?;
                if !self.take(&mut saved, &seen).await? {
                    break;
                }
            }
        }
        for stream in [Stream::Out, Stream::Err] {
            let path = self.output_file(attempt, stream);
            if fs::try_exists(&path).await.unwrap_or(false) {
                self.emit(EventKind::LogSaved { path });
            }
        }
        Ok(())
    }

    /// What YARN has gathered of an application: the logs of JobManager and TaskManagers.
    async fn save_application(self: &Arc<Self>, id: &YarnApplicationId) -> Result<(), RunError> {
        let path = self.logs().join(format!("{id}.log"));
        let began = self.now();
        let mut pause = Duration::from_millis(250);
        loop {
            let site = self.site().await?;
            let told = yarn_logs(&site, id, &path).await;
            match told {
                Ok(true) => break,
                // Until the logs are gathered, `yarn logs` says so and fails.
                Ok(false) if self.past(began, GATHERING) => {
                    self.ended(
                        format!("save the logs of {id}"),
                        Err("YARN has not gathered them".to_owned()),
                    );
                    break;
                }
                Err(error) if self.past(began, GATHERING) => return Err(error),
                Ok(false) => {}
                Err(RunError::Shell(error)) => self.disconnected(&error).await,
                Err(error) => return Err(error),
            }
            self.sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(3));
        }
        self.emit(EventKind::LogSaved { path });
        Ok(())
    }

    async fn save_exceptions(&self) -> Result<(), RunError> {
        let Some(text) = lock(&self.exceptions).clone() else {
            return Ok(());
        };
        make_directory(&self.logs()).await?;
        let path = self.exceptions_file();
        fs::write(&path, text)
            .await
            .map_err(local(&path, "written"))?;
        self.emit(EventKind::LogSaved { path });
        Ok(())
    }

    fn exceptions_file(&self) -> PathBuf {
        self.logs().join("flink-exceptions.txt")
    }

    /// Looks for the cause in everything that was saved, the program's own words first.
    pub(crate) async fn find_cause(&self) -> Option<Cause> {
        let attempt = self.look(|progress| progress.runs.last().map(|run| run.attempt))?;
        let mut files = vec![
            self.output_file(attempt, Stream::Err),
            self.output_file(attempt, Stream::Out),
            self.exceptions_file(),
        ];
        let applications = self.seen_applications();
        files.extend(
            applications
                .iter()
                .map(|id| self.logs().join(format!("{id}.log"))),
        );
        let mut texts = Vec::new();
        for file in files {
            if let Ok(text) = tail(&file).await {
                let name = file
                    .file_name()
                    .map(|name| name.to_string_lossy().into_owned());
                texts.push((name.unwrap_or_default(), text));
            }
        }
        let texts: Vec<(&str, &str)> = texts
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
            .collect();
        find_cause(&texts)
    }
}

/// Writes `yarn logs` of an application to a file; `false` when it failed.
async fn yarn_logs(site: &Site, id: &YarnApplicationId, path: &Path) -> Result<bool, RunError> {
    let command = RemoteCommand::new("yarn").args(["logs", "-applicationId", id.as_str()]);
    let mut process = site.shell.spawn(&command).await?;
    let mut options = fs::OpenOptions::new();
    options.create(true).write(true).truncate(true).mode(0o600);
    let mut file = options.open(path).await.map_err(local(path, "written"))?;
    let mut worked = false;
    while let Some(event) = process.next().await? {
        match event {
            ProcessEvent::Stdout(bytes) => file
                .write_all(&bytes)
                .await
                .map_err(local(path, "written"))?,
            ProcessEvent::Stderr(bytes) => {
                tracing::debug!(said = %String::from_utf8_lossy(&bytes), "yarn logs");
            }
            ProcessEvent::Exited(status) => worked = status.success(),
        }
    }
    file.flush().await.map_err(local(path, "written"))?;
    Ok(worked)
}

/// The end of a file as text.
async fn tail(path: &Path) -> std::io::Result<String> {
    let mut file = fs::File::open(path).await?;
    let length = file.metadata().await?.len();
    file.seek(std::io::SeekFrom::Start(length.saturating_sub(SEARCHED)))
        .await?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
