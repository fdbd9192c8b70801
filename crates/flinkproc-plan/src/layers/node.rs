//! A tree of TOML values in which every value knows where it came from; layers are trees that are merged.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::place::{Origin, Source};

/// One value and its origin.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) origin: Origin,
}

/// A table's entries, each with the origin of its key.
pub(crate) type Table = BTreeMap<String, (Origin, Node)>;

/// A TOML value; a date is its text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    /// A flag's or variable's text, which becomes what the key's type wants.
    Untyped(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Array(Vec<Node>),
    Table(Table),
}

/// Why a text did not become a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ParseError {
    pub(crate) message: String,
    pub(crate) span: Option<Range<usize>>,
}

impl From<toml::de::Error> for ParseError {
    fn from(error: toml::de::Error) -> Self {
        Self {
            message: error.message().replace('\n', ", "),
            span: error.span(),
        }
    }
}

impl Node {
    /// Reads a whole TOML document.
    pub(crate) fn parse_document(text: &str) -> Result<Self, ParseError> {
        let table = DeTable::parse(text)?;
        let origin = |span| Origin {
            source: Source::File,
            span: Some(span),
        };
        let span = table.span();
        Ok(Self {
            value: Value::Table(table_of(table.into_inner(), &origin)?),
            origin: origin(span),
        })
    }

    /// Reads one TOML value, such as `["a", "b"]`; all of it has the given origin.
    pub(crate) fn parse_value(text: &str, origin: &Origin) -> Result<Self, ParseError> {
        node_of(DeValue::parse(text)?, &|_| origin.clone())
    }

    /// The tree that holds `text` at `path` and nothing else.
    pub(crate) fn untyped(path: &[String], text: &str, source: &Source) -> Self {
        let origin = Origin {
            source: source.clone(),
            span: None,
        };
        let leaf = Self {
            value: Value::Untyped(text.to_owned()),
            origin: origin.clone(),
        };
        path.iter().rev().fold(leaf, |node, key| Self {
            value: Value::Table(Table::from([(key.clone(), (origin.clone(), node))])),
            origin: origin.clone(),
        })
    }

    /// Lays `over` on this tree: tables are merged, anything else is replaced.
    pub(crate) fn merge(&mut self, over: Self) {
        match (&mut self.value, over.value) {
            (Value::Table(base), Value::Table(over)) => {
                for (key, (origin, node)) in over {
                    match base.get_mut(&key) {
                        Some((_, below)) => below.merge(node),
                        None => {
                            base.insert(key, (origin, node));
                        }
                    }
                }
            }
            (_, value) => {
                self.value = value;
                self.origin = over.origin;
            }
        }
    }

    /// The entries, when this is a table.
    pub(crate) fn table_mut(&mut self) -> Option<&mut Table> {
        match &mut self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The node at a path of keys.
    pub(crate) fn at_mut(&mut self, path: &[&str]) -> Option<&mut Self> {
        path.iter().try_fold(self, |node, key| {
            Some(&mut node.table_mut()?.get_mut(*key)?.1)
        })
    }

    /// Marks every origin below as written in the target `name`.
    pub(crate) fn mark_target(&mut self, name: &str) {
        self.origin.source = Source::Target(name.to_owned());
        match &mut self.value {
            Value::Array(nodes) => nodes.iter_mut().for_each(|node| node.mark_target(name)),
            Value::Table(table) => {
                for (origin, node) in table.values_mut() {
                    origin.source = Source::Target(name.to_owned());
                    node.mark_target(name);
                }
            }
            _ => {}
        }
    }

    /// Writes the origin of every value that is no table into `origins`, by its dotted key; a list counts as one value.
    pub(crate) fn collect_origins(&self, key: &str, origins: &mut BTreeMap<String, Origin>) {
        if !key.is_empty() {
            origins.insert(key.to_owned(), self.origin.clone());
        }
        match &self.value {
            Value::Table(table) => {
                for (name, (_, node)) in table {
                    let key = if key.is_empty() {
                        name.clone()
                    } else {
                        format!("{key}.{name}")
                    };
                    node.collect_origins(&key, origins);
                }
            }
            Value::Array(nodes) => {
                for (index, node) in nodes.iter().enumerate() {
                    node.collect_origins(&format!("{key}[{index}]"), origins);
                }
            }
            _ => {}
        }
    }
}

fn table_of(
    table: DeTable<'_>,
    origin: &impl Fn(Range<usize>) -> Origin,
) -> Result<Table, ParseError> {
    table
        .into_iter()
        .map(|(key, value)| {
            let at = origin(key.span());
            Ok((key.into_inner().into_owned(), (at, node_of(value, origin)?)))
        })
        .collect()
}

fn node_of(
    value: Spanned<DeValue<'_>>,
    origin: &impl Fn(Range<usize>) -> Origin,
) -> Result<Node, ParseError> {
    let span = value.span();
    let wrong = |what: &str| ParseError {
        message: format!("this {what} is too large"),
        span: Some(span.clone()),
    };
    let at = origin(span.clone());
    let value = match value.into_inner() {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(number) => Value::Integer(
            i64::from_str_radix(number.as_str(), number.radix()).map_err(|_| wrong("number"))?,
        ),
        DeValue::Float(number) => {
            Value::Float(number.as_str().parse().map_err(|_| wrong("number"))?)
        }
        DeValue::Boolean(value) => Value::Boolean(value),
        DeValue::Datetime(date) => Value::Text(date.to_string()),
        DeValue::Array(values) => Value::Array(
            values
                .into_iter()
                .map(|value| node_of(value, origin))
                .collect::<Result<_, _>>()?,
        ),
        DeValue::Table(table) => Value::Table(table_of(table, origin)?),
    };
    Ok(Node { value, origin: at })
}
