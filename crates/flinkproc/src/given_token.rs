//! Credentials that are one given token, such as a sandbox's.

use flinkproc_core::Secret;
use google_cloud_auth::credentials::{CacheableResource, CredentialsProvider, EntityTag};
use google_cloud_auth::errors::CredentialsError;
use http::header::AUTHORIZATION;
use http::{Extensions, HeaderMap, HeaderValue};

use crate::error::AppError;

/// Brings the same token with every call; it is not renewed.
#[derive(Clone, Debug)]
pub(crate) struct GivenToken {
    headers: Secret<HeaderMap>,
    tag: EntityTag,
}

impl GivenToken {
    pub(crate) fn new(token: &Secret<String>) -> Result<Self, AppError> {
        let mut value =
            HeaderValue::from_str(&format!("Bearer {}", token.reveal())).map_err(|error| {
                AppError::Credentials {
                    source: error.into(),
                }
            })?;
        value.set_sensitive(true);
        Ok(Self {
            headers: Secret::new(HeaderMap::from_iter([(AUTHORIZATION, value)])),
            tag: EntityTag::new(),
        })
    }
}

impl CredentialsProvider for GivenToken {
    async fn headers(
        &self,
        extensions: Extensions,
    ) -> Result<CacheableResource<HeaderMap>, CredentialsError> {
        if extensions.get::<EntityTag>() == Some(&self.tag) {
            return Ok(CacheableResource::NotModified);
        }
        Ok(CacheableResource::New {
            entity_tag: self.tag.clone(),
            data: self.headers.reveal().clone(),
        })
    }

    async fn universe_domain(&self) -> Option<String> {
        None
    }
}
