//! The clients against answers that a real YARN 3.3.6 and Flink 1.20.5 gave.

#![expect(clippy::expect_used, reason = "a test without its parts fails at once")]

use std::sync::Arc;

use flinkproc_core::{Explain, FlinkJobId, RetryHint, YarnApplicationId};
use flinkproc_rest::{
    Direct, Endpoint, FinalStatus, FlinkApi, FlinkJobState, HttpFlink, HttpYarn, RestError,
    SavepointStatus, TriggerId, YarnApi,
};
use serde_json::json;
use wiremock::matchers::{body_json, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

const JOB: &str = "735378223e5f4360db94bb3f2e5b1e93";
const APPLICATION: &str = "application_1795358092534_0006";

fn fixture(name: &str) -> ResponseTemplate {
    let file = format!("{}/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(file).expect("the fixture is there");
    ResponseTemplate::new(200).set_body_raw(text, "application/json")
}

async fn server(answers: &[(&str, ResponseTemplate)]) -> (MockServer, Endpoint) {
    let server = MockServer::start().await;
    for (place, answer) in answers {
        let mock = Mock::given(method("GET")).and(path(*place));
        mock.respond_with(answer.clone()).mount(&server).await;
    }
    let address = *server.address();
    let endpoint = Endpoint::new(address.ip().to_string(), address.port());
    (server, endpoint)
}

fn yarn(endpoint: Endpoint) -> HttpYarn {
    HttpYarn::new(reqwest::Client::new(), Arc::new(Direct), endpoint)
}

fn flink(endpoint: Endpoint) -> HttpFlink {
    HttpFlink::at(reqwest::Client::new(), Arc::new(Direct), endpoint)
}

fn application() -> YarnApplicationId {
    APPLICATION.parse().expect("valid")
}

fn job() -> FlinkJobId {
    JOB.parse().expect("valid")
}

#[tokio::test]
async fn yarn_is_understood() {
    let (_server, endpoint) = server(&[
        ("/ws/v1/cluster/info", fixture("yarn-info")),
        ("/ws/v1/cluster/metrics", fixture("yarn-metrics")),
        ("/ws/v1/cluster/nodes", fixture("yarn-nodes")),
        ("/ws/v1/cluster/apps", fixture("yarn-apps")),
        (
            &format!("/ws/v1/cluster/apps/{APPLICATION}"),
            fixture("yarn-app-finished-application"),
        ),
        (
            &format!("/ws/v1/cluster/apps/{APPLICATION}/appattempts"),
            fixture("yarn-appattempts"),
        ),
    ])
    .await;
    let yarn = yarn(endpoint);
    assert_eq!(yarn.info().await.expect("info").hadoop_version, "3.3.6");
    let metrics = yarn.metrics().await.expect("metrics");
    assert_eq!(
        (metrics.total_mb, metrics.available_mb, metrics.active_nodes),
        (8192, 6144, 1)
    );
    assert_eq!(
        yarn.nodes().await.expect("nodes")[0].node_host_name,
        "127.0.10.2"
    );
    assert_eq!(
        yarn.applications(None).await.expect("applications").len(),
        3
    );
    let found = yarn
        .application(&application())
        .await
        .expect("application")
        .expect("known");
    assert_eq!(
        (found.final_status, found.state.is_terminal()),
        (FinalStatus::Succeeded, true)
    );
    assert_eq!(found.allocated_mb, -1);
    let attempts = yarn.attempts(&application()).await.expect("attempts");
    assert_eq!(attempts[0].node_id, "127.0.10.2:8041");
}

#[tokio::test]
async fn an_empty_yarn_writes_null_for_its_lists() {
    let empty = ResponseTemplate::new(200).set_body_json(json!({"apps": null}));
    let (_server, endpoint) = server(&[("/ws/v1/cluster/apps", empty)]).await;
    assert_eq!(
        yarn(endpoint)
            .applications(None)
            .await
            .expect("applications"),
        []
    );
}

#[tokio::test]
async fn applications_are_asked_for_by_tag_in_lower_case() {
    let (server, endpoint) = server(&[]).await;
    Mock::given(query_param("applicationTags", "flinkproc-a-1"))
        .respond_with(fixture("yarn-apps"))
        .expect(1)
        .mount(&server)
        .await;
    assert_eq!(
        yarn(endpoint)
            .applications(Some("Flinkproc-A-1"))
            .await
            .expect("found")
            .len(),
        3
    );
}

#[tokio::test]
async fn the_unknown_application_is_none_and_a_killed_one_is_put() {
    let (server, endpoint) = server(&[]).await;
    let yarn = yarn(endpoint);
    assert_eq!(yarn.application(&application()).await.expect("asked"), None);
    assert_eq!(yarn.attempts(&application()).await.expect("asked"), []);
    Mock::given(method("PUT"))
        .and(path(format!("/ws/v1/cluster/apps/{APPLICATION}/state")))
        .and(body_json(json!({"state": "KILLED"})))
        .respond_with(ResponseTemplate::new(202).set_body_json(json!({"state": "ACCEPTED"})))
        .expect(1)
        .mount(&server)
        .await;
    yarn.kill(&application()).await.expect("killed");
}

#[tokio::test]
async fn a_jobs_own_parameters_are_texts() {
    let config = json!({
        "jid": JOB,
        "name": "stream-demo",
        "execution-config": {
            "execution-mode": "PIPELINED",
            "job-parallelism": 1,
            "object-reuse-mode": false,
            "user-config": {"flinkproc-attempt": "flinkproc-d1-1", "n": 1}
        }
    });
    let place = format!("/jobs/{JOB}/config");
    let (_server, endpoint) =
        server(&[(&place, ResponseTemplate::new(200).set_body_json(config))]).await;
    let flink = flink(endpoint);
    let told = flink.parameters(&job()).await.expect("told");
    let told: Vec<(&str, &str)> = told
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    assert_eq!(told, [("flinkproc-attempt", "flinkproc-d1-1"), ("n", "1")]);
    let other: FlinkJobId = "0".repeat(32).parse().expect("valid");
    assert!(flink.parameters(&other).await.expect("asked").is_empty());
}

#[tokio::test]
async fn flink_is_understood() {
    let (_server, endpoint) = server(&[
        ("/overview", fixture("flink-overview")),
        ("/jobs/overview", fixture("flink-jobs-overview")),
        (&format!("/jobs/{JOB}"), fixture("flink-job-canceled")),
        (
            &format!("/jobs/{JOB}/exceptions"),
            fixture("flink-job-exceptions"),
        ),
        (
            &format!("/jobs/{JOB}/checkpoints"),
            fixture("flink-job-checkpoints"),
        ),
        (&format!("/jobs/{JOB}/plan"), fixture("flink-job-plan")),
        (
            &format!("/jobs/{JOB}/metrics"),
            ResponseTemplate::new(200).set_body_json(json!([{"id": "uptime", "value": "7"}])),
        ),
        ("/jobmanager/config", fixture("flink-jobmanager-config")),
        ("/taskmanagers", fixture("flink-taskmanagers")),
    ])
    .await;
    let flink = flink(endpoint);
    assert_eq!(
        flink.overview().await.expect("overview").flink_version,
        "1.20.5"
    );
    let jobs = flink.jobs().await.expect("jobs");
    assert_eq!(
        jobs.iter().map(|job| job.state).collect::<Vec<_>>(),
        [
            FlinkJobState::Finished,
            FlinkJobState::Finished,
            FlinkJobState::Running,
        ]
    );
    let detail = flink.job(&job()).await.expect("job").expect("known");
    assert_eq!(
        (detail.state, detail.vertices.len()),
        (FlinkJobState::Canceled, 2)
    );
    assert_eq!(
        flink
            .exceptions(&job())
            .await
            .expect("exceptions")
            .root_exception,
        None
    );
    assert_eq!(
        flink
            .checkpoints(&job())
            .await
            .expect("checkpoints")
            .counts
            .total,
        0
    );
    assert!(flink.plan(&job()).await.expect("plan")["nodes"].is_array());
    assert_eq!(
        flink.metrics(&job(), &["uptime"]).await.expect("metrics")[0]
            .value
            .as_deref(),
        Some("7")
    );
    assert!(!flink.config().await.expect("config").is_empty());
    assert_eq!(
        flink.task_managers().await.expect("task managers")[0].slots_number,
        1
    );
}

#[tokio::test]
async fn acting_goes_to_the_job_manager_and_reading_through_the_proxy() {
    let (proxy, yarn_endpoint) = server(&[(
        &format!("/proxy/{APPLICATION}/overview"),
        fixture("flink-overview"),
    )])
    .await;
    let (job_manager, endpoint) = server(&[]).await;
    Mock::given(method("PATCH"))
        .and(path(format!("/jobs/{JOB}")))
        .and(query_param("mode", "cancel"))
        .respond_with(ResponseTemplate::new(202).set_body_json(json!({})))
        .expect(1)
        .mount(&job_manager)
        .await;
    let client = reqwest::Client::new();
    let flink = HttpFlink::behind_yarn(
        client.clone(),
        Arc::new(Direct),
        yarn_endpoint,
        &application(),
    )
    .acting_at(client, Arc::new(Direct), endpoint);
    flink.overview().await.expect("read through the proxy");
    flink.cancel(&job()).await.expect("cancelled");
    assert_eq!(proxy.received_requests().await.expect("recorded").len(), 1);
}

#[tokio::test]
async fn a_savepoint_ends_in_a_place_or_with_a_cause() {
    let check = async |answer: serde_json::Value, expected: SavepointStatus| {
        let answer = ResponseTemplate::new(200).set_body_json(answer);
        let (_server, endpoint) = server(&[(&format!("/jobs/{JOB}/savepoints/t"), answer)]).await;
        let status = flink(endpoint)
            .savepoint(&job(), &TriggerId("t".to_owned()))
            .await;
        assert_eq!(status.expect("asked"), expected);
    };
    check(
        json!({"status": {"id": "IN_PROGRESS"}}),
        SavepointStatus::InProgress,
    )
    .await;
    check(
        json!({"status": {"id": "COMPLETED"}, "operation": {"location": "gs://b/s"}}),
        SavepointStatus::Completed {
            location: "gs://b/s".to_owned(),
        },
    )
    .await;
    check(
        json!({"status": {"id": "COMPLETED"}, "operation": {"failure-cause": {"class": "E", "stack-trace": "E: no"}}}),
        SavepointStatus::Failed { cause: "E: no".to_owned() },
    )
    .await;
}

#[tokio::test]
async fn failures_say_whether_a_retry_is_safe() {
    let broken = ResponseTemplate::new(503);
    let html = ResponseTemplate::new(200).set_body_raw("<html>", "text/html");
    let (server, endpoint) = server(&[("/overview", broken), ("/jobs/overview", html)]).await;
    let flink = flink(endpoint);
    let hint = |error: RestError| (error.code().as_str(), error.retry());
    assert_eq!(
        flink.overview().await.map_err(hint).err(),
        Some(("RST003", RetryHint::Safe))
    );
    assert_eq!(
        flink.jobs().await.map_err(hint).err(),
        Some(("RST005", RetryHint::Never))
    );
    Mock::given(method("PATCH"))
        .respond_with(ResponseTemplate::new(405))
        .mount(&server)
        .await;
    let refused = flink.cancel(&job()).await.expect_err("refused");
    assert!(
        refused
            .help()
            .is_some_and(|help| help.contains("JobManager's own address"))
    );
    let nobody = Endpoint::new("127.0.0.1", 9);
    assert_eq!(
        yarn(nobody).info().await.map_err(hint).err(),
        Some(("RST002", RetryHint::Safe))
    );
}

#[tokio::test]
async fn a_lost_answer_to_a_change_is_an_unknown_outcome() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("bound");
    let port = listener.local_addr().expect("address").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut request).await;
        }
    });
    let error = flink(Endpoint::new("127.0.0.1", port))
        .cancel(&job())
        .await
        .expect_err("lost");
    assert!(
        matches!(error, RestError::OutcomeUnknown { .. }),
        "{error:?}"
    );
    assert_eq!(error.retry(), RetryHint::CheckFirst);
}
