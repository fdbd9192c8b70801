//! What this crate makes of command lines, compared with Flink's own classes of every minor version.
//!
//! `JUDGE_LINES` is the number of generated lines for each version and action, 40 when it is not set; with `JUDGE_WRITE` the
//! table of configuration keys is written anew.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
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
#[path = "judge/memory.rs"]
mod memory;
#[path = "judge/ours.rs"]
mod ours;
#[path = "judge/phrases.rs"]
mod phrases;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use flinkproc_core::FlinkVersion;
use flinkproc_flink_cli::grammar::{Action, Grammar, Takes};

use jvm::{Dice, Judge, Question, VERSIONS, name, normal, plain, variable, wanted};
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

/// A line for one action.
type Line = (Action, Vec<String>);

fn compare(differences: &mut Differences, judge: &mut Judge, version: FlinkVersion, all: &[Line]) {
    let questions: Vec<Question> = all
        .iter()
        .map(|(action, words)| (name(*action).to_owned(), words.clone()))
        .collect();
    let answers = judge.ask_all(&questions);
    for ((action, words), theirs) in all.iter().zip(answers) {
        let theirs = normal(&theirs);
        let ours = ours(version, *action, words);
        differences.asked += 1;
        if !same(&ours, &theirs) {
            differences.add(&format!(
                "{version} {action} {words:?}\n  ours   {}\n  theirs {}",
                plain(&only(&ours, &theirs)),
                plain(&only(&theirs, &ours))
            ));
        }
    }
}

/// Everything in one test: a JVM is started once for each version.
#[test]
fn flinks_own_classes_agree() {
    if !wanted() {
        return;
    }
    let mut differences = Differences::default();
    let mut refused = 0;
    let mut keys = keys::Keys::default();
    let mut silent: BTreeMap<&str, Vec<FlinkVersion>> = BTreeMap::new();
    for (at, (text, ..)) in VERSIONS.iter().enumerate() {
        let version: FlinkVersion = text.parse().expect("a version");
        let mut judge = Judge::start(text);
        has_options(&mut differences, &mut judge, version);
        reads_lines(&mut differences, &mut judge, version);
        refused += reads_what_is_built(&mut differences, &mut judge, version);
        takes_memory(&mut differences, &mut judge, version);
        keys.add(at, &mut judge);
        for phrase in phrases::missing(&mut judge, version) {
            silent.entry(phrase).or_default().push(version);
        }
    }
    assert_eq!(silent, BTreeMap::new(), "phrases that are never said");
    let wishes = VERSIONS.len() * count() * 10;
    assert!(refused * 4 < wishes, "{refused} of {wishes} were refused");
    differences.end();
    keys.compare();
}

/// The options of each action.
fn has_options(differences: &mut Differences, judge: &mut Judge, version: FlinkVersion) {
    for action in Action::ALL {
        if !action.is_in(version) {
            continue;
        }
        let grammar = Grammar::of(action, version);
        // What is spelled like an earlier one takes its place.
        let mut ours = BTreeMap::new();
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
        let theirs = judge.ask("options", &[name(action)]);
        differences.asked += 1;
        if theirs != format!("options\t{}", ours.join("\t")) {
            differences.add(&format!("{version} {action}\n  {ours:?}\n  {theirs}"));
        }
    }
}

/// Generated lines.
fn reads_lines(differences: &mut Differences, judge: &mut Judge, version: FlinkVersion) {
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let mut all = Vec::new();
    for action in Action::ALL {
        if action.is_in(version) {
            all.extend((0..count()).map(|_| (action, lines::line(&mut dice, action))));
        }
    }
    compare(differences, judge, version, &all);
}

/// What this crate builds; counts what it refuses to build.
fn reads_what_is_built(
    differences: &mut Differences,
    judge: &mut Judge,
    version: FlinkVersion,
) -> usize {
    let mut refused = 0;
    let mut dice = Dice(0x2545_F491_4F6C_DD1D);
    let (mut wishes, mut lines) = (Vec::new(), Vec::new());
    for _ in 0..count() * 10 {
        let wish = built::wish(&mut dice, version);
        let Ok(argv) = wish.command.argv(version) else {
            refused += 1;
            continue;
        };
        let action = wish.command.action();
        let words = match action {
            Action::Session => argv,
            _ => argv.get(1..).expect("an action's word").to_vec(),
        };
        wishes.push(wish);
        lines.push((action, words));
    }
    compare(differences, judge, version, &lines);
    let questions: Vec<Question> = lines
        .iter()
        .map(|(action, words)| (format!("built-{}", name(*action)), words.clone()))
        .collect();
    let answers = judge.ask_all(&questions);
    for ((wish, (action, words)), said) in wishes.iter().zip(&lines).zip(answers) {
        for missing in built::missing(wish, version, words, &said) {
            differences.add(&format!("{version} {action} {words:?}\n  {missing}"));
        }
    }
    refused
}

/// Memory just enough, and a little less.
fn takes_memory(differences: &mut Differences, judge: &mut Judge, version: FlinkVersion) {
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let (asked, found) = memory::compare(judge, version, &mut dice, count());
    differences.asked += asked;
    for difference in found {
        differences.add(&format!("{version} {difference}"));
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
