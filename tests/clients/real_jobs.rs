//! gcloud on a sandbox that stays: real YARN, Flink and Pig, found by what `flinkproc sandbox vars` tells.

use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::ground::check;
use crate::kernel::processes;
use crate::python::{Python, find, left_out};
use crate::real::Real;
use crate::recorder::Recorder;

/// The state directory of a sandbox that is ended, however its test ends.
struct Standing(PathBuf);

impl Drop for Standing {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for process in processes(&self.0) {
            let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
            if let Some(pid) = pid {
                // It may have ended meanwhile.
                kill_process(pid, Signal::KILL).ok();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gcloud_runs_real_jobs() {
    if find("gcloud").is_none() {
        left_out("gcloud is not in the PATH");
        return;
    }
    let Some(real) = Real::turn().await else {
        return;
    };
    let Some(python) = Python::ready().await else {
        return;
    };
    let standing = Standing(real.home.state());
    real.home.run(&["sandbox", "up"]).await.ended_with(0);
    let vars = ["sandbox", "vars", "--output", "json"];
    let mut vars = real.home.run(&vars).await.ended_with(0).json();
    let folder = TempDir::with_prefix("flinkproc-clients-").unwrap();
    let services = [
        ("CLOUDSDK_API_ENDPOINT_OVERRIDES_DATAPROC", ""),
        ("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", "compute/v1/"),
        ("CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE", "storage/v1/"),
    ];
    let mut recorders = Vec::new();
    for (name, path) in services {
        let service = vars[name].as_str().unwrap().trim_end_matches(path);
        let recorder = Recorder::before(service, "gcloud", folder.path()).await;
        vars[name] = format!("{}/{path}", recorder.url()).into();
        recorders.push(recorder);
    }
    let tests = [
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--tb=short",
        "gcloud/sandbox",
    ];
    let vars = vars.to_string();
    let tried = python.try_run(&tests, &[("SANDBOX_VARS", &vars)]).await;
    real.home.run(&["sandbox", "down"]).await.ended_with(0);
    drop(standing);
    real.left_nothing();
    tried.unwrap_or_else(|said| panic!("{said}"));
    check(&python, &recorders.iter().collect::<Vec<_>>(), &folder).await;
}
