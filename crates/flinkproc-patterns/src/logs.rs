//! Bringing the logs home before the cluster goes, and looking in them for the cause of a failure.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use flinkproc_core::{Attempt, Span, YarnApplicationId};
use flinkproc_ssh::{ProcessEvent, RemoteCommand};
use flinkproc_staging::ObjectMeta;
use tokio::fs;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use crate::cause::{Cause, find_cause};
use crate::error::RunError;
use crate::events::{EventKind, Stream};
use crate::output::{local, make_directory};
use crate::run::{Run, lock, passing};
use crate::site::Master;

/// How long all logs together may take; a cluster costs money meanwhile.
const LIMIT: Duration = Duration::from_secs(180);
/// How long YARN may take to gather an application's logs after its end.
const GATHERING: Duration = Duration::from_secs(30);
/// How much of a log is fetched from the bucket at once.
const PIECE: u64 = 8 << 20;
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
            let brought = match self.save_mirrored(attempt).await {
                Ok(brought) => brought,
                Err(error) => {
                    let what = "save the logs that the launcher brought to the bucket";
                    self.ended(what, Err(error.to_string()));
                    Vec::new()
                }
            };
            for id in self.seen_applications() {
                if brought.contains(&format!("{id}.log")) {
                    continue;
                }
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

    /// The logs that the launcher brought to the bucket, by their names; it runs as another user there, whose logs YARN gives to
    /// nobody else.
    async fn save_mirrored(self: &Arc<Self>, attempt: Attempt) -> Result<Vec<String>, RunError> {
        if self.plan.job.mirror.is_none() {
            return Ok(Vec::new());
        }
        let folder = self.mirror(attempt, "logs/")?;
        let staging = &self.clients.staging;
        let objects = self
            .retrying("listing the logs", passing, || staging.list(&folder))
            .await?;
        make_directory(&self.logs()).await?;
        let mut brought = Vec::new();
        for object in objects {
            let name = object.uri.object().rsplit('/').next().unwrap_or_default();
            if name.is_empty() || matches!(name, "." | "..") {
                continue;
            }
            let path = self.logs().join(name);
            self.fetch_log(&object, &path).await?;
            brought.push(name.to_owned());
            self.emit(EventKind::LogSaved { path });
        }
        Ok(brought)
    }

    async fn fetch_log(&self, object: &ObjectMeta, path: &Path) -> Result<(), RunError> {
        let staging = &self.clients.staging;
        let mut file = create(path).await?;
        let mut at = 0;
        while at < object.size {
            let read = || staging.read_range(&object.uri, at, PIECE);
            let bytes = self.retrying("fetching the logs", passing, read).await?;
            if bytes.is_empty() {
                break;
            }
            at += bytes.len() as u64;
            file.write_all(&bytes)
                .await
                .map_err(local(path, "written"))?;
        }
        file.flush().await.map_err(local(path, "written"))
    }

    /// What YARN has gathered of an application: the logs of JobManager and TaskManagers. Those of a session that lives on are
    /// gathered when it ends, so that not all of them may be there.
    async fn save_application(self: &Arc<Self>, id: &YarnApplicationId) -> Result<(), RunError> {
        let path = self.logs().join(format!("{id}.log"));
        let site = self.site().await?;
        if site.master.is_none() {
            // Nobody but the launcher could, and it has not.
            self.ended(
                format!("save the logs of {id}"),
                Err(
                    "the launcher brought none to the bucket, and nobody enters the master"
                        .to_owned(),
                ),
            );
            return Ok(());
        }
        let patience = match self.is_session() {
            true => Duration::from_secs(3),
            false => GATHERING,
        };
        let began = self.now();
        let mut pause = Duration::from_millis(250);
        loop {
            let told = self
                .with_master(async |master| yarn_logs(master, id, &path).await)
                .await;
            match told {
                Ok(true) => break,
                // Until the logs are gathered, `yarn logs` says so and fails.
                Ok(false) if self.past(began, patience) => {
                    self.ended(
                        format!("save the logs of {id}"),
                        Err("YARN has not gathered them".to_owned()),
                    );
                    break;
                }
                Err(error) if self.past(began, patience) => return Err(error),
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
async fn yarn_logs(master: &Master, id: &YarnApplicationId, path: &Path) -> Result<bool, RunError> {
    let command = RemoteCommand::new("yarn").args(["logs", "-applicationId", id.as_str()]);
    let mut process = master.shell.spawn(&command).await?;
    let mut file = create(path).await?;
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

/// A new file that only its owner can read.
async fn create(path: &Path) -> Result<fs::File, RunError> {
    let mut options = fs::OpenOptions::new();
    options.create(true).write(true).truncate(true).mode(0o600);
    options.open(path).await.map_err(local(path, "written"))
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
