//! The job calls over HTTP: states, output, restarts, cancels, lists, errors; diagnoses and cancelled operations.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use dataproc_emulator::{Emulator, EmulatorOptions, JobScript, ScriptedRuntime, YarnApplication};
use serde_json::{Value, json};

/// An emulator over clusters that are nothing but names, with a Cloud Storage and a client.
struct Api {
    emulator: Emulator,
    runtime: Arc<ScriptedRuntime>,
    storage: gcs_emulator::Emulator,
    client: reqwest::Client,
    _folder: tempfile::TempDir,
}

const REGION: &str = "v1/projects/p/regions/europe-west1";

impl Api {
    /// With a running cluster `c`.
    async fn new() -> Self {
        Self::with_token("").await
    }

    /// The same, both emulators closed by a token unless it is empty.
    async fn with_token(token: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = gcs_emulator::Options::new(folder.path());
        let mut headers = reqwest::header::HeaderMap::new();
        if !token.is_empty() {
            options = options.token(token);
            headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        let storage = gcs_emulator::Emulator::start(options).await.unwrap();
        let runtime = Arc::new(ScriptedRuntime::without_machines());
        let mut options = EmulatorOptions::default().storage(storage.url());
        if !token.is_empty() {
            options = options.token(token);
        }
        let client = reqwest::Client::builder().default_headers(headers);
        let emulator = Emulator::start(runtime.clone(), options).await.unwrap();
        let api = Self {
            emulator,
            runtime,
            storage,
            client: client.build().unwrap(),
            _folder: folder,
        };
        let lifecycle = json!({"lifecycleConfig": {"idleDeleteTtl": "600s"}});
        let body = json!({"clusterName": "c", "config": lifecycle, "labels": {"pool": "a"}});
        let (_, operation) = api.post("clusters", body).await;
        api.wait_operation(&operation).await;
        api
    }

    async fn send(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let url = format!("{}/{REGION}/{path}", self.emulator.url());
        let mut request = self.client.request(method.parse().unwrap(), url);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or_default())
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.send("GET", path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.send("POST", path, Some(body)).await
    }

    async fn submit(&self, id: &str) -> Value {
        let (status, job) = self.post("jobs:submit", request(id, json!({}))).await;
        assert_eq!(status, 200, "{job}");
        job
    }

    async fn wait_job(&self, id: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let (status, job) = self.get(&format!("jobs/{id}")).await;
            assert_eq!(status, 200, "{job}");
            if fits(&job) {
                return job;
            }
            assert!(Instant::now() < deadline, "{job}");
            tokio::task::yield_now().await;
        }
    }

    async fn wait_ended(&self, id: &str) -> Value {
        self.wait_job(id, |job| job["done"] == true).await
    }

    async fn wait_operation(&self, operation: &Value) -> Value {
        let name = operation["name"].as_str().unwrap();
        let id = name.rsplit('/').next().unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let (status, operation) = self.get(&format!("operations/{id}")).await;
            assert_eq!(status, 200, "{operation}");
            if operation["done"] == true {
                return operation;
            }
            assert!(Instant::now() < deadline, "{operation}");
            tokio::task::yield_now().await;
        }
    }

    async fn object(&self, uri: &str) -> Option<Vec<u8>> {
        let (bucket, object) = uri.strip_prefix("gs://").unwrap().split_once('/').unwrap();
        let object = object.replace('/', "%2F");
        let url = format!(
            "{}/storage/v1/b/{bucket}/o/{object}?alt=media",
            self.storage.url()
        );
        let answer = self.client.get(url).send().await.unwrap();
        match answer.status().as_u16() {
            404 => None,
            _ => Some(
                answer
                    .error_for_status()
                    .unwrap()
                    .bytes()
                    .await
                    .unwrap()
                    .to_vec(),
            ),
        }
    }

    /// What gcloud reads of a series of objects, and whether an empty one closes it.
    async fn output(&self, uri: &str) -> (String, bool) {
        let mut all = Vec::new();
        for number in 0.. {
            match self.object(&format!("{uri}.{number:09}")).await {
                None => return (String::from_utf8(all).unwrap(), false),
                Some(piece) if piece.is_empty() => return (String::from_utf8(all).unwrap(), true),
                Some(piece) => all.extend(piece),
            }
        }
        unreachable!("numbers do not end")
    }

    async fn output_of(&self, job: &Value) -> (String, bool) {
        let uri = job["driverOutputResourceUri"].as_str().unwrap();
        self.output(uri).await
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "every caller makes one for it"
)]
fn request(id: &str, change: Value) -> Value {
    let mut job = json!({
        "reference": {"projectId": "p", "jobId": id},
        "placement": {"clusterName": "c"},
        "pigJob": {"queryList": {"queries": ["sh bash /x;"]}},
    });
    job.as_object_mut()
        .unwrap()
        .extend(change.as_object().unwrap().clone());
    json!({"job": job})
}

