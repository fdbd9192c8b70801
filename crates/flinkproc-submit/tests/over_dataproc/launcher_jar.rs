//! The Java launcher's jar holds what its source says.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::process::Command;

const CLASS: &str = "flinkproc/Launcher.class";

async fn run(program: &str, folder: &Path, arguments: &[&str]) {
    let mut command = Command::new(program);
    let output = command.args(arguments).current_dir(folder).output().await;
    let output = output.expect("a JDK, 9 or later");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
}

#[tokio::test]
async fn the_jar_is_what_the_source_makes() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("launcher-jar");
    let folder = TempDir::new().expect("temporary directory");
    let source = here.join("src/flinkproc/Launcher.java");
    let made = folder.path().join("made");
    std::fs::create_dir(&made).expect("folder");
    let paths: [&PathBuf; 2] = [&made, &source];
    let [made, source] = paths.map(|path| path.display().to_string());
    run(
        "javac",
        folder.path(),
        &["--release", "8", "-Xlint:-options", "-d", &made, &source],
    )
    .await;
    let jar = here.join("launcher.jar").display().to_string();
    run("jar", folder.path(), &["--extract", "--file", &jar]).await;
    let read = |path: &str| std::fs::read(folder.path().join(path)).expect("read");
    assert!(
        read(CLASS) == read(&format!("made/{CLASS}")),
        "build the jar again, in crates/flinkproc-submit/launcher-jar: \
         javac --release 8 -d /tmp/classes src/flinkproc/Launcher.java && jar --create --file launcher.jar \
         --main-class flinkproc.Launcher --date 2026-01-01T00:00:00Z -C /tmp/classes .",
    );
    let manifest = String::from_utf8(read("META-INF/MANIFEST.MF")).expect("text");
    assert!(
        manifest.contains("Main-Class: flinkproc.Launcher"),
        "{manifest}"
    );
}
