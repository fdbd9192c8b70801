//! What CI runs, in its order: the cheap checks first.

use crate::cargo::{run, run_with, say};
use crate::tidy;

/// Tests and doc tests of the whole workspace.
///
/// The suites on real parts run with every other test; `fast` leaves them out, `full` adds the long sweeps.
pub(crate) fn test(full: bool, fast: bool) -> Result<(), String> {
    let mut environment = Vec::new();
    if full {
        environment.push(("FLINKPROC_TEST_FULL", "1"));
        environment.push(("FLINKPROC_TEST_CYCLES", "100"));
        environment.push(("PROPTEST_CASES", "20000"));
    }
    if fast {
        environment.push(("FLINKPROC_TEST_FAST", "1"));
    }
    run_with(
        &["test", "--workspace", "--all-features", "--no-fail-fast"],
        &environment,
    )?;
    run(&["test", "--locked", "--manifest-path", OUTSIDE])
}

/// The walk of `docs/extending.md`: a crate outside the workspace, as a contributor's is.
const OUTSIDE: &str = "docs/examples/submission-method/Cargo.toml";

/// The documentation, warnings denied.
pub(crate) fn docs() -> Result<(), String> {
    let arguments = [
        "doc",
        "--workspace",
        "--all-features",
        "--no-deps",
        "--document-private-items",
    ];
    run_with(&arguments, &[("RUSTDOCFLAGS", "-D warnings")])
}

/// Every crate whose traits, values and doubles must build without their outside clients.
const LEAN: [&str; 6] = [
    "flinkproc-dataproc",
    "flinkproc-staging",
    "flinkproc-compute",
    "flinkproc-ssh",
    "flinkproc-rest",
    "flinkproc-env",
];

fn lean() -> Result<(), String> {
    for package in LEAN {
        run(&["check", "--package", package, "--no-default-features"])?;
    }
    Ok(())
}

/// Everything, the cheap checks first.
pub(crate) fn all(skip_tests: bool) -> Result<(), String> {
    run(&["fmt", "--all", "--check"])?;
    tidy::run()?;
    run(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--",
        "-D",
        "warnings",
    ])?;
    docs()?;
    lean()?;
    if !skip_tests {
        test(false, false)?;
    }
    say("\nall checks passed");
    Ok(())
}
