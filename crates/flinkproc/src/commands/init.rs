//! `flinkproc init`: writes a commented spec, new or made of a script or a cluster.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use flinkproc_check::{Converted, from_cluster, from_script};
use flinkproc_core::ClusterRef;
use flinkproc_dataproc::ClusterApi;
use serde_json::json;

use crate::App;
use crate::args::Init;
use crate::clients;
use crate::commands::check::lines;
use crate::commands::cluster;
use crate::error::AppError;
use crate::report::Problem;

/// Writes the file; one that is there is left alone.
pub(crate) async fn run(app: &App, args: &Init) -> Result<u8, Problem> {
    if args.file.exists() {
        return Err(exists(&args.file).into());
    }
    let made = match (&args.from_script, &args.from_cluster) {
        (Some(script), _) => from_script(&lines::read(script)?, None),
        (None, Some(name)) => of_cluster(app, args, name).await?,
        (None, None) => Converted {
            text: flinkproc_plan::init_spec(&script_beside(&args.file)),
            mended: Vec::new(),
            left: Vec::new(),
        },
    };
    write(&args.file, &made.text)?;
    for (mark, list) in [("mended", &made.mended), ("not taken over", &made.left)] {
        for line in list {
            app.stdio.tell(&format!("{mark}: {line}"));
        }
    }
    app.stdio.tell(&format!(
        "wrote {}; now edit it, then `flinkproc plan {0}`",
        args.file.display()
    ));
    if app.stdio.json() {
        app.stdio.json_result(&json!({
            "wrote": args.file,
            "mended": made.mended,
            "left": made.left,
        }));
    }
    Ok(0)
}

fn exists(path: &Path) -> AppError {
    AppError::Exists {
        path: path.to_owned(),
    }
}

fn write(path: &Path, text: &str) -> Result<(), AppError> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => exists(path),
            _ => AppError::file("the new spec", path)(error),
        })?;
    file.write_all(text.as_bytes())
        .map_err(AppError::file("the new spec", path))
}

/// Reads the cluster and makes a spec of it.
async fn of_cluster(app: &App, args: &Init, name: &str) -> Result<Converted, Problem> {
    let api = clients::dataproc(&cluster::endpoints(app, &args.place)?).await?;
    let (project, region) = cluster::find_place(app, &args.place)?;
    let name = name
        .parse()
        .map_err(|error: flinkproc_core::InvalidName| AppError::Argument {
            text: name.to_owned(),
            what: "cluster name",
            how: error.rule.to_owned(),
        })?;
    let wanted = ClusterRef {
        project,
        region,
        name,
    };
    let found = api
        .find(&wanted)
        .await?
        .ok_or_else(|| AppError::UnknownCluster {
            name: wanted.name.to_string(),
            region: wanted.region.to_string(),
        })?;
    Ok(from_cluster(&found.resource, wanted.region.as_str()))
}

/// The only Python file beside the new spec, if there is just one; a name to be replaced otherwise.
fn script_beside(file: &Path) -> String {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut scripts = names.filter(|name| name.ends_with(".py"));
    match (scripts.next(), scripts.next()) {
        (Some(script), None) => script,
        _ => "job.py".to_owned(),
    }
}
