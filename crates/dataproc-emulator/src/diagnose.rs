//! `:diagnose` of a cluster: an archive and a report in its bucket.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::failure::{ApiFailure, Code};
use crate::operations::OperationKind;
use crate::runtime::{ClusterFacts, RuntimeError};
use crate::schema::canonical;
use crate::service::{Beginning, ClusterKey, Service};
use crate::storage::split_uri;

impl Service {
    /// Begins to diagnose a cluster and gives the operation.
    pub(crate) fn diagnose(
        self: &Arc<Self>,
        key: &ClusterKey,
        body: &Value,
    ) -> Result<Value, ApiFailure> {
        let request = canonical("DiagnoseClusterRequest", body, "request")?;
        let folder = request.get("tarballGcsDir").and_then(Value::as_str);
        if let Some(folder) = folder.filter(|folder| split_uri(folder).is_none()) {
            return Err(ApiFailure::invalid_field(
                "tarball_gcs_dir",
                format!(
                    "Invalid folder '{folder}': it must be a folder of a bucket, gs://BUCKET/FOLDER"
                ),
            ));
        }
        let mut state = self.lock();
        let record = state.clusters.get(key).ok_or_else(|| key.not_found())?;
        if matches!(
            record.state(),
            "CREATING" | "DELETING" | "STOPPED" | "STOPPING" | "STARTING"
        ) {
            return Err(ApiFailure::new(
                Code::FailedPrecondition,
                format!(
                    "Cluster '{}' can not be diagnosed in state {}",
                    key.name,
                    record.state()
                ),
            ));
        }
        let mut facts = record.facts.clone();
        facts.resource = record.resource().clone();
        let beginning = Beginning {
            key,
            kind: OperationKind::Diagnose,
            request: "",
            uuid: &facts.uuid,
            labels: facts.resource["labels"].clone(),
            description: "Diagnose cluster".to_owned(),
            warnings: Vec::new(),
        };
        let name = state.begin(beginning, self.clock.now());
        let answer = state.operation(&name);
        let cancel = state.operations.get(&name).map(|o| Arc::clone(&o.cancel));
        drop(state);
        let cancel = cancel.unwrap_or_default();
        let folder = folder.map(str::to_owned);
        let service = Arc::clone(self);
        tokio::spawn(async move {
            let end = tokio::select! {
                written = service.write_diagnosis(&facts, &name, folder) => written,
                () = cancel.notified() => {
                    Err((Code::Cancelled, "Operation was cancelled".to_owned()))
                }
            };
            let now = service.clock.now();
            service.lock().end(&name, end, now);
            service.changed.notify_waiters();
        });
        Ok(answer)
    }

    /// Writes the archive and the report that names it, and gives the response.
    ///
    /// gcloud reads the report as driver output, in numbered objects up to an empty one; the API's reference calls it a
    /// text file at the URI itself. It is both here.
    async fn write_diagnosis(
        &self,
        cluster: &ClusterFacts,
        operation: &str,
        folder: Option<String>,
    ) -> Result<Value, (Code, String)> {
        let archive = self.runtime.diagnose(cluster).await;
        let archive = archive.map_err(|error| match error {
            RuntimeError::NotEmulated { .. } => (Code::Unimplemented, error.to_string()),
            other => (Code::Internal, other.to_string()),
        })?;
        let id = operation.rsplit('/').next().unwrap_or_default();
        let bucket = cluster.resource["config"]["configBucket"].as_str();
        let own = format!(
            "gs://{}/google-cloud-dataproc-metainfo/{}/diagnostic/{id}",
            bucket.unwrap_or_default(),
            cluster.uuid
        );
        let folder = folder.unwrap_or_else(|| own.clone());
        let archive_at = format!("{}/diagnostic.tar.gz", folder.trim_end_matches('/'));
        let report_at = format!("{own}/output");
        let report = format!(
            "Diagnosis of cluster {} ({}), image {}.\nDiagnostic archive of {} bytes written to {archive_at}\n",
            cluster.name,
            cluster.uuid,
            cluster.image,
            archive.len()
        );
        let report = Bytes::from(report);
        for (uri, kind, content) in [
            (archive_at, "application/gzip", &archive),
            (report_at.clone(), "text/plain", &report),
            (format!("{report_at}.000000000"), "text/plain", &report),
            (
                format!("{report_at}.000000001"),
                "text/plain",
                &Bytes::new(),
            ),
        ] {
            self.put(&uri, kind, content).await?;
        }
        Ok(json!({
            "@type": "type.googleapis.com/google.cloud.dataproc.v1.DiagnoseClusterResults",
            "outputUri": report_at,
        }))
    }

    async fn put(&self, uri: &str, kind: &str, content: &Bytes) -> Result<(), (Code, String)> {
        let storage = self.storage().zip(split_uri(uri));
        let Some((storage, (bucket, object))) = storage else {
            let message = "a diagnosis without Cloud Storage is not emulated".to_owned();
            return Err((Code::Unimplemented, message));
        };
        let put = storage.put(bucket, object, kind, content).await;
        put.map_err(|error| (Code::Internal, error.to_string()))
    }
}
