//! The first deployment of a fresh clone: build and downloads included.
//!
//! cargo's, pip's and Maven's own caches are used as they are.

use std::time::Instant;

use crate::bench::figures::Figures;
use crate::bench::workplace::{Workplace, text};
use crate::cargo::{program, root, say};

/// The target, in minutes, on two cores.
const MINUTES: f64 = 20.0;

pub(crate) fn measure(workplace: &Workplace, figures: &mut Figures) -> Result<(), String> {
    say("\nThe first deployment of a fresh clone");
    let clone = workplace.path().join("clone");
    let cloned = program("git")
        .args(["clone", "--quiet"])
        .arg(root())
        .arg(&clone)
        .status()
        .map_err(text)?;
    if !cloned.success() {
        return Err(format!("`git clone` ended with {cloned}"));
    }
    let started = Instant::now();
    let deployed = program("cargo")
        .args(["xtask", "deploy", "docs/examples/word-count", "--sandbox"])
        .current_dir(&clone)
        .env("PWD", &clone)
        .env("CARGO_TARGET_DIR", clone.join("target"))
        .env("FLINKPROC_CACHE", workplace.path().join("cache"))
        .env("FLINKPROC_STATE", workplace.path().join("state"))
        .status()
        .map_err(text)?;
    if !deployed.success() {
        return Err(format!("the deployment ended with {deployed}"));
    }
    let minutes = started.elapsed().as_secs_f64() / 60.0;
    figures.at_most(
        "first `deploy --sandbox` of a clone",
        MINUTES,
        minutes,
        " min",
    );
    Ok(())
}
