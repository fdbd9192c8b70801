//! What the launcher copies to the bucket, for those who cannot look at the master.
#![expect(clippy::expect_used, reason = "a contract suite fails by panicking")]

use std::sync::Arc;

use flinkproc_core::GcsUri;
use flinkproc_staging::Staging;

use super::master::FakeMaster;
use super::run::{follow, observe_until, run_ref};
use crate::method::{LauncherExit, Sighting, SubmissionMethod};

/// Everything of a run is in the bucket: the gate, each byte of its output, its ids, what YARN and Flink say, its logs and,
/// last, its end. `runs` makes the folder of a deployment's runs from its id.
pub async fn mirror_tells_all(
    master: &FakeMaster,
    method: &Arc<dyn SubmissionMethod>,
    runs: impl Fn(&str) -> GcsUri,
) {
    let script = format!(
        "import os\nfor i in range(40):\n    os.write(1, b'%d ' % i * 9000)\n    os.write(2, b'err %d\\n' % i)\n{}",
        master.script_that_waits("go")
    );
    let mut job = master.stage(&script, &[]);
    let run = run_ref("mirrored");
    let folder = runs("mirrored");
    job.mirror = Some(folder.clone());
    let staging = master.staging();
    let read = async |name: &str| content(&*staging, &folder, name).await;
    method.submit(&run, &job).await.expect("submitted");
    observe_until(&**method, &run, |seen| !seen.jobs.is_empty()).await;
    // Seen while it runs, not only at its end.
    let sighting = loop {
        let text = read("sighting").await;
        let seen: Sighting = serde_json::from_slice(&text).unwrap_or_default();
        if !seen.jobs.is_empty() {
            break seen;
        }
        super::run::pause().await;
    };
    assert_eq!(sighting.applications.len(), 1);
    assert_eq!(
        sighting.applications.first().map(|one| one.state.as_str()),
        Some("RUNNING")
    );
    assert!(read("exit").await.is_empty());
    master.touch("go");
    let (exit, out, err) = follow(|| Arc::clone(method), &run).await;
    assert_eq!(exit.status, 0, "{}", String::from_utf8_lossy(&err));

    let begin = std::time::Instant::now();
    while read("exit").await.is_empty() {
        assert!(begin.elapsed() < super::run::LIMIT, "its end never came");
        super::run::pause().await;
    }
    let written: LauncherExit = serde_json::from_slice(&read("exit").await).expect("exit");
    assert_eq!(written, exit);
    assert!(read("gate").await.starts_with(b"started"));
    assert_eq!(whole(&*staging, &folder, "out").await, out);
    assert_eq!(whole(&*staging, &folder, "err").await, err);
    let ids = read("ids").await;
    assert_eq!(flinkproc_flink_cli::application_ids(&ids).len(), 1);
    let last: Sighting = serde_json::from_slice(&read("sighting").await).expect("sighting");
    let ended = last
        .applications
        .first()
        .map(|one| (one.state.as_str(), one.final_status.as_str()));
    assert_eq!(ended, Some(("FINISHED", "SUCCEEDED")));
    assert!(
        last.jobs.iter().all(|(_, state)| state == "FINISHED"),
        "{last:?}"
    );
    let log = read("logs/application_1700000000000_0001.log").await;
    assert!(log.starts_with(b"Container: "));
}

async fn content(staging: &dyn Staging, runs: &GcsUri, name: &str) -> Vec<u8> {
    let object = runs
        .join("1/")
        .and_then(|folder| folder.join(name))
        .expect("address");
    let read = staging.read_range(&object, 0, 1 << 30).await;
    read.map(|content| content.to_vec()).unwrap_or_default()
}

/// The pieces of a stream, each of which begins where the one before it ends.
async fn whole(staging: &dyn Staging, runs: &GcsUri, stream: &str) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let piece = content(staging, runs, &format!("{stream}/{:012}", all.len())).await;
        if piece.is_empty() {
            return all;
        }
        assert!(piece.len() <= 512 * 1024);
        all.extend(piece);
    }
}
