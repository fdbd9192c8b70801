//! Flink's phrases, looked for in the jars.

use flinkproc_core::FlinkVersion;
use flinkproc_flink_cli::answers::{
    APPLICATION, CANCELLED_WITH, DISPOSED, INTERFACE, JOB, LIST, SAVEPOINT, SESSION, TRIGGERED,
};

use super::jvm::Judge;

/// The phrases that a version never says although this crate listens for them.
pub(crate) fn missing(judge: &mut Judge, version: FlinkVersion) -> Vec<&'static str> {
    let mut phrases = vec![SAVEPOINT, CANCELLED_WITH, DISPOSED, SESSION, INTERFACE];
    phrases.extend(LIST.iter().map(|(heading, _)| *heading));
    phrases.extend(APPLICATION);
    phrases.extend(JOB);
    if version.minor() >= (1, 19) {
        phrases.extend(TRIGGERED);
    }
    let said = judge.ask("phrases", &phrases);
    let said: Vec<&str> = said.split('\t').skip(1).collect();
    let phrases = phrases.into_iter().zip(said);
    phrases
        .filter(|(_, said)| *said != "true")
        .map(|(phrase, _)| phrase)
        .collect()
}
