//! gcloud against the emulators.

use dataproc_emulator::JobScript;

use crate::ground::{Clusters, Ground, SSH_PORT};
use crate::python::{find, left_out};

async fn ground(clusters: Clusters) -> Option<Ground> {
    if find("gcloud").is_none() {
        left_out("gcloud is not in the PATH");
        return None;
    }
    Ground::new("gcloud", clusters).await
}

#[tokio::test(flavor = "multi_thread")]
async fn gcloud_drives_clusters_and_jobs() {
    if let Some(ground) = ground(Clusters::Names).await {
        let script = JobScript::default().printing(["counting\n", "apple,3\n"]);
        ground.runtime.set_job(script);
        ground
            .pytest(
                &[
                    "gcloud",
                    "--ignore=gcloud/jobs",
                    "--ignore=gcloud/machines",
                    "--ignore=gcloud/sandbox",
                ],
                &[],
            )
            .await;
        let script = JobScript::failing(3).printing(["no such column\n"]);
        ground.runtime.set_job(script);
        ground.pytest(&["gcloud/jobs/test_failing.py"], &[]).await;
        ground.runtime.set_job(JobScript::hanging());
        ground.pytest(&["gcloud/jobs/test_hanging.py"], &[]).await;
        ground.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gcloud_enters_machines() {
    if let Some(ground) = ground(Clusters::Machines).await {
        let relay = ground.emulator.iap();
        let (url, certificate) = (relay.url(), relay.ca_file().to_str().unwrap());
        let port = SSH_PORT.to_string();
        let variables = [
            ("IAP_URL", url.as_str()),
            ("IAP_CERTIFICATE", certificate),
            ("SSH_PORT", port.as_str()),
        ];
        ground.pytest(&["gcloud/machines"], &variables).await;
        ground.end().await;
    }
}
