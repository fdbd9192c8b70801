//! Durations and sizes that carry their unit.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A text that is no duration or size with a unit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` {problem}")]
#[non_exhaustive]
pub struct InvalidUnit {
    /// What was written.
    pub text: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// Cuts a text into the number in front and what follows it.
fn split(text: &str) -> Option<(u64, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let number = text.get(..end)?.parse().ok()?;
    Some((number, text.get(end..)?))
}

/// A duration of whole seconds, written `"90s"`, `"10m"`, `"2h"`, `"1d"` or joined, as in `"1h30m"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(Duration);

impl Span {
    /// A span of whole seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// The span in seconds.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0.as_secs()
    }

    /// The span as the standard library has it.
    #[must_use]
    pub const fn as_duration(self) -> Duration {
        self.0
    }

    /// The span as Google's JSON writes a duration, such as `600s`.
    #[must_use]
    pub fn to_google_json(self) -> String {
        format!("{}s", self.as_secs())
    }
}

impl FromStr for Span {
    type Err = InvalidUnit;

    fn from_str(text: &str) -> Result<Self, InvalidUnit> {
        const PROBLEM: &str =
            "is no duration with a unit: write it as \"90s\", \"10m\", \"2h\" or \"1d\"";
        let invalid = || InvalidUnit {
            text: text.to_owned(),
            problem: PROBLEM,
        };
        let mut rest = text.trim();
        let mut total: u64 = 0;
        if rest.is_empty() {
            return Err(invalid());
        }
        while !rest.is_empty() {
            let (number, tail) = split(rest).ok_or_else(invalid)?;
            let seconds = match tail.as_bytes().first() {
                Some(b's') => 1,
                Some(b'm') => 60,
                Some(b'h') => 3_600,
                Some(b'd') => 86_400,
                _ => return Err(invalid()),
            };
            let part = number.checked_mul(seconds).ok_or_else(invalid)?;
            total = total.checked_add(part).ok_or_else(invalid)?;
            rest = tail.get(1..).unwrap_or_default();
        }
        Ok(Self::from_secs(total))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.as_secs();
        if rest == 0 {
            return f.write_str("0s");
        }
        for (seconds, unit) in [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")] {
            if rest >= seconds {
                write!(f, "{}{unit}", rest / seconds)?;
                rest %= seconds;
            }
        }
        Ok(())
    }
}

/// A number of bytes, written with a binary unit: `"512KiB"`, `"1024MiB"`, `"4GiB"`, `"1TiB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

impl ByteSize {
    /// A size in bytes.
    #[must_use]
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// A size in mebibytes.
    #[must_use]
    pub const fn from_mib(mib: u64) -> Self {
        Self(mib << 20)
    }

    /// The size in bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// The size in whole mebibytes, rounded down.
    #[must_use]
    pub const fn mib(self) -> u64 {
        self.0 >> 20
    }

    /// The size in whole gibibytes, rounded up, as Dataproc wants disks.
    #[must_use]
    pub const fn gib_ceil(self) -> u64 {
        self.0.div_ceil(1 << 30)
    }
}

impl FromStr for ByteSize {
    type Err = InvalidUnit;

    fn from_str(text: &str) -> Result<Self, InvalidUnit> {
        const PROBLEM: &str =
            "is no size with a unit: write it as \"512KiB\", \"1024MiB\" or \"4GiB\"";
        let invalid = || InvalidUnit {
            text: text.to_owned(),
            problem: PROBLEM,
        };
        let (number, unit) = split(text.trim()).ok_or_else(invalid)?;
        let shift = match unit {
            "KiB" => 10,
            "MiB" => 20,
            "GiB" => 30,
            "TiB" => 40,
            _ => return Err(invalid()),
        };
        number.checked_mul(1 << shift).map(Self).ok_or_else(invalid)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (shift, unit) in [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")] {
            if self.0 >= 1 << shift && self.0.trailing_zeros() >= shift {
                return write!(f, "{}{unit}", self.0 >> shift);
            }
        }
        write!(f, "{}B", self.0)
    }
}

macro_rules! text_value {
    ($name:ident, $schema:literal, $pattern:literal, $example:literal) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl de::Visitor<'_> for Visitor {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str(concat!("a text with its unit, such as \"", $example, "\""))
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Visitor)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $schema.into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "pattern": $pattern, "examples": [$example]})
            }
        }
    };
}

text_value!(Span, "Span", "^([0-9]+[smhd])+$", "10m");
text_value!(ByteSize, "ByteSize", "^[0-9]+(KiB|MiB|GiB|TiB)$", "4GiB");

#[cfg(test)]
mod tests {
    use super::{ByteSize, Span};

    #[test]
    fn spans() {
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(
                text.parse::<Span>().ok().map(Span::as_secs),
                expected,
                "{text}"
            );
        };
        check("90s", Some(90));
        check("10m", Some(600));
        check("1h30m", Some(5_400));
        check("14d", Some(1_209_600));
        for wrong in [
            "",
            "10",
            "m",
            "10 m",
            "10min",
            "-1s",
            "1.5h",
            "99999999999999999999d",
            "9999999999999999d",
        ] {
            check(wrong, None);
        }
        assert_eq!(Span::from_secs(5_430).to_string(), "1h30m30s");
    }

    #[test]
    fn sizes() {
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(
                text.parse::<ByteSize>().ok().map(ByteSize::bytes),
                expected,
                "{text}"
            );
        };
        check("4GiB", Some(4 << 30));
        check("1024MiB", Some(1 << 30));
        for wrong in ["", "4", "4GB", "4g", "GiB", "4 GiB", "99999999999TiB"] {
            check(wrong, None);
        }
        assert_eq!(ByteSize::from_mib(1024).to_string(), "1GiB");
        assert_eq!(ByteSize::from_bytes(1 << 30).gib_ceil(), 1);
    }

    #[test]
    fn a_bare_number_is_refused_with_the_way_to_write_it() {
        let error = serde_json::from_str::<Span>("\"10\"")
            .err()
            .map(|e| e.to_string());
        assert!(error.is_some_and(|text| text.contains("\"10m\"")));
        assert!(serde_json::from_str::<Span>("10").is_err());
    }
}
