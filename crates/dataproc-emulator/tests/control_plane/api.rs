//! An emulator for a test, and calls to it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dataproc_emulator::{Emulator, EmulatorOptions, ScriptedRuntime};
use serde_json::{Value, json};

/// An emulator over clusters that are nothing but names, and a client.
pub(crate) struct Api {
    pub(crate) emulator: Emulator,
    pub(crate) runtime: Arc<ScriptedRuntime>,
    pub(crate) client: reqwest::Client,
}

pub(crate) const REGION: &str = "v1/projects/p/regions/europe-west1";

impl Api {
    pub(crate) async fn new() -> Self {
        Self::over(ScriptedRuntime::without_machines()).await
    }

    pub(crate) async fn over(runtime: ScriptedRuntime) -> Self {
        let runtime = Arc::new(runtime);
        Self::with(runtime, EmulatorOptions::default()).await
    }

    pub(crate) async fn with(runtime: Arc<ScriptedRuntime>, options: EmulatorOptions) -> Self {
        let emulator = Emulator::start(runtime.clone(), options).await.unwrap();
        let client = reqwest::Client::new();
        Self {
            emulator,
            runtime,
            client,
        }
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let url = format!("{}/{path}", self.emulator.url());
        let mut request = self.client.request(method.parse().unwrap(), url);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or_default())
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        self.send("GET", &format!("{REGION}/{path}"), None).await
    }

    pub(crate) async fn create(&self, name: &str, config: Value) -> (u16, Value) {
        let body = json!({"clusterName": name, "projectId": "p", "config": config});
        self.send("POST", &format!("{REGION}/clusters"), Some(body))
            .await
    }

    /// Asks until the operation is done.
    pub(crate) async fn wait(&self, operation: &Value) -> Value {
        let name = operation["name"].as_str().unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let (status, operation) = self.send("GET", &format!("v1/{name}"), None).await;
            assert_eq!(status, 200, "{operation}");
            if operation["done"] == true {
                return operation;
            }
            assert!(Instant::now() < deadline, "{operation}");
            tokio::task::yield_now().await;
        }
    }

    pub(crate) async fn made(&self, name: &str, config: Value) -> Value {
        let (status, operation) = self.create(name, config).await;
        assert_eq!(status, 200, "{operation}");
        self.wait(&operation).await
    }

    /// Asks until the cluster is gone.
    pub(crate) async fn wait_gone(&self, name: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.get(&format!("clusters/{name}")).await.0 != 404 {
            assert!(Instant::now() < deadline, "{name} is still there");
            tokio::task::yield_now().await;
        }
    }

    /// A call below the region that has to go well.
    pub(crate) async fn fine(&self, method: &str, path: &str, body: Value) -> Value {
        let body = (method != "GET" && method != "DELETE").then_some(body);
        let (status, answer) = self.send(method, &format!("{REGION}/{path}"), body).await;
        assert_eq!(status, 200, "{method} {path}: {answer}");
        answer
    }

    /// A call below the region that has to be refused, with a text that has this part.
    pub(crate) async fn refused(
        &self,
        call: (&str, &str),
        body: Value,
        expected: (u16, &str),
        part: &str,
    ) {
        let (method, path) = call;
        let (status, answer) = self
            .send(method, &format!("{REGION}/{path}"), Some(body))
            .await;
        let error = &answer["error"];
        let got = (status, error["status"].as_str().unwrap_or_default());
        assert_eq!(got, expected, "{method} {path}: {answer}");
        assert!(
            error["message"].as_str().unwrap_or_default().contains(part),
            "{answer}"
        );
    }

    /// Reads the cluster until it is so.
    pub(crate) async fn cluster_when(&self, name: &str, is: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let (_, cluster) = self.get(&format!("clusters/{name}")).await;
            if is(&cluster) {
                return cluster;
            }
            assert!(Instant::now() < deadline, "{cluster}");
            tokio::task::yield_now().await;
        }
    }
}
