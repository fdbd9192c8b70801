//! What goes over what: flag, environment, target, file, gcloud's configuration, built-in.

use serde_json::Value;

use super::{SPEC, sound};
use crate::binary::Home;

async fn planned(home: &Home, arguments: &[&str], pointer: &str) -> Value {
    let ran = home
        .run(&[&["plan", "--output", "json"], arguments].concat())
        .await;
    ran.ended_with(0);
    let plan = ran.json();
    plan["plan"].pointer(pointer).cloned().unwrap_or_default()
}

#[tokio::test]
async fn the_nearest_layer_wins() {
    const REGION: &str = "/cluster/cluster/region";
    let (mut home, witness) = sound();
    let bare = SPEC.replace("region = \"europe-west1\"\n", "");
    home.write("flinkproc.toml", &bare);
    home.run(&["plan"])
        .await
        .ended_with(2)
        .told(&["error[SPC020]", "region"]);

    home.write("../home/.config/gcloud/active_config", "mine\n");
    home.write(
        "../home/.config/gcloud/configurations/config_mine",
        "[core]\nproject = from-gcloud\n[compute]\nregion = us-west1\n",
    );
    assert_eq!(planned(&home, &[], REGION).await, "us-west1");
    let told = home.run(&["plan"]).await;
    assert!(
        told.out.contains("= us-west1 (gcloud configuration)"),
        "{}",
        told.out
    );

    home.write(
        "flinkproc.toml",
        format!("{SPEC}\n[target.prod.cluster]\nregion = \"us-west3\"\n"),
    );
    assert_eq!(planned(&home, &[], REGION).await, "europe-west1");
    assert_eq!(
        planned(&home, &["--target", "prod"], REGION).await,
        "us-west3"
    );
    home.set("FLINKPROC_REGION", "us-west4");
    assert_eq!(
        planned(&home, &["--target", "prod"], REGION).await,
        "us-west4"
    );
    let set = ["--target", "prod", "--set", "cluster.region=us-east1"];
    assert_eq!(planned(&home, &set, REGION).await, "us-east1");
    let flag = [
        "--set",
        "cluster.region=us-east1",
        "--region",
        "us-east4",
        "--target",
        "prod",
    ];
    assert_eq!(planned(&home, &flag, REGION).await, "us-east4");
    witness.saw_nobody();
}

#[tokio::test]
async fn every_value_that_nobody_wrote_is_told_with_its_source() {
    let (mut home, _witness) = sound();
    home.set("FLINKPROC_ZONE", "europe-west1-b");
    let ran = home.run(&["plan"]).await;
    ran.ended_with(0);
    for text in [
        "cluster.zone                 = europe-west1-b (environment FLINKPROC_ZONE)",
        "ssh.port                     = 22 (built-in)",
        "job.mode                     = per-job (Flink 1.12 of image 2.0)",
        "watch.deadline               = 6h (built-in)",
    ] {
        let (key, value) = text.split_once('=').unwrap();
        let line = ran
            .out
            .lines()
            .find(|line| line.trim_start().starts_with(key.trim_end()));
        let line = line.unwrap_or_else(|| panic!("no {key} in\n{}", ran.out));
        assert!(line.ends_with(value), "{line}");
    }
    // What the file says is no default.
    assert!(!ran.out.contains("= 2.0 (built-in)"), "{}", ran.out);
}

#[tokio::test]
async fn parameters_reach_the_arguments() {
    let (home, _witness) = sound();
    let spec = SPEC.replace(
        "[cluster]",
        "args = [\"--day\", \"${params.day}\", \"it's $5\"]\n[params]\nday = \"2026-11-22\"\n[cluster]",
    );
    home.write("flinkproc.toml", spec);
    assert_eq!(
        planned(&home, &[], "/job/args").await,
        serde_json::json!(["--day", "2026-11-22", "it's $5"])
    );
    assert_eq!(
        planned(&home, &["--param", "day=1 = 2"], "/job/args").await,
        serde_json::json!(["--day", "1 = 2", "it's $5"])
    );
}
