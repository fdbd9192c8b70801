//! The first builder that can.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use flinkproc_core::messages;

use crate::builder::EnvironmentBuilder;
use crate::error::EnvError;
use crate::request::{BuiltArchive, EnvironmentRequest, Lock};

/// Several builders in the order of preference.
#[derive(Clone, Debug)]
pub struct AutoBuilder {
    builders: Vec<Arc<dyn EnvironmentBuilder>>,
}

impl AutoBuilder {
    /// Asks these, in this order.
    #[must_use]
    pub const fn new(builders: Vec<Arc<dyn EnvironmentBuilder>>) -> Self {
        Self { builders }
    }

    /// The first that can.
    ///
    /// # Errors
    /// [`EnvError::NoBuilder`] with the reason of each.
    pub async fn choose(
        &self,
        request: &EnvironmentRequest,
    ) -> Result<&Arc<dyn EnvironmentBuilder>, EnvError> {
        let mut reasons = Vec::new();
        for builder in &self.builders {
            match builder.can(request).await {
                Ok(()) => {
                    tracing::debug!(builder = builder.name(), ?reasons, "chosen");
                    return Ok(builder);
                }
                Err(error) => {
                    reasons.push((builder.name().to_owned(), messages(&error).join(": ")));
                }
            }
        }
        Err(EnvError::NoBuilder { reasons })
    }
}

#[async_trait]
impl EnvironmentBuilder for AutoBuilder {
    fn name(&self) -> &str {
        "auto"
    }

    async fn can(&self, request: &EnvironmentRequest) -> Result<(), EnvError> {
        self.choose(request).await.map(|_| ())
    }

    async fn lock(&self, request: &EnvironmentRequest) -> Result<Lock, EnvError> {
        self.choose(request).await?.lock(request).await
    }

    async fn build(
        &self,
        request: &EnvironmentRequest,
        lock: &Lock,
        into: &Path,
    ) -> Result<BuiltArchive, EnvError> {
        self.choose(request).await?.build(request, lock, into).await
    }
}
