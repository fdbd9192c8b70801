//! The calls of Compute Engine that a deployment makes: machines, their metadata, and whose keys may enter.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use bytes::Bytes;
use http::header;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::clusters::read_json;
use crate::compute_list::{ComputeQuery, list};
use crate::failure::{ApiFailure, Code};
use crate::machines::{MachineRecord, Metadata};
use crate::resource::project_number;
use crate::service::{ClusterRecord, Service};

/// Where links of an answer point: the address that the client used.
pub(crate) fn base(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok());
    format!(
        "http://{}/compute/v1",
        host.unwrap_or("compute.googleapis.com")
    )
}

pub(crate) fn not_found(path: &str) -> ApiFailure {
    let message = format!("The resource '{path}' was not found");
    ApiFailure::new(Code::NotFound, message).of_compute("notFound")
}

pub(crate) type InZone = Path<(String, String, String)>;

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
    Query(query): Query<ComputeQuery>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiFailure> {
    let base = base(&headers);
    let all = service.instances(&project, Some(&zone), &base);
    let items = all.into_values();
    let id = format!("projects/{project}/zones/{zone}/instances");
    list("compute#instanceList", &id, &base, items, &query).map(Json)
}

/// `GET …/projects/PROJECT/aggregated/instances`: by zone.
pub(crate) async fn all_instances(
    State(service): State<Arc<Service>>,
    Path(project): Path<String>,
    Query(query): Query<ComputeQuery>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiFailure> {
    let base = base(&headers);
    let all = service.instances(&project, None, &base);
    let items = all.into_values();
    let id = format!("projects/{project}/aggregated/instances");
    let mut answer = list("compute#instanceAggregatedList", &id, &base, items, &query)?;
    let mut zones = Map::new();
    for instance in answer["items"].as_array().into_iter().flatten() {
        let zone = instance["zone"].as_str().unwrap_or_default();
        let zone = zone.rsplit('/').next().unwrap_or_default();
        let zone = zones.entry(format!("zones/{zone}"));
        let zone = zone.or_insert_with(|| json!({"instances": []}));
        if let Some(instances) = zone["instances"].as_array_mut() {
            instances.push(instance.clone());
        }
    }
    answer["items"] = Value::Object(zones);
    Ok(Json(answer))
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

/// The query of `serialPort`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SerialQuery {
    port: String,
    start: String,
}

/// `GET …/zones/ZONE/instances/NAME/serialPort`: what a machine says of itself at its start.
pub(crate) async fn serial_port(
    State(service): State<Arc<Service>>,
    Path((project, zone, name)): InZone,
    Query(query): Query<SerialQuery>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiFailure> {
    let path = instance_path(&project, &zone, &name);
    let refuse = |message: &str| Err(ApiFailure::invalid(message).of_compute("invalid"));
    let mut state = service.lock();
    let (_, record, at) = state
        .machine(&project, &zone, &name)
        .ok_or_else(|| not_found(&path))?;
    let machine = record.machines.get(at).ok_or_else(|| not_found(&path))?;
    let said = match query.port.as_str() {
        "" | "1" => format!(
            "{name} sshd: listening\r\n{}{name} login: ",
            machine
                .host_keys
                .iter()
                .fold(String::new(), |text, key| text + key + "\r\n"),
        ),
        "2" | "3" | "4" => String::new(),
        _ => return refuse("Invalid value for field 'port'"),
    };
    let start = match query.start.as_str() {
        "" => 0,
        start => match start.parse::<usize>() {
            Ok(start) => start.min(said.len()),
            Err(_) => return refuse("Invalid value for field 'start'"),
        },
    };
    Ok(Json(json!({
        "kind": "compute#serialPortOutput",
        "contents": said.get(start..).unwrap_or_default(),
        "start": start.to_string(),
        "next": said.len().to_string(),
        "selfLink": format!("{}/{path}/serialPort", base(&headers)),
    })))
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
        .filter(|(kind, _)| {
            // Without a path, everything is asked for.
            query.query_path.is_empty() || wanted.is_some_and(|w| w.is_empty() || w == *kind)
        })
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

impl Service {
    /// Every machine of a project, by zone and name.
    fn instances(
        &self,
        project: &str,
        zone: Option<&str>,
        base: &str,
    ) -> BTreeMap<(String, String), Value> {
        let state = self.lock();
        let clusters = state.clusters.values().filter(|record| {
            record.facts.project == project && zone.is_none_or(|zone| record.facts.zone == zone)
        });
        clusters
            .flat_map(|record| record.machines.iter().map(move |m| (record, m)))
            .map(|(record, machine)| {
                let key = (record.facts.zone.clone(), machine.name.clone());
                (key, instance_json(record, machine, base))
            })
            .collect()
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
