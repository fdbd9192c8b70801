//! A workflow that runs: its cluster made or chosen, its graph of jobs, and its cluster deleted in every outcome.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::failure::{ApiFailure, Code};
use crate::jobs::JobKey;
use crate::operations::{OperationKind, empty_response};
use crate::schema::duration_millis;
use crate::service::{Beginning, ClusterKey, Service, State};
use crate::template::job_type;
use crate::workflow_graph::{Node, graph, nodes, random_letters, runnable};

/// A template that is about to run, its parameters filled in.
#[derive(Debug)]
pub(crate) struct Workflow {
    /// Project, region and id; an inline template may have no id.
    pub(crate) key: ClusterKey,
    pub(crate) template_name: String,
    pub(crate) version: i64,
    pub(crate) template: Map<String, Value>,
    pub(crate) parameters: BTreeMap<String, String>,
}

/// Why a workflow failed.
type Failed = (Code, String);

/// What is told of a workflow while it runs.
#[derive(Debug)]
struct Progress {
    service: Arc<Service>,
    operation: String,
    metadata: Value,
}

impl Progress {
    fn set(&mut self, changes: &[(&str, Value)]) {
        for (key, value) in changes {
            self.metadata[*key] = value.clone();
        }
        let mut state = self.service.lock();
        state.tell(&self.operation, self.metadata.clone());
    }

    fn now(&self) -> String {
        self.service.clock.now().to_string()
    }
}

impl Service {
    /// Begins to run a workflow and gives its operation.
    pub(crate) fn instantiate(
        self: &Arc<Self>,
        workflow: Workflow,
        request: &str,
    ) -> Result<Value, ApiFailure> {
        let now = self.clock.now();
        let mut state = self.lock();
        if let Some(operation) = state.repeated(&workflow.key, OperationKind::Workflow, request)? {
            return Ok(operation);
        }
        let beginning = Beginning {
            key: &workflow.key,
            kind: OperationKind::Workflow,
            request,
            uuid: "",
            labels: Value::Null,
            description: String::new(),
            warnings: Vec::new(),
        };
        let operation = state.begin(beginning, now);
        let nodes = nodes(&workflow.template);
        let mut metadata = json!({
            "@type": "type.googleapis.com/google.cloud.dataproc.v1.WorkflowMetadata",
            "state": "PENDING",
            "graph": graph(&nodes),
            "startTime": now.to_string(),
        });
        if !workflow.template_name.is_empty() {
            metadata["template"] = json!(workflow.template_name);
            metadata["version"] = json!(workflow.version);
        }
        if !workflow.parameters.is_empty() {
            metadata["parameters"] = json!(workflow.parameters);
        }
        if let Some(timeout) = workflow.template.get("dagTimeout") {
            metadata["dagTimeout"] = timeout.clone();
        }
        state.tell(&operation, metadata.clone());
        let answer = state.operation(&operation);
        drop(state);
        let progress = Progress {
            service: Arc::clone(self),
            operation,
            metadata,
        };
        tokio::spawn(Arc::clone(self).run_workflow(workflow, nodes, progress));
        Ok(answer)
    }

    async fn run_workflow(
        self: Arc<Self>,
        workflow: Workflow,
        nodes: Vec<Node>,
        mut progress: Progress,
    ) {
        progress.set(&[("state", json!("RUNNING"))]);
        let managed = workflow.template["placement"].get("managedCluster");
        let outcome = match managed {
            Some(cluster) => {
                let made = self.make_cluster(&workflow, cluster, &mut progress).await;
                let outcome = match &made {
                    Ok(cluster) => {
                        self.run_graph(&workflow, cluster, nodes, &mut progress)
                            .await
                    }
                    Err((_, failed)) => Err(failed.clone()),
                };
                let cluster = match made {
                    Ok(cluster) => Some(cluster),
                    Err((cluster, _)) => cluster,
                };
                match cluster {
                    Some(cluster) => {
                        let gone = self.unmake_cluster(&cluster, &mut progress).await;
                        outcome.and(gone)
                    }
                    None => outcome,
                }
            }
            None => match self.choose_cluster(&workflow, &mut progress) {
                Ok(cluster) => {
                    self.run_graph(&workflow, &cluster, nodes, &mut progress)
                        .await
                }
                Err(failed) => Err(failed),
            },
        };
        let ended = progress.now();
        progress.set(&[("state", json!("DONE")), ("endTime", json!(ended))]);
        let end = outcome.map(|()| empty_response());
        self.lock().end(&progress.operation, end, self.clock.now());
        self.changed.notify_waiters();
    }

