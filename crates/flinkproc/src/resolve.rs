//! From what was typed to a request: flags, environment, spec file and gcloud's active configuration become one.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use flinkproc_core::{DeploymentId, RunKey};
use flinkproc_plan::{
    DeployRequest, LayeredSpec, Layers, Provided, SandboxFacts, Source, Spec, SpecError,
};
use uuid::Uuid;

use crate::args::SpecArgs;
use crate::environment::Environment;
use crate::error::AppError;
use crate::gcloud::GcloudConfiguration;
use crate::local_files;
use crate::report::Problem;

/// The file that is looked for in a directory.
const SPEC_FILE: &str = "flinkproc.toml";

/// The longest part of a job's name that goes into a deployment's id.
const NAME_PART: usize = 24;

/// A spec with all its layers.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) layered: LayeredSpec,
    pub(crate) folder: String,
    pub(crate) params: Vec<(String, String)>,
}

/// What else a request needs.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub(crate) run_key: Option<&'a str>,
    pub(crate) sandbox: Option<SandboxFacts>,
}

/// Reads the spec and lays everything else over it.
pub(crate) fn load(
    args: &SpecArgs,
    on_interrupt: Option<&str>,
    environment: &Environment,
) -> Result<Loaded, Problem> {
    let path = spec_path(&args.spec);
    let text = fs::read(&path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => AppError::NoSpec { path: path.clone() },
        _ => AppError::file("the spec", &path)(error),
    })?;
    let text = String::from_utf8(text).map_err(|_| AppError::Argument {
        text: path.display().to_string(),
        what: "text file",
        how: "a spec is TOML in UTF-8; `flinkproc init` writes an example".to_owned(),
    })?;
    let layered = Layers {
        name: &path.display().to_string(),
        text: &text,
        target: args.target.as_deref(),
        outside: outside(environment),
        environment: from_environment(environment),
        flags: flags(args, on_interrupt)?,
    }
    .resolve()?;
    let folder = path
        .parent()
        .map(|folder| folder.display().to_string())
        .unwrap_or_default();
    Ok(Loaded {
        layered,
        folder,
        params: params(&args.params)?,
    })
}

/// Looks at the local files and makes the request.
pub(crate) fn request(
    loaded: Loaded,
    run: Run<'_>,
    environment: &Environment,
) -> Result<DeployRequest, Problem> {
    let Loaded {
        layered,
        folder,
        params,
    } = loaded;
    let run_key: Option<RunKey> =
        match run.run_key {
            Some(text) => Some(text.parse().map_err(|error: flinkproc_core::InvalidName| {
                AppError::Argument {
                    text: text.to_owned(),
                    what: "run key",
                    how: error.to_string(),
                }
            })?),
            None => None,
        };
    let needs = layered.spec.local_files(&folder, &params)?;
    let deployment = deployment_id(&layered.spec)?;
    Ok(DeployRequest {
        files: local_files::look_at(&needs)?,
        deployment,
        run_key,
        params,
        login_user: environment.login_user(),
        sandbox: run.sandbox,
        folder,
        spec: layered,
        methods: Vec::new(),
        packages: std::collections::BTreeMap::new(),
    })
}

/// The spec file that a path means.
fn spec_path(path: &Path) -> PathBuf {
    if path == Path::new(".") {
        PathBuf::from(SPEC_FILE)
    } else if path.is_dir() {
        path.join(SPEC_FILE)
    } else {
        path.to_path_buf()
    }
}

fn params(texts: &[String]) -> Result<Vec<(String, String)>, AppError> {
    let pair = |text: &String| {
        let wrong = || AppError::Argument {
            text: text.clone(),
            what: "parameter",
            how: "write it as `--param name=value`".to_owned(),
        };
        let (name, value) = text.split_once('=').ok_or_else(wrong)?;
        Ok((name.to_owned(), value.to_owned()))
    };
    texts.iter().map(pair).collect()
}

