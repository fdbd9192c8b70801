//! The step [`Step::Environment`](crate::Step::Environment): the Python that the job brings along is found in the bucket, or built
//! and uploaded once for all who want the same.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use flinkproc_core::GcsUri;
use flinkproc_env::{
    BuiltArchive, EnvError, EnvironmentBuilder, EnvironmentRequest, Lock, provide,
};
use flinkproc_plan::{EnvironmentPlan, FileRole, JobPlan};
use flinkproc_staging::{Content, LocalFile, Put, StagingError};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;

use crate::error::RunError;
use crate::events::EventKind;
use crate::output::{local, make_directory};
use crate::run::{Run, passing};
use crate::step::{Intent, Output, ProvidedEnvironment};

/// How long somebody else's upload, which came first, may take to be named.
const NAMING: Duration = Duration::from_secs(30);
/// The largest object that is read as a pointer, in bytes.
const POINTER: u64 = 64 << 10;
/// How much of an archive is read at once.
const PIECE: u64 = 8 << 20;

/// What a pointer in the bucket says: where an archive is, and what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Pointer {
    archive: GcsUri,
    sha256: String,
    size: u64,
    lock: String,
}

/// What is known before anything is built.
#[derive(Clone, Debug)]
pub(crate) enum Wanted {
    /// The environment is there, or none is wanted.
    There,
    /// It is to be built from this lock.
    Build(Lock),
}

impl Run {
    /// Finds the environment, or decides what goes into it: what cannot be resolved is refused before a cluster is made.
    pub(crate) async fn find_environment(self: &Arc<Self>) -> Result<Wanted, RunError> {
        let Some(plan) = &self.plan.staging.environment else {
            return Ok(Wanted::There);
        };
        if self.look(|progress| progress.environment.is_some()) {
            return Ok(Wanted::There);
        }
        let key = plan.key.clone();
        self.started(Intent::Environment { key }).await?;
        if let Some(found) = self.follow_pointer(&plan.pointer).await? {
            self.provided(found, false).await?;
            return Ok(Wanted::There);
        }
        let lock = self.builder(plan)?.lock(&request(plan)).await?;
        // Another request may have come to the same lock.
        if let Some(found) = self.follow_pointer(&place(plan, &lock, RECORD)?).await? {
            let found = self.name(&plan.pointer, found).await?;
            self.provided(found, false).await?;
            return Ok(Wanted::There);
        }
        Ok(Wanted::Build(lock))
    }

    /// Builds what was not there and uploads it; of two who do so at once, one upload wins and both use it.
    pub(crate) async fn build_environment(
        self: &Arc<Self>,
        wanted: Wanted,
    ) -> Result<(), RunError> {
        let (Wanted::Build(lock), Some(plan)) = (wanted, &self.plan.staging.environment) else {
            return Ok(());
        };
        let tell = |doing: &str, size| EventKind::Environment {
            doing: doing.to_owned(),
            lock: lock.sha256.clone(),
            size,
        };
        self.emit(tell("building", None));
        let kept = self.options.environments.clone();
        let passing = self.options.directory.join("environment");
        let folder = kept.as_ref().unwrap_or(&passing);
        make_directory(folder).await?;
        let builder = WithLock(self.builder(plan)?, lock.clone());
        let built = provide(&builder, folder, &request(plan)).await?.archive;
        self.emit(tell("uploading", Some(built.size)));
        let archive = place(plan, &lock, ARCHIVE)?;
        let put = self.upload(&archive, &built.path).await;
        let mine = Pointer {
            archive: archive.clone(),
            sha256: built.sha256,
            size: built.size,
            lock: lock.sha256.clone(),
        };
        let record = place(plan, &lock, RECORD)?;
        let (pointer, fresh) = match put {
            Ok(put) => (self.name(&record, mine).await?, put == Put::Written),
            // The same packages, yet not the same bytes: the first one counts.
            Err(RunError::Staging(StagingError::Conflict { .. })) => {
                (self.theirs(&archive, &record, &lock).await?, false)
            }
            Err(error) => return Err(error),
        };
        let pointer = self.name(&plan.pointer, pointer).await?;
        self.emit(EventKind::Staged {
            uri: pointer.archive.clone(),
            size: pointer.size,
            written: fresh,
        });
        self.provided(pointer, fresh).await?;
        if kept.is_none()
            && let Err(error) = tokio::fs::remove_dir_all(&passing).await
        {
            tracing::debug!(%error, "the built environment stays");
        }
        Ok(())
    }

    /// The job with the environment that was found or built in the place of the plan's stand-in.
    pub(crate) fn job(&self) -> JobPlan {
        let mut job = self.plan.job.clone();
        let Some(provided) = self.look(|progress| progress.environment.clone()) else {
            return job;
        };
        let ours = job.files.iter_mut();
        for file in ours.filter(|file| file.role == FileRole::Environment) {
            file.from = provided.archive.clone();
            file.sha256 = Some(provided.sha256.clone());
        }
        job
    }

    fn builder(&self, plan: &EnvironmentPlan) -> Result<Arc<dyn EnvironmentBuilder>, RunError> {
        let known = self.clients.environments.get(&plan.builder);
        known.cloned().ok_or_else(|| RunError::NoSuchBuilder {
            name: plan.builder.clone(),
        })
    }

