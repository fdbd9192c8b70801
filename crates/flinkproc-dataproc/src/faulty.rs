//! Failures on demand: [`Faulty`] is a [`ClusterApi`] and a [`JobApi`] again.
//!
//! Methods are counted under their names: `find`, `list`, `start_create`, `start_update`, `start_delete`, `start_stop`,
//! `start_start`, `start_diagnose`, `operation`; and `submit`, `find_job`, `list_jobs`, `cancel`.

use async_trait::async_trait;
use flinkproc_core::{
    ClusterRef, ClusterUuid, DataprocJobId, Fault, Faulty, ProjectId, Region, RequestId,
};

use crate::clusters::{Cluster, ClusterApi, ClusterSpec, ClusterUpdate, Operation, OperationName};
use crate::error::{ApiError, ClusterError, JobError, Subject};
use crate::jobs::{Job, JobApi, JobSpec};

/// Makes the call unless a fault forbids it, and loses the answer where a fault says so.
async fn suffer<T: Send>(
    fault: Option<Fault>,
    subject: Subject,
    call: impl Future<Output = Result<T, ApiError>> + Send,
) -> Result<T, ApiError> {
    match fault {
        None => call.await,
        Some(Fault::Before) => {
            let message = "injected: the connection was refused".to_owned();
            Err(ApiError::Unavailable { subject, message })
        }
        Some(Fault::AnswerLost) => {
            // The effect is what matters; what became of it is lost on purpose.
            drop(call.await);
            let message = "injected: the connection was dropped".to_owned();
            Err(ApiError::OutcomeUnknown { subject, message })
        }
    }
}

fn cluster(cluster: &ClusterRef) -> Subject {
    Subject::Cluster(cluster.clone())
}

#[async_trait]
impl<T: ClusterApi> ClusterApi for Faulty<T> {
    async fn find(&self, name: &ClusterRef) -> Result<Option<Cluster>, ClusterError> {
        suffer(self.strike("find"), cluster(name), self.inner().find(name)).await
    }

    async fn list(
        &self,
        project: &ProjectId,
        region: &Region,
        filter: &str,
    ) -> Result<Vec<Cluster>, ClusterError> {
        let subject = Subject::List(format!("the clusters of {project} in {region}"));
        suffer(
            self.strike("list"),
            subject,
            self.inner().list(project, region, filter),
        )
        .await
    }

    async fn start_create(
        &self,
        spec: &ClusterSpec,
        request: &RequestId,
    ) -> Result<OperationName, ClusterError> {
        let call = self.inner().start_create(spec, request);
        suffer(self.strike("start_create"), cluster(&spec.cluster), call).await
    }

    async fn start_update(
        &self,
        name: &ClusterRef,
        update: &ClusterUpdate,
        request: &RequestId,
    ) -> Result<OperationName, ClusterError> {
        let call = self.inner().start_update(name, update, request);
        suffer(self.strike("start_update"), cluster(name), call).await
    }

    async fn start_delete(
        &self,
        name: &ClusterRef,
        uuid: Option<&ClusterUuid>,
        request: &RequestId,
    ) -> Result<Option<OperationName>, ClusterError> {
        let call = self.inner().start_delete(name, uuid, request);
        suffer(self.strike("start_delete"), cluster(name), call).await
    }

    async fn start_stop(
        &self,
        name: &ClusterRef,
        request: &RequestId,
    ) -> Result<OperationName, ClusterError> {
        let call = self.inner().start_stop(name, request);
        suffer(self.strike("start_stop"), cluster(name), call).await
    }

    async fn start_start(
        &self,
        name: &ClusterRef,
        request: &RequestId,
    ) -> Result<OperationName, ClusterError> {
        let call = self.inner().start_start(name, request);
        suffer(self.strike("start_start"), cluster(name), call).await
    }

    async fn start_diagnose(&self, name: &ClusterRef) -> Result<OperationName, ClusterError> {
        let call = self.inner().start_diagnose(name);
        suffer(self.strike("start_diagnose"), cluster(name), call).await
    }

    async fn operation(&self, name: &OperationName) -> Result<Operation, ClusterError> {
        let subject = Subject::Operation(name.clone());
        suffer(
            self.strike("operation"),
            subject,
            self.inner().operation(name),
        )
        .await
    }
}

#[async_trait]
impl<T: JobApi> JobApi for Faulty<T> {
    async fn submit(&self, job: &JobSpec, request: &RequestId) -> Result<Job, JobError> {
        let subject = Subject::Job(job.id.clone());
        suffer(
            self.strike("submit"),
            subject,
            self.inner().submit(job, request),
        )
        .await
    }

    async fn find(
        &self,
        project: &ProjectId,
        region: &Region,
        id: &DataprocJobId,
    ) -> Result<Option<Job>, JobError> {
        let subject = Subject::Job(id.clone());
        suffer(
            self.strike("find_job"),
            subject,
            self.inner().find(project, region, id),
        )
        .await
    }

    async fn list(
        &self,
        project: &ProjectId,
        region: &Region,
        cluster: Option<&ClusterRef>,
    ) -> Result<Vec<Job>, JobError> {
        let subject = Subject::List(format!("the jobs of {project} in {region}"));
        let call = self.inner().list(project, region, cluster);
        suffer(self.strike("list_jobs"), subject, call).await
    }

    async fn cancel(
        &self,
        project: &ProjectId,
        region: &Region,
        id: &DataprocJobId,
    ) -> Result<bool, JobError> {
        let subject = Subject::Job(id.clone());
        suffer(
            self.strike("cancel"),
            subject,
            self.inner().cancel(project, region, id),
        )
        .await
    }
}
