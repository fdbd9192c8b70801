//! The state machine of a cluster: what each operation needs, does and leaves.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::autoscaler::Sizes;
use crate::failure::{ApiFailure, Code};
use crate::faults;
use crate::machines::MachineRecord;
use crate::metadata_server::MetadataServer;
use crate::operations::{OperationKind, cluster_response, empty_response};
use crate::resource::{Accepted, Surroundings, accept};
use crate::runtime::{ClusterFacts, Machines, RuntimeError};
use crate::schema::canonical_cluster;
use crate::service::{Beginning, ClusterKey, ClusterRecord, Service, State};
use crate::update::Change;

/// What a piece of work on a cluster leaves when it went well.
#[derive(Debug)]
pub(crate) enum Left {
    /// A running cluster with these machines.
    Running(Machines),
    /// A running cluster, changed.
    Changed(Box<Change>, Option<Machines>),
    /// A stopped cluster.
    Stopped,
    /// Nothing.
    Gone,
}

impl Service {
    /// Begins to make a cluster and gives the operation.
    pub(crate) fn create(
        self: &Arc<Self>,
        project: &str,
        region: &str,
        body: &Value,
        request: &str,
    ) -> Result<Value, ApiFailure> {
        check_region(region)?;
        let name = body["clusterName"]
            .as_str()
            .or(body["cluster_name"].as_str());
        let key = ClusterKey::new(project, region, name.unwrap_or_default());
        let mut state = self.lock();
        if let Some(operation) = state.repeated(&key, OperationKind::Create, request)? {
            return Ok(operation);
        }
        let uuid = Uuid::new_v4().to_string();
        let around = Surroundings {
            project,
            region,
            uuid: &uuid,
            now: self.clock.now(),
            storage_endpoint: self.storage_endpoint.as_deref(),
            api_endpoint: &self.api_endpoint,
            runtime_images: &self.runtime.image_versions(),
        };
        let accepted = accept(canonical_cluster(body)?, &around)?;
        let Accepted {
            resource,
            facts,
            policy,
            warnings,
        } = accepted;
        if state.clusters.contains_key(&key) {
            return Err(ApiFailure::new(
                Code::AlreadyExists,
                format!(
                    "Already exists: Failed to create cluster: Cluster projects/{project}/regions/{region}/clusters/{}",
                    key.name
                ),
            ));
        }
        if let Some(policy) = policy {
            state.known_policy(&key, &policy)?;
        }
        let now = self.clock.now();
        let beginning = Beginning {
            key: &key,
            kind: OperationKind::Create,
            request,
            uuid: &uuid,
            labels: resource.get("labels").cloned().unwrap_or_default(),
            description: format!("Create cluster with {} workers", facts.workers),
            warnings,
        };
        let operation = state.begin(beginning, now);
        let answer = state.operation(&operation);
        let fault = faults::of_this_call();
        let metadata_server = self.metadata_server(&key, &uuid);
        let facts = ClusterFacts {
            metadata_host: metadata_server.as_ref().map(MetadataServer::host),
            ..facts
        };
        let mut record = ClusterRecord::new(Value::Object(resource), facts.clone(), now);
        let service = Arc::clone(self);
        let work = tokio::spawn({
            let (key, operation) = (key.clone(), operation.clone());
            async move {
                let made = match (fault, service.make_buckets(&facts).await) {
                    (Some(error), _) | (None, Err(error)) => Err(error),
                    (None, Ok(())) => service.runtime.create(&facts).await,
                };
                service
                    .settle(&key, &operation, made.map(Left::Running))
                    .await;
            }
        });
        record.work = Some((operation, work));
        record.metadata_server = metadata_server;
        state.clusters.insert(key, record);
        drop(state);
        self.changed.notify_waiters();
        Ok(answer)
    }

    /// Makes the buckets that a cluster names, where there is a Cloud Storage to make them in.
    ///
    /// The service makes only those that it names itself and wants the others to be there; here both are made, because a
    /// bucket that is wanted is no reason for a local cluster to fail.
    async fn make_buckets(&self, facts: &ClusterFacts) -> Result<(), RuntimeError> {
        let Some(storage) = self.storage() else {
            return Ok(());
        };
        for kind in ["configBucket", "tempBucket"] {
            let Some(bucket) = facts.resource["config"][kind].as_str() else {
                continue;
            };
            let made = storage.make_bucket(&facts.project, &facts.region, bucket);
            made.await.map_err(|error| RuntimeError::Failed {
                detail: format!("the bucket '{bucket}' could not be made: {error}"),
            })?;
        }
        Ok(())
    }

