//! Building and linting one of Flink's command lines.

use serde_json::Value;

use crate::bench::figures::Figures;
use crate::cargo::{output, say};

/// What the example says of itself; microseconds for each name.
pub(crate) fn measure(figures: &mut Figures) -> Result<(), String> {
    say("\nOne of Flink's command lines, built and linted");
    let said = output(&[
        "run",
        "--release",
        "--quiet",
        "--package",
        "flinkproc-flink-cli",
        "--example",
        "speed",
    ])?;
    let told: Value =
        serde_json::from_str(said.trim()).map_err(|error| format!("{error}: {said}"))?;
    let all = told
        .as_object()
        .ok_or_else(|| format!("no figures: {said}"))?;
    for (name, figure) in all {
        if let (Some(what), Some(figure)) = (name.strip_suffix("_us"), figure.as_f64()) {
            let what = format!("a command, {}", what.replace('_', " "));
            figures.at_most(&what, 10.0, figure, " µs");
        }
    }
    Ok(())
}
