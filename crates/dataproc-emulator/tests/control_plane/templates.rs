//! Workflow templates over HTTP, with scripted jobs.

use std::time::{Duration, Instant};

use dataproc_emulator::{JobScript, RuntimeError};
use serde_json::{Value, json};

use crate::api::{Api, REGION};

const TEMPLATES: &str = "workflowTemplates";

fn step(id: &str, before: &[&str]) -> Value {
    let queries = json!({"queries": [format!("sh echo {id}")]});
    let mut step = json!({"stepId": id, "pigJob": {"queryList": queries}});
    if !before.is_empty() {
        step["prerequisiteStepIds"] = json!(before);
    }
    step
}

fn managed(jobs: &[Value]) -> Value {
    let cluster = json!({"clusterName": "wf", "config": {}, "labels": {"env": "test"}});
    json!({"id": "abc", "placement": {"managedCluster": cluster}, "jobs": jobs})
}

/// The states of the steps, in the order of the template.
fn states(operation: &Value) -> Vec<(String, String)> {
    let nodes = operation["metadata"]["graph"]["nodes"].as_array().unwrap();
    let text = |node: &Value, key: &str| node[key].as_str().unwrap().to_owned();
    nodes
        .iter()
        .map(|node| (text(node, "stepId"), text(node, "state")))
        .collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected
        .iter()
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
        .collect()
}

