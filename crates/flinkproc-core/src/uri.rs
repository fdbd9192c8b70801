//! `gs://` addresses.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::ids::{BucketName, InvalidName};

/// An object, or a prefix of objects, in Cloud Storage: `gs://bucket/object`.
///
/// The object part is kept byte for byte; it may be empty (the bucket itself) and is at most 1024 bytes of UTF-8
/// without line breaks, as the service demands.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GcsUri {
    bucket: BucketName,
    object: String,
}

impl GcsUri {
    /// Joins a bucket and an object name.
    ///
    /// # Errors
    /// When the object name is longer than 1024 bytes or holds a line break.
    pub fn new(bucket: BucketName, object: impl Into<String>) -> Result<Self, InvalidName> {
        let object = object.into();
        if object.len() > 1024 || object.contains(['\n', '\r', '\0']) {
            return Err(InvalidName {
                text: object,
                what: "object name",
                rule: "at most 1024 bytes of UTF-8 without line breaks",
            });
        }
        Ok(Self { bucket, object })
    }

    /// The bucket.
    #[must_use]
    pub const fn bucket(&self) -> &BucketName {
        &self.bucket
    }

    /// The object's name or prefix, without a slash in front; empty for the bucket itself.
    #[must_use]
    pub fn object(&self) -> &str {
        &self.object
    }

    /// This address with `name` below it, one slash between.
    ///
    /// # Errors
    /// As [`GcsUri::new`].
    pub fn join(&self, name: &str) -> Result<Self, InvalidName> {
        let object = match self.object.as_str() {
            "" => name.to_owned(),
            prefix if prefix.ends_with('/') => format!("{prefix}{name}"),
            prefix => format!("{prefix}/{name}"),
        };
        Self::new(self.bucket.clone(), object)
    }

    /// What follows the last slash.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.object.rsplit('/').next().unwrap_or_default()
    }
}

impl FromStr for GcsUri {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let rest = text.strip_prefix("gs://").ok_or_else(|| InvalidName {
            text: text.to_owned(),
            what: "Cloud Storage address",
            rule: "it starts with `gs://` and a bucket",
        })?;
        let (bucket, object) = rest.split_once('/').unwrap_or((rest, ""));
        Self::new(bucket.parse()?, object)
    }
}

impl TryFrom<String> for GcsUri {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<GcsUri> for String {
    fn from(uri: GcsUri) -> Self {
        uri.to_string()
    }
}

impl fmt::Display for GcsUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gs://{}/{}", self.bucket, self.object)
    }
}

impl fmt::Debug for GcsUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl JsonSchema for GcsUri {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "GcsUri".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^gs://", "examples": ["gs://bucket/folder/"]})
    }
}

#[cfg(test)]
mod tests {
    use super::GcsUri;

    #[test]
    fn an_address_goes_in_and_out_unchanged() {
        for text in [
            "gs://bucket/a/my etl.py",
            "gs://bucket/",
            "gs://bucket/ü#?%20",
        ] {
            let uri: GcsUri = text.parse().expect("valid");
            assert_eq!(uri.to_string(), text);
        }
        for text in [
            "bucket/a",
            "gs://",
            "gs:///a",
            "gs://B/a",
            "gs://bucket/a\nb",
            "s3://bucket/a",
        ] {
            assert!(text.parse::<GcsUri>().is_err(), "{text}");
        }
    }

    #[test]
    fn joining_puts_one_slash_between() {
        let check = |base: &str, expected: &str| {
            let uri: GcsUri = base.parse().expect("valid");
            assert_eq!(uri.join("x").expect("valid").to_string(), expected);
        };
        check("gs://bucket", "gs://bucket/x");
        check("gs://bucket/a", "gs://bucket/a/x");
        check("gs://bucket/a/", "gs://bucket/a/x");
    }
}
