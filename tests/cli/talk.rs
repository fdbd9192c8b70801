//! How the program talks: JSON where asked for, one page of help, and no complaint about a pipe that closes.

use std::process::Stdio;

use serde_json::{Value, json};

use super::sound;

#[tokio::test]
async fn results_come_as_json_where_asked_for() {
    let (home, witness) = sound();
    let ran = home.run(&["--output", "json", "check"]).await;
    assert_eq!(
        ran.ended_with(0).json(),
        json!({"ok": true, "warnings": []})
    );
    let ran = home.run(&["plan", "--output", "json"]).await;
    let plan = ran.ended_with(0).json();
    assert_eq!(plan["plan"]["cluster"]["cluster"]["project"], "my-project");
    let steps = plan["equivalents"].as_array().unwrap();
    assert!(
        steps
            .iter()
            .any(|step| step["step"] == "create-cluster" && step["argv"][0] == "gcloud"),
        "{steps:?}"
    );
    let ran = home.run(&["status", "--output", "json"]).await;
    assert_eq!(ran.ended_with(0).json(), json!([]));
    // A failure is a result, too, and is told as ever.
    let ran = home
        .run(&["check", "--output", "json", "--deadline", "10"])
        .await;
    ran.ended_with(2).told(&["error[SPC003]"]);
    let error = &ran.json()["error"];
    assert_eq!(error["code"], "SPC003");
    assert!(error["help"].is_string(), "{error}");
    witness.saw_nobody();
}

#[tokio::test]
async fn the_schema_in_the_docs_is_the_schema() {
    let (home, _witness) = sound();
    let ran = home.run(&["--generate", "schema"]).await;
    let kept = include_str!("../../docs/spec.schema.json");
    let kept: Value = serde_json::from_str(kept).unwrap();
    let same = ran.ended_with(0).json() == kept;
    assert!(same, "write docs/spec.schema.json anew");
}

#[tokio::test]
async fn completions_and_the_manual_know_every_verb() {
    let (home, _witness) = sound();
    for what in ["bash", "zsh", "fish", "man"] {
        let ran = home.run(&["--generate", what]).await;
        ran.ended_with(0);
        for verb in [
            "init", "check", "plan", "deploy", "down", "status", "logs", "cluster",
        ] {
            assert!(ran.out.contains(verb), "{what} lacks {verb}");
        }
    }
}

#[tokio::test]
async fn help_is_one_page() {
    let (home, _witness) = sound();
    let ran = home.run(&["--help"]).await;
    ran.ended_with(0);
    assert!(ran.out.lines().count() <= 40, "{}", ran.out);
    for line in ran.out.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    // Without any word, the same page, as a mistake.
    let bare = home.run(&[]).await;
    bare.ended_with(2).told(&["Usage: flinkproc", "deploy"]);
}

#[tokio::test]
async fn a_pipe_that_closes_is_no_error() {
    let (home, _witness) = sound();
    // Long before all of it was written, nobody reads any more.
    for arguments in [&["plan"][..], &["--generate", "schema"], &["--help"]] {
        let mut command = home.command(arguments);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().await.unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{:?} {told}", output.status);
        assert_eq!(told, "");
    }
}

#[tokio::test]
async fn quiet_means_errors_only() {
    let (home, _witness) = sound();
    let ran = home.run(&["--quiet", "plan", "--out", "plan.json"]).await;
    assert_eq!(ran.ended_with(0).err, "");
    let ran = home.run(&["--quiet", "check", "--deadline", "10"]).await;
    ran.ended_with(2).told(&["error[SPC003]"]);
}
