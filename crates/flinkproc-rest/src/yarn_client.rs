//! [`YarnApi`] over HTTP.

use std::sync::Arc;

use async_trait::async_trait;
use flinkproc_core::YarnApplicationId;
use reqwest::{Client, Method};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::RestError;
use crate::http::{Caller, Endpoint, query_value};
use crate::route::Route;
use crate::yarn::YarnApi;
use crate::yarn_values::{Application, ApplicationAttempt, ClusterInfo, ClusterMetrics, Node};

/// A ResourceManager behind a route; its port is usually 8088.
#[derive(Clone, Debug)]
pub struct HttpYarn {
    caller: Caller,
}

impl HttpYarn {
    /// Names the ResourceManager and the way there; connects at the first call.
    #[must_use]
    pub fn new(client: Client, route: Arc<dyn Route>, resource_manager: Endpoint) -> Self {
        Self {
            caller: Caller::new(client, route, resource_manager),
        }
    }
}

/// YARN wraps every answer in an object of one key, and writes `null` instead of an empty list.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wrapped<T> {
    #[serde(
        alias = "clusterInfo",
        alias = "clusterMetrics",
        alias = "app",
        alias = "nodes",
        alias = "apps",
        alias = "appAttempts"
    )]
    inner: T,
}

#[derive(Deserialize)]
struct List<T> {
    #[serde(
        alias = "node",
        alias = "app",
        alias = "appAttempt",
        default = "Vec::new"
    )]
    items: Vec<T>,
}

fn items<T>(list: Wrapped<Option<List<T>>>) -> Vec<T> {
    list.inner.map(|list| list.items).unwrap_or_default()
}

#[async_trait]
impl YarnApi for HttpYarn {
    async fn info(&self) -> Result<ClusterInfo, RestError> {
        Ok(self
            .caller
            .get::<Wrapped<_>>("/ws/v1/cluster/info")
            .await?
            .inner)
    }

    async fn metrics(&self) -> Result<ClusterMetrics, RestError> {
        Ok(self
            .caller
            .get::<Wrapped<_>>("/ws/v1/cluster/metrics")
            .await?
            .inner)
    }

    async fn nodes(&self) -> Result<Vec<Node>, RestError> {
        Ok(items(self.caller.get("/ws/v1/cluster/nodes").await?))
    }

    async fn applications(&self, tag: Option<&str>) -> Result<Vec<Application>, RestError> {
        let path = match tag {
            Some(tag) => {
                let tag = query_value(&tag.to_lowercase());
                format!("/ws/v1/cluster/apps?applicationTags={tag}")
            }
            None => "/ws/v1/cluster/apps".to_owned(),
        };
        Ok(items(self.caller.get(&path).await?))
    }

    async fn application(&self, id: &YarnApplicationId) -> Result<Option<Application>, RestError> {
        let found = self
            .caller
            .find::<Wrapped<_>>(&format!("/ws/v1/cluster/apps/{id}"))
            .await?;
        Ok(found.map(|wrapped| wrapped.inner))
    }

    async fn attempts(&self, id: &YarnApplicationId) -> Result<Vec<ApplicationAttempt>, RestError> {
        let path = format!("/ws/v1/cluster/apps/{id}/appattempts");
        Ok(self
            .caller
            .find(&path)
            .await?
            .map(items)
            .unwrap_or_default())
    }

    async fn kill(&self, id: &YarnApplicationId) -> Result<(), RestError> {
        let path = format!("/ws/v1/cluster/apps/{id}/state");
        let body = json!({"state": "KILLED"});
        match self.caller.act::<Value>(Method::PUT, &path, body).await {
            // What YARN does not know runs no more.
            Ok(_) | Err(RestError::Refused { status: 404, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
