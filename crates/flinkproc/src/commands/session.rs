//! `flinkproc cluster session`: Flink sessions on a cluster, found by their tag.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use flinkproc_core::{ImageVersion, Span};
use flinkproc_patterns::{SessionFound, SessionPlace, sessions};
use flinkproc_plan::{AccessSpec, IdentityPlan, SessionLifetime, SessionPlan, SshPlan};
use serde_json::json;

use crate::App;
use crate::args::{SessionCommand, SessionPlaceArgs};
use crate::clients;
use crate::commands::cluster;
use crate::error::AppError;
use crate::report::Problem;
use crate::report::progress::word;
use crate::sandbox;

/// How long a key of ours is accepted that no deployment has to do with.
const KEY: Span = Span::from_secs(15 * 60);

/// Runs one of the sub-verbs.
pub(crate) async fn run(app: &App, command: &SessionCommand) -> Result<u8, Problem> {
    let on = match command {
        SessionCommand::List { on }
        | SessionCommand::Start { on, .. }
        | SessionCommand::Stop { on, .. } => on,
    };
    let config = match command {
        SessionCommand::Start { config, .. } => pairs(config)?,
        _ => BTreeMap::new(),
    };
    let clients = clients::all(&cluster::endpoints(app, &on.place)?).await?;
    let wanted = cluster::named(app, &on.cluster, &on.place)?;
    let found = clients.clusters.find(&wanted).await?;
    let found = found.ok_or_else(|| AppError::UnknownCluster {
        name: wanted.name.to_string(),
        region: wanted.region.to_string(),
    })?;
    let image: ImageVersion = found.image.unwrap_or_default().parse().map_err(
        |error: flinkproc_core::image::UnknownVersion| AppError::Argument {
            text: error.text.clone(),
            what: "image of the cluster",
            how: error.to_string(),
        },
    )?;
    let place = SessionPlace {
        cluster: wanted.clone(),
        ssh: ssh(app, on)?,
        flink: image.flink(),
    };
    let directory = app.environment.state().join("clusters");
    let options = app
        .environment
        .options(directory.join(wanted.name.as_str()));
    match command {
        SessionCommand::List { .. } => {
            let found = Box::pin(sessions::list(&place, clients, options)).await?;
            list(app, &found);
        }
        SessionCommand::Start { name, .. } => {
            let session = SessionPlan {
                name: name.clone(),
                tag: format!("flinkproc-session-{name}"),
                lifetime: SessionLifetime::Keep,
                flink_config: config,
            };
            let started = Box::pin(sessions::start(&place, &session, clients, options)).await?;
            if app.stdio.json() {
                app.stdio.json_result(&started);
            } else {
                let how = if started.found {
                    "runs already"
                } else {
                    "runs"
                };
                app.stdio.result(&format!(
                    "session {name} {how} as {}",
                    started.session.application
                ));
            }
        }
        SessionCommand::Stop { name, force, .. } => {
            let ended = Box::pin(sessions::stop(&place, name, *force, clients, options)).await?;
            if app.stdio.json() {
                app.stdio.json_result(&json!({ "ended": ended }));
            } else {
                let application = &ended.application;
                app.stdio
                    .result(&format!("ended session {name} ({application})"));
            }
        }
    }
    Ok(0)
}

fn pairs(words: &[String]) -> Result<BTreeMap<String, String>, AppError> {
    let pair = |text: &String| {
        let (key, value) = text.split_once('=').ok_or_else(|| AppError::Argument {
            text: text.clone(),
            what: "Flink setting",
            how: "write it as `-D key=value`".to_owned(),
        })?;
        Ok((key.to_owned(), value.to_owned()))
    };
    words.iter().map(pair).collect()
}

fn ssh(app: &App, on: &SessionPlaceArgs) -> Result<SshPlan, AppError> {
    let in_sandbox = on.place.sandbox.is_some();
    let access = match on.access.as_str() {
        // Everything on this machine is inside its network.
        "auto" if in_sandbox => AccessSpec::Internal,
        "auto" => AccessSpec::Auto,
        "external" => AccessSpec::External,
        "internal" => AccessSpec::Internal,
        "iap" => AccessSpec::Iap,
        other => {
            return Err(AppError::Argument {
                text: other.to_owned(),
                what: "way to the master",
                how: "write auto, external, internal or iap".to_owned(),
            });
        }
    };
    let port = app.environment.text("FLINKPROC_SSH_PORT");
    let port = port.and_then(|text| text.parse().ok()).unwrap_or(22);
    Ok(SshPlan {
        user: on
            .user
            .clone()
            .unwrap_or_else(|| app.environment.login_user()),
        port: if in_sandbox {
            sandbox::facts().ssh_port
        } else {
            port
        },
        identity: IdentityPlan::Ephemeral,
        key_ttl: KEY,
        access,
        config: false,
    })
}

fn list(app: &App, found: &[SessionFound]) {
    if app.stdio.json() {
        return app.stdio.json_result(&found);
    }
    if found.is_empty() {
        return app.stdio.tell("no session of ours runs there");
    }
    let mut text = format!(
        "{:<20} {:<32} {:<10} {:>6} JOBS\n",
        "SESSION", "APPLICATION", "STATE", "MIB"
    );
    for one in found {
        let jobs: Vec<String> = one
            .jobs
            .iter()
            .map(|(id, state)| format!("{id} {}", word(state)))
            .collect();
        let _ = writeln!(
            text,
            "{:<20} {:<32} {:<10} {:>6} {}",
            one.name,
            one.application,
            word(&one.state),
            one.allocated_mb,
            if jobs.is_empty() {
                "-".to_owned()
            } else {
                jobs.join(", ")
            }
        );
    }
    app.stdio.result(&text);
}
