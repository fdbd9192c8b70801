//! A Dataproc in memory: clusters and operations with the service's states, and outcomes that tests choose.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use flinkproc_core::{ClusterRef, ClusterUuid, ProjectId, Region, RequestId};
use serde_json::{Value, json};

use crate::clusters::{
    Cluster, ClusterApi, ClusterSpec, ClusterState, ClusterUpdate, Operation, OperationName,
    OperationState,
};
use crate::error::{ApiError, ClusterError, Subject};
use crate::memory_jobs::{JobEntry, JobRun};

/// A stateful double of the Dataproc control plane, for both [`ClusterApi`] and [`crate::JobApi`].
///
/// Time passes by questions: an operation ends when it, or its cluster, was read as often as [`MemoryDataproc::with_polls`] says
/// (0: it has ended at the first look); likewise a job.
#[derive(Debug, Default)]
pub struct MemoryDataproc {
    pub(crate) state: Mutex<State>,
}

/// What becomes of a cluster's creation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Creation {
    /// It runs.
    Runs,
    /// The operation fails with this `google.rpc.Code` and message, and the cluster stays in state `ERROR`.
    Fails {
        /// The code.
        code: i32,
        /// The service's words.
        message: String,
    },
    /// The operation ends well, but the cluster is in state `ERROR` with this detail.
    Errs {
        /// The service's words.
        detail: String,
    },
    /// The operation ends well, but somebody is deleting the cluster already.
    Deleting,
    /// The request itself is refused with this `google.rpc.Code` and message; there is no cluster.
    Refused {
        /// The code.
        code: i32,
        /// The service's words.
        message: String,
    },
}

#[derive(Debug, Default)]
pub(crate) struct State {
    clusters: BTreeMap<String, Entry>,
    operations: HashMap<String, Running>,
    pub(crate) requests: HashMap<String, String>,
    pub(crate) jobs: BTreeMap<String, JobEntry>,
    pub(crate) runs: VecDeque<JobRun>,
    creations: VecDeque<Creation>,
    pub(crate) polls: u32,
    made: u64,
}

#[derive(Debug)]
struct Entry {
    cluster: ClusterRef,
    resource: Value,
    operation: Option<String>,
}

#[derive(Debug)]
struct Running {
    cluster: String,
    polls: u32,
    effect: Effect,
    state: OperationState,
    output_uri: Option<String>,
}

#[derive(Clone, Debug)]
enum Effect {
    Becomes(ClusterState, Option<String>),
    Fails(i32, String),
    Changes(Value, Vec<String>),
    Vanishes,
    Writes(String),
}

impl MemoryDataproc {
    /// An empty project where every operation has ended at the first look.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes each operation and job started from now on last for so many looks.
    #[must_use]
    pub fn with_polls(self, polls: u32) -> Self {
        self.lock().polls = polls;
        self
    }

    /// Chooses what becomes of the next creation that has no outcome yet; without one it runs.
    pub fn next_creation(&self, creation: Creation) {
        self.lock().creations.push_back(creation);
    }

    /// Puts a running cluster there, as if somebody else had made it.
    pub fn plant(&self, spec: &ClusterSpec) {
        let mut state = self.lock();
        state.insert(spec);
        state.set_state(&spec.cluster.to_string(), ClusterState::Running, None);
    }

    /// Puts a cluster into a state, as if something had happened to it.
    pub fn set_state(&self, cluster: &ClusterRef, to: ClusterState, detail: Option<&str>) {
        self.lock().set_state(&cluster.to_string(), to, detail);
    }

    /// Takes a cluster away, as the service does when its idle time is over.
    pub fn remove(&self, cluster: &ClusterRef) {
        self.lock().clusters.remove(&cluster.to_string());
    }

    /// The clusters that are there now, without any time passing.
    #[must_use]
    pub fn clusters(&self) -> Vec<Cluster> {
        let state = self.lock();
        state
            .clusters
            .values()
            .filter_map(|entry| entry.read().ok())
            .collect()
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn read(&self) -> Result<Cluster, ApiError> {
        let Self {
            cluster, resource, ..
        } = self;
        Cluster::from_resource(&cluster.project, &cluster.region, resource.clone())
    }
}

/// Turns `config.worker_config.num_instances` into `/config/workerConfig/numInstances`.
fn pointer(path: &str) -> String {
    let mut pointer = String::from("/");
    let mut upper = false;
    for letter in path.chars() {
        match letter {
            '.' => pointer.push('/'),
            '_' => upper = true,
            _ if upper => {
                pointer.push(letter.to_ascii_uppercase());
                upper = false;
            }
            _ => pointer.push(letter),
        }
    }
    pointer
}

/// Sets the value at a JSON pointer; objects on the way are made.
fn put(resource: &mut Value, pointer: &str, value: Value) {
    let mut at = resource;
    for key in pointer.trim_start_matches('/').split('/') {
        if !at.is_object() {
            *at = json!({});
        }
        let Some(object) = at.as_object_mut() else {
            return;
        };
        at = object.entry(key).or_insert(Value::Null);
    }
    *at = value;
}

impl State {
    pub(crate) fn count(&mut self) -> u64 {
        self.made += 1;
        self.made
    }

