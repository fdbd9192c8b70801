//! What is sent in error or in anger: each is refused in the service's manner, and the emulator stays up.

use std::sync::Arc;
use std::time::Duration;

use dataproc_emulator::{EmulatorOptions, ScriptedRuntime};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::api::{Api, REGION};

const INVALID: (u16, &str) = (400, "INVALID_ARGUMENT");
const MISSING: (u16, &str) = (404, "NOT_FOUND");

/// Sends bytes and reads what comes until the other side closes.
async fn raw(api: &Api, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(api.emulator.address()).await.unwrap();
    // The other side may have had enough before everything is sent.
    stream.write_all(bytes).await.ok();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok();
    String::from_utf8_lossy(&answer).into_owned()
}

async fn post(api: &Api, body: impl Into<reqwest::Body>, kind: &str) -> (u16, Value) {
    let url = format!("{}/{REGION}/clusters", api.emulator.url());
    let request = api.client.post(url).header("content-type", kind).body(body);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn is_up(api: &Api) {
    let (status, health) = api.send("GET", "emulator/v1/health", None).await;
    assert_eq!((status, &health["status"]), (200, &json!("ok")));
    assert_eq!(api.get("clusters").await.0, 200);
}

#[tokio::test]
async fn malformed_bodies_are_refused() {
    let api = Api::new().await;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for body in [
        "{",
        "nonsense",
        "[1, 2]",
        "\"text\"",
        "12",
        "{\"clusterName\": \"a\"} trailing",
        "\u{0}",
        &deep,
    ] {
        let (status, error) = post(&api, body.to_owned(), "application/json").await;
        let start = body.get(..20.min(body.len())).unwrap_or_default();
        assert_eq!(
            (status, &error["error"]["status"]),
            (400, &json!("INVALID_ARGUMENT")),
            "{start}"
        );
    }
    let (status, _) = post(&api, vec![0xff, 0xfe, b'{', b'}'], "application/json").await;
    assert_eq!(status, 400);
    is_up(&api).await;
}

#[tokio::test]
async fn unknown_fields_and_wrong_types_are_named() {
    let api = Api::new().await;
    let create = ("POST", "clusters");
    let check = |config: Value, part: &'static str| {
        let body = json!({"clusterName": "a", "config": config});
        let api = &api;
        async move { api.refused(create, body, INVALID, part).await }
    };
    check(json!({"nodes": 1}), "Unknown name \"nodes\"").await;
    check(
        json!({"workerConfig": {"numInstances": "many"}}),
        "num_instances",
    )
    .await;
    check(
        json!({"workerConfig": {"numInstances": 1e20}}),
        "num_instances",
    )
    .await;
    check(json!({"workerConfig": []}), "worker_config").await;
    check(
        json!({"softwareConfig": {"optionalComponents": ["FLINKK"]}}),
        "optional_components[0]",
    )
    .await;
    check(
        json!({"softwareConfig": {"optionalComponents": "FLINK"}}),
        "a list",
    )
    .await;
    check(
        json!({"secondaryWorkerConfig": {"preemptibility": 17}}),
        "preemptibility",
    )
    .await;
    check(
        json!({"lifecycleConfig": {"idleDeleteTtl": 600}}),
        "idle_delete_ttl",
    )
    .await;
    check(
        json!({"lifecycleConfig": {"autoDeleteTime": "tomorrow"}}),
        "auto_delete_time",
    )
    .await;
    check(
        json!({"endpointConfig": {"enableHttpPortAccess": "yes"}}),
        "enable_http_port_access",
    )
    .await;
    check(json!("text"), "cluster.config").await;
    assert!(api.emulator.clusters().is_empty());
}

