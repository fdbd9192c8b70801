//! From a tree of values to the spec's types, by serde; an error knows the value that it is about.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    Visitor,
};
use serde::forward_to_deserialize_any;

use super::node::{Node, Value};
use crate::place::Origin;

/// A value that does not fit the spec.
#[derive(Clone, Debug)]
pub(crate) struct ValueError {
    pub(crate) problem: Problem,
    pub(crate) key: String,
    pub(crate) origin: Option<Origin>,
}

/// What is wrong with it.
#[derive(Clone, Debug)]
pub(crate) enum Problem {
    UnknownKey {
        name: String,
        known: &'static [&'static str],
    },
    Invalid(String),
}

impl ValueError {
    fn invalid(text: impl fmt::Display) -> Self {
        Self {
            problem: Problem::Invalid(text.to_string()),
            key: String::new(),
            origin: None,
        }
    }

    /// Gives the innermost place that is known: the first one wins.
    fn at(mut self, key: &str, origin: &Origin) -> Self {
        if self.origin.is_none() {
            self.origin = Some(origin.clone());
            key.clone_into(&mut self.key);
        }
        self
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problem {
            Problem::UnknownKey { name, .. } => write!(f, "unknown key `{name}`"),
            Problem::Invalid(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for ValueError {}

/// Says in words what serde calls by the names of Rust's types.
fn expected(text: &str) -> &str {
    match text {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, not negative",
        "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a string" => "a text in quotes",
        "a sequence" => "a list, such as [\"a\", \"b\"]",
        "a map" => "a table",
        other => other,
    }
}

impl de::Error for ValueError {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self::invalid(text)
    }

    fn invalid_type(found: Unexpected<'_>, wanted: &dyn de::Expected) -> Self {
        let wanted = wanted.to_string();
        let wanted = if wanted.starts_with("struct ") {
            "a table"
        } else {
            expected(&wanted)
        };
        Self::invalid(format_args!("found {found}, expected {wanted}"))
    }

    fn invalid_value(found: Unexpected<'_>, wanted: &dyn de::Expected) -> Self {
        Self::invalid_type(found, wanted)
    }

    fn unknown_field(name: &str, known: &'static [&'static str]) -> Self {
        Self {
            problem: Problem::UnknownKey {
                name: name.to_owned(),
                known,
            },
            key: String::new(),
            origin: None,
        }
    }

    fn unknown_variant(name: &str, known: &'static [&'static str]) -> Self {
        Self::invalid(format_args!("`{name}` is none of `{}`", known.join("`, `")))
    }
}

/// Reads one node.
pub(crate) struct NodeReader<'a> {
    node: &'a Node,
    key: String,
}

impl<'a> NodeReader<'a> {
    /// Reads a whole tree.
    pub(crate) const fn root(node: &'a Node) -> Self {
        Self {
            node,
            key: String::new(),
        }
    }

    fn placed<T>(self, result: Result<T, ValueError>) -> Result<T, ValueError> {
        result.map_err(|error| error.at(&self.key, &self.node.origin))
    }

