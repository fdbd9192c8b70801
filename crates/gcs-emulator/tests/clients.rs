//! Storage as clients that are not ours use it: `gcloud storage`, and PyPI `google-cloud-storage`.

#![expect(clippy::expect_used, reason = "a helper that fails is a failing test")]

use std::path::{Path, PathBuf};
use std::process::Stdio;

use gcs_emulator::{Emulator, Options};
use tokio::process::Command;

#[path = "../../../tests/clients/python.rs"]
#[expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails is a failing test"
)]
mod python;

use python::{Python, find, left_out};

#[tokio::test(flavor = "multi_thread")]
async fn the_python_library_does_all_it_can() {
    let Some(python) = Python::ready().await else {
        return;
    };
    let folder = tempfile::tempdir().expect("folder");
    let options = Options::new(folder.path());
    let emulator = Emulator::start(options).await.expect("start");
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/storage.py");
    let suite = suite.to_str().expect("text");
    let arguments = ["-m", "pytest", "-q", "-p", "no:cacheprovider", suite];
    let url = emulator.url();
    python
        .run(&arguments, &[("STORAGE_EMULATOR_HOST", &url)])
        .await;
    emulator.stop().await;
}

/// gcloud with a configuration of its own, against an emulator.
struct Gcloud {
    program: PathBuf,
    emulator: Emulator,
    folder: tempfile::TempDir,
}

impl Gcloud {
    async fn ready() -> Option<Self> {
        let Some(program) = find("gcloud") else {
            left_out("gcloud is not in the PATH");
            return None;
        };
        let folder = tempfile::tempdir().expect("folder");
        let options = Options::new(folder.path().join("root"));
        let emulator = Emulator::start(options).await.expect("start");
        Some(Self {
            program,
            emulator,
            folder,
        })
    }

    fn path(&self, name: &str) -> String {
        let path = self.folder.path().join(name);
        path.to_str().expect("text").to_owned()
    }

    /// Runs one command of `gcloud storage`; what it prints.
    async fn run(&self, line: &[&str], succeeds: bool) -> String {
        let output = Command::new(&self.program)
            .arg("storage")
            .args(line)
            .stdin(Stdio::null())
            .env("CLOUDSDK_CONFIG", self.folder.path().join("config"))
            .env("CLOUDSDK_CORE_PROJECT", "my-project")
            .env("CLOUDSDK_CORE_DISABLE_PROMPTS", "1")
            .env("CLOUDSDK_AUTH_DISABLE_CREDENTIALS", "1")
            .env("CLOUDSDK_CORE_DISABLE_USAGE_REPORTING", "1")
            .env("CLOUDSDK_CORE_CHECK_GCE_METADATA", "0")
            .env("CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK", "1")
            .env(
                "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE",
                format!("{}/storage/v1/", self.emulator.url()),
            )
            .kill_on_drop(true)
            .output()
            .await
            .expect("gcloud");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.success(), succeeds, "{line:?}\n{out}\n{err}");
        if succeeds { out } else { err }
    }

    async fn ok(&self, line: &[&str]) -> String {
        self.run(line, true).await
    }
}

fn write(path: &str, content: &[u8]) {
    let path = Path::new(path);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("folder");
    std::fs::write(path, content).expect("write");
}

fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state & 0xff) as u8
    };
    (0..size).map(step).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn gcloud_copies_small_large_and_many() {
    let Some(gcloud) = Gcloud::ready().await else {
        return;
    };
    gcloud
        .ok(&[
            "buckets",
            "create",
            "gs://my-bucket",
            "--location=europe-west1",
        ])
        .await;
    assert!(gcloud.ok(&["ls"]).await.contains("gs://my-bucket/"));

    let small = gcloud.path("small file.txt");
    write(&small, b"hello");
    gcloud.ok(&["cp", &small, "gs://my-bucket/d/"]).await;
    assert_eq!(
        gcloud.ok(&["cat", "gs://my-bucket/d/small file.txt"]).await,
        "hello"
    );
    let part = gcloud
        .ok(&["cat", "--range=1-2", "gs://my-bucket/d/small file.txt"])
        .await;
    assert_eq!(part, "el");

    let large = gcloud.path("large.bin");
    let content = noise(100 << 20);
    write(&large, &content);
    gcloud.ok(&["cp", &large, "gs://my-bucket/"]).await;
    let back = gcloud.path("back.bin");
    gcloud.ok(&["cp", "gs://my-bucket/large.bin", &back]).await;
    assert!(
        std::fs::read(&back).expect("read") == content,
        "100 MiB there and back"
    );

    for number in 0..200 {
        write(
            &gcloud.path(&format!("many/{}/{number}", number % 7)),
            &noise(number),
        );
    }
    let many = gcloud.path("many");
    gcloud
        .ok(&["cp", "-r", &many, "gs://my-bucket/tree/"])
        .await;
    let listed = gcloud.ok(&["ls", "gs://my-bucket/tree/many/**"]).await;
    assert_eq!(listed.lines().count(), 200);
    let folders = gcloud.ok(&["ls", "gs://my-bucket/tree/many/"]).await;
    assert_eq!(folders.lines().count(), 7, "{folders}");
    let home = gcloud.path("home");
    std::fs::create_dir(&home).expect("folder");
    gcloud
        .ok(&["cp", "-r", "gs://my-bucket/tree/many", &home])
        .await;
    for number in [0, 99, 199] {
        let name = format!("many/{}/{number}", number % 7);
        let there = std::fs::read(Path::new(&home).join(&name)).expect("read");
        assert!(there == noise(number), "{name}");
    }
    gcloud.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gcloud_moves_syncs_composes_and_removes() {
    let Some(gcloud) = Gcloud::ready().await else {
        return;
    };
    gcloud.emulator.create_bucket("my-bucket").expect("bucket");
    for (name, content) in [("src/a", "one"), ("src/b", "two"), ("src/d/c", "three")] {
        write(&gcloud.path(name), content.as_bytes());
    }
    let source = gcloud.path("src");
    gcloud
        .ok(&["rsync", "-r", &source, "gs://my-bucket/sync"])
        .await;
    std::fs::remove_file(gcloud.path("src/b")).expect("remove");
    write(&gcloud.path("src/a"), b"changed");
    let sync = [
        "rsync",
        "-r",
        "--delete-unmatched-destination-objects",
        &source,
        "gs://my-bucket/sync",
    ];
    gcloud.ok(&sync).await;
    let listed = gcloud.ok(&["ls", "-r", "gs://my-bucket/sync/**"]).await;
    assert_eq!(listed, "gs://my-bucket/sync/a\ngs://my-bucket/sync/d/c\n");
    assert_eq!(
        gcloud.ok(&["cat", "gs://my-bucket/sync/a"]).await,
        "changed"
    );

    gcloud
        .ok(&["mv", "gs://my-bucket/sync/a", "gs://my-bucket/moved"])
        .await;
    gcloud
        .ok(&["cp", "gs://my-bucket/moved", "gs://my-bucket/copy"])
        .await;
    gcloud
        .ok(&[
            "objects",
            "compose",
            "gs://my-bucket/moved",
            "gs://my-bucket/copy",
            "gs://my-bucket/both",
        ])
        .await;
    assert_eq!(
        gcloud.ok(&["cat", "gs://my-bucket/both"]).await,
        "changedchanged"
    );
    gcloud
        .ok(&[
            "objects",
            "update",
            "gs://my-bucket/copy",
            "--custom-metadata=k=v",
        ])
        .await;
    let seen = gcloud
        .ok(&[
            "objects",
            "describe",
            "gs://my-bucket/copy",
            "--format=json",
        ])
        .await;
    assert!(seen.contains("\"k\": \"v\""), "{seen}");
    gcloud
        .ok(&[
            "buckets",
            "update",
            "gs://my-bucket",
            "--versioning",
            "--update-labels=a=b",
        ])
        .await;
    let seen = gcloud
        .ok(&["buckets", "describe", "gs://my-bucket", "--format=json"])
        .await;
    assert!(seen.contains("\"versioning_enabled\": true"), "{seen}");

    gcloud.ok(&["rm", "gs://my-bucket/copy"]).await;
    let gone = gcloud.run(&["cat", "gs://my-bucket/copy"], false).await;
    assert!(gone.contains("matched no objects"), "{gone}");
    gcloud.ok(&["rm", "-r", "gs://my-bucket"]).await;
    let none = gcloud.run(&["ls"], false).await;
    assert!(none.contains("matched no objects"), "{none}");
    gcloud.emulator.stop().await;
}
