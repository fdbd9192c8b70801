//! Opens the relay's WebSocket: proxy, TLS, handshake, and the first frame.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use flinkproc_core::MachineRef;
use futures::{SinkExt, StreamExt};
use google_cloud_auth::credentials::{CacheableResource, Credentials};
use http::{HeaderMap, HeaderValue, Uri, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rustls_platform_verifier::Verifier;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::error::GateError;
use crate::proxy::{DialError, ProxySettings, Wire, dial};
use crate::relay_frames::Frame;

/// Where Identity-Aware Proxy relays connections.
const ENDPOINT: &str = "wss://tunnel.cloudproxy.app/v4";
/// The version of the relay's protocol.
const SUBPROTOCOL: &str = "relay.tunnel.cloudproxy.app";
/// How long opening may take, from the first packet to the machine being reached.
const OPENING: Duration = Duration::from_secs(30);

pub(crate) type Socket = WebSocketStream<Box<dyn Wire>>;

/// How Identity-Aware Proxy is reached.
#[derive(Clone, Debug, Default)]
pub struct IapOptions {
    /// Stands in for Google's own place, such as `wss://127.0.0.1:8443`; the path is `/v4` unless it has another one.
    pub endpoint: Option<String>,
    /// Certificates in PEM that are believed beside the system's, such as an emulator's own authority.
    pub extra_roots: Vec<u8>,
    /// The proxy between us and the service.
    pub proxy: ProxySettings,
}

/// Opens and reopens one stream.
#[derive(Clone)]
pub(crate) struct Opener {
    pub(crate) machine: MachineRef,
    pub(crate) port: u16,
    pub(crate) credentials: Credentials,
    pub(crate) options: Arc<IapOptions>,
    pub(crate) tls: Arc<ClientConfig>,
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener")
            .field("machine", &self.machine)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

/// TLS that believes what the system believes, and these certificates.
pub(crate) fn tls(extra_roots: &[u8]) -> Result<ClientConfig, rustls::Error> {
    let provider: Arc<CryptoProvider> = Arc::new(aws_lc_rs::default_provider());
    let extra: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(extra_roots).collect();
    let extra = extra.map_err(|error| rustls::Error::General(error.to_string()))?;
    let verifier = Verifier::new_with_extra_roots(extra, Arc::clone(&provider))?;
    let verifier: Arc<dyn ServerCertVerifier> = Arc::new(verifier);
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = config
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    Ok(config.with_no_client_auth())
}

/// What a connection begins with.
#[derive(Clone, Debug)]
pub(crate) enum Begin {
    /// A new stream.
    Connect,
    /// An old one, of which so many bytes have arrived here.
    Reconnect { stream: String, received: u64 },
}

/// What the relay's first frame said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    Stream(String),
    Confirmed(u64),
}

fn plain(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

impl Opener {
    /// Opens a connection to the relay and reads its first frame.
    pub(crate) async fn open(&self, begin: &Begin) -> Result<(Socket, Begun), GateError> {
        let late = || self.unavailable(format!("no answer within {} s", OPENING.as_secs()));
        // The socket decides how long this takes, not the deployment's clock.
        let opened = tokio::time::timeout(OPENING, Box::pin(self.try_open(begin))).await;
        opened.map_err(|_| late())?
    }

    async fn try_open(&self, begin: &Begin) -> Result<(Socket, Begun), GateError> {
        let (address, service) = self.address(begin)?;
        let wire = dial(&service, &self.options.proxy, &self.tls).await;
        let wire = wire.map_err(|error| match error {
            DialError::Unreachable(message) => self.unavailable(message),
            DialError::Proxy { proxy, message } => GateError::Proxy { proxy, message },
        })?;
        let wire: Box<dyn Wire> = if service.scheme_str() == Some("https") {
            let host = service.host().unwrap_or_default();
            let host = host
                .trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned();
            let name =
                ServerName::try_from(host).map_err(|error| self.invalid(error.to_string()))?;
            let secured = TlsConnector::from(Arc::clone(&self.tls)).connect(name, wire);
            Box::new(
                secured
                    .await
                    .map_err(|error| self.unavailable(error.to_string()))?,
            )
        } else {
            wire
        };
        let mut request = address
            .into_client_request()
            .map_err(|error| self.invalid(error.to_string()))?;
        let headers = request.headers_mut();
        headers.extend(self.authorization().await?);
        let fixed = HeaderValue::from_static;
        headers.insert(header::ORIGIN, fixed("bot:iap-tunneler"));
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, fixed(SUBPROTOCOL));
        headers.insert(
            header::USER_AGENT,
            fixed(concat!("flinkproc/", env!("CARGO_PKG_VERSION"))),
        );
        let shaken = client_async(request, wire).await;
        let (socket, _) = shaken.map_err(|error| self.no_handshake(&error))?;
        self.first_frame(socket).await
    }

    /// The relay's address with the question, and the service that is connected to.
    fn address(&self, begin: &Begin) -> Result<(Uri, Uri), GateError> {
        let endpoint = self.options.endpoint.as_deref().unwrap_or(ENDPOINT);
        let endpoint: Uri = endpoint
            .parse()
            .map_err(|error| self.invalid(format!("`{endpoint}`: {error}")))?;
        let root = match endpoint.path().trim_end_matches('/') {
            "" => "/v4",
            path => path,
        };
        let zone = plain(self.machine.zone.as_str());
        let question = match begin {
            Begin::Connect => format!(
                "connect?project={}&port={}&newWebsocket=True&zone={zone}&instance={}&interface=nic0",
                plain(self.machine.project.as_str()),
                self.port,
                plain(&self.machine.instance),
            ),
            Begin::Reconnect { stream, received } => format!(
                "reconnect?sid={}&ack={received}&newWebsocket=True&zone={zone}",
                plain(stream),
            ),
        };
        let build = |scheme: &str, path: String| {
            let authority = endpoint
                .authority()
                .map_or("", |authority| authority.as_str());
            let uri = Uri::builder().scheme(scheme).authority(authority);
            let uri = uri.path_and_query(path).build();
            uri.map_err(|error| self.invalid(format!("`{endpoint}`: {error}")))
        };
        let (relay, service) = match endpoint.scheme_str() {
            Some("wss" | "https") => ("wss", "https"),
            Some("ws" | "http") => ("ws", "http"),
            _ => return Err(self.invalid(format!("`{endpoint}` is no address of a WebSocket"))),
        };
        Ok((
            build(relay, format!("{root}/{question}"))?,
            build(service, "/".to_owned())?,
        ))
    }

    async fn authorization(&self) -> Result<HeaderMap, GateError> {
        let asked = self.credentials.headers(http::Extensions::new()).await;
        match asked {
            Ok(CacheableResource::New { data, .. }) => Ok(data),
            Ok(CacheableResource::NotModified) => Ok(HeaderMap::new()),
            Err(error) => Err(GateError::Unauthenticated {
                machine: self.machine.clone(),
                message: error.to_string(),
            }),
        }
    }

    async fn first_frame(&self, mut socket: Socket) -> Result<(Socket, Begun), GateError> {
        loop {
            let message = match socket.next().await {
                Some(Ok(message)) => message,
                Some(Err(error)) => return Err(self.unavailable(error.to_string())),
                None => return Err(self.unavailable("the relay hung up".to_owned())),
            };
            let begun = match message {
                Message::Binary(bytes) => match Frame::read(&bytes) {
                    Ok(Frame::Connected(stream)) => Begun::Stream(stream.to_owned()),
                    Ok(Frame::Reconnected(confirmed)) => Begun::Confirmed(confirmed),
                    Ok(Frame::Unknown(_)) => continue,
                    Ok(_) => return Err(self.unreadable("the relay began in the middle")),
                    Err(error) => return Err(self.unreadable(error)),
                },
                Message::Close(frame) => {
                    // The answer to its farewell is a courtesy.
                    socket.flush().await.ok();
                    return Err(self.closed(frame.as_ref()));
                }
                _ => continue,
            };
            return Ok((socket, begun));
        }
    }

    /// What the relay's farewell means.
    pub(crate) fn closed(&self, frame: Option<&CloseFrame>) -> GateError {
        let Some(frame) = frame else {
            return self.unavailable("the relay hung up without a word".to_owned());
        };
        let machine = self.machine.clone();
        let message = frame.reason.as_str().to_owned();
        match u16::from(frame.code) {
            4003 => GateError::TunnelNoBackend {
                machine,
                port: self.port,
                message,
            },
            4033 => GateError::TunnelDenied { machine, message },
            4047 | 4051 => GateError::TunnelNoMachine { machine, message },
            code => GateError::TunnelEnded {
                machine,
                code,
                message,
            },
        }
    }

    fn no_handshake(&self, error: &tungstenite::Error) -> GateError {
        let machine = self.machine.clone();
        let tungstenite::Error::Http(answer) = error else {
            return self.unavailable(error.to_string());
        };
        let body = answer.body().as_deref().unwrap_or_default();
        let body = String::from_utf8_lossy(body).trim().to_owned();
        let message = format!("{} {body}", answer.status()).trim().to_owned();
        match answer.status().as_u16() {
            401 => GateError::Unauthenticated { machine, message },
            403 => GateError::TunnelDenied { machine, message },
            429 | 500.. => GateError::Unavailable { machine, message },
            _ => GateError::Unreadable { machine, message },
        }
    }

    fn unavailable(&self, message: String) -> GateError {
        let machine = self.machine.clone();
        GateError::Unavailable { machine, message }
    }

    fn invalid(&self, message: String) -> GateError {
        let machine = self.machine.clone();
        GateError::Invalid { machine, message }
    }

    fn unreadable(&self, message: impl fmt::Display) -> GateError {
        GateError::Unreadable {
            machine: self.machine.clone(),
            message: message.to_string(),
        }
    }
}
