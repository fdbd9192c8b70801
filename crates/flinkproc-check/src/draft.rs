//! A `flinkproc.toml` in the making: keys with their values, and where they come from.

use std::collections::BTreeMap;
use std::fmt::Write;

/// A value of the spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    Number(u64),
    Flag(bool),
    List(Vec<String>),
    /// TOML as it stands.
    Raw(String),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

pub(crate) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

impl Value {
    fn toml(&self) -> String {
        match self {
            Self::Text(text) => quoted(text),
            Self::Number(number) => number.to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::Raw(raw) => raw.clone(),
            Self::List(list) => {
                let items: Vec<String> = list.iter().map(|item| quoted(item)).collect();
                format!("[{}]", items.join(", "))
            }
        }
    }
}

/// The sections in the order in which they are written.
const SECTIONS: [&str; 13] = [
    "params",
    "job",
    "job.restore",
    "job.flink_config",
    "session",
    "cluster",
    "cluster.master",
    "cluster.labels",
    "cluster.properties",
    "cluster.metadata",
    "staging",
    "watch",
    "ssh",
];

/// The spec's keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Draft {
    sections: BTreeMap<&'static str, Vec<(String, Value)>>,
    comments: BTreeMap<&'static str, Vec<String>>,
}

impl Draft {
    /// Sets a key; a later value takes an earlier one's place.
    pub(crate) fn set(&mut self, section: &'static str, key: &str, value: impl Into<Value>) {
        let keys = self.sections.entry(section).or_default();
        let value = value.into();
        match keys.iter_mut().find(|(own, _)| own == key) {
            Some(entry) => entry.1 = value,
            None => keys.push((key.to_owned(), value)),
        }
    }

    pub(crate) fn has(&self, section: &str, key: &str) -> bool {
        let keys = self.sections.get(section);
        keys.is_some_and(|keys| keys.iter().any(|(own, _)| own == key))
    }

    /// A line of comment at the end of a section.
    pub(crate) fn comment(&mut self, section: &'static str, text: impl Into<String>) {
        self.comments.entry(section).or_default().push(text.into());
    }

    /// The file, with a first line of comment.
    pub(crate) fn text(&self, head: &str) -> String {
        let mut text = String::new();
        for line in head.lines() {
            let _ = writeln!(text, "# {line}");
        }
        for section in SECTIONS {
            let keys = self.sections.get(section);
            let comments = self.comments.get(section);
            if keys.is_none() && comments.is_none() {
                continue;
            }
            let _ = writeln!(text, "\n[{section}]");
            for (key, value) in keys.into_iter().flatten() {
                let bare = key
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
                // A key of a map may hold dots; a key of the spec with dots is a path.
                let map = matches!(
                    section,
                    "job.flink_config"
                        | "cluster.labels"
                        | "cluster.properties"
                        | "cluster.metadata"
                );
                let key = if bare && !(map && key.contains('.')) {
                    key.clone()
                } else {
                    quoted(key)
                };
                let _ = writeln!(text, "{key} = {}", value.toml());
            }
            for comment in comments.into_iter().flatten() {
                let _ = writeln!(text, "# {comment}");
            }
        }
        text
    }
}

/// A spec made of something else.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Converted {
    /// The text of the `flinkproc.toml`.
    pub text: String,
    /// What was wrong before, and is not any more.
    pub mended: Vec<String>,
    /// What could not be taken over, and why.
    pub left: Vec<String>,
}