fn states(job: &Value) -> Vec<&str> {
    let history = job["statusHistory"].as_array().unwrap();
    let all = history.iter().chain([&job["status"]]);
    all.map(|status| status["state"].as_str().unwrap())
        .collect()
}

fn error(answer: &(u16, Value)) -> (u16, &str) {
    let status = answer.1["error"]["status"].as_str();
    (answer.0, status.unwrap_or_default())
}

#[tokio::test]
async fn a_job_runs_to_its_end_and_says_where_it_has_been() {
    let api = Api::new().await;
    api.runtime
        .set_job(JobScript::default().printing(["one\n", "two\n"]));
    let (status, job) = api.post("jobs:submit", request("j-1", json!({}))).await;
    assert_eq!(status, 200);
    assert_eq!(job["reference"], json!({"projectId": "p", "jobId": "j-1"}));
    let (_, cluster) = api.get("clusters/c").await;
    assert_eq!(job["placement"]["clusterUuid"], cluster["clusterUuid"]);
    let bucket = cluster["config"]["configBucket"].as_str().unwrap();
    let uuid = cluster["clusterUuid"].as_str().unwrap();
    let folder = format!("gs://{bucket}/google-cloud-dataproc-metainfo/{uuid}/jobs/j-1/");
    assert_eq!(job["driverControlFilesUri"], folder);
    assert_eq!(
        job["driverOutputResourceUri"],
        format!("{folder}driveroutput")
    );

    let ended = api.wait_ended("j-1").await;
    assert_eq!(states(&ended), ["PENDING", "SETUP_DONE", "RUNNING", "DONE"]);
    assert_eq!(ended["jobUuid"], job["jobUuid"]);
    assert_eq!(api.output_of(&ended).await, ("one\ntwo\n".to_owned(), true));
    let started = api.runtime.jobs();
    assert_eq!(
        (started[0].kind.as_str(), started[0].id.as_str()),
        ("pigJob", "j-1")
    );
    assert_eq!(api.emulator.jobs().len(), 1);

    let (_, job) = api.post("jobs:submit", request("", json!({}))).await;
    assert_eq!(job["reference"]["jobId"].as_str().map(str::len), Some(36));
    api.emulator.stop().await;
}

#[tokio::test]
async fn a_token_that_closes_both_emulators_opens_the_bucket_to_jobs() {
    let api = Api::with_token("secret").await;
    api.runtime
        .set_job(JobScript::default().printing(["known\n"]));
    api.submit("j").await;
    let ended = api.wait_ended("j").await;
    assert!(ended["status"].get("details").is_none(), "{ended}");
    assert_eq!(api.output_of(&ended).await, ("known\n".to_owned(), true));
    api.emulator.stop().await;
}

#[tokio::test]
async fn output_comes_while_it_is_printed_and_cancelling_loses_none() {
    let api = Api::new().await;
    api.runtime
        .set_job(JobScript::hanging().printing(["early\n"]));
    let job = api.submit("j").await;
    let uri = job["driverOutputResourceUri"].as_str().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while api.output(uri).await.0 != "early\n" {
        assert!(Instant::now() < deadline);
        tokio::task::yield_now().await;
    }
    assert!(!api.output(uri).await.1);
    let (status, cancelled) = api.post("jobs/j:cancel", json!({})).await;
    assert_eq!(
        (status, &cancelled["status"]["state"]),
        (200, &json!("CANCEL_PENDING"))
    );
    // Asking twice is asking once.
    let again = api.post("jobs/j:cancel", json!({})).await;
    assert!(
        again.0 == 200 || error(&again) == (400, "FAILED_PRECONDITION"),
        "{again:?}"
    );
    let ended = api.wait_ended("j").await;
    let expected = [
        "PENDING",
        "SETUP_DONE",
        "RUNNING",
        "CANCEL_PENDING",
        "CANCEL_STARTED",
        "CANCELLED",
    ];
    assert_eq!(states(&ended), expected);
    assert_eq!(api.output(uri).await, ("early\n".to_owned(), true));
    let late = api.post("jobs/j:cancel", json!({})).await;
    assert_eq!(error(&late), (400, "FAILED_PRECONDITION"));
    let none = api.post("jobs/other:cancel", json!({})).await;
    assert_eq!(error(&none), (404, "NOT_FOUND"));
    api.emulator.stop().await;
}

