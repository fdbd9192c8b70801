//! Environment variables and secrets: the program has them, and nobody else sees the secrets.
#![expect(clippy::expect_used, reason = "a contract suite fails by panicking")]

use std::path::Path;
use std::sync::Arc;

use flinkproc_core::YarnMode;
use flinkproc_plan::{JobPlan, SessionLifetime};
use flinkproc_staging::Staging;

use super::master::{BUCKET, FakeMaster};
use super::modes::into_session;
use super::run::{follow, run_ref};
use crate::method::SubmissionMethod;

const VERSION: &str = "projects/p/secrets/api-key/versions/latest";
const SECRET: &str = "s3cret-of-the-house \u{fc}";

/// Variables arrive byte for byte in every mode; a secret's value is in no file, no argument and no object.
pub async fn variables_arrive(master: &FakeMaster, method: &Arc<dyn SubmissionMethod>) {
    master.add_secret(VERSION, SECRET);
    let script = "\
import os, sys
assert os.environ['API_KEY'] == 's3cret-of-the-' + 'house \\u00fc'
print(ascii(os.environ['PLAIN']), ascii(os.environ['AWKWARD']))
";
    let per_job = with_variables(master.stage(script, &[]));
    let mut session = per_job.clone();
    into_session(&mut session, "variables", SessionLifetime::Keep);
    let mut application = per_job.clone();
    application.mode = YarnMode::Application;
    for (name, job) in [
        ("vars-p", per_job),
        ("vars-s", session),
        ("vars-a", application),
    ] {
        let run = run_ref(name);
        method.submit(&run, &job).await.expect("submitted");
        let (exit, out, err) = follow(|| Arc::clone(method), &run).await;
        assert_eq!(exit.status, 0, "{name}: {}", String::from_utf8_lossy(&err));
        let said = match job.mode {
            YarnMode::Application => master
                .container_output("application_1700000000000_0003")
                .into_bytes(),
            _ => master.without_flinks_words(&out),
        };
        let said = String::from_utf8_lossy(&said);
        assert_eq!(said, "'red' '# \"it\\'s\" $x\\n\\xfc'\n", "{name}");
    }
    let files = files_with(master.home(), SECRET);
    assert!(files.is_empty(), "the secret is in {files:?}");
    let objects = objects_with(&*master.staging(), SECRET).await;
    assert!(objects.is_empty(), "the secret is in {objects:?}");
}

/// A secret that cannot be read ends the attempt before Flink starts, and is named.
pub async fn unreadable_secrets_stop_it(master: &FakeMaster, method: &Arc<dyn SubmissionMethod>) {
    let job = with_variables(master.stage("print()", &[]));
    let run = run_ref("no-secret");
    method.submit(&run, &job).await.expect("submitted");
    let (exit, _, err) = follow(|| Arc::clone(method), &run).await;
    assert!(exit.status != 0 && exit.phase == "prepare", "{exit:?}");
    let err = String::from_utf8_lossy(&err).into_owned();
    assert!(
        err.contains(&format!("cannot read {VERSION}: HTTP Error 403")),
        "{err}"
    );
    assert_eq!(master.flink_runs(), 0);
}

fn with_variables(mut job: JobPlan) -> JobPlan {
    job.env.insert("PLAIN".to_owned(), "red".to_owned());
    let awkward = "# \"it's\" $x\n\u{fc}".to_owned();
    job.env.insert("AWKWARD".to_owned(), awkward);
    let version = VERSION.parse().expect("version");
    job.secrets.insert("API_KEY".to_owned(), version);
    job
}

fn files_with(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        // Links of the bare machine lead to programs.
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            found.extend(files_with(&path, text));
        } else if let Ok(content) = std::fs::read(&path)
            && holds(&content, text)
        {
            found.push(path.display().to_string());
        }
    }
    found
}

async fn objects_with(staging: &dyn Staging, text: &str) -> Vec<String> {
    let everything = format!("gs://{BUCKET}/").parse().expect("address");
    let mut found = Vec::new();
    for object in staging.list(&everything).await.expect("listed") {
        let content = staging.read_range(&object.uri, 0, object.size).await;
        if content.is_ok_and(|content| holds(&content, text)) {
            found.push(object.uri.to_string());
        }
    }
    found
}

fn holds(content: &[u8], text: &str) -> bool {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD_NO_PAD.encode(text);
    // The last sign of base64 depends on what follows.
    let encoded = encoded.get(..encoded.len() - 2).unwrap_or(&encoded);
    [text, encoded].into_iter().any(|form| {
        content
            .windows(form.len())
            .any(|window| window == form.as_bytes())
    })
}
