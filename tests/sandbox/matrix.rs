//! Every submission method in every mode on every Flink that the sandbox has.
//!
//! Here run enough of the combinations that each two values of different kinds meet; `FLINKPROC_TEST_FULL=1` runs them all.

#[path = "matrix/cells.rs"]
mod cells;
#[path = "matrix/corpus.rs"]
mod corpus;
#[path = "matrix/run.rs"]
pub(crate) mod run;

use self::cells::Cell;
use crate::full;
use crate::real::Real;

#[tokio::test(flavor = "multi_thread")]
async fn arguments_arrive_and_python_functions_run_by_every_method_and_mode() {
    let Some(real) = Real::turn().await else {
        return;
    };
    let all = Cell::all();
    let chosen = if full() { all } else { cells::pairs(&all) };
    let ran = chosen.len();
    let mut failures = Vec::new();
    for cell in chosen {
        if let Err(why) = run::cell(&real, &cell).await {
            failures.push(format!("{cell}: {why}"));
        }
    }
    real.left_nothing();
    assert!(
        failures.is_empty(),
        "{} of {ran} combinations failed:\n\n{}",
        failures.len(),
        failures.join("\n\n")
    );
}
