//! The real Google Cloud: contract suites and the word count. Runs only when it is asked for, because it costs money.
//!
//! `FLINKPROC_LIVE=1`, and `FLINKPROC_LIVE_PROJECT`, `FLINKPROC_LIVE_REGION` and `FLINKPROC_LIVE_BUCKET` say where;
//! credentials are Application Default Credentials. Clusters are called `fplive-…` and are deleted again.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]
#![expect(clippy::panic, reason = "a helper that fails fails its test")]

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use flinkproc::SystemClock;
use flinkproc_core::{GcsUri, Span};
use flinkproc_dataproc::GoogleDataproc;
use flinkproc_dataproc::contract::{self, Ground};
use flinkproc_staging::GoogleStaging;
use google_cloud_auth::credentials::{Builder, Credentials};
use serde_json::json;
use tokio::process::Command;
use uuid::Uuid;

/// Where the real thing is.
struct Live {
    project: String,
    region: String,
    bucket: String,
    /// No other run has it.
    unique: String,
}

impl Live {
    /// `None` unless the real cloud was asked for.
    #[expect(
        clippy::disallowed_methods,
        reason = "the suite is chosen by the environment"
    )]
    fn asked_for() -> Option<Self> {
        if std::env::var("FLINKPROC_LIVE").as_deref() != Ok("1") {
            let why = "left out: the real cloud is called only with FLINKPROC_LIVE=1\n";
            std::io::stderr().lock().write_all(why.as_bytes()).unwrap();
            return None;
        }
        let value =
            |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is missing"));
        Some(Self {
            project: value("FLINKPROC_LIVE_PROJECT"),
            region: value("FLINKPROC_LIVE_REGION"),
            bucket: value("FLINKPROC_LIVE_BUCKET"),
            unique: Uuid::new_v4().simple().to_string()[..8].to_owned(),
        })
    }

    fn credentials() -> Credentials {
        Builder::default().build().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cloud_storage_keeps_the_contract() {
    let Some(live) = Live::asked_for() else {
        return;
    };
    let staging = GoogleStaging::new(
        Live::credentials(),
        GoogleStaging::ENDPOINT,
        reqwest::Client::new(),
        Arc::new(SystemClock),
    )
    .await
    .unwrap();
    let place = format!("gs://{}/flinkproc-live/{}/", live.bucket, live.unique);
    let place: GcsUri = place.parse().unwrap();
    flinkproc_staging::contract::check(&staging, &place).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dataproc_keeps_the_contract() {
    let Some(live) = Live::asked_for() else {
        return;
    };
    let api = GoogleDataproc::new(Live::credentials(), None);
    let ground = Ground {
        clock: &SystemClock,
        project: live.project.parse().unwrap(),
        region: live.region.parse().unwrap(),
        prefix: format!("fplive-{}", live.unique),
        resource: json!({"config": {
            "softwareConfig": {"imageVersion": "2.2-debian12", "optionalComponents": ["FLINK"]},
            "workerConfig": {"numInstances": 2},
            "lifecycleConfig": {"idleDeleteTtl": "600s", "autoDeleteTtl": "3600s"},
        }}),
        patience: Span::from_secs(1200),
    };
    contract::clusters(&api, &ground).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn words_are_counted_in_the_cloud() {
    let Some(live) = Live::asked_for() else {
        return;
    };
    let state = tempfile::tempdir().unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/examples/word-count");
    let output = Command::new(env!("CARGO_BIN_EXE_flinkproc"))
        .arg("deploy")
        .arg(example)
        .args(["--image", "2.0", "--set", "cluster.prefix=fplive"])
        .args(["--project", &live.project, "--region", &live.region])
        .args(["--bucket", &live.bucket])
        .env("FLINKPROC_STATE", state.path())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let result = String::from_utf8_lossy(&output.stdout);
    assert!(
        result.lines().any(|line| line.starts_with("the,")),
        "{result}"
    );
}
