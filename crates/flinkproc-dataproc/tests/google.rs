//! Google's client on the wire: what it sends, what it repeats, and how it sorts what comes back.
#![expect(clippy::expect_used, reason = "a test may fail where it stands")]

use std::time::Duration;

use flinkproc_core::{ClusterRef, Explain, ManualClock, RequestId};
use flinkproc_dataproc::{
    ApiError, ClusterApi, ClusterSpec, ClusterState, ClusterUpdate, GoogleDataproc, Job, JobApi,
    JobSpec, JobState, OperationName, wait_cluster,
};
use google_cloud_auth::credentials::anonymous::Builder as Anonymous;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wiremock::matchers::{body_partial_json, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

const CLUSTERS: &str = "/v1/projects/my-project/regions/europe-west4/clusters";
const BATCH: &str = "/v1/projects/my-project/regions/europe-west4/clusters/batch";
const OPERATION: &str = "projects/my-project/regions/europe-west4/operations/op-1";

fn cluster() -> ClusterRef {
    ClusterRef {
        project: "my-project".parse().expect("valid"),
        region: "europe-west4".parse().expect("valid"),
        name: "batch".parse().expect("valid"),
    }
}

fn request() -> RequestId {
    "request-1".parse().expect("valid")
}

fn client(uri: impl Into<String>) -> GoogleDataproc {
    GoogleDataproc::new(Anonymous::new().build(), Some(uri.into()))
}

fn refusal(http: u16, status: &str, message: &str) -> ResponseTemplate {
    let error = json!({"error": {"code": http, "status": status, "message": message}});
    ResponseTemplate::new(http).set_body_json(error)
}

fn observed(state: &Value) -> Value {
    json!({
        "projectId": "my-project", "clusterName": "batch",
        "clusterUuid": "00000001-0000-4000-8000-000000000001",
        "status": {"state": state}, "config": {"masterConfig": {"instanceNames": ["batch-m"]}},
        "aFieldOfTomorrow": {"deep": 1},
    })
}

async fn mount(server: &MockServer, verb: &str, at: &str, times: u64, answer: ResponseTemplate) {
    let mock = Mock::given(method(verb)).and(path(at)).respond_with(answer);
    mock.up_to_n_times(times).mount(server).await;
}

fn spec(resource: Value) -> ClusterSpec {
    ClusterSpec {
        cluster: cluster(),
        resource,
    }
}

#[tokio::test]
async fn a_creation_is_repeated_under_its_request_id_and_passes_unknown_fields_on() {
    let server = MockServer::start().await;
    let full = refusal(
        429,
        "RESOURCE_EXHAUSTED",
        "Quota exceeded: Requests per minute",
    );
    mount(&server, "POST", CLUSTERS, 1, full).await;
    mount(
        &server,
        "POST",
        CLUSTERS,
        1,
        refusal(503, "UNAVAILABLE", "try again"),
    )
    .await;
    mount(
        &server,
        "POST",
        CLUSTERS,
        1,
        refusal(500, "INTERNAL", "oops"),
    )
    .await;
    let bad_gateway = ResponseTemplate::new(502).set_body_string("<html>Bad Gateway</html>");
    mount(&server, "POST", CLUSTERS, 1, bad_gateway).await;
    Mock::given(method("POST"))
        .and(path(CLUSTERS))
        .and(query_param("requestId", "request-1"))
        .and(body_partial_json(json!({
            "projectId": "my-project", "clusterName": "batch", "aFieldOfTomorrow": {"deep": [1]},
            "config": {
                "secondaryWorkerConfig": {"numInstances": 2, "preemptibility": 3, "tomorrowToo": "x"},
                "lifecycleConfig": {"idleDeleteTtl": "600s"},
            },
        })))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"name": OPERATION})))
        .mount(&server)
        .await;
    let resource = json!({
        "clusterName": "another", "aFieldOfTomorrow": {"deep": [1]},
        "config": {
            "secondaryWorkerConfig": {"numInstances": 2, "preemptibility": "SPOT", "tomorrowToo": "x"},
            "lifecycleConfig": {"idleDeleteTtl": "600s"},
        },
    });
    let started = client(server.uri())
        .start_create(&spec(resource), &request())
        .await;
    assert_eq!(started, Ok(OperationName(OPERATION.to_owned())));
    let sent = server.received_requests().await.unwrap_or_default();
    assert_eq!(sent.len(), 5);
    for request in sent {
        assert!(
            request
                .url
                .query()
                .is_some_and(|query| query.contains("requestId=request-1"))
        );
    }
}

