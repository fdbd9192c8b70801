//! Building and linting one of Flink's command lines.

use serde_json::Value;

use crate::bench::figures::{Figures, rounded};
use crate::bench::workplace::text;
use crate::cargo::{program, run, say, target_directory};

/// What the example says of itself: nanoseconds by name; both together have a target.
pub(crate) fn measure(figures: &mut Figures) -> Result<(), String> {
    say("\nOne of Flink's command lines, built and linted");
    run(&[
        "build",
        "--release",
        "--quiet",
        "--package",
        "flinkproc-flink-cli",
        "--example",
        "speed",
    ])?;
    let output = program(target_directory().join("release/examples/speed"))
        // Series that are over before the system lets another program have its turn.
        .env("SPEED_ROUNDS", "50")
        .output()
        .map_err(text)?;
    let said = String::from_utf8_lossy(&output.stdout);
    let told: Value =
        serde_json::from_str(said.trim()).map_err(|error| format!("{error}: {said}"))?;
    let all = told
        .as_object()
        .ok_or_else(|| format!("no figures: {said}"))?;
    for (name, figure) in all {
        let (Some(name), Some(figure)) = (name.strip_suffix("_ns"), figure.as_f64()) else {
            continue;
        };
        let (what, took) = (
            format!("a command: {}", name.replace('_', " ")),
            figure / 1e3,
        );
        match name {
            "build_and_lint" => figures.at_most(&what, 10.0, took, " µs"),
            _ => figures.note(&what, format!("{} µs", rounded(took))),
        }
    }
    Ok(())
}
