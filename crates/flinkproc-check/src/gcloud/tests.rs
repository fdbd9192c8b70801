//! The table against gcloud itself, and what it answers.

use std::path::{Path, PathBuf};

use super::{Asked, TABLE, command, paths};

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

#[test]
fn commands_are_found_by_their_words() {
    let Asked::Command(found, named) =
        command(&words("gcloud beta dataproc clusters create x --region=y"))
    else {
        panic!("not found");
    };
    assert!(found.is("dataproc clusters create"));
    assert_eq!(named, 5);
    assert!(matches!(
        command(&words("gcloud dataproc clusters make x")),
        Asked::Unknown(3)
    ));
    assert!(matches!(
        command(&words("gcloud auth login")),
        Asked::Elsewhere
    ));
    assert!(paths().contains("compute ssh"));
}

#[test]
fn flags_and_what_was_meant() {
    let Asked::Command(create, _) = command(&words("gcloud dataproc clusters create x")) else {
        panic!("not found");
    };
    assert_eq!(create.flag("--num-workers"), Some(true));
    assert_eq!(create.flag("--single-node"), Some(false));
    assert_eq!(create.flag("--project"), Some(true));
    assert_eq!(create.flag("--max-workers"), None);
    assert_eq!(
        create.meant("--num-worker", Some("3")).0.as_deref(),
        Some("--num-workers=3")
    );
    assert_eq!(create.meant("--zzzz", None).0, None);
}

fn sdk() -> Option<PathBuf> {
    let path = option_env!("PATH")?;
    let found = path
        .split(':')
        .map(|folder| Path::new(folder).join("gcloud"))
        .find(|file| file.is_file())?;
    let real = found.canonicalize().ok()?;
    Some(real.parent()?.parent()?.to_owned())
}

/// Where a gcloud of the table's version is installed, its own tree says the same.
#[test]
fn the_table_is_that_of_the_installed_gcloud() {
    let Some(root) = sdk() else { return };
    let version = std::fs::read_to_string(root.join("VERSION")).unwrap_or_default();
    if TABLE.lines().next() != Some(&format!("version {}", version.trim())) {
        return;
    }
    // gcloud's own file of completions: Python's literals, and no hidden flags in it.
    let tree =
        std::fs::read_to_string(root.join("data/cli/gcloud_completions.py")).unwrap_or_default();
    let Some(create) = tree.split("'--action-on-failed-primary-workers'").nth(1) else {
        return;
    };
    let create = create.split("'delete'").next().unwrap_or_default();
    let Asked::Command(known, _) = command(&words("gcloud dataproc clusters create x")) else {
        panic!("not found");
    };
    let flags: Vec<&str> = create
        .split('\'')
        .filter(|text| text.starts_with("--"))
        .collect();
    assert!(flags.len() > 80, "{flags:?}");
    for flag in flags {
        assert!(known.flag(flag).is_some(), "{flag}");
    }
}
