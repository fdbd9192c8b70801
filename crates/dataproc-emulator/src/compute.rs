//! The calls of Compute Engine that a deployment makes: machines, their metadata, and whose keys may enter.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use bytes::Bytes;
use http::header;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::clock::real_sleep;
use crate::clusters::read_json;
use crate::failure::{ApiFailure, Code};
use crate::machines::{MachineRecord, Metadata, number};
use crate::resource::project_number;
use crate::service::{ClusterRecord, Service};

/// How long `wait` waits for an operation.
const WAIT: Duration = Duration::from_secs(120);

/// An operation of Compute Engine.
#[derive(Debug)]
pub(crate) struct ComputeOperation {
    path: String,
    kind: &'static str,
    target: String,
    begun: Timestamp,
    ended: Option<Timestamp>,
}

impl ComputeOperation {
    fn json(&self, base: &str) -> Value {
        let (place, name) = self.path.rsplit_once("/operations/").unwrap_or_default();
        let mut operation = json!({
            "kind": "compute#operation",
            "id": number(&self.path).to_string(),
            "name": name,
            "operationType": self.kind,
            "targetLink": format!("{base}/{}", self.target),
            "targetId": number(&self.target).to_string(),
            "status": if self.ended.is_some() { "DONE" } else { "RUNNING" },
            "progress": if self.ended.is_some() { 100 } else { 0 },
            "insertTime": self.begun.to_string(),
            "startTime": self.begun.to_string(),
            "selfLink": format!("{base}/{}", self.path),
        });
        if let Some((_, zone)) = place.rsplit_once("/zones/") {
            operation["zone"] = json!(format!("{base}/{place}"));
            tracing::trace!(zone, "an operation of a zone");
        }
        if let Some(ended) = self.ended {
            operation["endTime"] = json!(ended.to_string());
        }
        operation
    }
}

/// Where links of an answer point: the address that the client used.
fn base(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok());
    format!(
        "http://{}/compute/v1",
        host.unwrap_or("compute.googleapis.com")
    )
}

fn not_found(path: &str) -> ApiFailure {
    let message = format!("The resource '{path}' was not found");
    ApiFailure::new(Code::NotFound, message).of_compute("notFound")
}

type InZone = Path<(String, String, String)>;

fn instance_path(project: &str, zone: &str, name: &str) -> String {
    format!("projects/{project}/zones/{zone}/instances/{name}")
}