#[tokio::test]
async fn names_of_others_are_not_found() {
    let api = Api::new().await;
    api.made("mine", json!({})).await;
    for path in [
        "v1/projects/q/regions/europe-west1/clusters/mine",
        "v1/projects/p/regions/europe-west2/clusters/mine",
    ] {
        for (method, body) in [("GET", None), ("DELETE", None), ("PATCH", Some(json!({})))] {
            let (status, error) = api
                .send(method, &format!("{path}?updateMask=labels"), body)
                .await;
            assert_eq!(
                (status, &error["error"]["status"]),
                (404, &json!("NOT_FOUND")),
                "{method} {path}"
            );
        }
    }
    let (_, making) = api.create("other", json!({})).await;
    let foreign = making["name"]
        .as_str()
        .unwrap()
        .replace("projects/p/", "projects/q/");
    assert_eq!(api.send("GET", &format!("v1/{foreign}"), None).await.0, 404);
    api.refused(
        ("POST", "clusters/nobody:stop"),
        json!({}),
        MISSING,
        "nobody",
    )
    .await;
}

#[tokio::test]
async fn queries_methods_and_paths_that_nobody_knows() {
    let api = Api::new().await;
    for path in [
        "clusters?pageSize=many",
        "clusters?pageSize=-1",
        "clusters?pageToken=%21",
        "clusters?filter=%22",
        "operations?filter=%7B",
    ] {
        let (status, error) = api.get(path).await;
        assert_eq!(
            (status, &error["error"]["status"]),
            (400, &json!("INVALID_ARGUMENT")),
            "{path}: {error}"
        );
    }
    for (method, path) in [
        ("PUT", "clusters"),
        ("PATCH", "operations/x"),
        ("DELETE", "clusters"),
        ("OPTIONS", "clusters"),
    ] {
        let (status, error) = api.send(method, &format!("{REGION}/{path}"), None).await;
        assert_eq!(
            (status, &error["error"]["status"]),
            (501, &json!("UNIMPLEMENTED")),
            "{method} {path}"
        );
    }
    api.refused(
        ("POST", "clusters/a:explode"),
        json!({}),
        (501, "UNIMPLEMENTED"),
        "explode",
    )
    .await;
    for path in [
        "",
        "v2/projects/p",
        "v1/%FF/x",
        "v1/projects/%C3%28/regions/r/clusters",
        "//",
        "v1/projects/p/regions/../x",
    ] {
        let (status, error) = api.send("GET", path, None).await;
        assert!(matches!(status, 400 | 404 | 501), "{path}: {status}");
        assert_eq!(error["error"]["code"], status, "{path}: {error}");
    }
    is_up(&api).await;
}

#[tokio::test]
async fn a_content_type_changes_nothing() {
    let api = Api::new().await;
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/octet-stream",
        "nonsense",
    ] {
        let (status, error) = post(&api, "clusterName=a", kind).await;
        assert_eq!(
            (status, &error["error"]["status"]),
            (400, &json!("INVALID_ARGUMENT")),
            "{kind}"
        );
    }
    let (status, _) = post(&api, r#"{"clusterName": "one"}"#, "text/plain").await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn bodies_have_a_bound() {
    let api = Api::new().await;
    let large = format!("{{\"clusterName\": \"{}\"}}", "a".repeat(10 * 1024 * 1024));
    let (status, error) = post(&api, large.clone(), "application/json").await;
    assert_eq!(
        (status, &error["error"]["status"]),
        (400, &json!("INVALID_ARGUMENT"))
    );
    assert!(
        error["error"]["message"]
            .as_str()
            .unwrap()
            .contains("payload size exceeds the limit")
    );
    // Without a length in front.
    let pieces: Vec<Result<Vec<u8>, std::io::Error>> = large
        .as_bytes()
        .chunks(65_536)
        .map(|c| Ok(c.to_vec()))
        .collect();
    let body = reqwest::Body::wrap_stream(futures::stream::iter(pieces));
    let (status, _) = post(&api, body, "application/json").await;
    assert_eq!(status, 400);
    is_up(&api).await;
}