#[tokio::test]
async fn one_request_is_one_job_and_one_id_too() {
    let api = Api::new().await;
    let mut first = request("j", json!({}));
    first["requestId"] = json!("r-1");
    let (_, made) = api.post("jobs:submit", first.clone()).await;
    let (status, again) = api.post("jobs:submit", first).await;
    assert_eq!((status, &again["jobUuid"]), (200, &made["jobUuid"]));
    let mut other = request("k", json!({}));
    other["request_id"] = json!("r-1");
    let (status, again) = api.post("jobs:submit", other).await;
    assert_eq!((status, &again["jobUuid"]), (200, &made["jobUuid"]));
    let taken = api.post("jobs:submit", request("j", json!({}))).await;
    assert_eq!(error(&taken), (409, "ALREADY_EXISTS"));
    assert_eq!(api.runtime.jobs().len(), 1);
    api.emulator.stop().await;
}

#[tokio::test]
async fn what_is_no_job_is_refused() {
    let api = Api::new().await;
    let refused = |body: Value, expected: (u16, &'static str)| {
        let api = &api;
        async move {
            let answer = api.post("jobs:submit", body.clone()).await;
            assert_eq!(error(&answer), expected, "{body}: {answer:?}");
        }
    };
    let invalid = (400, "INVALID_ARGUMENT");
    refused(json!({}), invalid).await;
    refused(json!([]), invalid).await;
    refused(json!({"job": 1}), invalid).await;
    refused(json!({"job": {}, "nonsense": 1}), invalid).await;
    let mut body = request("j", json!({}));
    body["requestId"] = json!(1);
    refused(body.clone(), invalid).await;
    body["requestId"] = json!("no spaces");
    refused(body.clone(), invalid).await;
    body["requestId"] = json!("r");
    body["projectId"] = json!("other");
    refused(body, invalid).await;
    refused(request("j", json!({"done": "maybe"})), invalid).await;
    refused(
        request("j", json!({"placement": {"clusterName": "other"}})),
        (404, "NOT_FOUND"),
    )
    .await;
    let hive = json!({"pigJob": null, "hiveJob": {}});
    refused(request("j", hive), (501, "UNIMPLEMENTED")).await;
    let nowhere = json!({"placement": {"clusterLabels": {"pool": "b"}}});
    refused(request("j", nowhere), (400, "FAILED_PRECONDITION")).await;

    let url = format!("{}/{REGION}/jobs:submit", api.emulator.url());
    let malformed = api
        .client
        .post(&url)
        .body("{\"job\": {")
        .send()
        .await
        .unwrap();
    assert_eq!(malformed.status(), 400);
    assert_eq!(api.get("jobs/none").await.0, 404);
    assert_eq!(api.post("jobs/none:explode", json!({})).await.0, 501);
    assert!(api.runtime.jobs().is_empty());

    let labels = json!({"placement": {"clusterLabels": {"pool": "a"}}});
    let (status, job) = api.post("jobs:submit", request("by-label", labels)).await;
    assert_eq!(
        (status, &job["placement"]["clusterName"]),
        (200, &json!("c"))
    );
    api.wait_ended("by-label").await;

    let (_, stop) = api.post("clusters/c:stop", json!({})).await;
    api.wait_operation(&stop).await;
    refused(request("j", json!({})), (400, "FAILED_PRECONDITION")).await;
    api.emulator.stop().await;
}

