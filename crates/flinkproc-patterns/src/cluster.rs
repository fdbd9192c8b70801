//! The step [`Step::CreateCluster`](crate::Step::CreateCluster): the cluster is made, or found.

use std::sync::Arc;

use flinkproc_core::{ClusterName, ClusterRef, Explain, FailureKind, RequestId};
use flinkproc_dataproc::{
    Cluster, ClusterError, ClusterOutcome, ClusterSpec, ClusterState, OperationName, Subject,
    wait_cluster,
};

use crate::error::RunError;
use crate::events::EventKind;
use crate::progress::ClusterTry;
use crate::run::Run;
use crate::step::{ClusterFacts, Intent, Output};

/// How often a cluster is tried to be made: an ERROR cluster is deleted and tried once more under a fresh name.
const TRIES: usize = 2;
/// The label that names the deployment on everything that it makes.
pub(crate) const LABEL: &str = "flinkproc";

impl Run {
    /// Gives the cluster that the job runs on: the one in the journal, the one that is there, or a new one.
    pub(crate) async fn create_cluster(self: &Arc<Self>) -> Result<ClusterFacts, RunError> {
        if let Some(facts) = self.look(|progress| progress.facts().cloned()) {
            return self.still_there(facts).await;
        }
        if self.plan.cluster.ours {
            self.make_cluster().await
        } else {
            self.find_cluster().await
        }
    }

    pub(crate) async fn read_cluster(
        &self,
        cluster: &ClusterRef,
    ) -> Result<Option<Cluster>, RunError> {
        let clusters = &self.clients.clusters;
        let found = self
            .retrying("reading the cluster", ClusterError::is_transient, || {
                clusters.find(cluster)
            })
            .await?;
        Ok(found)
    }

    /// After a resume: is it the same cluster, and does it run?
    pub(crate) async fn still_there(&self, facts: ClusterFacts) -> Result<ClusterFacts, RunError> {
        let found = self.read_cluster(&facts.cluster).await?;
        match found.filter(|cluster| cluster.uuid == facts.uuid) {
            Some(cluster) if runs(cluster.state) => Ok(facts),
            Some(cluster) => Err(not_running(cluster)),
            None => Err(RunError::ClusterGone {
                cluster: facts.cluster,
            }),
        }
    }

    /// A cluster that was there before is used as it is, and never deleted.
    async fn find_cluster(self: &Arc<Self>) -> Result<ClusterFacts, RunError> {
        let cluster = self.plan.cluster.cluster.clone();
        self.started(Intent::CreateCluster {
            cluster: cluster.clone(),
            request: self.request_id("find")?,
            ours: false,
        })
        .await?;
        let found = self.read_cluster(&cluster).await?;
        let found = found.ok_or(RunError::ClusterGone { cluster })?;
        if !runs(found.state) {
            return Err(not_running(found));
        }
        self.keep(found).await
    }

    async fn make_cluster(self: &Arc<Self>) -> Result<ClusterFacts, RunError> {
        let mut number = 1;
        loop {
            let cluster = self.cluster_name(number)?;
            let request = self.request_id(&format!("create/{number}"))?;
            let known = self.look(|progress| {
                let mut tries = progress.clusters.iter();
                tries.find(|one| one.cluster == cluster).cloned()
            });
            let cause = match known.as_ref().and_then(|one| one.broken.clone()) {
                Some(reason) => sort_reason(&cluster, &reason),
                None => match self.try_to_make(&cluster, &request, known.as_ref()).await? {
                    Ok(facts) => return Ok(facts),
                    Err(cause) => cause,
                },
            };
            let hopeless = match cause {
                ClusterError::QuotaExceeded { .. } => true,
                // Without a zone of its own, another try may come to another zone.
                ClusterError::Stockout { .. } => self.plan.cluster.zone.is_some(),
                _ => false,
            };
            if hopeless || number >= TRIES {
                return Err(cause.into());
            }
            let left = self.look(|progress| {
                let mut tries = progress.clusters.iter();
                tries
                    .find(|one| one.cluster == cluster && !one.deleted)
                    .cloned()
            });
            if let Some(left) = left {
                self.delete_cluster(&left).await?;
            }
            self.emit(EventKind::Retrying {
                what: "making the cluster under a fresh name".to_owned(),
                why: cause.to_string(),
            });
            number += 1;
        }
    }

    /// Makes one cluster; the inner error is why it came to state ERROR.
    async fn try_to_make(
        self: &Arc<Self>,
        cluster: &ClusterRef,
        request: &RequestId,
        known: Option<&ClusterTry>,
    ) -> Result<Result<ClusterFacts, ClusterError>, RunError> {
        if known.is_none() {
            self.started(Intent::CreateCluster {
                cluster: cluster.clone(),
                request: request.clone(),
                ours: true,
            })
            .await?;
        }
        let operation = match known.and_then(|one| one.operation.clone()) {
            Some(operation) => Some(operation),
            None => self.start_create(cluster, request).await?,
        };
        let tell = |state, detail| {
            self.emit(EventKind::Cluster {
                cluster: cluster.clone(),
                state,
                detail,
            });
        };
        tell(ClusterState::Creating, None);
        let clients = &self.clients;
        let settled = wait_cluster(
            clients.clusters.as_ref(),
            clients.clock.as_ref(),
            cluster,
            operation.as_ref(),
            self.deadline(),
        )
        .await?;
        match settled.outcome {
            ClusterOutcome::Running(found) => {
                tell(found.state, found.detail.clone());
                Ok(Ok(self.keep(found).await?))
            }
            ClusterOutcome::Error {
                cluster: found,
                cause,
            } => {
                tell(found.state, found.detail);
                let output = Output::ClusterBroken {
                    cluster: cluster.clone(),
                    reason: reason(&cause),
                };
                self.done(output).await?;
                Ok(Err(cause))
            }
            ClusterOutcome::Gone => Err(settled.failure.map_or_else(
                || RunError::ClusterGone {
                    cluster: cluster.clone(),
                },
                RunError::from,
            )),
            ClusterOutcome::Stopped(found) | ClusterOutcome::Deleting(found) => {
                Err(not_running(found))
            }
            _ => Err(RunError::ClusterGone {
                cluster: cluster.clone(),
            }),
        }
    }

