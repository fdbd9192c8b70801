//! Flink's configuration as this version reads it: keys that it does not know, and memory that is not enough.

use std::collections::BTreeMap;

use flinkproc_core::FlinkVersion;
use flinkproc_flink_cli::config_keys::{Standing, nearest, standing};
use flinkproc_flink_cli::memory_model::shortfalls;

use super::Draft;
use crate::plan_error::PlanError;

/// Warns of every key that this version does not know.
pub(super) fn check_keys<'a>(
    draft: &mut Draft<'_>,
    section: &str,
    flink: FlinkVersion,
    keys: impl IntoIterator<Item = &'a str>,
) {
    let (major, minor) = flink.minor();
    for key in keys {
        let what = match standing(flink, key) {
            Standing::Since((major, minor)) => format!("it came with {major}.{minor}"),
            Standing::Until((major, minor)) => format!("{major}.{minor} was the last to have it"),
            Standing::Unknown => "no version has it".to_owned(),
            _ => continue,
        };
        let near = nearest(flink, key).filter(|near| *near != key);
        let near = near.map(|near| format!("; did you mean `{near}`?"));
        draft.warn(format!(
            "{section}.{key}: Flink {major}.{minor} knows no such key ({what}){}",
            near.unwrap_or_default()
        ));
    }
}

/// Refuses memory that Flink could not start with, the cluster's own settings below those of the application.
pub(super) fn check_memory(
    draft: &Draft<'_>,
    config: &BTreeMap<String, String>,
) -> Result<(), PlanError> {
    let properties = draft.spec().cluster.properties.iter();
    let mut whole: BTreeMap<String, String> = properties
        .filter_map(|(key, value)| Some((key.strip_prefix("flink:")?.to_owned(), value.clone())))
        .collect();
    whole.extend(
        config
            .iter()
            .map(|(key, value)| (key.clone(), value.clone())),
    );
    match shortfalls(&whole).into_iter().next() {
        None => Ok(()),
        Some(short) => Err(PlanError::TooLittleMemory {
            key: short.key,
            size: short.size,
            minimum_mib: short.minimum_mib,
            reason: short.reason,
        }),
    }
}