    async fn provided(&self, pointer: Pointer, built: bool) -> Result<(), RunError> {
        self.emit(EventKind::Environment {
            doing: "there".to_owned(),
            lock: pointer.lock,
            size: Some(pointer.size),
        });
        self.done(Output::Environment(ProvidedEnvironment {
            archive: pointer.archive,
            sha256: pointer.sha256,
            size: pointer.size,
            built,
        }))
        .await
    }

    async fn upload(&self, archive: &GcsUri, path: &Path) -> Result<Put, RunError> {
        let staging = &self.clients.staging;
        let content = Content::File(path.to_owned());
        let put = self
            .retrying("uploading the Python environment", passing, || {
                staging.put_if_absent(archive, &content)
            })
            .await?;
        Ok(put)
    }

    /// Reads a pointer; `None` when there is none, or when its archive is gone.
    async fn follow_pointer(&self, at: &GcsUri) -> Result<Option<Pointer>, RunError> {
        let staging = &self.clients.staging;
        let text = self
            .retrying(
                "looking for the Python environment",
                passing,
                async || match staging.stat(at).await? {
                    Some(_) => staging.read_range(at, 0, POINTER).await.map(Some),
                    None => Ok::<Option<Bytes>, StagingError>(None),
                },
            )
            .await?;
        let Some(text) = text else { return Ok(None) };
        let pointer: Pointer =
            serde_json::from_slice(&text).map_err(|error| RunError::BadPointer {
                pointer: at.clone(),
                problem: error.to_string(),
            })?;
        let there = self
            .retrying("looking for the Python environment", passing, || {
                staging.stat(&pointer.archive)
            })
            .await?;
        if there.is_some_and(|there| there.size == pointer.size) {
            return Ok(Some(pointer));
        }
        // A bucket whose rules delete old objects: what is built again may be another one.
        self.retrying(
            "forgetting a Python environment that is gone",
            passing,
            || staging.delete(at),
        )
        .await?;
        Ok(None)
    }

    /// Writes a pointer, unless somebody else was first: then theirs counts.
    async fn name(&self, at: &GcsUri, pointer: Pointer) -> Result<Pointer, RunError> {
        let text = serde_json::to_vec(&pointer).map_err(|error| RunError::BadPointer {
            pointer: at.clone(),
            problem: error.to_string(),
        })?;
        let staging = &self.clients.staging;
        let content = Content::Bytes(text.into());
        let put = self
            .retrying("naming the Python environment", passing, || {
                staging.put_if_absent(at, &content)
            })
            .await;
        match put {
            Ok(_) => Ok(pointer),
            Err(StagingError::Conflict { .. }) => {
                let theirs = self.follow_pointer(at).await?;
                Ok(theirs.unwrap_or(pointer))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What somebody else has uploaded: as they name it, or else as it is read.
    async fn theirs(
        &self,
        archive: &GcsUri,
        record: &GcsUri,
        lock: &Lock,
    ) -> Result<Pointer, RunError> {
        let since = self.now();
        while !self.past(since, NAMING) {
            if let Some(pointer) = self.follow_pointer(record).await? {
                return Ok(pointer);
            }
            self.sleep(Duration::from_secs(2)).await;
        }
        let path = self.options.directory.join("environment/theirs.tar.gz");
        let file = self.download(archive, &path).await?;
        let pointer = Pointer {
            archive: archive.clone(),
            sha256: file.sha256.to_string(),
            size: file.size,
            lock: lock.sha256.clone(),
        };
        self.name(record, pointer).await
    }

    async fn download(&self, from: &GcsUri, to: &Path) -> Result<LocalFile, RunError> {
        let staging = &self.clients.staging;
        let mut file = tokio::fs::File::create(to)
            .await
            .map_err(local(to, "written"))?;
        let mut at = 0;
        loop {
            let read = || staging.read_range(from, at, PIECE);
            let bytes = self
                .retrying("reading the Python environment", passing, read)
                .await?;
            if bytes.is_empty() {
                break;
            }
            at += bytes.len() as u64;
            file.write_all(&bytes).await.map_err(local(to, "written"))?;
        }
        file.flush().await.map_err(local(to, "written"))?;
        Ok(LocalFile::read(to).await?)
    }
}

const ARCHIVE: &str = "env.tar.gz";
const RECORD: &str = "env.json";

fn place(plan: &EnvironmentPlan, lock: &Lock, name: &str) -> Result<GcsUri, RunError> {
    let address = format!("{}{}/{name}", plan.folder, lock.sha256);
    address.parse().map_err(|error| RunError::Broke {
        what: format!("{address}: {error}"),
    })
}

fn request(plan: &EnvironmentPlan) -> EnvironmentRequest {
    EnvironmentRequest {
        python: plan.python,
        flink: plan.flink,
        platform: plan.platform.clone(),
        requirements: plan.requirements.clone(),
        lock: plan.lock.clone(),
        index_url: plan.index_url.clone(),
    }
}

/// A builder that has decided already what goes in.
#[derive(Debug)]
struct WithLock(Arc<dyn EnvironmentBuilder>, Lock);

#[async_trait]
impl EnvironmentBuilder for WithLock {
    fn name(&self) -> &str {
        self.0.name()
    }

    async fn can(&self, request: &EnvironmentRequest) -> Result<(), EnvError> {
        self.0.can(request).await
    }

    async fn lock(&self, _: &EnvironmentRequest) -> Result<Lock, EnvError> {
        Ok(self.1.clone())
    }

    async fn build(
        &self,
        request: &EnvironmentRequest,
        lock: &Lock,
        into: &Path,
    ) -> Result<BuiltArchive, EnvError> {
        self.0.build(request, lock, into).await
    }
}
