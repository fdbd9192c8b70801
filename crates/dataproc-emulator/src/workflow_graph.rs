//! The graph of a workflow's jobs: which have ended, and which may begin.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use uuid::Uuid;

/// One step of the graph.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) step: String,
    pub(crate) needs: Vec<String>,
    pub(crate) job: Value,
    pub(crate) id: String,
    pub(crate) state: &'static str,
    pub(crate) error: String,
}

impl Node {
    pub(crate) fn fail(&mut self, why: &str) {
        self.state = "FAILED";
        self.error = why.to_owned();
    }
}

/// The steps of a template, none of which has begun.
pub(crate) fn nodes(template: &Map<String, Value>) -> Vec<Node> {
    let jobs = template.get("jobs").and_then(Value::as_array);
    let node = |job: &Value| {
        let step = job["stepId"].as_str().unwrap_or_default();
        let needs = job["prerequisiteStepIds"].as_array().into_iter().flatten();
        Node {
            step: step.to_owned(),
            needs: needs.filter_map(Value::as_str).map(str::to_owned).collect(),
            id: format!("{step}-{}", random_letters()),
            job: job.clone(),
            state: "BLOCKED",
            error: String::new(),
        }
    };
    let mut nodes: Vec<Node> = jobs.into_iter().flatten().map(node).collect();
    runnable(&mut nodes);
    nodes
}

/// Brings what is blocked up to date and gives the nodes that may start.
pub(crate) fn runnable(nodes: &mut [Node]) -> Vec<usize> {
    loop {
        let states: BTreeMap<String, &'static str> = nodes
            .iter()
            .map(|node| (node.step.clone(), node.state))
            .collect();
        let mut changed = false;
        for node in nodes.iter_mut().filter(|node| node.state == "BLOCKED") {
            let of = |need: &String| states.get(need).copied().unwrap_or("COMPLETED");
            if let Some(failed) = node.needs.iter().find(|need| of(need) == "FAILED") {
                node.fail(&format!("The prerequisite step '{failed}' failed"));
                changed = true;
            } else if node.needs.iter().all(|need| of(need) == "COMPLETED") {
                node.state = "RUNNABLE";
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    let free = nodes.iter().enumerate();
    let free = free.filter(|(_, node)| node.state == "RUNNABLE");
    free.map(|(at, _)| at).collect()
}

/// The graph as the operation's metadata tells it.
pub(crate) fn graph(nodes: &[Node]) -> Value {
    let node = |node: &Node| {
        let mut told = json!({"stepId": node.step, "state": node.state});
        if !node.needs.is_empty() {
            told["prerequisiteStepIds"] = json!(node.needs);
        }
        if !matches!(node.state, "BLOCKED" | "RUNNABLE") {
            told["jobId"] = json!(node.id);
        }
        if !node.error.is_empty() {
            told["error"] = json!(node.error);
        }
        told
    };
    json!({"nodes": nodes.iter().map(node).collect::<Vec<_>>()})
}

/// Thirteen letters and digits, as the service ends the names of what a workflow makes.
pub(crate) fn random_letters() -> String {
    let mut letters = Uuid::new_v4().simple().to_string();
    letters.truncate(13);
    letters
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{nodes, runnable};

    #[test]
    fn nodes_follow_those_before_them() {
        let jobs = json!({"jobs": [
            {"stepId": "last", "prerequisiteStepIds": ["left", "right"]},
            {"stepId": "left", "prerequisiteStepIds": ["first"]},
            {"stepId": "right", "prerequisiteStepIds": ["first"]},
            {"stepId": "first"},
        ]});
        let mut nodes = nodes(jobs.as_object().unwrap());
        assert_eq!(runnable(&mut nodes), [3]);
        nodes[3].state = "COMPLETED";
        assert_eq!(runnable(&mut nodes), [1, 2]);
        nodes[1].fail("it broke");
        nodes[2].state = "RUNNING";
        assert!(runnable(&mut nodes).is_empty());
        assert_eq!(
            (nodes[0].state, nodes[0].error.as_str()),
            ("FAILED", "The prerequisite step 'left' failed")
        );
    }
}
