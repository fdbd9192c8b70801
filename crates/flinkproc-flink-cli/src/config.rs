//! What all lines that this crate builds have in common: the target, `-Dkey=value`, and what a key or value may hold.

use std::collections::BTreeMap;

use flinkproc_core::{FlinkVersion, YarnApplicationId, YarnMode};

use crate::error::FlinkCliError;
use crate::grammar::Action;
use crate::settings::Containers;

/// Keys that have a typed setting, or that Flink's client overwrites whatever `-D` says.
const OWNED: [(&str, &str); 14] = [
    ("execution.target", "the mode decides it"),
    (
        "execution.attached",
        "the client overwrites it: it stays attached unless the settings say detached",
    ),
    (
        "execution.shutdown-on-attached-exit",
        "the client overwrites it: use the setting",
    ),
    ("parallelism.default", "set the parallelism instead"),
    ("python.files", "name Python files instead"),
    (
        "pipeline.classpaths",
        "the client overwrites it: name classpaths instead",
    ),
    (
        "pipeline.jars",
        "the client overwrites it: name jars instead",
    ),
    ("execution.savepoint.ignore-unclaimed-state", RESTORE),
    ("execution.savepoint-restore-mode", RESTORE),
    ("execution.savepoint.path", RESTORE),
    ("execution.state-recovery.ignore-unclaimed-state", RESTORE),
    ("execution.state-recovery.claim-mode", RESTORE),
    ("execution.state-recovery.path", RESTORE),
    ("$internal.application.program-args", "Flink sets it"),
];

const RESTORE: &str = "name the state to restore instead, which the client writes there";

/// Characters that callers put in place of what is known only when the line runs; they pass all checks of form.
pub(crate) fn placeholder(letter: char) -> bool {
    ('\u{1}'..='\u{8}').contains(&letter)
}

/// A line in the making.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    argv: Vec<String>,
}

impl Lines {
    pub(crate) fn new() -> Self {
        Self {
            argv: Vec::with_capacity(24),
        }
    }

    pub(crate) fn action(action: Action) -> Self {
        let mut line = Self::new();
        line.word(action.word());
        line
    }

    pub(crate) fn word(&mut self, word: &str) {
        self.argv.push(word.to_owned());
    }

    pub(crate) fn option(&mut self, name: &str, value: &str) {
        self.word(name);
        self.word(value);
    }

    pub(crate) fn pair(&mut self, key: &str, value: &str) {
        self.argv.push(["-D", key, "=", value].concat());
    }

    pub(crate) fn configuration(&mut self, config: &BTreeMap<String, String>) {
        for (key, value) in config {
            self.pair(key, value);
        }
    }

    pub(crate) fn target(
        &mut self,
        mode: YarnMode,
        version: FlinkVersion,
    ) -> Result<(), FlinkCliError> {
        let target = match mode {
            YarnMode::PerJob if version.is_2() => {
                return Err(FlinkCliError::PerJobRemoved { version });
            }
            YarnMode::PerJob => "yarn-per-job",
            YarnMode::Session => "yarn-session",
            YarnMode::Application => "yarn-application",
        };
        self.option("-t", target);
        Ok(())
    }

    pub(crate) fn application(&mut self, id: &str) -> Result<(), FlinkCliError> {
        application_id(id)?;
        self.pair("yarn.application.id", id);
        Ok(())
    }

    pub(crate) fn into_argv(self) -> Vec<String> {
        self.argv
    }
}

/// Whether a text is the id of a YARN application, or stands for one.
pub(crate) fn application_id(id: &str) -> Result<(), FlinkCliError> {
    if id.parse::<YarnApplicationId>().is_err() && !id.chars().any(placeholder) {
        return Err(FlinkCliError::InvalidSetting {
            setting: "application",
            problem: "a YARN application's id is `application_`, a timestamp, `_` and a number",
        });
    }
    Ok(())
}

/// Refuses an action that a version lacks.
pub(crate) fn present(action: Action, version: FlinkVersion) -> Result<(), FlinkCliError> {
    if action.is_in(version) {
        return Ok(());
    }
    let (what, known, instead) = match action {
        Action::Checkpoint => (
            "action `flink checkpoint`",
            "it came with Flink 1.19",
            "Use `flink savepoint`, or trigger the checkpoint over Flink's REST API (1.17 and later).",
        ),
        _ => (
            "action `flink run-application`",
            "Flink 1.20 was the last to have it",
            "Use `flink run -t yarn-application`.",
        ),
    };
    Err(FlinkCliError::NotInVersion {
        version,
        what,
        known,
        instead,
    })
}

