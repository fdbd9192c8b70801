//! The trait [`Route`]: how to get to `host:port` of the cluster's network from here.

use std::fmt::Debug;
use std::net::SocketAddr;

use async_trait::async_trait;

use crate::error::RestError;

/// Where to connect to for a host and port that the cluster names.
///
/// YARN and Flink name each other by addresses that often only machines of the cluster can reach; a route turns such an
/// address into one that can be reached from here, directly or through a forward. Idempotent; what is opened for it lives as
/// long as the route.
#[async_trait]
pub trait Route: Debug + Send + Sync + 'static {
    /// The address to connect to for `host:port`.
    async fn resolve(&self, host: &str, port: u16) -> Result<SocketAddr, RestError>;
}

/// The way to an address that can be reached as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Direct;

#[async_trait]
impl Route for Direct {
    async fn resolve(&self, host: &str, port: u16) -> Result<SocketAddr, RestError> {
        let no_route = |reason: String| RestError::NoRoute {
            host: host.to_owned(),
            port,
            reason,
        };
        let mut found = tokio::net::lookup_host((host, port))
            .await
            .map_err(|e| no_route(e.to_string()))?;
        found
            .next()
            .ok_or_else(|| no_route("the name has no address".to_owned()))
    }
}
