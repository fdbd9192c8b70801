//! Identity-Aware Proxy: the WebSocket relay to a port of a machine, over TLS by the emulator's own authority.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::extract::{Query, State};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinHandle, JoinSet};
use tokio_tungstenite::accept_hdr_async_with_config;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use uuid::Uuid;

use crate::clock::real_sleep;
use crate::failure::ApiFailure;
use crate::iap_frames::{Close, SUBPROTOCOL};
use crate::iap_session::{Arrival, Socket, end, relay};
use crate::local_ca::LocalCa;
use crate::service::Service;

/// The names that the relay has in Google's cloud, for clients that come through a proxy which leads them here.
const NAMES: [&str; 2] = ["tunnel.cloudproxy.app", "mtls.tunnel.cloudproxy.app"];
/// How long a client may take until it has said what it wants.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a machine may take to answer.
const CONNECT: Duration = Duration::from_secs(5);
/// No message of the relay is larger.
const LARGEST_MESSAGE: usize = 64 * 1024;
/// The port that stands for a machine's SSH server, wherever that listens.
const SSH: u16 = 22;

/// The relay of an emulator: where it is, and what goes wrong with it on demand.
#[derive(Debug)]
pub struct Iap {
    address: SocketAddr,
    ca: LocalCa,
    relay: Arc<Relay>,
    serving: JoinHandle<()>,
}

/// What the relay keeps, and what tests ask of it.
#[derive(Debug, Default)]
pub(crate) struct Relay {
    sessions: Mutex<HashMap<String, mpsc::Sender<Arrival>>>,
    /// The close code that the next connections get.
    refusals: Mutex<VecDeque<u16>>,
    cut: Arc<Notify>,
}

impl Iap {
    /// Listens; the authority's certificate is in the file when this returns.
    pub(crate) fn start(
        listener: TcpListener,
        address: SocketAddr,
        ca: LocalCa,
        service: Arc<Service>,
    ) -> Self {
        let relay = Arc::clone(&service.relay);
        let acceptor = ca.acceptor.clone();
        let shared = Arc::clone(&relay);
        let serving = tokio::spawn(async move {
            let mut open = JoinSet::new();
            loop {
                let tcp = tokio::select! {
                    accepted = listener.accept() => match accepted {
                        Ok((tcp, _)) => tcp,
                        Err(error) => {
                            tracing::warn!(%error, "the relay could not accept a connection");
                            real_sleep(Duration::from_millis(50)).await;
                            continue;
                        }
                    },
                    Some(_) = open.join_next() => continue,
                };
                let (acceptor, service) = (acceptor.clone(), Arc::clone(&service));
                let relay = Arc::clone(&shared);
                open.spawn(async move {
                    tcp.set_nodelay(true).ok();
                    let greeted = tokio::time::timeout(HANDSHAKE, async {
                        let tls = acceptor.accept(tcp).await.ok()?;
                        greet(tls, &service).await
                    });
                    if let Ok(Some((wish, socket))) = greeted.await {
                        relay.take(wish, socket, &service).await;
                    }
                });
            }
        });
        Self {
            address,
            ca,
            relay,
            serving,
        }
    }

    /// Makes the authority for a relay at `address`, its file in a temporary folder or in the one given.
    pub(crate) fn authority(
        address: SocketAddr,
        folder: Option<&Path>,
    ) -> Result<LocalCa, crate::local_ca::CaError> {
        LocalCa::new(address.ip(), &NAMES, folder)
    }

    /// Where the relay listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What `gcloud` takes as `--iap-tunnel-url-override`, such as `wss://127.0.0.1:4443/v4`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("wss://{}/v4", self.address)
    }

    /// The file with the certificate of the authority, in PEM: what `CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE` takes.
    #[must_use]
    pub fn ca_file(&self) -> &Path {
        self.ca.file()
    }

    /// Closes the next so many connections with a code, such as 4003, as soon as they are open.
    pub fn refuse_next(&self, code: u16, times: usize) {
        self.relay.refuse_next(code, times);
    }

    /// Cuts every WebSocket that is open, without a word, as a network does; clients may come back.
    pub fn cut(&self) {
        self.relay.cut.notify_waiters();
    }

    /// How many connections are relayed, those without a WebSocket included.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.relay.sessions().len()
    }

    pub(crate) fn stop(&self) {
        self.serving.abort();
        self.relay.sessions().clear();
    }
}

