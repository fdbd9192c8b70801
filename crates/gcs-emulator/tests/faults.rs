//! Each effect of a fault rule, and who may call, as a client sees it.

#![expect(clippy::expect_used, reason = "a helper that fails is a failing test")]

use std::time::{Duration, Instant};

use gcs_emulator::{Emulator, FaultEffect, FaultRule, Options};
use reqwest::Client;
use serde_json::json;

struct Bench {
    emulator: Emulator,
    client: Client,
    _folder: tempfile::TempDir,
}

async fn start(change: impl FnOnce(Options) -> Options) -> Bench {
    let folder = tempfile::tempdir().expect("folder");
    let options = change(Options::new(folder.path()));
    let emulator = Emulator::start(options).await.expect("start");
    emulator.create_bucket("buc").expect("bucket");
    Bench {
        emulator,
        client: Client::builder().no_proxy().build().expect("client"),
        _folder: folder,
    }
}

impl Bench {
    async fn put(&self, name: &str) -> Result<u16, reqwest::Error> {
        let url = format!(
            "{}/upload/storage/v1/b/buc/o?name={name}",
            self.emulator.url()
        );
        let response = self.client.post(url).body("hello world").send().await?;
        Ok(response.status().as_u16())
    }

    async fn get(&self, name: &str) -> Result<String, reqwest::Error> {
        let url = format!(
            "{}/storage/v1/b/buc/o/{name}?alt=media",
            self.emulator.url()
        );
        self.client.get(url).send().await?.text().await
    }

    fn is_there(&self, name: &str) -> impl Future<Output = bool> {
        let url = format!("{}/storage/v1/b/buc/o/{name}", self.emulator.url());
        let request = self.client.get(url).send();
        async { request.await.expect("answer").status() == 200 }
    }
}

const UPLOADS: &str = "/upload/*";

#[tokio::test]
async fn an_answer_comes_in_place_of_the_effect_and_only_as_often_as_told() {
    let effect = FaultEffect::Answer {
        status: 503,
        body: "busy".to_owned(),
    };
    let rule = FaultRule::on("POST", UPLOADS, effect).from_call(2).times(2);
    let bench = start(|options| options.faults([rule])).await;
    let mut seen = Vec::new();
    for name in ["a", "b", "c", "d"] {
        seen.push(bench.put(name).await.expect("answer"));
    }
    assert_eq!(seen, [200, 503, 503, 200]);
    assert!(!bench.is_there("b").await);
    assert_eq!(bench.emulator.faults().list()[0].1, 4);
}

#[tokio::test]
async fn a_reset_has_no_effect_and_a_lost_answer_has() {
    let bench = start(|options| options).await;
    let faults = bench.emulator.faults();
    faults.add(FaultRule::on("POST", UPLOADS, FaultEffect::Reset));
    bench.put("a").await.expect_err("reset");
    assert!(!bench.is_there("a").await);
    faults.add(FaultRule::on("POST", UPLOADS, FaultEffect::AnswerLost));
    bench.put("a").await.expect_err("lost");
    assert!(bench.is_there("a").await);
}

#[tokio::test]
async fn half_an_answer_is_not_taken_for_a_whole_one() {
    let bench = start(|options| options).await;
    bench.put("a").await.expect("put");
    let rule = FaultRule::on("GET", "*/o/a", FaultEffect::HalfAnswer);
    bench.emulator.faults().add(rule);
    let url = format!("{}/storage/v1/b/buc/o/a?alt=media", bench.emulator.url());
    let mut half = bench.client.get(url).send().await.expect("a head");
    let first = half.chunk().await.expect("half of the body");
    assert_eq!(first.as_deref(), Some(b"hello".as_slice()));
    half.chunk().await.expect_err("cut");
    assert_eq!(bench.get("a").await.expect("whole"), "hello world");
}

#[tokio::test]
async fn a_delay_takes_its_time_and_rules_come_and_go_by_admin_calls() {
    let bench = start(|options| options).await;
    let url = format!("{}/emulator/v1/faults", bench.emulator.url());
    let rule = json!({"path": UPLOADS, "effect": {"delay": {"millis": 150}}});
    let added = bench.client.post(&url).json(&rule).send().await;
    assert_eq!(added.expect("added").status(), 200);
    let begin = Instant::now();
    assert_eq!(bench.put("a").await.expect("put"), 200);
    assert!(begin.elapsed() >= Duration::from_millis(150));
    let odd = json!({"path": UPLOADS, "effect": "no-such-effect"});
    let refused = bench.client.post(&url).json(&odd).send().await;
    assert_eq!(refused.expect("refused").status(), 400);
    let list = bench.client.get(&url).send().await.expect("list");
    let list: serde_json::Value = list.json().await.expect("json");
    assert_eq!(list["faults"][0]["seen"], 1);
    bench.client.delete(&url).send().await.expect("cleared");
    assert!(bench.emulator.faults().list().is_empty());
}

#[tokio::test]
async fn a_resumable_upload_outlives_a_lost_answer() {
    let bench = start(|options| options).await;
    let url = format!(
        "{}/upload/storage/v1/b/buc/o?uploadType=resumable&name=r",
        bench.emulator.url()
    );
    let session = bench.client.post(url).send().await.expect("session");
    let session = session.headers()["location"]
        .to_str()
        .expect("text")
        .to_owned();
    bench
        .emulator
        .faults()
        .add(FaultRule::on("PUT", UPLOADS, FaultEffect::AnswerLost));
    let piece = |range: &str, body: &'static str| {
        let request = bench.client.put(&session).header("content-range", range);
        request.body(body).send()
    };
    piece("bytes 0-4/10", "hello").await.expect_err("lost");
    let asked = piece("bytes */10", "").await.expect("state");
    assert_eq!(
        (asked.status().as_u16(), &asked.headers()["range"]),
        (308, &"bytes=0-4".parse().expect("value"))
    );
    assert_eq!(
        piece("bytes 5-9/10", "world").await.expect("rest").status(),
        200
    );
}

#[tokio::test]
async fn only_a_token_or_a_loopback_name_opens_the_door() {
    let bench = start(|options| options.token("secret")).await;
    let status = async |path: &str, token: Option<&str>| {
        let mut request = bench.client.get(format!("{}{path}", bench.emulator.url()));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request.send().await.expect("answer").status().as_u16()
    };
    assert_eq!(status("/storage/v1/b/buc", None).await, 401);
    assert_eq!(status("/storage/v1/b/buc", Some("other")).await, 401);
    assert_eq!(status("/storage/v1/b/buc", Some("secret")).await, 200);
    assert_eq!(status("/emulator/v1/faults", None).await, 401);
    assert_eq!(status("/emulator/v1/health", None).await, 200);

    let open = start(|options| options).await;
    let status = async |host: &str| {
        let url = format!("{}/storage/v1/b/buc", open.emulator.url());
        let request = open.client.get(url).header("host", host);
        request.send().await.expect("answer").status().as_u16()
    };
    assert_eq!(status("rebound.example:80").await, 403);
    assert_eq!(status("localhost:80").await, 200);
}
