//! The combinations, and a small choice of them in which each two values of different kinds meet.

use std::collections::BTreeSet;
use std::fmt;

/// One combination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cell {
    pub(crate) image: &'static str,
    pub(crate) mode: &'static str,
    pub(crate) method: &'static str,
    pub(crate) program: Program,
}

/// What kind of program runs; both have Python functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Program {
    Table,
    Stream,
}

const IMAGES: [&str; 2] = ["sandbox-1.20", "sandbox-2.2"];
const MODES: [&str; 3] = ["per-job", "session", "application"];
const METHODS: [&str; 5] = ["ssh", "pig", "pyspark", "hadoop", "native"];

impl Cell {
    /// Every combination that there is.
    pub(crate) fn all() -> Vec<Self> {
        let mut cells = Vec::new();
        for image in IMAGES {
            for mode in MODES {
                for method in METHODS {
                    for program in [Program::Table, Program::Stream] {
                        let cell = Self {
                            image,
                            mode,
                            method,
                            program,
                        };
                        cells.extend(cell.exists().then_some(cell));
                    }
                }
            }
        }
        cells
    }

    /// Flink 2 has no per-job mode, and Dataproc's own Flink jobs go into no session of ours.
    fn exists(&self) -> bool {
        let gone = self.image == "sandbox-2.2" && self.mode == "per-job";
        let elsewhere = self.method == "native" && self.mode == "session";
        !gone && !elsewhere
    }

    fn values(self) -> [(u8, String); 4] {
        [
            (0, self.image.to_owned()),
            (1, self.mode.to_owned()),
            (2, self.method.to_owned()),
            (3, format!("{:?}", self.program)),
        ]
    }

    fn pairs(self) -> BTreeSet<[(u8, String); 2]> {
        let values = self.values();
        let mut pairs = BTreeSet::new();
        for (index, first) in values.iter().enumerate() {
            for second in &values[index + 1..] {
                pairs.insert([first.clone(), second.clone()]);
            }
        }
        pairs
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            image,
            mode,
            method,
            program,
        } = self;
        write!(f, "{program:?} program, {method}, {mode}, {image}")
    }
}

/// A few of the combinations that hold every pair of values that any of them holds.
pub(crate) fn pairs(all: &[Cell]) -> Vec<Cell> {
    let mut open: BTreeSet<_> = all.iter().flat_map(|cell| cell.pairs()).collect();
    let mut chosen = Vec::new();
    while !open.is_empty() {
        let news = |cell: &&Cell| cell.pairs().intersection(&open).count();
        // The last of the best, the same one every time.
        let best = *all.iter().max_by_key(news).unwrap();
        for pair in best.pairs() {
            open.remove(&pair);
        }
        chosen.push(best);
    }
    chosen.sort();
    chosen
}

#[test]
fn a_few_combinations_hold_every_pair() {
    let all = Cell::all();
    let chosen = pairs(&all);
    let held = |cells: &[Cell]| -> BTreeSet<_> { cells.iter().flat_map(|c| c.pairs()).collect() };
    assert_eq!(held(&chosen), held(&all));
    assert!(chosen.len() <= 18, "{}", chosen.len());
    assert_eq!(all.len(), 46);
}
