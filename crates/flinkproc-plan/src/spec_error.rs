//! What can be wrong with a spec as it is written, and where.

use flinkproc_core::{ErrorCode, Explain, FailureKind};

use crate::place::Place;

/// A spec, a flag or a parameter that cannot be read.
///
/// `Display` starts with the problem and, for what is in the file, ends with the line itself.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// The file is no TOML.
    #[error("{at} is not TOML: {message}{}", line(.at))]
    NotToml {
        /// Where the parser stopped.
        at: Box<Place>,
        /// What it says.
        message: String,
    },
    /// A key that the spec does not have.
    #[error("unknown key `{name}`{} at {at}{}", within(.table), line(.at))]
    UnknownKey {
        /// Where it stands.
        at: Box<Place>,
        /// The key.
        name: String,
        /// The table that it stands in; empty at the top.
        table: String,
        /// The known key that comes nearest.
        nearest: Option<String>,
        /// The keys that there are.
        known: Vec<String>,
    },
    /// A value of the wrong type or form.
    #[error("the value of `{key}` at {at} does not fit: {problem}{}", line(.at))]
    InvalidValue {
        /// Where it stands.
        at: Box<Place>,
        /// The key.
        key: String,
        /// What is wrong.
        problem: String,
    },
    /// A target that the file does not have.
    #[error("there is no target `{name}`")]
    UnknownTarget {
        /// The name asked for.
        name: String,
        /// The targets that there are.
        known: Vec<String>,
    },
    /// A flag that is no `key=value`.
    #[error("`{text}` is no `key=value`")]
    InvalidSet {
        /// What was written.
        text: String,
    },
    /// A parameter that the spec does not declare.
    #[error("the spec declares no parameter `{name}`")]
    UndeclaredParam {
        /// The name asked for.
        name: String,
        /// The parameters that there are.
        known: Vec<String>,
    },
    /// A parameter's value that its declaration does not allow.
    #[error("`{value}` cannot be the value of the parameter `{name}`: {problem}")]
    InvalidParam {
        /// The parameter.
        name: String,
        /// The value.
        value: String,
        /// What it should be.
        problem: String,
    },
    /// A parameter without default that got no value.
    #[error("the parameter `{name}` has no value")]
    MissingParam {
        /// The parameter.
        name: String,
    },
    /// A `${…}` that stands for nothing.
    #[error("`${{{name}}}` in `{key}` stands for nothing")]
    UnknownVariable {
        /// The key whose value holds it.
        key: String,
        /// What stands between the braces.
        name: String,
        /// What is known there.
        known: Vec<String>,
    },
    /// A `${` without its `}`.
    #[error("`${{` in `{key}` has no `}}`")]
    UnclosedVariable {
        /// The key whose value holds it.
        key: String,
    },
}

fn line(at: &Place) -> String {
    at.excerpt()
        .map(|text| format!("\n{text}"))
        .unwrap_or_default()
}

fn within(table: &str) -> String {
    if table.is_empty() {
        String::new()
    } else {
        format!(" in `{table}`")
    }
}

/// The known name that is so near that it may be meant.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let plain = |text: &str| text.to_lowercase().replace(['-', '_'], "");
    let wanted = plain(name);
    known
        .into_iter()
        .map(|candidate| {
            let near = strsim::normalized_damerau_levenshtein(&wanted, &plain(candidate));
            (near, candidate)
        })
        .filter(|(near, _)| *near >= 0.5)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate.to_owned())
}

/// A sentence that lists what there is.
fn listed(what: &str, known: &[String]) -> String {
    if known.is_empty() {
        format!("There are no {what}.")
    } else {
        format!("There are these {what}: `{}`.", known.join("`, `"))
    }
}

fn did_you_mean(name: &str, what: &str, known: &[String]) -> String {
    let near = nearest(name, known.iter().map(String::as_str));
    let near = near.map(|near| format!("Did you mean `{near}`? "));
    near.unwrap_or_default() + &listed(what, known)
}

impl Explain for SpecError {
    fn code(&self) -> ErrorCode {
        ErrorCode::new(match self {
            Self::NotToml { .. } => "SPC001",
            Self::UnknownKey { .. } => "SPC002",
            Self::InvalidValue { .. } => "SPC003",
            Self::UnknownTarget { .. } => "SPC004",
            Self::InvalidSet { .. } => "SPC005",
            Self::UndeclaredParam { .. } => "SPC006",
            Self::InvalidParam { .. } => "SPC007",
            Self::MissingParam { .. } => "SPC008",
            Self::UnknownVariable { .. } => "SPC009",
            Self::UnclosedVariable { .. } => "SPC010",
        })
    }

    fn kind(&self) -> FailureKind {
        FailureKind::Input
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::NotToml { .. } => {
                "Texts stand in quotes, tables in `[brackets]`; `flinkproc init` writes an example.".to_owned()
            }
            Self::UnknownKey { nearest: Some(nearest), .. } => format!("Did you mean `{nearest}`?"),
            Self::UnknownKey { known, .. } if known.is_empty() => "Remove it.".to_owned(),
            Self::UnknownKey { known, .. } => listed("keys here", known),
            Self::InvalidValue { problem, .. } if problem.contains("found floating point") => {
                "Put the value in quotes: `image = \"2.2\"`.".to_owned()
            }
            Self::InvalidValue { .. } => {
                "`flinkproc --generate schema` prints what each key takes.".to_owned()
            }
            Self::UnknownTarget { name, known } => did_you_mean(name, "targets", known),
            Self::InvalidSet { .. } => {
                "Write it as `--set cluster.image=2.2`; a part of the key that holds dots stands in quotes.".to_owned()
            }
            Self::UndeclaredParam { name, known } => did_you_mean(name, "parameters", known),
            Self::InvalidParam { name, .. } => {
                format!("The parameter's declaration is in `[params.{name}]` of the spec.")
            }
            Self::MissingParam { name } => {
                format!("Give it with `--param {name}=VALUE`, or a `default` in `[params.{name}]`.")
            }
            Self::UnknownVariable { name, known, .. } => format!(
                "{} For a literal `${{` write `$${{`.",
                did_you_mean(name, "names", known)
            ),
            Self::UnclosedVariable { .. } => {
                "Close it, or write `$${` for a literal `${`.".to_owned()
            }
        })
    }
}
