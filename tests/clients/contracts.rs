//! The contract suites of our own crates, on Google's Rust clients against the emulators: each body that they send is one
//! of Google's messages, and each answer that they get.

use std::sync::Arc;

use flinkproc_compute::{Account, AdmittedKey, Door, Gatekeeper as _, GoogleGatekeeper};
use flinkproc_core::{MachineRef, ManualClock, Span};
use flinkproc_dataproc::contract::Ground as Terms;
use flinkproc_dataproc::{GoogleDataproc, contract};
use google_cloud_auth::credentials::anonymous::Builder as Anonymous;
use serde_json::json;

use crate::ground::{Clusters, Ground};

#[tokio::test(flavor = "multi_thread")]
async fn the_control_plane_is_spoken_to_in_googles_messages() {
    let Some(ground) = Ground::new("flinkproc-dataproc", Clusters::Names).await else {
        return;
    };
    let api = GoogleDataproc::new(Anonymous::new().build(), Some(ground.api.url().to_owned()));
    // Eager: it only shortens the pauses between polls.
    let clock = ManualClock::eager("2026-11-22T12:00:00Z".parse().unwrap());
    let terms = |resource| Terms {
        clock: &clock,
        project: "my-project".parse().unwrap(),
        region: "europe-west4".parse().unwrap(),
        prefix: "proof".to_owned(),
        resource,
        patience: Span::from_secs(10_000_000),
    };
    let wide = terms(json!({"labels": {"team": "data"}, "config": {
        "configBucket": "proof-bucket",
        "gceClusterConfig": {
            "zoneUri": "europe-west4-b", "internalIpOnly": true, "metadata": {"a": "b"}, "tags": ["t"],
            "serviceAccountScopes": ["https://www.googleapis.com/auth/cloud-platform"],
            "shieldedInstanceConfig": {"enableSecureBoot": true},
        },
        "masterConfig": {"machineTypeUri": "n2-standard-4", "diskConfig": {"bootDiskSizeGb": 100}},
        "workerConfig": {"numInstances": 2, "machineTypeUri": "n2-standard-2"},
        "secondaryWorkerConfig": {"numInstances": 2, "preemptibility": "SPOT"},
        "softwareConfig": {
            "imageVersion": "2.2-debian12", "optionalComponents": ["FLINK"],
            "properties": {"flink:taskmanager.numberOfTaskSlots": "2"},
        },
        "lifecycleConfig": {"idleDeleteTtl": "600s", "autoDeleteTtl": "7200s"},
        "endpointConfig": {"enableHttpPortAccess": true},
    }}));
    contract::clusters(&api, &wide).await.unwrap();
    let plain = terms(json!({"config": {}}));
    contract::care(&api, &plain).await.unwrap();
    contract::jobs(&api, &api, &plain).await.unwrap();
    ground.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_are_asked_for_in_googles_messages() {
    let Some(ground) = Ground::new("flinkproc-compute", Clusters::Names).await else {
        return;
    };
    let clusters = format!(
        "{}/v1/projects/my-project/regions/europe-west4/clusters",
        ground.api.url()
    );
    let zone = json!({"zoneUri": "europe-west4-b"});
    let body = json!({"clusterName": "batch", "config": {"gceClusterConfig": zone}});
    let client = reqwest::Client::new();
    let made = client.post(clusters).json(&body).send().await.unwrap();
    assert!(made.status().is_success(), "{}", made.text().await.unwrap());
    crate::cloud::until(|| {
        let clusters = ground.emulator.clusters();
        clusters
            .iter()
            .all(|one| one["status"]["state"] == "RUNNING")
    })
    .await;
    let clock = ManualClock::eager("2026-11-22T12:00:00Z".parse().unwrap());
    let url = ground.api.url().to_owned();
    let gate = GoogleGatekeeper::new(Anonymous::new().build(), Some(url), Arc::new(clock));
    let machine = MachineRef {
        project: "my-project".parse().unwrap(),
        zone: "europe-west4-b".parse().unwrap(),
        instance: "batch-m".to_owned(),
    };
    let key = AdmittedKey {
        user: "deploy".to_owned(),
        public_key:
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJf5lLmtCBsdF8tRjM1wFYJ0nWt0mLNhm8BMWq0vXxLk"
                .to_owned(),
        expires: "2100-01-01T00:00:00Z".parse().unwrap(),
        door: Door::Metadata,
    };
    flinkproc_compute::contract::gatekeeper(&gate, &machine, &key)
        .await
        .unwrap();
    // The other door: the key goes into the caller's profile, and out of it.
    let account = Account::Named("me@example.com".to_owned());
    let gate = gate.with_os_login(account, Some(ground.api.url().to_owned()));
    let door = Door::OsLogin;
    let key = AdmittedKey { door, ..key };
    gate.admit(&machine, &key).await.unwrap();
    gate.expel(&machine, &key).await.unwrap();
    ground.end().await;
}