    /// Begins to delete a cluster and gives the operation.
    pub(crate) fn delete(
        self: &Arc<Self>,
        key: &ClusterKey,
        uuid: &str,
        request: &str,
    ) -> Result<Value, ApiFailure> {
        let mut state = self.lock();
        if let Some(operation) = state.repeated(key, OperationKind::Delete, request)? {
            return Ok(operation);
        }
        let record = existing(&mut state, key, uuid)?;
        if record.state() == "DELETING" {
            return Err(ApiFailure::new(
                Code::FailedPrecondition,
                format!(
                    "Cannot delete cluster '{}' while it has other pending delete operations.",
                    key.name
                ),
            ));
        }
        let now = self.clock.now();
        record.enter("DELETING", None, now);
        let facts = record.facts.clone();
        let before = record.work.take();
        let labels = record.resource()["labels"].clone();
        let beginning = Beginning {
            key,
            kind: OperationKind::Delete,
            request,
            uuid: &facts.uuid,
            labels,
            description: "Delete cluster".to_owned(),
            warnings: Vec::new(),
        };
        let operation = state.begin(beginning, now);
        if let Some((cut_off, _)) = &before {
            let end = (Code::Cancelled, "The cluster was deleted".to_owned());
            state.end(cut_off, Err(end), now);
        }
        let answer = state.operation(&operation);
        let service = Arc::clone(self);
        let work = tokio::spawn({
            let (key, operation) = (key.clone(), operation.clone());
            async move {
                if let Some((_, work)) = before {
                    work.abort();
                    // Ended one way or the other; the runtime may now be called again.
                    work.await.ok();
                }
                let ended = "The cluster of the job was deleted.";
                service.end_jobs_of(&facts.uuid, ended).await;
                let gone = service.runtime.delete(&facts).await;
                service
                    .settle(&key, &operation, gone.map(|()| Left::Gone))
                    .await;
            }
        });
        if let Some(record) = state.clusters.get_mut(key) {
            record.work = Some((operation, work));
        }
        drop(state);
        self.changed.notify_waiters();
        Ok(answer)
    }

    /// Begins to carry out a checked change and gives the operation.
    pub(crate) fn update(
        self: &Arc<Self>,
        key: &ClusterKey,
        body: &Value,
        mask: &str,
        graceful: &str,
        request: &str,
    ) -> Result<Value, ApiFailure> {
        let now = self.clock.now();
        let plan =
            |record: &ClusterRecord| Change::plan(record, body, mask, graceful, now).map(Some);
        self.transition(key, "", request, OperationKind::Update, plan)
    }

    /// Begins to bring a cluster to the sizes that its autoscaling policy recommends.
    pub(crate) fn autoscale(
        self: &Arc<Self>,
        key: &ClusterKey,
        uuid: &str,
        sizes: Sizes,
        graceful: Duration,
    ) -> Result<Value, ApiFailure> {
        let plan = |record: &ClusterRecord| Ok(Some(Change::to_sizes(record, sizes, graceful)));
        self.transition(key, uuid, "", OperationKind::Update, plan)
    }

    /// Begins to stop or to start the machines of a cluster and gives the operation.
    pub(crate) fn power(
        self: &Arc<Self>,
        key: &ClusterKey,
        uuid: &str,
        request: &str,
        kind: OperationKind,
    ) -> Result<Value, ApiFailure> {
        let plan = |record: &ClusterRecord| match kind {
            OperationKind::Stop => check_stoppable(record).map(|()| None),
            _ => Ok(None),
        };
        self.transition(key, uuid, request, kind, plan)
    }

