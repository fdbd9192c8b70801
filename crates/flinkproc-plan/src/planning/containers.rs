//! The size and place of a YARN application's containers, as Flink's configuration says it.

use std::collections::BTreeMap;

use flinkproc_core::ByteSize;

use super::Draft;
use crate::plan_error::PlanError;

/// What a section of the spec says of containers.
#[derive(Debug)]
pub(super) struct Containers<'a> {
    pub(super) section: &'static str,
    pub(super) jobmanager_memory: Option<ByteSize>,
    pub(super) taskmanager_memory: Option<ByteSize>,
    pub(super) slots: Option<u32>,
    pub(super) queue: Option<&'a str>,
    pub(super) node_label: Option<&'a str>,
    pub(super) application_type: Option<&'a str>,
}

/// Writes the wishes into the configuration; one that is there already is a conflict.
pub(super) fn set(
    draft: &Draft<'_>,
    wishes: &Containers<'_>,
    config: &mut BTreeMap<String, String>,
) -> Result<(), PlanError> {
    let section = wishes.section;
    let text = |text: Option<&str>| text.map(ToOwned::to_owned);
    let written = [
        (
            "jobmanager_memory",
            "jobmanager.memory.process.size",
            wishes.jobmanager_memory.map(as_flink_reads),
        ),
        (
            "taskmanager_memory",
            "taskmanager.memory.process.size",
            wishes.taskmanager_memory.map(as_flink_reads),
        ),
        (
            "slots",
            "taskmanager.numberOfTaskSlots",
            wishes.slots.map(|slots| slots.to_string()),
        ),
        ("queue", "yarn.application.queue", text(wishes.queue)),
        (
            "node_label",
            "yarn.application.node-label",
            text(wishes.node_label),
        ),
        (
            "application_type",
            "yarn.application.type",
            text(wishes.application_type),
        ),
    ];
    for (name, key, value) in written {
        let Some(value) = value else { continue };
        let at = || draft.at(&format!("{section}.{name}"));
        if value.trim().is_empty() || value == "0" {
            let problem = if name == "slots" {
                "a TaskManager has at least one slot"
            } else {
                "it is empty"
            };
            return Err(PlanError::Invalid {
                at: at(),
                value,
                problem: problem.to_owned(),
            });
        }
        if config.insert(key.to_owned(), value).is_some() {
            return Err(PlanError::Conflict {
                first: format!("{section}.{name}"),
                second: format!("{section}.flink_config.{key}"),
            });
        }
    }
    Ok(())
}

/// Whole mebibytes where it can be, as people write it.
fn as_flink_reads(size: ByteSize) -> String {
    if size.bytes().is_multiple_of(1 << 20) {
        format!("{}m", size.mib())
    } else {
        format!("{}k", size.bytes() >> 10)
    }
}
