//! Configuration on a line: sizes without a unit, processes that are too small, keys that the version does not know.

use flinkproc_core::FlinkVersion;

use super::check::bytes;
use super::intent::Intent;
use super::{Check, Rule};
use crate::config_keys::{Standing, nearest, standing};
use crate::memory_model::{Config, Shortfall, shortfalls};

/// The processes that are too small, once bare numbers have their unit.
fn short(intent: &Intent<'_>) -> Vec<Shortfall> {
    if !intent.config.iter().any(|(key, _)| key.contains("memory.")) {
        return Vec::new();
    }
    let unit = |key: &str, value: &str| if bytes(key, value) { "m" } else { "" };
    let config: Config = intent
        .config
        .iter()
        .map(|(key, value)| (key.to_string(), format!("{value}{}", unit(key, value))))
        .collect();
    shortfalls(&config)
}

/// Writes the configuration as it was meant.
pub(super) fn mend(version: FlinkVersion, intent: &mut Intent<'_>) {
    for short in short(intent) {
        if let Some((_, value)) = intent.config.iter_mut().find(|(key, _)| key == short.key) {
            *value = format!("{}m", short.minimum_mib).into();
        }
    }
    intent.config.retain_mut(|(key, value)| {
        if bytes(key, value) {
            value.to_mut().push('m');
        }
        match standing(version, key) {
            Standing::Unknown => match nearest(version, key) {
                Some(near) => {
                    *key = near.into();
                    true
                }
                // Nobody reads it.
                None => false,
            },
            Standing::Since(_) | Standing::Until(_) => false,
            _ => true,
        }
    });
}

impl Check<'_, '_> {
    pub(super) fn configuration(&mut self) {
        let intent = self.intent;
        let version = self.version;
        for (key, value) in &intent.config {
            let mut words = self.words.iter();
            let named = |word: &&&str| {
                let pair = word.split_once('=').map_or(**word, |(name, _)| name);
                pair.strip_prefix("-yD")
                    .or_else(|| pair.strip_prefix("-D"))
                    .unwrap_or(pair)
                    == key
            };
            // What comes of an option has no word of its own.
            let Some(at) = words.position(|word| named(&word)) else {
                continue;
            };
            if bytes(key, value) {
                let happens =
                    format!("`{key}` becomes {value} bytes, and the process does not start");
                let why = "a number without a unit is bytes here; `-yjm` and `-ytm` alone take it for mebibytes";
                self.find(
                    Rule::Bytes,
                    at..at + 1,
                    happens,
                    why,
                    format!("write the unit: `{key}={value}m`"),
                );
            }
            let (happens, help) = match standing(version, key) {
                Standing::Unknown => (
                    format!("no Flink knows the key `{key}`: it is read by nobody"),
                    match nearest(version, key) {
                        Some(near) => format!("write `{near}`, if that is meant"),
                        None => "leave it out".to_owned(),
                    },
                ),
                Standing::Since((major, minor)) => (
                    format!(
                        "Flink {version} does not know the key `{key}` yet: it is read by nobody"
                    ),
                    format!("it came with Flink {major}.{minor}; leave it out"),
                ),
                Standing::Until((major, minor)) => (
                    format!(
                        "Flink {version} does not know the key `{key}` any more: it is read by nobody"
                    ),
                    format!("Flink {major}.{minor} was the last to have it; leave it out"),
                ),
                _ => continue,
            };
            self.find(
                Rule::UnknownKey,
                at..at + 1,
                happens,
                "Flink takes any key, and looks at those that it knows",
                help,
            );
        }
        for short in short(intent) {
            let option = match short.key {
                crate::memory_model::JOBMANAGER => ["yjm", "jm"],
                _ => ["ytm", "tm"],
            };
            let mut words = self.words.iter();
            let at = words.position(|word| {
                word.contains(short.key) || option.contains(&super::intent::bare(word))
            });
            let at = at.unwrap_or_default();
            let happens = format!(
                "{} of memory is too little, and the process does not start: {}",
                short.size, short.reason
            );
            let help = format!("give it {} MiB at least", short.minimum_mib);
            self.find(
                Rule::TooSmall,
                at..at + 1,
                happens,
                "Flink takes the JVM's own memory and buffers out of it first",
                help,
            );
        }
    }
}
