//! The job's environment variables, and those whose values the cluster fetches.

use std::collections::BTreeMap;

use flinkproc_core::{ProjectId, SecretVersion};

use super::Draft;
use crate::interpolate::Variables;
use crate::plan_error::PlanError;

/// Names whose values people mean to keep secret.
const TELLING: [&str; 5] = ["PASSWORD", "PASSWD", "SECRET", "TOKEN", "API_KEY"];

/// Variables that the launcher or YARN sets, which another value would break.
const TAKEN: [&str; 7] = [
    "HOME",
    "HADOOP_CLASSPATH",
    "PATH",
    "PYTHONPATH",
    "JAVA_HOME",
    "_FLINK_CLASSPATH",
    "LD_LIBRARY_PATH",
];

/// `job.env`.
pub(super) fn env(
    draft: &mut Draft<'_>,
    variables: &Variables,
) -> Result<BTreeMap<String, String>, PlanError> {
    let mut env = BTreeMap::new();
    for (name, value) in draft.spec().job.env.iter() {
        let key = format!("job.env.{name}");
        check_name(draft, &key, name)?;
        let value = variables.expand(&key, value)?;
        if value.contains('\0') {
            return Err(PlanError::Invalid {
                at: draft.at(&key),
                value: value.replace('\0', "\\0"),
                problem: "it holds a NUL character".to_owned(),
            });
        }
        if TELLING
            .iter()
            .any(|word| name.to_uppercase().contains(word))
        {
            draft.warn(format!(
                "job.env.{name} looks like a secret, and is visible in the plan and in Flink's configuration: `[job.secrets]` takes it from Secret Manager"
            ));
        }
        env.insert(name.clone(), value);
    }
    Ok(env)
}

/// `job.secrets`, each as the full name of a version.
pub(super) fn secrets(
    draft: &Draft<'_>,
    project: &ProjectId,
) -> Result<BTreeMap<String, SecretVersion>, PlanError> {
    let job = &draft.spec().job;
    let mut secrets = BTreeMap::new();
    for (name, text) in job.secrets.iter() {
        let key = format!("job.secrets.{name}");
        check_name(draft, &key, name)?;
        if job.env.contains_key(name) {
            return Err(PlanError::Conflict {
                first: format!("job.env.{name}"),
                second: key,
            });
        }
        let full = if !text.starts_with("projects/") {
            let (secret, version) = text.split_once(':').unwrap_or((text, "latest"));
            format!("projects/{project}/secrets/{secret}/versions/{version}")
        } else if text.contains("/versions/") {
            text.clone()
        } else {
            format!("{text}/versions/latest")
        };
        let version = full.parse().map_err(|_| PlanError::Invalid {
            at: draft.at(&key),
            // Whoever writes the secret itself here shall not see it in a log.
            value: "…".to_owned(),
            problem: "it names a secret in Secret Manager: `name`, `name:3` or `projects/PROJECT/secrets/NAME/versions/VERSION`".to_owned(),
        })?;
        secrets.insert(name.clone(), version);
    }
    Ok(secrets)
}

fn check_name(draft: &Draft<'_>, key: &str, name: &str) -> Result<(), PlanError> {
    if name == "PYTHONHOME" {
        return Err(PlanError::PythonHome { at: draft.at(key) });
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let problem = if !name.chars().all(plain)
        || name.is_empty()
        || name.starts_with(|c: char| c.is_ascii_digit())
    {
        "a variable's name has letters, digits and underscores, and starts with no digit"
    } else if TAKEN.contains(&name) || name.starts_with("FLINKPROC_") {
        "the launcher sets this variable itself"
    } else {
        return Ok(());
    };
    Err(PlanError::Invalid {
        at: draft.at(key),
        value: name.to_owned(),
        problem: problem.to_owned(),
    })
}
