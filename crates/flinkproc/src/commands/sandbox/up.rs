//! `flinkproc sandbox up`: starts a sandbox as a process of its own, or in the foreground.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio as ProcessStdio;

use flinkproc_core::Secret;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, setsid};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use uuid::Uuid;

use crate::App;
use crate::args::Up;
use crate::error::AppError;
use crate::report::{Problem, Stdio};
use crate::sandbox::api::SandboxApi;
use crate::sandbox::record::Wish;
use crate::sandbox::serving::{Said, serve as serve_sandbox};
use crate::sandbox::shelf::Place;
use crate::sandbox::teller::Teller;
use crate::sandbox::{Kind, Record, Shelf};
use crate::signals::Signals;

/// The token of an open sandbox, which it does not look at.
const OPEN: &str = "open";
/// How much of the log is shown when the process ended without a word.
const TAIL: usize = 2000;

/// Starts a sandbox unless it runs.
pub(crate) async fn run(app: &App, args: &Up) -> Result<u8, Problem> {
    let mut signals = Signals::listen().map_err(|error| AppError::Defect {
        what: format!("signals cannot be listened to: {error}"),
    })?;
    let shelf = Shelf::new(app)?;
    let place = shelf.place(&args.named.name)?;
    shelf.clean_up(app).await?;
    let held = tokio::select! {
        held = place.hold(app) => held?,
        _ = signals.next() => return Err(AppError::InterruptedEarly.into()),
    };
    if let Some(record) = shelf.running(&place.name)? {
        is_the_same(args, &record)?;
        if !SandboxApi::new(&record)?.is_well().await {
            return Err(AppError::SandboxSilent {
                name: record.name,
                source: "its API does not answer".into(),
            }
            .into());
        }
        app.stdio
            .tell(&format!("the sandbox {} runs already", place.name));
        show(app, &record);
        return Ok(0);
    }
    place.make()?;
    let wish = wish(&place, args)?;
    if args.foreground {
        let state = shelf.state().to_owned();
        let told = |record: &Record| {
            show(app, record);
            // Held only while it starts: `down` is waited for otherwise.
            drop(held);
        };
        drop(signals);
        serve_sandbox(app, &place, wish, &state, Teller::new(app.stdio), told).await?;
        place.remove()?;
        return Ok(0);
    }
    place.write_wish(&wish)?;
    let mut child = start(app, &shelf, &place)?;
    let record = tokio::select! {
        record = first_words(app, &place, &mut child) => record,
        _ = signals.next() => {
            end(&mut child).await;
            Err(AppError::InterruptedEarly.into())
        }
    };
    match record {
        Ok(record) => {
            show(app, &record);
            Ok(0)
        }
        Err(problem) => {
            place.forget();
            Err(problem)
        }
    }
}

/// The process of a sandbox; what it says goes to standard output as JSON and to standard error, its log.
pub(crate) async fn serve(app: &App, name: &str) -> Result<u8, Problem> {
    // Ctrl-C in the terminal of whoever called `up` is not for us, nor is its end. A leader of a group has no session to leave.
    setsid().ok();
    let shelf = Shelf::new(app)?;
    let place = shelf.place(name)?;
    let say = |said: &Said| {
        app.stdio
            .result(&serde_json::to_string(said).unwrap_or_default());
    };
    let line = |stdio: Stdio, text: &str| {
        let said = Said::Line(text.to_owned());
        stdio.result(&serde_json::to_string(&said).unwrap_or_default());
    };
    let teller = Teller::with(app.stdio, line);
    let wish = place.wish()?;
    let ready = |record: &Record| {
        app.stdio.tell(&format!("the sandbox {name} is ready"));
        say(&Said::Ready(Box::new(record.clone())));
    };
    let served = serve_sandbox(app, &place, wish, shelf.state(), teller, ready).await;
    if let Err(problem) = &served {
        say(&Said::Failed(Box::new(problem.clone())));
    }
    served.map(|()| 0)
}

/// Starts this program again, so that it outlives this process.
fn start(app: &App, shelf: &Shelf, place: &Place) -> Result<Child, AppError> {
    let own = std::env::current_exe().map_err(AppError::file("this program", "/proc/self/exe"))?;
    let cache = app.environment.cache();
    let cache = std::path::absolute(&cache).map_err(AppError::file("the cache", &cache))?;
    Command::new(&own)
        .args(["sandbox", "serve", "--name", &place.name])
        .env("FLINKPROC_STATE", shelf.state())
        .env("FLINKPROC_CACHE", cache)
        // What scripted machines make in the temporary folder goes with the sandbox.
        .env("TMPDIR", place.machines())
        .current_dir("/")
        .stdin(ProcessStdio::null())
        .stdout(ProcessStdio::piped())
        .stderr(place.new_log()?)
        .spawn()
        .map_err(AppError::file("this program", own))
}

