//! The pytest plugin of `crates/flinkproc-python`, as other people's tests use it: a session of its own on real parts.

use std::path::Path;

use crate::clients_python::Python;
use crate::standing::{SPEC, Turn};

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_pytest_runs_jobs_and_leaves_nothing() {
    let Some(turn) = Turn::take(SPEC).await else {
        return;
    };
    let Some(python) = Python::ready().await else {
        return;
    };
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../flinkproc-python");
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (tests, source) = (text(&package.join("tests")), text(&package.join("src")));
    let state = text(&turn.0.home.state());
    let root = format!("--rootdir={}", package.display());
    let arguments = [
        "-m",
        "pytest",
        "-q",
        "-p",
        "flinkproc.pytest_plugin",
        "-p",
        "no:cacheprovider",
        &root,
        &tests,
    ];
    let variables = [
        ("PYTHONPATH", source.as_str()),
        ("FLINKPROC_BIN", env!("CARGO_BIN_EXE_flinkproc")),
        ("FLINKPROC_STATE", state.as_str()),
    ];
    python.run(&arguments, &variables).await;
    turn.0.left_nothing();
}
