//! A Dataproc and a Cloud Storage of this process, a recorder before each, and the check of what they recorded.

use std::sync::Arc;

use dataproc_emulator::{Addresses, Emulator, EmulatorOptions, ScriptedOptions, ScriptedRuntime};
use tempfile::TempDir;

use crate::python::{Python, find, left_out};
use crate::recorder::Recorder;

/// The port of the machines' SSH servers; who is not root may not bind 22.
pub(crate) const SSH_PORT: u16 = 2222;

/// Services behind recorders, for one client.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) api: Recorder,
    pub(crate) storage: Recorder,
    pub(crate) emulator: Emulator,
    pub(crate) runtime: Arc<ScriptedRuntime>,
    objects: gcs_emulator::Emulator,
    python: Python,
    folder: TempDir,
}

/// What the clusters of a ground are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clusters {
    /// Nothing but names.
    Names,
    /// A machine with an SSH server each.
    Machines,
}

impl Ground {
    /// Services that `by` is going to call; `None` where the suite is left out.
    pub(crate) async fn new(by: &'static str, clusters: Clusters) -> Option<Self> {
        let python = Python::ready().await?;
        let folder = TempDir::with_prefix("flinkproc-clients-").unwrap();
        let root = folder.path().join("objects");
        let objects = gcs_emulator::Emulator::start(gcs_emulator::Options::new(root));
        let objects = objects.await.unwrap();
        let mut options = ScriptedOptions::default();
        options.machines = clusters == Clusters::Machines;
        options.addresses = Addresses::Own { ssh_port: SSH_PORT };
        let runtime = Arc::new(ScriptedRuntime::new(options));
        let login = ScriptedRuntime::login_user().unwrap();
        let options = EmulatorOptions::default();
        let options = options.storage(objects.url()).login_user(login);
        let emulator = Emulator::start(runtime.clone(), options).await.unwrap();
        let api = Recorder::before(&emulator.url(), by, folder.path()).await;
        let storage = Recorder::before(&objects.url(), by, folder.path()).await;
        Some(Self {
            api,
            storage,
            emulator,
            runtime,
            objects,
            python,
            folder,
        })
    }

    /// Runs Python tests against the services.
    pub(crate) async fn pytest(&self, files: &[&str], variables: &[(&str, &str)]) {
        let services = [
            ("DATAPROC_EMULATOR", self.api.url()),
            ("STORAGE_EMULATOR_HOST", self.storage.url()),
        ];
        let runner = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short"];
        let variables = [&services[..], variables].concat();
        self.python
            .run(&[&runner, files].concat(), &variables)
            .await;
    }

    /// Ends the services, and fails unless every recorded body and answer is one of Google's messages.
    pub(crate) async fn end(self) {
        self.emulator.stop().await;
        self.objects.stop().await;
        check(&self.python, &[&self.api, &self.storage], &self.folder).await;
    }
}

/// Fails unless every recorded body and answer is one of Google's messages.
pub(crate) async fn check(python: &Python, recorders: &[&Recorder], folder: &TempDir) {
    let files: Vec<_> = recorders.iter().map(|one| one.file().to_str()).collect();
    let files: Vec<_> = files.into_iter().map(Option::unwrap).collect();
    let values = folder.path().join("values");
    let values = values.to_str().unwrap();
    let arguments = [&["strict.py", values], &files[..]].concat();
    python.run(&arguments, &[]).await;
    let Some(gcloud) = find("gcloud") else {
        left_out("gcloud is not in the PATH, whose messages know more fields than the public ones");
        return;
    };
    let gcloud = gcloud.canonicalize().unwrap();
    let sdk = gcloud.parent().and_then(|folder| folder.parent()).unwrap();
    python
        .run(&["sdk.py", sdk.to_str().unwrap(), values], &[])
        .await;
}
