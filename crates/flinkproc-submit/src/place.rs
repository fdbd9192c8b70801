//! [`DataprocPlace`]: the Jobs API and the deployment's place in the bucket, as the methods that need no way to the master use them.

use std::sync::Arc;

use flinkproc_core::{Clock, ClusterRef, DataprocJobId, DeploymentId, GcsUri, RequestId};
use flinkproc_dataproc::{ApiError, Job, JobApi, JobError, JobSpec};
use flinkproc_plan::JobPlan;
use flinkproc_staging::Staging;
use serde_json::{Value, json};

use crate::carrier::{below, fingerprint};
use crate::error::SubmitError;
use crate::method::{LauncherExit, RunRef};
use crate::mirror::{Gate, Mirror};

/// The exit status of what was ended before it began: that of a program that SIGTERM ends.
pub(crate) const TERMINATED: u8 = 128 + 15;

/// Where a method hands jobs to Dataproc, and where their runs are seen.
#[derive(Clone, Debug)]
pub struct DataprocPlace {
    /// Dataproc's Jobs API.
    pub jobs: Arc<dyn JobApi>,
    /// Cloud Storage.
    pub staging: Arc<dyn Staging>,
    /// The cluster.
    pub cluster: ClusterRef,
    /// The deployment's own place in the bucket, `gs://bucket/flinkproc/deployments/<id>/`; runs of another deployment are
    /// looked for beside it.
    pub home: GcsUri,
    /// Time, for waiting.
    pub clock: Arc<dyn Clock>,
}

impl DataprocPlace {
    /// Where the launcher of a deployment copies what it writes.
    fn runs(&self, deployment: &DeploymentId) -> Result<GcsUri, SubmitError> {
        let object = self.home.object().trim_end_matches('/');
        let beside = object.rfind('/').and_then(|end| object.get(..=end));
        let runs = format!("{}{deployment}/runs/", beside.unwrap_or_default());
        GcsUri::new(self.home.bucket().clone(), runs).map_err(|_| SubmitError::place(&self.home))
    }

    /// One attempt's folder.
    pub(crate) fn mirror<'a>(
        &'a self,
        run: &RunRef,
        action: &'static str,
    ) -> Result<Mirror<'a>, SubmitError> {
        let folder = below(&self.runs(&run.deployment)?, &format!("{}/", run.attempt))?;
        Ok(Mirror {
            staging: &self.staging,
            folder,
            action,
        })
    }

    /// Submits a job under an id of ours; one that is there already is ours.
    pub(crate) async fn submit(
        &self,
        action: &'static str,
        run: &RunRef,
        id: &DataprocJobId,
        mut resource: Value,
    ) -> Result<(), SubmitError> {
        if let Some(fields) = resource.as_object_mut() {
            fields.insert("labels".to_owned(), json!({"flinkproc": run.deployment}));
        }
        let spec = JobSpec {
            cluster: self.cluster.clone(),
            id: id.clone(),
            resource,
        };
        match self.jobs.submit(&spec, &request_id(id)?).await {
            Ok(_) | Err(ApiError::AlreadyExists { .. }) => Ok(()),
            Err(source) => Err(SubmitError::Jobs { action, source }),
        }
    }

    pub(crate) async fn find(
        &self,
        action: &'static str,
        id: &DataprocJobId,
    ) -> Result<Option<Job>, SubmitError> {
        let ClusterRef {
            project, region, ..
        } = &self.cluster;
        let found = self.jobs.find(project, region, id).await;
        found.map_err(|source| SubmitError::Jobs { action, source })
    }

    pub(crate) async fn cancel(
        &self,
        action: &'static str,
        id: &DataprocJobId,
    ) -> Result<bool, SubmitError> {
        let ClusterRef {
            project, region, ..
        } = &self.cluster;
        let asked = self.jobs.cancel(project, region, id).await;
        asked.map_err(|source: JobError| SubmitError::Jobs { action, source })
    }

    /// Closes the gate of a run that is to end before it begins, and says how it ended; `None` when it was started.
    pub(crate) async fn end_unstarted(
        &self,
        mirror: &Mirror<'_>,
    ) -> Result<Option<LauncherExit>, SubmitError> {
        if !mirror.fence().await? {
            return Ok(None);
        }
        let exit = LauncherExit {
            status: TERMINATED,
            phase: "prepare".to_owned(),
            cancelled: true,
            at: self.clock.now().as_second(),
        };
        mirror.put("exit", json!(exit).to_string()).await?;
        read_exit(mirror).await
    }

    /// The wishes that come before a run: what was asked of it, whether it may start and whether it is to end at once.
    ///
    /// `true` when it is to be submitted.
    pub(crate) async fn admit(
        &self,
        mirror: &Mirror<'_>,
        run: &RunRef,
        job: &JobPlan,
    ) -> Result<bool, SubmitError> {
        if !mirror.put("job.json", json!(job).to_string()).await? {
            return Err(SubmitError::Conflict { tag: run.tag() });
        }
        match mirror.gate().await? {
            Gate::Started => return Ok(false),
            Gate::Fenced => {
                return match read_exit(mirror).await? {
                    Some(_) => Ok(false),
                    None => Err(SubmitError::Fenced { tag: run.tag() }),
                };
            }
            Gate::Open => {}
        }
        if mirror.read("cancel").await?.is_some() {
            self.end_unstarted(mirror).await?;
            return Ok(false);
        }
        Ok(true)
    }

    /// The job as it runs here: seen through the bucket.
    pub(crate) fn mirrored(&self, run: &RunRef, job: &JobPlan) -> Result<JobPlan, SubmitError> {
        let mut job = job.clone();
        job.mirror = Some(self.runs(&run.deployment)?);
        Ok(job)
    }
}

pub(crate) async fn read_exit(mirror: &Mirror<'_>) -> Result<Option<LauncherExit>, SubmitError> {
    let exit = mirror.read("exit").await?;
    exit.map(|text| parsed(&text, "exit")).transpose()
}

pub(crate) fn parsed<T: serde::de::DeserializeOwned>(
    text: &[u8],
    name: &str,
) -> Result<T, SubmitError> {
    serde_json::from_slice(text).map_err(|error| SubmitError::Garbled {
        problem: format!("`{name}` in the bucket is no such JSON: {error}"),
    })
}

/// The Dataproc job of an attempt, or of what belongs to it.
pub(crate) fn job_id(run: &RunRef, suffix: &str) -> Result<DataprocJobId, SubmitError> {
    let name = format!("{}{suffix}", run.tag());
    name.parse().map_err(|_| SubmitError::UnsafeName {
        name,
        through: "Dataproc's job ids",
        problem: "it is longer than 100 characters",
    })
}

/// One request for each job id: repeating it finds the first.
fn request_id(id: &DataprocJobId) -> Result<RequestId, SubmitError> {
    let name = format!("flinkproc-{}", fingerprint(id.as_str().as_bytes()));
    name.parse().map_err(|_| SubmitError::UnsafeName {
        name,
        through: "Dataproc's request ids",
        problem: "it is longer than 40 characters",
    })
}