    /// Makes the managed cluster; an error comes with the cluster if there is one to be deleted.
    async fn make_cluster(
        self: &Arc<Self>,
        workflow: &Workflow,
        managed: &Value,
        progress: &mut Progress,
    ) -> Result<ClusterKey, (Option<ClusterKey>, Failed)> {
        let ClusterKey {
            project, region, ..
        } = &workflow.key;
        let prefix = managed["clusterName"].as_str().unwrap_or_default();
        let name = format!("{prefix}-{}", random_letters());
        let mut labels = managed.get("labels").cloned().unwrap_or_else(|| json!({}));
        for (key, value) in goog_labels(workflow, progress) {
            labels[key] = json!(value);
        }
        let body = json!({"clusterName": name, "config": managed["config"], "labels": labels});
        let creating = self.create(project, region, &body, "");
        let creating = creating.map_err(|failure| (None, (failure.code, failure.message)))?;
        let key = ClusterKey::new(project, region, &name);
        let id = operation_id(&creating);
        progress.set(&[
            ("clusterName", json!(name)),
            ("clusterUuid", creating["metadata"]["clusterUuid"].clone()),
            ("createCluster", json!({"operationId": id})),
        ]);
        let bell = self.cancel_bell(&progress.operation);
        let made = tokio::select! {
            made = self.operation_end(&creating) => made,
            () = bell.notified() => Err((Code::Cancelled, "The workflow was cancelled".to_owned())),
        };
        let mut told = json!({"operationId": id, "done": true});
        if let Err((_, message)) = &made {
            told["error"] = json!(message);
        }
        progress.set(&[("createCluster", told)]);
        match made {
            Ok(()) => Ok(key),
            Err(failed) => Err((Some(key), failed)),
        }
    }

    async fn unmake_cluster(
        self: &Arc<Self>,
        cluster: &ClusterKey,
        progress: &mut Progress,
    ) -> Result<(), Failed> {
        let deleting = match self.delete(cluster, "", "") {
            Ok(deleting) => deleting,
            // Somebody else was quicker.
            Err(failure) if matches!(failure.code, Code::NotFound | Code::FailedPrecondition) => {
                return Ok(());
            }
            Err(failure) => return Err((failure.code, failure.message)),
        };
        let id = operation_id(&deleting);
        progress.set(&[("deleteCluster", json!({"operationId": id}))]);
        let gone = self.operation_end(&deleting).await;
        let mut told = json!({"operationId": id, "done": true});
        if let Err((_, message)) = &gone {
            told["error"] = json!(message);
        }
        progress.set(&[("deleteCluster", told)]);
        gone
    }