#[tokio::test]
async fn a_failed_driver_is_an_error_or_starts_again() {
    let api = Api::new().await;
    api.runtime
        .push_job(JobScript::failing(5).printing(["no luck\n"]));
    api.submit("once").await;
    let ended = api.wait_ended("once").await;
    assert_eq!(ended["status"]["state"], "ERROR");
    let details = ended["status"]["details"].as_str().unwrap();
    assert!(details.contains("exit status 5"), "{details}");
    assert!(
        details.contains(ended["driverOutputResourceUri"].as_str().unwrap()),
        "{details}"
    );
    assert_eq!(api.output_of(&ended).await, ("no luck\n".to_owned(), true));

    api.runtime
        .push_job(JobScript::failing(1).printing(["first\n"]));
    api.runtime
        .push_job(JobScript::default().printing(["second\n"]));
    let scheduling = json!({"scheduling": {"maxFailuresPerHour": 1}});
    let (_, begun) = api.post("jobs:submit", request("twice", scheduling)).await;
    let ended = api.wait_ended("twice").await;
    let expected = [
        "PENDING",
        "SETUP_DONE",
        "RUNNING",
        "ATTEMPT_FAILURE",
        "SETUP_DONE",
        "RUNNING",
        "DONE",
    ];
    assert_eq!(states(&ended), expected);
    assert_eq!(api.output_of(&begun).await, ("first\n".to_owned(), true));
    assert_ne!(
        begun["driverOutputResourceUri"],
        ended["driverOutputResourceUri"]
    );
    assert_eq!(api.output_of(&ended).await, ("second\n".to_owned(), true));

    api.runtime.set_job(JobScript::failing(1));
    let scheduling = json!({"scheduling": {"maxFailuresPerHour": 10}});
    api.post("jobs:submit", request("thrashing", scheduling))
        .await;
    let ended = api.wait_ended("thrashing").await;
    let details = ended["status"]["details"].as_str().unwrap();
    assert!(details.contains("thrashing"), "{details}");
    let failures = states(&ended)
        .iter()
        .filter(|state| **state == "ATTEMPT_FAILURE")
        .count();
    assert_eq!(failures, 3);
    api.emulator.stop().await;
}

#[tokio::test]
async fn lists_are_filtered_paged_and_newest_first() {
    let api = Api::new().await;
    for id in ["a", "b"] {
        let labels = json!({"labels": {"which": id}});
        api.post("jobs:submit", request(id, labels)).await;
        api.wait_ended(id).await;
    }
    api.runtime.set_job(JobScript::hanging());
    api.submit("z").await;
    api.submit("m").await;
    let ids = |answer: &Value| -> Vec<String> {
        let jobs = answer["jobs"].as_array().cloned().unwrap_or_default();
        let id = |job: &Value| job["reference"]["jobId"].as_str().unwrap().to_owned();
        jobs.iter().map(id).collect()
    };
    let listed = |query: &'static str| {
        let api = &api;
        async move { ids(&api.get(&format!("jobs?{query}")).await.1) }
    };
    assert_eq!(listed("").await, ["m", "z", "b", "a"]);
    assert_eq!(listed("jobStateMatcher=ACTIVE").await, ["m", "z"]);
    assert_eq!(listed("jobStateMatcher=NON_ACTIVE").await, ["b", "a"]);
    assert_eq!(listed("filter=labels.which%3Da").await, ["a"]);
    assert_eq!(
        listed("filter=status.state+%3D+DONE&jobStateMatcher=ACTIVE").await,
        ["b", "a"]
    );
    assert!(listed("clusterName=other").await.is_empty());
    let (_, first) = api.get("jobs?pageSize=3&clusterName=c").await;
    assert_eq!(ids(&first), ["m", "z", "b"]);
    let token = first["nextPageToken"].as_str().unwrap();
    let (_, second) = api.get(&format!("jobs?pageSize=3&pageToken={token}")).await;
    assert_eq!(ids(&second), ["a"]);
    assert!(second.get("nextPageToken").is_none());
    let wrong = api.get("jobs?jobStateMatcher=SOME").await;
    assert_eq!(error(&wrong), (400, "INVALID_ARGUMENT"));
    api.emulator.stop().await;
}

