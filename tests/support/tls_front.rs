//! A TLS server in front of services that speak plain HTTP here, under Google's own names and by an authority of the test.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::Response;
use axum::serve::Listener;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::server::TlsStream;

/// The front; dropping it ends it.
#[derive(Debug)]
pub(crate) struct TlsFront {
    address: SocketAddr,
    authority: String,
    serving: JoinHandle<()>,
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Where the services are.
#[derive(Clone)]
struct Behind {
    http: reqwest::Client,
    /// What every name leads to,
    others: String,
    /// and that of Cloud Storage.
    storage: String,
}

struct Tls {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            if let Ok((stream, address)) = self.tcp.accept().await
                && let Ok(stream) = self.acceptor.accept(stream).await
            {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

impl TlsFront {
    /// Answers under these names: as Cloud Storage for its own one, as everything else for the others.
    pub(crate) async fn start(names: &[&str], others: &str, storage: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names).unwrap();
        let certificate = certificate.signed_by(&key, &issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let tcp = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = tcp.local_addr().unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let behind = Behind {
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            others: others.to_owned(),
            storage: storage.to_owned(),
        };
        let router = Router::new().fallback(pass_on).with_state(behind);
        let serving = tokio::spawn(async move {
            axum::serve(Tls { tcp, acceptor }, router).await.unwrap();
        });
        Self {
            address,
            authority: issuer.pem(),
            serving,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The authority's certificate, in PEM.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }
}

async fn pass_on(State(behind): State<Behind>, request: Request) -> Result<Response, StatusCode> {
    let gone = |_| StatusCode::BAD_GATEWAY;
    let (parts, body) = request.into_parts();
    let host = parts.headers.get(header::HOST);
    let storage = host.is_some_and(|host| host.as_bytes().starts_with(b"storage."));
    let base = if storage {
        &behind.storage
    } else {
        &behind.others
    };
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let body = to_bytes(body, usize::MAX)
        .await
        .map_err(|_| StatusCode::BAD_REQUEST)?;
    let mut headers = parts.headers;
    headers.remove(header::HOST);
    let sent = behind.http.request(parts.method, format!("{base}{path}"));
    let answer = sent
        .headers(headers)
        .body(body)
        .send()
        .await
        .map_err(gone)?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    *response.body_mut() = Body::from(answer.bytes().await.map_err(gone)?);
    response.headers_mut().remove(header::TRANSFER_ENCODING);
    Ok(response)
}
