//! The running emulator: its address, its life and its end.

use std::future::IntoFuture as _;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::connection::{Connection, LoopbackListener};
use crate::door;
use crate::failure::Failure;
use crate::faults::{FaultRule, Faults};
use crate::guard::Guard;
use crate::session::Sessions;
use crate::store::Store;

/// How long requests under way may take once the emulator is told to stop.
const LAST_ORDERS: Duration = Duration::from_secs(2);

/// What an emulator is started with.
#[derive(Clone, Debug)]
pub struct Options {
    root: PathBuf,
    listen: SocketAddr,
    public_url: Option<String>,
    guard: Guard,
    faults: Faults,
}

impl Options {
    /// Keeps everything below `root` and listens on a free port of 127.0.0.1.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            public_url: None,
            guard: Guard::open(),
            faults: Faults::default(),
        }
    }

    /// Listens on this loopback address; port 0 takes a free one.
    #[must_use]
    pub const fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Names this address (without a slash at its end) in upload sessions and links, instead of the one that the
    /// client's `Host` header names.
    #[must_use]
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.public_url = Some(url.into());
        self
    }

    /// Answers only to those who bring this token, as `Authorization: Bearer TOKEN`. Without one it answers to every
    /// program on this machine that names it by a loopback address.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.guard = Guard::with_token(token);
        self
    }

    /// Makes calls go wrong; see [`faults`](crate::faults).
    #[must_use]
    pub fn faults(self, rules: impl IntoIterator<Item = FaultRule>) -> Self {
        for rule in rules {
            self.faults.add(rule);
        }
        self
    }
}

/// Why an emulator does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// It has no authentication, so it listens on loopback addresses only.
    #[error("{0} is not a loopback address")]
    NotLoopback(SocketAddr),
    /// The folder cannot be used.
    #[error("the folder {} cannot be used", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The address cannot be listened on.
    #[error("{address} cannot be listened on")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

/// What every request sees.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) store: Arc<Store>,
    pub(crate) sessions: Sessions,
    pub(crate) public_url: Option<String>,
    pub(crate) port: u16,
    pub(crate) guard: Guard,
    pub(crate) faults: Faults,
}

/// A running emulator. Dropped, it takes no new requests and ends when those under way are done.
#[derive(Debug)]
pub struct Emulator {
    address: SocketAddr,
    store: Arc<Store>,
    faults: Faults,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Emulator {
    /// Starts one; it is ready when this returns.
    ///
    /// # Errors
    /// When the address is not a loopback one or is taken, or the folder cannot be used.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let Options {
            root,
            listen,
            public_url,
            guard,
            faults,
        } = options;
        if !listen.ip().is_loopback() {
            return Err(StartError::NotLoopback(listen));
        }
        let store = open(&root).await?;
        let in_address = |source| StartError::Listen {
            address: listen,
            source,
        };
        let listener = TcpListener::bind(listen).await.map_err(in_address)?;
        let address = listener.local_addr().map_err(in_address)?;
        let listener = LoopbackListener::new(listener).ok_or(StartError::NotLoopback(address))?;
        let server = Arc::new(Server {
            store: Arc::clone(&store),
            sessions: Sessions::default(),
            public_url,
            port: address.port(),
            guard,
            faults: faults.clone(),
        });
        let router = Router::new().fallback(door::enter).with_state(server);
        let service = router.into_make_service_with_connect_info::<Connection>();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = axum::serve(listener, service).with_graceful_shutdown(async move {
            let _ = stopped.await;
        });
        let task = tokio::spawn(async move {
            if let Err(error) = serving.into_future().await {
                tracing::error!(%error, "the storage emulator ended");
            }
        });
        Ok(Self {
            address,
            store,
            faults,
            stop: Some(stop),
            task,
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address as clients want it: `http://127.0.0.1:PORT`, no slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The rules by which calls go wrong; they may be added and ended while it runs.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Makes a bucket unless it is there.
    ///
    /// # Errors
    /// When the name is not one the service would take, or the disk refuses.
    pub fn create_bucket(&self, name: &str) -> Result<(), Failure> {
        match self.store.create_bucket(name, "LOCAL") {
            Ok(()) | Err(Failure::Conflict(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Waits for the end that something else brings about.
    pub async fn ended(&mut self) {
        let _ = (&mut self.task).await;
    }

    /// Stops: no new requests; those under way get two seconds. What they had not finished does not exist.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        if tokio::time::timeout(LAST_ORDERS, &mut self.task)
            .await
            .is_err()
        {
            self.task.abort();
        }
    }
}

async fn open(root: &Path) -> Result<Arc<Store>, StartError> {
    let folder = root.to_owned();
    let failed = |source| StartError::Folder {
        folder: root.to_owned(),
        source,
    };
    let store = tokio::task::spawn_blocking(move || Store::open(&folder))
        .await
        .map_err(|error| failed(io::Error::other(error)))?;
    store.map(Arc::new).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::{Emulator, Options, StartError};

    #[tokio::test]
    async fn nothing_listens_beyond_loopback() {
        let folder = tempfile::tempdir().expect("folder");
        let options = Options::new(folder.path()).listen(([0, 0, 0, 0], 0).into());
        assert!(matches!(
            Emulator::start(options).await,
            Err(StartError::NotLoopback(_))
        ));
    }

    #[tokio::test]
    async fn a_stopped_emulator_gives_its_folder_free_and_keeps_its_buckets() {
        let folder = tempfile::tempdir().expect("folder");
        let first = Emulator::start(Options::new(folder.path()))
            .await
            .expect("start");
        first.create_bucket("buc").expect("bucket");
        assert!(matches!(
            Emulator::start(Options::new(folder.path())).await,
            Err(StartError::Folder { .. })
        ));
        first.stop().await;
        let second = Emulator::start(Options::new(folder.path()))
            .await
            .expect("start again");
        assert_eq!(second.store.buckets("").len(), 1);
    }
}
