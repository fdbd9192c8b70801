//! The steps [`Step::LeaveMachine`](crate::Step::LeaveMachine) and [`Step::DeleteCluster`](crate::Step::DeleteCluster): nothing of
//! ours stays.

use std::sync::Arc;
use std::time::Duration;

use flinkproc_core::{ClusterRef, ClusterUuid, Explain, FailureKind, MachineRef};
use flinkproc_dataproc::{ClusterError, ClusterState, wait_gone};

use crate::error::RunError;
use crate::events::EventKind;
use crate::journal::Entry;
use crate::outcome::Remainder;
use crate::progress::ClusterTry;
use crate::run::{Run, lock, passing};
use crate::step::{GateKey, Intent, Output};

/// How long a deletion may take.
const DELETION: Duration = Duration::from_secs(900);
/// How often a deletion that failed is begun again.
const TRIES: u32 = 3;
/// For so long after its request a cluster may still appear, when the answer to the request was never seen.
const APPEARING: Duration = Duration::from_secs(60);

impl Run {
    /// Takes our keys out again; what stays expires by itself.
    pub(crate) async fn leave_machine(self: &Arc<Self>) -> Vec<Remainder> {
        self.take_out(self.look(|progress| progress.keys.clone()))
            .await
    }

    /// Takes the key of this process out; those of others, who may be at work, stay.
    pub(crate) async fn leave_quietly(self: &Arc<Self>) -> Vec<Remainder> {
        let own = lock(&self.key)
            .as_ref()
            .map(|key| key.public_key().to_owned());
        let mut keys = self.look(|progress| progress.keys.clone());
        keys.retain(|(_, key)| own.as_deref() == Some(key.public_key.as_str()));
        self.take_out(keys).await
    }

    async fn take_out(self: &Arc<Self>, keys: Vec<(MachineRef, GateKey)>) -> Vec<Remainder> {
        self.site.lock().await.take();
        let mut remains = Vec::new();
        for (machine, key) in keys {
            let admitted = key.admitted();
            let gate = &self.clients.gate;
            let expel = || gate.expel(&machine, &admitted);
            match self.retrying("taking our key out", passing, expel).await {
                Ok(()) => {
                    let public_key = key.public_key;
                    let output = Output::LeaveMachine { public_key };
                    self.note_if_possible(Entry::Done { output }).await;
                }
                Err(error) => remains.push(Remainder {
                    what: key.place(&machine),
                    costs: false,
                    why: error.to_string(),
                    command: format!("flinkproc down {}", self.plan.deployment),
                }),
            }
        }
        remains
    }

    /// Deletes every cluster that this deployment made; what could not be deleted is named.
    pub(crate) async fn delete_clusters(self: &Arc<Self>) -> Vec<Remainder> {
        let mut remains = Vec::new();
        for one in self.look(crate::progress::Progress::ours_left) {
            let deleted = self.delete_cluster(&one).await;
            let told = deleted.as_ref().copied().map_err(ToString::to_string);
            self.ended(format!("delete cluster {}", one.cluster.name), told);
            if let Err(error) = deleted {
                remains.push(Remainder {
                    what: format!("cluster {}", one.cluster),
                    costs: true,
                    why: error.to_string(),
                    command: one.cluster.delete_command(),
                });
            }
        }
        remains
    }

    /// Deletes one cluster that this deployment made and waits until it is gone; also when it is gone already.
    pub(crate) async fn delete_cluster(self: &Arc<Self>, one: &ClusterTry) -> Result<(), RunError> {
        let cluster = &one.cluster;
        if let Some(uuid) = self.uuid_of_ours(one).await? {
            let mut tries = 1;
            while let Err(error) = self.delete_once(cluster, &uuid).await {
                let hopeless =
                    matches!(error.kind(), FailureKind::Credentials | FailureKind::Input);
                if hopeless || tries == TRIES {
                    return Err(error);
                }
                self.emit(EventKind::Retrying {
                    what: format!("deleting cluster {}", cluster.name),
                    why: error.to_string(),
                });
                self.sleep(Duration::from_secs(2)).await;
                tries += 1;
            }
        }
        let output = Output::DeleteCluster {
            cluster: cluster.clone(),
        };
        self.note_if_possible(Entry::Done { output }).await;
        Ok(())
    }

    async fn delete_once(
        self: &Arc<Self>,
        cluster: &ClusterRef,
        uuid: &ClusterUuid,
    ) -> Result<(), RunError> {
        let number = self.look(|progress| {
            let mut tries = progress.clusters.iter();
            tries
                .find(|one| one.cluster == *cluster)
                .map_or(0, |one| one.deletions)
        });
        let request = self.request_id(&format!("delete/{}/{number}", cluster.name))?;
        let intent = Intent::DeleteCluster {
            cluster: cluster.clone(),
            uuid: Some(uuid.clone()),
            request: request.clone(),
        };
        self.note_if_possible(Entry::Started { intent }).await;
        self.emit(EventKind::Cluster {
            cluster: cluster.clone(),
            state: ClusterState::Deleting,
            detail: None,
        });
        let clients = &self.clients;
        let passes = |error: &ClusterError| {
            error.is_transient() || matches!(error, ClusterError::Busy { .. })
        };
        let start = || clients.clusters.start_delete(cluster, Some(uuid), &request);
        let started = self.retrying("deleting the cluster", passes, start).await;
        let operation = match started {
            Ok(operation) => operation,
            // It may have gone by itself, or be on its way: the waiting finds out.
            Err(ClusterError::NotFound { .. } | ClusterError::Busy { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let now = self.now();
        let until = now.checked_add(DELETION).unwrap_or(now);
        wait_gone(
            clients.clusters.as_ref(),
            clients.clock.as_ref(),
            cluster,
            Some(uuid),
            operation.as_ref(),
            until,
        )
        .await?;
        Ok(())
    }

    /// The UUID of the cluster that is to be deleted; `None` when there is none of ours under that name.
    ///
    /// A cluster whose making was begun but never seen is ours only if it bears our label. It is waited for a moment: the
    /// request may still be on its way.
    async fn uuid_of_ours(&self, one: &ClusterTry) -> Result<Option<ClusterUuid>, RunError> {
        let never_seen = one.facts.is_none() && one.broken.is_none() && one.operation.is_none();
        let mut pause = Duration::from_millis(250);
        loop {
            if let Some(found) = self.read_cluster(&one.cluster).await? {
                let ours = match &one.facts {
                    Some(facts) => facts.uuid == found.uuid,
                    None => self.made(&found),
                };
                return Ok(ours.then_some(found.uuid));
            }
            if !never_seen || self.past(one.since, APPEARING) {
                return Ok(None);
            }
            self.sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    }
}