#[tokio::test]
async fn a_dropped_connection_is_connected_again() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = tokio::spawn(async move {
        let mut drops = 2;
        loop {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut seen = vec![0; 64 << 10];
            let length = stream.read(&mut seen).await.expect("a request");
            if drops > 0 {
                drops -= 1;
                continue;
            }
            let body = format!("{{\"name\": \"{OPERATION}\"}}");
            let length_of = body.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length_of}\r\n\r\n"
            );
            stream
                .write_all(format!("{head}{body}").as_bytes())
                .await
                .expect("sent");
            seen.truncate(length);
            return String::from_utf8_lossy(&seen).into_owned();
        }
    });
    let api = client(format!("http://{address}"));
    let started = api.start_stop(&cluster(), &request()).await;
    assert_eq!(started, Ok(OperationName(OPERATION.to_owned())));
    let seen = server.await.expect("served");
    assert!(seen.contains("clusters/batch:stop"), "{seen}");
}

#[tokio::test]
async fn only_googles_own_not_found_means_absent() {
    let server = MockServer::start().await;
    let absent = refusal(404, "NOT_FOUND", "Not found: Cluster batch");
    mount(&server, "GET", BATCH, 1, absent).await;
    let proxy = ResponseTemplate::new(404).set_body_string("<html>no such page</html>");
    mount(&server, "GET", BATCH, 1, proxy.clone()).await;
    mount(&server, "DELETE", BATCH, 1, proxy).await;
    let api = client(server.uri());
    assert_eq!(ClusterApi::find(&api, &cluster()).await, Ok(None));
    let other = ClusterApi::find(&api, &cluster()).await;
    assert!(
        matches!(other, Err(ApiError::Unreadable { .. })),
        "{other:?}"
    );
    let deleted = api.start_delete(&cluster(), None, &request()).await;
    assert!(
        matches!(deleted, Err(ApiError::Unreadable { .. })),
        "{deleted:?}"
    );
}

#[tokio::test]
async fn a_cluster_that_is_being_deleted_needs_no_deletion_of_ours() {
    let server = MockServer::start().await;
    let busy = refusal(400, "FAILED_PRECONDITION", "cluster is in state DELETING");
    mount(&server, "DELETE", BATCH, 2, busy).await;
    let deleting = ResponseTemplate::new(200).set_body_json(observed(&json!("DELETING")));
    mount(&server, "GET", BATCH, 1, deleting).await;
    let running = ResponseTemplate::new(200).set_body_json(observed(&json!(2)));
    mount(&server, "GET", BATCH, 1, running).await;
    let api = client(server.uri());
    assert_eq!(
        api.start_delete(&cluster(), None, &request()).await,
        Ok(None)
    );
    let refused = api.start_delete(&cluster(), None, &request()).await;
    assert!(matches!(refused, Err(ApiError::Busy { .. })), "{refused:?}");
}

#[tokio::test]
async fn refusals_are_sorted_by_what_the_caller_can_do() {
    let check = async |http: u16, status: &str, message: &str, expected: &str| {
        let server = MockServer::start().await;
        mount(&server, "POST", CLUSTERS, 9, refusal(http, status, message)).await;
        let error = client(server.uri())
            .start_create(&spec(json!({})), &request())
            .await;
        let error = error.expect_err("refused");
        assert_eq!(error.code().as_str(), expected, "{error}");
        assert!(
            error.to_string().contains(message) || expected == "DPR002",
            "{error}"
        );
        let sent = server.received_requests().await.unwrap_or_default();
        assert_eq!(sent.len(), 1, "{expected} is not repeated");
    };
    check(
        401,
        "UNAUTHENTICATED",
        "invalid authentication credentials",
        "DPR003",
    )
    .await;
    check(
        403,
        "PERMISSION_DENIED",
        "Permission 'dataproc.clusters.create' denied",
        "DPR004",
    )
    .await;
    check(409, "ALREADY_EXISTS", "Already exists: batch", "DPR002").await;
    check(
        400,
        "INVALID_ARGUMENT",
        "Insufficient 'CPUS' quota. Requested 24.0",
        "DPR005",
    )
    .await;
    check(
        429,
        "RESOURCE_EXHAUSTED",
        "ZONE_RESOURCE_POOL_EXHAUSTED",
        "DPR006",
    )
    .await;
    check(
        400,
        "INVALID_ARGUMENT",
        "Image version 9.9 unknown",
        "DPR007",
    )
    .await;
}

