//! The web pages of a runtime's machines, as the component gateway tells them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use dataproc_emulator::{
    ClusterFacts, ClusterRuntime, Emulator, EmulatorOptions, Machines, MetadataKey, RuntimeError,
};
use serde_json::{Value, json};

use crate::api::REGION;

/// Clusters that are nothing but a page.
#[derive(Debug)]
struct Pages;

#[async_trait]
impl ClusterRuntime for Pages {
    async fn create(&self, cluster: &ClusterFacts) -> Result<Machines, RuntimeError> {
        let mut machines = Machines::at_master(cluster, [127, 0, 0, 1].into(), &[]);
        let page = "http://127.0.0.1:8088/".to_owned();
        machines
            .web_pages
            .insert("YARN ResourceManager".to_owned(), page);
        Ok(machines)
    }

    async fn delete(&self, _cluster: &ClusterFacts) -> Result<(), RuntimeError> {
        Ok(())
    }

    async fn scale(
        &self,
        cluster: &ClusterFacts,
        _graceful: Duration,
    ) -> Result<Machines, RuntimeError> {
        self.create(cluster).await
    }

    async fn set_keys(
        &self,
        _cluster: &ClusterFacts,
        _machine: &str,
        _keys: &[MetadataKey],
    ) -> Result<(), RuntimeError> {
        Ok(())
    }

    async fn is_busy(&self, _cluster: &ClusterFacts) -> bool {
        false
    }
}

#[tokio::test]
async fn pages_are_told_to_those_who_ask_for_them() {
    let emulator = Emulator::start(Arc::new(Pages), EmulatorOptions::default())
        .await
        .unwrap();
    let clusters = format!("{}/{REGION}/clusters", emulator.url());
    let client = reqwest::Client::new();
    let told = |name: &'static str, asked: bool| {
        let (client, clusters) = (&client, &clusters);
        async move {
            let config = json!({"endpointConfig": {"enableHttpPortAccess": asked}});
            let body = json!({"clusterName": name, "config": config});
            client
                .post(clusters)
                .json(&body)
                .send()
                .await
                .unwrap()
                .error_for_status()
                .unwrap();
            let deadline = Instant::now() + Duration::from_secs(20);
            loop {
                let url = format!("{clusters}/{name}");
                let cluster: Value = client.get(url).send().await.unwrap().json().await.unwrap();
                if cluster["status"]["state"] == "RUNNING" {
                    return cluster["config"]["endpointConfig"]
                        .get("httpPorts")
                        .cloned();
                }
                assert!(Instant::now() < deadline, "{cluster}");
                tokio::task::yield_now().await;
            }
        }
    };
    let pages = json!({"YARN ResourceManager": "http://127.0.0.1:8088/"});
    assert_eq!(told("open", true).await, Some(pages));
    assert_eq!(told("closed", false).await, None);
    emulator.stop().await;
}