#[tokio::test]
async fn labels_change_and_only_what_has_ended_is_deleted() {
    let api = Api::new().await;
    api.runtime.set_job(JobScript::hanging());
    let labels = json!({"labels": {"a": "1", "b": "2"}});
    api.post("jobs:submit", request("j", labels)).await;
    let patch = |mask: &'static str, body: Value| {
        let api = &api;
        async move {
            let path = format!("jobs/j?updateMask={mask}");
            api.send("PATCH", &path, Some(body)).await
        }
    };
    let (_, job) = patch("labels", json!({"labels": {"c": "3"}})).await;
    assert_eq!(job["labels"], json!({"c": "3"}));
    let (_, job) = patch("labels.d", json!({"labels": {"d": "4", "e": "5"}})).await;
    assert_eq!(job["labels"], json!({"c": "3", "d": "4"}));
    let (_, job) = patch("labels.c", json!({})).await;
    assert_eq!(job["labels"], json!({"d": "4"}));
    for (mask, body) in [
        ("", json!({})),
        ("placement", json!({})),
        ("labels", json!({"labels": {"A": "b"}})),
        ("labels", json!({"nonsense": 1})),
    ] {
        assert_eq!(
            error(&patch(mask, body).await),
            (400, "INVALID_ARGUMENT"),
            "{mask}"
        );
    }
    let early = api.send("DELETE", "jobs/j", None).await;
    assert_eq!(error(&early), (400, "FAILED_PRECONDITION"));
    api.post("jobs/j:cancel", json!({})).await;
    api.wait_ended("j").await;
    assert_eq!(api.send("DELETE", "jobs/j", None).await, (200, json!({})));
    assert_eq!(api.send("DELETE", "jobs/j", None).await.0, 404);
    api.emulator.stop().await;
}

#[tokio::test]
async fn a_job_can_be_an_operation() {
    let api = Api::new().await;
    let as_operation = |id: &'static str| {
        let api = &api;
        async move {
            let body = request(id, json!({}));
            let (status, operation) = api.post("jobs:submitAsOperation", body).await;
            assert_eq!(status, 200, "{operation}");
            operation
        }
    };
    let operation = as_operation("good").await;
    let kind = "type.googleapis.com/google.cloud.dataproc.v1.JobMetadata";
    assert_eq!(operation["metadata"]["@type"], kind);
    let done = api.wait_operation(&operation).await;
    assert_eq!(done["metadata"]["jobId"], "good");
    assert_eq!(done["metadata"]["status"]["state"], "DONE");
    assert_eq!(
        done["response"]["@type"],
        "type.googleapis.com/google.cloud.dataproc.v1.Job"
    );
    assert_eq!(done["response"]["status"]["state"], "DONE");

    api.runtime.set_job(JobScript::failing(3));
    let done = api.wait_operation(&as_operation("bad").await).await;
    let message = done["error"]["message"].as_str().unwrap();
    assert!(message.contains("exit status 3"), "{message}");

    api.runtime.set_job(JobScript::hanging());
    let operation = as_operation("long").await;
    let id = operation["name"]
        .as_str()
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap();
    let (status, _) = api
        .post(&format!("operations/{id}:cancel"), json!({}))
        .await;
    assert_eq!(status, 200);
    let done = api.wait_operation(&operation).await;
    assert_eq!(done["error"]["code"], 1);
    assert_eq!(api.wait_ended("long").await["status"]["state"], "CANCELLED");
    api.emulator.stop().await;
}

#[tokio::test]
async fn a_running_job_is_work_and_ends_with_its_cluster() {
    let api = Api::new().await;
    api.runtime
        .set_job(JobScript::hanging().printing(["said\n"]));
    api.submit("j").await;
    api.emulator.advance(Duration::from_secs(3600)).await;
    let (_, cluster) = api.get("clusters/c").await;
    assert_eq!(cluster["status"]["state"], "RUNNING");
    let (_, operation) = api.send("DELETE", "clusters/c", None).await;
    api.wait_operation(&operation).await;
    let ended = api.wait_ended("j").await;
    assert_eq!(ended["status"]["state"], "ERROR");
    assert_eq!(
        ended["status"]["details"],
        "The cluster of the job was deleted."
    );
    assert_eq!(api.output_of(&ended).await, ("said\n".to_owned(), true));
    api.emulator.stop().await;
}

#[tokio::test]
async fn an_idle_cluster_goes_when_its_job_has_ended() {
    let api = Api::new().await;
    api.runtime.set_job(JobScript::hanging());
    api.submit("j").await;
    api.emulator.advance(Duration::from_secs(3600)).await;
    api.post("jobs/j:cancel", json!({})).await;
    api.wait_ended("j").await;
    api.emulator.advance(Duration::from_secs(1)).await;
    api.emulator.advance(Duration::from_secs(601)).await;
    let deadline = Instant::now() + Duration::from_secs(20);
    while api.get("clusters/c").await.0 != 404 {
        assert!(Instant::now() < deadline);
        tokio::task::yield_now().await;
    }
    api.emulator.stop().await;
}

