//! The spec's section `[params]`: typed values that `--param name=value` sets.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};

/// One parameter. A bare value in the spec is its default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ParamSpec {
    /// The type; by default that of `default`, or else a string.
    #[serde(rename = "type")]
    pub kind: Option<ParamType>,
    /// The value when `--param` gives none; without it `--param` must.
    pub default: Option<Scalar>,
    /// The only values that are allowed.
    pub choices: Vec<Scalar>,
    /// What the parameter is for.
    pub description: Option<String>,
}

impl JsonSchema for ParamSpec {
    fn schema_name() -> Cow<'static, str> {
        "ParamSpec".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let kind = generator.subschema_for::<ParamType>();
        let scalar = generator.subschema_for::<Scalar>();
        json_schema!({
            "description": "A parameter, or its default.",
            "anyOf": [scalar, {
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "type": {"description": "The type; by default that of `default`, or else a string.", "anyOf": [kind, {"type": "null"}]},
                    "default": {"description": "The value when `--param` gives none; without it `--param` must.", "anyOf": [scalar, {"type": "null"}]},
                    "choices": {"description": "The only values that are allowed.", "type": "array", "items": scalar},
                    "description": {"description": "What the parameter is for.", "type": "string"}
                }
            }]
        })
    }
}

/// The type of a parameter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ParamType {
    /// Any text.
    #[default]
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
}

impl fmt::Display for ParamType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
        })
    }
}

impl ParamType {
    /// Whether a text is a value of this type.
    #[must_use]
    pub fn accepts(self, text: &str) -> bool {
        match self {
            Self::String => !text.contains('\0'),
            Self::Integer => text.parse::<i64>().is_ok(),
            Self::Number => text.parse::<f64>().is_ok_and(f64::is_finite),
            Self::Boolean => matches!(text, "true" | "false"),
        }
    }
}

/// A text, a number, true or false. It displays as the text that a job sees.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Scalar {
    /// A text; also a date, which TOML writes without quotes.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Number(f64),
    /// True or false.
    Boolean(bool),
}

impl Scalar {
    /// The type of parameter that this is a value of.
    #[must_use]
    pub const fn kind(&self) -> ParamType {
        match self {
            Self::Text(_) => ParamType::String,
            Self::Integer(_) => ParamType::Integer,
            Self::Number(_) => ParamType::Number,
            Self::Boolean(_) => ParamType::Boolean,
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Integer(number) => number.fmt(f),
            // `Debug` keeps the point of 1.0, which Flink's configuration reads as a double.
            Self::Number(number) => write!(f, "{number:?}"),
            Self::Boolean(value) => value.fmt(f),
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Scalar;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a number, true or false")
            }
            fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(text.to_owned()))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
                Ok(Scalar::Integer(number))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Scalar, E> {
                i64::try_from(number)
                    .map(Scalar::Integer)
                    .map_err(E::custom)
            }
            fn visit_f64<E>(self, number: f64) -> Result<Scalar, E> {
                Ok(Scalar::Number(number))
            }
            fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
                Ok(Scalar::Boolean(value))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Scalar {
    fn schema_name() -> Cow<'static, str> {
        "Scalar".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "number", "boolean"]})
    }
}
