//! What the emulator knows: clusters, operations, projects, and the requests that it has seen.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use gcs_emulator::Guard;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::autoscaler::Period;
use crate::clock::EmulatorClock;
use crate::compute_operations::ComputeOperation;
use crate::emulator::EmulatorOptions;
use crate::failure::{ApiFailure, Code};
use crate::faults::Faults;
use crate::iam::Grants;
use crate::iap::Relay;
use crate::jobs::Jobs;
use crate::logging::Log;
use crate::machines::{MachineRecord, Metadata};
use crate::metadata_server::{AccessToken, MetadataServer};
use crate::operations::{OperationKind, OperationRecord};
use crate::os_login::Logins;
use crate::policy::PolicyRecord;
use crate::quotas::Quotas;
use crate::runtime::{ClusterFacts, ClusterRuntime};
use crate::secrets::Secrets;
use crate::storage::Storage;
use crate::template::TemplateRecord;

/// Everything behind the router.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) runtime: Arc<dyn ClusterRuntime>,
    pub(crate) clock: EmulatorClock,
    pub(crate) faults: Faults,
    pub(crate) storage_endpoint: Option<String>,
    /// Where it is called itself.
    pub(crate) api_endpoint: String,
    /// The login name of every POSIX account, where machines know only one.
    pub(crate) login_user: Option<String>,
    pub(crate) grants: Grants,
    pub(crate) relay: Arc<Relay>,
    pub(crate) quotas: Quotas,
    pub(crate) secrets: Secrets,
    pub(crate) log: Log,
    /// What machines get of their metadata servers.
    pub(crate) access_token: AccessToken,
    /// Where those listen.
    pub(crate) metadata_ip: IpAddr,
    /// Who may call.
    pub(crate) guard: Guard,
    /// How long a client may take to send a head or a body.
    pub(crate) patience: Duration,
    storage: Option<Storage>,
    /// Rung whenever an operation ends or a deadline may have moved.
    pub(crate) changed: Notify,
    /// Held while keys are handed to the runtime, so that the newest come last.
    pub(crate) keys: tokio::sync::Mutex<()>,
    /// Held while timers are looked at, so that nothing is looked at twice.
    pub(crate) timers: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

/// What changes.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) clusters: BTreeMap<ClusterKey, ClusterRecord>,
    pub(crate) operations: BTreeMap<String, OperationRecord>,
    pub(crate) projects: BTreeMap<String, Metadata>,
    pub(crate) compute_operations: BTreeMap<String, ComputeOperation>,
    pub(crate) logins: Logins,
    pub(crate) jobs: Jobs,
    /// Autoscaling policies, by project, region and id.
    pub(crate) policies: BTreeMap<ClusterKey, PolicyRecord>,
    /// Workflow templates, likewise.
    pub(crate) templates: BTreeMap<ClusterKey, TemplateRecord>,
    requests: HashMap<SeenRequest, String>,
    /// No new work is taken on once the emulator stops.
    pub(crate) closed: bool,
}

/// Names a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ClusterKey {
    pub(crate) project: String,
    pub(crate) region: String,
    pub(crate) name: String,
}

impl ClusterKey {
    pub(crate) fn new(project: &str, region: &str, name: &str) -> Self {
        Self {
            project: project.to_owned(),
            region: region.to_owned(),
            name: name.to_owned(),
        }
    }

    /// The error of a cluster that is not there.
    pub(crate) fn not_found(&self) -> ApiFailure {
        ApiFailure::new(
            Code::NotFound,
            format!(
                "Not found: Cluster projects/{}/regions/{}/clusters/{}",
                self.project, self.region, self.name
            ),
        )
    }
}