/// `GET …/zones/ZONE/instances/NAME`
pub(crate) async fn instance(
    State(service): State<Arc<Service>>,
    Path((project, zone, name)): InZone,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiFailure> {
    let mut state = service.lock();
    let (_, record, at) = state
        .machine(&project, &zone, &name)
        .ok_or_else(|| not_found(&instance_path(&project, &zone, &name)))?;
    let machine = record.machines.get(at);
    Ok(Json(machine.map_or(Value::Null, |machine| {
        instance_json(record, machine, &base(&headers))
    })))
}

/// `GET …/zones/ZONE/instances`
pub(crate) async fn instances(
    State(service): State<Arc<Service>>,
    Path((project, zone)): Path<(String, String)>,
    headers: HeaderMap,
) -> Json<Value> {
    let base = base(&headers);
    let state = service.lock();
    let clusters = state
        .clusters
        .values()
        .filter(|record| record.facts.project == project && record.facts.zone == zone);
    let items: Vec<Value> = clusters
        .flat_map(|record| record.machines.iter().map(move |m| (record, m)))
        .map(|(record, machine)| instance_json(record, machine, &base))
        .collect();
    Json(json!({
        "kind": "compute#instanceList",
        "id": format!("projects/{project}/zones/{zone}/instances"),
        "items": items,
    }))
}

fn instance_json(record: &ClusterRecord, machine: &MachineRecord, base: &str) -> Value {
    let facts = &record.facts;
    let zone = format!("{base}/projects/{}/zones/{}", facts.project, facts.zone);
    let config = &record.resource()["config"];
    let group = match machine.name.strip_prefix(facts.name.as_str()) {
        Some(rest) if rest.starts_with("-m") => "masterConfig",
        Some(rest) if rest.starts_with("-sw") => "secondaryWorkerConfig",
        _ => "workerConfig",
    };
    let status = match record.state() {
        "STOPPED" => "TERMINATED",
        "STOPPING" | "DELETING" => "STOPPING",
        "STARTING" => "STAGING",
        _ => "RUNNING",
    };
    let created = match record.resource()["statusHistory"].get(0) {
        Some(first) => &first["stateStartTime"],
        None => &record.resource()["status"]["stateStartTime"],
    };
    // A machine here has one address; unless the cluster wants none outside, it is that one too.
    let access = match config["gceClusterConfig"]["internalIpOnly"].as_bool() {
        Some(true) => json!([]),
        _ => json!([{
            "kind": "compute#accessConfig",
            "type": "ONE_TO_ONE_NAT",
            "name": "external-nat",
            "natIP": machine.address.to_string(),
        }]),
    };
    json!({
        "kind": "compute#instance",
        "id": machine.id.to_string(),
        "creationTimestamp": created,
        "name": machine.name,
        "tags": {"items": config["gceClusterConfig"]["tags"].as_array().cloned().unwrap_or_default()},
        "machineType": config[group]["machineTypeUri"],
        "status": status,
        "zone": zone,
        "networkInterfaces": [{
            "kind": "compute#networkInterface",
            "name": "nic0",
            "network": config["gceClusterConfig"]["networkUri"],
            "networkIP": machine.address.to_string(),
            "accessConfigs": access,
        }],
        "metadata": machine.metadata.json(),
        "selfLink": format!("{zone}/instances/{}", machine.name),
        "labels": facts.labels,
    })
}

/// `POST …/zones/ZONE/instances/NAME/setMetadata`
pub(crate) async fn set_metadata(
    State(service): State<Arc<Service>>,
    Path((project, zone, name)): InZone,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, ApiFailure> {
    let path = instance_path(&project, &zone, &name);
    let wish = object(&body)?;
    {
        let mut state = service.lock();
        let (_, record, at) = state
            .machine(&project, &zone, &name)
            .ok_or_else(|| not_found(&path))?;
        if let Some(machine) = record.machines.get_mut(at) {
            machine.metadata.replace(&wish)?;
        }
    }
    let place = format!("projects/{project}/zones/{zone}");
    Ok(Json(service.admit_in_background(
        &place,
        "setMetadata",
        path,
        &base(&headers),
    )))
}

/// `GET …/projects/PROJECT`
pub(crate) async fn project(
    State(service): State<Arc<Service>>,
    Path(project): Path<String>,
    headers: HeaderMap,
) -> Json<Value> {
    let state = service.lock();
    let metadata = state.projects.get(&project).cloned().unwrap_or_default();
    let number = project_number(&project);
    Json(json!({
        "kind": "compute#project",
        "id": number.to_string(),
        "name": project,
        "commonInstanceMetadata": metadata.json(),
        "defaultServiceAccount": format!("{number}-compute@developer.gserviceaccount.com"),
        "selfLink": format!("{}/projects/{project}", base(&headers)),
    }))
}

/// `POST …/projects/PROJECT/setCommonInstanceMetadata`
pub(crate) async fn set_common_metadata(
    State(service): State<Arc<Service>>,
    Path(project): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, ApiFailure> {
    let wish = object(&body)?;
    let mut bag: Metadata = service
        .lock()
        .projects
        .get(&project)
        .cloned()
        .unwrap_or_default();
    bag.replace(&wish)?;
    service.lock().projects.insert(project.clone(), bag);
    let target = format!("projects/{project}");
    let place = format!("{target}/global");
    let kind = "compute.projects.setCommonInstanceMetadata";
    Ok(Json(service.admit_in_background(
        &place,
        kind,
        target,
        &base(&headers),
    )))
}

fn object(body: &Bytes) -> Result<Map<String, Value>, ApiFailure> {
    match read_json(body) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(
            ApiFailure::invalid("Required field 'resource' not specified").of_compute("required"),
        ),
        Err(failure) => Err(failure.of_compute("parseError")),
    }
}

/// The query of `getGuestAttributes`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct GuestQuery {
    query_path: String,
}

/// `GET …/zones/ZONE/instances/NAME/getGuestAttributes`: host keys, where the machine publishes them.
pub(crate) async fn guest_attributes(
    State(service): State<Arc<Service>>,
    Path((project, zone, name)): InZone,
    Query(query): Query<GuestQuery>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiFailure> {
    let path = instance_path(&project, &zone, &name);
    let mut state = service.lock();
    let metadata = state.projects.get(&project).cloned().unwrap_or_default();
    let (_, record, at) = state
        .machine(&project, &zone, &name)
        .ok_or_else(|| not_found(&path))?;
    let machine = record.machines.get(at).ok_or_else(|| not_found(&path))?;
    let all = machine
        .host_keys
        .iter()
        .filter_map(|line| line.split_once(' '));
    let wanted = query.query_path.strip_prefix("hostkeys/");
    let items: Vec<Value> = all
        .filter(|(kind, _)| wanted.is_some_and(|w| w.is_empty() || w == *kind))
        .map(|(kind, key)| json!({"namespace": "hostkeys", "key": kind, "value": key}))
        .collect();
    if !machine.publishes(&metadata) || items.is_empty() {
        return Err(not_found(&format!(
            "{path}/guestAttributes/{}",
            query.query_path
        )));
    }
    Ok(Json(json!({
        "kind": "compute#guestAttributes",
        "queryPath": query.query_path,
        "queryValue": {"items": items},
        "selfLink": format!("{}/{path}/guestAttributes/", base(&headers)),
    })))
}

/// `GET …/zones/ZONE/operations/NAME`
pub(crate) async fn zone_operation(
    State(service): State<Arc<Service>>,
    Path((project, zone, name)): InZone,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiFailure> {
    let path = format!("projects/{project}/zones/{zone}/operations/{name}");
    service.compute_operation(&path, &base(&headers)).map(Json)
}

/// `POST …/zones/ZONE/operations/NAME/wait`
pub(crate) async fn wait_zone_operation(
    State(service): State<Arc<Service>>,
    Path((project, zone, name)): InZone,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiFailure> {
    let path = format!("projects/{project}/zones/{zone}/operations/{name}");
    service.wait_compute(&path, &base(&headers)).await.map(Json)
}

/// `GET …/global/operations/NAME`
pub(crate) async fn global_operation(
    State(service): State<Arc<Service>>,
    Path((project, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiFailure> {
    let path = format!("projects/{project}/global/operations/{name}");
    service.compute_operation(&path, &base(&headers)).map(Json)
}

/// `POST …/global/operations/NAME/wait`
pub(crate) async fn wait_global_operation(
    State(service): State<Arc<Service>>,
    Path((project, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiFailure> {
    let path = format!("projects/{project}/global/operations/{name}");
    service.wait_compute(&path, &base(&headers)).await.map(Json)
}

impl Service {
    /// Writes an operation down that ends when the runtime has the keys.
    fn admit_in_background(
        self: &Arc<Self>,
        place: &str,
        kind: &'static str,
        target: String,
        base: &str,
    ) -> Value {
        let path = format!("{place}/operations/operation-{}", Uuid::new_v4());
        let operation = ComputeOperation {
            path: path.clone(),
            kind,
            target,
            begun: self.clock.now(),
            ended: None,
        };
        let answer = operation.json(base);
        self.lock()
            .compute_operations
            .insert(path.clone(), operation);
        let service = Arc::clone(self);
        tokio::spawn(async move {
            service.admit_keys().await;
            let now = service.clock.now();
            if let Some(operation) = service.lock().compute_operations.get_mut(&path) {
                operation.ended = Some(now);
            }
            service.changed.notify_waiters();
        });
        answer
    }

    fn compute_operation(&self, path: &str, base: &str) -> Result<Value, ApiFailure> {
        let state = self.lock();
        let operation = state.compute_operations.get(path);
        operation
            .map(|o| o.json(base))
            .ok_or_else(|| not_found(path))
    }

    async fn wait_compute(&self, path: &str, base: &str) -> Result<Value, ApiFailure> {
        let limit = real_sleep(WAIT);
        tokio::pin!(limit);
        loop {
            let changed = self.changed.notified();
            let operation = self.compute_operation(path, base)?;
            if operation["status"] == "DONE" {
                return Ok(operation);
            }
            tokio::select! {
                () = changed => {}
                () = &mut limit => return Ok(operation),
            }
        }
    }

    /// Hands every machine's present keys to the runtime where they differ from those that it has.
    pub(crate) async fn admit_keys(&self) {
        let _newest_last = self.keys.lock().await;
        let now = self.clock.now();
        let wanted: Vec<_> = {
            let state = self.lock();
            let none = Metadata::default();
            let mut wanted = Vec::new();
            for (key, record) in &state.clusters {
                let project = state.projects.get(&key.project).unwrap_or(&none);
                let logins = state.logins.keys(&key.project, now);
                for machine in &record.machines {
                    let keys = machine.keys(project, &logins, now);
                    if keys != machine.admitted {
                        let name = machine.name.clone();
                        wanted.push((key.clone(), record.facts.clone(), name, keys));
                    }
                }
            }
            wanted
        };
        for (key, facts, name, keys) in wanted {
            if let Err(error) = self.runtime.set_keys(&facts, &name, &keys).await {
                tracing::warn!(machine = name, %error, "keys could not be set");
                continue;
            }
            let mut state = self.lock();
            let record = state.clusters.get_mut(&key);
            let machines = record.map(|r| r.machines.iter_mut()).into_iter().flatten();
            for machine in machines.filter(|machine| machine.name == name) {
                machine.admitted.clone_from(&keys);
            }
        }
    }
}