#[tokio::test]
async fn heads_have_a_bound() {
    let runtime = Arc::new(ScriptedRuntime::without_machines());
    let options = EmulatorOptions::default().patience(Duration::from_millis(300));
    let api = Api::with(runtime, options).await;
    let long = format!(
        "GET /{REGION}/clusters HTTP/1.1\r\nHost: localhost\r\nX-Long: {}\r\n\r\n",
        "a".repeat(1_000_000)
    );
    let answer = raw(&api, long.as_bytes()).await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
        "{answer}"
    );
    let many: String = (0..500).map(|n| format!("X-{n}: 1\r\n")).collect();
    let many = format!("GET /{REGION}/clusters HTTP/1.1\r\nHost: localhost\r\n{many}\r\n");
    assert!(raw(&api, many.as_bytes()).await.starts_with("HTTP/1.1 431"));
    for nonsense in [
        "\r\n\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "\u{16}\u{3}\u{1} TLS?\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    ] {
        let answer = raw(&api, nonsense.as_bytes()).await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
            "{nonsense:?}: {answer}"
        );
    }
    is_up(&api).await;
}

#[tokio::test]
async fn slow_clients_are_left() {
    let runtime = Arc::new(ScriptedRuntime::without_machines());
    let options = EmulatorOptions::default().patience(Duration::from_millis(200));
    let api = Api::with(runtime, options).await;
    // Half a head: the connection is closed.
    assert_eq!(
        raw(&api, b"GET /v1/projects HTTP/1.1\r\nHost: local").await,
        ""
    );
    // Half a body: an answer, and then it is closed.
    let half = format!(
        "POST /{REGION}/clusters HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{{\"clusterName\""
    );
    let answer = raw(&api, half.as_bytes()).await;
    assert!(
        answer.starts_with("HTTP/1.1 408") && answer.contains("did not arrive in time"),
        "{answer}"
    );
    is_up(&api).await;
}

#[tokio::test]
async fn a_thousand_open_connections_keep_nobody_out() {
    let api = Api::new().await;
    let mut open = Vec::new();
    for _ in 0..1000 {
        open.push(TcpStream::connect(api.emulator.address()).await.unwrap());
    }
    is_up(&api).await;
    // The last of them is answered, too.
    let mut last = open.pop().unwrap();
    let request =
        format!("GET /{REGION}/clusters HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    last.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    last.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    api.emulator.stop().await;
}

#[tokio::test]
async fn who_may_call_is_asked_first() {
    let api = Api::new().await;
    let get = |headers: &'static str| {
        let request =
            format!("GET /{REGION}/clusters HTTP/1.1\r\n{headers}Connection: close\r\n\r\n");
        let api = &api;
        async move { raw(api, request.as_bytes()).await }
    };
    assert!(get("Host: localhost\r\n").await.starts_with("HTTP/1.1 200"));
    assert!(
        get("Host: 127.0.0.1:1234\r\n")
            .await
            .starts_with("HTTP/1.1 200")
    );
    let foreign = get("Host: rebound.example.org\r\n").await;
    assert!(
        foreign.starts_with("HTTP/1.1 403") && foreign.contains("PERMISSION_DENIED"),
        "{foreign}"
    );
    assert!(get("").await.starts_with("HTTP/1.1 403"));
    assert!(
        get("Host: localhost\r\nOrigin: https://example.org\r\n")
            .await
            .starts_with("HTTP/1.1 403")
    );
    assert!(
        get("Host: localhost\r\nOrigin: http://localhost:8888\r\n")
            .await
            .starts_with("HTTP/1.1 200")
    );

    let runtime = Arc::new(ScriptedRuntime::without_machines());
    let options = EmulatorOptions::default().token("s3cret");
    assert!(!format!("{options:?}").contains("s3cret"));
    let api = Api::with(runtime, options).await;
    assert!(!format!("{:?}", api.emulator).contains("s3cret"));
    let (status, error) = api.get("clusters").await;
    assert_eq!(
        (status, &error["error"]["status"]),
        (401, &json!("UNAUTHENTICATED"))
    );
    assert_eq!(
        error["error"]["details"][0]["reason"],
        "CREDENTIALS_MISSING"
    );
    let url = format!("{}/{REGION}/clusters", api.emulator.url());
    let with = |token: &str| api.client.get(&url).bearer_auth(token).send();
    assert_eq!(with("guess").await.unwrap().status(), 401);
    assert_eq!(with("s3cret").await.unwrap().status(), 200);
    let (status, _) = api
        .send("POST", "emulator/v1/clock", Some(json!({"seconds": 1})))
        .await;
    assert_eq!(status, 401);
    assert_eq!(api.send("GET", "emulator/v1/health", None).await.0, 200);
}