    pub(crate) fn cluster_state(&mut self, cluster: &ClusterRef) -> Option<ClusterState> {
        let entry = self.clusters.get(&cluster.to_string())?;
        entry.read().ok().map(|cluster| cluster.state)
    }

    fn insert(&mut self, spec: &ClusterSpec) {
        let ClusterRef {
            project,
            region,
            name,
        } = &spec.cluster;
        let number = self.count();
        let mut resource = spec.resource.clone();
        let mut fill = |pointer: &str, value: Value| {
            if resource
                .pointer(pointer)
                .is_none_or(|v| v.is_null() || *v == json!(""))
            {
                put(&mut resource, pointer, value);
            }
        };
        fill(
            "/config/gceClusterConfig/zoneUri",
            json!(format!("{region}-a")),
        );
        fill(
            "/config/softwareConfig/imageVersion",
            json!("2.2.0-debian12"),
        );
        fill("/config/masterConfig/numInstances", json!(1));
        fill("/config/workerConfig/numInstances", json!(2));
        fill(
            "/config/configBucket",
            json!(format!("dataproc-staging-{region}-1")),
        );
        put(&mut resource, "/projectId", json!(project));
        put(&mut resource, "/clusterName", json!(name));
        let uuid = format!("{number:08x}-0000-4000-8000-{number:012x}");
        put(&mut resource, "/clusterUuid", json!(uuid));
        let entry = Entry {
            cluster: spec.cluster.clone(),
            resource,
            operation: None,
        };
        let key = spec.cluster.to_string();
        self.clusters.insert(key.clone(), entry);
        self.name_machines(&key);
        self.set_state(&key, ClusterState::Creating, None);
    }

    fn name_machines(&mut self, key: &str) {
        let Some(Entry {
            cluster, resource, ..
        }) = self.clusters.get_mut(key)
        else {
            return;
        };
        let number = |resource: &Value, pointer| {
            resource
                .pointer(pointer)
                .and_then(Value::as_u64)
                .unwrap_or(0)
        };
        let name = &cluster.name;
        let masters: Vec<_> = match number(resource, "/config/masterConfig/numInstances") {
            1 => vec![format!("{name}-m")],
            several => (0..several).map(|n| format!("{name}-m-{n}")).collect(),
        };
        let workers = number(resource, "/config/workerConfig/numInstances");
        let workers: Vec<_> = (0..workers).map(|n| format!("{name}-w-{n}")).collect();
        put(
            resource,
            "/config/masterConfig/instanceNames",
            json!(masters),
        );
        put(
            resource,
            "/config/workerConfig/instanceNames",
            json!(workers),
        );
    }

    fn set_state(&mut self, key: &str, to: ClusterState, detail: Option<&str>) {
        if let Some(entry) = self.clusters.get_mut(key) {
            let mut status = json!({"state": to});
            if let Some(detail) = detail {
                put(&mut status, "/detail", json!(detail));
            }
            put(&mut entry.resource, "/status", status);
        }
    }

    fn begin(
        &mut self,
        cluster: &ClusterRef,
        request: Option<&RequestId>,
        effect: Effect,
    ) -> OperationName {
        let number = self.count();
        let name = format!(
            "projects/{}/regions/{}/operations/memory-{number}",
            cluster.project, cluster.region
        );
        let key = cluster.to_string();
        let polls = self.polls;
        let state = OperationState::Running;
        self.operations.insert(
            name.clone(),
            Running {
                cluster: key.clone(),
                polls,
                effect,
                state,
                output_uri: None,
            },
        );
        if let Some(entry) = self.clusters.get_mut(&key) {
            entry.operation = Some(name.clone());
        }
        if let Some(request) = request {
            self.requests.insert(request.to_string(), name.clone());
        }
        OperationName(name)
    }

    fn seen(&self, request: &RequestId) -> Option<OperationName> {
        self.requests
            .get(request.as_str())
            .cloned()
            .map(OperationName)
    }

