//! The JSON API's answers as values.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flinkproc_core::{BucketName, GcsUri};
use serde::Deserialize;

use crate::error::StagingError;
use crate::staging::ObjectMeta;

#[derive(Debug, Deserialize)]
pub(crate) struct Resource {
    name: String,
    size: String,
    crc32c: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Page {
    pub(crate) items: Vec<Resource>,
    pub(crate) next_page_token: Option<String>,
}

/// Reads a resource; `None` for a name that is no [`GcsUri`] (with a line break in it).
pub(crate) fn meta(
    bucket: &BucketName,
    resource: Resource,
) -> Result<Option<ObjectMeta>, StagingError> {
    let what = format!("gs://{bucket}/{}", resource.name);
    let unreadable = |source: Box<dyn std::error::Error + Send + Sync>| StagingError::Refused {
        what: what.clone(),
        source,
    };
    let Ok(uri) = GcsUri::new(bucket.clone(), resource.name) else {
        tracing::warn!(
            what,
            "an object whose name holds a line break is passed over"
        );
        return Ok(None);
    };
    let size = resource.size.parse();
    let size = size.map_err(|error: std::num::ParseIntError| unreadable(error.into()))?;
    let crc32c = BASE64_STANDARD
        .decode(&resource.crc32c)
        .map_err(|error| unreadable(error.into()))?;
    let crc32c = <[u8; 4]>::try_from(crc32c.as_slice())
        .map_err(|error| unreadable(error.into()))
        .map(u32::from_be_bytes)?;
    Ok(Some(ObjectMeta { uri, size, crc32c }))
}

pub(crate) fn parse<'a, T: Deserialize<'a>>(
    what: &impl ToString,
    body: &'a [u8],
) -> Result<T, StagingError> {
    serde_json::from_slice(body).map_err(|error| StagingError::Refused {
        what: what.to_string(),
        source: Box::new(error),
    })
}
