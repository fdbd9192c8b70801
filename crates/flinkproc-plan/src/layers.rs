//! Layering: what is outside, the file, a target, the environment and the flags become one spec, and each value keeps its
//! source.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::place::{At, Origin, Place, Source, SpecText};
use crate::spec::Spec;
use crate::spec_error::{SpecError, nearest};

mod node;
mod shape;
mod value;

use node::{Node, Table, Value};
use value::{NodeReader, Problem, ValueError};

/// A scalar (or a list in TOML's form) that something else than the file gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provided {
    /// The key, such as `cluster.region`; a part that holds dots stands in quotes.
    pub key: String,
    /// Its text; the key's type decides what it means.
    pub value: String,
    /// Who gives it.
    pub source: Source,
}

impl Provided {
    /// A value and who gives it.
    #[must_use]
    pub fn new(key: impl Into<String>, value: impl Into<String>, source: Source) -> Self {
        Self {
            key: key.into(),
            value: value.into(),
            source,
        }
    }

    /// The value of a flag `--set key=value`.
    ///
    /// # Errors
    /// When there is no `=` or no key.
    pub fn set(text: &str) -> Result<Self, SpecError> {
        let wrong = || SpecError::InvalidSet {
            text: text.to_owned(),
        };
        let (key, value) = text.split_once('=').ok_or_else(wrong)?;
        let key = key.trim();
        shape::key_path(key).ok_or_else(wrong)?;
        let source = Source::Flag(format!("--set {key}"));
        Ok(Self::new(key, value, source))
    }
}

/// What a spec is made of. The first of these that has a value gives it: flags, environment, target, file, outside.
#[derive(Clone, Debug, Default)]
pub struct Layers<'a> {
    /// The file's name, as errors show it.
    pub name: &'a str,
    /// The file's text.
    pub text: &'a str,
    /// The overlay that `--target` names.
    pub target: Option<&'a str>,
    /// What holds where the file says nothing: project, region and zone of the active gcloud configuration.
    pub outside: Vec<Provided>,
    /// Variables `FLINKPROC_…`.
    pub environment: Vec<Provided>,
    /// Flags and `--set`; a later one goes over an earlier one.
    pub flags: Vec<Provided>,
}

/// A spec and where each of its values was written.
#[derive(Clone, Debug)]
pub struct LayeredSpec {
    /// The spec.
    pub spec: Spec,
    text: SpecText,
    origins: BTreeMap<String, Origin>,
    outside: Vec<Provided>,
}

impl Layers<'_> {
    /// Makes one spec of all layers.
    ///
    /// ```
    /// use flinkproc_plan::{Layers, Provided};
    ///
    /// let layered = Layers {
    ///     name: "flinkproc.toml",
    ///     text: "[cluster]\nimage = '2.2'\n[target.prod.cluster]\nworkers = 8\n",
    ///     target: Some("prod"),
    ///     flags: vec![Provided::set("cluster.max_idle=20m")?],
    ///     ..Layers::default()
    /// }
    /// .resolve()?;
    /// assert_eq!(layered.spec.cluster.workers.count, Some(8));
    /// assert_eq!(layered.at("cluster.workers").to_string(), "`cluster.workers` at flinkproc.toml:4:11\n  4 | workers = 8\n    |           ^");
    /// # Ok::<(), flinkproc_plan::SpecError>(())
    /// ```
    ///
    /// # Errors
    /// When the text is no TOML, a key is unknown or a value does not fit, in whichever layer; also in targets that are not
    /// chosen.
    pub fn resolve(&self) -> Result<LayeredSpec, SpecError> {
        let text = SpecText::new(self.name, self.text);
        let mut file = Node::parse_document(self.text).map_err(|error| SpecError::NotToml {
            at: Box::new(Place::new(
                &text,
                &Origin {
                    source: Source::File,
                    span: error.span,
                },
            )),
            message: error.message,
        })?;
        let targets = take_targets(&mut file, &text)?;
        shape::normalise(&mut file);
        read(&file, &text)?;
        let known = || targets.keys().cloned().collect::<Vec<_>>();
        let chosen = match self.target {
            None => None,
            Some(name) => {
                Some(
                    targets
                        .get(name)
                        .cloned()
                        .ok_or_else(|| SpecError::UnknownTarget {
                            name: name.to_owned(),
                            known: known(),
                        })?,
                )
            }
        };
        let mut merged = Node {
            value: Value::Table(Table::new()),
            origin: file.origin.clone(),
        };
        for layer in self.provided(&self.outside)? {
            shape::lay_over(&mut merged, layer);
        }
        shape::lay_over(&mut merged, file);
        if let Some(target) = chosen {
            shape::lay_over(&mut merged, target);
        }
        for layer in self.provided(&self.environment)? {
            read(&layer, &text)?;
            shape::lay_over(&mut merged, layer);
        }
        for layer in self.provided(&self.flags)? {
            read(&layer, &text)?;
            shape::lay_over(&mut merged, layer);
        }
        let spec = read(&merged, &text)?;
        let mut origins = BTreeMap::new();
        merged.collect_origins("", &mut origins);
        Ok(LayeredSpec {
            spec,
            text,
            origins,
            outside: self
                .outside
                .iter()
                .chain(&self.environment)
                .cloned()
                .collect(),
        })
    }

    fn provided(&self, values: &[Provided]) -> Result<Vec<Node>, SpecError> {
        values
            .iter()
            .map(|given| {
                let path = shape::key_path(&given.key).ok_or_else(|| SpecError::InvalidSet {
                    text: given.key.clone(),
                })?;
                let mut node = Node::untyped(&path, &given.value, &given.source);
                shape::normalise(&mut node);
                Ok(node)
            })
            .collect()
    }
}