/// Tells what the new process says until it is ready.
async fn first_words(app: &App, place: &Place, child: &mut Child) -> Result<Record, Problem> {
    let Some(out) = child.stdout.take() else {
        return Err(AppError::Defect {
            what: "the sandbox's process has no output".to_owned(),
        }
        .into());
    };
    let mut lines = BufReader::new(out).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        match serde_json::from_str(&line) {
            Ok(Said::Line(text)) => app.stdio.tell(&text),
            Ok(Said::Ready(record)) => return Ok(*record),
            Ok(Said::Failed(problem)) => {
                child.wait().await.ok();
                return Err(*problem);
            }
            Err(error) => tracing::warn!(%error, line, "the sandbox's process said this"),
        }
    }
    let status = child.wait().await;
    let text = fs::read(place.log()).unwrap_or_default();
    let tail = text
        .get(text.len().saturating_sub(TAIL)..)
        .unwrap_or_default();
    Err(AppError::SandboxDied {
        name: place.name.clone(),
        status: status.map_or_else(|error| error.to_string(), |status| status.to_string()),
        tail: String::from_utf8_lossy(tail).trim().to_owned(),
    }
    .into())
}

/// Asks the new process to end, and waits for it.
async fn end(child: &mut Child) {
    if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
        // It may have ended by itself.
        kill(Pid::from_raw(pid), Signal::SIGTERM).ok();
    }
    child.wait().await.ok();
}

/// What was asked for, with whole paths and a token of its own file.
fn wish(place: &Place, args: &Up) -> Result<Wish, AppError> {
    let whole = |path: &Option<PathBuf>| {
        let whole =
            |path: &PathBuf| std::path::absolute(path).map_err(AppError::file("the path", path));
        path.as_ref().map(whole).transpose()
    };
    let token = match args.token.as_deref() {
        None => OPEN.to_owned(),
        Some("") => Uuid::new_v4().simple().to_string(),
        Some(given) => sound_token(given)?.to_owned(),
    };
    if let Some(faults) = &args.faults {
        // Before anything is started.
        fs::metadata(faults).map_err(AppError::file("the fault rules", faults))?;
    }
    Ok(Wish {
        kind: kind(args),
        port: args.port.unwrap_or_default(),
        storage_port: args.storage_port.unwrap_or_default(),
        storage_root: whole(&args.storage_root)?,
        faults: whole(&args.faults)?,
        closed: args.token.is_some(),
        token_file: place.write_token(&Secret::new(token))?,
    })
}

fn sound_token(token: &str) -> Result<&str, AppError> {
    if token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(token);
    }
    Err(AppError::Argument {
        // The text itself is a secret.
        text: "--token".to_owned(),
        what: "token",
        how: "write letters, digits and signs of ASCII without spaces, or leave it to flinkproc: `--token`".to_owned(),
    })
}

const fn kind(args: &Up) -> Kind {
    match (args.control_plane_only, args.scripted_machines) {
        (false, _) => Kind::Real,
        (true, false) => Kind::ControlPlane,
        (true, true) => Kind::ScriptedMachines,
    }
}

/// Refuses what a running sandbox is not; what was left to choice is whatever it is.
fn is_the_same(args: &Up, record: &Record) -> Result<(), AppError> {
    let differs = |what: String| AppError::OtherSandbox {
        name: record.name.clone(),
        what,
    };
    let port = |url: &str| url.rsplit(':').next().and_then(|port| port.parse().ok());
    let has = &record.wish;
    if kind(args) != has.kind {
        return Err(differs(has.kind.flags().to_owned()));
    }
    for (wanted, url) in [
        (args.port, &record.dataproc),
        (args.storage_port, &record.storage),
    ] {
        if wanted.is_some_and(|wanted| wanted != 0 && Some(wanted) != port(url)) {
            return Err(differs(format!("at {url}")));
        }
    }
    let same_path = |wanted: &Option<PathBuf>, has: &Option<PathBuf>| match wanted {
        None => true,
        Some(path) => std::path::absolute(path).ok().as_deref() == has.as_deref().map(Path::new),
    };
    if !same_path(&args.storage_root, &has.storage_root) {
        return Err(differs("with its objects elsewhere".to_owned()));
    }
    if !same_path(&args.faults, &has.faults) {
        return Err(differs("with other fault rules".to_owned()));
    }
    let same_token = match (&args.token, record.token()?) {
        (None, _) => true,
        (Some(wanted), Some(token)) => wanted.is_empty() || wanted == token.reveal(),
        (Some(_), None) => false,
    };
    if !same_token {
        return Err(differs("with another token, or none".to_owned()));
    }
    Ok(())
}

/// The result: where everything is.
fn show(app: &App, record: &Record) {
    if !record.wish.closed {
        let runs = match record.wish.kind {
            Kind::Real => ", and through it run code as you",
            _ => "",
        };
        app.stdio.tell(&format!(
            "{}: every user of this machine can call it{runs}; `--token` closes its APIs{}",
            app.stdio.paint("33", "open"),
            match record.wish.kind {
                Kind::Real => ", but not YARN's own",
                _ => "",
            }
        ));
    }
    if app.stdio.json() {
        app.stdio.json_result(record);
    } else {
        app.stdio.result(&super::status::places(record));
    }
}
