//! Whole deployments by the real binary, heard by the recorders.

use tempfile::TempDir;

use crate::cloud::{Cloud, SPEC, good};
use crate::ground::check;
use crate::python::Python;
use crate::recorder::Recorder;

/// A spec that says much of its cluster.
const WIDE: &str = r#"
[job]
script = "job.py"
args = ["--day", "it's $5"]
result = "gs://my-bucket/result/"

[cluster]
project = "my-project"
region = "europe-west1"
image = "2.0"
workers = { count = 2, machine_type = "n2-standard-2" }

[staging]
bucket = "my-bucket"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn deployments_speak_in_googles_messages() {
    let Some(python) = Python::ready().await else {
        return;
    };
    let mut cloud = Cloud::new(good()).await;
    let folder = TempDir::with_prefix("flinkproc-clients-").unwrap();
    let (api, storage) = (cloud.emulator.url(), cloud.storage.url());
    let api = Recorder::before(&api, "flinkproc", folder.path()).await;
    let storage = Recorder::before(&storage, "flinkproc", folder.path()).await;
    let home = &mut cloud.home;
    home.set("FLINKPROC_DATAPROC_ENDPOINT", api.url());
    home.set("FLINKPROC_COMPUTE_ENDPOINT", api.url());
    home.set("FLINKPROC_STORAGE_ENDPOINT", storage.url());
    for spec in [SPEC, WIDE] {
        cloud.home.write("flinkproc.toml", spec);
        cloud.run(&["deploy"]).await.ended_with(0);
    }
    cloud.is_empty();
    cloud.stop().await;
    check(&python, &[&api, &storage], &folder).await;
}