/// One cluster.
#[derive(Debug)]
pub(crate) struct ClusterRecord {
    pub(crate) facts: ClusterFacts,
    pub(crate) machines: Vec<MachineRecord>,
    /// What its machines ask about themselves; none for clusters without machines.
    pub(crate) metadata_server: Option<MetadataServer>,
    /// What works on it, and the operation that this serves.
    pub(crate) work: Option<(String, JoinHandle<()>)>,
    /// Since when its age counts: its creation, or the last change of its age limit.
    pub(crate) age_from: Timestamp,
    pub(crate) idle_since: Option<Timestamp>,
    /// When it was made, or last started.
    pub(crate) started: Timestamp,
    /// The web pages of its machines, by name.
    pub(crate) web_pages: BTreeMap<String, String>,
    /// What its autoscaler has seen in the present period.
    pub(crate) scaling: Option<Period>,
    resource: Value,
    rendered: Option<Bytes>,
}

impl ClusterRecord {
    pub(crate) fn new(resource: Value, facts: ClusterFacts, now: Timestamp) -> Self {
        let mut record = Self {
            facts,
            machines: Vec::new(),
            metadata_server: None,
            work: None,
            age_from: now,
            idle_since: None,
            started: now,
            web_pages: BTreeMap::new(),
            scaling: None,
            resource,
            rendered: None,
        };
        record.resource["status"] = status("CREATING", None, now);
        record
    }

    /// The resource as the API answers it.
    pub(crate) const fn resource(&self) -> &Value {
        &self.resource
    }

    /// Changes the resource.
    pub(crate) fn resource_mut(&mut self) -> &mut Value {
        self.rendered = None;
        &mut self.resource
    }

    /// The resource as text, kept until it changes.
    pub(crate) fn rendered(&mut self) -> Bytes {
        let resource = &self.resource;
        self.rendered
            .get_or_insert_with(|| Bytes::from(resource.to_string()))
            .clone()
    }

    /// The id of its autoscaling policy.
    pub(crate) fn policy(&self) -> Option<&str> {
        let uri = self.resource["config"]["autoscalingConfig"]["policyUri"].as_str()?;
        uri.rsplit('/').next()
    }

    /// The state's name.
    pub(crate) fn state(&self) -> &str {
        self.resource["status"]["state"]
            .as_str()
            .unwrap_or_default()
    }

    /// Enters a state; the one before goes into the history.
    pub(crate) fn enter(&mut self, state: &str, detail: Option<&str>, now: Timestamp) {
        let resource = self.resource_mut();
        let before = resource["status"].take();
        match resource["statusHistory"].as_array_mut() {
            Some(history) => history.push(before),
            None => resource["statusHistory"] = json!([before]),
        }
        resource["status"] = status(state, detail, now);
    }
}

fn status(state: &str, detail: Option<&str>, now: Timestamp) -> Value {
    let mut status = json!({"state": state, "stateStartTime": now.to_string()});
    if let Some(detail) = detail {
        status["detail"] = json!(detail);
    }
    status
}

impl Service {
    pub(crate) fn new(
        runtime: Arc<dyn ClusterRuntime>,
        options: EmulatorOptions,
        address: SocketAddr,
    ) -> Self {
        let storage = options.storage_endpoint.as_deref();
        let storage = storage.map(|endpoint| Storage::new(endpoint, options.token.clone()));
        Self {
            storage,
            runtime,
            clock: EmulatorClock::default(),
            faults: Faults::default(),
            storage_endpoint: options.storage_endpoint,
            api_endpoint: format!("http://{address}"),
            login_user: options.login_user,
            grants: Grants::default(),
            relay: Arc::default(),
            quotas: Quotas::default(),
            secrets: Secrets::default(),
            log: Log::default(),
            access_token: AccessToken::new(options.token.as_deref()),
            metadata_ip: address.ip(),
            guard: options.token.map_or_else(Guard::open, Guard::with_token),
            patience: options.patience,
            changed: Notify::new(),
            keys: tokio::sync::Mutex::new(()),
            timers: tokio::sync::Mutex::new(()),
            state: Mutex::default(),
        }
    }

