//! The comparison of the submission methods, as `plan --compare-methods` prints it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ALL;

/// What a bench saw of the methods, by mode and method. The file is written by the bench; an empty one says that nothing was
/// measured.
const MEASURED: &str = include_str!("measured.json");

/// Figures by mode (`per-job`) and method (`ssh`).
pub type Measurements = BTreeMap<String, BTreeMap<String, Measured>>;

/// What a bench saw of one method in one mode, in the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Seconds from the submission to the job's first record.
    pub first_record_s: f64,
    /// The most memory that its processes held on the master, in megabytes.
    pub peak_master_mb: f64,
}

/// All methods side by side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The methods, in the order of the cells.
    pub methods: Vec<&'static str>,
    /// What is compared.
    pub rows: Vec<ComparisonRow>,
}

/// One thing that is compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ComparisonRow {
    /// What it is.
    pub title: &'static str,
    /// A sentence for each method.
    pub cells: Vec<String>,
}

/// The sentences that no bench decides; one for each of [`ALL`].
const SENTENCES: [(&str, [&str; 5]); 7] = [
    (
        "Flink functionality",
        [
            "Everything that `flink` on the master can do, in every mode.",
            "As ssh: the same launcher runs the same command.",
            "As ssh: the same launcher runs the same command.",
            "As ssh: the same launcher runs the same command.",
            "What Dataproc's Flink job passes on: no session, no secrets, no shipped Python; whether PyFlink runs is not confirmed.",
        ],
    ),
    (
        "Dataproc jobs list",
        [
            "Not there: Dataproc knows nothing of the job, YARN does.",
            "There, as a Pig job.",
            "There, as a PySpark job.",
            "There, as a Hadoop job.",
            "There, as a Flink job.",
        ],
    ),
    (
        "Error handling",
        [
            "The launcher's exit status, YARN's final status and Flink's job state make the verdict.",
            "The same verdict; Pig itself makes every failure a 5, so the launcher's own record holds.",
            "The same verdict; the Dataproc job ends with the launcher's exit status.",
            "The same verdict; the Dataproc job ends with the launcher's exit status.",
            "The state of the Dataproc job, and what YARN and Flink say where they can be asked.",
        ],
    ),
    (
        "Debugging",
        [
            "Output is read on the master as it is written; web pages can be forwarded.",
            "Output is in the Dataproc job and, every few seconds, in the bucket; nothing needs SSH.",
            "Output is in the Dataproc job and, every few seconds, in the bucket; nothing needs SSH.",
            "Output is in the Dataproc job and, every few seconds, in the bucket; nothing needs SSH.",
            "Only the Dataproc job's output and YARN's logs.",
        ],
    ),
    (
        "Complexity",
        [
            "A way to the master: an open port or Identity-Aware Proxy, OS Login or metadata keys.",
            "The PIG component, on images from 2.3 on.",
            "Nothing more than the image has.",
            "Nothing more than the image has, and a jar of ours in the bucket.",
            "An image that takes Flink jobs (2.0.71, 2.1.19 and later); labelled a preview by Google.",
        ],
    ),
    (
        "Maintenance",
        [
            "flinkproc keeps it; it is the default and tested most.",
            "flinkproc keeps it; it rests on Pig's syntax for two lines only.",
            "flinkproc keeps it; it rests on Dataproc running a Python file.",
            "flinkproc keeps it; it rests on Hadoop running a jar.",
            "Google keeps it; what it does may change.",
        ],
    ),
    (
        "Cloud Composer",
        [
            "Needs a way from the workers to the master.",
            "Dataproc's own operators show the job; only the Jobs API is needed.",
            "Dataproc's own operators show the job; only the Jobs API is needed.",
            "Dataproc's own operators show the job; only the Jobs API is needed.",
            "Dataproc's own operators show the job; only the Jobs API is needed.",
        ],
    ),
];

/// The methods side by side, with what the bench measured.
///
/// ```
/// let comparison = flinkproc_plan::methods::comparison();
/// assert_eq!(comparison.methods, ["ssh", "pig", "pyspark", "hadoop", "native"]);
/// assert_eq!(comparison.rows.len(), 9);
/// ```
#[must_use]
pub fn comparison() -> Comparison {
    // A test reads the file as well: one that cannot be read shows as nothing measured and fails there.
    compare(&serde_json::from_str(MEASURED).unwrap_or_default())
}

fn compare(measured: &Measurements) -> Comparison {
    let mut rows: Vec<ComparisonRow> = SENTENCES
        .iter()
        .map(|(title, cells)| ComparisonRow {
            title,
            cells: cells.iter().map(ToString::to_string).collect(),
        })
        .collect();
    let figures = |title, tell: fn(&Measured) -> String, what: &str| ComparisonRow {
        title,
        cells: ALL
            .iter()
            .map(|method| cell(measured, method.name, tell, what))
            .collect(),
    };
    let performance = figures(
        "Performance",
        |seen| format!("{:.1} s", seen.first_record_s),
        "to the first record",
    );
    let resources = figures(
        "Resource efficiency",
        |seen| format!("{:.0} MB", seen.peak_master_mb),
        "on the master at most",
    );
    rows.insert(4, performance);
    rows.push(resources);
    Comparison {
        methods: ALL.iter().map(|method| method.name).collect(),
        rows,
    }
}

/// What was measured of one method, mode by mode.
fn cell(
    measured: &Measurements,
    method: &str,
    tell: fn(&Measured) -> String,
    what: &str,
) -> String {
    let figures: Vec<String> = measured
        .iter()
        .filter_map(|(mode, methods)| Some(format!("{mode} {}", tell(methods.get(method)?))))
        .collect();
    if figures.is_empty() {
        return "Not measured.".to_owned();
    }
    format!("{} {what}, in the sandbox.", figures.join(", "))
}

#[cfg(test)]
mod tests {
    use super::{MEASURED, Measured, Measurements, compare, comparison};

    #[test]
    fn every_method_has_a_sentence_for_everything() {
        let comparison = comparison();
        for row in &comparison.rows {
            assert_eq!(row.cells.len(), comparison.methods.len(), "{}", row.title);
            for cell in &row.cells {
                assert!(cell.ends_with('.'), "{}: {cell}", row.title);
            }
        }
        let titles: Vec<_> = comparison.rows.iter().map(|row| row.title).collect();
        insta::assert_snapshot!(titles.join(", "), @"Flink functionality, Dataproc jobs list, Error handling, Debugging, Performance, Complexity, Maintenance, Cloud Composer, Resource efficiency");
    }

    #[test]
    fn the_checked_in_figures_can_be_read() {
        serde_json::from_str::<Measurements>(MEASURED).expect("the bench's format");
    }

    #[test]
    fn figures_are_shown_where_they_were_measured() {
        let seen = Measured {
            first_record_s: 21.25,
            peak_master_mb: 612.4,
        };
        let mut measured = Measurements::new();
        for mode in ["per-job", "session"] {
            let methods = measured.entry(mode.to_owned()).or_default();
            methods.insert("pig".to_owned(), seen);
        }
        let compared = compare(&measured);
        let cells = |title: &str| {
            let row = compared.rows.iter().find(|row| row.title == title);
            row.map(|row| row.cells[..2].join(" | "))
                .unwrap_or_default()
        };
        insta::assert_snapshot!(cells("Performance"), @"Not measured. | per-job 21.2 s, session 21.2 s to the first record, in the sandbox.");
        insta::assert_snapshot!(cells("Resource efficiency"), @"Not measured. | per-job 612 MB, session 612 MB on the master at most, in the sandbox.");
    }
}
