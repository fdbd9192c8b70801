//! A route into the cluster's network through the connection to its master.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use flinkproc_rest::{RestError, Route};
use flinkproc_ssh::{Forward, RemoteShell};
use tokio::sync::Mutex;

/// Reaches `host:port` as the master sees it, by a forward for each, opened once and kept as long as the route.
#[derive(Debug)]
pub struct ForwardRoute {
    shell: Arc<dyn RemoteShell>,
    open: Mutex<HashMap<(String, u16), Forward>>,
}

impl ForwardRoute {
    /// A route through this connection.
    pub fn new(shell: Arc<dyn RemoteShell>) -> Self {
        Self {
            shell,
            open: Mutex::new(HashMap::new()),
        }
    }
}

#[async_trait]
impl Route for ForwardRoute {
    async fn resolve(&self, host: &str, port: u16) -> Result<SocketAddr, RestError> {
        let mut open = self.open.lock().await;
        let place = (host.to_owned(), port);
        if let Some(forward) = open.get(&place) {
            return Ok(forward.address());
        }
        let forward = self.shell.forward(host, port).await;
        let forward = forward.map_err(|error| RestError::NoRoute {
            host: host.to_owned(),
            port,
            reason: error.to_string(),
        })?;
        let address = forward.address();
        open.insert(place, forward);
        Ok(address)
    }
}
