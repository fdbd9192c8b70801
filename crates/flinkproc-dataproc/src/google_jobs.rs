//! [`JobApi`] by Google's client.

use async_trait::async_trait;
use flinkproc_core::{ClusterRef, DataprocJobId, ProjectId, Region, RequestId};
use google_cloud_dataproc_v1::model;
use google_cloud_gax::options::RequestOptionsBuilder;
use serde_json::{Value, json};

use crate::error::{ApiError, JobError, Subject};
use crate::google::GoogleDataproc;
use crate::google_calls::sort;
use crate::jobs::{Job, JobApi, JobSpec};

/// The largest page that the service gives.
const PAGE: i32 = 1000;

fn job(id: &DataprocJobId, found: &model::Job) -> Result<Job, ApiError> {
    let resource = serde_json::to_value(found).map_err(|error| ApiError::Unreadable {
        subject: Subject::Job(id.clone()),
        message: error.to_string(),
    })?;
    Job::from_resource(resource)
}

#[async_trait]
impl JobApi for GoogleDataproc {
    async fn submit(&self, spec: &JobSpec, request: &RequestId) -> Result<Job, JobError> {
        let subject = Subject::Job(spec.id.clone());
        let ClusterRef {
            project,
            region,
            name,
        } = &spec.cluster;
        let Value::Object(mut fields) = spec.resource.clone() else {
            let message = "the resource is no JSON object".to_owned();
            return Err(ApiError::Invalid { subject, message });
        };
        fields.insert(
            "reference".to_owned(),
            json!({"projectId": project, "jobId": spec.id}),
        );
        fields.insert("placement".to_owned(), json!({"clusterName": name}));
        let message: model::Job = match serde_json::from_value(Value::Object(fields)) {
            Ok(message) => message,
            Err(error) => {
                let message = error.to_string();
                return Err(ApiError::Invalid { subject, message });
            }
        };
        let client = self.jobs(region).await?;
        let call = client
            .submit_job()
            .set_project_id(project.as_str())
            .set_region(region.as_str())
            .set_job(message)
            .set_request_id(request.as_str())
            .with_idempotency(true);
        match call.send().await {
            Ok(found) => job(&spec.id, &found),
            Err(error) => match sort(subject, true, &error) {
                // The job itself is what is being made, so what is missing is its cluster.
                ApiError::NotFound { .. } => {
                    let subject = Subject::Cluster(spec.cluster.clone());
                    Err(ApiError::NotFound { subject })
                }
                error => Err(error),
            },
        }
    }

    async fn find(
        &self,
        project: &ProjectId,
        region: &Region,
        id: &DataprocJobId,
    ) -> Result<Option<Job>, JobError> {
        let client = self.jobs(region).await?;
        let call = client
            .get_job()
            .set_project_id(project.as_str())
            .set_region(region.as_str())
            .set_job_id(id.as_str());
        match call.send().await {
            Ok(found) => job(id, &found).map(Some),
            Err(error) => match sort(Subject::Job(id.clone()), false, &error) {
                ApiError::NotFound { .. } => Ok(None),
                error => Err(error),
            },
        }
    }

    async fn list(
        &self,
        project: &ProjectId,
        region: &Region,
        cluster: Option<&ClusterRef>,
    ) -> Result<Vec<Job>, JobError> {
        let unreadable = |message: String| ApiError::Unreadable {
            subject: Subject::List(format!("the jobs of {project} in {region}")),
            message,
        };
        let client = self.jobs(region).await?;
        let mut jobs = Vec::new();
        let mut token = String::new();
        loop {
            let call = client
                .list_jobs()
                .set_project_id(project.as_str())
                .set_region(region.as_str())
                .set_cluster_name(cluster.map_or("", |cluster| cluster.name.as_str()))
                .set_page_size(PAGE)
                .set_page_token(token);
            let page = call.send().await.map_err(|error| {
                let subject = Subject::List(format!("the jobs of {project} in {region}"));
                sort(subject, false, &error)
            })?;
            for found in &page.jobs {
                let resource = serde_json::to_value(found);
                let resource = resource.map_err(|error| unreadable(error.to_string()))?;
                jobs.push(Job::from_resource(resource)?);
            }
            token = page.next_page_token;
            if token.is_empty() {
                return Ok(jobs);
            }
        }
    }

    async fn cancel(
        &self,
        project: &ProjectId,
        region: &Region,
        id: &DataprocJobId,
    ) -> Result<bool, JobError> {
        // Looked at first: the service's answer for a job that has ended does not tell it from one that it is ending now.
        match JobApi::find(self, project, region, id).await? {
            Some(found) if !found.state.is_terminal() => {}
            _ => return Ok(false),
        }
        let client = self.jobs(region).await?;
        let call = client
            .cancel_job()
            .set_project_id(project.as_str())
            .set_region(region.as_str())
            .set_job_id(id.as_str())
            .with_idempotency(true);
        match call.send().await {
            Ok(_) => Ok(true),
            Err(error) => match sort(Subject::Job(id.clone()), true, &error) {
                // It ended between the look and the call.
                ApiError::NotFound { .. } | ApiError::Busy { .. } => Ok(false),
                error => Err(error),
            },
        }
    }
}