    /// Finds a running cluster that has the labels of the selector; the first by name, where Google's takes the least busy.
    fn choose_cluster(
        &self,
        workflow: &Workflow,
        progress: &mut Progress,
    ) -> Result<ClusterKey, Failed> {
        let selector = &workflow.template["placement"]["clusterSelector"];
        let wanted = selector["clusterLabels"].as_object();
        let zone = selector["zone"].as_str().unwrap_or_default();
        let found = {
            let state = self.lock();
            let mut clusters = state.clusters.iter();
            let found = clusters.find(|(key, record)| {
                let at_home =
                    key.project == workflow.key.project && key.region == workflow.key.region;
                let mut labels = wanted.into_iter().flatten();
                at_home
                    && record.state() == "RUNNING"
                    && (zone.is_empty() || record.facts.zone == zone)
                    && labels
                        .all(|(key, value)| record.resource()["labels"].get(key) == Some(value))
            });
            found.map(|(key, record)| (key.clone(), record.facts.uuid.clone()))
        };
        let Some((key, uuid)) = found else {
            let message = "No running cluster matches the labels of the cluster selector";
            return Err((Code::FailedPrecondition, message.to_owned()));
        };
        progress.set(&[
            ("clusterName", json!(key.name)),
            ("clusterUuid", json!(uuid)),
        ]);
        Ok(key)
    }

    /// Runs the jobs, each as soon as those before it have ended well.
    async fn run_graph(
        self: &Arc<Self>,
        workflow: &Workflow,
        cluster: &ClusterKey,
        mut nodes: Vec<Node>,
        progress: &mut Progress,
    ) -> Result<(), Failed> {
        let begun = self.clock.now();
        progress.set(&[("dagStartTime", json!(begun.to_string()))]);
        let until = deadline(&workflow.template, begun);
        let bell = self.cancel_bell(&progress.operation);
        let mut running = FuturesUnordered::new();
        let mut cut_off = None;
        loop {
            if cut_off.is_none() {
                for at in runnable(&mut nodes) {
                    if self.start_node(workflow, cluster, &mut nodes, at, progress) {
                        let id = nodes
                            .get(at)
                            .map(|node| node.id.clone())
                            .unwrap_or_default();
                        let job = JobKey::new(&workflow.key.project, &workflow.key.region, &id);
                        let service = Arc::clone(self);
                        running.push(async move { (at, service.wait_job(&job).await) });
                    }
                }
                progress.set(&[("graph", graph(&nodes))]);
            }
            if running.is_empty() && runnable(&mut nodes).is_empty() {
                break;
            }
            let ended = tokio::select! {
                Some(ended) = running.next() => ended,
                () = bell.notified(), if cut_off.is_none() => {
                    cut_off = Some((Code::Cancelled, "The workflow was cancelled".to_owned()));
                    self.cancel_running(workflow, &nodes);
                    continue;
                }
                () = self.clock_shows(until), if cut_off.is_none() => {
                    cut_off = Some((Code::DeadlineExceeded, "The DAG timeout has passed".to_owned()));
                    self.cancel_running(workflow, &nodes);
                    continue;
                }
            };
            let (at, job) = ended;
            if let Some(node) = nodes.get_mut(at) {
                let status = job.as_ref().map(|job| &job["status"]);
                let state = status.and_then(|status| status["state"].as_str());
                let details = status.and_then(|status| status["details"].as_str());
                if state == Some("DONE") {
                    node.state = "COMPLETED";
                } else {
                    node.fail(&match details {
                        Some(details) => details.to_owned(),
                        None => format!("The job ended in state {}", state.unwrap_or("UNKNOWN")),
                    });
                }
            }
        }
        if let Some((_, message)) = &cut_off {
            for node in &mut nodes {
                if matches!(node.state, "BLOCKED" | "RUNNABLE") {
                    node.fail(message);
                }
            }
        }
        let ended = progress.now();
        progress.set(&[("graph", graph(&nodes)), ("dagEndTime", json!(ended))]);
        if let Some(failed) = cut_off {
            return Err(failed);
        }
        let failed: Vec<&str> = nodes
            .iter()
            .filter(|node| node.state == "FAILED")
            .map(|node| node.step.as_str())
            .collect();
        if failed.is_empty() {
            return Ok(());
        }
        let message = format!("Workflow failed: the steps {} failed", failed.join(", "));
        Err((Code::Aborted, message))
    }

