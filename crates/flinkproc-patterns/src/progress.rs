//! How far a deployment has come: a pure fold over its journal.

use flinkproc_core::{Attempt, ClusterRef, MachineRef, RequestId};
use flinkproc_dataproc::OperationName;
use flinkproc_plan::Plan;
use jiff::Timestamp;

use crate::journal::{Entry, Record};
use crate::outcome::{Ending, Outcome};
use crate::step::{ClusterFacts, Failure, GateKey, Intent, Output, ProvidedEnvironment};
use crate::verdict::Evidence;

/// How far a deployment has come.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Progress {
    /// The plan, from the first line.
    pub(crate) plan: Option<Plan>,
    /// When the deployment began; its deadline counts from here, whoever carries it on.
    pub(crate) began: Option<Timestamp>,
    pub(crate) bucket: bool,
    pub(crate) staged: bool,
    pub(crate) environment: Option<ProvidedEnvironment>,
    /// Every cluster that was begun, in order; all but the last are broken.
    pub(crate) clusters: Vec<ClusterTry>,
    /// The keys that were let in and not yet taken out.
    pub(crate) keys: Vec<(MachineRef, GateKey)>,
    /// Every attempt to run the job.
    pub(crate) runs: Vec<RunTry>,
    /// How many actions on the job were begun.
    pub(crate) actions: u32,
    pub(crate) evidence: Option<Evidence>,
    /// The first failure.
    pub(crate) failure: Option<Failure>,
    pub(crate) ending: Option<Ending>,
    pub(crate) logs_saved: bool,
    pub(crate) fetched: bool,
    pub(crate) outcome: Option<Outcome>,
}

/// One cluster that was begun.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ClusterTry {
    pub(crate) cluster: ClusterRef,
    pub(crate) request: RequestId,
    /// Whether it is ours to delete.
    pub(crate) ours: bool,
    /// When it was begun.
    pub(crate) since: Timestamp,
    pub(crate) operation: Option<OperationName>,
    pub(crate) facts: Option<ClusterFacts>,
    pub(crate) broken: Option<String>,
    pub(crate) deleted: bool,
    /// How often its deletion was begun.
    pub(crate) deletions: u32,
}

/// One attempt to run the job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RunTry {
    pub(crate) attempt: Attempt,
    /// The launcher is known to have it; otherwise it may or may not.
    pub(crate) submitted: bool,
    pub(crate) fenced: bool,
}

impl Progress {
    pub(crate) fn replay(records: &[Record]) -> Self {
        let mut progress = Self::default();
        for record in records {
            progress.note(record);
        }
        progress
    }

    /// Takes in one record. Taking in the same one again changes nothing.
    pub(crate) fn note(&mut self, record: &Record) {
        match &record.entry {
            Entry::Planned { plan } => {
                self.plan = Some((**plan).clone());
                self.began.get_or_insert(record.at);
            }
            Entry::Started { intent } => self.started(intent, record.at),
            Entry::Done { output } => self.done(output),
            Entry::Failed { failure } => {
                self.failure.get_or_insert_with(|| failure.clone());
            }
            Entry::Ended { outcome } => self.outcome = Some((**outcome).clone()),
        }
    }

    fn started(&mut self, intent: &Intent, at: Timestamp) {
        match intent {
            Intent::CheckBucket | Intent::Stage | Intent::Environment { .. } | Intent::Watch => {}
            Intent::Act { number, .. } => self.actions = self.actions.max(*number),
            Intent::CreateCluster {
                cluster,
                request,
                ours,
            } => {
                if self.cluster_try(cluster).is_none() {
                    self.clusters.push(ClusterTry {
                        cluster: cluster.clone(),
                        request: request.clone(),
                        ours: *ours,
                        since: at,
                        operation: None,
                        facts: None,
                        broken: None,
                        deleted: false,
                        deletions: 0,
                    });
                }
            }
            Intent::Enter { machine, key } => {
                self.keys
                    .retain(|(_, known)| known.public_key != key.public_key);
                self.keys.push((machine.clone(), key.clone()));
            }
            Intent::Submit { attempt } => {
                if self.run_try(*attempt).is_none() {
                    self.runs.push(RunTry {
                        attempt: *attempt,
                        submitted: false,
                        fenced: false,
                    });
                }
            }
            Intent::End { reason } => {
                self.ending = Some(*reason);
            }
            Intent::DeleteCluster { cluster, .. } => {
                if let Some(one) = self.cluster_try(cluster) {
                    one.deletions += 1;
                }
            }
        }
    }

    fn done(&mut self, output: &Output) {
        match output {
            Output::CheckBucket => self.bucket = true,
            Output::Stage { .. } => self.staged = true,
            Output::Environment(provided) => self.environment = Some(provided.clone()),
            Output::CreateStarted { cluster, operation } => {
                if let Some(one) = self.cluster_try(cluster) {
                    one.operation = Some(operation.clone());
                }
            }
            Output::CreateCluster(facts) => {
                if let Some(one) = self.cluster_try(&facts.cluster) {
                    one.facts = Some(facts.clone());
                }
            }
            Output::ClusterBroken { cluster, reason } => {
                if let Some(one) = self.cluster_try(cluster) {
                    one.broken = Some(reason.clone());
                }
            }
            Output::Submit { attempt } => {
                if let Some(run) = self.run_try(*attempt) {
                    run.submitted = true;
                }
            }
            Output::Fenced { attempt } => {
                if let Some(run) = self.run_try(*attempt) {
                    run.fenced = true;
                }
            }
            Output::Watch(evidence) => self.evidence = Some(evidence.clone()),
            Output::SaveLogs => self.logs_saved = true,
            Output::LeaveMachine { public_key } => {
                self.keys.retain(|(_, key)| key.public_key != *public_key);
            }
            Output::DeleteCluster { cluster } => {
                if let Some(one) = self.cluster_try(cluster) {
                    one.deleted = true;
                }
            }
            Output::FetchResult => self.fetched = true,
            Output::Enter | Output::Act { .. } | Output::Cancel => {}
        }
    }

    fn cluster_try(&mut self, cluster: &ClusterRef) -> Option<&mut ClusterTry> {
        self.clusters.iter_mut().find(|one| one.cluster == *cluster)
    }

    fn run_try(&mut self, attempt: Attempt) -> Option<&mut RunTry> {
        self.runs.iter_mut().find(|one| one.attempt == attempt)
    }

    /// The cluster that runs, as far as is known.
    pub(crate) fn facts(&self) -> Option<&ClusterFacts> {
        let usable = |one: &&ClusterTry| one.broken.is_none() && !one.deleted;
        self.clusters.iter().rev().find(usable)?.facts.as_ref()
    }

    /// The clusters that this deployment made and that are not known to be gone: nothing else is ever deleted.
    pub(crate) fn ours_left(&self) -> Vec<ClusterTry> {
        let left = self.clusters.iter().filter(|one| one.ours && !one.deleted);
        left.cloned().collect()
    }

    /// The attempt that is to be followed.
    pub(crate) fn run(&self) -> Option<&RunTry> {
        self.runs.last().filter(|run| !run.fenced)
    }

    /// Whether the deployment is over and nothing is left to do for it.
    pub(crate) const fn is_over(&self) -> bool {
        self.outcome.is_some()
    }
}
