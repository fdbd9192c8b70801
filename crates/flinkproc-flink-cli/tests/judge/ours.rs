//! What this crate makes of a line, in the judge's words.

use std::fmt::Write as _;

use flinkproc_core::FlinkVersion;
use flinkproc_flink_cli::grammar::{Action, Grammar};
use flinkproc_flink_cli::reading::{Reading, Refusal};
use flinkproc_flink_cli::words::Unreadable;

use super::jvm::hex;

pub(crate) fn ours(version: FlinkVersion, action: Action, words: &[String]) -> String {
    match Reading::of(version, action, words) {
        Ok(reading) => {
            let mut out = String::new();
            if action == Action::Session {
                out.push_str("session");
                for (key, value) in &reading.configuration {
                    write!(out, "\tc:{}={}", hex(key), hex(value)).expect("takes");
                }
                for word in &reading.arguments {
                    write!(out, "\trest:{}", hex(word)).expect("takes");
                }
                return out;
            }
            write!(out, "line\tactive:{}", reading.parser).expect("takes");
            if let Some(class) = &reading.class {
                write!(out, "\tclass:{}", hex(class)).expect("takes");
            }
            if let Some(program) = &reading.program {
                write!(out, "\tjar:{}", hex(program)).expect("takes");
            }
            for word in &reading.arguments {
                write!(out, "\targ:{}", hex(word)).expect("takes");
            }
            if !action.takes_program() {
                let own: Vec<&str> = Grammar::own(action, version)
                    .map(|option| option.short)
                    .collect();
                for taken in &reading.words.options {
                    if own.contains(&taken.option.short) {
                        let text = format!("{}={}", taken.option.short, taken.values.join(","));
                        write!(out, "\to:{}", hex(&text)).expect("takes");
                    }
                }
            }
            for (key, value) in &reading.configuration {
                write!(out, "\tc:{}={}", hex(key), hex(value)).expect("takes");
            }
            out
        }
        Err(Refusal::Words(Unreadable::MissingValue { option })) => {
            format!(
                "error {}",
                hex(&format!("Missing argument for option: {}", option.short))
            )
        }
        Err(Refusal::Words(Unreadable::Ambiguous { word, .. })) => {
            format!("error {}", hex(&format!("Ambiguous option: '{word}'")))
        }
        Err(Refusal::Words(Unreadable::Unknown { word })) => {
            format!("error {}", hex(&format!("Unrecognized option: {word}")))
        }
        Err(_) => "error".to_owned(),
    }
}

pub(crate) fn only(of: &str, without: &str) -> String {
    let other: Vec<&str> = without.split('\t').collect();
    let own = of.split('\t').filter(|field| !other.contains(field));
    own.collect::<Vec<_>>().join("\t")
}

pub(crate) fn same(ours: &str, theirs: &str) -> bool {
    match (ours.strip_prefix("error"), theirs.strip_prefix("error\t")) {
        (Some(ours), Some(theirs)) => {
            let message = theirs.split('\t').nth(1).unwrap_or_default();
            message.starts_with(ours.trim())
        }
        // Whether a file is there is no matter of the line.
        (None, Some(theirs)) => {
            let gone = hex("Ship file ");
            let message = theirs.split('\t').nth(1).unwrap_or_default();
            message.starts_with(gone.as_str()) && ours.contains(&hex("yarn.ship-files"))
        }
        (None, None) => ours == theirs,
        _ => false,
    }
}
