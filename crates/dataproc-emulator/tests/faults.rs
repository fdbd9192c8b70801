//! Each effect of a fault rule, through the calls that it strikes.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::io::Write as _;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dataproc_emulator::{Emulator, EmulatorOptions, FaultEffect, FaultRule, ScriptedRuntime};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};

const REGION: &str = "v1/projects/p/regions/europe-west1";
const CLUSTERS: &str = "/v1/projects/*/regions/*/clusters";
const ONE_CLUSTER: &str = "/v1/projects/*/regions/*/clusters/*";

struct Api {
    emulator: Emulator,
    client: reqwest::Client,
}

impl Api {
    async fn new() -> Self {
        let runtime = Arc::new(ScriptedRuntime::without_machines());
        let options = EmulatorOptions::default();
        Self {
            emulator: Emulator::start(runtime, options).await.unwrap(),
            client: reqwest::Client::new(),
        }
    }

    fn add(&self, rule: FaultRule) {
        self.emulator.faults().add(rule);
    }

    async fn try_send(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Result<(u16, Value), reqwest::Error> {
        let url = format!("{}/{path}", self.emulator.url());
        let mut request = self.client.request(method.parse().unwrap(), url);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        Ok((
            status,
            serde_json::from_slice(&answer.bytes().await?).unwrap_or_default(),
        ))
    }

    async fn send(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let path = format!("{REGION}/{path}");
        self.try_send(method, &path, body).await.unwrap()
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.send("GET", path, None).await
    }

    async fn create(&self, config: Value) -> Value {
        let body = json!({"clusterName": "c", "config": config});
        let (status, operation) = self.send("POST", "clusters", Some(body)).await;
        assert_eq!(status, 200, "{operation}");
        self.wait(&operation).await
    }

    async fn wait(&self, operation: &Value) -> Value {
        let id = operation["name"]
            .as_str()
            .unwrap()
            .rsplit('/')
            .next()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let (_, operation) = self.get(&format!("operations/{id}")).await;
            if operation["done"] == true {
                return operation;
            }
            assert!(Instant::now() < deadline, "{operation}");
            tokio::task::yield_now().await;
        }
    }
}

