//! The proxy between us and the services, for the one client that is not an HTTP client: the relay's WebSocket.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tower_service::Service;

/// A connection of any make.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// Which proxy carries which connection, as the variables `HTTPS_PROXY` and `NO_PROXY` say it.
#[derive(Clone, Default)]
pub struct ProxySettings {
    /// The proxy, such as `http://user:password@proxy.example.com:3128`; none when absent.
    https: Option<String>,
    /// Hosts, domains and networks that are reached without it, separated by commas.
    no: String,
}

impl ProxySettings {
    /// This proxy for everything but these hosts, domains and networks.
    #[must_use]
    pub fn new(https: Option<&str>, no: Option<&str>) -> Self {
        Self {
            https: https.map(str::to_owned),
            no: no.unwrap_or_default().to_owned(),
        }
    }
}

impl fmt::Debug for ProxySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address may hold a password.
        f.debug_struct("ProxySettings")
            .field("https", &self.https.as_ref().map(|_| "[redacted]"))
            .field("no", &self.no)
            .finish()
    }
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum DialError {
    /// The service was not reached.
    Unreachable(String),
    /// The proxy stands in the way.
    Proxy {
        /// The proxy, without its password.
        proxy: String,
        /// What is wrong.
        message: String,
    },
}

/// Connects to a service's port, through the proxy that is responsible for it.
///
/// `service` is an address with the scheme `https` or `http`, which decides about the proxy only: what comes back is the bare
/// connection.
pub(crate) async fn dial(
    service: &Uri,
    settings: &ProxySettings,
    tls: &Arc<tokio_rustls::rustls::ClientConfig>,
) -> Result<Box<dyn Wire>, DialError> {
    let https = settings.https.as_deref().unwrap_or_default();
    let matcher = Matcher::builder().https(https).no(settings.no.as_str());
    let Some(proxy) = matcher.build().intercept(service) else {
        let connected = connect(service).await;
        return match connected {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(DialError::Unreachable(error.to_string())),
        };
    };
    let shown = proxy.uri().authority().map_or_else(
        || "without an address".to_owned(),
        // The name and password are not part of it: the matcher has taken them out.
        |authority| authority.to_string(),
    );
    let refused = |message: String| DialError::Proxy {
        proxy: shown.clone(),
        message,
    };
    if !matches!(proxy.uri().scheme_str(), Some("http" | "https")) {
        return Err(refused("only HTTP proxies are spoken to".to_owned()));
    }
    let way = ToProxy {
        tls: TlsConnector::from(Arc::clone(tls)),
    };
    let mut tunnel = Tunnel::new(proxy.uri().clone(), way);
    if let Some(auth) = proxy.basic_auth() {
        tunnel = tunnel.with_auth(auth.clone());
    }
    let opened = tunnel.call(service.clone()).await;
    let opened = opened.map_err(|error| {
        let error: &dyn std::error::Error = &error;
        refused(flinkproc_core::messages(error).join(": "))
    })?;
    Ok(opened.into_inner())
}

async fn connect(uri: &Uri) -> io::Result<TcpStream> {
    let host = uri.host().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let usual = if uri.scheme_str() == Some("http") {
        80
    } else {
        443
    };
    let stream = TcpStream::connect((host, uri.port_u16().unwrap_or(usual))).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Opens the connection to the proxy itself.
#[derive(Clone)]
struct ToProxy {
    tls: TlsConnector,
}

type Connecting = Pin<Box<dyn Future<Output = io::Result<TokioIo<Box<dyn Wire>>>> + Send>>;

impl Service<Uri> for ToProxy {
    type Response = TokioIo<Box<dyn Wire>>;
    type Error = io::Error;
    type Future = Connecting;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, proxy: Uri) -> Connecting {
        let tls = self.tls.clone();
        Box::pin(async move {
            let stream = connect(&proxy).await?;
            let wire: Box<dyn Wire> = if proxy.scheme_str() == Some("https") {
                let host = proxy.host().unwrap_or_default().to_owned();
                let name = ServerName::try_from(host).map_err(io::Error::other)?;
                Box::new(tls.connect(name, stream).await?)
            } else {
                Box::new(stream)
            };
            Ok(TokioIo::new(wire))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::ProxySettings;

    #[test]
    fn a_proxys_password_is_not_shown() {
        let settings = ProxySettings::new(Some("http://me:secret@proxy:3128"), Some("localhost"));
        let shown = format!("{settings:?}");
        assert!(!shown.contains("secret"), "{shown}");
        assert!(shown.contains("localhost"), "{shown}");
    }
}
