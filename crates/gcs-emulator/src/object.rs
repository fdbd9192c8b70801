//! One object as it is kept beside its data, and the resource that clients see.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::path::encode;

/// What a client may set on an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Attributes {
    /// The object's name, where it is given in the body.
    #[serde(skip_serializing)]
    pub name: Option<String>,
    /// MIME type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Encoding of the stored bytes; `gzip` is undone for those who do not accept it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    /// `Content-Disposition` of a download.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    /// `Content-Language` of a download.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_language: Option<String>,
    /// `Cache-Control` of a download.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    /// A time of the client's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_time: Option<String>,
    /// Storage class; `STANDARD` when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    /// Keys and values of the client's own; a null value removes its key in a patch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, Option<String>>>,
    /// Base64 of the MD5 that the content must have.
    #[serde(skip_serializing)]
    pub md5_hash: Option<String>,
    /// Base64 of the big-endian CRC32C that the content must have.
    #[serde(skip_serializing)]
    pub crc32c: Option<String>,
}

/// The storage classes there are.
const CLASSES: [&str; 7] = [
    "STANDARD",
    "NEARLINE",
    "COLDLINE",
    "ARCHIVE",
    "MULTI_REGIONAL",
    "REGIONAL",
    "DURABLE_REDUCED_AVAILABILITY",
];

/// The most bytes of keys and values of an object's own metadata.
const LONGEST_METADATA: usize = 8 << 10;

/// Fields by which the service does what is not done here.
const NOT_EMULATED: [&str; 6] = [
    "eventBasedHold",
    "temporaryHold",
    "retention",
    "kmsKeyName",
    "customerEncryption",
    "contexts",
];

/// Fields of an object that are read and put aside: the service sets them itself.
pub(crate) fn refuse_unknown_effects(body: &Value, fields: &[&str]) -> Result<(), Failure> {
    let idle = |value: &Value| {
        matches!(value, Value::Null | Value::Bool(false))
            || value.as_object().is_some_and(serde_json::Map::is_empty)
            || value.as_array().is_some_and(Vec::is_empty)
    };
    match fields.iter().find(|field| !idle(&body[**field])) {
        Some(field) => Err(Failure::NotEmulated(format!("the field `{field}`"))),
        None => Ok(()),
    }
}

impl Attributes {
    /// Reads an object resource as clients send it. What only the service sets is passed over, as it does.
    pub(crate) fn read(body: &Value) -> Result<Self, Failure> {
        if !body.is_object() {
            return Err(Failure::Invalid("Parse Error".to_owned()));
        }
        refuse_unknown_effects(body, &NOT_EMULATED)?;
        let attributes = Self::deserialize(body)
            .map_err(|error| Failure::Invalid(format!("Parse Error: {error}")))?;
        let class = attributes.storage_class.as_deref();
        if let Some(class) = class.filter(|class| !CLASSES.contains(class)) {
            return Err(Failure::Invalid(format!("Invalid storage class {class}")));
        }
        if let Some(time) = &attributes.custom_time
            && time.parse::<Timestamp>().is_err()
        {
            return Err(Failure::Invalid(format!(
                "Invalid value for: customTime: {time}"
            )));
        }
        attributes.check_metadata()?;
        Ok(attributes)
    }

    /// Sees that the metadata is not longer than the service allows.
    pub(crate) fn check_metadata(&self) -> Result<(), Failure> {
        let pairs = self.metadata.iter().flatten();
        let length: usize = pairs
            .map(|(key, value)| key.len() + value.as_ref().map_or(0, String::len))
            .sum();
        if length <= LONGEST_METADATA {
            return Ok(());
        }
        Err(Failure::Invalid(format!(
            "The total size of the custom metadata, {length} bytes, exceeds {LONGEST_METADATA}"
        )))
    }

    /// These attributes with everything that `patch` sets put over them.
    #[must_use]
    pub fn patched(mut self, patch: Self) -> Self {
        let Self {
            name: _,
            content_type,
            content_encoding,
            content_disposition,
            content_language,
            cache_control,
            custom_time,
            storage_class,
            metadata,
            md5_hash: _,
            crc32c: _,
        } = patch;
        for (mine, theirs) in [
            (&mut self.content_type, content_type),
            (&mut self.content_encoding, content_encoding),
            (&mut self.content_disposition, content_disposition),
            (&mut self.content_language, content_language),
            (&mut self.cache_control, cache_control),
            (&mut self.custom_time, custom_time),
            (&mut self.storage_class, storage_class),
        ] {
            if theirs.is_some() {
                *mine = theirs;
            }
        }
        if let Some(theirs) = metadata {
            let mut mine = self.metadata.take().unwrap_or_default();
            mine.extend(theirs);
            mine.retain(|_, value| value.is_some());
            self.metadata = Some(mine);
        }
        self
    }
}

/// Size and checksums of some content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksums {
    /// Bytes.
    pub size: u64,
    /// CRC32C (Castagnoli).
    pub crc32c: u32,
    /// MD5; a composed object has none, as in the real service.
    pub md5: Option<[u8; 16]>,
}

impl Checksums {
    /// The CRC32C as the service writes it: base64 of four big-endian bytes.
    #[must_use]
    pub fn crc32c_text(&self) -> String {
        BASE64_STANDARD.encode(self.crc32c.to_be_bytes())
    }