    /// Cloud Storage, where the clusters have one.
    pub(crate) fn storage(&self) -> Option<Storage> {
        self.storage.clone()
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Project, region, kind and id of a request: the service looks at no more when it decides whether it has seen it.
type SeenRequest = (String, String, OperationKind, String);

fn seen_as(key: &ClusterKey, kind: OperationKind, request: &str) -> SeenRequest {
    let (project, region) = (key.project.clone(), key.region.clone());
    (project, region, kind, request.to_owned())
}

/// Checks that a request id is one.
pub(crate) fn check_request_id(request: &str) -> Result<(), ApiFailure> {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if request.len() <= 40 && request.bytes().all(inner) {
        return Ok(());
    }
    Err(ApiFailure::invalid_field(
        "request_id",
        format!(
            "Invalid request id '{request}': at most 40 letters, numbers, underscores and hyphens"
        ),
    ))
}

/// An operation that is about to begin.
#[derive(Debug)]
pub(crate) struct Beginning<'a> {
    pub(crate) key: &'a ClusterKey,
    pub(crate) kind: OperationKind,
    pub(crate) request: &'a str,
    pub(crate) uuid: &'a str,
    pub(crate) labels: Value,
    pub(crate) description: String,
    pub(crate) warnings: Vec<String>,
}

impl State {
    /// The operation of an earlier request of the same id; also checks the id.
    pub(crate) fn repeated(
        &self,
        key: &ClusterKey,
        kind: OperationKind,
        request: &str,
    ) -> Result<Option<Value>, ApiFailure> {
        check_request_id(request)?;
        if self.closed {
            return Err(ApiFailure::new(Code::Internal, "the emulator is stopping"));
        }
        let known = self.requests.get(&seen_as(key, kind, request));
        Ok(known
            .and_then(|name| self.operations.get(name))
            .map(OperationRecord::json))
    }

    /// Writes an operation down and gives its name.
    pub(crate) fn begin(&mut self, beginning: Beginning<'_>, now: Timestamp) -> String {
        let Beginning { key, kind, .. } = beginning;
        let name = format!(
            "projects/{}/regions/{}/operations/{}",
            key.project,
            key.region,
            Uuid::new_v4()
        );
        if !beginning.request.is_empty() {
            let request = seen_as(key, kind, beginning.request);
            self.requests.insert(request, name.clone());
        }
        let record = OperationRecord {
            name: name.clone(),
            kind,
            cluster_name: key.name.clone(),
            cluster_uuid: beginning.uuid.to_owned(),
            labels: beginning.labels,
            description: beginning.description,
            warnings: beginning.warnings,
            since: now,
            begun: now,
            metadata: None,
            cancel: Arc::default(),
            end: None,
        };
        self.operations.insert(name.clone(), record);
        name
    }

    /// Writes down an operation that is not about a cluster alone and gives its name; `metadata` has its `@type`.
    pub(crate) fn begin_other(
        &mut self,
        key: &ClusterKey,
        kind: OperationKind,
        metadata: Value,
        now: Timestamp,
    ) -> String {
        let name = self.begin(
            Beginning {
                key,
                kind,
                request: "",
                uuid: "",
                labels: Value::Null,
                description: String::new(),
                warnings: Vec::new(),
            },
            now,
        );
        self.tell(&name, metadata);
        name
    }

    /// Brings the metadata of such an operation up to date.
    pub(crate) fn tell(&mut self, name: &str, metadata: Value) {
        if let Some(operation) = self.operations.get_mut(name) {
            operation.metadata = Some(metadata);
        }
    }

    /// Ends an operation; only its first end counts.
    pub(crate) fn end(&mut self, name: &str, end: Result<Value, (Code, String)>, now: Timestamp) {
        if let Some(operation) = self.operations.get_mut(name)
            && operation.end.is_none()
        {
            operation.end = Some(end);
            operation.since = now;
        }
    }

    /// An operation as the API answers it.
    pub(crate) fn operation(&self, name: &str) -> Value {
        self.operations
            .get(name)
            .map_or(Value::Null, OperationRecord::json)
    }

    /// The machine of that name, and the key of its cluster.
    pub(crate) fn machine(
        &mut self,
        project: &str,
        zone: &str,
        name: &str,
    ) -> Option<(ClusterKey, &mut ClusterRecord, usize)> {
        self.clusters.iter_mut().find_map(|(key, record)| {
            if key.project != project || record.facts.zone != zone {
                return None;
            }
            let at = record.machines.iter().position(|m| m.name == name)?;
            Some((key.clone(), record, at))
        })
    }
}