impl Drop for Iap {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What a client wants.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wish {
    Connect {
        project: String,
        zone: String,
        instance: String,
        port: u16,
    },
    Reconnect {
        sid: String,
        ack: u64,
    },
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    project: String,
    zone: String,
    instance: String,
    interface: String,
    port: Option<u16>,
    host: Option<String>,
    sid: String,
    ack: Option<u64>,
}

type Tls = tokio_rustls::server::TlsStream<TcpStream>;

/// Reads the upgrade request; what is wrong with it is answered by an HTTP status.
async fn greet(tls: Tls, service: &Service) -> Option<(Wish, Socket)> {
    let mut wish = None;
    let config = WebSocketConfig::default()
        .max_message_size(Some(LARGEST_MESSAGE))
        .max_frame_size(Some(LARGEST_MESSAGE));
    #[expect(clippy::result_large_err, reason = "the signature is the library's")]
    let callback = |request: &Request, response: Response| {
        wish = Some(read(request, service)?);
        let mut response = response;
        let protocol = HeaderValue::from_static(SUBPROTOCOL);
        response
            .headers_mut()
            .insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
        Ok(response)
    };
    let socket = accept_hdr_async_with_config(tls, callback, Some(config))
        .await
        .ok()?;
    wish.map(|wish| (wish, socket))
}

#[expect(
    clippy::result_large_err,
    reason = "the error is the library's response"
)]
fn read(request: &Request, service: &Service) -> Result<Wish, ErrorResponse> {
    let refuse = |status: StatusCode, text: &str| {
        let mut response = ErrorResponse::new(Some(text.to_owned()));
        *response.status_mut() = status;
        response
    };
    let invalid = |text: &str| refuse(StatusCode::BAD_REQUEST, text);
    let authority = request.uri().authority().map(|a| a.as_str());
    if let Err(refused) = service.guard.check(request.headers(), authority) {
        let status = match service.guard.is_closed() {
            true => StatusCode::UNAUTHORIZED,
            false => StatusCode::FORBIDDEN,
        };
        return Err(refuse(status, &refused.to_string()));
    }
    let text = |name| request.headers().get(name).and_then(|v| v.to_str().ok());
    // gcloud calls itself `bot:iap-tunneler`; a page in a browser has an address.
    if text(header::ORIGIN).is_some_and(|origin| origin.starts_with("http")) {
        return Err(refuse(StatusCode::FORBIDDEN, "pages may not use the relay"));
    }
    let protocols = text(header::SEC_WEBSOCKET_PROTOCOL).unwrap_or_default();
    if !protocols.split(',').any(|own| own.trim() == SUBPROTOCOL) {
        return Err(invalid("the sub-protocol of the relay is missing"));
    }
    let Ok(Query(asked)) = Query::<Asked>::try_from_uri(request.uri()) else {
        return Err(invalid("the query cannot be read"));
    };
    match request.uri().path() {
        "/v4/connect" if asked.host.is_some() => Err(refuse(
            StatusCode::NOT_IMPLEMENTED,
            "connecting to a host by its name is not emulated",
        )),
        "/v4/connect" => {
            let named = [
                &asked.project,
                &asked.zone,
                &asked.instance,
                &asked.interface,
            ];
            let port = asked.port.filter(|port| *port > 0);
            match port.filter(|_| named.iter().all(|name| !name.is_empty())) {
                Some(port) => Ok(Wish::Connect {
                    project: asked.project,
                    zone: asked.zone,
                    // A machine has one interface here; any other is looked up in vain.
                    instance: match asked.interface.as_str() {
                        "nic0" => asked.instance,
                        _ => String::new(),
                    },
                    port,
                }),
                None => Err(invalid(
                    "project, zone, instance, interface and port are needed",
                )),
            }
        }
        "/v4/reconnect" => match asked.ack.filter(|_| !asked.sid.is_empty()) {
            Some(ack) => Ok(Wish::Reconnect {
                sid: asked.sid,
                ack,
            }),
            None => Err(invalid("sid and ack are needed")),
        },
        _ => Err(refuse(StatusCode::NOT_FOUND, "there is no such call")),
    }
}