impl LayeredSpec {
    /// Where the value of a key was written, for an error about it.
    #[must_use]
    pub fn at(&self, key: &str) -> At {
        // What a flag or a shorthand gave as a whole has no place of its own: then the nearest above has it.
        let above = std::iter::successors(Some(key), |key| {
            key.rfind(['.', '[']).and_then(|at| key.get(..at))
        });
        let origin = self
            .origins
            .get(&format!("{key}.count"))
            .or_else(|| above.into_iter().find_map(|key| self.placed(key)));
        At {
            key: key.to_owned(),
            place: origin.map(|origin| Box::new(Place::new(&self.text, origin))),
        }
    }

    /// The origin of a value; a table as a whole is no value.
    fn placed(&self, key: &str) -> Option<&Origin> {
        let below = format!("{key}.");
        let table = self.origins.range(below.clone()..).next();
        let table = table.is_some_and(|(next, _)| next.starts_with(&below));
        self.origins.get(key).filter(|_| !table)
    }

    /// Who gave the value of a key, if anybody did.
    #[must_use]
    pub fn source(&self, key: &str) -> Option<&Source> {
        self.origins.get(key).map(|origin| &origin.source)
    }

    /// The values of the environment and of outside that hold: nothing went over them.
    pub(crate) fn outside_values(&self) -> impl Iterator<Item = &Provided> {
        self.outside.iter().filter(|given| {
            let long = [".count", ".default", ".access"].map(|end| format!("{}{end}", given.key));
            let source = self.source(&given.key);
            let source = source.or_else(|| long.iter().find_map(|key| self.source(key)));
            source == Some(&given.source)
        })
    }

    /// The file's name, as it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.text.name
    }

    /// The file's text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text.text
    }
}

/// Takes the targets out of the file, each read once on its own so that a mistake in it is found whichever is chosen.
fn take_targets(file: &mut Node, text: &SpecText) -> Result<BTreeMap<String, Node>, SpecError> {
    let Some((_, targets)) = file.table_mut().and_then(|table| table.remove("target")) else {
        return Ok(BTreeMap::new());
    };
    let Value::Table(targets) = targets.value else {
        return Err(SpecError::InvalidValue {
            at: Box::new(Place::new(text, &targets.origin)),
            key: "target".to_owned(),
            problem: "expected tables, such as `[target.prod.cluster]`".to_owned(),
        });
    };
    targets
        .into_iter()
        .map(|(name, (_, mut node))| {
            node.mark_target(&name);
            if let Some((origin, _)) = node.table_mut().and_then(|table| table.get("target")) {
                return Err(SpecError::UnknownKey {
                    at: Box::new(Place::new(text, origin)),
                    name: "target".to_owned(),
                    table: format!("target.{name}"),
                    nearest: None,
                    known: Vec::new(),
                });
            }
            shape::normalise(&mut node);
            read(&node, text)?;
            Ok((name, node))
        })
        .collect()
}

fn read(node: &Node, text: &SpecText) -> Result<Spec, SpecError> {
    Spec::deserialize(NodeReader::root(node)).map_err(|error| explain(error, node, text))
}

fn explain(error: ValueError, root: &Node, text: &SpecText) -> SpecError {
    let origin = error.origin.unwrap_or_else(|| root.origin.clone());
    let at = Box::new(Place::new(text, &origin));
    match error.problem {
        Problem::UnknownKey { name, known } => SpecError::UnknownKey {
            at,
            nearest: nearest(&name, known.iter().copied()),
            table: error.key,
            known: known.iter().map(ToString::to_string).collect(),
            name,
        },
        Problem::Invalid(problem) => SpecError::InvalidValue {
            at,
            key: error.key,
            problem,
        },
    }
}

#[cfg(test)]
mod tests;
