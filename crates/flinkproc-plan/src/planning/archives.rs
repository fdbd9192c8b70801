//! Archives that are none, and modules that no file holds: found by the first bytes and the lists of zip files.

use super::Draft;
use crate::files::{ArchiveFact, archive_parts, file_name, in_folder, is_remote, is_zip_name};
use crate::plan_error::PlanError;

/// Checks every local archive of the job, as far as it was looked at.
pub(super) fn check(draft: &Draft<'_>) -> Result<(), PlanError> {
    let job = &draft.spec().job;
    for (index, text) in job.archives.iter().enumerate() {
        let path = archive_parts(text).0;
        check_one(draft, &format!("job.archives[{index}]"), path, unpacked)?;
    }
    for (key, paths) in [("python_files", &job.python_files), ("jars", &job.jars)] {
        for (index, path) in paths.iter().enumerate() {
            check_one(draft, &format!("job.{key}[{index}]"), path, imported)?;
        }
    }
    Ok(())
}

fn check_one(
    draft: &Draft<'_>,
    key: &str,
    path: &str,
    judge: fn(&str, &ArchiveFact) -> Option<String>,
) -> Result<(), PlanError> {
    let Some((local, fact)) = seen(draft, path) else {
        return Ok(());
    };
    match judge(file_name(path), fact) {
        None => Ok(()),
        Some(problem) => Err(PlanError::NotAnArchive {
            at: draft.at(key),
            path: local,
            problem,
        }),
    }
}

/// What was seen of a local archive.
fn seen<'a>(draft: &Draft<'a>, path: &str) -> Option<(String, &'a ArchiveFact)> {
    if is_remote(path) {
        return None;
    }
    let local = in_folder(&draft.request.folder, path);
    let fact = draft.request.files.archives.get(&local)?;
    Some((local, fact))
}

/// What Flink unpacks: it goes by the name's ending, and takes what has none of these for a zip.
fn unpacked(name: &str, fact: &ArchiveFact) -> Option<String> {
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    let (is, wanted) = if ends(&[".tar.gz", ".tgz"]) {
        (matches!(fact, ArchiveFact::Gzip), "a gzipped tar")
    } else if ends(&[".tar"]) {
        (matches!(fact, ArchiveFact::Tar), "a tar")
    } else {
        (matches!(fact, ArchiveFact::Zip { .. }), "a zip")
    };
    if is {
        return None;
    }
    let by_name = if wanted == "a zip" && !is_zip_name(name) {
        "Flink unpacks by the name's ending (`.zip`, `.jar`, `.tar`, `.tar.gz`, `.tgz`) and takes anything else for a zip"
    } else {
        "Flink unpacks by the name's ending"
    };
    Some(format!("is {}, not {wanted}: {by_name}", fact.words()))
}

/// What Python or Java imports from.
fn imported(name: &str, fact: &ArchiveFact) -> Option<String> {
    let zipped = matches!(fact, ArchiveFact::Zip { .. });
    (is_zip_name(name) && !zipped).then(|| format!("is {}, not a zip", fact.words()))
}

/// Checks that one of the Python files holds the module. What lies in a bucket was not looked at, and may hold it.
pub(super) fn check_module(draft: &Draft<'_>, module: &str) -> Result<(), PlanError> {
    let path = module.replace('.', "/");
    let forms = [
        format!("{path}.py"),
        format!("{path}/__init__.py"),
        format!("{path}/__main__.py"),
    ];
    let mut near = None;
    for file in &draft.spec().job.python_files {
        let name = file_name(file);
        if name.strip_suffix(".py") == Some(module) {
            return Ok(());
        }
        if name.ends_with(".py") {
            continue;
        }
        let Some((_, ArchiveFact::Zip { names })) = seen(draft, file) else {
            // In a bucket, or not looked at.
            return Ok(());
        };
        if names.iter().any(|entry| forms.contains(entry)) {
            return Ok(());
        }
        let below = |entry: &&String| {
            forms
                .iter()
                .any(|form| entry.ends_with(&format!("/{form}")))
        };
        near = near.or_else(|| {
            names
                .iter()
                .find(below)
                .map(|entry| format!("`{entry}` in `{name}`"))
        });
    }
    Err(PlanError::ModuleMissing {
        at: draft.at("job.module"),
        module: module.to_owned(),
        seen: near,
    })
}
