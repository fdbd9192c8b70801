//! `flinkproc sandbox down`: ends sandboxes with everything in them.

use std::time::Duration;

use flinkproc_core::Clock;
use flinkproc_sandbox::Usage;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::App;
use crate::args::DownSandbox;
use crate::clock::SystemClock;
use crate::error::AppError;
use crate::report::Problem;
use crate::sandbox::api::SandboxApi;
use crate::sandbox::shelf::Place;
use crate::sandbox::{Record, Shelf};

/// How long a sandbox may take to end what it has, before it is killed and cleaned up after.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Ends one sandbox or all, and says what was ended.
pub(crate) async fn run(app: &App, args: &DownSandbox) -> Result<u8, Problem> {
    let shelf = Shelf::new(app)?;
    let places = if args.all {
        shelf.places()?
    } else {
        vec![shelf.place(&args.named.name)?]
    };
    shelf.clean_up(app).await?;
    let (mut ended, mut problem) = (Vec::new(), None);
    for place in &places {
        // One that cannot be ended keeps no other from it.
        match one(app, &shelf, place).await {
            Ok(row) => ended.extend(row),
            Err(error) => {
                app.stdio.error(&error.render(app.stdio));
                problem = Some(error);
            }
        }
    }
    if app.stdio.json() {
        app.stdio.json_result(&json!({ "ended": ended }));
    } else if ended.is_empty() && problem.is_none() {
        let which = if args.all {
            "no sandbox runs".to_owned()
        } else {
            format!("no sandbox {} runs", args.named.name)
        };
        app.stdio.result(&which);
    }
    Ok(problem.map_or(0, |problem| problem.kind.exit_code()))
}

async fn one(app: &App, shelf: &Shelf, place: &Place) -> Result<Option<Value>, Problem> {
    let _held = place.hold(app).await?;
    let Some(record) = place.record().filter(Record::is_alive) else {
        place.remove()?;
        return Ok(None);
    };
    let clusters = SandboxApi::new(&record)?.clusters().await;
    let clusters: Vec<String> = clusters
        .unwrap_or_default()
        .into_iter()
        .map(|one| one.name)
        .collect();
    let processes = Usage::of(&record.folder, &place.machines()).processes.len() + 1;
    end(app, shelf, &record).await?;
    place.remove()?;
    if !app.stdio.json() {
        let with = match clusters.as_slice() {
            [] => String::new(),
            [one] => format!(", with cluster {one}"),
            many => format!(", with clusters {}", many.join(", ")),
        };
        app.stdio.result(&format!(
            "ended sandbox {}{with}: {processes} process(es)",
            record.name
        ));
    }
    Ok(Some(json!({
        "name": record.name, "pid": record.pid, "clusters": clusters, "processes": processes,
    })))
}

/// Asks the process to end, waits for it, and kills what does not.
async fn end(app: &App, shelf: &Shelf, record: &Record) -> Result<(), Problem> {
    let pid = i32::try_from(record.pid).unwrap_or_default();
    // Another user's cannot be signalled, and one that has ended need not be.
    let signal = |signal| kill(Pid::from_raw(pid), signal).ok();
    signal(Signal::SIGTERM);
    if gone(record, PATIENCE).await {
        return Ok(());
    }
    app.stdio.tell(&format!(
        "the sandbox {} does not end by itself; killing it",
        record.name
    ));
    signal(Signal::SIGKILL);
    if !gone(record, PATIENCE).await {
        return Err(AppError::SandboxSilent {
            name: record.name.clone(),
            source: format!("its process {} cannot be ended", record.pid).into(),
        }
        .into());
    }
    shelf.clean_up(app).await
}

async fn gone(record: &Record, patience: Duration) -> bool {
    let mut waited = Duration::ZERO;
    while record.is_alive() {
        if waited >= patience {
            return false;
        }
        SystemClock.sleep(LOOK_AGAIN).await;
        waited += LOOK_AGAIN;
    }
    true
}
