//! `flinkproc status`: the deployments that this machine knows.

use std::fmt::Write;

use flinkproc_core::{Clock, FailureKind};
use flinkproc_patterns::{Conclusion, Ending, Entry, Outcome, Record, Verdict};
use serde_json::{Value, json};

use crate::App;
use crate::args::Status;
use crate::clock::SystemClock;
use crate::deployments::{Deployments, ended, plan};
use crate::report::progress::{clock_time, why};
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
            .map(|(id, records)| row_json(id.as_str(), records, deployments.runs(id)))
            .collect();
        app.stdio.json_result(&rows);
        return Ok(0);
    }
    let mut text = String::new();
    for (id, records) in &all {
        let since = records
            .first()
            .map(|record| clock_time(record.at, SystemClock.now()))
            .unwrap_or_default();
        let state = state(records, deployments.runs(id));
        let _ = writeln!(text, "{id:<36} {state:<28} {since}");
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
                    let at = clock_time(record.at, SystemClock.now());
                    let _ = writeln!(text, "  done         {at} {}", name(output));
                }
            }
            if let Some(plan) = plan(records) {
                let id = &plan.deployment;
                let _ = writeln!(
                    text,
                    "  go on        flinkproc deploy --resume {id}\n  end it       flinkproc down {id}"
                );
            }
        }
    }
}

fn row_json(id: &str, records: &[Record], runs: bool) -> Value {
    json!({
        "deployment": id,
        "state": state(records, runs),
        "running": runs,
        "began": records.first().map(|record| record.at),
        "cluster": plan(records).map(|plan| &plan.cluster.cluster),
        "outcome": ended(records),
    })
}

/// Where a deployment stands, in a word or two; `runs` says whether a process follows it now.
fn state(records: &[Record], runs: bool) -> String {
    if let Some(outcome) = ended(records) {
        return ending(outcome);
    }
    let stands = if runs { "running" } else { "unfinished" };
    let step = records.iter().rev().find_map(|record| match &record.entry {
        Entry::Started { intent } => Some(name(intent)),
        _ => None,
    });
    step.map_or_else(|| stands.to_owned(), |step| format!("{stands}: {step}"))
}

/// How a deployment ended, in a word or two; the whole of it is in the summary.
fn ending(outcome: &Outcome) -> String {
    match &outcome.conclusion {
        Conclusion::Ended {
            ending: Ending::Finished,
            verdict: Some(verdict),
        } => match verdict {
            Verdict::Succeeded => "succeeded",
            Verdict::Cancelled => "cancelled",
            Verdict::Unknown { .. } => "unknown",
            Verdict::NotSubmitted { .. } => "not submitted",
            Verdict::ClientFailed { .. } if outcome.kind() != Some(FailureKind::Job) => {
                "not submitted"
            }
            _ => "failed",
        }
        .to_owned(),
        Conclusion::Ended { ending, .. } => why(*ending).to_owned(),
        Conclusion::Detached | Conclusion::Left | Conclusion::Reached(_) => "unfinished".to_owned(),
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