    /// Lets one step of time pass for an operation.
    fn tick(&mut self, name: &str) {
        let Some(running) = self.operations.get_mut(name) else {
            return;
        };
        if running.state != OperationState::Running {
            return;
        }
        if running.polls > 0 {
            running.polls -= 1;
            return;
        }
        running.state = OperationState::Done;
        let key = running.cluster.clone();
        match running.effect.clone() {
            Effect::Becomes(to, detail) => self.set_state(&key, to, detail.as_deref()),
            Effect::Writes(uri) => running.output_uri = Some(uri),
            Effect::Fails(code, message) => {
                running.state = OperationState::Failed {
                    code,
                    message: message.clone(),
                };
                self.set_state(&key, ClusterState::Error, Some(&message));
            }
            Effect::Changes(from, mask) => {
                if let Some(entry) = self.clusters.get_mut(&key) {
                    for pointer in mask.iter().map(|path| pointer(path)) {
                        let value = from.pointer(&pointer).cloned().unwrap_or(Value::Null);
                        put(&mut entry.resource, &pointer, value);
                    }
                }
                self.name_machines(&key);
                self.set_state(&key, ClusterState::Running, None);
            }
            Effect::Vanishes => {
                self.clusters.remove(&key);
            }
        }
    }

    /// Ends the operation that a cluster is in, because the cluster is being deleted.
    fn abort(&mut self, key: &str) {
        let name = self
            .clusters
            .get(key)
            .and_then(|entry| entry.operation.clone());
        if let Some(running) = name.and_then(|name| self.operations.get_mut(&name))
            && running.state == OperationState::Running
        {
            let message = "the cluster is being deleted".to_owned();
            running.state = OperationState::Failed { code: 10, message };
        }
    }

    /// Lets one step of time pass for the operation that a cluster is in.
    fn tick_cluster(&mut self, key: &str) {
        if let Some(name) = self
            .clusters
            .get(key)
            .and_then(|entry| entry.operation.clone())
        {
            self.tick(&name);
        }
    }

    /// Starts a change of a cluster that must be in one of `from`.
    fn change(
        &mut self,
        cluster: &ClusterRef,
        request: &RequestId,
        from: &[ClusterState],
        during: ClusterState,
        effect: Effect,
    ) -> Result<OperationName, ClusterError> {
        if let Some(name) = self.seen(request) {
            return Ok(name);
        }
        let subject = Subject::Cluster(cluster.clone());
        match self.cluster_state(cluster) {
            None => Err(ApiError::NotFound { subject }),
            Some(state) if from.contains(&state) => {
                self.set_state(&cluster.to_string(), during, None);
                Ok(self.begin(cluster, Some(request), effect))
            }
            Some(state) => {
                let message = format!("the cluster is in state {state:?}");
                Err(ApiError::Busy { subject, message })
            }
        }
    }
}

/// Whether a cluster passes the part of the filter language that Dataproc documents: `field = value` joined by `AND`.
fn passes(cluster: &Cluster, filter: &str) -> Result<bool, ApiError> {
    let unreadable = || ApiError::Invalid {
        subject: Subject::List("the list of clusters".to_owned()),
        message: format!("the filter `{filter}` is not `field = value [AND field = value] …`"),
    };
    let mut all = true;
    for term in filter
        .split(" AND ")
        .map(str::trim)
        .filter(|term| !term.is_empty())
    {
        let (field, value) = term.split_once('=').ok_or_else(unreadable)?;
        let (field, value) = (field.trim(), value.trim());
        let label = |key: &str| cluster.labels.get(key).map(String::as_str);
        all &= match field {
            "clusterName" => cluster.cluster.name.as_str() == value,
            "status.state" => {
                let active = !matches!(cluster.state, ClusterState::Deleting | ClusterState::Error);
                match value {
                    "ACTIVE" => active,
                    "INACTIVE" => !active,
                    _ => json!(cluster.state) == json!(value),
                }
            }
            _ => match field.strip_prefix("labels.") {
                Some(key) if value == "*" => label(key).is_some(),
                Some(key) => label(key) == Some(value),
                None => return Err(unreadable()),
            },
        };
    }
    Ok(all)
}

#[async_trait]
impl ClusterApi for MemoryDataproc {
    async fn find(&self, cluster: &ClusterRef) -> Result<Option<Cluster>, ClusterError> {
        let mut state = self.lock();
        let key = cluster.to_string();
        state.tick_cluster(&key);
        state.clusters.get(&key).map(Entry::read).transpose()
    }

    async fn list(
        &self,
        project: &ProjectId,
        region: &Region,
        filter: &str,
    ) -> Result<Vec<Cluster>, ClusterError> {
        let mut found = Vec::new();
        for cluster in self.clusters() {
            let here = cluster.cluster.project == *project && cluster.cluster.region == *region;
            if here && passes(&cluster, filter)? {
                found.push(cluster);
            }
        }
        Ok(found)
    }