fn status_of(error: &Value) -> &str {
    error["error"]["status"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn an_answer_comes_instead_of_an_effect() {
    let api = Api::new().await;
    let body = r#"{"error": {"code": 503, "status": "UNAVAILABLE"}}"#.to_owned();
    api.add(FaultRule::on(
        "POST",
        CLUSTERS,
        FaultEffect::Answer { status: 503, body },
    ));
    let create = json!({"clusterName": "c"});
    let (status, error) = api.send("POST", "clusters", Some(create)).await;
    assert_eq!((status, status_of(&error)), (503, "UNAVAILABLE"));
    assert!(api.emulator.clusters().is_empty());
    api.create(json!({})).await;
    api.emulator.stop().await;
}

#[tokio::test]
async fn a_delayed_call_is_carried_out_later() {
    let api = Api::new().await;
    api.add(FaultRule::on(
        "GET",
        CLUSTERS,
        FaultEffect::Delay { millis: 150 },
    ));
    let begun = Instant::now();
    assert_eq!(api.get("clusters").await.0, 200);
    assert!(begun.elapsed() >= Duration::from_millis(150));
    api.emulator.stop().await;
}

#[tokio::test]
async fn a_reset_has_no_effect_and_a_lost_answer_has() {
    let api = Api::new().await;
    let path = format!("{REGION}/clusters");
    let create = || Some(json!({"clusterName": "c"}));
    api.add(FaultRule::on("POST", CLUSTERS, FaultEffect::Reset));
    api.try_send("POST", &path, create()).await.unwrap_err();
    assert!(api.emulator.clusters().is_empty());
    api.emulator.faults().clear();
    api.add(FaultRule::on("POST", CLUSTERS, FaultEffect::AnswerLost));
    api.try_send("POST", &path, create()).await.unwrap_err();
    assert_eq!(api.emulator.clusters().len(), 1);
    api.emulator.stop().await;
}

#[tokio::test]
async fn half_an_answer_promises_the_whole() {
    let api = Api::new().await;
    api.create(json!({})).await;
    let whole = api.get("clusters/c").await.1.to_string();
    api.add(FaultRule::on("GET", ONE_CLUSTER, FaultEffect::HalfAnswer));
    let mut raw = tokio::net::TcpStream::connect(api.emulator.address())
        .await
        .unwrap();
    let request = format!("GET /{REGION}/clusters/c HTTP/1.1\r\nHost: localhost\r\n\r\n");
    raw.write_all(request.as_bytes()).await.unwrap();
    let mut came = Vec::new();
    // The connection is cut, by an end or by a reset.
    raw.read_to_end(&mut came).await.ok();
    let came = String::from_utf8(came).unwrap();
    let (head, body) = came.split_once("\r\n\r\n").unwrap();
    let promised = format!("content-length: {}", whole.len());
    assert!(head.to_lowercase().contains(&promised), "{head}");
    assert_eq!(body, &whole[..whole.len() / 2]);
    api.emulator.stop().await;
}

#[tokio::test]
async fn chance_strikes_by_its_seed() {
    let api = Api::new().await;
    let effect = FaultEffect::Answer {
        status: 500,
        body: String::new(),
    };
    let rule = FaultRule::on("GET", CLUSTERS, effect).times(u32::MAX);
    let mut courses = Vec::new();
    for seed in [7, 7, 8] {
        api.emulator.faults().clear();
        api.add(rule.clone().with_probability(0.5, seed));
        let mut course = Vec::new();
        for _ in 0..40 {
            course.push(api.get("clusters").await.0);
        }
        courses.push(course);
    }
    assert_eq!(courses[0], courses[1]);
    assert_ne!(courses[0], courses[2]);
    assert!(courses[0].contains(&200) && courses[0].contains(&500));
    api.emulator.stop().await;
}

#[tokio::test]
async fn a_stockout_leaves_a_cluster_in_error() {
    let api = Api::new().await;
    let detail = "n1-standard-4 in europe-west1-b".to_owned();
    api.add(FaultRule::on(
        "POST",
        CLUSTERS,
        FaultEffect::Stockout { detail },
    ));
    let done = api.create(json!({})).await;
    assert_eq!(done["error"]["code"], 8);
    let (_, cluster) = api.get("clusters/c").await;
    assert_eq!(cluster["status"]["state"], "ERROR");
    let detail = cluster["status"]["detail"].as_str().unwrap();
    assert!(
        detail.contains("n1-standard-4 in europe-west1-b"),
        "{detail}"
    );
    api.emulator.stop().await;
}

#[tokio::test]
async fn a_quota_refuses_the_call() {
    let api = Api::new().await;
    let effect = FaultEffect::Quota {
        metric: "CPUS".to_owned(),
        requested: 24,
        available: 8,
    };
    api.add(FaultRule::on("POST", CLUSTERS, effect));
    let body = json!({"clusterName": "c"});
    let (status, error) = api.send("POST", "clusters", Some(body)).await;
    assert_eq!((status, status_of(&error)), (400, "INVALID_ARGUMENT"));
    let message = "Insufficient 'CPUS' quota. Requested 24.0, available 8.0.";
    assert_eq!(error["error"]["message"], message);
    let kind = "type.googleapis.com/google.rpc.QuotaFailure";
    assert_eq!(error["error"]["details"][0]["@type"], kind);
    assert!(api.emulator.clusters().is_empty());
    api.emulator.stop().await;
}

#[tokio::test]
async fn a_cluster_fails_while_it_is_made_changed_or_looked_at() {
    let api = Api::new().await;
    let effect = || FaultEffect::ErrorCluster {
        detail: "agents did not report".to_owned(),
    };
    let state = || async { api.get("clusters/c").await.1["status"]["state"].clone() };
    api.add(FaultRule::on("POST", CLUSTERS, effect()));
    let done = api.create(json!({})).await;
    assert_eq!(done["error"]["message"], "agents did not report");
    assert_eq!(state().await, "ERROR");
    let (_, operation) = api.send("DELETE", "clusters/c", None).await;
    api.wait(&operation).await;

    api.emulator.faults().clear();
    api.create(json!({})).await;
    api.add(FaultRule::on("PATCH", ONE_CLUSTER, effect()));
    let path = "clusters/c?updateMask=config.worker_config.num_instances";
    let sized = json!({"config": {"workerConfig": {"numInstances": 3}}});
    let (_, operation) = api.send("PATCH", path, Some(sized)).await;
    assert_eq!(
        api.wait(&operation).await["error"]["message"],
        "agents did not report"
    );
    assert_eq!(state().await, "ERROR_DUE_TO_UPDATE");

    api.add(FaultRule::on("GET", ONE_CLUSTER, effect()).from_call(2));
    assert_eq!(state().await, "ERROR_DUE_TO_UPDATE");
    assert_eq!(state().await, "ERROR");
    api.emulator.stop().await;
}

#[tokio::test]
async fn somebody_else_deletes_the_cluster_meanwhile() {
    let api = Api::new().await;
    api.create(json!({})).await;
    let effect = FaultEffect::Deleting { cluster: None };
    api.add(FaultRule::on("GET", ONE_CLUSTER, effect));
    let (status, cluster) = api.get("clusters/c").await;
    assert!(
        status == 404 || cluster["status"]["state"] == "DELETING",
        "{cluster}"
    );
    let deadline = Instant::now() + Duration::from_secs(20);
    while api.get("clusters/c").await.0 != 404 {
        assert!(Instant::now() < deadline);
        tokio::task::yield_now().await;
    }

    api.create(json!({})).await;
    let effect = FaultEffect::Deleting {
        cluster: Some("c".to_owned()),
    };
    let submit = "/v1/projects/*/regions/*/jobs:submit";
    api.add(FaultRule::on("POST", submit, effect));
    let job = json!({"job": {"placement": {"clusterName": "c"}, "flinkJob": {"mainClass": "A"}}});
    let (status, error) = api.send("POST", "jobs:submit", Some(job)).await;
    assert!(matches!(status, 400 | 404), "{error}");
    api.emulator.stop().await;
}

#[tokio::test]
async fn a_secondary_worker_is_preempted_by_rule_or_by_command() {
    let api = Api::new().await;
    api.create(json!({"secondaryWorkerConfig": {"numInstances": 3, "preemptibility": "SPOT"}}))
        .await;
    let secondary = |cluster: &Value| cluster["config"]["secondaryWorkerConfig"].clone();
    let machine = "c-sw-1".to_owned();
    api.add(FaultRule::on(
        "GET",
        ONE_CLUSTER,
        FaultEffect::Preempt { machine },
    ));
    let (_, cluster) = api.get("clusters/c").await;
    assert_eq!(
        secondary(&cluster)["instanceNames"],
        json!(["c-sw-0", "c-sw-2"])
    );
    assert_eq!(secondary(&cluster)["numInstances"], 3);
    let gone = "compute/v1/projects/p/zones/europe-west1-b/instances/c-sw-1";
    assert_eq!(api.try_send("GET", gone, None).await.unwrap().0, 404);

    let command = |machine: &'static str| {
        let path = "emulator/v1/clusters/c:preempt";
        let body = Some(json!({"machine": machine}));
        async { api.try_send("POST", path, body).await.unwrap().0 }
    };
    assert_eq!(command("c-sw-0").await, 200);
    let (_, cluster) = api.get("clusters/c").await;
    assert_eq!(secondary(&cluster)["instanceNames"], json!(["c-sw-2"]));
    assert_eq!(command("c-sw-0").await, 404);
    assert_eq!(command("c-m").await, 400);
    api.emulator.stop().await;
}

#[tokio::test]
async fn rules_come_and_go_by_calls_of_the_emulators_own() {
    let api = Api::new().await;
    let own = "emulator/v1/faults";
    let rule = json!({"path": "*", "nth": 2, "times": 2, "effect": {"answer": {"status": 418}}});
    let added = api.try_send("POST", own, Some(rule)).await.unwrap();
    assert_eq!(added.0, 200, "{added:?}");
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(api.get("clusters").await.0);
    }
    assert_eq!(seen, [200, 418, 418, 200]);
    let (_, rules) = api.try_send("GET", own, None).await.unwrap();
    assert_eq!(rules["faults"][0]["seen"], 4);
    for wrong in [
        json!({"path": "*"}),
        json!({"path": "*", "effect": "explode"}),
        json!({"path": "*", "effect": "reset", "more": 1}),
    ] {
        let (status, _) = api
            .try_send("POST", own, Some(wrong.clone()))
            .await
            .unwrap();
        assert_eq!(status, 400, "{wrong}");
    }
    api.try_send("DELETE", own, None).await.unwrap();
    let (_, rules) = api.try_send("GET", own, None).await.unwrap();
    assert_eq!(rules, json!({"faults": []}));
    api.emulator.stop().await;
}

#[tokio::test]
async fn the_program_reads_rules_from_a_file() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(br#"[{"method": "GET", "path": "*/clusters", "effect": {"quota": {}}}]"#)
        .unwrap();
    let mut program = tokio::process::Command::new(env!("CARGO_BIN_EXE_dataproc-emulator"))
        .arg("--machines=none")
        .arg("--faults")
        .arg(file.path())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
    let url = lines.next_line().await.unwrap().unwrap();
    let listed = format!("{url}/{REGION}/clusters");
    let client = reqwest::Client::new();
    assert_eq!(client.get(&listed).send().await.unwrap().status(), 400);
    assert_eq!(client.get(&listed).send().await.unwrap().status(), 200);
    program.kill().await.unwrap();
}