/// Reads an operation until it is so.
async fn when(api: &Api, operation: &Value, is: impl Fn(&Value) -> bool) -> Value {
    let name = operation["name"].as_str().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let (_, operation) = api.send("GET", &format!("v1/{name}"), None).await;
        if is(&operation) {
            return operation;
        }
        assert!(Instant::now() < deadline, "{operation}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn templates_have_versions() {
    let api = Api::new().await;
    let made = api
        .fine("POST", TEMPLATES, managed(&[step("one", &[])]))
        .await;
    assert_eq!(
        made["name"],
        "projects/p/regions/europe-west1/workflowTemplates/abc"
    );
    assert_eq!(
        (&made["version"], &made["createTime"]),
        (&json!(1), &made["updateTime"])
    );
    let twice = (409, "ALREADY_EXISTS");
    api.refused(
        ("POST", TEMPLATES),
        managed(&[step("one", &[])]),
        twice,
        "abc",
    )
    .await;

    let path = "workflowTemplates/abc";
    let mut changed = managed(&[step("one", &[]), step("two", &["one"])]);
    let stale = (400, "FAILED_PRECONDITION");
    api.refused(("PUT", path), changed.clone(), stale, "present version 1")
        .await;
    changed["version"] = json!(1);
    let answer = api.fine("PUT", path, changed.clone()).await;
    assert_eq!(
        (&answer["version"], &answer["createTime"]),
        (&json!(2), &made["createTime"])
    );
    // The first version was never instantiated, so it is gone; the second one was.
    let missing = (404, "NOT_FOUND");
    api.refused(
        ("GET", "workflowTemplates/abc?version=1"),
        Value::Null,
        missing,
        "abc",
    )
    .await;
    let operation = api
        .fine(
            "POST",
            "workflowTemplates/abc:instantiate",
            json!({"version": 2}),
        )
        .await;
    changed["version"] = json!(2);
    api.fine("PUT", path, changed).await;
    let second = api
        .fine("GET", "workflowTemplates/abc?version=2", Value::Null)
        .await;
    assert_eq!(second["version"], 2);
    assert_eq!(api.fine("GET", path, Value::Null).await["version"], 3);
    api.wait(&operation).await;

    let list = api
        .fine("GET", "workflowTemplates?pageSize=1", Value::Null)
        .await;
    assert_eq!(list["templates"][0]["id"], "abc");
    api.refused(
        ("DELETE", "workflowTemplates/abc?version=1"),
        Value::Null,
        stale,
        "present version 3",
    )
    .await;
    api.fine("DELETE", path, Value::Null).await;
    api.refused(("GET", path), Value::Null, missing, "abc")
        .await;
}

#[tokio::test]
async fn a_workflow_runs_its_graph_on_a_cluster_of_its_own() {
    let api = Api::new().await;
    let jobs = [
        step("last", &["left", "right"]),
        step("left", &["first"]),
        step("right", &["first"]),
        step("first", &[]),
    ];
    api.fine("POST", TEMPLATES, managed(&jobs)).await;
    let body = json!({"requestId": "r-1"});
    let begun = api
        .fine("POST", "workflowTemplates/abc:instantiate", body.clone())
        .await;
    let again = api
        .fine("POST", "workflowTemplates/abc:instantiate", body)
        .await;
    assert_eq!(again["name"], begun["name"]);
    let done = api.wait(&begun).await;
    let metadata = &done["metadata"];
    assert_eq!(
        metadata["@type"],
        "type.googleapis.com/google.cloud.dataproc.v1.WorkflowMetadata"
    );
    assert_eq!(
        done["response"]["@type"],
        "type.googleapis.com/google.protobuf.Empty"
    );
    assert_eq!(
        (&metadata["state"], &metadata["version"]),
        (&json!("DONE"), &json!(1))
    );
    let completed = ["last", "left", "right", "first"].map(|step| (step, "COMPLETED"));
    assert_eq!(states(&done), pairs(&completed));
    let cluster = metadata["clusterName"].as_str().unwrap();
    assert!(cluster.starts_with("wf-"), "{cluster}");
    assert_eq!(
        (
            &metadata["createCluster"]["done"],
            &metadata["deleteCluster"]["done"]
        ),
        (&json!(true), &json!(true))
    );
    assert_eq!(api.get(&format!("clusters/{cluster}")).await.0, 404);
    let ran: Vec<String> = api
        .runtime
        .jobs()
        .iter()
        .map(|job| job.id.clone())
        .collect();
    assert!(
        ran[0].starts_with("first-") && ran[3].starts_with("last-"),
        "{ran:?}"
    );
    let (_, job) = api.get(&format!("jobs/{}", ran[0])).await;
    assert_eq!(job["labels"]["goog-dataproc-workflow-template-id"], "abc");
}

#[tokio::test]
async fn a_failed_step_fails_those_behind_it_and_the_cluster_goes() {
    let api = Api::new().await;
    api.runtime.push_job(JobScript::failing(3));
    let jobs = [
        step("bad", &[]),
        step("behind", &["bad"]),
        step("last", &["behind"]),
    ];
    let begun = api
        .fine(
            "POST",
            "workflowTemplates:instantiateInline",
            managed(&jobs),
        )
        .await;
    let done = api.wait(&begun).await;
    assert_eq!(
        states(&done),
        pairs(&[("bad", "FAILED"), ("behind", "FAILED"), ("last", "FAILED")])
    );
    let message = done["error"]["message"].as_str().unwrap();
    assert_eq!(
        message,
        "Workflow failed: the steps bad, behind, last failed"
    );
    let nodes = &done["metadata"]["graph"]["nodes"];
    assert_eq!(nodes[1]["error"], "The prerequisite step 'bad' failed");
    assert!(api.emulator.clusters().is_empty());
    assert_eq!(api.runtime.jobs().len(), 1);
}

#[tokio::test]
async fn a_cluster_that_cannot_be_made_ends_the_workflow_and_goes() {
    let api = Api::new().await;
    let detail = "no machines".to_owned();
    api.runtime
        .fail_next_create(RuntimeError::Stockout { detail });
    let path = "workflowTemplates:instantiateInline?requestId=x";
    let begun = api.fine("POST", path, managed(&[step("one", &[])])).await;
    let done = api.wait(&begun).await;
    assert_eq!(done["error"]["code"], 8);
    assert!(done["metadata"]["createCluster"]["error"].is_string());
    assert_eq!(done["metadata"]["deleteCluster"]["done"], true);
    assert!(api.emulator.clusters().is_empty());
}

#[tokio::test]
async fn a_workflow_is_cancelled_or_runs_out_of_time() {
    let api = Api::new().await;
    api.runtime.set_job(JobScript::hanging());
    let inline = "workflowTemplates:instantiateInline";
    let jobs = [step("one", &[]), step("two", &["one"])];
    let running =
        |operation: &Value| operation["metadata"]["graph"]["nodes"][0]["state"] == "RUNNING";

    let begun = api.fine("POST", inline, managed(&jobs)).await;
    when(&api, &begun, running).await;
    let cancel = format!("v1/{}:cancel", begun["name"].as_str().unwrap());
    assert_eq!(api.send("POST", &cancel, Some(json!({}))).await.0, 200);
    let done = api.wait(&begun).await;
    assert_eq!(done["error"]["code"], 1);
    assert_eq!(
        states(&done),
        pairs(&[("one", "FAILED"), ("two", "FAILED")])
    );
    assert!(api.emulator.clusters().is_empty());

    let mut template = managed(&jobs);
    template["dagTimeout"] = json!("600s");
    let begun = api.fine("POST", inline, template).await;
    when(&api, &begun, running).await;
    api.emulator.advance(Duration::from_secs(601)).await;
    let done = api.wait(&begun).await;
    assert_eq!(done["error"]["code"], 4);
    assert_eq!(done["metadata"]["dagTimeout"], "600s");
    assert!(api.emulator.clusters().is_empty());
    api.emulator.stop().await;
}

#[tokio::test]
async fn a_cluster_is_chosen_by_its_labels_and_stays() {
    let api = Api::new().await;
    let selector = json!({"clusterLabels": {"env": "prod"}});
    let template = json!({"placement": {"clusterSelector": selector}, "jobs": [step("one", &[])]});
    let inline = "workflowTemplates:instantiateInline";
    let begun = api.fine("POST", inline, template.clone()).await;
    assert_eq!(api.wait(&begun).await["error"]["code"], 9);
    let body = json!({"clusterName": "mine", "labels": {"env": "prod"}});
    let (_, making) = api
        .send("POST", &format!("{REGION}/clusters"), Some(body))
        .await;
    api.wait(&making).await;
    let begun = api.fine("POST", inline, template).await;
    let done = api.wait(&begun).await;
    assert_eq!(done.get("error"), None, "{done}");
    assert_eq!(done["metadata"]["clusterName"], "mine");
    assert_eq!(
        api.get("clusters/mine").await.1["status"]["state"],
        "RUNNING"
    );
}

#[tokio::test]
async fn parameters_reach_the_jobs() {
    let api = Api::new().await;
    let mut template = managed(&[step("one", &[])]);
    template["jobs"][0]["pigJob"]["scriptVariables"] = json!({"who": "nobody"});
    let regex = json!({"regex": {"regexes": ["[a-z]+"]}});
    template["parameters"] = json!([
        {"name": "WHO", "fields": ["jobs['one'].pigJob.scriptVariables['who']"], "validation": regex},
    ]);
    api.fine("POST", TEMPLATES, template).await;
    let call = ("POST", "workflowTemplates/abc:instantiate");
    let invalid = (400, "INVALID_ARGUMENT");
    api.refused(call, json!({}), invalid, "'WHO' is required")
        .await;
    let upper = json!({"parameters": {"WHO": "ME"}});
    api.refused(call, upper, invalid, "does not pass its validation")
        .await;
    let body = json!({"parameters": {"WHO": "me"}});
    let begun = api.fine(call.0, call.1, body).await;
    let done = api.wait(&begun).await;
    assert_eq!(done.get("error"), None, "{done}");
    assert_eq!(done["metadata"]["parameters"], json!({"WHO": "me"}));
    let job = api.runtime.jobs().remove(0);
    assert_eq!(job.resource["pigJob"]["scriptVariables"]["who"], "me");
}

#[tokio::test]
async fn what_cannot_run_here_is_said_at_once() {
    let api = Api::new().await;
    let spark = json!({"stepId": "one", "sparkJob": {"mainClass": "A"}});
    let call = ("POST", "workflowTemplates:instantiateInline");
    api.refused(
        call,
        managed(&[spark]),
        (501, "UNIMPLEMENTED"),
        "sparkJob is not emulated",
    )
    .await;
    api.refused(
        ("POST", "workflowTemplates/abc:explode"),
        json!({}),
        (501, "UNIMPLEMENTED"),
        "explode",
    )
    .await;
    let cycle = managed(&[step("one", &["two"]), step("two", &["one"])]);
    api.refused(
        ("POST", TEMPLATES),
        cycle,
        (400, "INVALID_ARGUMENT"),
        "cycle",
    )
    .await;
}
