//! The master's bucket as a storage server that can be written to, for the launcher's mirror.

use std::collections::BTreeMap;
use std::sync::Arc;

use flinkproc_core::GcsUri;
use flinkproc_staging::{Content, GoogleStaging, Staging};
use flinkproc_submit::contract::FakeMaster;
use gcs_emulator::{Emulator, Options};
use google_cloud_auth::credentials::anonymous;
use tempfile::TempDir;

use crate::real_time::RealTime;

/// The variable by which the launcher finds a storage server.
const HOST: &str = "STORAGE_EMULATOR_HOST";

/// A storage server; it ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Bucket {
    _folder: TempDir,
    emulator: Emulator,
    staging: Arc<dyn Staging>,
    staged: String,
    http: reqwest::Client,
}

/// The bucket of a master, which has what is staged there as soon as a job is submitted.
pub(crate) async fn of(master: &FakeMaster) -> Arc<Bucket> {
    let folder = TempDir::new().expect("temporary directory");
    let emulator = Emulator::start(Options::new(folder.path()))
        .await
        .expect("started");
    emulator.create_bucket("bucket").expect("made");
    let http = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("client");
    let credentials = anonymous::Builder::new().build();
    let clock = Arc::new(RealTime);
    let staging = GoogleStaging::new(credentials, &emulator.url(), http.clone(), clock).await;
    Arc::new(Bucket {
        _folder: folder,
        emulator,
        staging: Arc::new(staging.expect("client")),
        staged: master.environment()[HOST].clone(),
        http,
    })
}

impl Bucket {
    /// The bucket, as a client of it.
    pub(crate) fn staging(&self) -> Arc<dyn Staging> {
        Arc::clone(&self.staging)
    }

    /// A login's environment on the master, with this server.
    pub(crate) fn environment(&self, master: &FakeMaster) -> BTreeMap<&'static str, String> {
        let mut environment = master.environment();
        environment.insert(HOST, self.emulator.url());
        environment
    }

    /// Brings over what the suite has staged on its own server, which cannot be written to: objects `0`, `1`, ….
    pub(crate) async fn bring(&self) {
        for number in 0.. {
            let url = format!("{}/storage/v1/b/bucket/o/{number}?alt=media", self.staged);
            let answer = self.http.get(url).send().await.expect("answered");
            if !answer.status().is_success() {
                return;
            }
            let content = Content::Bytes(answer.bytes().await.expect("read"));
            let to: GcsUri = format!("gs://bucket/{number}").parse().expect("address");
            self.staging
                .put_if_absent(&to, &content)
                .await
                .expect("written");
        }
    }
}
