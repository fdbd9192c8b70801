//! [`ClusterApi`] by Google's client.

use async_trait::async_trait;
use flinkproc_core::{ClusterRef, ClusterUuid, ProjectId, Region, RequestId};
use google_cloud_dataproc_v1::model;
use google_cloud_gax::error::Error;
use google_cloud_gax::options::RequestOptionsBuilder;
use google_cloud_longrunning::model::Operation as Started;
use google_cloud_wkt::FieldMask;
use serde_json::{Value, json};

use crate::clusters::{
    Cluster, ClusterApi, ClusterSpec, ClusterState, ClusterUpdate, Operation, OperationName,
    OperationState,
};
use crate::error::{ApiError, ClusterError, Subject};
use crate::google::GoogleDataproc;
use crate::google_calls::sort;

/// The largest page that the service gives.
const PAGE: i32 = 1000;

/// Turns the API's JSON into Google's type; what that type does not know it carries along.
fn message(cluster: &ClusterRef, resource: &Value) -> Result<model::Cluster, ApiError> {
    let invalid = |message: String| ApiError::Invalid {
        subject: Subject::Cluster(cluster.clone()),
        message,
    };
    let mut fields = match resource {
        Value::Object(fields) => fields.clone(),
        _ => return Err(invalid("the resource is no JSON object".to_owned())),
    };
    fields.insert("projectId".to_owned(), json!(cluster.project));
    fields.insert("clusterName".to_owned(), json!(cluster.name));
    serde_json::from_value(Value::Object(fields)).map_err(|error| invalid(error.to_string()))
}

fn cluster(
    project: &ProjectId,
    region: &Region,
    found: &model::Cluster,
) -> Result<Cluster, ApiError> {
    let resource = serde_json::to_value(found).map_err(|error| ApiError::Unreadable {
        subject: Subject::List(format!("the clusters of {project} in {region}")),
        message: error.to_string(),
    })?;
    Cluster::from_resource(project, region, resource)
}

/// Reads an operation from its JSON form, which shows metadata and response whatever their type.
fn operation(name: &OperationName, found: &Started) -> Result<Operation, ApiError> {
    let unreadable = |message: String| ApiError::Unreadable {
        subject: Subject::Operation(name.clone()),
        message,
    };
    let found = serde_json::to_value(found).map_err(|error| unreadable(error.to_string()))?;
    let state = match (
        found.get("error"),
        found.get("done").and_then(Value::as_bool),
    ) {
        (Some(error), _) => {
            let code = error.get("code").and_then(Value::as_i64).unwrap_or(2);
            let message = error
                .get("message")
                .and_then(Value::as_str)
                .unwrap_or_default();
            OperationState::Failed {
                code: i32::try_from(code).unwrap_or(2),
                message: message.to_owned(),
            }
        }
        (None, Some(true)) => OperationState::Done,
        (None, _) => OperationState::Running,
    };
    let warnings = found
        .pointer("/metadata/warnings")
        .and_then(Value::as_array);
    let warnings = warnings.into_iter().flatten().filter_map(Value::as_str);
    let output = found.pointer("/response/outputUri").and_then(Value::as_str);
    Ok(Operation {
        name: name.clone(),
        state,
        warnings: warnings.map(str::to_owned).collect(),
        output_uri: output.map(str::to_owned),
    })
}

/// The name of an operation that was started.
fn started(
    cluster: &ClusterRef,
    answer: Result<Started, Error>,
) -> Result<OperationName, ApiError> {
    let subject = Subject::Cluster(cluster.clone());
    match answer.map(|started| started.name) {
        Ok(name) if name.is_empty() => {
            let message = "the operation has no name".to_owned();
            Err(ApiError::Unreadable { subject, message })
        }
        Ok(name) => Ok(OperationName(name)),
        Err(error) => Err(sort(subject, true, &error)),
    }
}

#[async_trait]
impl ClusterApi for GoogleDataproc {
    async fn find(&self, name: &ClusterRef) -> Result<Option<Cluster>, ClusterError> {
        let ClusterRef {
            project,
            region,
            name: short,
        } = name;
        let client = self.clusters(region).await?;
        let call = client
            .get_cluster()
            .set_project_id(project.as_str())
            .set_region(region.as_str())
            .set_cluster_name(short.as_str());
        match call.send().await {
            Ok(found) => cluster(project, region, &found).map(Some),
            Err(error) => match sort(Subject::Cluster(name.clone()), false, &error) {
                ApiError::NotFound { .. } => Ok(None),
                error => Err(error),
            },
        }
    }