    async fn start_create(
        &self,
        spec: &ClusterSpec,
        request: &RequestId,
    ) -> Result<OperationName, ClusterError> {
        let mut state = self.lock();
        if let Some(name) = state.seen(request) {
            return Ok(name);
        }
        let subject = Subject::Cluster(spec.cluster.clone());
        if !spec.resource.is_object() {
            let message = "the resource is no JSON object".to_owned();
            return Err(ApiError::Invalid { subject, message });
        }
        if state.cluster_state(&spec.cluster).is_some() {
            return Err(ApiError::AlreadyExists { subject });
        }
        let effect = match state.creations.pop_front().unwrap_or(Creation::Runs) {
            Creation::Runs => Effect::Becomes(ClusterState::Running, None),
            Creation::Fails { code, message } => Effect::Fails(code, message),
            Creation::Errs { detail } => Effect::Becomes(ClusterState::Error, Some(detail)),
            Creation::Deleting => Effect::Becomes(ClusterState::Deleting, None),
            Creation::Refused { code, message } => {
                return Err(ApiError::from_status(subject, code, message));
            }
        };
        state.insert(spec);
        Ok(state.begin(&spec.cluster, Some(request), effect))
    }

    async fn start_update(
        &self,
        cluster: &ClusterRef,
        update: &ClusterUpdate,
        request: &RequestId,
    ) -> Result<OperationName, ClusterError> {
        let effect = Effect::Changes(update.resource.clone(), update.mask.clone());
        self.lock().change(
            cluster,
            request,
            &[ClusterState::Running],
            ClusterState::Updating,
            effect,
        )
    }

    async fn start_delete(
        &self,
        cluster: &ClusterRef,
        uuid: Option<&ClusterUuid>,
        request: &RequestId,
    ) -> Result<Option<OperationName>, ClusterError> {
        let mut state = self.lock();
        if let Some(name) = state.seen(request) {
            return Ok(Some(name));
        }
        let Some(found) = state.clusters.get(&cluster.to_string()) else {
            return Ok(None);
        };
        let found = found.read()?;
        if uuid.is_some_and(|uuid| *uuid != found.uuid) {
            return Ok(None);
        }
        if found.state == ClusterState::Deleting {
            // Whoever deletes it holds the operation; here it goes at the next look.
            state.begin(cluster, None, Effect::Vanishes);
            return Ok(None);
        }
        state.abort(&cluster.to_string());
        state.set_state(&cluster.to_string(), ClusterState::Deleting, None);
        Ok(Some(state.begin(cluster, Some(request), Effect::Vanishes)))
    }

    async fn start_stop(
        &self,
        cluster: &ClusterRef,
        request: &RequestId,
    ) -> Result<OperationName, ClusterError> {
        let effect = Effect::Becomes(ClusterState::Stopped, None);
        self.lock().change(
            cluster,
            request,
            &[ClusterState::Running],
            ClusterState::Stopping,
            effect,
        )
    }

    async fn start_start(
        &self,
        cluster: &ClusterRef,
        request: &RequestId,
    ) -> Result<OperationName, ClusterError> {
        let effect = Effect::Becomes(ClusterState::Running, None);
        self.lock().change(
            cluster,
            request,
            &[ClusterState::Stopped],
            ClusterState::Starting,
            effect,
        )
    }

    async fn start_diagnose(&self, cluster: &ClusterRef) -> Result<OperationName, ClusterError> {
        let mut state = self.lock();
        let Some(entry) = state.clusters.get(&cluster.to_string()) else {
            return Err(ApiError::NotFound {
                subject: Subject::Cluster(cluster.clone()),
            });
        };
        let found = entry.read()?;
        let bucket = found.config_bucket.unwrap_or_default();
        let uri = format!(
            "gs://{bucket}/google-cloud-dataproc-metainfo/{}/diagnostic.tar.gz",
            found.uuid
        );
        Ok(state.begin(cluster, None, Effect::Writes(uri)))
    }

    async fn operation(&self, name: &OperationName) -> Result<Operation, ClusterError> {
        let mut state = self.lock();
        state.tick(&name.0);
        match state.operations.get(&name.0) {
            None => Err(ApiError::NotFound {
                subject: Subject::Operation(name.clone()),
            }),
            Some(running) => Ok(Operation {
                name: name.clone(),
                state: running.state.clone(),
                warnings: Vec::new(),
                output_uri: running.output_uri.clone(),
            }),
        }
    }
}
