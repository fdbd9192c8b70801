//! `flinkproc status`: the deployments that this machine knows.

use std::fmt::Write;

use flinkproc_patterns::{Conclusion, Entry, Outcome, Record};
use serde_json::{Value, json};

use crate::App;
use crate::args::Status;
use crate::deployments::{Deployments, ended, plan};
use crate::report::{Problem, summary};

/// Shows all deployments in a line each, or one in full.
pub(crate) async fn run(app: &App, args: &Status) -> Result<u8, Problem> {
    let deployments = Deployments::new(&app.environment);
    let wanted = match &args.id {
        Some(prefix) => Some(deployments.find(prefix).await?),
        None => None,
    };
    let mut all = deployments.all().await?;
    if let Some(id) = &wanted {
        all.retain(|(known, _)| known == id);
    }
    if app.stdio.json() {
        let rows: Vec<Value> = all
            .iter()
            .map(|(id, records)| row_json(id.as_str(), records))
            .collect();
        app.stdio.json_result(&rows);
        return Ok(0);
    }
    let mut text = String::new();
    for (id, records) in &all {
        let since = records
            .first()
            .map(|record| record.at.to_string())
            .unwrap_or_default();
        let _ = writeln!(text, "{id:<36} {:<24} {since}", state(records));
        if wanted.is_some() {
            details(&mut text, records, app);
        }
    }
    if all.is_empty() {
        app.stdio.tell("no deployments are known here");
    } else {
        app.stdio.result(&text);
    }
    Ok(0)
}

fn details(text: &mut String, records: &[Record], app: &App) {
    if let Some(plan) = plan(records) {
        let _ = writeln!(text, "  cluster      {}", plan.cluster.cluster);
        let _ = writeln!(text, "  spec         {}", plan.spec.path);
    }
    match ended(records) {
        Some(outcome) => text.push_str(&summary::render(outcome, app.stdio)),
        None => {
            for record in records {
                if let Entry::Done { output } = &record.entry {
                    let _ = writeln!(text, "  done         {} {}", record.at, name(output));
                }
            }
        }
    }
}

fn row_json(id: &str, records: &[Record]) -> Value {
    json!({
        "deployment": id,
        "state": state(records),
        "began": records.first().map(|record| record.at),
        "cluster": plan(records).map(|plan| &plan.cluster.cluster),
        "outcome": ended(records),
    })
}

/// Where a deployment stands, in a word or two.
fn state(records: &[Record]) -> String {
    match ended(records) {
        Some(outcome) => ending(outcome),
        None => records
            .iter()
            .rev()
            .find_map(|record| match &record.entry {
                Entry::Started { intent } => Some(format!("unfinished: {}", name(intent))),
                _ => None,
            })
            .unwrap_or_else(|| "unfinished".to_owned()),
    }
}

fn ending(outcome: &Outcome) -> String {
    match &outcome.conclusion {
        Conclusion::Ended {
            verdict: Some(verdict),
            ..
        } => verdict.to_string(),
        Conclusion::Ended { ending, .. } => format!("{ending:?}").to_lowercase(),
        other => format!("{other:?}").to_lowercase(),
    }
}

/// The name of a step as the journal writes it.
fn name(step: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(step).unwrap_or_default();
    value
        .get("step")
        .and_then(Value::as_str)
        .unwrap_or("?")
        .to_owned()
}
