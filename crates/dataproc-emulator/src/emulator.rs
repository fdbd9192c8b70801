//! The running emulator: started, looked into and stopped through its handle.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::clock::real_sleep;
use crate::faults::Faults;
use crate::iap::Iap;
use crate::lifecycle::snapshot;
use crate::local_ca::CaError;
use crate::routes::router;
use crate::runtime::ClusterRuntime;
use crate::server::serve;
use crate::service::Service;
use crate::timers;

/// How long open connections may go on once the emulator stops.
const GRACE: Duration = Duration::from_millis(500);

/// How an emulator is started.
#[derive(Clone)]
#[non_exhaustive]
pub struct EmulatorOptions {
    /// Where it listens; a loopback address, port 0 for any free one.
    pub listen: SocketAddr,
    /// Where Cloud Storage is for the clusters, such as `http://127.0.0.1:4443`.
    pub storage_endpoint: Option<String>,
    /// The login name that OS Login gives every account, for machines that know only one user; derived from the account
    /// when absent.
    pub login_user: Option<String>,
    /// What every call must bring as `Authorization: Bearer`; when absent, anybody on this machine may call.
    pub token: Option<String>,
    /// Where the relay of Identity-Aware Proxy listens; a free port of the same address when absent.
    pub iap_listen: Option<SocketAddr>,
    /// An existing folder for the certificate of the emulator's authority; a temporary one when absent.
    pub ca_folder: Option<PathBuf>,
    /// How long a client may take to send the head of a request, and as long again for its body.
    pub patience: Duration,
}

impl fmt::Debug for EmulatorOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmulatorOptions")
            .field("listen", &self.listen)
            .field("storage_endpoint", &self.storage_endpoint)
            .field("login_user", &self.login_user)
            .field("token", &self.token.as_ref().map(|_| "***"))
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

impl Default for EmulatorOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            storage_endpoint: None,
            login_user: None,
            token: None,
            iap_listen: None,
            ca_folder: None,
            patience: Duration::from_secs(30),
        }
    }
}

impl EmulatorOptions {
    /// Listens at `address`.
    #[must_use]
    pub const fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Tells clusters where Cloud Storage is.
    #[must_use]
    pub fn storage(mut self, endpoint: impl Into<String>) -> Self {
        self.storage_endpoint = Some(endpoint.into());
        self
    }

    /// Gives every account of OS Login this login name.
    #[must_use]
    pub fn login_user(mut self, name: impl Into<String>) -> Self {
        self.login_user = Some(name.into());
        self
    }

    /// Gives clients so long to send a request's head, and as long again for its body.
    #[must_use]
    pub const fn patience(mut self, span: Duration) -> Self {
        self.patience = span;
        self
    }

    /// Lets only those call who bring this token.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Lets the relay of Identity-Aware Proxy listen at `address`.
    #[must_use]
    pub const fn iap_listen(mut self, address: SocketAddr) -> Self {
        self.iap_listen = Some(address);
        self
    }

    /// Writes the certificate of the emulator's authority into a folder, as `emulator-ca.pem`.
    #[must_use]
    pub fn ca_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.ca_folder = Some(folder.into());
        self
    }
}

/// Why an emulator did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address can be reached from other machines.
    #[error("{address} is not a loopback address; the emulator asks nobody for credentials")]
    NotLoopback {
        /// The address.
        address: SocketAddr,
    },
    /// The address cannot be listened at.
    #[error("cannot listen at {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// There is no authority for what is served by TLS.
    #[error("the certificate authority could not be made")]
    Authority(#[from] CaError),
}

/// A running emulator.
///
/// Dropping it ends the listening at once; the clusters that are left are ended by [`stop`](Self::stop) only.
#[derive(Debug)]
pub struct Emulator {
    service: Arc<Service>,
    address: SocketAddr,
    iap: Iap,
    stopping: watch::Sender<bool>,
    serving: tokio::sync::Mutex<Option<JoinHandle<()>>>,
    timers: JoinHandle<()>,
}

impl Emulator {
    /// Starts an emulator over a runtime; it answers as soon as this returns.
    pub async fn start(
        runtime: Arc<dyn ClusterRuntime>,
        options: EmulatorOptions,
    ) -> Result<Self, StartError> {
        let (listener, address) = bind(options.listen).await?;
        let beside = SocketAddr::new(address.ip(), 0);
        let (relay, relay_at) = bind(options.iap_listen.unwrap_or(beside)).await?;
        let authority = Iap::authority(relay_at, options.ca_folder.as_deref())?;
        let service = Arc::new(Service::new(runtime, options, address));
        let iap = Iap::start(relay, relay_at, authority, Arc::clone(&service));
        let (stopping, stopped) = watch::channel(false);
        let app = router(Arc::clone(&service));
        let serving = tokio::spawn(serve(listener, app, service.patience, stopped));
        let timers = tokio::spawn(timers::watch(Arc::clone(&service)));
        Ok(Self {
            service,
            address,
            iap,
            stopping,
            serving: tokio::sync::Mutex::new(Some(serving)),
            timers,
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The endpoint for clients, such as `http://127.0.0.1:8081`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The relay of Identity-Aware Proxy.
    #[must_use]
    pub const fn iap(&self) -> &Iap {
        &self.iap
    }

    /// What the emulator's clock shows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.service.clock.now()
    }

    /// Moves the clock on and lets the timers strike that are then due.
    pub async fn advance(&self, span: Duration) {
        self.service.advance(span).await;
    }

    /// The fault rules.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.service.faults
    }

    /// Every cluster of every project as the API would answer it, with a field `machines` (names and addresses).
    #[must_use]
    pub fn clusters(&self) -> Vec<Value> {
        snapshot(&self.service.lock())
    }

    /// Every job of every project as the API would answer it, in the order of their submission.
    #[must_use]
    pub fn jobs(&self) -> Vec<Value> {
        self.service.all_jobs()
    }

    /// Stops listening and ends every cluster that is left. Idempotent.
    pub async fn stop(&self) {
        self.stopping.send_replace(true);
        self.timers.abort();
        self.iap.stop();
        self.service.close().await;
        let serving = self.serving.lock().await.take();
        if let Some(mut serving) = serving {
            tokio::select! {
                _ = &mut serving => {}
                () = real_sleep(GRACE) => serving.abort(),
            }
        }
    }
}

/// Listens at a loopback address and says at which port.
async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    if !address.ip().is_loopback() {
        return Err(StartError::NotLoopback { address });
    }
    let listen = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(listen)?;
    let bound = listener.local_addr().map_err(listen)?;
    Ok((listener, bound))
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.stopping.send_replace(true);
        self.timers.abort();
    }
}