    fn transition(
        self: &Arc<Self>,
        key: &ClusterKey,
        uuid: &str,
        request: &str,
        kind: OperationKind,
        plan: impl FnOnce(&ClusterRecord) -> Result<Option<Change>, ApiFailure>,
    ) -> Result<Value, ApiFailure> {
        let (from, during, description) = match kind {
            OperationKind::Stop => ("RUNNING", "STOPPING", "Stop cluster"),
            OperationKind::Start => ("STOPPED", "STARTING", "Start cluster"),
            _ => ("RUNNING", "UPDATING", "Update cluster"),
        };
        let mut state = self.lock();
        if let Some(operation) = state.repeated(key, kind, request)? {
            return Ok(operation);
        }
        let record = existing(&mut state, key, uuid)?;
        if record.state() != from {
            return Err(ApiFailure::new(
                Code::FailedPrecondition,
                format!(
                    "Cluster '{}' must be in state {from} for the operation {}, it is in state {}",
                    key.name,
                    kind.name(),
                    record.state()
                ),
            ));
        }
        let change = plan(record)?;
        if let Some(policy) = change.as_ref().and_then(|change| change.policy.as_deref()) {
            state.known_policy(key, policy)?;
        }
        let description = match &change {
            Some(change) if change.scales => change.description(),
            _ => description.to_owned(),
        };
        let now = self.clock.now();
        let record = existing(&mut state, key, uuid)?;
        record.enter(during, None, now);
        let facts = record.facts.clone();
        let beginning = Beginning {
            key,
            kind,
            request,
            uuid: &facts.uuid,
            labels: record.resource()["labels"].clone(),
            description,
            warnings: Vec::new(),
        };
        let operation = state.begin(beginning, now);
        let answer = state.operation(&operation);
        let service = Arc::clone(self);
        let fault = faults::of_this_call();
        let work = tokio::spawn({
            let (key, operation) = (key.clone(), operation.clone());
            async move {
                let runtime = &service.runtime;
                let outcome = match (kind, change) {
                    _ if let Some(error) = fault => Err(error),
                    (OperationKind::Stop, _) => {
                        let ended = "The cluster of the job was stopped.";
                        service.end_jobs_of(&facts.uuid, ended).await;
                        runtime.stop(&facts).await.map(|()| Left::Stopped)
                    }
                    (_, Some(change)) if change.scales => {
                        match runtime.scale(&change.facts, change.graceful).await {
                            Ok(machines) => Ok(Left::Changed(Box::new(change), Some(machines))),
                            Err(error) => Err(error),
                        }
                    }
                    (_, Some(change)) => Ok(Left::Changed(Box::new(change), None)),
                    (_, None) => runtime.start(&facts).await.map(Left::Running),
                };
                service.settle(&key, &operation, outcome).await;
            }
        });
        if let Some(record) = state.clusters.get_mut(key) {
            record.work = Some((operation, work));
        }
        Ok(answer)
    }

    /// Starts what a new cluster's machines ask about themselves.
    fn metadata_server(self: &Arc<Self>, key: &ClusterKey, uuid: &str) -> Option<MetadataServer> {
        if !self.runtime.has_machines() {
            return None;
        }
        let started = MetadataServer::start(self, key, uuid, self.metadata_ip);
        started
            .inspect_err(|error| tracing::warn!(%error, "a cluster has no metadata server"))
            .ok()
    }

    /// Writes down how a piece of work ended.
    pub(crate) async fn settle(
        self: &Arc<Self>,
        key: &ClusterKey,
        operation: &str,
        outcome: Result<Left, RuntimeError>,
    ) {
        let machines = match &outcome {
            Ok(Left::Running(machines) | Left::Changed(_, Some(machines))) => {
                Some(machines.clone())
            }
            _ => None,
        };
        if let Some(machines) = machines {
            if let Some(record) = self.lock().clusters.get_mut(key) {
                take_machines(record, machines);
            }
            self.admit_keys().await;
        }
        let now = self.clock.now();
        let mut state = self.lock();
        let Some(record) = state.clusters.get_mut(key) else {
            return;
        };
        let end = match outcome {
            Ok(Left::Gone) => {
                state.clusters.remove(key);
                Ok(empty_response())
            }
            Ok(left) => {
                match left {
                    Left::Changed(change, _) => {
                        change.apply(record, now);
                        fill_ports(record);
                        record.enter("RUNNING", None, now);
                    }
                    Left::Stopped => record.enter("STOPPED", None, now),
                    Left::Running(_) | Left::Gone => {
                        if record.state() == "STARTING" {
                            (record.started, record.idle_since) = (now, None);
                        }
                        record.enter("RUNNING", None, now);
                    }
                }
                Ok(cluster_response(record.resource()))
            }
            Err(error) => {
                let detail = error.to_string();
                tracing::warn!(cluster = key.name, %detail, "the cluster's runtime failed");
                match (record.state(), &error) {
                    // Nothing was done, so nothing is broken.
                    ("UPDATING" | "STOPPING", RuntimeError::NotEmulated { .. }) => {
                        record.enter("RUNNING", None, now);
                    }
                    ("UPDATING", _) => record.enter("ERROR_DUE_TO_UPDATE", Some(&detail), now),
                    _ => record.enter("ERROR", Some(&detail), now),
                }
                Err((code(&error), detail))
            }
        };
        if let Some(record) = state.clusters.get_mut(key) {
            record.work = None;
        }
        state.end(operation, end, now);
        drop(state);
        self.changed.notify_waiters();
    }