    /// Submits a node's job; `false` when it was refused, which fails the node.
    fn start_node(
        self: &Arc<Self>,
        workflow: &Workflow,
        cluster: &ClusterKey,
        nodes: &mut [Node],
        at: usize,
        progress: &Progress,
    ) -> bool {
        let ClusterKey {
            project, region, ..
        } = &workflow.key;
        let Some(node) = nodes.get_mut(at) else {
            return false;
        };
        let kind = job_type(&node.job).unwrap_or_default();
        let mut labels = node.job.get("labels").cloned().unwrap_or_else(|| json!({}));
        for (key, value) in goog_labels(workflow, progress) {
            labels[key] = json!(value);
        }
        labels["goog-dataproc-workflow-step-id"] = json!(node.step.to_lowercase());
        let mut job = json!({
            "reference": {"projectId": project, "jobId": node.id},
            "placement": {"clusterName": cluster.name},
            "labels": labels,
            kind: node.job[kind],
        });
        if let Some(scheduling) = node.job.get("scheduling") {
            job["scheduling"] = scheduling.clone();
        }
        match self.submit_job(project, region, &job, "") {
            Ok(_) => {
                node.state = "RUNNING";
                true
            }
            Err(failure) => {
                node.fail(&failure.message);
                false
            }
        }
    }

    fn cancel_running(&self, workflow: &Workflow, nodes: &[Node]) {
        for node in nodes.iter().filter(|node| node.state == "RUNNING") {
            let job = JobKey::new(&workflow.key.project, &workflow.key.region, &node.id);
            // A refusal means that it has ended.
            self.cancel_job(&job).ok();
        }
    }

    fn cancel_bell(&self, operation: &str) -> Arc<tokio::sync::Notify> {
        let state = self.lock();
        let found = state.operations.get(operation);
        found
            .map(|found| Arc::clone(&found.cancel))
            .unwrap_or_default()
    }

    async fn clock_shows(&self, time: Option<Timestamp>) {
        match time {
            Some(time) => self.clock.sleep_until(time).await,
            None => std::future::pending().await,
        }
    }

    /// Waits for the end of an operation of a cluster.
    async fn operation_end(&self, operation: &Value) -> Result<(), Failed> {
        let name = operation["name"].as_str().unwrap_or_default();
        loop {
            let changed = self.changed.notified();
            let end = ended(&self.lock(), name);
            match end {
                Some(end) => return end,
                None => changed.await,
            }
        }
    }
}

fn ended(state: &State, name: &str) -> Option<Result<(), Failed>> {
    let forgotten = || Err((Code::Internal, "The operation was forgotten".to_owned()));
    match state.operations.get(name) {
        None => Some(forgotten()),
        Some(operation) => match &operation.end {
            Some(Ok(_)) => Some(Ok(())),
            Some(Err(failed)) => Some(Err(failed.clone())),
            None if state.closed => Some(forgotten()),
            None => None,
        },
    }
}

fn deadline(template: &Map<String, Value>, begun: Timestamp) -> Option<Timestamp> {
    let timeout = template.get("dagTimeout")?.as_str()?;
    let millis = u64::try_from(duration_millis(timeout)?).ok()?;
    begun
        .checked_add(std::time::Duration::from_millis(millis))
        .ok()
}

/// The labels by which what a workflow makes is told from the rest.
fn goog_labels(workflow: &Workflow, progress: &Progress) -> Vec<(&'static str, String)> {
    let id = progress.operation.rsplit('/').next().unwrap_or_default();
    let mut labels = vec![("goog-dataproc-workflow-instance-id", id.to_owned())];
    if !workflow.key.name.is_empty() {
        let template = workflow.key.name.to_lowercase();
        labels.push(("goog-dataproc-workflow-template-id", template));
    }
    labels
}

fn operation_id(operation: &Value) -> String {
    let name = operation["name"].as_str().unwrap_or_default();
    name.rsplit('/').next().unwrap_or_default().to_owned()
}
