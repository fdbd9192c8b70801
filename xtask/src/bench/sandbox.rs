//! A deployment on real YARN and Flink whose parts are in the cache: until the first object of the result; and a cluster
//! alone.

use jiff::Timestamp;

use crate::bench::events::{Events, seconds};
use crate::bench::figures::{Figures, median, rounded};
use crate::bench::measure::Program;
use crate::bench::workplace::Workplace;
use crate::cargo::{output, root, say};

pub(crate) fn measure(workplace: &Workplace, figures: &mut Figures) -> Result<(), String> {
    say("\nThe example in the sandbox, once for what is not cached yet and once measured");
    let run = || {
        let deploy = Program::new(workplace.binary("flinkproc"))
            .args(["deploy", "--sandbox", "--events"])
            .args([workplace.events()])
            .args([root().join("docs/examples/word-count")])
            .env("FLINKPROC_STATE", workplace.path().join("state"));
        let started = now();
        let cost = deploy.measure(workplace.path())?;
        Ok::<_, String>((started, cost, Events::read(&workplace.events())?))
    };
    run()?;
    let (started, cost, events) = run()?;
    let first = seconds(started, events.first("result")?);
    figures.at_most(
        "second `deploy --sandbox`, first result object",
        75.0,
        first,
        " s",
    );
    figures.note("second `deploy --sandbox`, to its end", cost.to_string());
    let begun = rounded(seconds(started, events.first("began")?));
    let mut phases = vec![format!("sandbox up {begun} s")];
    let shown = |(step, took): (String, f64)| format!("{step} {} s", rounded(took));
    phases.extend(events.phases().into_iter().map(shown));
    figures.note("second `deploy --sandbox`, phases", phases.join(", "));
    cluster(figures)
}

/// A cluster of two workers alone: the median of three, of how long it takes to be there and to go.
fn cluster(figures: &mut Figures) -> Result<(), String> {
    say("\nA cluster of two NodeManagers, made and deleted three times");
    let example = [
        "run",
        "--release",
        "--quiet",
        "--package",
        "flinkproc-sandbox",
        "--example",
        "cluster",
    ];
    let mut runs = Vec::new();
    for _ in 0..3 {
        let said = output(&example)?;
        let figure = |name: &str| {
            let line = said.lines().find_map(|line| line.strip_prefix(name));
            let figure = line.and_then(|text| text.trim().parse::<f64>().ok());
            figure.ok_or_else(|| format!("the example did not say {name}: {said}"))
        };
        runs.push((figure("running_s")?, figure("deleted_s")?));
    }
    let running = median(runs.iter().map(|(running, _)| *running));
    let deleted = median(runs.iter().map(|(_, deleted)| *deleted));
    figures.at_most(
        "sandbox cluster of two workers, RUNNING",
        15.0,
        running,
        " s",
    );
    figures.at_most(
        "sandbox cluster of two workers, deleted",
        3.0,
        deleted,
        " s",
    );
    Ok(())
}

/// Now, on the clock that the events are written by.
#[expect(
    clippy::disallowed_methods,
    reason = "events hold times of the wall clock, and a bench reads clocks"
)]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}
