//! What is asked of a running sandbox: whether it answers, its clusters, a bucket.

use std::time::Duration;

use flinkproc_core::BucketName;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Record;
use crate::error::AppError;

/// How long a server on loopback may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A cluster, in the words of `sandbox status`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ClusterRow {
    pub(crate) project: String,
    pub(crate) region: String,
    pub(crate) name: String,
    pub(crate) state: String,
    /// The address of its master.
    pub(crate) address: Option<String>,
    /// Its web pages by name.
    pub(crate) web_pages: serde_json::Map<String, Value>,
}

/// A sandbox that is asked.
#[derive(Debug)]
pub(crate) struct SandboxApi<'a> {
    record: &'a Record,
    http: Client,
}

impl<'a> SandboxApi<'a> {
    pub(crate) fn new(record: &'a Record) -> Result<Self, AppError> {
        let http = Client::builder()
            // The user's proxy leads away from this machine.
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .map_err(|source| AppError::Client {
                service: "the sandbox",
                source: source.into(),
            })?;
        Ok(Self { record, http })
    }

    /// Whether it answers at all.
    pub(crate) async fn is_well(&self) -> bool {
        let url = format!("{}/emulator/v1/health", self.record.dataproc);
        let answer = self.http.get(url).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// Every cluster of every project.
    pub(crate) async fn clusters(&self) -> Result<Vec<ClusterRow>, AppError> {
        let url = format!("{}/emulator/v1/clusters", self.record.dataproc);
        let answer = self.send(self.http.get(url)).await?;
        let answer: Value = answer.json().await.map_err(silent(self.record))?;
        let clusters = answer["clusters"].as_array().cloned().unwrap_or_default();
        Ok(clusters.iter().map(row).collect())
    }

    /// Makes a bucket; one that is there already is no error.
    pub(crate) async fn ensure_bucket(&self, bucket: &BucketName) -> Result<(), AppError> {
        let url = format!(
            "{}/storage/v1/b?project={}",
            self.record.storage,
            super::PROJECT
        );
        let call = self
            .http
            .post(url)
            .json(&json!({ "name": bucket.as_str() }));
        let answer = self.send(call).await?;
        if answer.status().is_success() || answer.status() == StatusCode::CONFLICT {
            return Ok(());
        }
        Err(AppError::SandboxSilent {
            name: self.record.name.clone(),
            source: format!("the bucket {bucket} was refused: {}", answer.status()).into(),
        })
    }

    async fn send(&self, call: RequestBuilder) -> Result<reqwest::Response, AppError> {
        let call = match self.record.token()? {
            Some(token) => call.bearer_auth(token.reveal()),
            None => call,
        };
        call.send().await.map_err(silent(self.record))
    }
}

fn silent(record: &Record) -> impl FnOnce(reqwest::Error) -> AppError {
    let name = record.name.clone();
    move |source| AppError::SandboxSilent {
        name,
        source: source.into(),
    }
}

fn row(cluster: &Value) -> ClusterRow {
    let text = |pointer: &str| {
        let value = cluster.pointer(pointer).and_then(Value::as_str);
        value.map(str::to_owned)
    };
    let zone = text("/config/gceClusterConfig/zoneUri").unwrap_or_default();
    let zone = zone.rsplit('/').next().unwrap_or_default();
    let region = text("/labels/goog-dataproc-location").or_else(|| {
        let (region, _) = zone.rsplit_once('-')?;
        Some(region.to_owned())
    });
    let pages = cluster.pointer("/config/endpointConfig/httpPorts");
    ClusterRow {
        project: text("/projectId").unwrap_or_default(),
        region: region.unwrap_or_default(),
        name: text("/clusterName").unwrap_or_default(),
        state: text("/status/state").unwrap_or_default(),
        address: text("/machines/0/address"),
        web_pages: pages
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default(),
    }
}