    async fn list(
        &self,
        project: &ProjectId,
        region: &Region,
        filter: &str,
    ) -> Result<Vec<Cluster>, ClusterError> {
        let client = self.clusters(region).await?;
        let mut clusters = Vec::new();
        let mut token = String::new();
        loop {
            let call = client
                .list_clusters()
                .set_project_id(project.as_str())
                .set_region(region.as_str())
                .set_filter(filter)
                .set_page_size(PAGE)
                .set_page_token(token);
            let page = call.send().await.map_err(|error| {
                let subject = Subject::List(format!("the clusters of {project} in {region}"));
                sort(subject, false, &error)
            })?;
            for found in &page.clusters {
                clusters.push(cluster(project, region, found)?);
            }
            token = page.next_page_token;
            if token.is_empty() {
                return Ok(clusters);
            }
        }
    }

    async fn start_create(
        &self,
        spec: &ClusterSpec,
        request: &RequestId,
    ) -> Result<OperationName, ClusterError> {
        let client = self.clusters(&spec.cluster.region).await?;
        let call = client
            .create_cluster()
            .set_project_id(spec.cluster.project.as_str())
            .set_region(spec.cluster.region.as_str())
            .set_cluster(message(&spec.cluster, &spec.resource)?)
            .set_request_id(request.as_str())
            .with_idempotency(true);
        started(&spec.cluster, call.send().await)
    }

    async fn start_update(
        &self,
        name: &ClusterRef,
        update: &ClusterUpdate,
        request: &RequestId,
    ) -> Result<OperationName, ClusterError> {
        let client = self.clusters(&name.region).await?;
        let mut call = client
            .update_cluster()
            .set_project_id(name.project.as_str())
            .set_region(name.region.as_str())
            .set_cluster_name(name.name.as_str())
            .set_cluster(message(name, &update.resource)?)
            .set_update_mask(FieldMask::default().set_paths(update.mask.iter()))
            .set_request_id(request.as_str())
            .with_idempotency(true);
        if let Some(span) = update.graceful_decommission {
            let seconds = i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
            let timeout = google_cloud_wkt::Duration::clamp(seconds, 0);
            call = call.set_graceful_decommission_timeout(timeout);
        }
        started(name, call.send().await)
    }

    async fn start_delete(
        &self,
        name: &ClusterRef,
        uuid: Option<&ClusterUuid>,
        request: &RequestId,
    ) -> Result<Option<OperationName>, ClusterError> {
        let client = self.clusters(&name.region).await?;
        let call = client
            .delete_cluster()
            .set_project_id(name.project.as_str())
            .set_region(name.region.as_str())
            .set_cluster_name(name.name.as_str())
            .set_cluster_uuid(uuid.map_or("", ClusterUuid::as_str))
            .set_request_id(request.as_str())
            .with_idempotency(true);
        match started(name, call.send().await) {
            Ok(operation) => Ok(Some(operation)),
            Err(ApiError::NotFound { .. }) => Ok(None),
            Err(error @ ApiError::Busy { .. }) => match self.find(name).await? {
                Some(found) if found.state != ClusterState::Deleting => Err(error),
                _ => Ok(None),
            },
            Err(error) => Err(error),
        }
    }

    async fn start_stop(
        &self,
        name: &ClusterRef,
        request: &RequestId,
    ) -> Result<OperationName, ClusterError> {
        let client = self.clusters(&name.region).await?;
        let call = client
            .stop_cluster()
            .set_project_id(name.project.as_str())
            .set_region(name.region.as_str())
            .set_cluster_name(name.name.as_str())
            .set_request_id(request.as_str())
            .with_idempotency(true);
        started(name, call.send().await)
    }

    async fn start_start(
        &self,
        name: &ClusterRef,
        request: &RequestId,
    ) -> Result<OperationName, ClusterError> {
        let client = self.clusters(&name.region).await?;
        let call = client
            .start_cluster()
            .set_project_id(name.project.as_str())
            .set_region(name.region.as_str())
            .set_cluster_name(name.name.as_str())
            .set_request_id(request.as_str())
            .with_idempotency(true);
        started(name, call.send().await)
    }

    async fn start_diagnose(&self, name: &ClusterRef) -> Result<OperationName, ClusterError> {
        let client = self.clusters(&name.region).await?;
        // A second diagnosis by a repeated call costs a file and nothing else.
        let call = client
            .diagnose_cluster()
            .set_project_id(name.project.as_str())
            .set_region(name.region.as_str())
            .set_cluster_name(name.name.as_str())
            .with_idempotency(true);
        started(name, call.send().await)
    }

    async fn operation(&self, name: &OperationName) -> Result<Operation, ClusterError> {
        let subject = Subject::Operation(name.clone());
        let Some(region) = name.region() else {
            let message = "it is not `projects/P/regions/R/operations/ID`".to_owned();
            return Err(ApiError::Invalid { subject, message });
        };
        let client = self.clusters(&region).await?;
        let answer = client
            .get_operation()
            .set_name(name.0.as_str())
            .send()
            .await;
        let found = answer.map_err(|error| sort(subject, false, &error))?;
        operation(name, &found)
    }
}