/// Numbers from a seed, so that a failure can be had again (a linear congruential generator).
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }

    fn value(&mut self, depth: u64) -> Value {
        const NAMES: &[&str] = &[
            "clusterName",
            "config",
            "labels",
            "workerConfig",
            "secondaryWorkerConfig",
            "masterConfig",
            "numInstances",
            "lifecycleConfig",
            "idleDeleteTtl",
            "autoDeleteTime",
            "softwareConfig",
            "imageVersion",
            "properties",
            "optionalComponents",
            "gceClusterConfig",
            "zoneUri",
            "metadata",
            "diskConfig",
            "bootDiskSizeGb",
            "id",
            "jobs",
            "placement",
            "managedCluster",
            "clusterSelector",
            "stepId",
            "pigJob",
            "parameters",
            "fields",
            "basicAlgorithm",
            "yarnConfig",
            "scaleUpFactor",
            "autoscalingConfig",
            "policyUri",
            "initializationActions",
            "x",
            "",
        ];
        const TEXTS: &[&str] = &[
            "",
            "a",
            "600s",
            "-1s",
            "2.2",
            "gs://a/b",
            "FLINK",
            "SPOT",
            "europe-west1-b",
            "\u{0}",
            "ä€",
            "1e999",
            "2026-01-01T00:00:00Z",
            "labels['a']",
            "jobs['one'].pigJob.args[99999999999999999999]",
            "../..",
            "%",
            "NaN",
            "projects/p/regions/europe-west1/autoscalingPolicies/abc",
        ];
        let pick = |dice: &mut Self, from: &[&str]| {
            let at = dice.below(from.len() as u64);
            from[usize::try_from(at).unwrap()].to_owned()
        };
        match self.below(if depth == 0 { 6 } else { 11 }) {
            0 => Value::Null,
            1 => json!(self.below(2) == 0),
            2 => json!(self.below(5)),
            3 => json!(-9_223_372_036_854_775_808_i64 + i64::try_from(self.below(9)).unwrap()),
            4 => json!(1.5e300),
            5 => json!(pick(self, TEXTS)),
            6 => (0..self.below(4)).map(|_| self.value(depth - 1)).collect(),
            _ => {
                let many = self.below(6);
                let entry = |dice: &mut Self| (pick(dice, NAMES), dice.value(depth - 1));
                Value::Object((0..many).map(|_| entry(self)).collect())
            }
        }
    }
}

#[tokio::test]
async fn random_bodies_are_answered() {
    let api = Api::new().await;
    api.made("one", json!({})).await;
    let mut dice = Dice(42);
    let masks = [
        "labels",
        "config.worker_config.num_instances",
        "config.lifecycle_config",
        "config.autoscaling_config.policy_uri",
    ];
    for round in 0..1500_u32 {
        let mut body = dice.value(6);
        if round % 3 == 0 && body.is_object() {
            body["clusterName"] = json!("two");
        }
        let patch = format!(
            "clusters/one?updateMask={}",
            masks[usize::try_from(round).unwrap() % masks.len()]
        );
        let calls = [
            ("POST", "clusters"),
            ("PATCH", patch.as_str()),
            ("POST", "autoscalingPolicies"),
            ("POST", "workflowTemplates"),
            ("POST", "workflowTemplates:instantiateInline"),
            ("POST", "jobs:submit"),
            ("POST", "clusters/one:start"),
        ];
        let (method, path) = calls[usize::try_from(dice.below(7)).unwrap()];
        let (status, answer) = api
            .send(method, &format!("{REGION}/{path}"), Some(body.clone()))
            .await;
        assert!(
            matches!(status, 200 | 400 | 404 | 409 | 501),
            "round {round}: {method} {path} {body}: {status} {answer}"
        );
        assert!(
            status == 200 || answer["error"]["code"] == status,
            "round {round}: {answer}"
        );
    }
    is_up(&api).await;
    api.emulator.stop().await;
}