#[tokio::test]
async fn stopping_the_emulator_ends_jobs_and_keeps_their_output() {
    let api = Api::new().await;
    api.runtime
        .set_job(JobScript::hanging().printing(["last words\n"]));
    let job = api.submit("j").await;
    api.wait_job("j", |job| job["status"]["state"] == "RUNNING")
        .await;
    api.emulator.stop().await;
    assert_eq!(api.emulator.jobs()[0]["status"]["state"], "ERROR");
    let (text, closed) = api.output_of(&job).await;
    assert!(closed && "last words\n".starts_with(&text), "{text}");
}

#[tokio::test]
async fn applications_are_listed_and_a_ttl_ends_a_job() {
    let api = Api::new().await;
    let mut script = JobScript::hanging();
    script.applications = vec![YarnApplication {
        name: "word count".to_owned(),
        state: "RUNNING".to_owned(),
        progress: 0.5,
        tracking_url: Some("http://127.0.0.1:8088/proxy/x".to_owned()),
    }];
    api.runtime.set_job(script);
    let ttl = json!({"scheduling": {"ttl": "600s"}});
    api.post("jobs:submit", request("j", ttl)).await;
    let job = api
        .wait_job("j", |job| job.get("yarnApplications").is_some())
        .await;
    let expected = json!([{
        "name": "word count",
        "state": "RUNNING",
        "progress": 0.5,
        "trackingUrl": "http://127.0.0.1:8088/proxy/x",
    }]);
    assert_eq!(job["yarnApplications"], expected);
    api.emulator.advance(Duration::from_secs(599)).await;
    assert_eq!(api.get("jobs/j").await.1["status"]["state"], "RUNNING");
    api.emulator.advance(Duration::from_secs(2)).await;
    assert_eq!(api.wait_ended("j").await["status"]["state"], "CANCELLED");
    api.emulator.stop().await;
}

#[tokio::test]
async fn a_diagnosis_is_an_archive_and_a_report() {
    let api = Api::new().await;
    let (status, operation) = api.post("clusters/c:diagnose", json!({})).await;
    assert_eq!(status, 200, "{operation}");
    assert_eq!(operation["metadata"]["operationType"], "DIAGNOSE");
    let done = api.wait_operation(&operation).await;
    let uri = done["response"]["outputUri"].as_str().unwrap();
    let (report, closed) = api.output(uri).await;
    assert!(closed);
    assert_eq!(api.object(uri).await.unwrap(), report.as_bytes());
    let archive = report.split_whitespace().last().unwrap();
    let archive = api.object(archive).await.unwrap();
    assert_eq!(archive.get(..2), Some(&[0x1f, 0x8b][..]));

    let folder = json!({"tarballGcsDir": "nowhere"});
    let wrong = api.post("clusters/c:diagnose", folder).await;
    assert_eq!(error(&wrong), (400, "INVALID_ARGUMENT"));
    let wrong = api.post("clusters/c:diagnose", json!({"tarball": 1})).await;
    assert_eq!(error(&wrong), (400, "INVALID_ARGUMENT"));
    let none = api.post("clusters/other:diagnose", json!({})).await;
    assert_eq!(error(&none), (404, "NOT_FOUND"));
    api.emulator.stop().await;
}

#[tokio::test]
async fn a_cancelled_decommission_leaves_the_workers() {
    let api = Api::new().await;
    api.runtime.set_busy("c", true);
    let sized = |workers: u32| json!({"config": {"workerConfig": {"numInstances": workers}}});
    let mask = "updateMask=config.worker_config.num_instances";
    let path = format!("clusters/c?{mask}");
    let (_, operation) = api.send("PATCH", &path, Some(sized(4))).await;
    api.wait_operation(&operation).await;
    let path = format!("clusters/c?{mask}&gracefulDecommissionTimeout=3600s");
    let (status, operation) = api.send("PATCH", &path, Some(sized(2))).await;
    assert_eq!(status, 200, "{operation}");
    let id = operation["name"]
        .as_str()
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap();
    let (status, _) = api
        .post(&format!("operations/{id}:cancel"), json!({}))
        .await;
    assert_eq!(status, 200);
    let done = api.wait_operation(&operation).await;
    assert_eq!(done["error"]["code"], 1);
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let (_, cluster) = api.get("clusters/c").await;
        if cluster["status"]["state"] == "RUNNING" {
            assert_eq!(cluster["config"]["workerConfig"]["numInstances"], 4);
            break;
        }
        assert!(Instant::now() < deadline, "{cluster}");
        tokio::task::yield_now().await;
    }
    api.emulator.stop().await;
}
