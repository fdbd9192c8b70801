//! What YARN's ResourceManager and Flink answer on a scripted machine.
//!
//! Shapes were taken from Hadoop 3.3.6 and Flink 1.20.5. One address answers for every Flink of the machine.

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use axum::extract::{Path, Query, Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, patch};
use axum::{Json, Router};
use http::{Method, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::clock::EmulatorClock;
use crate::runtime::ClusterFacts;
use crate::scripted::machine::millis;

/// Serves until the task is ended.
pub(crate) async fn serve(listener: TcpListener, router: Router) {
    if let Err(error) = axum::serve(listener, router).await {
        tracing::debug!(%error, "a scripted web server ended");
    }
}

/// The applications of a machine, as the fake `flink` writes them down.
#[derive(Clone, Debug)]
pub(crate) struct Applications(Arc<About>);

#[derive(Debug)]
struct About {
    directory: PathBuf,
    yarn: SocketAddr,
    flink: SocketAddr,
    user: String,
    started: i64,
    nodes: u32,
}

/// One application.
#[derive(Debug)]
struct Application {
    id: String,
    name: String,
    tags: String,
    job: String,
    started: i64,
    exception: String,
    /// State, final status and time.
    end: Option<(String, String, i64)>,
}

impl Applications {
    pub(crate) fn new(
        root: &FilePath,
        yarn: SocketAddr,
        flink: SocketAddr,
        user: &str,
        started: Timestamp,
        cluster: &ClusterFacts,
    ) -> Self {
        Self(Arc::new(About {
            directory: root.join("apps"),
            yarn,
            flink,
            user: user.to_owned(),
            started: millis(started),
            nodes: (cluster.workers + cluster.secondary_workers).max(1),
        }))
    }

    pub(crate) fn any_running(&self) -> bool {
        self.all()
            .iter()
            .any(|application| application.end.is_none())
    }

    fn all(&self) -> Vec<Application> {
        let entries = fs::read_dir(&self.0.directory)
            .into_iter()
            .flatten()
            .flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut all: Vec<_> = names.filter_map(|id| self.find(&id)).collect();
        all.sort_by(|a, b| b.id.cmp(&a.id));
        all
    }

    fn find(&self, id: &str) -> Option<Application> {
        if !id.starts_with("application_") || id.contains('/') {
            return None;
        }
        let directory = self.0.directory.join(id);
        let read = |file: &str| fs::read_to_string(directory.join(file)).ok();
        let end = read("end").and_then(|text| {
            let mut words = text.split_whitespace().map(str::to_owned);
            Some((words.next()?, words.next()?, words.next()?.parse().ok()?))
        });
        Some(Application {
            id: id.to_owned(),
            name: read("name")?,
            tags: read("tags")?,
            job: read("job")?,
            started: read("started")?.parse().ok()?,
            exception: read("exception")?,
            end,
        })
    }

    fn running(&self) -> Vec<Application> {
        self.all().into_iter().filter(|a| a.end.is_none()).collect()
    }

    fn end(&self, id: &str, words: &str) {
        let end = format!("{words} {}", now());
        if let Err(error) = fs::write(self.0.directory.join(id).join("end"), end) {
            tracing::debug!(%error, id, "could not end an application");
        }
    }

    fn application_json(&self, application: &Application) -> Value {
        let (state, status, finished) = match &application.end {
            None => ("RUNNING", "UNDEFINED", 0),
            Some((state, status, finished)) => (state.as_str(), status.as_str(), *finished),
        };
        let ended = application.end.is_some();
        let containers = if ended { -1 } else { 2 };
        let attempt = application.id.replacen("application", "container", 1);
        let host = self.0.yarn.ip();
        json!({
            "id": application.id,
            "user": self.0.user,
            "name": application.name,
            "queue": "default",
            "state": state,
            "finalStatus": status,
            "progress": 100.0,
            "trackingUI": if ended { "History" } else { "ApplicationMaster" },
            "trackingUrl": format!("http://{}/proxy/{}/", self.0.yarn, application.id),
            "diagnostics": if status == "FAILED" { application.exception.as_str() } else { "" },
            "clusterId": self.0.started,
            "applicationType": "Apache Flink",
            "applicationTags": application.tags.to_lowercase(),
            "priority": 0,
            "startedTime": application.started,
            "launchTime": application.started,
            "finishedTime": finished,
            "elapsedTime": if ended { finished - application.started } else { now() - application.started },
            "amContainerLogs": format!("http://{host}:8042/node/containerlogs/{attempt}_01_000001/{}", self.0.user),
            "amHostHttpAddress": format!("{host}:8042"),
            "amRPCAddress": self.0.flink.to_string(),
            "masterNodeId": format!("{host}:8041"),
            "allocatedMB": if ended { -1 } else { 2048 },
            "allocatedVCores": containers,
            "runningContainers": containers,
            "logAggregationStatus": if ended { "SUCCEEDED" } else { "NOT_START" },
            "unmanagedApplication": false,
        })
    }

    fn job_json(&self, application: &Application) -> Value {
        json!({
            "jid": application.job,
            "name": application.name,
            "start-time": application.started,
            "end-time": -1,
            "duration": now() - application.started,
            "state": "RUNNING",
            "last-modification": application.started,
            "tasks": {
                "running": 1, "canceling": 0, "canceled": 0, "total": 1, "created": 0,
                "scheduled": 0, "deploying": 0, "reconciling": 0, "finished": 0,
                "initializing": 0, "failed": 0,
            },
        })
    }
}

fn now() -> i64 {
    millis(EmulatorClock::default().now())
}

/// YARN's ResourceManager.
pub(crate) fn resource_manager(applications: Applications) -> Router {
    const CLUSTER: &str = "/ws/v1/cluster";
    Router::new()
        .route(CLUSTER, get(info))
        .route(&format!("{CLUSTER}/info"), get(info))
        .route(&format!("{CLUSTER}/metrics"), get(metrics))
        .route(&format!("{CLUSTER}/nodes"), get(nodes))
        .route(&format!("{CLUSTER}/apps"), get(list))
        .route(&format!("{CLUSTER}/apps/{{id}}"), get(application))
        .route(&format!("{CLUSTER}/apps/{{id}}/appattempts"), get(attempts))
        .route(
            &format!("{CLUSTER}/apps/{{id}}/state"),
            get(state).put(set_state),
        )
        .route("/proxy/{id}", get(proxy_root))
        .route("/proxy/{id}/", get(proxy_root))
        .route("/proxy/{id}/{*path}", get(proxy))
        .with_state(applications)
}

async fn info(State(all): State<Applications>) -> Json<Value> {
    let started = all.0.started;
    Json(json!({"clusterInfo": {
        "id": started, "startedOn": started, "state": "STARTED", "haState": "ACTIVE",
        "resourceManagerVersion": "3.3.6", "hadoopVersion": "3.3.6",
    }}))
}

async fn metrics(State(all): State<Applications>) -> Json<Value> {
    let applications = all.all();
    let count = |state: Option<&str>| {
        let fits = |a: &&Application| a.end.as_ref().map(|end| end.0.as_str()) == state;
        i64::try_from(applications.iter().filter(fits).count()).unwrap_or(i64::MAX)
    };
    let (running, nodes) = (count(None), i64::from(all.0.nodes));
    Json(json!({"clusterMetrics": {
        "appsSubmitted": applications.len(), "appsCompleted": count(Some("FINISHED")),
        "appsPending": 0, "appsRunning": running, "appsFailed": count(Some("FAILED")),
        "appsKilled": count(Some("KILLED")), "reservedMB": 0,
        "totalMB": nodes * 8192, "allocatedMB": running * 2048,
        "availableMB": nodes * 8192 - running * 2048, "pendingMB": 0,
        "totalVirtualCores": nodes * 8, "allocatedVirtualCores": running * 2,
        "availableVirtualCores": nodes * 8 - running * 2, "pendingVirtualCores": 0,
        "containersAllocated": running * 2, "containersReserved": 0, "containersPending": 0,
        "totalNodes": nodes, "activeNodes": nodes, "lostNodes": 0, "unhealthyNodes": 0,
        "decommissioningNodes": 0, "decommissionedNodes": 0, "rebootedNodes": 0, "shutdownNodes": 0,
    }}))
}

async fn nodes(State(all): State<Applications>) -> Json<Value> {
    let host = all.0.yarn.ip().to_string();
    let node = |number: u32| {
        json!({
            "rack": "/default-rack", "state": "RUNNING", "id": format!("{host}:{}", 8041 + number),
            "nodeHostName": host, "nodeHTTPAddress": format!("{host}:8042"), "version": "3.3.6",
            "lastHealthUpdate": now(), "healthReport": "", "numContainers": 0, "usedMemoryMB": 0,
            "availMemoryMB": 8192, "usedVirtualCores": 0, "availableVirtualCores": 8,
        })
    };
    let nodes: Vec<Value> = (0..all.0.nodes).map(node).collect();
    Json(json!({"nodes": {"node": nodes}}))
}

async fn list(
    State(all): State<Applications>,
    Query(query): Query<HashMap<String, String>>,
) -> Json<Value> {
    let wanted = |key: &str, own: &str| {
        let Some(wanted) = query.get(key).filter(|wanted| !wanted.is_empty()) else {
            return true;
        };
        let mut wanted = wanted.split(',');
        wanted.any(|wanted| own.split(',').any(|own| own.eq_ignore_ascii_case(wanted)))
    };
    let found: Vec<Value> = all
        .all()
        .iter()
        .map(|application| all.application_json(application))
        .filter(|a| {
            let text = |key: &str| a[key].as_str().unwrap_or_default();
            wanted("applicationTags", text("applicationTags"))
                && wanted("states", text("state"))
                && wanted("state", text("state"))
                && wanted("applicationTypes", text("applicationType"))
        })
        .collect();
    if found.is_empty() {
        return Json(json!({"apps": null}));
    }
    Json(json!({"apps": {"app": found}}))
}

fn no_application(id: &str) -> Response {
    let exception = json!({"RemoteException": {
        "exception": "NotFoundException",
        "message": format!("java.lang.Exception: app with id: {id} not found"),
        "javaClassName": "org.apache.hadoop.yarn.webapp.NotFoundException",
    }});
    (StatusCode::NOT_FOUND, Json(exception)).into_response()
}

async fn application(State(all): State<Applications>, Path(id): Path<String>) -> Response {
    match all.find(&id) {
        Some(found) => Json(json!({"app": all.application_json(&found)})).into_response(),
        None => no_application(&id),
    }
}

async fn attempts(State(all): State<Applications>, Path(id): Path<String>) -> Response {
    let Some(found) = all.find(&id) else {
        return no_application(&id);
    };
    let number = id.trim_start_matches("application_");
    let host = all.0.yarn.ip();
    let container = format!("container_{number}_01_000001");
    Json(json!({"appAttempts": {"appAttempt": [{
        "id": 1, "startTime": found.started,
        "finishedTime": found.end.as_ref().map_or(0, |end| end.2),
        "containerId": container, "nodeHttpAddress": format!("{host}:8042"),
        "nodeId": format!("{host}:8041"),
        "logsLink": format!("http://{host}:8042/node/containerlogs/{container}/{}", all.0.user),
        "appAttemptId": format!("appattempt_{number}_000001"),
    }]}}))
    .into_response()
}

async fn state(State(all): State<Applications>, Path(id): Path<String>) -> Response {
    match all.find(&id) {
        Some(found) => {
            let state = found.end.as_ref().map_or("RUNNING", |end| end.0.as_str());
            Json(json!({"state": state})).into_response()
        }
        None => no_application(&id),
    }
}

async fn set_state(
    State(all): State<Applications>,
    Path(id): Path<String>,
    Json(wish): Json<Value>,
) -> Response {
    let Some(found) = all.find(&id) else {
        return no_application(&id);
    };
    if wish["state"] != "KILLED" {
        return StatusCode::BAD_REQUEST.into_response();
    }
    if found.end.is_some() {
        return Json(json!({"state": found.end.map(|end| end.0)})).into_response();
    }
    all.end(&id, "KILLED KILLED");
    (StatusCode::ACCEPTED, Json(json!({"state": "KILLED"}))).into_response()
}

async fn proxy_root(state: State<Applications>, Path(id): Path<String>) -> Response {
    proxy(state, Path((id, "overview".to_owned()))).await
}

/// YARN's proxy: reads what the application's own Flink answers; an ended application has a page instead.
async fn proxy(
    State(all): State<Applications>,
    Path((id, path)): Path<(String, String)>,
) -> Response {
    let Some(found) = all.find(&id) else {
        return no_application(&id);
    };
    if found.end.is_some() {
        let page = format!("http://{}/cluster/app/{id}", all.0.yarn);
        return Redirect::temporary(&page).into_response();
    }
    answer(&all, &[found], &path)
}

/// Flink's own address.
pub(crate) fn flink(applications: Applications) -> Router {
    Router::new()
        .route("/jobs/{id}", patch(cancel).get(own_answer))
        .fallback(own_answer)
        .with_state(applications)
}

async fn own_answer(State(all): State<Applications>, request: Request) -> Response {
    if request.method() != Method::GET {
        let body = json!({"errors": ["not emulated"]});
        return (StatusCode::NOT_IMPLEMENTED, Json(body)).into_response();
    }
    let path = request.uri().path().trim_start_matches('/').to_owned();
    answer(&all, &all.running(), &path)
}

/// `PATCH /jobs/ID`: ends the job, and with it its application.
async fn cancel(State(all): State<Applications>, Path(id): Path<String>) -> Response {
    match all.running().into_iter().find(|a| a.job == id) {
        Some(found) => {
            all.end(&found.id, "FINISHED KILLED");
            (StatusCode::ACCEPTED, Json(json!({}))).into_response()
        }
        None => no_job(&id),
    }
}

fn no_job(id: &str) -> Response {
    let error = format!("org.apache.flink.runtime.rest.NotFoundException: Job {id} not found");
    (StatusCode::NOT_FOUND, Json(json!({"errors": [error]}))).into_response()
}

fn answer(all: &Applications, running: &[Application], path: &str) -> Response {
    let parts: Vec<&str> = path.trim_end_matches('/').split('/').collect();
    let job = |id: &str| running.iter().find(|a| a.job == id);
    let body = match parts.as_slice() {
        ["" | "overview"] => json!({
            "taskmanagers": running.len(), "slots-total": running.len(), "slots-available": 0,
            "jobs-running": running.len(), "jobs-finished": 0, "jobs-cancelled": 0,
            "jobs-failed": 0, "flink-version": "1.20.5", "flink-commit": "0980485",
        }),
        ["config"] => json!({
            "refresh-interval": 3000, "timezone-name": "Coordinated Universal Time",
            "timezone-offset": 0, "flink-version": "1.20.5",
            "flink-revision": "0980485 @ 2026-06-08T09:21:06+02:00",
            "features": {"web-submit": true, "web-cancel": true, "web-rescale": false, "web-history": false},
        }),
        ["jobmanager", "config"] => {
            let host = all.0.flink.ip().to_string();
            let port = all.0.flink.port().to_string();
            json!([
                {"key": "rest.address", "value": host},
                {"key": "rest.port", "value": port},
                {"key": "jobmanager.rpc.address", "value": host},
            ])
        }
        ["taskmanagers"] => json!({"taskmanagers": []}),
        ["jobs"] => {
            let job = |a: &Application| json!({"id": a.job, "status": "RUNNING"});
            json!({"jobs": running.iter().map(job).collect::<Vec<_>>()})
        }
        ["jobs", "overview"] => {
            let jobs: Vec<Value> = running.iter().map(|a| all.job_json(a)).collect();
            json!({"jobs": jobs})
        }
        ["jobs", id, rest @ ..] => {
            let Some(found) = job(id) else {
                return no_job(id);
            };
            match job_part(all, found, rest) {
                Some(body) => body,
                None => return StatusCode::NOT_FOUND.into_response(),
            }
        }
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    Json(body).into_response()
}

fn job_part(all: &Applications, found: &Application, part: &[&str]) -> Option<Value> {
    Some(match part {
        [] => {
            let mut job = all.job_json(found);
            job["isStoppable"] = json!(false);
            job["maxParallelism"] = json!(-1);
            job["now"] = json!(now());
            job["timestamps"] = json!({"CREATED": found.started, "RUNNING": found.started});
            job["vertices"] = json!([]);
            job["status-counts"] = json!({"RUNNING": 0});
            job["plan"] = json!({"jid": found.job, "name": found.name, "nodes": []});
            job
        }
        ["exceptions"] => json!({
            "root-exception": null, "timestamp": null, "all-exceptions": [], "truncated": false,
            "exceptionHistory": {"entries": [], "truncated": false},
        }),
        ["checkpoints"] => json!({
            "counts": {"restored": 0, "total": 0, "in_progress": 0, "completed": 0, "failed": 0},
            "latest": {"completed": null, "savepoint": null, "failed": null, "restored": null},
            "history": [],
        }),
        ["plan"] => json!({"plan": {"jid": found.job, "name": found.name, "nodes": []}}),
        ["metrics"] => json!([]),
        ["accumulators"] => {
            json!({"job-accumulators": [], "user-task-accumulators": [], "serialized-user-task-accumulators": {}})
        }
        _ => return None,
    })
}