    /// A flag's text as the list or table that is wanted here.
    fn structured<T>(
        self,
        text: &str,
        read: impl FnOnce(NodeReader<'_>) -> Result<T, ValueError>,
    ) -> Result<T, ValueError> {
        match Node::parse_value(text, &self.node.origin) {
            Ok(node) => read(NodeReader {
                node: &node,
                key: self.key,
            }),
            Err(_) => {
                let error = de::Error::invalid_type(
                    Unexpected::Str(text),
                    &"a list or table in TOML's form, such as [\"a\", \"b\"]",
                );
                self.placed(Err(error))
            }
        }
    }
}

macro_rules! from_text {
    ($($method:ident $visit:ident $type:ty,)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
            match &self.node.value {
                Value::Untyped(text) => {
                    let result = match text.trim().parse::<$type>() {
                        Ok(value) => visitor.$visit(value),
                        Err(_) => Err(de::Error::invalid_type(Unexpected::Str(text), &visitor)),
                    };
                    self.placed(result)
                }
                _ => self.deserialize_any(visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for NodeReader<'_> {
    type Error = ValueError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        let result = match &self.node.value {
            Value::Text(text) | Value::Untyped(text) => visitor.visit_str(text),
            Value::Integer(number) => visitor.visit_i64(*number),
            Value::Float(number) => visitor.visit_f64(*number),
            Value::Boolean(value) => visitor.visit_bool(*value),
            Value::Array(nodes) => visitor.visit_seq(Items {
                nodes: nodes.iter(),
                key: &self.key,
                index: 0,
            }),
            Value::Table(table) => visitor.visit_map(Entries {
                entries: table.iter(),
                next: None,
                key: &self.key,
            }),
        };
        self.placed(result)
    }

    from_text! {
        deserialize_bool visit_bool bool,
        deserialize_i8 visit_i64 i64,
        deserialize_i16 visit_i64 i64,
        deserialize_i32 visit_i64 i64,
        deserialize_i64 visit_i64 i64,
        deserialize_u8 visit_i64 i64,
        deserialize_u16 visit_i64 i64,
        deserialize_u32 visit_i64 i64,
        deserialize_u64 visit_i64 i64,
        deserialize_f32 visit_f64 f64,
        deserialize_f64 visit_f64 f64,
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match &self.node.value {
            Value::Untyped(text) => {
                let text = text.clone();
                self.structured(&text, |reader| reader.deserialize_any(visitor))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        let result = match &self.node.value {
            Value::Text(text) | Value::Untyped(text) => {
                let text: StrDeserializer<'_, ValueError> = text.as_str().into_deserializer();
                visitor.visit_enum(text)
            }
            Value::Integer(number) => Err(de::Error::invalid_type(
                Unexpected::Signed(*number),
                &"a text in quotes",
            )),
            Value::Boolean(value) => Err(de::Error::invalid_type(
                Unexpected::Bool(*value),
                &"a text in quotes",
            )),
            _ => Err(ValueError::invalid(
                "found something else, expected a text in quotes",
            )),
        };
        self.placed(result)
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

/// The items of a list.
struct Items<'a> {
    nodes: std::slice::Iter<'a, Node>,
    key: &'a str,
    index: usize,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = ValueError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ValueError> {
        let Some(node) = self.nodes.next() else {
            return Ok(None);
        };
        let key = format!("{}[{}]", self.key, self.index);
        self.index += 1;
        read(seed, node, &key).map(Some)
    }
}

/// The entries of a table.
struct Entries<'a> {
    entries: std::collections::btree_map::Iter<'a, String, (Origin, Node)>,
    next: Option<(&'a String, &'a Node)>,
    key: &'a str,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = ValueError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ValueError> {
        let Some((key, (origin, node))) = self.entries.next() else {
            return Ok(None);
        };
        self.next = Some((key, node));
        let text: StrDeserializer<'_, ValueError> = key.as_str().into_deserializer();
        seed.deserialize(text)
            .map(Some)
            .map_err(|error| error.at(self.key, origin))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, ValueError> {
        let Some((name, node)) = self.next.take() else {
            return Err(ValueError::invalid("a value was asked for before its key"));
        };
        let key = if self.key.is_empty() {
            name.clone()
        } else {
            format!("{}.{name}", self.key)
        };
        read(seed, node, &key)
    }
}

/// Reads a node below a list or table. A type that is made of a text refuses it after the text was read: its error gets its
/// place here.
fn read<'de, T: DeserializeSeed<'de>>(
    seed: T,
    node: &Node,
    key: &str,
) -> Result<T::Value, ValueError> {
    seed.deserialize(NodeReader {
        node,
        key: key.to_owned(),
    })
    .map_err(|error| error.at(key, &node.origin))
}
