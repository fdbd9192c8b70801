//! `flinkproc sandbox status`: the sandboxes that run.

use std::fmt::Write;

use flinkproc_core::{ByteSize, Clock};
use flinkproc_sandbox::Usage;
use flinkproc_sandbox::usage::memory;
use serde_json::{Value, json};

use crate::App;
use crate::args::StatusSandbox;
use crate::clock::SystemClock;
use crate::report::Problem;
use crate::report::progress::clock_time;
use crate::sandbox::api::{ClusterRow, SandboxApi};
use crate::sandbox::{Record, Shelf};

/// Shows every sandbox, or the one that is named.
pub(crate) async fn run(app: &App, args: &StatusSandbox) -> Result<u8, Problem> {
    let shelf = Shelf::new(app)?;
    shelf.clean_up(app).await?;
    let mut running: Vec<Record> = match &args.name {
        Some(name) => shelf.running(name)?.into_iter().collect(),
        None => {
            let records = shelf
                .places()?
                .into_iter()
                .filter_map(|place| place.record());
            records.filter(Record::is_alive).collect()
        }
    };
    running.sort_by_key(|record| record.since);
    let (mut text, mut rows) = (String::new(), Vec::new());
    for record in &running {
        let clusters = SandboxApi::new(record)?.clusters().await;
        let usage = Usage::of(&record.folder, &shelf.place(&record.name)?.machines());
        let own = memory(record.process());
        let all = ByteSize::from_bytes(usage.memory.bytes() + own.bytes());
        let processes = usage.processes.len() + 1;
        if app.stdio.json() {
            rows.push(row(record, clusters.as_deref().ok(), all, processes)?);
            continue;
        }
        text.push_str(&places(record));
        let since = clock_time(record.since, SystemClock.now());
        let _ = writeln!(
            text,
            "  takes            {} MiB in {processes} process(es), since {since}",
            all.mib()
        );
        match clusters {
            Ok(clusters) => clusters.iter().for_each(|one| cluster(&mut text, one)),
            Err(error) => {
                let _ = writeln!(text, "  does not answer: {error}");
            }
        }
    }
    if app.stdio.json() {
        app.stdio.json_result(&rows);
    } else if running.is_empty() {
        app.stdio.tell("no sandbox runs");
    } else {
        app.stdio.result(&text);
    }
    Ok(0)
}

fn row(
    record: &Record,
    clusters: Option<&[ClusterRow]>,
    memory: ByteSize,
    processes: usize,
) -> Result<Value, Problem> {
    let mut row = serde_json::to_value(record).map_err(|error| crate::AppError::Defect {
        what: error.to_string(),
    })?;
    row["answers"] = json!(clusters.is_some());
    row["clusters"] = json!(clusters.unwrap_or_default());
    row["memory_bytes"] = json!(memory.bytes());
    row["processes"] = json!(processes);
    Ok(row)
}

fn cluster(text: &mut String, one: &ClusterRow) {
    let address = one.address.as_deref().unwrap_or("-");
    let _ = writeln!(
        text,
        "  cluster          {} is {}, at {address} ({} of {})",
        one.name,
        one.state.to_lowercase(),
        one.region,
        one.project
    );
    for (name, url) in &one.web_pages {
        let url = url.as_str().unwrap_or_default();
        let _ = writeln!(text, "    {name:<28} {url}");
    }
}

/// Where a sandbox's services are, a line each.
pub(super) fn places(record: &Record) -> String {
    let mut text = format!("sandbox {} (process {})\n", record.name, record.pid);
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "  {name:<16} {value}");
    };
    line("Dataproc", &record.dataproc);
    if record.compute != record.dataproc {
        line("Compute Engine", &record.compute);
    }
    line("Cloud Storage", &record.storage);
    line("IAP", &record.iap.url);
    if let Some(port) = record.ssh_port {
        line("SSH", &format!("port {port}, as {}", record.login_user));
    }
    if record.wish.closed {
        line("token", &record.wish.token_file.display().to_string());
    }
    let name = match record.name.as_str() {
        crate::sandbox::DEFAULT => String::new(),
        name => format!(" --name {name}"),
    };
    line(
        "point programs",
        &format!("eval \"$(flinkproc sandbox vars{name})\""),
    );
    line("end it", &format!("flinkproc sandbox down{name}"));
    text
}