    /// The MD5 as the service writes it: base64 of sixteen bytes.
    #[must_use]
    pub fn md5_text(&self) -> Option<String> {
        self.md5.map(|md5| BASE64_STANDARD.encode(md5))
    }
}

/// An object without its bytes; the file beside the data holds exactly this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// Its name, any UTF-8.
    pub name: String,
    /// Which writing of the name this is; its files are named by it and do not hold it.
    #[serde(skip)]
    pub generation: i64,
    /// Which writing of the attributes this is.
    pub metageneration: i64,
    /// Size and checksums of the data.
    pub sums: Checksums,
    /// When the data was written.
    pub created: Timestamp,
    /// When the attributes were written.
    pub updated: Timestamp,
    /// When a newer generation took its place or it was deleted, in a bucket that keeps such objects.
    #[serde(default)]
    pub deleted: Option<Timestamp>,
    /// What the client set.
    pub attributes: Attributes,
    /// How many objects it was composed of.
    pub components: Option<u32>,
    /// Whether its bytes lie in one file with its record.
    #[serde(skip)]
    pub(crate) packed: bool,
}

impl Object {
    /// The resource as the JSON API shows it; `base` is the address under which the client reaches the emulator.
    #[must_use]
    pub fn resource(&self, bucket: &str, base: &str) -> Value {
        let mut resource = match serde_json::to_value(&self.attributes) {
            Ok(Value::Object(map)) => map,
            _ => serde_json::Map::new(),
        };
        let path = format!("storage/v1/b/{bucket}/o/{}", encode(&self.name));
        let mut set = |key: &str, value: Value| {
            resource.insert(key.to_owned(), value);
        };
        set("kind", json!("storage#object"));
        set(
            "id",
            json!(format!("{bucket}/{}/{}", self.name, self.generation)),
        );
        set("selfLink", json!(format!("{base}/{path}")));
        set(
            "mediaLink",
            json!(format!(
                "{base}/download/{path}?generation={}&alt=media",
                self.generation
            )),
        );
        set("name", json!(self.name));
        set("bucket", json!(bucket));
        set("generation", json!(self.generation.to_string()));
        set("metageneration", json!(self.metageneration.to_string()));
        let class = self
            .attributes
            .storage_class
            .as_deref()
            .unwrap_or("STANDARD");
        set("storageClass", json!(class));
        set("size", json!(self.sums.size.to_string()));
        set("crc32c", json!(self.sums.crc32c_text()));
        if let Some(md5) = self.sums.md5_text() {
            set("md5Hash", json!(md5));
        }
        if let Some(components) = self.components {
            set("componentCount", json!(components));
        }
        set("etag", json!(self.etag()));
        set("timeCreated", json!(time(self.created)));
        set("timeStorageClassUpdated", json!(time(self.created)));
        set("timeFinalized", json!(time(self.created)));
        set("updated", json!(time(self.updated)));
        if let Some(deleted) = self.deleted {
            set("timeDeleted", json!(time(deleted)));
        }
        Value::Object(resource)
    }

    /// Changes with every writing of data or attributes.
    #[must_use]
    pub fn etag(&self) -> String {
        etag(self.generation, self.metageneration)
    }
}

/// An entity tag made of both generations.
pub(crate) fn etag(generation: i64, metageneration: i64) -> String {
    BASE64_STANDARD.encode(format!("{generation}/{metageneration}"))
}

/// RFC 3339 with milliseconds, as the service writes it.
pub(crate) fn time(at: Timestamp) -> String {
    format!("{at:.3}")
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::{Attributes, Checksums, Object};

    fn object() -> Object {
        Object {
            name: "a b/ü".to_owned(),
            generation: 7,
            metageneration: 1,
            sums: Checksums {
                size: 0,
                crc32c: 0,
                md5: None,
            },
            created: Timestamp::UNIX_EPOCH,
            updated: Timestamp::UNIX_EPOCH,
            deleted: None,
            attributes: Attributes::default(),
            components: None,
            packed: true,
        }
    }

    #[test]
    fn numbers_are_text_and_names_are_encoded_in_links() {
        let resource = object().resource("bucket", "http://127.0.0.1:9");
        assert_eq!(resource["generation"], json!("7"));
        assert_eq!(resource["crc32c"], json!("AAAAAA=="));
        assert_eq!(resource["timeCreated"], json!("1970-01-01T00:00:00.000Z"));
        assert_eq!(
            resource["selfLink"],
            json!("http://127.0.0.1:9/storage/v1/b/bucket/o/a%20b%2F%C3%BC")
        );
    }

    #[test]
    fn a_patch_sets_and_removes_single_keys() {
        let parse = |value| serde_json::from_value::<Attributes>(value).expect("attributes");
        let old = parse(json!({"contentType": "text/plain", "metadata": {"a": "1", "b": "2"}}));
        let new = old.patched(parse(json!({"metadata": {"a": null, "c": "3"}})));
        assert_eq!(
            serde_json::to_value(new).expect("json"),
            json!({"contentType": "text/plain", "metadata": {"b": "2", "c": "3"}})
        );
    }
}