fn flags(args: &SpecArgs, on_interrupt: Option<&str>) -> Result<Vec<Provided>, SpecError> {
    let common = [
        ("--project", "cluster.project", args.project.as_deref()),
        ("--region", "cluster.region", args.region.as_deref()),
        ("--zone", "cluster.zone", args.zone.as_deref()),
        ("--bucket", "staging.bucket", args.bucket.as_deref()),
        ("--image", "cluster.image", args.image.as_deref()),
        ("--mode", "job.mode", args.mode.as_deref()),
        ("--method", "job.method", args.method.as_deref()),
        (
            "--workers",
            "cluster.workers.count",
            args.workers.as_deref(),
        ),
        ("--deadline", "watch.deadline", args.deadline.as_deref()),
        (
            "--ssh-config",
            "ssh.config",
            args.ssh_config.then_some("true"),
        ),
        ("--on-interrupt", "watch.on_interrupt", on_interrupt),
    ];
    let sets: Result<Vec<Provided>, SpecError> =
        args.sets.iter().map(|text| Provided::set(text)).collect();
    let named = common.into_iter().filter_map(|(flag, key, value)| {
        Some(Provided::new(key, value?, Source::Flag(flag.to_owned())))
    });
    Ok(sets?.into_iter().chain(named).collect())
}

fn from_environment(environment: &Environment) -> Vec<Provided> {
    let keys = [
        ("FLINKPROC_PROJECT", "cluster.project"),
        ("FLINKPROC_REGION", "cluster.region"),
        ("FLINKPROC_ZONE", "cluster.zone"),
        ("FLINKPROC_BUCKET", "staging.bucket"),
        ("FLINKPROC_IMAGE", "cluster.image"),
        ("FLINKPROC_SSH_PORT", "ssh.port"),
    ];
    let provided = |(name, key): (&str, &str)| {
        Some(Provided::new(
            key,
            environment.text(name)?,
            Source::Environment(name.to_owned()),
        ))
    };
    keys.into_iter().filter_map(provided).collect()
}

fn outside(environment: &Environment) -> Vec<Provided> {
    let gcloud = GcloudConfiguration::read(environment);
    let configuration = || Source::Outside("gcloud configuration".to_owned());
    let mut found = Vec::new();
    for (key, value) in [
        ("cluster.project", gcloud.project),
        ("cluster.region", gcloud.region),
        ("cluster.zone", gcloud.zone),
    ] {
        found.extend(value.map(|value| Provided::new(key, value, configuration())));
    }
    if let Some(project) = environment.text("GOOGLE_CLOUD_PROJECT") {
        let source = Source::Outside("environment GOOGLE_CLOUD_PROJECT".to_owned());
        found.push(Provided::new("cluster.project", project, source));
    }
    found
}

/// A new id that says which job it is.
fn deployment_id(spec: &Spec) -> Result<DeploymentId, AppError> {
    let script = || {
        spec.job
            .script
            .as_deref()
            .and_then(|script| Path::new(script).file_stem()?.to_str())
    };
    let name = spec
        .job
        .name
        .as_deref()
        .or_else(script)
        .or(spec.job.module.as_deref())
        .unwrap_or("job");
    let random = Uuid::new_v4().simple().to_string();
    let id = format!("{}-{}", slug(name), random.get(..8).unwrap_or_default());
    id.parse().map_err(|error| AppError::Defect {
        what: format!("the deployment's id: {error}"),
    })
}

/// Lower-case letters, digits and single hyphens, starting with a letter.
fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars().map(|c| c.to_ascii_lowercase()) {
        if c.is_ascii_lowercase() || (c.is_ascii_digit() && !slug.is_empty()) {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() == NAME_PART {
            break;
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() {
        "job".to_owned()
    } else {
        slug.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::slug;

    #[test]
    fn any_name_becomes_the_beginning_of_an_id() {
        for (name, expected) in [
            ("word-count", "word-count"),
            ("My ETL (v2)", "my-etl-v2"),
            ("2026 report", "report"),
            ("ünïcode", "n-code"),
            ("---", "job"),
            (
                "a-very-long-name-that-goes-on-and-on",
                "a-very-long-name-that-go",
            ),
        ] {
            assert_eq!(slug(name), expected, "{name}");
        }
    }
}