    /// Starts the operation, or adopts a cluster that an earlier run of this deployment began; `None` when there is no operation to
    /// wait for.
    async fn start_create(
        self: &Arc<Self>,
        cluster: &ClusterRef,
        request: &RequestId,
    ) -> Result<Option<OperationName>, RunError> {
        use FailureKind::{Capacity, Credentials, Input};
        let run = Arc::clone(self);
        let spec = ClusterSpec {
            cluster: cluster.clone(),
            resource: self.labelled_resource(),
        };
        let request = request.clone();
        self.act(async move {
            let clusters = &run.clients.clusters;
            let started = run
                .retrying("making the cluster", ClusterError::is_transient, || {
                    clusters.start_create(&spec, &request)
                })
                .await;
            match started {
                Ok(operation) => {
                    let cluster = spec.cluster.clone();
                    let output = Output::CreateStarted {
                        cluster,
                        operation: operation.clone(),
                    };
                    run.done(output).await?;
                    Ok(Some(operation))
                }
                Err(ClusterError::AlreadyExists { subject }) => {
                    let found = run.read_cluster(&spec.cluster).await?;
                    match found {
                        Some(found) if run.made(&found) => Ok(None),
                        Some(_) => Err(RunError::NotOurs {
                            cluster: spec.cluster.clone(),
                        }),
                        None => Err(ClusterError::AlreadyExists { subject }.into()),
                    }
                }
                Err(error) => {
                    // A plain refusal made nothing: the end need not wait for a cluster to appear.
                    if matches!(error.kind(), Input | Credentials | Capacity) {
                        let output = Output::ClusterBroken {
                            cluster: spec.cluster.clone(),
                            reason: reason(&error),
                        };
                        run.done(output).await?;
                    }
                    Err(error.into())
                }
            }
        })
        .await
    }

    /// Whether a cluster bears this deployment's label.
    pub(crate) fn made(&self, cluster: &Cluster) -> bool {
        cluster
            .labels
            .get(LABEL)
            .is_some_and(|id| id == self.plan.deployment.as_str())
    }

    /// The resource with the label by which the cluster is known to be ours, whatever the plan says.
    fn labelled_resource(&self) -> serde_json::Value {
        let mut resource = self.plan.cluster.resource.clone();
        if let Some(fields) = resource.as_object_mut() {
            let labels = fields
                .entry("labels")
                .or_insert_with(|| serde_json::json!({}));
            if let Some(labels) = labels.as_object_mut() {
                labels.insert(LABEL.to_owned(), self.plan.deployment.as_str().into());
            }
        }
        resource
    }

    async fn keep(&self, found: Cluster) -> Result<ClusterFacts, RunError> {
        let facts = ClusterFacts {
            cluster: found.cluster,
            uuid: found.uuid,
            zone: found.zone,
            master: found.masters.into_iter().next(),
        };
        self.done(Output::CreateCluster(facts.clone())).await?;
        Ok(facts)
    }

    /// The name of the nth try: the planned one, then with a suffix.
    fn cluster_name(&self, number: usize) -> Result<ClusterRef, RunError> {
        let mut cluster = self.plan.cluster.cluster.clone();
        if number > 1 {
            let name = cluster.name.as_str();
            let short = name
                .get(..name.len().min(49))
                .unwrap_or(name)
                .trim_end_matches('-');
            let fresh: Result<ClusterName, _> = format!("{short}-r{number}").parse();
            cluster.name = fresh.map_err(|error| RunError::Broke {
                what: error.to_string(),
            })?;
        }
        Ok(cluster)
    }
}

/// Whether a job can run on a cluster in this state.
const fn runs(state: ClusterState) -> bool {
    matches!(
        state,
        ClusterState::Running | ClusterState::Updating | ClusterState::ErrorDueToUpdate
    )
}

fn not_running(cluster: Cluster) -> RunError {
    RunError::ClusterNotRunning {
        cluster: cluster.cluster,
        state: cluster.state,
        detail: cluster.detail,
    }
}

/// The service's own words, which [`sort_reason`] understands after a resume.
fn reason(cause: &ClusterError) -> String {
    match cause {
        ClusterError::QuotaExceeded { message, .. }
        | ClusterError::Stockout { message, .. }
        | ClusterError::Invalid { message, .. }
        | ClusterError::Failed { message, .. } => message.clone(),
        other => other.to_string(),
    }
}

/// Tells a used-up quota and a stockout from other reasons of an ERROR cluster, by the service's words.
fn sort_reason(cluster: &ClusterRef, reason: &str) -> ClusterError {
    const INTERNAL: i32 = 13;
    ClusterError::from_status(Subject::Cluster(cluster.clone()), INTERNAL, reason)
}
