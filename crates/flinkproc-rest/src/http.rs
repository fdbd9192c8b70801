//! One HTTP call: route, send, sort the answer.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Client, Method};
use serde::de::DeserializeOwned;

use crate::error::RestError;
use crate::route::Route;

/// The longest text of a refusal that is kept, in characters.
const MESSAGE_LIMIT: usize = 500;

/// A call that takes longer than this is given up; both services answer from memory.
const TIMEOUT: Duration = Duration::from_secs(20);

/// What stands as it is in the value of a query.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b',');

/// A text as the value of one parameter of a query, whatever it holds.
pub(crate) fn query_value(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

/// The place of a REST service in the cluster's own words: host, port and the path in front of every call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Name or address of the host.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The path in front, without a slash at the end; empty or `/proxy/application_…`.
    pub prefix: String,
}

impl Endpoint {
    /// A service at the root of `host:port`.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            prefix: String::new(),
        }
    }

    /// The same host and port with `prefix` in front of every path.
    #[must_use]
    pub fn below(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }
}

/// An endpoint together with the way there.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    client: Client,
    route: Arc<dyn Route>,
    endpoint: Endpoint,
}

impl Caller {
    pub(crate) fn new(client: Client, route: Arc<dyn Route>, endpoint: Endpoint) -> Self {
        Self {
            client,
            route,
            endpoint,
        }
    }

    /// Reads `path`; `None` when the service answers 404.
    pub(crate) async fn find<T: DeserializeOwned>(
        &self,
        path: &str,
    ) -> Result<Option<T>, RestError> {
        match self.get(path).await {
            Ok(value) => Ok(Some(value)),
            Err(RestError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads `path`.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, RestError> {
        let (url, body) = self.call(Method::GET, path, None).await?;
        serde_json::from_str(&body).map_err(|source| RestError::NotUnderstood { url, source })
    }

    /// Makes a call that changes something and reads its answer.
    pub(crate) async fn act<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: serde_json::Value,
    ) -> Result<T, RestError> {
        let (url, answer) = self.call(method, path, Some(body)).await?;
        let answer = if answer.is_empty() { "null" } else { &answer };
        serde_json::from_str(answer).map_err(|source| RestError::NotUnderstood { url, source })
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<serde_json::Value>,
    ) -> Result<(String, String), RestError> {
        let Endpoint { host, port, prefix } = &self.endpoint;
        let shown = format!("http://{host}:{port}{prefix}{path}");
        let address = self.route.resolve(host, *port).await?;
        let changes = method != Method::GET;
        let mut request = self
            .client
            .request(method, format!("http://{address}{prefix}{path}"))
            .header("accept", "application/json")
            .timeout(TIMEOUT);
        if let Some(body) = &body {
            request = request.json(body);
        }
        let lost = |error: reqwest::Error| {
            let unsent = error.is_connect() || error.is_builder();
            let (url, source) = (shown.clone(), error.without_url().into());
            if changes && !unsent {
                RestError::OutcomeUnknown { url, source }
            } else {
                RestError::Unreachable { url, source }
            }
        };
        let response = request.send().await.map_err(lost)?;
        let status = response.status();
        let text = response.text().await.map_err(lost)?;
        match status.as_u16() {
            200..300 => Ok((shown, text)),
            429 | 500.. => Err(RestError::NotReady {
                url: shown,
                status: status.as_u16(),
            }),
            status => Err(RestError::Refused {
                url: shown,
                status,
                message: text.chars().take(MESSAGE_LIMIT).collect(),
            }),
        }
    }
}