    /// Ends every cluster that is left and takes no new work on. Idempotent.
    pub(crate) async fn close(&self) {
        self.lock().closed = true;
        self.end_all_jobs().await;
        let left: Vec<ClusterRecord> = std::mem::take(&mut self.lock().clusters)
            .into_values()
            .collect();
        for record in left {
            if let Some((_, work)) = record.work {
                work.abort();
                work.await.ok();
            }
            if let Err(error) = self.runtime.delete(&record.facts).await {
                tracing::warn!(cluster = record.facts.name, %error, "a cluster could not be ended");
            }
        }
        self.changed.notify_waiters();
    }
}

/// The cluster of that name, if its UUID is the one that was asked for.
fn existing<'a>(
    state: &'a mut State,
    key: &ClusterKey,
    uuid: &str,
) -> Result<&'a mut ClusterRecord, ApiFailure> {
    let fits = |record: &&mut ClusterRecord| uuid.is_empty() || record.facts.uuid == uuid;
    let found = state.clusters.get_mut(key).filter(fits);
    found.ok_or_else(|| key.not_found())
}

/// Machines that stay keep what is known of them.
pub(crate) fn take_machines(record: &mut ClusterRecord, machines: Machines) {
    record.web_pages = machines.web_pages;
    fill_ports(record);
    let mut known = std::mem::take(&mut record.machines);
    for machine in machines.machines {
        let mut new = MachineRecord::new(machine, &record.facts);
        if let Some(at) = known.iter().position(|old| old.name == new.name) {
            new.metadata = known.swap_remove(at).metadata;
        }
        record.machines.push(new);
    }
}

/// Tells the web pages where the component gateway was asked for.
fn fill_ports(record: &mut ClusterRecord) {
    let asked = &record.resource()["config"]["endpointConfig"]["enableHttpPortAccess"];
    if *asked == true {
        let pages = json!(record.web_pages);
        record.resource_mut()["config"]["endpointConfig"]["httpPorts"] = pages;
    }
}

/// Refuses to stop what Google's pages say cannot be stopped: a cluster with secondary workers or with local SSDs.
fn check_stoppable(record: &ClusterRecord) -> Result<(), ApiFailure> {
    let config = &record.resource()["config"];
    let has_ssds = |group: &str| config[group]["diskConfig"]["numLocalSsds"].as_i64() > Some(0);
    let message = if record.facts.secondary_workers > 0 {
        "A cluster with secondary workers can not be stopped"
    } else if ["masterConfig", "workerConfig"].into_iter().any(has_ssds) {
        "A cluster with local SSDs can not be stopped"
    } else {
        return Ok(());
    };
    Err(ApiFailure::new(Code::FailedPrecondition, message))
}

/// The code of a failed operation; how the real service labels a stockout is not documented.
const fn code(error: &RuntimeError) -> Code {
    match error {
        RuntimeError::NotEmulated { .. } => Code::Unimplemented,
        RuntimeError::Stockout { .. } => Code::ResourceExhausted,
        RuntimeError::Failed { .. } => Code::Internal,
    }
}

pub(crate) fn check_region(region: &str) -> Result<(), ApiFailure> {
    let (place, number) =
        region.split_at(region.trim_end_matches(|c: char| c.is_ascii_digit()).len());
    let letters = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    let fits = place
        .split_once('-')
        .is_some_and(|(a, b)| letters(a) && letters(b));
    if fits && !number.is_empty() {
        return Ok(());
    }
    Err(ApiFailure::invalid_field(
        "region",
        format!("Invalid region '{region}'"),
    ))
}

/// The resource of a cluster, for those who look from outside the API.
pub(crate) fn snapshot(state: &State) -> Vec<Value> {
    let clusters = state.clusters.values();
    clusters
        .map(|record| {
            let mut resource = record.resource().clone();
            let machine = |m: &MachineRecord| json!({"name": m.name, "address": m.address});
            resource["machines"] = record.machines.iter().map(machine).collect();
            resource
        })
        .collect()
}
