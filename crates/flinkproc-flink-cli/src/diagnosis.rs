//! What is wrong with a Flink line that somebody wrote, and the line that does what was wanted.
//!
//! Two readings are laid side by side: Flink's own ([`Reading`]) and the writer's evident wish. Where they part there is a
//! finding; the line to write instead follows from the wish.
//!
//! ```
//! use flinkproc_flink_cli::diagnosis::{Rule, diagnose};
//!
//! let line = ["flink", "run", "-t", "yarn-per-job", "-ytm", "4096", "-py", "/srv/etl.py"];
//! let said = diagnose("1.17".parse()?, &line);
//! assert!(said.findings.iter().any(|finding| finding.rule == Rule::Dropped));
//! assert_eq!(
//!     said.instead[0].join(" "),
//!     "flink run -t yarn-per-job -Dtaskmanager.memory.process.size=4096m -py /srv/etl.py",
//! );
//! # Ok::<(), flinkproc_core::image::UnknownVersion>(())
//! ```

mod check;
mod cluster;
mod configuration;
mod finding;
mod intent;
mod program;
mod refused;
mod right;
mod slips;

use flinkproc_core::FlinkVersion;

pub use finding::{Finding, Rule, Severity};
pub use right::{APPLICATION, FILES, JOB};

use crate::grammar::Action;
use crate::reading::Reading;
use check::Check;
use intent::Intent;

/// What is to be said of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// What the line asks for; `None` where it is no line of Flink's.
    pub action: Option<Action>,
    /// What Flink makes of it; `None` where it refuses it.
    pub reading: Option<Reading>,
    /// What is wrong, in the order of the words.
    pub findings: Vec<Finding>,
    /// The lines to write instead, program first; empty where there is nothing to mend.
    pub instead: Vec<Vec<String>>,
}

impl Diagnosis {
    /// The worst of the findings.
    #[must_use]
    pub fn severity(&self) -> Option<Severity> {
        self.findings.iter().map(Finding::severity).max()
    }
}

/// Whether a word is Flink's command line program: `flink` or `yarn-session.sh`, with or without a folder.
#[must_use]
pub fn is_flink(word: &str) -> bool {
    matches!(
        word.rsplit('/').next(),
        Some("flink" | "yarn-session.sh" | "yarn-session")
    )
}

/// Reads a line that begins with `flink`, `yarn-session.sh` or an action.
#[must_use]
pub fn diagnose<S: AsRef<str>>(version: FlinkVersion, line: &[S]) -> Diagnosis {
    let words: Vec<&str> = line.iter().map(AsRef::as_ref).collect();
    let (action, front) = action(&words);
    let Some(action) = action else {
        return no_action(version, &words, front);
    };
    let rest = words.get(front..).unwrap_or_default();
    let intent = Intent::read(version, action, rest);
    if intent.help {
        let action = Some(action);
        return Diagnosis {
            action,
            reading: None,
            findings: Vec::new(),
            instead: Vec::new(),
        };
    }
    let reading = refused::reading(version, action, rest);
    let mut check = Check {
        version,
        action,
        front,
        words: rest,
        intent: &intent,
        findings: Vec::new(),
    };
    check.action();
    check.slips(refused::words(version, action, rest, &reading).as_deref());
    match &reading {
        Ok(reading) => {
            check.early(reading);
            check.dropped(reading);
            check.repeated(reading);
            check.swallowed(reading);
            check.cluster(reading);
        }
        Err(refusal) => check.refused(refusal),
    }
    if action.takes_program() {
        check.program();
    } else {
        check.on_job();
    }
    check.configuration();
    let mut findings = check.findings;
    findings.sort_by_key(|finding| finding.words.start);
    let instead = if findings
        .iter()
        .any(|finding| finding.severity() > Severity::Note)
    {
        let mut meant = intent.clone();
        configuration::mend(version, &mut meant);
        right::lines(version, action, &meant)
    } else {
        Vec::new()
    };
    Diagnosis {
        action: Some(action),
        reading: reading.ok(),
        findings,
        instead,
    }
}

/// The lines that do what was wanted, also where nothing is wrong with the line; empty where it is no line of Flink's.
#[must_use]
pub fn right_lines<S: AsRef<str>>(version: FlinkVersion, line: &[S]) -> Vec<Vec<String>> {
    let words: Vec<&str> = line.iter().map(AsRef::as_ref).collect();
    let (action, front) = action(&words);
    let rest = words.get(front..).unwrap_or_default();
    action.map_or_else(Vec::new, |action| {
        let mut meant = Intent::read(version, action, rest);
        configuration::mend(version, &mut meant);
        right::lines(version, action, &meant)
    })
}

/// The action, and how many words name it.
fn action(words: &[&str]) -> (Option<Action>, usize) {
    match words {
        [program, ..]
            if program
                .rsplit('/')
                .next()
                .is_some_and(|name| name.starts_with("yarn-session")) =>
        {
            (Some(Action::Session), 1)
        }
        [program, action, ..] if is_flink(program) => (Action::named(action), 2),
        [program] if is_flink(program) => (None, 1),
        [action, ..] => (Action::named(action), 1),
        [] => (None, 0),
    }
}

fn no_action(version: FlinkVersion, words: &[&str], front: usize) -> Diagnosis {
    let at = front.saturating_sub(1);
    let mut findings = Vec::new();
    if let Some(word) = words
        .get(at)
        .filter(|word| !word.starts_with('-') && !is_flink(word) && !word.contains('$'))
    {
        let known = Action::ALL.into_iter().filter(|known| known.is_in(version));
        let known: Vec<&str> = known.map(Action::word).collect();
        findings.push(Finding {
            rule: Rule::NoAction,
            words: at..at + 1,
            happens: format!(
                "Flink {version} has no action `{word}`: it prints its help and exits with 1"
            ),
            why: "the first word behind `flink` is an action",
            help: format!("write one of {}", known.join(", ")),
        });
    }
    Diagnosis {
        action: None,
        reading: None,
        findings,
        instead: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
