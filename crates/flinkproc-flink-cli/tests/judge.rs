//! What this crate makes of command lines, compared with Flink's own classes of every minor version.
//!
//! `JUDGE_LINES` is the number of generated lines for each version and action, 40 when it is not set; with `JUDGE_WRITE` the
//! table of configuration keys is written anew.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test may fail where it stands, and this one starts Flink's own classes"
)]

#[path = "judge/built.rs"]
mod built;
#[path = "judge/jvm.rs"]
mod jvm;
#[path = "judge/keys.rs"]
mod keys;
#[path = "judge/lines.rs"]
mod lines;
#[path = "judge/ours.rs"]
mod ours;

use std::fmt::Write as _;

use flinkproc_core::FlinkVersion;
use flinkproc_flink_cli::grammar::{Action, Grammar, Takes};

use jvm::{Dice, Judge, VERSIONS, plain, variable, wanted};
use ours::{only, ours, same};

/// How many lines for each version and action.
fn count() -> usize {
    let number = variable("JUDGE_LINES").and_then(|number| number.parse().ok());
    number.unwrap_or(40)
}

/// The differences, of which the first are shown.
#[derive(Debug, Default)]
struct Differences {
    asked: usize,
    count: usize,
    shown: String,
}

impl Differences {
    fn add(&mut self, what: &str) {
        self.count += 1;
        if self.count < 40 {
            self.shown.push_str(what);
            self.shown.push('\n');
        }
    }

    fn end(&self) {
        let Self {
            asked,
            count,
            shown,
        } = self;
        assert!(*asked > 0, "nothing was asked");
        assert_eq!(*count, 0, "of {asked} lines these differ:\n{shown}");
        println!("{asked} lines, no difference");
    }
}

fn compare(
    differences: &mut Differences,
    judge: &mut Judge,
    version: FlinkVersion,
    action: Action,
    words: &[String],
) {
    let theirs = judge.reads(action, words);
    let ours = ours(version, action, words);
    differences.asked += 1;
    if !same(&ours, &theirs) {
        differences.add(&format!(
            "{version} {action} {words:?}\n  ours   {}\n  theirs {}",
            plain(&only(&ours, &theirs)),
            plain(&only(&theirs, &ours))
        ));
    }
}

#[test]
fn every_version_reads_lines_as_this_crate_says() {
    if !wanted() {
        return;
    }
    let mut differences = Differences::default();
    for (text, ..) in VERSIONS {
        let version: FlinkVersion = text.parse().expect("a version");
        let mut judge = Judge::start(text);
        let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
        for action in Action::ALL {
            if !action.is_in(version) {
                continue;
            }
            for _ in 0..count() {
                let words = lines::line(&mut dice, action);
                compare(&mut differences, &mut judge, version, action, &words);
            }
        }
    }
    differences.end();
}

#[test]
fn every_version_has_the_options_that_this_crate_says() {
    if !wanted() {
        return;
    }
    let mut differences = Differences::default();
    for (text, ..) in VERSIONS {
        let version: FlinkVersion = text.parse().expect("a version");
        let mut judge = Judge::start(text);
        for action in Action::ALL {
            if !action.is_in(version) {
                continue;
            }
            let grammar = Grammar::of(action, version);
            // What is spelled like an earlier one takes its place.
            let mut ours = std::collections::BTreeMap::new();
            for option in grammar.options() {
                let takes = match option.takes {
                    Takes::Nothing => "Nothing",
                    Takes::One => "One",
                    Takes::Maybe => "Maybe",
                    Takes::Pair => "Pair",
                    Takes::Many => "Many",
                };
                let row = format!("{},{},{takes}", option.short, option.long);
                ours.insert(option.short, row);
            }
            let mut ours: Vec<String> = ours.into_values().collect();
            ours.sort();
            let theirs = judge.ask("options", &[jvm::name(action)]);
            differences.asked += 1;
            if theirs != format!("options\t{}", ours.join("\t")) {
                differences.add(&format!("{version} {action}\n  {ours:?}\n  {theirs}"));
            }
        }
    }
    differences.end();
}

#[test]
fn every_version_reads_what_is_built_as_it_was_meant() {
    if !wanted() {
        return;
    }
    let mut differences = Differences::default();
    let mut refused = 0;
    for (text, ..) in VERSIONS {
        let version: FlinkVersion = text.parse().expect("a version");
        let mut judge = Judge::start(text);
        let mut dice = Dice(0x2545_F491_4F6C_DD1D);
        let wishes = count() * 10;
        for _ in 0..wishes {
            let wish = built::wish(&mut dice, version);
            let Ok(argv) = wish.command.argv(version) else {
                refused += 1;
                continue;
            };
            let action = wish.command.action();
            let words = match action {
                Action::Session => argv.as_slice(),
                _ => argv.get(1..).expect("an action's word"),
            };
            compare(&mut differences, &mut judge, version, action, words);
            for missing in built::missing(&wish, version, words, &mut judge) {
                differences.add(&format!("{version} {action} {words:?}\n  {missing}"));
            }
        }
    }
    let wishes = differences.asked + refused;
    assert!(
        refused * 4 < wishes,
        "{refused} of {wishes} wishes were refused"
    );
    differences.end();
}

#[test]
fn the_table_of_configuration_keys_is_what_the_jars_hold() {
    if wanted() {
        keys::compare();
    }
}

#[test]
fn words_pass_to_the_judge_and_back() {
    let mut all = String::new();
    for text in ["", "a b", "ü\t", "-", "\u{1}"] {
        if !text.is_empty() {
            write!(all, "{}", jvm::unhex(&jvm::hex(text))).expect("a string takes all");
        }
    }
    assert_eq!(all, "a bü\t-\u{1}");
}