/// Refuses a key that has a setting of its own, or that the client overwrites.
pub(crate) fn check_key(key: &str) -> Result<(), FlinkCliError> {
    let refuse = |problem| {
        let key = key.to_owned();
        Err(FlinkCliError::InvalidConfig { key, problem })
    };
    if let Some((_, reason)) = OWNED.iter().find(|(owned, _)| *owned == key) {
        return refuse(reason);
    }
    if key.is_empty() || key.contains(|c: char| c == '=' || c.is_whitespace() || c.is_control()) {
        return refuse("a key is not empty and holds no `=`, space or control character");
    }
    Ok(())
}

/// Refuses a value that would be lost or read as something else.
///
/// `file` says that it reaches its reader through a configuration file that the client writes for the cluster.
pub(crate) fn check_value(
    version: FlinkVersion,
    key: &str,
    value: &str,
    file: bool,
) -> Result<(), FlinkCliError> {
    let refuse = |problem| {
        let key = key.to_owned();
        Err(FlinkCliError::InvalidConfig { key, problem })
    };
    if value.contains('\0') {
        return refuse("a value holds no NUL character");
    }
    // Commons CLI takes one pair of quotes off a value.
    let quoted = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    if quoted.is_some_and(|inner| !inner.contains('"')) {
        return refuse("the client takes the quotes around a value off");
    }
    if file && !survives(version, value) {
        return refuse(
            "up to Flink 1.18 the cluster reads a value only to the first `#` or line break, and without spaces around it",
        );
    }
    Ok(())
}

/// Whether a text survives the configuration file that the client writes for the cluster: up to 1.18 that has one line for
/// each key, in which `#` starts a comment.
pub(crate) fn survives(version: FlinkVersion, text: &str) -> bool {
    version.minor() >= (1, 19)
        || !(text.contains(['#', '\n', '\r'])
            || text.trim_matches(|letter| letter <= ' ' && !placeholder(letter)) != text)
}

/// What the containers get, as configuration.
pub(crate) fn containers(
    config: &mut BTreeMap<String, String>,
    containers: &Containers,
) -> Result<(), FlinkCliError> {
    let Containers {
        jobmanager_memory,
        taskmanager_memory,
        slots,
        queue,
        node_label,
        application_type,
    } = containers;
    let number = |setting, number: &Option<u32>, unit: &str| match number {
        Some(0) => {
            let problem = "it is a positive number";
            Err(FlinkCliError::InvalidSetting { setting, problem })
        }
        number => Ok(number.map(|number| format!("{number}{unit}"))),
    };
    let wishes = [
        (
            "jobmanager.memory.process.size",
            number("jobmanager_memory", jobmanager_memory, "m")?,
        ),
        (
            "taskmanager.memory.process.size",
            number("taskmanager_memory", taskmanager_memory, "m")?,
        ),
        ("taskmanager.numberOfTaskSlots", number("slots", slots, "")?),
        ("yarn.application.queue", queue.clone()),
        ("yarn.application.node-label", node_label.clone()),
        ("yarn.application.type", application_type.clone()),
    ];
    for (key, value) in wishes {
        let Some(value) = value else { continue };
        match config.insert(key.to_owned(), value.clone()) {
            Some(other) if other != value => {
                let key = key.to_owned();
                let problem = "a setting of its own says otherwise";
                return Err(FlinkCliError::InvalidConfig { key, problem });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Puts items behind what a list in the configuration holds.
pub(crate) fn insert_list(
    config: &mut BTreeMap<String, String>,
    key: &str,
    separator: char,
    more: &[String],
) -> Result<(), FlinkCliError> {
    if more.is_empty() {
        return Ok(());
    }
    if more
        .iter()
        .any(|item| item.contains(separator) || item.is_empty())
    {
        return Err(FlinkCliError::InvalidConfig {
            key: key.to_owned(),
            problem: "an item is empty or holds the character that parts the list",
        });
    }
    let mut list = config.remove(key).unwrap_or_default();
    for item in more {
        if !list.is_empty() {
            list.push(separator);
        }
        list.push_str(item);
    }
    config.insert(key.to_owned(), list);
    Ok(())
}

/// Refuses a path that Flink cannot ship.
pub(crate) fn shipped(path: &str) -> Result<(), FlinkCliError> {
    if path.is_empty() || path.contains([';', ',']) {
        return Err(FlinkCliError::InvalidPath {
            path: path.to_owned(),
            problem: "the list of what is shipped is parted by semicolons and commas",
        });
    }
    Ok(())
}