#[tokio::test]
async fn a_resource_that_is_no_cluster_is_refused_before_anything_is_sent() {
    let api = client("http://127.0.0.1:9");
    for wrong in [
        json!("text"),
        json!({"config": {"masterConfig": {"numInstances": "many"}}}),
    ] {
        let refused = api.start_create(&spec(wrong), &request()).await;
        assert!(
            matches!(refused, Err(ApiError::Invalid { .. })),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn a_wait_outlives_bad_polls_and_the_state_decides() {
    let server = MockServer::start().await;
    let operation = format!("/v1/{OPERATION}");
    let running = json!({"name": OPERATION, "done": false});
    let running = ResponseTemplate::new(200).set_body_json(running);
    let full = refusal(429, "RESOURCE_EXHAUSTED", "Requests per minute");
    let page = ResponseTemplate::new(500).set_body_string("<html>");
    let done = json!({
        "name": OPERATION, "done": true,
        "metadata": {
            "@type": "type.googleapis.com/google.cloud.dataproc.v1.ClusterOperationMetadata",
            "warnings": ["no staging bucket was given"],
        },
    });
    let done = ResponseTemplate::new(200).set_body_json(done);
    for answer in [running.clone(), full, running, page, done] {
        mount(&server, "GET", &operation, 1, answer).await;
    }
    for state in [json!(1), json!("RUNNING")] {
        let answer = ResponseTemplate::new(200).set_body_json(observed(&state));
        mount(&server, "GET", BATCH, 1, answer).await;
    }
    let clock = ManualClock::eager("2026-11-22T12:00:00Z".parse().expect("valid"));
    let deadline = "2026-11-22T13:00:00Z".parse().expect("valid");
    let name = OperationName(OPERATION.to_owned());
    let api = client(server.uri());
    let settled = wait_cluster(&api, &clock, &cluster(), Some(&name), deadline).await;
    let settled = settled.expect("an answer");
    assert_eq!(settled.warnings, ["no staging bucket was given"]);
    let found = settled.into_running(&cluster()).expect("running");
    assert_eq!(
        (found.state, found.masters.len()),
        (ClusterState::Running, 1)
    );
    assert_eq!(found.resource["aFieldOfTomorrow"], json!({"deep": 1}));
}

#[tokio::test]
async fn an_update_names_its_fields_and_its_patience() {
    let server = MockServer::start().await;
    Mock::given(method("PATCH"))
        .and(path(BATCH))
        .and(query_param("requestId", "request-1"))
        .and(query_param("gracefulDecommissionTimeout", "600s"))
        .and(body_partial_json(
            json!({"config": {"workerConfig": {"numInstances": 3}}}),
        ))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"name": OPERATION})))
        .mount(&server)
        .await;
    let update = ClusterUpdate {
        resource: json!({"config": {"workerConfig": {"numInstances": 3}}}),
        mask: vec!["config.worker_config.num_instances".to_owned()],
        graceful_decommission: Some(flinkproc_core::Span::from_secs(600)),
    };
    let started = client(server.uri())
        .start_update(&cluster(), &update, &request())
        .await;
    assert_eq!(started, Ok(OperationName(OPERATION.to_owned())));
    let sent = server.received_requests().await.unwrap_or_default();
    let query = sent
        .first()
        .and_then(|request| request.url.query().map(str::to_owned));
    let query = query.unwrap_or_default();
    assert!(query.contains("updateMask=config.worker"), "{query}");
}

#[tokio::test]
async fn a_job_is_submitted_under_our_id() {
    let server = MockServer::start().await;
    let answer = json!({
        "reference": {"projectId": "my-project", "jobId": "job-1"},
        "placement": {"clusterName": "batch"}, "status": {"state": 1},
        "driverOutputResourceUri": "gs://staging/driveroutput",
    });
    Mock::given(method("POST"))
        .and(path(
            "/v1/projects/my-project/regions/europe-west4/jobs:submit",
        ))
        .and(body_partial_json(json!({
            "requestId": "request-1",
            "job": {
                "reference": {"jobId": "job-1"}, "placement": {"clusterName": "batch"},
                "pigJob": {"queryList": {"queries": ["sh true"]}},
            },
        })))
        .respond_with(ResponseTemplate::new(200).set_body_json(answer))
        .mount(&server)
        .await;
    let spec = JobSpec {
        cluster: cluster(),
        id: "job-1".parse().expect("valid"),
        resource: json!({"pigJob": {"queryList": {"queries": ["sh true"]}}}),
    };
    let job: Job = client(server.uri())
        .submit(&spec, &request())
        .await
        .expect("submitted");
    assert_eq!(
        (job.state, job.cluster.as_str()),
        (JobState::Pending, "batch")
    );
    assert_eq!(
        job.driver_output.as_deref(),
        Some("gs://staging/driveroutput")
    );
}

#[tokio::test]
async fn an_unreachable_service_is_told_as_such() {
    let api = client("http://127.0.0.1:9").with_patience(Duration::from_millis(300));
    let found = ClusterApi::find(&api, &cluster()).await;
    assert!(
        matches!(found, Err(ApiError::Unavailable { .. })),
        "{found:?}"
    );
}
