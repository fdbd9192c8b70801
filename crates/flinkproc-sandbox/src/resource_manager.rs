//! What the ResourceManager says over HTTP, and what it is told.

use std::time::Duration;

use dataproc_emulator::runtime::{YarnApplication, YarnMemory};
use serde_json::{Value, json};

use crate::layout::Layout;

const PATIENCE: Duration = Duration::from_secs(5);

/// The ResourceManager of one cluster. A question that it does not answer has the answer "nothing".
#[derive(Debug)]
pub(crate) struct ResourceManager<'a> {
    root: String,
    user: &'a str,
    http: &'a reqwest::Client,
}

impl<'a> ResourceManager<'a> {
    pub(crate) fn of(layout: &'a Layout, http: &'a reqwest::Client) -> Self {
        Self {
            root: format!("http://{}:8088/ws/v1/cluster", layout.ip),
            user: &layout.user,
            http,
        }
    }

    /// The answer to a question, such as `metrics`.
    pub(crate) async fn ask(&self, path: &str) -> Option<Value> {
        let call = self.http.get(format!("{}/{path}", self.root));
        let answer = call
            .header("accept", "application/json")
            .timeout(PATIENCE)
            .send();
        answer.await.ok()?.json().await.ok()
    }

    /// How many NodeManagers run.
    pub(crate) async fn running_nodes(&self) -> usize {
        let body = self.ask("nodes?states=RUNNING").await.unwrap_or_default();
        list(&body, "/nodes/node").len()
    }

    /// How many containers a NodeManager runs; `None` when it is not known.
    pub(crate) async fn containers(&self, node: &str) -> Option<u64> {
        let body = self.ask(&format!("nodes/{node}")).await?;
        body.pointer("/node/numContainers").and_then(Value::as_u64)
    }

    /// Lets no more containers start on a NodeManager; those that run go on.
    pub(crate) async fn close(&self, node: &str) -> bool {
        let body = json!({
            "resource": {"memory": 0, "vCores": 0},
            "overCommitTimeout": -1,
        });
        let url = format!(
            "{}/nodes/{node}/resource?user.name={}",
            self.root, self.user
        );
        let call = self.http.post(url).json(&body).timeout(PATIENCE).send();
        call.await.is_ok_and(|answer| answer.status().is_success())
    }

    /// Whether an application waits or runs; `None` when it is not known.
    pub(crate) async fn is_busy(&self) -> Option<bool> {
        let body = self.ask("metrics").await?;
        Some(metric(&body, "appsPending")? + metric(&body, "appsRunning")? > 0)
    }

    /// Memory in MiB.
    pub(crate) async fn memory(&self) -> Option<YarnMemory> {
        let body = self.ask("metrics").await?;
        Some(YarnMemory {
            available: metric(&body, "availableMB")?,
            allocated: metric(&body, "allocatedMB")?,
            pending: metric(&body, "pendingMB")?,
        })
    }

    /// The applications that carry a tag; YARN keeps tags in lower case.
    pub(crate) async fn tagged(&self, tag: &str) -> Vec<YarnApplication> {
        self.with_tag(tag).await.iter().map(application).collect()
    }

    /// Ends the applications that carry a tag.
    pub(crate) async fn kill_tagged(&self, tag: &str) {
        for application in self.with_tag(tag).await {
            let ended = ["FINISHED", "FAILED", "KILLED"];
            let Some(id) = application.get("id").and_then(Value::as_str) else {
                continue;
            };
            if ended.contains(&text(&application, "state").as_str()) {
                continue;
            }
            let url = format!("{}/apps/{id}/state?user.name={}", self.root, self.user);
            let call = self.http.put(url).json(&json!({"state": "KILLED"}));
            if let Err(error) = call.timeout(PATIENCE).send().await {
                tracing::warn!(id, %error, "an application could not be ended");
            }
        }
    }

    async fn with_tag(&self, tag: &str) -> Vec<Value> {
        let body = self.ask("apps").await.unwrap_or_default();
        let has = |application: &&Value| {
            let tags = application.get("applicationTags").and_then(Value::as_str);
            let mut tags = tags.unwrap_or_default().split(',');
            tags.any(|one| one.trim().eq_ignore_ascii_case(tag))
        };
        list(&body, "/apps/app")
            .iter()
            .filter(has)
            .cloned()
            .collect()
    }
}

fn list<'v>(body: &'v Value, pointer: &str) -> &'v [Value] {
    let found = body.pointer(pointer).and_then(Value::as_array);
    found.map_or(&[], Vec::as_slice)
}

fn metric(body: &Value, name: &str) -> Option<u64> {
    body.pointer(&format!("/clusterMetrics/{name}"))?.as_u64()
}

fn text(value: &Value, name: &str) -> String {
    let found = value.get(name).and_then(Value::as_str);
    found.unwrap_or_default().to_owned()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a percentage has no more digits than that"
)]
fn application(value: &Value) -> YarnApplication {
    let state = text(value, "state");
    let last = text(value, "finalStatus");
    let url = text(value, "trackingUrl");
    let progress = value.get("progress").and_then(Value::as_f64);
    YarnApplication {
        name: text(value, "name"),
        // A finished application says in its final status how it went.
        state: match last.as_str() {
            "FAILED" | "KILLED" if state == "FINISHED" => last,
            _ => state,
        },
        progress: (progress.unwrap_or_default() / 100.0) as f32,
        tracking_url: (!url.is_empty() && url != "UNASSIGNED").then_some(url),
    }
}

#[cfg(test)]
mod tests {
    use dataproc_emulator::runtime::YarnApplication;
    use serde_json::json;

    use super::application;

    #[test]
    fn a_finished_application_says_how_it_went() {
        let check = |state: &str, last: &str, expected: &str| {
            let value = json!({"name": "a", "state": state, "finalStatus": last, "progress": 50.0, "trackingUrl": "UNASSIGNED"});
            let expected = YarnApplication {
                name: "a".to_owned(),
                state: expected.to_owned(),
                progress: 0.5,
                tracking_url: None,
            };
            assert_eq!(application(&value), expected);
        };
        check("RUNNING", "UNDEFINED", "RUNNING");
        check("FINISHED", "SUCCEEDED", "FINISHED");
        check("FINISHED", "FAILED", "FAILED");
        check("KILLED", "KILLED", "KILLED");
    }
}