impl Relay {
    fn sessions(&self) -> MutexGuard<'_, HashMap<String, mpsc::Sender<Arrival>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refusals(&self) -> MutexGuard<'_, VecDeque<u16>> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refuse_next(&self, code: u16, times: usize) {
        self.refusals().extend(std::iter::repeat_n(code, times));
    }

    async fn take(&self, wish: Wish, mut socket: Socket, service: &Service) {
        let refusal = self.refusals().pop_front();
        if let Some(code) = refusal {
            return end(&mut socket, Close::Other(code)).await;
        }
        let cut = Arc::clone(&self.cut);
        match wish {
            Wish::Reconnect { sid, ack } => {
                let session = self.sessions().get(&sid).cloned();
                let arrival = Arrival {
                    socket,
                    received: Some(ack),
                    cut,
                };
                let refused = match session {
                    Some(session) => session.send(arrival).await.err().map(|error| error.0),
                    None => Some(arrival),
                };
                if let Some(mut arrival) = refused {
                    end(&mut arrival.socket, Close::SidUnknown).await;
                }
            }
            Wish::Connect {
                project,
                zone,
                instance,
                port,
            } => match connect(service, &project, &zone, &instance, port).await {
                Err(close) => end(&mut socket, close).await,
                Ok(tcp) => {
                    let sid = Uuid::new_v4().simple().to_string();
                    let (sender, arrivals) = mpsc::channel(1);
                    let first = Arrival {
                        socket,
                        received: None,
                        cut,
                    };
                    if sender.try_send(first).is_ok() {
                        self.sessions().insert(sid.clone(), sender);
                        relay(&sid, tcp, arrivals).await;
                        self.sessions().remove(&sid);
                    }
                }
            },
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Trouble {
    close: Option<u16>,
    times: usize,
    cut: bool,
}

impl Default for Trouble {
    fn default() -> Self {
        Self {
            close: None,
            times: 1,
            cut: false,
        }
    }
}

/// `POST /emulator/v1/iap` with `{"close": 4003, "times": 2}` or `{"cut": true}`: closes the next connections with a code,
/// cuts the present ones without a word.
pub(crate) async fn trouble(
    State(service): State<Arc<Service>>,
    body: Bytes,
) -> Result<Json<Value>, ApiFailure> {
    let wish: Trouble =
        serde_json::from_slice(&body).map_err(|error| ApiFailure::invalid(error.to_string()))?;
    if let Some(code) = wish.close {
        if !(4000..5000).contains(&code) || wish.times > 1000 {
            let message = "a code from 4000 to 4999 and at most 1000 times are needed";
            return Err(ApiFailure::invalid(message));
        }
        service.relay.refuse_next(code, wish.times);
    }
    if wish.cut {
        service.relay.cut.notify_waiters();
    }
    let sessions = service.relay.sessions().len();
    Ok(Json(json!({"sessions": sessions})))
}

/// Finds the machine and connects to one of its ports.
async fn connect(
    service: &Service,
    project: &str,
    zone: &str,
    instance: &str,
    port: u16,
) -> Result<TcpStream, Close> {
    if !service.grants.has("iap.tunnelInstances.accessViaIAP") {
        return Err(Close::NotAuthorized);
    }
    let (facts, machine, runs) = {
        let mut state = service.lock();
        let (_, record, at) = state
            .machine(project, zone, instance)
            .ok_or(Close::LookupFailed)?;
        let machine = record.machines.get(at).ok_or(Close::LookupFailed)?;
        let runs = !matches!(record.state(), "STOPPED" | "STOPPING");
        (record.facts.clone(), machine.clone(), runs)
    };
    if !runs {
        return Err(Close::FailedToConnect);
    }
    let port = match port {
        SSH => service.runtime.ssh_port(&facts, &machine.name),
        port => port,
    };
    let connecting = TcpStream::connect((machine.address, port));
    match tokio::time::timeout(CONNECT, connecting).await {
        Ok(Ok(tcp)) => {
            tcp.set_nodelay(true).ok();
            Ok(tcp)
        }
        _ => Err(Close::FailedToConnect),
    }
}
