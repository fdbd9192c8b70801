//! The initialization action that makes a Python on every machine of the cluster, as text.
//!
//! Nothing is quoted for the shell: what varies stands in here-documents, whose end no line of theirs can be.

use flinkproc_core::{FlinkVersion, GcsUri, PythonVersion};

use super::Need;
use crate::plan::TextPlan;
use crate::plan_error::PlanError;
use crate::planning::Draft;
use crate::request::sha256_hex;

/// The interpreter that the action makes.
pub(super) const PYTHON: &str = "/opt/flinkproc/env/bin/python";

const SCRIPT: &str = include_str!("on_cluster.sh");

/// The script for this job, and where it goes.
pub(super) fn action(
    draft: &mut Draft<'_>,
    need: &Need,
    python: PythonVersion,
    home: &GcsUri,
) -> Result<TextPlan, PlanError> {
    let spec = &draft.spec().python;
    let (requirements, lock) = super::packages(draft, need.flink)?;
    let channel = spec.channel.clone();
    let channel = draft.or_built_in("python.channel", channel, "conda-forge".to_owned());
    let index = super::index_url(draft)?.unwrap_or_default();
    let fetch = spec.micromamba_url.clone().unwrap_or_default();
    for (key, text) in [
        ("python.channel", &channel),
        ("python.micromamba_url", &fetch),
    ] {
        let address = key.ends_with("channel")
            || text.is_empty()
            || ["https://", "http://", "gs://"]
                .iter()
                .any(|start| text.starts_with(start));
        let host = text.split_once("://").map_or("", |(_, rest)| rest);
        let secret = host
            .split('/')
            .next()
            .is_some_and(|host| host.contains('@'));
        if !address || secret || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(PlanError::Invalid {
                at: draft.at(key),
                value: if secret {
                    "…".to_owned()
                } else {
                    text.clone()
                },
                problem: "it is an address without user and password".to_owned(),
            });
        }
    }
    let settings = [
        python.to_string(),
        of_pypi(need.flink),
        channel,
        index,
        fetch,
    ]
    .join("\n");
    let packages = lock.as_deref().unwrap_or(&requirements);
    let text = fill(&settings, packages, lock.is_some());
    let object = format!(
        "flinkproc/{}/python-environment.sh",
        sha256_hex(text.as_bytes())
    );
    let to = GcsUri::new(home.bucket().clone(), object)
        .map_err(|error| PlanError::name(draft.at("staging.bucket"), &error))?;
    Ok(TextPlan { to, text })
}

/// A version as pip takes it: of a minor version alone, its last patch.
fn of_pypi(flink: FlinkVersion) -> String {
    let text = flink.to_string();
    if text.split('.').count() == 2 {
        text + ".*"
    } else {
        text
    }
}

/// The script with its here-documents.
fn fill(settings: &str, packages: &str, locked: bool) -> String {
    let packages = packages.trim_end_matches('\n');
    // A hash of the content cannot be a line of it.
    let end = format!(
        "END_{}",
        sha256_hex(format!("{settings}\n{packages}").as_bytes())
    );
    SCRIPT
        .replace("@END@", &end)
        .replace("@LOCKED@", if locked { "yes" } else { "no" })
        .replace("@SETTINGS@", settings)
        .replace("@PACKAGES@", packages)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::Stdio;

    use super::fill;

    #[expect(clippy::disallowed_methods, reason = "a test that asks bash itself")]
    fn bash(arguments: &[&str], script: &str) -> (String, bool) {
        let mut child = std::process::Command::new("bash")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("bash");
        let mut input = child.stdin.take().expect("piped");
        input.write_all(script.as_bytes()).expect("written");
        drop(input);
        let output = child.wait_with_output().expect("ended");
        let said = [output.stdout, output.stderr].concat();
        (
            String::from_utf8_lossy(&said).into_owned(),
            output.status.success(),
        )
    }

    const SETTINGS: &str = "3.10\n1.17.0\nconda-forge\n\n";

    #[test]
    fn bash_can_read_it_whatever_the_requirements_hold() {
        for packages in [
            "",
            "numpy==1.21.4\n",
            "a; python_version < '3' # $(touch x) `y` \" \\\nEOF\nEND",
        ] {
            let (said, fine) = bash(&["-n"], &fill(SETTINGS, packages, false));
            assert!(fine, "{said}");
        }
    }

    #[test]
    fn settings_and_requirements_arrive_as_they_are() {
        let packages = "it's \"$(touch x)\" `y` \\\nb==2";
        let script = fill(SETTINGS, packages, true);
        // What comes after the reading would need a machine of the cluster.
        let (reading, _) = script.split_once("# --- work ---").expect("the mark");
        let shown = "printf '%s|' \"$python_version\" \"$flink_version\" \"$channel\" \"$index_url\" \"$micromamba_url\" \"$locked\" \"$packages\"";
        let (said, fine) = bash(&["-s"], &format!("{reading}\n{shown}"));
        assert!(fine, "{said}");
        assert_eq!(said, format!("3.10|1.17.0|conda-forge|||yes|{packages}|"));
    }

    #[test]
    fn it_fails_loudly_where_there_is_no_conda() {
        let directory = tempfile::tempdir().expect("a directory");
        let root = directory.path().display().to_string();
        let script = fill(SETTINGS, "", false).replace("/opt/", &format!("{root}/opt/"));
        // Only what the script itself needs is on the path.
        let bin = directory.path().join("bin");
        std::fs::create_dir(&bin).expect("made");
        for program in [
            "mkdir",
            "cat",
            "sha256sum",
            "cut",
            "rm",
            "dirname",
            "mktemp",
        ] {
            let from = ["/usr/bin", "/bin"]
                .iter()
                .map(|folder| format!("{folder}/{program}"));
            let from = from
                .into_iter()
                .find(|path| std::path::Path::new(path).exists());
            std::os::unix::fs::symlink(from.expect(program), bin.join(program)).expect("linked");
        }
        let script = format!("PATH={}\n{script}", bin.display());
        let (said, fine) = bash(&["-s"], &script);
        assert!(!fine, "{said}");
        assert!(said.contains("neither micromamba nor conda"), "{said}");
    }
}
